"""Stacking the results of clips."""

from __future__ import annotations

import math
import mmap
import os
import tempfile
import warnings
from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..base import object_array
from ._failure import Failure

# Results from this size on are mapped from disk if there is a folder for them.
MAPPED_BYTES = 2**26


def stack(
    results: Iterable[Any],
    names: list[str],
    folder: str | os.PathLike[str] | None,
    example: NDArray[Any] | None = None,
    *,
    flatten: bool = False,
) -> NDArray[Any]:
    """Put the clips' results into one array, allocated once, as they arrive.

    Parameters
    ----------
    results : iterable of ndarray or Failure
        One row each, of one shape.
    names : list of str
        The clips' names, for errors.
    folder : path-like or None
        Folder for the file of a large array; None holds it in memory.
    example : ndarray, default=None
        An example of a result, in case all are failures.
    flatten : bool, default=False
        Whether each clip becomes one row of numbers.

    Returns
    -------
    stacked : ndarray of shape (n_clips, ...)
        Failures are NaN. An object array where the results are.

    Raises
    ------
    ValueError
        If the results differ in shape, there are none, or their type has no NaN for failures; or
        if arrays of different lengths are to be flattened.
    """
    stacked = _stack(results, names, folder, example)
    if not flatten:
        return stacked
    if stacked.dtype == object:
        raise ValueError(
            "The results are arrays of different lengths, of which flatten=True cannot make one "
            "row per clip. End the ClipPipeline with TrajectoryStatistics or BSplineProjector."
        )
    return stacked.reshape(len(stacked), -1)


def _stack(
    results: Iterable[Any],
    names: list[str],
    folder: str | os.PathLike[str] | None,
    example: NDArray[Any] | None,
) -> NDArray[Any]:
    failed: list[tuple[int, Failure]] = []
    rows: list[Any] = []
    first = None
    stacked: NDArray[Any] = np.empty(0)
    for row, result in enumerate(results):
        if isinstance(result, Failure):
            failed.append((row, result))
            rows.append(None)
            continue
        if first is None:
            first, first_name = result, names[row]
            if first.dtype != object:
                stacked = _allocate((len(names), *first.shape[1:]), first.dtype, folder)
        of_one_kind = (result.dtype == object) == (first.dtype == object)
        if result.shape != first.shape or not of_one_kind:
            raise ValueError(
                f"The results have different shapes: {first.shape[1:]} for {first_name}, "
                f"{result.shape[1:]} for {names[row]}. Bring the clips to one shape, for "
                "example with VideoLoader(size=(height, width))."
            )
        if first.dtype == object:
            rows.append(result[0])
        else:
            stacked[row] = result[0]
    if first is None:
        if example is None:
            raise ValueError(
                f"None of the clips can be used. The first: {failed[0][1].error}"
            ) from failed[0][1].error
        first = example
        if first.dtype != object:
            stacked = _allocate((len(names), *first.shape[1:]), first.dtype, folder)
    if first.dtype != object:
        for row, failure in failed:
            stacked[row] = _nothing(first.shape[1:], first.dtype, failure)
        return stacked
    for row, failure in failed:
        # Trajectories of the shortest length, one for each variant of the clip.
        cells = [
            _nothing((1, *cell.shape[1:]), cell.dtype, failure) for cell in np.ravel(first[:1])
        ]
        rows[row] = cells[0] if first.ndim == 1 else object_array(cells)
    return np.stack(rows) if first.ndim > 1 else object_array(rows)


def emptied(result: NDArray[Any]) -> NDArray[Any]:
    """Return an empty array of the shape and type of a clip's result."""
    if result.dtype != object:
        return result[:0].copy()
    return object_array([cell[:0].copy() for cell in result.flat]).reshape(result.shape)


def _nothing(shape: tuple[int, ...], dtype: np.dtype[Any], failure: Failure) -> NDArray[Any]:
    """Return an array of NaN, if the type has it."""
    if not np.issubdtype(dtype, np.floating):
        raise ValueError(
            f"A clip that cannot be used becomes NaN, which {dtype} does not have. End the "
            "ClipPipeline with a step that gives floating-point numbers, such as HOG3D."
        ) from failure.error
    return np.full(shape, np.nan, dtype=dtype)


def _allocate(
    shape: tuple[int, ...], dtype: np.dtype[Any], folder: str | os.PathLike[str] | None
) -> NDArray[Any]:
    """Return an array in memory or, if it is large and its folder has room, in a nameless file.

    The file is removed with the array. The system can drop its pages, so a process's own memory
    does not grow with the number of clips.
    """
    n_bytes = math.prod(shape) * dtype.itemsize
    if folder is None or n_bytes < MAPPED_BYTES:
        return np.empty(shape, dtype=dtype)
    try:
        pages = _map(n_bytes, folder)
    except OSError as error:  # the disk is full, or the folder cannot be written to
        warnings.warn(
            f"{os.fspath(folder)}: the results of all clips ({n_bytes / 1e6:.0f} MB) cannot be put "
            f"there ({error}); they are held in memory. Make room, or give another folder.",
            RuntimeWarning,
            stacklevel=2,
        )
        return np.empty(shape, dtype=dtype)
    return np.frombuffer(pages, dtype=dtype).reshape(shape)


def _map(n_bytes: int, folder: str | os.PathLike[str]) -> mmap.mmap:
    with tempfile.TemporaryFile(dir=folder) as file:
        # Reserved now: if the disk filled up later, writing to the pages would end the process.
        if hasattr(os, "posix_fallocate"):
            os.posix_fallocate(file.fileno(), 0, n_bytes)
        else:
            file.truncate(n_bytes)
        return mmap.mmap(file.fileno(), n_bytes)
