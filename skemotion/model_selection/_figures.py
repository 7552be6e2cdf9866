"""Figures of a confusion matrix, or of a stack of them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

N_RESAMPLES = 2000
# With one or two speakers there are hardly any different draws.
FEWEST_SPEAKERS = 3


def accuracy(confusion: NDArray[Any]) -> NDArray[np.float64]:
    """Share of clips that were recognised.

    Parameters
    ----------
    confusion : ndarray of shape (..., n_labels, n_labels)
        True in rows, predicted in columns.

    Returns
    -------
    accuracy : ndarray of shape (...)
    """
    hits, totals = _hits(confusion), confusion.sum(axis=-1)
    return np.asarray(hits.sum(axis=-1) / totals.sum(axis=-1))


def uar(confusion: NDArray[Any]) -> NDArray[np.float64]:
    """Unweighted average recall (UAR, balanced accuracy) over the labels that have clips.

    Parameters
    ----------
    confusion : ndarray of shape (..., n_labels, n_labels)
        True in rows, predicted in columns.

    Returns
    -------
    uar : ndarray of shape (...)
    """
    return np.asarray(np.nanmean(_ratio(_hits(confusion), confusion.sum(axis=-1)), axis=-1))


def macro_f1(confusion: NDArray[Any]) -> NDArray[np.float64]:
    """F1, averaged over the labels that occur or were predicted.

    Parameters
    ----------
    confusion : ndarray of shape (..., n_labels, n_labels)
        True in rows, predicted in columns.

    Returns
    -------
    macro_f1 : ndarray of shape (...)
    """
    named = confusion.sum(axis=-1) + confusion.sum(axis=-2)
    return np.asarray(np.nanmean(_ratio(2 * _hits(confusion), named), axis=-1))


FIGURES = {"uar": uar, "accuracy": accuracy, "macro_f1": macro_f1}


def count(
    row: NDArray[np.intp], column: NDArray[np.intp], part: NDArray[np.intp], n_labels: int
) -> NDArray[np.intp]:
    """Count clips by true and predicted label, in each part.

    Parameters
    ----------
    row, column : ndarray of int, shape (n_predictions,)
        True and predicted label, from 0.
    part : ndarray of int, shape (n_predictions,)
        From 0, such as folds.
    n_labels : int
        Number of labels.

    Returns
    -------
    confusion : ndarray of int, shape (n_parts, n_labels, n_labels)
    """
    counts = np.zeros((int(part.max(initial=-1)) + 1, n_labels, n_labels), dtype=np.intp)
    np.add.at(counts, (part, row, column), 1)
    return counts


def resample(confusion: NDArray[np.intp]) -> NDArray[np.float64]:
    """Return confusion matrices of corpora whose speakers are drawn from ours, with repetition.

    Clips of one speaker are not independent, so resampling clips would give too narrow intervals.

    Parameters
    ----------
    confusion : ndarray of int, shape (n_speakers, n_labels, n_labels)
        One for each speaker.

    Returns
    -------
    drawn : ndarray of shape (N_RESAMPLES, n_labels, n_labels)
    """
    n_speakers = len(confusion)
    draws = np.random.default_rng(0).integers(n_speakers, size=(N_RESAMPLES, n_speakers))
    times = np.zeros((N_RESAMPLES, n_speakers))
    np.add.at(times, (np.arange(N_RESAMPLES)[:, np.newaxis], draws), 1)
    return np.tensordot(times, confusion.astype(np.float64), axes=1)


def _hits(confusion: NDArray[Any]) -> NDArray[Any]:
    return np.diagonal(confusion, axis1=-2, axis2=-1)


def _ratio(part: NDArray[Any], whole: NDArray[Any]) -> NDArray[np.float64]:
    # A label that no drawn speaker has is left out of the mean.
    return np.divide(part, whole, out=np.full(part.shape, np.nan), where=whole > 0)
