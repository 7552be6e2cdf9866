"""The result of testing a model under one protocol."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..pipeline import ClipError
from ._calibration import expected_calibration_error
from ._figures import FEWEST_SPEAKERS, FIGURES, accuracy, count, macro_f1, resample, uar
from ._json import lay_out_json
from ._leaks import Leak
from ._text import lay_out, notes_on

if TYPE_CHECKING:
    from ..inspection import EvaluationDisplay


# Arrays have no single answer to whether they are equal.
@dataclass(frozen=True, eq=False)
class Evaluation:
    """Predictions on test clips, and figures computed from them.

    Attributes
    ----------
    protocol : str
        Whether test speakers were in training: ``"speaker-independent"``,
        ``"speaker-dependent"``, ``"speakers partly shared"`` or ``"speakers unknown"``.
    target : ndarray of shape (n_predictions,)
        True labels.
    prediction : ndarray of shape (n_predictions,)
        Predicted labels.
    groups : ndarray of shape (n_predictions,), or None
        Speakers, if known.
    labels : list
        All labels, in the order of the confusion matrix and of `probabilities`.
    n_clips : int
        Clips that could be used.
    n_splits : int
        Splits that the predictions are pooled over.
    leaks : tuple of Leak
        Findings of `audit_split` in the splits, the first of each kind; empty without metadata.
    rows : ndarray of int, shape (n_predictions,), or None
        Row of X of each prediction.
    folds : ndarray of int, shape (n_predictions,), or None
        Split of each prediction, from 0.
    probabilities : ndarray of shape (n_predictions, n_labels), or None
        From `predict_proba`, if the model has it; 0 for a label that no training clip had.
    clips : ndarray of str, shape (n_predictions,), or None
        The names of the clips, where X or the metadata has them.
    scores : dict of str to ndarray of shape (n_splits,)
        The figures of `scoring`, for each split.
    unusable : tuple of ClipError
        Clips that were left out.
    uses_speaker_clips : bool
        Whether the model adapts to a test speaker by other, unlabelled clips of that speaker.
    splitter : str
        How the clips were split.
    not_audited : dict of str to str, or None
        What `audit_split` could not look for, and why; None if it was not asked.
    seconds : DataFrame of shape (n_splits, 2), or None
        Time that ``fit`` and ``predict`` took in each split, by the clock. Clips that no cache had
        were opened in the first split.

    See Also
    --------
    evaluate : Returns these.

    Examples
    --------
    >>> import numpy as np
    >>> from skemotion.model_selection import Evaluation
    >>> truth, guess = np.array(["sad", "sad", "happy"]), np.array(["sad", "happy", "happy"])
    >>> labels = ["happy", "sad"]
    >>> result = Evaluation("speaker-independent", truth, guess, np.arange(3), labels, 3, 3)
    >>> round(result.accuracy, 2), round(result.uar, 2), round(result.macro_f1, 2)
    (0.67, 0.75, 0.67)
    """

    protocol: str
    target: NDArray[Any]
    prediction: NDArray[Any]
    groups: NDArray[Any] | None
    labels: list[Any]
    n_clips: int
    n_splits: int
    leaks: tuple[Leak, ...] = ()
    rows: NDArray[np.intp] | None = None
    folds: NDArray[np.intp] | None = None
    probabilities: NDArray[np.float64] | None = None
    clips: NDArray[Any] | None = None
    scores: dict[str, NDArray[np.float64]] = field(default_factory=dict)
    unusable: tuple[ClipError, ...] = ()
    uses_speaker_clips: bool = False
    splitter: str = ""
    not_audited: dict[str, str] | None = None
    seconds: pd.DataFrame | None = None

    @property
    def uar(self) -> float:
        """Unweighted average recall (UAR), also called balanced accuracy."""
        return float(uar(self.confusion_matrix))

    @property
    def accuracy(self) -> float:
        """Share of test clips recognised (weighted accuracy)."""
        return float(accuracy(self.confusion_matrix))

    @property
    def macro_f1(self) -> float:
        """F1, averaged over the labels."""
        return float(macro_f1(self.confusion_matrix))

    @property
    def uar_interval(self) -> tuple[float, float]:
        """95 % interval of `uar`, by resampling speakers; NaN for fewer than three."""
        return self._interval("uar")

    @property
    def accuracy_interval(self) -> tuple[float, float]:
        """95 % interval of `accuracy`, by resampling speakers; NaN for fewer than three."""
        return self._interval("accuracy")

    @property
    def macro_f1_interval(self) -> tuple[float, float]:
        """95 % interval of `macro_f1`, by resampling speakers; NaN for fewer than three."""
        return self._interval("macro_f1")

    @property
    def calibration_error(self) -> float:
        """`expected_calibration_error`; NaN without probabilities that sum to 1."""
        shares = self.probabilities
        if shares is None or not np.allclose(shares.sum(axis=1), 1, atol=1e-4):
            return np.nan
        return expected_calibration_error(self.target, shares, self.labels)

    @property
    def notes(self) -> tuple[str, ...]:
        """What has to be known about the protocol to understand the figures."""
        return notes_on(self)

    @property
    def n_groups(self) -> int:
        """Number of test speakers; 0 if unknown."""
        return 0 if self.groups is None else len(np.unique(self.groups))

    @property
    def confusion_matrix(self) -> NDArray[np.intp]:
        """Number of clips per true (row) and predicted (column) label."""
        return np.asarray(self._by_speaker.sum(axis=0))

    @property
    def per_fold(self) -> pd.DataFrame:
        """The figures of each split, `scores` included."""
        if self.folds is None:
            raise ValueError("This evaluation does not say which split each prediction is of.")
        table = self._table(self.folds)
        return table.assign(**{name: self.scores[name] for name in self.scores})

    @property
    def per_speaker(self) -> pd.DataFrame:
        """The figures of each speaker, over all splits."""
        if self.groups is None:
            raise ValueError("The speakers are not known: pass groups to evaluate.")
        return self._table(self.groups)

    @classmethod
    def from_frame(cls, table: pd.DataFrame, protocol: str) -> Self:
        """Make an evaluation of its predictions, such as were saved as CSV.

        Parameters
        ----------
        table : DataFrame
            As `to_frame` gives it; texts will do for numbers. Labels of a file are compared as
            texts: read it by ``pandas.read_csv(path, dtype=str, keep_default_na=False)``.
        protocol : str
            The protocol, which the table does not say.

        Returns
        -------
        evaluation : Evaluation
            Without leaks, scores and clips that were left out.

        Raises
        ------
        ValueError
            If a column of `to_frame` is missing.
        """
        missing = [name for name in ("target", "prediction") if name not in table]
        if missing:
            raise ValueError(
                f"Expected the predictions of an evaluation, found no column {missing[0]!r}. "
                f"There are: {', '.join(map(str, table.columns))}."
            )
        known = {name: table[name].to_numpy() for name in ("row", "fold") if name in table}
        rows, folds = (
            known[name].astype(np.intp) if name in known else None for name in ("row", "fold")
        )
        target, prediction = table["target"].to_numpy(), table["prediction"].to_numpy()
        labels = np.unique(np.concatenate([target, prediction])).tolist()
        shares = [f"probability_{label}" for label in labels]
        has_all = set(shares) <= set(table) and len(shares) > 0
        return cls(
            protocol=protocol,
            target=target,
            prediction=prediction,
            groups=table["speaker"].to_numpy() if "speaker" in table else None,
            labels=labels,
            n_clips=len(table) if rows is None else len(np.unique(rows)),
            n_splits=1 if folds is None else len(np.unique(folds)),
            rows=rows,
            folds=folds,
            probabilities=table[shares].to_numpy(dtype=np.float64) if has_all else None,
            clips=table["clip"].to_numpy() if "clip" in table else None,
        )

    def to_frame(self) -> pd.DataFrame:
        """Return a row for each prediction.

        Returns
        -------
        table : DataFrame of shape (n_predictions, n_columns)
            Columns ``row`` (of X), ``clip``, ``fold`` and ``speaker``, as far as known;
            ``target``; ``prediction``; and ``probability_LABEL`` for each label, if the model
            has probabilities.
        """
        known = {
            "row": self.rows, "clip": self.clips, "fold": self.folds, "speaker": self.groups,
            "target": self.target, "prediction": self.prediction,
        }  # fmt: skip
        table = pd.DataFrame({name: column for name, column in known.items() if column is not None})
        if self.probabilities is not None:
            for label, column in zip(self.labels, self.probabilities.T, strict=True):
                table[f"probability_{label}"] = column
        return table

    def to_json(self) -> str:
        """Return all figures, with protocol and versions, as JSON.

        Returns
        -------
        text : str
            An object with the attributes by name; NaN is null.
        """
        return lay_out_json(self)

    def plot(self, ax: Any = None) -> EvaluationDisplay:
        """Draw the confusion matrix.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to draw on; None creates a figure.

        Returns
        -------
        display : EvaluationDisplay

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        """
        from ..inspection import EvaluationDisplay

        return EvaluationDisplay.from_evaluation(self, ax=ax)

    def __str__(self) -> str:
        """Lay out the figures and the confusion matrix as text."""
        return lay_out(self)

    def _repr_html_(self) -> str:
        """Lay out the figures and the confusion matrix for notebooks."""
        from ..inspection import evaluation_html

        return evaluation_html(self)

    def _codes(self, words: NDArray[Any]) -> NDArray[np.intp]:
        positions = {label: i for i, label in enumerate(self.labels)}
        try:
            return np.array([positions[word] for word in words.tolist()], dtype=np.intp)
        except KeyError as error:
            raise ValueError(f"{error.args[0]!r} is not one of the labels {self.labels}.") from None

    def _count(self, part: NDArray[Any]) -> NDArray[np.intp]:
        return count(self._codes(self.target), self._codes(self.prediction), part, len(self.labels))

    def _table(self, part: NDArray[Any]) -> pd.DataFrame:
        names, position = np.unique(part, return_inverse=True)
        counts = self._count(position)
        return pd.DataFrame(
            {
                "n_clips": counts.sum(axis=(1, 2)),
                **{name: figure(counts) for name, figure in FIGURES.items()},
            },
            index=names,
        )

    @cached_property
    def _by_speaker(self) -> NDArray[np.intp]:
        """One confusion matrix per speaker, shape (n_speakers, n_labels, n_labels)."""
        known = np.zeros(len(self.target)) if self.groups is None else self.groups
        return self._count(np.unique(known, return_inverse=True)[1])

    @cached_property
    def _resampled(self) -> NDArray[np.float64]:
        return resample(self._by_speaker)

    def _interval(self, name: str) -> tuple[float, float]:
        if self.n_groups < FEWEST_SPEAKERS:
            return (np.nan, np.nan)
        low, high = np.nanpercentile(FIGURES[name](self._resampled), [2.5, 97.5])
        return float(low), float(high)
