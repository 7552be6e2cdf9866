"""Damaged and forged entries of caches: each is as good as none, or is taken; nothing else ends."""

from __future__ import annotations

import hashlib
import io
import os
import shutil
import struct
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.preprocessing import FunctionTransformer

from skemotion import MediaError
from skemotion.decomposition import TrajectoryStatistics
from skemotion.pipeline import ClipCache, ClipPipeline
from skemotion.video import HOG3D

from .damage import RAW, Mutant, choice, damaged

FORGED = ("signed", "place")
DAMAGES = (*RAW, *FORGED)
_DIGEST_BYTES = 16
_PLACES = (
    "pipe",
    "folder",
    "loop",
    "nowhere",
    "device",
    "endless",
    "socket",
    "unreadable",
    "empty",
)


def _curves() -> Any:
    rng = np.random.default_rng(0)
    return [rng.normal(size=(20 + row, 2)) for row in range(2)]


def _ragged(curve: Any) -> Any:
    return [c[::2] for c in curve]


def _pipeline(name: str, folder: Path | None) -> tuple[ClipPipeline, Any]:
    """Give steps with results of one kind, and clips."""
    roots = ("roots", FunctionTransformer(np.cbrt))
    if name == "numbers":
        videos = np.random.default_rng(0).integers(0, 256, (2, 6, 24, 30), dtype=np.uint8)
        return ClipPipeline([("h", HOG3D(cell_size=(3, 8, 10))), roots], memory=folder), videos
    statistics = ("statistics", TrajectoryStatistics())
    halves = ("halves", FunctionTransformer(_ragged))
    return ClipPipeline([halves, statistics], memory=folder), _curves()


def mutants(folder: Path, rng: np.random.Generator) -> Iterator[Mutant]:
    """Give damaged and forged entries without end."""
    entries = {}
    for name in ("numbers", "ragged"):
        pipeline, clips = _pipeline(name, folder / name)
        pipeline.fit_transform(clips)
        for path in sorted((folder / name).rglob("*.clip")):
            entries[name, path.name] = path.read_bytes()
    while True:
        for (name, entry), content in entries.items():
            damage = choice(rng, [*RAW, *FORGED, *FORGED])
            extra = (name, None)
            made = content
            if damage == "place":
                extra = (name, choice(rng, _PLACES))
            elif damage == "signed":
                payload = _forged(content[:-_DIGEST_BYTES], rng)
                key, extra = entry.partition(".")[0].encode(), (name, "signed")
                made = payload + hashlib.blake2b(payload, digest_size=16, key=key).digest()
            else:
                made = damaged(damage, content, entries[choice(rng, entries)], rng)
            yield Mutant("cache", damage, entry, made, extra)


def _forged(payload: bytes, rng: np.random.Generator) -> bytes:
    """Make other arrays than those of an entry."""
    change = int(rng.integers(6))
    if change == 0:
        return damaged(choice(rng, RAW), payload, payload, rng)
    if change == 1:
        at = int(rng.integers(min(128, len(payload))))
        return payload[:at] + bytes(rng.integers(256, size=4, dtype=np.uint8)) + payload[at + 4 :]
    if change == 2:
        shape = choice(rng, [(), (0,), (2,), (1, 10**9), (2**62,), (1, 1, 1, 1), (-1,), (1, 0, 3)])
        kind = choice(rng, ["<f8", "|O", "<U9", "|V8", "|S0", "<M8[s]", "|b1", ">c16", "<f2"])
        header = {"descr": kind, "fortran_order": bool(rng.integers(2)), "shape": shape}
        file = io.BytesIO()
        np.lib.format.write_array_header_1_0(file, header)
        return file.getvalue() + payload[128:]
    if change == 3:  # a table that says to be another, or larger
        file = io.BytesIO()
        sides = choice(rng, [(), ("2", "3"), ("9" * 9,), ("-1",), ("x",), ("0",), ("1", "1")])
        words = choice(rng, [("table", *sides), ("text",)])
        np.save(file, np.array(words))
        return file.getvalue() + payload
    if change == 4:
        file = io.BytesIO()
        others = [np.zeros(3), np.full((1, 5), np.nan), np.array("x"), np.eye(2)]
        np.save(file, choice(rng, [*others, np.zeros((1, 2, 3), "c8"), np.zeros((1, 4), ">i2")]))
        return file.getvalue()
    version = bytes([int(rng.integers(5)), int(rng.integers(3))])
    return payload[:6] + version + struct.pack("<H", int(rng.integers(65536))) + payload[10:]


def prepare() -> None:
    """Compute what is expected."""
    warnings.simplefilter("ignore")
    for name in ("numbers", "ragged"):
        pipeline, clips = _pipeline(name, None)
        _expected[name] = pipeline.fit_transform(clips)


_expected: dict[str, Any] = {}
_whole: dict[str, Path] = {}


def attempt(path: Path, extra: tuple[str, str | None]) -> str:
    """Put a mutant into the place of a whole entry, transform, and say what came of it."""
    name, place = extra
    if name not in _whole:
        _whole[name] = path.with_name(f"whole-{os.getpid()}-{name}")
        pipeline, clips = _pipeline(name, _whole[name])
        pipeline.fit_transform(clips)
    folder = path.with_name(f"cache-{os.getpid()}")
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(_whole[name], folder)
    victim = folder / path.name[:2] / path.name
    if not victim.exists():
        return "bare: the key of the entry is another here"
    _put(path, victim, place)
    try:
        pipeline, clips = _pipeline(name, folder)
        got = pipeline.fit_transform(clips)
        repr(ClipCache(folder))
        ClipCache(folder).prune(max_bytes=10)
    except MediaError:
        return "refused"
    except ValueError as error:
        # Of a step that is given something else: whoever can sign entries is trusted with that.
        return "refused" if place == "signed" else f"bare: {type(error).__name__}: {error}"
    finally:
        _clean(folder)
    expected = _expected[name]
    same = got.shape == expected.shape and all(
        np.array_equal(a, b) for a, b in zip(got.flat, expected.flat, strict=True)
    )
    return "as without it" if same else "taken"


def _put(path: Path, victim: Path, place: str | None) -> None:
    victim.unlink()
    if place in (None, "signed"):
        shutil.copyfile(path, victim)
    elif place == "pipe":
        os.mkfifo(victim)
    elif place == "folder":
        victim.mkdir()
        (victim / "x").touch()
    elif place == "loop":
        victim.symlink_to(victim)
    elif place == "nowhere":
        victim.symlink_to("/nowhere/at/all")
    elif place == "device":
        victim.symlink_to("/dev/full")
    elif place == "endless":
        victim.symlink_to("/dev/zero")
    elif place == "socket":
        os.mknod(victim, 0o140644)
    elif place == "unreadable":
        victim.touch(mode=0)
    else:
        victim.touch()


def _clean(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
