"""Shrinking pictures by area averaging."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import cv2
import numba
import numpy as np
from numpy.typing import NDArray


def shrink(picture: NDArray[Any], height: int, width: int) -> NDArray[Any]:
    """Bring a picture to a size; each new pixel is the mean of the area that it covers.

    Parameters
    ----------
    picture : ndarray of shape (old_height, old_width[, channel])
        uint8 or float.
    height, width : int
        New size; a larger one than the old is interpolated linearly.

    Returns
    -------
    picture : ndarray of shape (height, width[, channel])
        Of the same dtype; uint8 is rounded.
    """
    old_height, old_width = picture.shape[:2]
    if (old_height, old_width) == (height, width):
        return picture.copy()
    if picture.dtype != np.uint8 or picture.ndim > 2 or height > old_height or width > old_width:
        return cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA)
    # OpenCV is slow where the ratio of the sizes is not a whole number, as it is for a third of
    # 1280 columns, and grey frames are what a corpus consists of.
    small = np.empty((height, width), dtype=np.uint8)
    _average(picture, *_coverage(old_height, height), *_coverage(old_width, width), small)
    return small


@lru_cache(maxsize=64)
def _coverage(old: int, new: int) -> tuple[NDArray[np.intp], NDArray[np.float32]]:
    """For each new pixel, give the first old one it covers, and the shares of all it covers."""
    edges = np.linspace(0, old, new + 1)
    first = np.floor(edges[:-1] + 1e-9).astype(np.intp)
    n_taps = int((np.ceil(edges[1:] - 1e-9) - first).max())
    taps = first[:, np.newaxis] + np.arange(n_taps)
    overlap = np.minimum(taps + 1, edges[1:, np.newaxis]) - np.maximum(taps, edges[:-1, np.newaxis])
    # The last pixels' windows may reach beyond the picture, with shares of zero: they are moved.
    excess = np.maximum(first + n_taps - old, 0)
    shares = np.stack([np.roll(row, n) for row, n in zip(overlap.clip(0), excess, strict=True)])
    return first - excess, (shares / shares.sum(axis=1, keepdims=True)).astype(np.float32)


@numba.njit(cache=True, nogil=True, fastmath=True)
def _average(picture, top, share_y, left, share_x, small):  # type: ignore[no-untyped-def]
    """Average rows, which is arithmetic on whole rows of the picture, then columns."""
    height, width = small.shape
    half = np.float32(0.5)
    row = np.empty(picture.shape[1], np.float32)
    for y in range(height):
        row[:] = half  # rounds where the fraction is cut off below
        for k in range(share_y.shape[1]):
            share = share_y[y, k]
            line = picture[top[y] + k]
            for x in range(len(row)):
                row[x] += share * np.float32(line[x])
        for x in range(width):
            total = np.float32(0)
            for k in range(share_x.shape[1]):
                total += share_x[x, k] * row[left[x] + k]
            small[y, x] = np.uint8(total)
