"""Shrinking pictures by area averaging, and interpolating between them."""

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
def _coverage(old: int, new: int) -> tuple[NDArray[np.uint64], NDArray[np.float32]]:
    """For each new pixel, give the first old one it covers, and the shares of all it covers."""
    edges = np.linspace(0, old, new + 1)
    first = np.floor(edges[:-1] + 1e-9).astype(np.intp)
    n_taps = int((np.ceil(edges[1:] - 1e-9) - first).max())
    taps = first[:, np.newaxis] + np.arange(n_taps)
    overlap = np.minimum(taps + 1, edges[1:, np.newaxis]) - np.maximum(taps, edges[:-1, np.newaxis])
    # The last pixels' windows may reach beyond the picture, with shares of zero: they are moved.
    excess = np.maximum(first + n_taps - old, 0)
    shares = np.stack([np.roll(row, n) for row, n in zip(overlap.clip(0), excess, strict=True)])
    return (first - excess).astype(np.uint64), (shares / shares.sum(axis=1, keepdims=True)).astype(
        np.float32
    )


def blend(before: NDArray[Any], after: NDArray[Any], share: float, result: NDArray[Any]) -> None:
    """Write ``before + share * (after - before)`` into a picture of the same shape and dtype.

    Fractions of whole numbers are cut off, as the reference method does.

    Parameters
    ----------
    before, after : ndarray
        Two pictures.
    share : float
        Where between them, from 0 to 1.
    result : ndarray
        Written to.
    """
    if before.dtype == np.uint8 and before.flags.c_contiguous and after.flags.c_contiguous:
        _blend(before.reshape(-1), after.reshape(-1), share, result.reshape(-1))
    else:
        result[...] = before + (after - before.astype(np.result_type(before, float))) * share


@numba.njit(cache=True, nogil=True)
def _blend(before, after, share, result):  # type: ignore[no-untyped-def]
    """Do in one pass, in float64, what NumPy would do with four large arrays."""
    for i in range(len(result)):
        first = np.float64(before[i])
        result[i] = np.uint8(first + (np.float64(after[i]) - first) * share)


_ROWS = 4  # averaged at once: each share of a column is read once for all of them


@numba.njit(cache=True, nogil=True, fastmath=True)
def _average(picture, top, share_y, left, share_x, small):  # type: ignore[no-untyped-def]
    """Average rows, which is arithmetic on whole rows of the picture, then columns."""
    height, width = small.shape
    half = np.float32(0.5)
    rows = np.empty((_ROWS, picture.shape[1]), np.float32)
    means = np.empty((_ROWS, width), np.float32)
    for start in range(0, height, _ROWS):
        n_rows = min(_ROWS, height - start)
        for r in range(n_rows):
            row = rows[r]
            row[:] = half  # rounds where the fraction is cut off below
            # Unsigned, as a signed index might count from the end, which takes a test each time.
            for k in range(np.uint64(share_y.shape[1])):
                share = share_y[start + r, k]
                line = picture[top[start + r] + k]
                for x in range(len(row)):
                    row[x] += share * np.float32(line[x])
        row_a, row_b, row_c, row_d = rows[0], rows[1], rows[2], rows[3]
        for x in range(width):
            a = b = c = d = np.float32(0)
            for k in range(np.uint64(share_x.shape[1])):
                share = share_x[x, k]
                at = left[x] + k
                a += share * row_a[at]
                b += share * row_b[at]
                c += share * row_c[at]
                d += share * row_d[at]
            means[0, x], means[1, x], means[2, x], means[3, x] = a, b, c, d
        for r in range(n_rows):
            for x in range(width):
                small[start + r, x] = np.uint8(means[r, x])
