"""The emotions of a recording over time as a picture."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from ._figures import import_pyplot

# Columns of a timeline that are no probabilities.
ABOUT_WINDOWS = ("start", "end", "label", "modalities")
# Okabe and Ito's colours, distinct for the colour-blind; more classes are hatched.
_COLORS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#F0E442", "#999999")
_HATCHES = ("", "//", "..")


class TimelineDisplay:
    """Probabilities of emotions over time, stacked.

    Make it by `from_timeline` or `from_estimator`. Windows without an answer stay empty. The
    colours are Okabe and Ito's [1]_, which are distinct with every kind of colour vision; from
    the ninth class on they are hatched.

    Parameters
    ----------
    times : array-like of float, shape (n_windows,)
        Middles of the windows, in seconds.
    probabilities : array-like of shape (n_windows, n_classes)
        NaN for windows without an answer.
    labels : sequence
        The classes.
    title : str, default=None
        Title of the picture.

    Attributes
    ----------
    areas_ : list of matplotlib PolyCollection
        One for each class.
    legend_ : matplotlib Legend
        Which is which.
    ax_ : matplotlib Axes
        Axes of the picture.
    figure_ : matplotlib Figure
        The picture; ``figure_.savefig("timeline.png")`` saves it.

    See Also
    --------
    skemotion.model_selection.predict_timeline : Gives the timeline.

    References
    ----------
    .. [1] M. Okabe and K. Ito, "Color universal design", 2008,
       https://jfly.uni-koeln.de/color/.

    Examples
    --------
    >>> import pandas as pd
    >>> from skemotion.inspection import TimelineDisplay
    >>> timeline = pd.DataFrame(
    ...     {"start": [0, 1], "end": [3, 4], "label": ["calm", "calm"],
    ...      "modalities": ["audio", "audio"], "angry": [0.2, 0.4], "calm": [0.8, 0.6]}
    ... )
    >>> display = TimelineDisplay.from_timeline(timeline, title="two windows")
    >>> [text.get_text() for text in display.legend_.get_texts()]
    ['calm', 'angry']
    """  # fmt: skip

    def __init__(
        self,
        times: ArrayLike,
        probabilities: ArrayLike,
        *,
        labels: Sequence[Any],
        title: str | None = None,
    ) -> None:
        self.times = np.asarray(times, dtype=float)
        self.probabilities = np.asarray(probabilities, dtype=float)
        self.labels = list(labels)
        self.title = title

    @classmethod
    def from_timeline(
        cls, timeline: pd.DataFrame, *, title: str | None = None, ax: Any = None
    ) -> Self:
        """Draw a timeline.

        Parameters
        ----------
        timeline : DataFrame
            From `predict_timeline`.
        title : str, default=None
            Title of the picture.
        ax : matplotlib Axes, default=None
            Where to draw; None for a figure of its own.

        Returns
        -------
        display : TimelineDisplay
        """
        shares = timeline.drop(columns=list(ABOUT_WINDOWS))
        times = (timeline["start"] + timeline["end"]) / 2
        return cls(times, shares, labels=list(shares.columns), title=title).plot(ax)

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        clip: Any,
        *,
        title: str | None = None,
        ax: Any = None,
        **settings: Any,
    ) -> Self:
        """Draw what a model says of a recording.

        Parameters
        ----------
        estimator : estimator
            Fitted.
        clip : path or address
            The recording.
        title : str, default=None
            Title of the picture.
        ax : matplotlib Axes, default=None
            Where to draw; None for a figure of its own.
        **settings : dict
            Of `predict_timeline`.

        Returns
        -------
        display : TimelineDisplay
        """
        from ..model_selection import predict_timeline

        timeline = predict_timeline(estimator, clip, **settings)
        return cls.from_timeline(timeline, title=title, ax=ax)

    def plot(self, ax: Any = None) -> Self:
        """Draw.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; None for a figure of its own.

        Returns
        -------
        self : TimelineDisplay

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        """
        if ax is None:
            ax = _new_axes()
        times, shares = self.times, self.probabilities
        if len(times) == 1:  # which has no width
            times, shares = times + np.array([-0.5, 0.5]), np.repeat(shares, 2, axis=0)
        # What lies between two windows that have an answer is filled, and nothing else.
        areas = ax.stackplot(
            times,
            shares.T,
            colors=[_COLORS[i % len(_COLORS)] for i in range(len(self.labels))],
        )
        for number, area in enumerate(areas):
            area.set_hatch(_HATCHES[number // len(_COLORS) % len(_HATCHES)])
            area.set_edgecolor("white")
            area.set_linewidth(0.5)
        legend = ax.legend(
            areas[::-1],  # from top to bottom as they lie
            [str(label) for label in self.labels][::-1],
            loc="center left",
            bbox_to_anchor=(1.0, 0.5),
            frameon=False,
        )
        ax.set(xlabel="time, s", ylabel="probability", ylim=(0, 1), xlim=(times[0], times[-1]))
        if self.title:
            ax.set_title(self.title)
        self.areas_, self.legend_, self.ax_, self.figure_ = areas, legend, ax, ax.figure
        return self


def _new_axes() -> Any:
    plt = import_pyplot()
    return plt.subplots(figsize=(10, 3.5), layout="constrained")[1]
