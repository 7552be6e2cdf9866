"""What a branch of a fusion is made of, and which rows it can use."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.compose import ColumnTransformer
from sklearn.pipeline import FeatureUnion, Pipeline
from sklearn.utils import _safe_indexing, get_tags
from sklearn.utils.validation import _num_samples

from ..base import plural
from ..io import MediaError


def split_branch(branch: Any) -> tuple[Any, Any]:
    """Split a pipeline into its leading steps, which learn nothing, and the others.

    Parameters
    ----------
    branch : estimator

    Returns
    -------
    describe : Pipeline or None
        The steps that learn nothing: they are run once, whatever the number of inner folds.
    rest : estimator
        The others; the classifier at least.
    """
    if not isinstance(branch, Pipeline):
        return None, branch
    n_leading = 0
    for _, step in branch.steps[:-1]:
        if not _learns_nothing(step):
            break
        n_leading += 1
    if not n_leading:
        return None, branch
    return branch[:n_leading], branch[n_leading:]


def describe_rows(
    name: str, describe: Any, X: Any, speaker: str | None, *, fit: bool
) -> tuple[Any, NDArray[np.intp], dict[int, str]]:
    """Run the steps that learn nothing, on every row that they can use.

    Parameters
    ----------
    name : str
        Of the branch, for the warning about rows that raise an error.
    describe : Pipeline or None
        As from `split_branch`; fitted here where `fit`.
    X : Series, DataFrame or ndarray
        What the branch gets of the table.
    speaker : str or None
        A column of X that says nothing about whether there is a clip.
    fit : bool
        Whether `describe` is to be fitted.

    Returns
    -------
    described : table or array
        Of the rows that can be used; None where there is none.
    usable : ndarray of int
        Their positions in X.
    reasons : dict of int to str
        Why each of the other rows cannot be used.
    """
    empty = empty_rows(X, besides=speaker)
    reasons = {int(row): "there is none" for row in np.flatnonzero(empty)}
    rows = np.flatnonzero(~empty)
    if not len(rows):
        return None, rows, reasons
    present = _safe_indexing(X, rows) if len(reasons) else X
    if describe is None:
        return present, rows, reasons
    try:
        described = describe.fit_transform(present) if fit else describe.transform(present)
    except MediaError:
        # Some clip, and the error does not say which row: each on its own.
        described, kept, errors = _one_by_one(describe, present)
        if fit and len(kept):
            describe.fit(_safe_indexing(present, kept))
        _warn(name, errors, len(rows))
    else:
        # A `ClipPipeline` with on_error="nan" has the reasons.
        failed = [error for _, step in describe.steps for error in getattr(step, "errors_", ())]
        errors = {int(error.row): str(error.reason) for error in failed}
        undescribed = _undescribed_rows(described)
        kept = np.flatnonzero(~undescribed)
        if undescribed.any():
            described = _safe_indexing(described, kept)
            lost = np.flatnonzero(undescribed)
            errors = {int(row): errors.get(int(row), "its description is NaN") for row in lost}
    reasons |= {int(rows[row]): why for row, why in errors.items()}
    return (described if len(kept) else None), rows[kept], reasons


def _warn(name: str, errors: dict[int, str], n_rows: int) -> None:
    shown = "; ".join(list(errors.values())[:3])
    warnings.warn(
        f"{len(errors)} of {plural(n_rows, 'clip')} cannot be used by branch {name!r} and "
        f"{'is' if len(errors) == 1 else 'are'} left to the other branches: {shown}",
        UserWarning,
        stacklevel=5,
    )


def _one_by_one(describe: Any, X: Any) -> tuple[Any, NDArray[np.intp], dict[int, str]]:
    results: list[Any] = []
    rows: list[int] = []
    reasons: dict[int, str] = {}
    for row in range(_num_samples(X)):
        clip = _safe_indexing(X, [row])
        try:
            results.append(clone(describe).fit_transform(clip))
        except MediaError as error:
            reasons[row] = str(error)
        else:
            rows.append(row)
    if not results:
        return None, np.array(rows, dtype=np.intp), reasons
    if isinstance(results[0], pd.DataFrame):
        return pd.concat(results), np.array(rows, dtype=np.intp), reasons
    return np.concatenate(results), np.array(rows, dtype=np.intp), reasons


def empty_rows(X: Any, besides: str | None = None) -> NDArray[np.bool_]:
    """Return which rows of a column, a table or an array hold nothing at all.

    Parameters
    ----------
    X : Series, DataFrame or ndarray
        Cells of clips, or numbers.
    besides : str, default=None
        A column of a table that says nothing about whether there is a clip.

    Returns
    -------
    empty : ndarray of bool, shape (n_clips,)
        Where every cell is None or NaN.
    """
    if X.ndim == 1:
        return np.array([_is_empty(cell) for cell in X], dtype=bool)
    if isinstance(X, np.ndarray) and X.dtype != object:
        if X.dtype.kind != "f":
            return np.zeros(len(X), dtype=bool)
        return np.asarray(np.isnan(X).reshape(len(X), -1).all(axis=1))
    table = pd.DataFrame(X)
    if besides is not None and table.shape[1] > 1:
        table = table.drop(columns=besides, errors="ignore")
    return np.asarray(table.isna().all(axis=1))


def _undescribed_rows(described: Any) -> NDArray[np.bool_]:
    """Return which rows have no number, although a name, such as the speaker's, may be there."""
    if described.ndim == 2 and (isinstance(described, pd.DataFrame) or described.dtype == object):
        table = pd.DataFrame(described).infer_objects()
        numbers = [dtype.kind == "f" for dtype in table.dtypes]
        return empty_rows(table.loc[:, numbers] if any(numbers) else table)
    return empty_rows(described)


def _is_empty(cell: Any) -> bool:
    if isinstance(cell, np.ndarray):
        return bool(cell.dtype.kind == "f" and np.isnan(cell).all())
    return cell is None or cell is pd.NA or (isinstance(cell, float) and np.isnan(cell))


def _learns_nothing(step: Any) -> bool:
    if step is None or isinstance(step, str):
        return True
    if not get_tags(step).requires_fit:
        return True
    if isinstance(step, Pipeline):
        return all(_learns_nothing(part) for _, part in step.steps)
    if isinstance(step, ColumnTransformer):
        parts = [part for _, part, _ in step.transformers]
        return all(_learns_nothing(part) for part in [*parts, step.remainder])
    if isinstance(step, FeatureUnion):
        return all(_learns_nothing(part) for _, part in step.transformer_list)
    return False
