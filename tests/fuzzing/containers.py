"""Damage to clips that keeps their container's form: what is in it lies, or is far too much."""

from __future__ import annotations

import struct

import numpy as np

from .damage import choice

# Each damage, and the containers that have what it needs.
POSSIBLE = {
    "edit list": ("mp4",),
    "index": ("mp4", "avi", "webm", "asf", "ogg"),
    "sizes": ("mp4", "avi", "webm", "flv", "mpg", "ts", "asf"),
    "canvas": ("mp4", "avi", "webm", "flv"),
    "metadata": ("mp4", "wav", "mp3", "flac", "ogg", "webm"),
    "nesting": ("mp4", "avi", "wav", "webm"),
    "timestamps": ("ts", "mpg", "flv", "ogg", "webm"),
}
DAMAGES = tuple(POSSIBLE)
# What their tables of places, sizes and times begin with.
_INDEXES = {
    "mp4": [b"stts", b"stsz", b"stco", b"stsc", b"ctts", b"stss", b"elst", b"mdhd", b"stsd"],
    "avi": [b"idx1", b"strh", b"movi", b"avih"],
    "webm": [b"\x1c\x53\xbb\x6b", b"\x11\x4d\x9b\x74", b"\x1f\x43\xb6\x75", b"\x16\x54\xae\x6b"],
    "asf": [b"\x33\x26\xb2\x75", b"\xa1\xdc\xab\x8c", b"\x90\x08\x00\x33"],
    "ogg": [b"OggS"],
}


def damaged_container(
    damage: str, ending: str, seeds: dict[str, bytes], rng: np.random.Generator
) -> bytes:
    """Damage a clip in one of the ways in `DAMAGES`."""
    content = seeds[ending]
    if damage == "edit list":
        return _edit_list(content, rng)
    if damage == "index":
        return _lying_index(content, ending, rng)
    if damage == "sizes":
        small = seeds[f"small.{ending}"]
        return choice(rng, [content + small, small + content, _patched_sizes(content, rng)])
    if damage == "canvas":
        return gif(rng)
    if damage == "metadata":
        return _metadata(content, ending, rng)
    if damage == "nesting":
        return _nested(ending, rng)
    return _timestamps(content, ending, rng)


