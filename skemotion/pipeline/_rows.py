"""Rows of clips: indexing them, naming them, and showing how many are done."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import Any

import numpy as np
from sklearn.utils import _safe_indexing
from tqdm.auto import tqdm

from ..base import clip_column, one_column
from ..io import clip_name


def rows_of(X: Any, first: Any = None) -> Any:
    """Make sure that X can be indexed row by row, and is what the first step takes."""
    column = clip_column(X)
    if column is not None:
        if getattr(first, "takes", None) == "clips":
            return one_column(column, "clips")
        # A cell of one column is a clip, whatever it is; on its own, a number would be a table.
        return column.ravel() if column.shape[1:] == (1,) else column
    return X if hasattr(X, "__getitem__") else np.asarray(X)


def one_row(X: Any, row: int) -> Any:
    """Return a batch of one row."""
    # What scikit-learn does for tables and lists takes 0.2 ms, a hundredth of a clip's sound.
    return X[[row]] if isinstance(X, np.ndarray) else _safe_indexing(X, [row])


def row_name(X: Any, row: int) -> str:
    """Return the name of a row for messages."""
    if isinstance(X, np.ndarray) and X.dtype == object and X.ndim == 1:
        return f"clip {row} ({clip_name(X[row])})"
    return f"clip {row}"


def progress(results: Iterable[Any], n_clips: int, *, verbose: bool) -> Iterable[Any]:
    """Show how many clips are done, if `verbose`."""
    return tqdm(
        results,
        total=n_clips,
        unit="clip",
        disable=not verbose,
        # A bar that is written into a log should not fill it.
        mininterval=0.1 if sys.stderr.isatty() else 10,
    )
