"""Comparing two models on the same clips."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.validation import check_consistent_length

if TYPE_CHECKING:
    from ._evaluation import Evaluation

_RESAMPLES = 10_000
# Up to here, every way of swapping the models' answers is gone through: 2 to the 13th.
_MOST_ENUMERATED = 13
_FEWEST_SPEAKERS = 3


@dataclass(frozen=True)
class Comparison:
    """By how much one model is better than another, on the same clips.

    Attributes
    ----------
    difference : float
        Unweighted average recall of the second model, less that of the first.
    interval : tuple of float
        95 % interval, by resampling speakers; NaN for fewer than three.
    p_value : float
        How often a difference as large, in either direction, comes about where the two models'
        answers are swapped for speakers drawn at random; NaN for fewer than three speakers.
    n_speakers : int
        Number of speakers.
    n_clips : int
        Number of clips that both models were tested on.

    See Also
    --------
    compare : Makes these.
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
        if np.isnan(low):
            return f"{found} (no interval: {self.n_speakers} speakers), {self.n_clips} clips"
        return (
            f"{found} (95 % interval over speakers {100 * low:+.1f} to {100 * high:+.1f}), "
            f"p = {self.p_value:.2g}, {self.n_speakers} speakers, {self.n_clips} clips"
        )


def compare(a: Evaluation, b: Evaluation) -> Comparison:
    """Compare two models that were tested on the same clips.

    Parameters
    ----------
    a, b : Evaluation
        Of the two models, under the same protocol.

    Returns
    -------
    comparison : Comparison
        Positive where `b` is better.

    Raises
    ------
    ValueError
        If the two were not tested on the same clips, in the same order.

    See Also
    --------
    Evaluation.from_frame : An evaluation from a file of predictions.
    """
    for what in ("target", "groups", "rows"):
        if not np.array_equal(_texts(getattr(a, what, None)), _texts(getattr(b, what, None))):
            raise ValueError(
                f"The evaluations differ in {what!r}: only models that were tested on the same "
                "clips, in the same order, can be compared. Evaluate both with the same data, "
                "protocol and random_state."
            )
    # One may come from a file, where labels are texts.
    return paired_difference(*map(_texts, (a.target, a.prediction, b.prediction, a.groups)))


def paired_difference(y: Any, prediction_a: Any, prediction_b: Any, groups: Any) -> Comparison:
    """Compare two models' predictions on the same clips, speaker by speaker.

    Clips of one speaker are alike, so that speakers are what is drawn: with repetition for the
    interval [1]_, and for swapping the two models' answers for the p-value [2]_, which needs no
    assumption but that under the null hypothesis it does not matter which model is which.

    Parameters
    ----------
    y : array-like of shape (n_clips,)
        True classes.
    prediction_a, prediction_b : array-like of shape (n_clips,)
        What the first and the second model say.
    groups : array-like of shape (n_clips,)
        Speakers.

    Returns
    -------
    comparison : Comparison
        Positive where the second model is better.

    Notes
    -----
    Up to 13 speakers, all ways of swapping are gone through; beyond, 10,000 at random. Of n
    speakers, no p-value is below ``2 ** (1 - n)``: five speakers never give one below 0.05. A
    figure that was chosen as the best of many flatters itself here as well.

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


def _texts(column: Any) -> NDArray[np.str_]:
    return np.array([str(cell) for cell in np.asarray(column).ravel().tolist()])


def _recall_difference(
    clips: NDArray[np.float64], gains: NDArray[np.float64]
) -> NDArray[np.float64]:
    # A class that no drawn speaker shows has no recall.
    recall = np.divide(gains, clips, out=np.full(gains.shape, np.nan), where=clips > 0)
    return np.asarray(np.nanmean(recall, axis=-1))


def _share_at_least(
    shares: NDArray[np.float64], difference: float, rng: np.random.Generator
) -> float:
    """Say how often speakers' shares under random signs add up to as much as was found."""
    n_speakers = len(shares)
    enumerated = n_speakers <= _MOST_ENUMERATED
    if enumerated:
        bits = np.arange(2**n_speakers)[:, np.newaxis] >> np.arange(n_speakers)
        signs = 1 - 2 * (bits & 1)
    else:
        signs = rng.choice([-1, 1], size=(_RESAMPLES, n_speakers))
    # Rounding must not part what is equal.
    reached = np.abs(signs @ shares) >= abs(difference) - 1e-12
    # Drawn at random, what was found counts as one of the draws.
    extra = 0 if enumerated else 1
    return float((reached.sum() + extra) / (len(signs) + extra))
