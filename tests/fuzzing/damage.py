"""Damage that needs no knowledge of a format."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np


class Mutant(NamedTuple):
    """A damaged file."""

    kind: str  # "media", "model", "cache" or "archive"
    damage: str
    name: str  # of the file
    content: bytes
    extra: Any = None  # what its trial needs to know besides


RAW = ("flips", "cut", "splice", "header")


def damaged(how: str, content: bytes, other: bytes, rng: np.random.Generator) -> bytes:
    """Damage a file in one of the ways in `RAW`; `other` is what may be spliced into it."""
    made, size = bytearray(content), len(content)
    if how == "flips":
        for at in rng.integers(size, size=int(2 ** rng.uniform(0, 9))):
            made[at] ^= 1 << rng.integers(8)
    elif how == "cut":
        start = 0 if rng.random() < 0.7 else int(rng.integers(size))
        made = made[start : start + int(rng.integers(size))]
    elif how == "splice":
        at, n_bytes = int(rng.integers(size)), int(2 ** rng.uniform(2, 14))
        begin = int(rng.integers(len(other)))
        overwritten = int(n_bytes * (rng.random() < 0.5))
        made[at : at + overwritten] = other[begin : begin + n_bytes]
    else:
        # Sizes, rates and counts stand in the first bytes, and in mp4 and zip in the last.
        for _ in range(int(rng.integers(1, 5))):
            at = int(rng.integers(min(1000, size)))
            at = size - 1 - at if rng.random() < 0.3 else at
            lie = LIES[int(rng.integers(4))]
            made[at : at + len(lie)] = lie
    return bytes(made)


LIES = (b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff", b"\0\0\0\0", b"\x01")


def choice(rng: np.random.Generator, items: Any) -> Any:
    """Draw one of some items, whatever they are."""
    items = list(items)
    return items[int(rng.integers(len(items)))]
