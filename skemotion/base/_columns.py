"""Columns of clips: how they are recognised, and what their cells hold."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, MappingView, Sequence, Set
from numbers import Real
from typing import Any, TypeGuard

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..io import clip_name

_SOURCE = (str, bytes, bytearray, memoryview, os.PathLike)


def clip_column(X: Any) -> NDArray[Any] | None:
    """Return X as an object array of clips, or None where X is plain numbers.

    A column of clips is a 1-d sequence of paths, addresses, bytes, file objects, arrays or
    ``(rate, waveform)`` pairs, some of which may be missing; or a 2-d table with one such column,
    such as ``[[path], [path]]``. Arrays may be in a table of several columns, one per variant of a
    clip. Every cell is checked, so the answer depends neither on the first cell nor on the order of
    rows. A list of arrays is a column of clips even if the arrays happen to have the same length,
    so a clip's result does not depend on its neighbours.

    Parameters
    ----------
    X : Any
        Input of a stage.

    Returns
    -------
    ndarray of object, shape (n_clips,) or (n_clips, n_variants), or None

    Raises
    ------
    ValueError
        If X is a single clip.
    TypeError
        If X is an iterator, a set or a dict, which have no rows.
    """
    if isinstance(X, _SOURCE) or hasattr(X, "read") or (isinstance(X, tuple) and is_sound(X)):
        raise ValueError(
            f"Expected a column of clips, got the single clip {clip_name(X)}: pass [clip]."
        )
    # One kind of sparse array is a dict; checks of arrays refuse it.
    if isinstance(X, Iterator | Set | Mapping | MappingView) and not hasattr(X, "shape"):
        raise TypeError(
            f"Expected a column of clips, such as a list or a Series, got a {type(X).__name__}: "
            "pass a list of clips."
        )
    has_rows = isinstance(X, list | tuple)
    if isinstance(X, list | tuple):
        X = _table_of_rows(X)
    elif hasattr(X, "to_numpy"):
        X = X.to_numpy()
    if not isinstance(X, np.ndarray) or not X.size:
        return None
    if X.dtype.kind in "US":
        X = X.astype(object)
    if X.dtype != object or X.ndim > 2:
        return None
    return _in_memory(X) if _holds_clips(X, has_rows=has_rows) else None


def one_column(column: NDArray[Any], content: str) -> NDArray[Any]:
    """Return a column, or a table of one column, as a 1-d array; refuse several columns."""
    if column.ndim == 2 and column.shape[1] > 1:
        raise ValueError(
            f"Expected one column of {content}, got {column.shape[1]}: pass one of them, such as "
            'table["video"], or select it by ColumnTransformer([("video", loader, "video")]).'
        )
    return column.ravel()


def is_missing(clip: Any) -> bool:
    """Return whether a cell of a column of clips is empty (None, NaN, NA or NaT)."""
    return (
        clip is None
        or clip is pd.NA
        or clip is pd.NaT
        or (isinstance(clip, float | np.floating) and bool(np.isnan(clip)))
    )


def object_array(items: Sequence[Any]) -> NDArray[Any]:
    """Put any items into a 1-d object array (NumPy would stack arrays of equal shape)."""
    column = np.empty(len(items), dtype=object)
    for row, item in enumerate(items):
        column[row] = item
    return column


def is_sound(clip: Any) -> TypeGuard[tuple[Any, NDArray[Any]]]:
    """Return whether a cell is a ``(rate, waveform)`` pair."""
    return (
        isinstance(clip, tuple | list)
        and len(clip) == 2
        and isinstance(clip[0], Real)
        and isinstance(clip[1], np.ndarray)
    )


def is_swapped_sound(clip: Any) -> bool:
    """Return whether a cell is a ``(waveform, rate)`` pair, as `librosa.load` returns it."""
    return isinstance(clip, tuple | list) and len(clip) == 2 and is_sound(clip[::-1])


def _table_of_rows(X: Sequence[Any]) -> NDArray[Any]:
    """Put a list into an array, of two axes if its items are rows of clips.

    Bare arrays do not make an item a row: they are pictures of one clip, or rows of numbers.
    """
    rows = [row for row in X if isinstance(row, list | tuple)]
    if len(rows) == len(X) and len(set(map(len, rows))) == 1 and not any(map(_is_clip, rows)):
        cells = [cell for row in rows for cell in row]
        if any(isinstance(c, _SOURCE) or hasattr(c, "read") or is_sound(c) for c in cells):
            return object_array(cells).reshape(len(rows), -1)
    return object_array(X)


def _holds_clips(cells: NDArray[Any], *, has_rows: bool) -> bool:
    """Distinguish objects on one or two axes that are clips from those that are numbers.

    In a list, those that are lists are rows; in a column, they are cells.
    """
    # One clip is enough: a number among clips does not make them numbers.
    if any(map(_is_clip, cells.flat)) or all(map(is_missing, cells.flat)):
        return True
    # Numbers have two axes, or are rows of a list.
    return cells.ndim == 1 and not (
        has_rows and any(isinstance(cell, list | tuple) for cell in cells)
    )


def _is_clip(cell: Any) -> bool:
    return (
        isinstance(cell, _SOURCE)
        or (isinstance(cell, np.ndarray) and cell.ndim > 0)
        or hasattr(cell, "read")
        or is_sound(cell)
        or is_swapped_sound(cell)
        or _is_stack(cell)
    )


def _is_stack(cell: Any) -> bool:
    """Return whether a cell is a list of pictures."""
    return (
        isinstance(cell, list | tuple)
        and bool(cell)
        and all(isinstance(picture, np.ndarray) and picture.ndim in (2, 3) for picture in cell)
    )


def _in_memory(column: NDArray[Any]) -> NDArray[Any]:
    """Turn other buffers and files into bytes, which can be hashed, pickled and compared."""
    cells = [_plain(cell) for cell in column.flat]
    if all(new is old for new, old in zip(cells, column.flat, strict=True)):
        return column
    return object_array(cells).reshape(column.shape)


def _plain(cell: Any) -> Any:
    if isinstance(cell, bytearray | memoryview):
        return bytes(cell)
    if hasattr(cell, "read"):
        # If it was read before, as in fit, its position is the end.
        if cell.seekable():
            cell.seek(0)
        return cell.read()
    if is_sound(cell):
        return cell if isinstance(cell, tuple) else tuple(cell)
    if _is_stack(cell) and len({picture.shape for picture in cell}) == 1:
        return np.stack(cell)
    return cell
