"""The factors of a Tucker decomposition as a picture."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from ..decomposition import PartialTucker
from ._figures import new_figure

# Components of an axis that are drawn; they are in the order of what they explain.
_MOST_COMPONENTS = 8


class TuckerDisplay:
    """Factors of a `PartialTucker`, a panel for each axis of the clips.

    A factor's components are curves along its axis, one below the other: what the decomposition
    keeps of the axis is sums of these. Of many components, the first eight are drawn.

    Make it by `from_estimator`.

    Parameters
    ----------
    factors : sequence of ndarray of shape (length, rank), or None
        One for each axis; None for an axis that is left alone.
    axis_names : sequence of str, default=None
        Names of the axes; None for "axis 1" and so on.
    title : str, default=None
        Title of the picture.

    Attributes
    ----------
    lines_ : list of list of matplotlib Line2D
        The components that are drawn, for each factor that there is.
    axes_ : list of matplotlib Axes
        One for each of these factors.
    ax_ : matplotlib Axes
        The first.
    figure_ : matplotlib Figure
        The picture; ``figure_.savefig("factors.png")`` saves it.

    See Also
    --------
    skemotion.decomposition.PartialTucker : Learns the factors.

    Examples
    --------
    >>> import numpy as np
    >>> from skemotion.decomposition import PartialTucker
    >>> from skemotion.inspection import TuckerDisplay
    >>> clips = np.random.default_rng(0).normal(size=(6, 10, 8, 3))
    >>> display = TuckerDisplay.from_estimator(
    ...     PartialTucker((4, 2, None)).fit(clips), axis_names=["time", "rows", "bins"]
    ... )
    >>> [ax.get_title() for ax in display.axes_]
    ['time: 4 of 10', 'rows: 2 of 8']
    """

    def __init__(
        self,
        factors: Sequence[NDArray[Any] | None],
        *,
        axis_names: Sequence[str] | None = None,
        title: str | None = None,
    ) -> None:
        self.factors = list(factors)
        self.axis_names = axis_names
        self.title = title

    @classmethod
    def from_estimator(
        cls,
        estimator: PartialTucker,
        *,
        axis_names: Sequence[str] | None = None,
        title: str | None = None,
    ) -> Self:
        """Draw the factors of a fitted decomposition.

        Parameters
        ----------
        estimator : PartialTucker
            Fitted.
        axis_names : sequence of str, default=None
            Names of the clips' axes, such as ``["time", "rows", "columns", "bins", "angles"]``.
        title : str, default=None
            Title of the picture.

        Returns
        -------
        display : TuckerDisplay
        """
        return cls(estimator.factors_, axis_names=axis_names, title=title).plot()

    def plot(self, *, figure: Any = None) -> Self:
        """Draw.

        Parameters
        ----------
        figure : matplotlib Figure, default=None
            Where to draw; None for a figure of its own.

        Returns
        -------
        self : TuckerDisplay

        Raises
        ------
        ValueError
            If no axis has a factor, or the names are not one for each axis.
        ImportError
            If matplotlib is not installed.
        """
        names = self.axis_names or [f"axis {i + 1}" for i in range(len(self.factors))]
        if len(names) != len(self.factors):
            raise ValueError(
                f"Expected {len(self.factors)} axis_names, one for each axis, got {len(names)}."
            )
        drawn = [
            (name, factor)
            for name, factor in zip(names, self.factors, strict=True)
            if factor is not None
        ]
        if not drawn:
            raise ValueError("Expected a factor, found none: all axes are left alone.")
        if figure is None:
            figure = new_figure((3.4 * len(drawn), 4.2))
        self.axes_ = list(np.ravel(figure.subplots(1, len(drawn))))
        self.lines_ = [
            _draw(ax, name, factor) for ax, (name, factor) in zip(self.axes_, drawn, strict=True)
        ]
        if self.title:
            figure.suptitle(self.title)
        self.ax_ = self.axes_[0]
        self.figure_ = self.ax_.get_figure(root=True)
        return self


def _draw(ax: Any, name: str, factor: NDArray[Any]) -> list[Any]:
    length, rank = factor.shape
    n_drawn = min(rank, _MOST_COMPONENTS)
    step = 2.2 * np.abs(factor[:, :n_drawn]).max()
    lines = []
    for component in range(n_drawn):
        ax.axhline(-step * component, color="#999999", linewidth=0.6)
        style = {"color": "#0072B2", "linewidth": 1.3, "marker": "." if length <= 20 else ""}
        lines += ax.plot(np.arange(length), factor[:, component] - step * component, **style)
    ax.set_yticks(-step * np.arange(n_drawn), [str(i + 1) for i in range(n_drawn)])
    ax.xaxis.get_major_locator().set_params(integer=True)
    ax.set(xlabel=name, ylabel="component", title=f"{name}: {rank} of {length}")
    ax.spines[["top", "right"]].set_visible(False)
    return lines
