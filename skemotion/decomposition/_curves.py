"""What the stages that turn trajectories into rows of numbers share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator

from .._validation import check_cell


def describe_curves(
    estimator: BaseEstimator,
    column: NDArray[Any],
    describe: Callable[[NDArray[Any]], NDArray[Any]],
) -> NDArray[Any]:
    """Describe each clip of a column of curves.

    Parameters
    ----------
    estimator : estimator
        The stage, for errors; what it was fitted on is in its `n_curves_`.
    column : ndarray of object, shape (n_clips,) or (n_clips, n_variants)
        Arrays of shape (n_points, n_features), or (n_points,) for one feature.
    describe : callable
        Turns curves of shape (n_points, n_curves) into numbers of shape (n_numbers, n_curves).

    Returns
    -------
    described : ndarray of shape (n_clips, n_numbers, n_features * n_variants)

    Raises
    ------
    ValueError
        If clips differ in their number of curves, or a cell holds none; the message says which.
    """
    name = type(estimator).__name__
    rows: list[NDArray[Any]] = []
    for row in range(len(column)):
        rows.append(np.hstack([describe(curves) for curves in clip_curves(estimator, column, row)]))
        n_curves = getattr(estimator, "n_curves_", rows[0].shape[1])
        if rows[row].shape[1] != n_curves:
            raise ValueError(
                f"{name} expected {n_curves} curves (features times variants) in every clip, found "
                f"{rows[row].shape[1]} in row {row}: give all clips the same features."
            )
    return np.stack(rows)


def clip_curves(estimator: BaseEstimator, column: NDArray[Any], row: int) -> list[NDArray[Any]]:
    """Check one clip's curves: an array of shape (n_points, n_features) per variant."""
    cells = column[row] if column.ndim == 2 else [column[row]]
    expected = "curves of shape (n_points, n_features), such as AudioFeatures makes"
    curves = [check_cell(estimator, cell, row, ndim=(1, 2), expected=expected) for cell in cells]
    return [curve if curve.ndim == 2 else curve[:, np.newaxis] for curve in curves]


def name_numbers(
    numbers: Sequence[str], input_features: Sequence[str] | None, n_curves: int
) -> NDArray[Any]:
    """Name every number of every curve: ``mfcc03_mean_pitch+4`` for ``mfcc03_pitch+4``.

    Parameters
    ----------
    numbers : sequence of str
        Names of the numbers that describe a curve.
    input_features : sequence of str or None
        Names of the curves; ``curve00``, ... by default.
    n_curves : int
        Number of curves per clip.

    Returns
    -------
    names : ndarray of str
    """
    if input_features is None:
        input_features = [f"curve{i:02d}" for i in range(n_curves)]
    if len(input_features) != n_curves:
        raise ValueError(
            f"input_features should have length equal to the number of curves per clip "
            f"({n_curves}), got {len(input_features)}."
        )
    curves = [str(name).partition("_") for name in input_features]
    return np.array(
        [f"{head}_{number}{sep}{tail}" for number in numbers for head, sep, tail in curves],
        dtype=object,
    )
