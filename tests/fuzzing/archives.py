"""Damaged and forged archives of clips: refused by name, or their clips are loaded or refused."""

from __future__ import annotations

import io
import struct
import warnings
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from helpers import sine_wav

import skemotion
from skemotion import MediaError
from skemotion.audio import AudioLoader
from skemotion.datasets import load_ravdess

from .damage import RAW, Mutant, choice, damaged

FORGED = ("directory", "members", "bomb")
DAMAGES = (*RAW, *FORGED)
_CLIPS = [f"Actor_01/03-01-0{emotion}-01-01-01-01.wav" for emotion in (1, 3, 4, 5)]
# As of clips: see there.
_LIMITS = {"max_bytes": 2**27}
_LARGE = 68 * 2**20  # a little more than what may be packed as tightly as one likes

_HEAD = b"RIFF\xff\xff\xff\xffWAVEfmt \x10\0\0\0\1\0\1\0\x22\x56\0\0"
_HEAD += b"\x44\xac\0\0\2\0\x10\0data\xff\xff\xff\x7f"
_bombs: dict[int, tuple[bytes, int]] = {}


def _packed(packing: int, names: list[str] | None = None) -> bytes:
    file = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(file, "w", packing) as archive:
        warnings.simplefilter("ignore")  # of names that occur twice
        for name in names or _CLIPS:
            archive.writestr(name, sine_wav(2000))
    return file.getvalue()


def mutants(folder: Path, rng: np.random.Generator) -> Iterator[Mutant]:
    """Give damaged and forged archives without end."""
    seeds = {
        "stored": _packed(zipfile.ZIP_STORED),
        "deflated": _packed(zipfile.ZIP_DEFLATED),
        "bzip2": _packed(zipfile.ZIP_BZIP2),
        "lzma": _packed(zipfile.ZIP_LZMA),
    }
    while True:
        for content in seeds.values():
            damage = choice(rng, [*RAW, *FORGED, "directory", "members"])
            if damage == "directory":
                made = _lying_directory(content, rng)
            elif damage == "members":
                made = _odd_members(rng)
            elif damage == "bomb":
                made = _bomb(rng)
            else:
                made = damaged(damage, content, seeds[choice(rng, seeds)], rng)
            yield Mutant("archive", damage, "Audio_Speech_Actors_01-24.zip", made)


def _lying_directory(content: bytes, rng: np.random.Generator) -> bytes:
    """Let places, sizes, names, methods and flags in the archive's lists lie."""
    made = bytearray(content)
    # Signature; bytes of a record that are not its name.
    for _ in range(int(rng.integers(1, 4))):
        sign, size = choice(rng, [(b"PK\1\2", 46), (b"PK\3\4", 30), (b"PK\5\6", 22)])
        places = [at for at in range(len(made)) if made.startswith(sign, at)]
        at = choice(rng, places) + 4 + int(rng.integers(size - 4))
        lie = choice(
            rng, [b"\xff" * 4, b"\0" * 4, b"\1\0", b"\xff\xff", bytes([rng.integers(256)])]
        )
        made[at : at + len(lie)] = lie
    return bytes(made)


def _odd_members(rng: np.random.Generator) -> bytes:
    """Let members have names that lead elsewhere, or none, or each other's."""
    odd = [
        "../03-01-05-01-01-01-02.wav",
        "/03-01-05-01-01-01-03.wav",
        "a/../../03-01-05-01-01-01-04.wav",
        "C:\\03-01-05-01-01-01-05.wav",
        "..\\03-01-05-01-01-01-06.wav",
        "Actor_01/03-01-05-01-01-01-07.wav/",
        "::03-01-05-01-01-01-08.wav",
        "Actor_01/03-01-05-01-01-01-09.wav#t=0,9",
        "\u202e03-01-05-01-01-01-10.wav",
        "%2e%2e/03-01-05-01-01-01-11.wav",
        "[ab]*/03-01-05-01-01-01-12.wav",
        "x" * 3000 + ".wav",
        "zip://a::b.wav",
        "a.zip",
        *_CLIPS,
    ]
    names = [choice(rng, odd) for _ in range(int(rng.integers(1, 8)))]
    packing = choice(rng, [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
    return _packed(packing, names)


def _bomb(rng: np.random.Generator) -> bytes:
    """Let one member unpack to far more than it is, whatever it says of its size."""
    name, size = _CLIPS[0].encode(), choice(rng, [2**10, 2**16, 2**20, 2**24, _LARGE])
    if size not in _bombs:
        content = _HEAD + bytes(size)
        packer = zlib.compressobj(9, zlib.DEFLATED, -15)
        _bombs[size] = packer.compress(content) + packer.flush(), zlib.crc32(content)
    data, checksum = _bombs[size]
    claimed = choice(rng, [size + len(_HEAD), size + len(_HEAD), 1000, 0, 2**32 - 1])
    fields = struct.pack("<HHHHIIIHH", 0, 8, 0, 0, checksum, len(data), claimed, len(name), 0)
    local = b"PK\3\4\x14\0" + fields[:-4] + struct.pack("<HH", len(name), 0) + name + data
    entry = b"PK\1\2\x14\0\x14\0" + fields + struct.pack("<HHHII", 0, 0, 0, 0, 0) + name
    end = struct.pack("<HHHHIIH", 0, 0, 1, 1, len(entry), len(local), 0)
    return local + entry + b"PK\5\6" + end


def prepare() -> None:
    """Import what loading needs."""
    AudioLoader().transform([sine_wav(2000)])


def attempt(path: Path, extra: Any) -> str:
    """List the clips of a mutant, load each, and say what came of it."""
    with skemotion.limits(**_LIMITS):
        try:
            corpus = load_ravdess(path)
        except MediaError as error:
            return "refused" if str(path) in str(error) else f"nameless: {error}"
        outcomes = set()
        for address in corpus.data["audio"]:
            if address is None:
                continue
            try:
                AudioLoader().transform([address])
            except MediaError as error:
                outcomes.add("refused" if str(path) in str(error) else f"nameless: {error}")
            else:
                outcomes.add("used")
    bad = [outcome for outcome in outcomes if outcome not in ("used", "refused")]
    return bad[0] if bad else "used" if "used" in outcomes else "refused"
