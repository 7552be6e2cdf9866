"""Segments of the same files on both sides of a split."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..io import split_fragment
from ._copies import content_keys


class Sharing(NamedTuple):
    """Rows of training and of test, each sorted, and the first of either that share something."""

    train: NDArray[np.intp]
    test: NDArray[np.intp]
    pair: tuple[int, int]


def shared_recordings(
    clips: Iterable[tuple[int, str]], train: NDArray[np.intp], test: NDArray[np.intp]
) -> tuple[Sharing | None, Sharing | None]:
    """Find segments of the same file in training and test.

    Parameters
    ----------
    clips : iterable of (int, str)
        Rows and their clips.
    train, test : ndarray of int
        Rows.

    Returns
    -------
    overlapping : Sharing or None
        Those whose times overlap; those of the same times are the same clip and left out. A file
        overlaps all of its segments.
    apart : Sharing or None
        Those whose times do not.
    """
    clips = list(clips)
    wholes = {address: split_fragment(address) for _, address in clips}
    if not any(segment for _, segment in wholes.values()):
        return None, None
    keys, _ = content_keys(whole for whole, _ in wholes.values())
    parts: dict[str, list[tuple[float, float, float]]] = defaultdict(list)
    for row, address in clips:
        whole, segment = wholes[address]
        start, end = (0.0, None) if segment is None else segment
        parts[keys[whole]].append((row, float(start), np.inf if end is None else float(end)))
    overlapping, apart = _Found(), _Found()
    for part in parts.values():
        table = np.array(part)
        first, second = (table[np.isin(table[:, 0], rows)] for rows in (train, test))
        row, start, end = first.T[:, :, np.newaxis]
        other, other_start, other_end = second.T
        is_other = (row != other) & ((start != other_start) | (end != other_end))
        overlaps = (start < other_end) & (other_start < end)
        overlapping.add(first[:, 0], second[:, 0], is_other & overlaps)
        apart.add(first[:, 0], second[:, 0], is_other & ~overlaps)
    return overlapping.sharing(), apart.sharing()


class _Found:
    def __init__(self) -> None:
        self._train: list[NDArray[np.float64]] = []
        self._test: list[NDArray[np.float64]] = []
        self._pair: tuple[int, int] | None = None

    def add(
        self, train: NDArray[np.float64], test: NDArray[np.float64], is_pair: NDArray[np.bool_]
    ) -> None:
        if is_pair.any():
            place = np.unravel_index(is_pair.argmax(), is_pair.shape)
            self._pair = self._pair or (int(train[place[0]]), int(test[place[1]]))
            self._train.append(train[is_pair.any(axis=1)])
            self._test.append(test[is_pair.any(axis=0)])

    def sharing(self) -> Sharing | None:
        if self._pair is None:
            return None
        sides = (np.unique(np.concatenate(rows)) for rows in (self._train, self._test))
        train, test = (rows.astype(np.intp) for rows in sides)
        return Sharing(train, test, self._pair)
