"""What came of testing a model under one protocol."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ._leaks import Leak

_RESAMPLES = 2000
# Of one actor or two there are hardly any other draws.
_FEWEST_GROUPS = 3


# Arrays have no single answer to whether they are equal.
@dataclass(frozen=True, eq=False)
class Evaluation:
    """Predictions on test clips, and the figures they give.

    Attributes
    ----------
    protocol : str
        Such as ``"speaker-independent"``.
    target : ndarray of str, shape (n_predictions,)
        True emotions.
    prediction : ndarray of str, shape (n_predictions,)
        Predicted emotions.
    groups : ndarray of shape (n_predictions,)
        Actors.
    labels : list of str
        Emotions, in the order of the confusion matrix.
    n_clips : int
        Clips of the corpus.
    n_splits : int
        Splits that the predictions are pooled over.
    leaks : tuple of Leak
        What `audit_split` found in the splits, the first of each kind; empty where the corpus'
        identifiers were not given.

    See Also
    --------
    evaluate : Makes these.

    Examples
    --------
    >>> import numpy as np
    >>> from skemotion.model_selection import Evaluation
    >>> truth, guess = np.array(["sad", "sad", "happy"]), np.array(["sad", "happy", "happy"])
    >>> result = Evaluation("speaker-independent", truth, guess, np.arange(3), ["happy", "sad"], 3, 3)
    >>> round(result.accuracy, 2), round(result.uar, 2)
    (0.67, 0.75)
    """

    protocol: str
    target: NDArray[Any]
    prediction: NDArray[Any]
    groups: NDArray[Any]
    labels: list[str]
    n_clips: int
    n_splits: int
    leaks: tuple[Leak, ...] = ()

    @property
    def accuracy(self) -> float:
        """Share of test clips that were recognised."""
        return float(_accuracy(self.confusion_matrix))

    @property
    def uar(self) -> float:
        """Recall, averaged over the emotions (unweighted average recall, balanced accuracy)."""
        return float(_uar(self.confusion_matrix))

    @property
    def accuracy_interval(self) -> tuple[float, float]:
        """95 % interval of the accuracy, by resampling actors; NaN for fewer than three."""
        return self._interval(_accuracy(self._resampled))

    @property
    def uar_interval(self) -> tuple[float, float]:
        """95 % interval of the mean recall, by resampling actors; NaN for fewer than three."""
        return self._interval(_uar(self._resampled))

    @property
    def n_groups(self) -> int:
        """Number of actors."""
        return len(self._by_group)

    @property
    def confusion_matrix(self) -> NDArray[np.intp]:
        """Number of clips per true (row) and predicted (column) emotion."""
        return self._by_group.sum(axis=0)

    @cached_property
    def _by_group(self) -> NDArray[np.intp]:
        """One confusion matrix per actor, shape (n_groups, n_labels, n_labels)."""
        actors, actor = np.unique(self.groups, return_inverse=True)
        row, column = (
            np.array([self.labels.index(word) for word in words])
            for words in (self.target, self.prediction)
        )
        counts = np.zeros((len(actors), len(self.labels), len(self.labels)), dtype=np.intp)
        np.add.at(counts, (actor, row, column), 1)
        return counts

    @cached_property
    def _resampled(self) -> NDArray[np.intp]:
        """Confusion matrices of corpora whose actors are drawn from ours, with repetition.

        Clips of one actor are alike, so that resampling clips would promise too much.
        """
        rng = np.random.default_rng(0)
        draws = rng.integers(self.n_groups, size=(_RESAMPLES, self.n_groups))
        return self._by_group[draws].sum(axis=1)

    def _interval(self, values: NDArray[np.float64]) -> tuple[float, float]:
        if self.n_groups < _FEWEST_GROUPS:
            return (np.nan, np.nan)
        low, high = np.nanpercentile(values, [2.5, 97.5])
        return float(low), float(high)

    def __str__(self) -> str:
        """Lay out the figures and the confusion matrix as text."""
        return "\n".join(
            [
                f"{self.protocol}: {self.n_clips} clips, {self.n_groups} actors, "
                f"{self.n_splits} splits, {len(self.target)} predictions",
                f"  accuracy     {_percent(self.accuracy, self.accuracy_interval)}",
                f"  mean recall  {_percent(self.uar, self.uar_interval)}",
                "",
                *_table(self.confusion_matrix, self.labels),
                *([""] if self.leaks else []),
                *(f"  {'note' if leak.is_note else 'LEAK'}: {leak.message}" for leak in self.leaks),
            ]
        )


def _accuracy(confusion: NDArray[np.intp]) -> NDArray[np.float64]:
    hits = np.trace(confusion, axis1=-2, axis2=-1)
    return np.asarray(hits / confusion.sum(axis=(-2, -1)))


def _uar(confusion: NDArray[np.intp]) -> NDArray[np.float64]:
    hits = np.diagonal(confusion, axis1=-2, axis2=-1)
    totals = confusion.sum(axis=-1)
    # An emotion that no drawn actor shows has no recall.
    recall = np.divide(hits, totals, out=np.full(hits.shape, np.nan), where=totals > 0)
    return np.asarray(np.nanmean(recall, axis=-1))


def _percent(value: float, interval: tuple[float, float]) -> str:
    if np.isnan(interval[0]):
        return f"{value:6.1%}  (no interval: too few actors)"
    return f"{value:6.1%}  (95 % interval over actors {interval[0]:.1%} to {interval[1]:.1%})"


def _table(confusion: NDArray[np.intp], labels: list[str]) -> list[str]:
    name = max(map(len, labels))
    width = max(name, len(str(confusion.max()))) + 2
    return [
        f"  {'true':{name}} | " + "".join(f"{label:>{width}}" for label in labels) + "   predicted",
        f"  {'-' * name}-+-" + "-" * (width * len(labels)),
        *(
            f"  {label:{name}} | " + "".join(f"{count:{width}d}" for count in row)
            for label, row in zip(labels, confusion, strict=True)
        ),
    ]
