"""Input checks that stages share: arrays of clips, and cells of columns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray
from sklearn.base import BaseEstimator
from sklearn.utils.validation import _check_feature_names_in, check_is_fitted, validate_data

from ._columns import clip_column

FLOATS: tuple[DTypeLike, ...] = (np.float64, np.float32)


def check_clips(
    estimator: BaseEstimator,
    X: Any,
    *,
    reset: bool,
    ndim: Sequence[int] | None = None,
    dtype: Sequence[DTypeLike] = FLOATS,
    axes: str = "",
    allow_missing: bool = False,
    same_shape: bool = True,
) -> NDArray[Any]:
    """Check a numeric array of clips against what the stage takes and what it was fitted on.

    Parameters
    ----------
    estimator : estimator
        The stage; gets `n_features_in_` and `clip_shape_` where `reset`.
    X : array-like of shape (n_clips, n_features) or (n_clips, ...)
        Clips of one shape; a list or object array of equally shaped arrays is stacked.
    reset : bool
        True in `fit`.
    ndim : sequence of int, default=None
        Accepted numbers of axes besides 2; None for any.
    dtype : sequence of dtype
        Accepted types; any other is converted to the first of them.
    axes : str, default=""
        The axes in words, for the error.
    allow_missing : bool, default=False
        Whether clips may be missing (all values NaN).
    same_shape : bool, default=True
        Whether clips must have the shape of those at fit.

    Returns
    -------
    ndarray of shape (n_clips, ...)

    Raises
    ------
    ValueError
        If X has the wrong number of axes, another clip shape than at fit, or values that are not
        finite numbers.
    """
    column = clip_column(X)
    if column is not None:
        X = _stack(estimator, column)
    elif len(getattr(X, "shape", ())) > 2 and not reset and same_shape:
        # Before scikit-learn complains about a number of features, which says little about clips.
        _check_shape(estimator, X.shape[1:])
    X = validate_data(
        estimator,
        X,
        reset=reset,
        dtype=list(dtype),
        allow_nd=True,
        ensure_all_finite="allow-nan" if allow_missing else True,
    )
    if allow_missing:
        _check_missing(estimator, X, reset=reset)
    if ndim is not None and X.ndim != 2 and X.ndim not in ndim:
        raise ValueError(
            f"{type(estimator).__name__} expected clips of shape {axes}, or one row of numbers per "
            f"clip, got an array of shape {X.shape}."
        )
    if reset:
        estimator.clip_shape_ = X.shape[1:]
    elif same_shape:
        _check_shape(estimator, X.shape[1:])
    return X


def missing_clips(X: NDArray[Any]) -> NDArray[np.bool_]:
    """Find the clips of a checked array that are missing (all values NaN)."""
    first_value: tuple[Any, ...] = (slice(None), *[0] * (X.ndim - 1))
    return np.isnan(X[first_value])


def _check_missing(estimator: BaseEstimator, X: NDArray[Any], *, reset: bool) -> None:
    """Refuse a clip with some NaN and, at fit, clips that are all missing."""
    with np.errstate(over="ignore", invalid="ignore"):
        suspects = np.isnan(X.sum(axis=tuple(range(1, X.ndim))))
    for row in np.flatnonzero(suspects):
        places = np.isnan(X[row])
        if places.any() and not places.all():
            raise ValueError(
                f"Input X contains NaN: {type(estimator).__name__} treats a clip of NaN alone as "
                f"missing, but the clip in row {row} is NaN in part."
            )
    if reset and missing_clips(X).all():
        raise ValueError(
            f"Input X contains NaN only: {type(estimator).__name__} needs at least one clip "
            "that is not missing."
        )


def _stack(estimator: BaseEstimator, column: NDArray[Any]) -> NDArray[Any]:
    for row, clip in enumerate(column):
        if not isinstance(clip, np.ndarray):
            raise ValueError(
                f"{type(estimator).__name__} expected arrays, got {clip!r} in row {row}: "
                "load the clips first, with VideoLoader or AudioLoader."
            )
        if clip.shape != column[0].shape:
            raise ValueError(
                f"{type(estimator).__name__} expected clips of one shape, got {column[0].shape} "
                f"in row 0 and {clip.shape} in row {row}: {_REMEDY}"
            )
    return np.stack(list(column))


_REMEDY = (
    "give all clips one shape first, for example with VideoLoader(size=(height, width)) or "
    "BSplineProjector."
)


def _check_shape(estimator: BaseEstimator, shape: tuple[int, ...]) -> None:
    fitted = getattr(estimator, "clip_shape_", ())
    if fitted and shape != fitted and (len(shape) > 1 or len(fitted) > 1):
        raise ValueError(
            f"{type(estimator).__name__} was fitted on clips of shape {fitted}, got {shape}: "
            f"{_REMEDY}"
        )


def check_cell(
    estimator: BaseEstimator,
    cell: Any,
    row: int | None,
    *,
    ndim: Sequence[int] | None,
    expected: str,
) -> NDArray[Any]:
    """Check the array that is one clip, or one variant of it, in a column of clips.

    Parameters
    ----------
    estimator : estimator
        The stage.
    cell : Any
        Content of the cell.
    row : int or None
        Its row, for the error; None if the caller adds it.
    ndim : sequence of int
        Accepted numbers of axes; None for any.
    expected : str
        What the stage takes and where it comes from, for the error.

    Returns
    -------
    ndarray of float32 or float64

    Raises
    ------
    ValueError
        If the cell is not such an array, or is empty or not finite.
    """
    if not isinstance(cell, np.ndarray):
        found = repr(cell)
    elif (
        (ndim is not None and cell.ndim not in ndim)
        or not cell.size
        or cell.dtype.kind not in "fiub"
    ):
        found = f"an array of shape {cell.shape} and type {cell.dtype}"
    elif not np.isfinite(cell).all():
        found = "NaN or infinity"
    else:
        return cell if cell.dtype in FLOATS else cell.astype(np.float64)
    place = "" if row is None else f" in row {row}"
    raise ValueError(f"{type(estimator).__name__} expected {expected}; found {found}{place}.")


def remember_column(estimator: BaseEstimator, n_columns: int = 1) -> None:
    """Note at fit that X was one or more columns of clips, which have a shape each."""
    estimator.n_features_in_ = n_columns
    estimator.clip_shape_ = ()
    # Names of an earlier fit, on a table.
    vars(estimator).pop("feature_names_in_", None)


def check_input_names(estimator: BaseEstimator, input_features: Any) -> None:
    """Check the names given to `get_feature_names_out` as scikit-learn does, for tables.

    For clips, the names given by an earlier step of a pipeline are those of values inside a clip;
    a stage that mixes all values has no use for them.
    """
    check_is_fitted(estimator, "n_features_in_")
    if len(estimator.clip_shape_) == 1:
        _check_feature_names_in(estimator, input_features, generate_names=False)
