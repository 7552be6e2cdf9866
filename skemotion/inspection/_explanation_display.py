"""An explanation as a picture."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
import pandas as pd

from ._explained_face import draw_face
from ._explained_map import draw_cells, draw_curves
from ._explanation import Explanation
from ._explanation_files import signed
from ._figures import new_figure
from ._shades import AGAINST, FOR, HATCH

# Bars of this many parts, the largest.
_MOST_BARS = 14


class ExplanationDisplay:
    """What made a model's answer: bars of parts, and where they are in the picture.

    Make it by `from_estimator` or `from_explanation`. What speaks for the target is blue, what
    speaks against it orange and hatched, or outlined with dashes.

    Parameters
    ----------
    explanation : Explanation
        From `explain`.
    title : str, default=None
        Title of the picture; None for the answer and its probability.

    Attributes
    ----------
    bars_ : matplotlib BarContainer
        One for each part.
    ax_ : matplotlib Axes
        Axes of the bars.
    axes_ : dict of str to list of matplotlib Axes
        Axes of the pictures and maps, by modality; empty if `plot` was given axes.
    figure_ : matplotlib Figure
        The picture; ``figure_.savefig("explanation.png")`` saves it.

    See Also
    --------
    explain : Gives the explanation.

    Examples
    --------
    >>> import pandas as pd
    >>> from skemotion.inspection import Explanation, ExplanationDisplay
    >>> details = pd.DataFrame(
    ...     {"modality": ["audio", "video"], "part": ["pitch", "mouth"],
    ...      "measure": ["pitch", "mouth width"], "effect": [0.7, -0.2]}
    ... )
    >>> explanation = Explanation(
    ...     clip="a.mp4", target="happy", label="happy", details=details, score=0.5,
    ...     average_score=0.0,
    ... )
    >>> display = ExplanationDisplay.from_explanation(explanation)
    >>> [text.get_text() for text in display.ax_.get_yticklabels()]
    ['audio: pitch', 'video: mouth']
    """  # fmt: skip

    def __init__(self, explanation: Explanation, *, title: str | None = None) -> None:
        self.explanation = explanation
        self.title = title

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
        """Explain a model's answer, and draw the explanation.

        Parameters
        ----------
        estimator : estimator
            Fitted.
        clip : path, clip in memory, or table of one row
            As ``estimator.predict`` takes it.
        title : str, default=None
            Title of the picture.
        ax : matplotlib Axes, default=None
            Where to draw the bars alone; None for a figure with all.
        **settings : dict
            Of `explain`.

        Returns
        -------
        display : ExplanationDisplay
        """
        from ._explain import explain

        explanation = explain(estimator, clip, **settings)
        return cls.from_explanation(explanation, title=title, ax=ax)

    @classmethod
    def from_explanation(
        cls, explanation: Explanation, *, title: str | None = None, ax: Any = None
    ) -> Self:
        """Draw an explanation.

        Parameters
        ----------
        explanation : Explanation
            From `explain`.
        title : str, default=None
            Title of the picture.
        ax : matplotlib Axes, default=None
            Where to draw the bars alone; None for a figure with all.

        Returns
        -------
        display : ExplanationDisplay
        """
        return cls(explanation, title=title).plot(ax)

    def plot(self, ax: Any = None, *, figure: Any = None) -> Self:
        """Draw.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw the bars alone.
        figure : matplotlib Figure, default=None
            Where to draw all, if there is no `ax`; such as a ``matplotlib.figure.Figure()``, which
            needs no pyplot. None for a figure of its own.

        Returns
        -------
        self : ExplanationDisplay

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        """
        explanation = self.explanation
        self.axes_: dict[str, list[Any]] = {}
        if ax is None:
            figure = figure or new_figure(figure_size(explanation))
            ax = self._plot_all(figure)
        table = explanation.parts.head(_MOST_BARS)
        names = [f"{row.modality}: {row.part}" for row in table.itertuples()]
        effects = table["effect"].to_numpy()
        self.bars_ = ax.barh(
            names,
            effects,
            color=[FOR if effect >= 0 else AGAINST for effect in effects],
            edgecolor="white",
        )
        for bar, effect in zip(self.bars_, effects, strict=True):
            bar.set_hatch("" if effect >= 0 else HATCH)
            ax.annotate(
                signed(effect),
                (max(effect, 0), bar.get_y() + bar.get_height() / 2),
                xytext=(3, 0),
                textcoords="offset points",
                va="center",
                fontsize="small",
            )
        ax.invert_yaxis()
        ax.axvline(0, color="black", linewidth=0.8)
        ax.margins(x=0.15)
        ax.spines[["top", "right"]].set_visible(False)
        ax.set_xlabel(f"against  ←  effect, {explanation.unit}  →  for {explanation.target}")
        if figure is None:
            ax.set_title(self.title or explanation.headline)
        self.ax_, self.figure_ = ax, ax.get_figure(root=True)
        return self

    def _plot_all(self, figure: Any) -> Any:
        """Draw what has places, each modality in a row, and return the axes for the bars."""
        explanation = self.explanation
        rows = _with_places(explanation)
        figure.suptitle(self.title or f"{explanation.name}\n{explanation.headline}")
        if not rows:
            return figure.add_subplot()
        left, right = figure.subfigures(1, 2, width_ratios=[1, 1.25])
        for part, name in zip(np.ravel(right.subfigures(len(rows), 1)), rows, strict=True):
            frames, effects = explanation.frames.get(name, []), explanation.maps.get(name)
            if isinstance(effects, pd.DataFrame):
                self.axes_[name] = draw_curves(part, effects)
            elif effects is not None:
                self.axes_[name] = draw_cells(part, effects, frames)
            else:
                parts = explanation.parts
                own = parts[parts["modality"] == name].set_index("part")["effect"]
                self.axes_[name] = draw_face(part, frames[0], own)
        return left.add_subplot()


def figure_size(explanation: Explanation) -> tuple[float, float]:
    """Return the width and height that an explanation takes, in inches.

    Parameters
    ----------
    explanation : Explanation

    Returns
    -------
    size : tuple of (float, float)
    """
    n_rows = len(_with_places(explanation))
    return (11, max(4.5, 4.2 * n_rows)) if n_rows else (6, 4.5)


def _with_places(explanation: Explanation) -> list[str]:
    """List the modalities whose effects have places."""
    placed = {*explanation.maps, *explanation.frames}
    return [name for name in explanation.modalities.index if name in placed]
