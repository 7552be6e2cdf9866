"""Calibrating a branch of a fusion by one temperature, on clips of other speakers."""

from __future__ import annotations

from numbers import Integral
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.calibration import CalibratedClassifierCV
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold

from ..base import group_params

# No expert rules a class out for good: the least probability that enters a product.
LEAST_PROBABILITY = 1e-6


def fit_calibrated(
    name: str,
    estimator: Any,
    X: Any,
    codes: NDArray[np.intp],
    groups: NDArray[Any] | None,
    cv: Any,
) -> CalibratedClassifierCV:
    """Fit an estimator on all clips, and its temperature on clips that it was not trained on.

    Parameters
    ----------
    name : str
        Of the branch, for errors.
    estimator : estimator
        Has `decision_function` or `predict_proba`.
    X : table or array
        Described clips.
    codes : ndarray of int, shape (n_clips,)
        Classes, as 0 to n_classes - 1, all of them there.
    groups : ndarray of shape (n_clips,) or None
        Speakers.
    cv : int or splitter
        Inner folds.

    Returns
    -------
    model : CalibratedClassifierCV
    """
    model = CalibratedClassifierCV(
        estimator,
        method="temperature",
        ensemble=False,
        # Splits rather than a splitter: only routing would take the groups to that.
        cv=inner_folds(name, codes, groups, cv),
    )
    return model.fit(X, codes, **group_params(estimator, groups))


def inner_folds(
    name: str, codes: NDArray[np.intp], groups: NDArray[Any] | None, cv: Any
) -> list[tuple[NDArray[np.intp], NDArray[np.intp]]]:
    """Split clips for the temperature, speaker-disjoint where speakers are known.

    Parameters
    ----------
    name : str
        Of the branch, for errors.
    codes : ndarray of int, shape (n_clips,)
        Classes.
    groups : ndarray of shape (n_clips,) or None
        Speakers.
    cv : int or splitter
        A number means that many folds, or fewer where there are fewer speakers.

    Returns
    -------
    splits : list of (train, test)

    Raises
    ------
    ValueError
        If there are too few clips or speakers, or a class is missing from training clips.
    """
    if isinstance(cv, Integral):
        fewest, what = int(np.bincount(codes).min()), "clips of the rarest class"
        if groups is not None:
            fewest, what = min((fewest, what), (len(np.unique(groups)), "speakers"))
        if fewest < 2:
            raise ValueError(
                f"Branch {name!r} cannot be calibrated on inner folds: n_samples={len(codes)} "
                f"clips, number of {what}: {fewest}. Set calibrate=False."
            )
        cv = (StratifiedKFold if groups is None else StratifiedGroupKFold)(min(int(cv), fewest))
    splits = list(cv.split(np.zeros(len(codes)), codes, groups))
    for train, _ in splits:
        if len(np.unique(codes[train])) <= codes.max():
            raise ValueError(
                f"Branch {name!r} cannot be calibrated on other speakers: the training clips of "
                "an inner fold lack a class. Set calibrate=False, or give no groups."
            )
    return splits


def product_of_experts(
    probabilities: NDArray[np.float64], least: float = LEAST_PROBABILITY
) -> NDArray[np.float64]:
    """Multiply several verdicts on the same clips and normalise.

    Parameters
    ----------
    probabilities : ndarray of shape (n_experts, n_clips, n_classes)
        NaN where an expert has nothing to say.
    least : float, default=1e-6
        What smaller probabilities count for: no expert rules a class out for good.

    Returns
    -------
    product : ndarray of shape (n_clips, n_classes)
        NaN where no expert has anything to say.

    Examples
    --------
    >>> import numpy as np
    >>> from skemotion.classification import product_of_experts
    >>> face, voice = [[0.5, 0.5], [0.2, 0.8]], [[0.1, 0.9], [np.nan, np.nan]]
    >>> product_of_experts(np.array([face, voice]))
    array([[0.1, 0.9],
           [0.2, 0.8]])
    """
    evidence = np.nansum(np.log(np.maximum(probabilities, least)), axis=0)
    odds = np.exp(evidence - evidence.max(axis=1, keepdims=True))
    odds[np.isnan(probabilities).all(axis=(0, 2))] = np.nan
    return np.asarray(odds / odds.sum(axis=1, keepdims=True))
