"""Calibrating a branch of a fusion by one temperature, on clips of other speakers."""

from __future__ import annotations

import warnings
from numbers import Integral
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.calibration import CalibratedClassifierCV
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold

from ..base import group_params, plural

# No expert rules a class out for good: the least probability that enters a product.
LEAST_PROBABILITY = 1e-6
# How the warnings of `inner_folds` begin.
_FEW = r"Branch '.*' is (calibrated on other clips|not calibrated)"

Splits = list[tuple[NDArray[np.intp], NDArray[np.intp]]]


def fit_calibrated(
    name: str,
    estimator: Any,
    X: Any,
    codes: NDArray[np.intp],
    groups: NDArray[Any] | None,
    cv: Any,
) -> CalibratedClassifierCV:
    """Fit an estimator on all clips, and its temperature on clips that it was not trained on.

    Where a fold trains on one speaker only, as with two speakers in all, its temperature is too
    high for a model of both; by clip it is too low, and the geometric mean of the two is taken.

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
    folds = inner_folds(name, codes, groups, cv)
    by_number = isinstance(cv, Integral)
    with warnings.catch_warnings():
        if by_number:
            # A fusion in a fusion sees fewer speakers and clips in a fold than there are: what it
            # says about those is wrong of the model, and what is true of it has been said above.
            warnings.filterwarnings("ignore", _FEW, UserWarning)
        if folds is None:
            return _uncalibrated(estimator, X, codes, groups)
        model = _calibrated(estimator, X, codes, groups, folds)
        by_clip = (
            _clip_folds(codes, int(cv)) if by_number and _trains_on_one(folds, groups) else None
        )
        if by_clip is not None:
            other = _calibrated(estimator, X, codes, groups, by_clip)
            _calibrator(model).beta_ = np.sqrt(_calibrator(model).beta_ * _calibrator(other).beta_)
    return model


def _calibrated(
    estimator: Any, X: Any, codes: NDArray[np.intp], groups: NDArray[Any] | None, folds: Splits
) -> CalibratedClassifierCV:
    """Fit an estimator on all clips, and its temperature on the clips that the folds leave out."""
    model = CalibratedClassifierCV(
        estimator,
        method="temperature",
        ensemble=False,
        # Splits rather than a splitter: only routing would take the groups to that.
        cv=folds,
    )
    return model.fit(X, codes, **group_params(estimator, groups))


def _calibrator(model: CalibratedClassifierCV) -> Any:
    return model.calibrated_classifiers_[0].calibrators[0]


def _uncalibrated(
    estimator: Any, X: Any, codes: NDArray[np.intp], groups: NDArray[Any] | None
) -> CalibratedClassifierCV:
    """Fit an estimator, with a temperature of 1 in the same form."""
    fitted = FrozenEstimator(estimator.fit(X, codes, **group_params(estimator, groups)))
    everything = np.arange(len(codes))
    model = CalibratedClassifierCV(
        fitted, method="temperature", ensemble=False, cv=[(everything, everything)]
    ).fit(X, codes)
    calibrated = model.calibrated_classifiers_[0]
    # The one that was found is of clips trained on.
    _calibrator(model).beta_ = 1 / _logit_scale(fitted)
    calibrated.estimator = fitted.estimator
    return model


def temperature_of(model: CalibratedClassifierCV) -> float:
    """Return the temperature of an estimator's own probabilities.

    Parameters
    ----------
    model : CalibratedClassifierCV
        From `fit_calibrated`.

    Returns
    -------
    temperature : float
        Above 1 for an overconfident estimator.
    """
    calibrated = model.calibrated_classifiers_[0]
    return float(1 / (_calibrator(model).beta_ * _logit_scale(calibrated.estimator)))


def _logit_scale(estimator: Any) -> float:
    """Return what scikit-learn's calibration multiplies logits by.

    Of a decision d between two classes it makes the logits -d and d, which are 2 d apart.
    """
    is_decision = hasattr(estimator, "decision_function") and len(estimator.classes_) == 2
    return 2.0 if is_decision else 1.0


def inner_folds(
    name: str, codes: NDArray[np.intp], groups: NDArray[Any] | None, cv: Any
) -> Splits | None:
    """Split clips for the temperature, speaker-disjoint where speakers are known.

    Parameters
    ----------
    name : str
        Of the branch, for errors and warnings.
    codes : ndarray of int, shape (n_clips,)
        Classes.
    groups : ndarray of shape (n_clips,) or None
        Speakers.
    cv : int or splitter
        A number means that many folds, or fewer where there are fewer speakers or clips. Where no
        folds by speaker leave enough to train on, they are by clip, with a warning.

    Returns
    -------
    splits : list of (train, test), or None
        None, with a warning, if there are too few clips for any folds.

    Raises
    ------
    ValueError
        If a splitter's training clips lack a class.
    """
    if not isinstance(cv, Integral):
        splits = list(cv.split(np.zeros(len(codes)), codes, groups))
        for train, _ in splits:
            if len(np.unique(codes[train])) <= codes.max():
                raise ValueError(
                    f"Branch {name!r} cannot be calibrated: the training clips of an inner fold "
                    "lack a class. Give another cv, or set calibrate=False."
                )
        return splits
    fewest = int(np.bincount(codes).min())
    if groups is not None:
        n_speakers = len(np.unique(groups))
        for n_folds in range(min(int(cv), fewest, n_speakers), 1, -1):
            splits = list(StratifiedGroupKFold(n_folds).split(codes, codes, groups))
            if _can_train(splits, codes):
                return splits
    by_clip = _clip_folds(codes, int(cv))
    if by_clip is not None:
        if groups is not None:
            warnings.warn(
                f"Branch {name!r} is calibrated on other clips of the speakers that it is trained "
                f"on, as {plural(len(codes), 'clip')} of {plural(n_speakers, 'speaker')} cannot "
                "be split by speaker with every class in training: it will be too sure about other "
                "people. Add speakers.",
                UserWarning,
                stacklevel=4,
            )
        return by_clip
    warnings.warn(
        f"Branch {name!r} is not calibrated, as {len(codes)} clips, {fewest} of the rarest class, "
        "are too few to leave some out: its probabilities are not to be relied on. Add clips, 3 or "
        "more of each class.",
        UserWarning,
        stacklevel=4,
    )
    return None


def _clip_folds(codes: NDArray[np.intp], cv: int) -> Splits | None:
    """Split clips whoever speaks, into `cv` folds or fewer."""
    for n_folds in range(min(cv, int(np.bincount(codes).min())), 1, -1):
        splits = list(StratifiedKFold(n_folds).split(codes, codes))
        if _can_train(splits, codes):
            return splits
    return None


def _can_train(splits: Splits, codes: NDArray[np.intp]) -> bool:
    """Whether all training clips have every class, and one of them more than one clip."""
    n_classes = codes.max() + 1
    return all(
        len(np.unique(codes[train])) == n_classes and len(train) > n_classes for train, _ in splits
    )


def _trains_on_one(splits: Splits, groups: NDArray[Any] | None) -> bool:
    """Whether a fold trains on one of several speakers."""
    if groups is None or len(np.unique(groups)) == 1:
        return False
    return any(len(np.unique(groups[train])) == 1 for train, _ in splits)


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
