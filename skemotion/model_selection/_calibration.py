"""Calibration of probabilities."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd


def expected_calibration_error(
    y: Any, probabilities: Any, classes: Any, *, n_bins: int = 15
) -> float:
    """Return the mean distance between confidence and accuracy [1]_ [2]_.

    Clips are sorted into bins by their confidence, which is the probability of the predicted
    class; in each bin, the share of recognised clips is compared with the mean confidence. Bins
    are weighted by their number of clips.

    Parameters
    ----------
    y : array-like of shape (n_clips,)
        True classes.
    probabilities : array-like of shape (n_clips, n_classes)
        As from `predict_proba`.
    classes : array-like of shape (n_classes,)
        Class of each column, as in ``classes_``.
    n_bins : int, default=15
        Bins of equal width between 0 and 1.

    Returns
    -------
    error : float
        Between 0, for perfect calibration, and 1.

    Raises
    ------
    ValueError
        If the shapes do not fit, or rows do not sum to 1.

    See Also
    --------
    calibration_bins : The bins.
    sklearn.calibration.calibration_curve : The same bins for one of two classes, to be plotted.

    Notes
    -----
    With few clips, the error is above 0 by chance: compare errors on the same clips.

    References
    ----------
    .. [1] M. P. Naeini, G. F. Cooper, M. Hauskrecht, "Obtaining well calibrated probabilities
       using Bayesian binning", AAAI 2015, 2901-2907.
    .. [2] C. Guo, G. Pleiss, Y. Sun, K. Q. Weinberger, "On calibration of modern neural
       networks", ICML 2017, equation 3.

    Examples
    --------
    90 % confident, and right in one of two cases:

    >>> from skemotion.model_selection import expected_calibration_error
    >>> error = expected_calibration_error(
    ...     ["sad", "happy"], [[0.1, 0.9], [0.1, 0.9]], classes=["happy", "sad"]
    ... )
    >>> round(error, 2)
    0.4
    """
    bins = calibration_bins(y, probabilities, classes, n_bins=n_bins)
    gaps = (bins["accuracy"] - bins["confidence"]).abs() * bins["n_clips"]
    return float(gaps.sum() / bins["n_clips"].sum())


def calibration_bins(y: Any, probabilities: Any, classes: Any, *, n_bins: int = 15) -> pd.DataFrame:
    """Return confidence and accuracy of clips in bins by confidence.

    This is the table of a reliability diagram: where probabilities are calibrated, confidence and
    accuracy are the same in each bin.

    Parameters
    ----------
    y, probabilities, classes, n_bins
        As for `expected_calibration_error`.

    Returns
    -------
    bins : DataFrame of shape (n_bins, 5)
        For each bin its borders ``low`` and ``high``, the number of clips ``n_clips``, their mean
        ``confidence``, and their ``accuracy``; the last two are NaN in a bin without clips.

    Raises
    ------
    ValueError
        If the shapes do not fit, or rows do not sum to 1.

    Examples
    --------
    >>> from skemotion.model_selection import calibration_bins
    >>> calibration_bins(
    ...     ["sad", "happy"], [[0.1, 0.9], [0.3, 0.7]], classes=["happy", "sad"], n_bins=2
    ... )
       low  high  n_clips  confidence  accuracy
    0  0.0   0.5        0         NaN       NaN
    1  0.5   1.0        2         0.8       0.5
    """
    y, classes = np.asarray(y), np.asarray(classes)
    probabilities = np.asarray(probabilities, dtype=np.float64)
    if probabilities.shape != (len(y), len(classes)) or not len(y):
        raise ValueError(
            f"Expected probabilities of shape (n_clips, n_classes)=({len(y)}, {len(classes)}), "
            f"of one clip at least, found {probabilities.shape}."
        )
    if not np.allclose(probabilities.sum(axis=1), 1, atol=1e-4):
        row = int(np.abs(probabilities.sum(axis=1) - 1).argmax())
        raise ValueError(
            f"Expected probabilities that sum to 1 in each row, found {probabilities[row].sum()} "
            f"in row {row}."
        )
    if n_bins < 1:
        raise ValueError(f"n_bins must be 1 or more, got {n_bins}.")
    confidence = probabilities.max(axis=1)
    hit = classes[probabilities.argmax(axis=1)] == y
    # Bins are open on the left, as in the papers.
    bins = np.clip(np.ceil(confidence * n_bins).astype(int) - 1, 0, n_bins - 1)
    counts = np.bincount(bins, minlength=n_bins)
    sums = [np.bincount(bins, values, minlength=n_bins) for values in (confidence, hit)]
    mean = [
        np.divide(total, counts, out=np.full(n_bins, np.nan), where=counts > 0) for total in sums
    ]
    edges = np.linspace(0, 1, n_bins + 1)
    return pd.DataFrame(
        {
            "low": edges[:-1],
            "high": edges[1:],
            "n_clips": counts,
            "confidence": mean[0],
            "accuracy": mean[1],
        }
    )
