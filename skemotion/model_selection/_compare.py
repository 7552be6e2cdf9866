"""Comparing two models on the same clips."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.validation import check_consistent_length

from ..base import plural
from ._evaluation import Evaluation
from ._pairing import pair_predictions

_RESAMPLES = 10_000
# Up to this number of speakers, all swaps of the models' predictions are enumerated (2 ** 13).
_MOST_ENUMERATED = 13
_FEWEST_SPEAKERS = 3


@dataclass(frozen=True)
class Comparison:
    """Difference between two models on the same clips.

    Attributes
    ----------
    difference : float
        Unweighted average recall (UAR) of the second model minus that of the first.
    interval : tuple of float
        95 % interval, by resampling speakers; NaN for fewer than three.
    p_value : float
        Two-sided p-value of a permutation test that swaps the two models' predictions for random
        speakers; NaN for fewer than three speakers.
    n_speakers : int
        Number of speakers.
    n_clips : int
        Number of clips that both models were tested on.

    See Also
    --------
    compare : Returns these.
    """

    difference: float
    interval: tuple[float, float]
    p_value: float
    n_speakers: int
    n_clips: int

    def __str__(self) -> str:
        """Put it in a line."""
        low, high = self.interval
        found = f"{100 * self.difference:+.1f} points"
        speakers, clips = plural(self.n_speakers, "speaker"), plural(self.n_clips, "clip")
        if np.isnan(low):
            return f"{found} (no interval: {speakers}), {clips}"
        return (
            f"{found} (95 % interval over speakers {100 * low:+.1f} to {100 * high:+.1f}), "
            f"p = {self.p_value:.2g}, {speakers}, {clips}"
        )


def compare(a: Evaluation, b: Evaluation) -> Comparison:
    """Compare two models that were tested on the same clips.

    Parameters
    ----------
    a, b : Evaluation
        Of the two models, under the same protocol. Clips are paired by their names, in any order;
        without names by the rows of X. Speakers may have other names in the one than in the other.

    Returns
    -------
    comparison : Comparison
        Positive if `b` is better.

    Raises
    ------
    TypeError
        If one of them is no evaluation.
    ValueError
        If the two were not tested on the same clips, as often, or the clips have other labels or
        are divided into speakers otherwise.

    See Also
    --------
    Evaluation.from_frame : An evaluation from a file of predictions.
    """
    for evaluation in (a, b):
        if not isinstance(evaluation, Evaluation):
            raise TypeError(
                f"expected two evaluations, found {type(evaluation).__name__}. Pass what evaluate "
                "returns, or Evaluation.from_frame(table); for bare predictions there is "
                "paired_difference."
            )
    order, speakers = pair_predictions(a, b)
    # One may come from a file, where labels are texts.
    target, first, second = (
        np.asarray(column).astype(str) for column in (a.target, a.prediction, b.prediction)
    )
    return paired_difference(target, first, second[order], speakers)


def paired_difference(y: Any, prediction_a: Any, prediction_b: Any, groups: Any) -> Comparison:
    """Compare two models' predictions on the same clips, speaker by speaker.

    Clips of one speaker are not independent, so speakers are resampled: with replacement for the
    interval (bootstrap) [1]_, and by swapping the two models' predictions for the p-value
    (approximate randomisation) [2]_, whose only assumption is that under the null hypothesis the
    models are interchangeable.

    Parameters
    ----------
    y : array-like of shape (n_clips,)
        True classes.
    prediction_a, prediction_b : array-like of shape (n_clips,)
        Predictions of the first and the second model.
    groups : array-like of shape (n_clips,)
        Speakers.

    Returns
    -------
    comparison : Comparison
        Positive if the second model is better.

    Notes
    -----
    For up to 13 speakers, all swaps are enumerated; beyond, 10,000 random ones. With n speakers, no
    p-value is below ``2 ** (1 - n)``: five speakers never give one below 0.05. If a model was
    chosen as the best of many on the same clips, the comparison is biased in its favour.

    References
    ----------
    .. [1] M. Bisani, H. Ney, "Bootstrap estimates for confidence intervals in ASR performance
       evaluation", ICASSP 2004, I-409-412.
    .. [2] E. W. Noreen, "Computer-intensive methods for testing hypotheses", Wiley 1989, chapter
       2 (approximate randomization).

    Examples
    --------
    >>> import numpy as np
    >>> from skemotion.model_selection import paired_difference
    >>> y = np.tile(["happy", "sad"], 8)
    >>> speakers = np.repeat(np.arange(8), 2)
    >>> print(paired_difference(y, np.full(16, "happy"), y, speakers))
    +50.0 points (95 % interval over speakers +50.0 to +50.0), p = 0.0078, 8 speakers, 16 clips
    """
    y, first, second, groups = map(np.asarray, (y, prediction_a, prediction_b, groups))
    check_consistent_length(y, first, second, groups)
    classes, code = np.unique(y, return_inverse=True)
    speakers, speaker = np.unique(groups, return_inverse=True)
    counts = np.zeros((3, len(speakers), len(classes)))
    for table, weight in zip(counts, (np.ones(len(y)), first == y, second == y), strict=True):
        np.add.at(table, (speaker, code), weight)
    clips, hits_a, hits_b = counts
    gains = hits_b - hits_a
    difference = float(_recall_difference(clips.sum(axis=0), gains.sum(axis=0)))
    if len(speakers) < _FEWEST_SPEAKERS:
        return Comparison(difference, (np.nan, np.nan), np.nan, len(speakers), len(y))
    rng = np.random.default_rng(0)
    # How often each speaker is drawn.
    draws = rng.multinomial(len(speakers), np.full(len(speakers), 1 / len(speakers)), _RESAMPLES)
    low, high = np.nanpercentile(_recall_difference(draws @ clips, draws @ gains), [2.5, 97.5])
    # Swapping the answers turns the sign of a speaker's share of the difference.
    shares = (gains / clips.sum(axis=0)).mean(axis=1)
    p_value = _share_at_least(shares, difference, rng)
    return Comparison(difference, (float(low), float(high)), p_value, len(speakers), len(y))


def _recall_difference(
    clips: NDArray[np.float64], gains: NDArray[np.float64]
) -> NDArray[np.float64]:
    # A class that no drawn speaker shows has no recall.
    recall = np.divide(gains, clips, out=np.full(gains.shape, np.nan), where=clips > 0)
    return np.asarray(np.nanmean(recall, axis=-1))


def _share_at_least(
    shares: NDArray[np.float64], difference: float, rng: np.random.Generator
) -> float:
    """Return how often the speakers' shares under random signs sum to the observed difference."""
    n_speakers = len(shares)
    enumerated = n_speakers <= _MOST_ENUMERATED
    if enumerated:
        bits = np.arange(2**n_speakers)[:, np.newaxis] >> np.arange(n_speakers)
        signs = 1 - 2 * (bits & 1)
    else:
        signs = rng.choice([-1, 1], size=(_RESAMPLES, n_speakers))
    # Equal sums must stay equal in spite of rounding.
    reached = np.abs(signs @ shares) >= abs(difference) - 1e-12
    # With random draws, the observed difference counts as one of them.
    extra = 0 if enumerated else 1
    return float((reached.sum() + extra) / (len(signs) + extra))