def _word(rng: np.random.Generator, bits: int = 32) -> int:
    """Draw a number that is small, large, or at a bound."""
    top = 2**bits - 1
    return choice(rng, [0, 1, 2, top, top // 2, top // 2 + 1, int(2 ** rng.uniform(0, bits)) % top])


# --- MP4: boxes of (size, name, content) ---


def _box(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content) + 8) + name + content


def _into(content: bytes, path: list[bytes], new: bytes) -> bytes:
    """Put a box at the end of the box at a path, and enlarge all around it."""
    if not path:
        return content + new
    at, made = 0, b""
    done = False
    while at + 8 <= len(content):
        size = struct.unpack_from(">I", content, at)[0] or len(content) - at
        name = content[at + 4 : at + 8]
        inner = content[at + 8 : at + size]
        if name == path[0] and not done:
            inner, done = _into(inner, path[1:], new), True
            made += _box(name, inner)
        else:
            made += content[at : at + size]
        at += max(size, 8)
    return made


def _edit_list(content: bytes, rng: np.random.Generator) -> bytes:
    n_edits = int(2 ** rng.uniform(0, 15))
    version = int(rng.integers(2))
    edit = ">QqHH" if version else ">IiHH"
    most = 2**31
    edits = [
        (
            int(rng.integers(1, choice(rng, [3, 1000, most]))),
            choice(rng, [-1, 0, 1, 512, int(rng.integers(most))]),
            choice(rng, [1, 1, 0, 0xFFFF]),
            0,
        )
        for _ in range(min(n_edits, 64))
    ]
    body = b"".join(struct.pack(edit, *edits[i % len(edits)]) for i in range(n_edits))
    claimed = choice(rng, [n_edits, n_edits, _word(rng)])
    elst = _box(b"elst", struct.pack(">BxxxI", version, claimed) + body)
    # After the clip's own, which is renamed.
    return _into(content.replace(b"edts", b"free"), [b"moov", b"trak"], _box(b"edts", elst))


def _lying_index(content: bytes, ending: str, rng: np.random.Generator) -> bytes:
    """Let entries of tables of places, sizes and times lie."""
    names = _INDEXES[ending]
    made = bytearray(content)
    for _ in range(int(rng.integers(1, 4))):
        name = choice(rng, names)
        places = [at for at in range(len(made)) if made.startswith(name, at)]
        if not places:
            continue
        at = choice(rng, places) + len(name)
        for _ in range(int(2 ** rng.uniform(0, 5))):
            place = at + 4 * int(rng.integers(1, 40))
            order = "<I" if ending in ("avi", "asf", "ogg") else ">I"
            made[place : place + 4] = struct.pack(order, _word(rng))
    return bytes(made)


def _patched_sizes(content: bytes, rng: np.random.Generator) -> bytes:
    """Let every 160 x 120 in headers be another size."""
    sizes = [int(2 ** rng.uniform(0, 14)) for _ in range(2)]
    for order in (">H", "<H", ">I", "<I"):
        for old, new in zip((160, 120), sizes, strict=True):
            content = content.replace(struct.pack(order, old), struct.pack(order, new), 8)
    return content


def gif(rng: np.random.Generator) -> bytes:
    """Make tiny pictures on a canvas of any size."""
    width, height = (int(2 ** rng.uniform(0, 16)) % 65536 or 65535 for _ in range(2))
    n_frames = int(2 ** rng.uniform(0, 13))
    left, top = (int(rng.integers(side)) for side in (width, height))
    control = b"\x21\xf9\x04" + struct.pack("<BHBB", choice(rng, [0, 4, 8, 12]), 4, 0, 0)
    picture = b"\x2c" + struct.pack("<HHHHB", left, top, 1, 1, 0) + b"\x02\x02\x4c\x01\x00"
    head = b"GIF89a" + struct.pack("<HHBBB", width, height, 0x80, 0, 0) + b"\0\0\0\xff\xff\xff"
    return head + (control + picture) * n_frames + b"\x3b"


def _metadata(content: bytes, ending: str, rng: np.random.Generator) -> bytes:
    """Put text of up to 8 MB, or a lie about its size, where a title stands."""
    size = int(2 ** rng.uniform(4, 23))
    claimed = choice(rng, [size, size, _word(rng)])
    text = bytes(rng.integers(32, 127, 64, dtype=np.uint8)) * (size // 64 + 1)
    if ending == "mp4":
        name = b"\xa9nam" + struct.pack(">HH", claimed & 0xFFFF, 0) + text
        item = struct.pack(">I", claimed & 0xFFFFFFFF) + name
        return _into(content, [b"moov"], _box(choice(rng, [b"udta", b"meta", b"uuid"]), item))
    if ending == "wav":
        chunk = b"LIST" + struct.pack("<I", claimed & 0xFFFFFFFF) + b"INFOINAM" + text
        return content[:12] + chunk + content[12:]
    if ending == "mp3":
        parts = [(claimed >> shift) & 0x7F for shift in (21, 14, 7, 0)]
        frame = b"TIT2" + struct.pack(">IH", _word(rng), 0) + text
        return b"ID3\x04\0" + bytes([choice(rng, [0, 0x40, 0x80])]) + bytes(parts) + frame + content
    if ending == "flac":
        block = struct.pack(">I", (choice(rng, [4, 6, 5, 2, 127]) << 24) | (claimed & 0xFFFFFF))
        return content[:42] + block + text + content[42:]
    if ending == "ogg":
        at = content.find(b"OpusTags") + 8
        return content[:at] + struct.pack("<I", claimed & 0xFFFFFFFF) + text + content[at + 4 :]
    # Matroska: an element of tags, and void.
    size_bytes = b"\x08" + struct.pack(">I", claimed & 0xFFFFFFFF)[1:]
    at = content.find(b"\x16\x54\xae\x6b")
    return (
        content[:at]
        + choice(rng, [b"\x12\x54\xc3\x67", b"\xec"])
        + size_bytes
        + text
        + content[at:]
    )


def _nested(ending: str, rng: np.random.Generator) -> bytes:
    """Put boxes into boxes, thousands deep."""
    depth = int(2 ** rng.uniform(1, 14))
    if ending == "mp4":
        boxes = b""
        name = choice(rng, [b"moov", b"trak", b"udta", b"meta", b"mdia"])
        sizes = range(8 * depth, 0, -8)
        boxes = b"".join(struct.pack(">I", size) + name for size in sizes)
        return _box(b"ftyp", b"isom\0\0\2\0isomiso2") + _box(b"moov", boxes)
    if ending in ("avi", "wav"):
        kind = b"AVI " if ending == "avi" else b"WAVE"
        lists = b"".join(b"LIST" + struct.pack("<I", 12 * n) + b"hdrl" for n in range(depth, 0, -1))
        return b"RIFF" + struct.pack("<I", len(lists) + 4) + kind + lists
    opened = (
        b"\x1a\x45\xdf\xa3\x84\x42\x82\x81w" + b"\x18\x53\x80\x67\x01\xff\xff\xff\xff\xff\xff\xff"
    )
    tags = choice(rng, [b"\x12\x54\xc3\x67", b"\x10\x43\xa7\x70", b"\xb6", b"\xe1"])
    return opened + (tags + b"\x01\xff\xff\xff\xff\xff\xff\xff") * depth


def _timestamps(content: bytes, ending: str, rng: np.random.Generator) -> bytes:
    """Let packets be shown at any time."""
    made = bytearray(content)
    starts = {"ts": b"G", "mpg": b"\0\0\1", "flv": b"\0\0\0", "ogg": b"OggS", "webm": b"\xa3"}[
        ending
    ]
    places = [at for at in range(0, len(made) - 16) if made.startswith(starts, at)]
    for at in rng.choice(places, size=min(len(places), int(2 ** rng.uniform(0, 7)))):
        place = int(at) + len(starts) + int(rng.integers(12))
        made[place : place + 4] = struct.pack(">I", _word(rng))
    return bytes(made)
