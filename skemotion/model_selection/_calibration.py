"""Calibration of probabilities."""

from __future__ import annotations

from typing import Any

import numpy as np


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
    gaps = np.bincount(bins, hit - confidence, minlength=n_bins)
    return float(np.abs(gaps).sum() / len(y))
