"""The confusion matrix of an evaluation as a picture."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.metrics import confusion_matrix as count_confusions

from ..base import plural
from ._colors import readable_on
from ._figures import import_pyplot


class EvaluationDisplay:
    """Confusion matrix, with the share of each true label's clips in every cell.

    Make it by `Evaluation.plot`, `from_evaluation` or `from_predictions`. Shares are given as
    numbers and in shades of one hue, from light to dark, that remain distinct in grey, too.

    Parameters
    ----------
    confusion_matrix : array-like of int, shape (n_labels, n_labels)
        Number of clips by true (row) and predicted (column) label.
    labels : sequence
        The labels.
    title : str, default=None
        Title of the picture.

    Attributes
    ----------
    shares : ndarray of shape (n_labels, n_labels)
        Share of each row; NaN for a label without clips.
    im_ : matplotlib AxesImage
        The cells.
    text_ : ndarray of matplotlib Text, shape (n_labels, n_labels)
        The numbers in them.
    ax_ : matplotlib Axes
        Axes of the picture.
    figure_ : matplotlib Figure
        The picture; ``figure_.savefig("confusion.pdf")`` saves it.

    See Also
    --------
    sklearn.metrics.ConfusionMatrixDisplay : Counts of clips, in colours of choice.

    Examples
    --------
    >>> from skemotion.inspection import EvaluationDisplay
    >>> display = EvaluationDisplay.from_predictions(
    ...     ["calm", "calm", "angry"], ["calm", "angry", "angry"], title="three clips"
    ... )
    >>> [text.get_text() for text in display.text_.ravel()]
    ['100', '0', '50', '50']
    """

    def __init__(
        self, confusion_matrix: ArrayLike, *, labels: Sequence[Any], title: str | None = None
    ) -> None:
        self.confusion_matrix = np.asarray(confusion_matrix)
        self.labels = list(labels)
        self.title = title

    @classmethod
    def from_evaluation(cls, evaluation: Any, *, ax: Any = None) -> Self:
        """Draw an evaluation, titled by its protocol and figures.

        Parameters
        ----------
        evaluation : Evaluation
            From `evaluate`.
        ax : matplotlib Axes, default=None
            Where to draw; None for a figure of its own.

        Returns
        -------
        display : EvaluationDisplay
        """
        low, high = evaluation.uar_interval
        interval = "" if np.isnan(low) else f" ({low:.1%} to {high:.1%})"
        speakers = f", {plural(evaluation.n_groups, 'speaker')}" if evaluation.n_groups else ""
        title = (
            f"{evaluation.protocol}: UAR {evaluation.uar:.1%}{interval}\n"
            f"{plural(evaluation.n_clips, 'clip')}{speakers}, "
            f"{plural(evaluation.n_splits, 'split')}"
        )
        if evaluation.uses_speaker_clips:
            title += "; adapted to each tested speaker"
        return cls(evaluation.confusion_matrix, labels=evaluation.labels, title=title).plot(ax)

    @classmethod
    def from_predictions(
        cls,
        y_true: ArrayLike,
        y_pred: ArrayLike,
        *,
        labels: Sequence[Any] | None = None,
        title: str | None = None,
        ax: Any = None,
    ) -> Self:
        """Draw true against predicted labels.

        Parameters
        ----------
        y_true, y_pred : array-like of shape (n_clips,)
            Labels.
        labels : sequence, default=None
            The labels in the order to show; None for all, sorted.
        title : str, default=None
            Title of the picture.
        ax : matplotlib Axes, default=None
            Where to draw; None for a figure of its own.

        Returns
        -------
        display : EvaluationDisplay
        """
        if labels is None:
            labels = np.unique([*np.asarray(y_true), *np.asarray(y_pred)]).tolist()
        counts = count_confusions(y_true, y_pred, labels=labels)
        return cls(counts, labels=labels, title=title).plot(ax)

    @property
    def shares(self) -> NDArray[np.float64]:
        """Share of each row."""
        totals = self.confusion_matrix.sum(axis=1, keepdims=True)
        return np.divide(
            self.confusion_matrix,
            totals,
            out=np.full(self.confusion_matrix.shape, np.nan),
            where=totals > 0,
        )

    def plot(self, ax: Any = None) -> Self:
        """Draw.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; None for a figure of its own.

        Returns
        -------
        self : EvaluationDisplay

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        """
        if ax is None:
            ax = _new_axes(len(self.labels))
        shares = self.shares
        image = ax.imshow(shares, cmap="Blues", vmin=0, vmax=1)
        texts = np.empty(shares.shape, dtype=object)
        for (row, column), share in np.ndenumerate(shares):
            texts[row, column] = ax.text(
                column,
                row,
                "" if np.isnan(share) else f"{100 * share:.0f}",
                ha="center",
                va="center",
                color=readable_on(image.cmap(image.norm(share))),
            )
        bar = ax.figure.colorbar(image, ax=ax, shrink=0.8)
        bar.set_label("share of the true label's clips, %")
        bar.set_ticks([0, 0.25, 0.5, 0.75, 1], labels=["0", "25", "50", "75", "100"])
        words = [str(label) for label in self.labels]
        ax.set_xticks(range(len(words)), words, rotation=45, ha="right", rotation_mode="anchor")
        ax.set_yticks(range(len(words)), words)
        ax.set(xlabel="predicted", ylabel="true")
        if self.title:
            ax.set_title(self.title)
        self.im_, self.text_, self.ax_, self.figure_ = image, texts, ax, ax.figure
        return self


def _new_axes(n_labels: int) -> Any:
    plt = import_pyplot()
    side = max(4.5, 2.5 + 0.55 * n_labels)
    return plt.subplots(figsize=(side + 1, side), layout="constrained")[1]
