"""What the stages that work on waveforms share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator

from .._validation import check_cell


def map_waveforms(
    estimator: BaseEstimator,
    column: NDArray[Any],
    function: Callable[[NDArray[Any]], Any],
) -> NDArray[Any]:
    """Apply a function to every waveform in one or more columns of them.

    Parameters
    ----------
    estimator : estimator
        The stage, for the error.
    column : ndarray of object, shape (n_clips,) or (n_clips, n_variants)
        Waveforms of shape (n_samples,).
    function : callable
        Takes a waveform of float32 or float64.

    Returns
    -------
    ndarray of object, of the column's shape

    Raises
    ------
    ValueError
        If something else than a waveform stands in the column, or one that is empty or not
        finite; the message says in which row.
    """
    results = np.empty(column.shape, dtype=object)
    for at, cell in np.ndenumerate(column):
        expected = "waveforms of shape (n_samples,), such as AudioLoader makes"
        results[at] = function(check_cell(estimator, cell, at[0], ndim=(1,), expected=expected))
    return results


def map_channels(X: NDArray[Any], function: Callable[[NDArray[Any]], NDArray[Any]]) -> NDArray[Any]:
    """Apply a function to every channel of every clip in an array of them.

    Parameters
    ----------
    X : ndarray of shape (n_clips, n_samples, ...)
        Axes after the second are channels.
    function : callable
        Takes a waveform, returns an array; of one shape for all.

    Returns
    -------
    ndarray of shape (n_clips, ...)
        The function's axes, then those of the channels.
    """
    channels = np.moveaxis(X.reshape(*X.shape[:2], -1), 2, 1)
    results = np.stack(
        [
            np.stack([function(np.ascontiguousarray(waveform)) for waveform in clip], axis=-1)
            for clip in channels
        ]
    )
    return results.reshape(*results.shape[:-1], *X.shape[2:])
