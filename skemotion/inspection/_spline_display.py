"""Curves and the splines that are fitted to them, as a picture."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike

from ..base import plural
from ..decomposition import BSplineProjector, bspline_evaluate, bspline_project
from ._figures import new_figure

# Points at which a spline is drawn.
_POINTS = 300


class SplineDisplay:
    """Curves of a clip, and what a `BSplineProjector` keeps of them.

    Make it by `from_estimator`.

    Parameters
    ----------
    curves : array-like of shape (n_points, n_features)
        The curves.
    splines : array-like of shape (n_spline_points, n_features)
        The splines, over the same time.
    names : sequence of str, default=None
        Names of the features.
    title : str, default=None
        Title of the picture.

    Attributes
    ----------
    errors_ : ndarray of shape (n_features,)
        Root mean square of the difference between curve and spline, over the curve's standard
        deviation; 0 for a constant curve.
    lines_ : list of matplotlib Line2D
        The splines.
    axes_ : list of matplotlib Axes
        One for each feature.
    ax_ : matplotlib Axes
        The first.
    figure_ : matplotlib Figure
        The picture; ``figure_.savefig("splines.png")`` saves it.

    See Also
    --------
    skemotion.decomposition.BSplineProjector : Fits the splines.

    Examples
    --------
    >>> import numpy as np
    >>> from skemotion.decomposition import BSplineProjector
    >>> from skemotion.inspection import SplineDisplay
    >>> time = np.linspace(0, 1, 80)[:, np.newaxis]
    >>> curves = np.hstack([time**2, np.sin(120 * time)])
    >>> display = SplineDisplay.from_estimator(BSplineProjector(), curves, names=["slow", "fast"])
    >>> display.errors_.round(2)
    array([0., 1.])
    """

    def __init__(
        self,
        curves: ArrayLike,
        splines: ArrayLike,
        *,
        names: Sequence[str] | None = None,
        title: str | None = None,
    ) -> None:
        self.curves = np.asarray(curves, dtype=float)
        self.splines = np.asarray(splines, dtype=float)
        self.names = names
        self.title = title

    @classmethod
    def from_estimator(
        cls,
        estimator: BSplineProjector,
        curves: ArrayLike,
        *,
        names: Sequence[str] | None = None,
        title: str | None = None,
    ) -> Self:
        """Fit splines to the curves of one clip, and draw both.

        Parameters
        ----------
        estimator : BSplineProjector
            Fitted or not.
        curves : array-like of shape (n_points, n_features)
            Of one clip, such as some columns of what `AudioFeatures` gives.
        names : sequence of str, default=None
            Names of the features.
        title : str, default=None
            Title of the picture.

        Returns
        -------
        display : SplineDisplay
        """
        curves = np.asarray(curves, dtype=float)
        coefficients = bspline_project(curves, estimator.n_knots, estimator.order)
        splines = bspline_evaluate(coefficients, _POINTS, estimator.order)
        return cls(curves, splines, names=names, title=title).plot()

    def plot(self, *, figure: Any = None) -> Self:
        """Draw.

        Parameters
        ----------
        figure : matplotlib Figure, default=None
            Where to draw; None for a figure of its own.

        Returns
        -------
        self : SplineDisplay

        Raises
        ------
        ValueError
            If the names are not one for each feature.
        ImportError
            If matplotlib is not installed.
        """
        n_points, n_features = self.curves.shape
        names = self.names if self.names is not None else [f"curve {i}" for i in range(n_features)]
        if len(names) != n_features:
            expected = plural(n_features, "name")
            raise ValueError(f"Expected {expected}, one for each curve, got {len(names)}.")
        if figure is None:
            figure = new_figure((7, 1.6 * n_features + 0.8))
        self.axes_ = list(np.ravel(figure.subplots(n_features, 1, sharex=True)))
        times, fine = np.linspace(0, 1, n_points), np.linspace(0, 1, len(self.splines))
        errors, self.lines_ = [], []
        for ax, name, curve, spline in zip(
            self.axes_, names, self.curves.T, self.splines.T, strict=True
        ):
            ax.plot(times, curve, ".", color="#999999", markersize=4, label="curve")
            self.lines_ += ax.plot(fine, spline, color="#0072B2", linewidth=1.8, label="spline")
            spread = curve.std()
            error = np.sqrt(np.mean((curve - np.interp(times, fine, spline)) ** 2))
            errors.append(error / spread if spread > 0 else 0.0)
            ax.set_title(f"{name}: error {errors[-1]:.0%} of the spread", fontsize="small")
            ax.spines[["top", "right"]].set_visible(False)
        self.axes_[0].legend(loc="upper right", fontsize="small", frameon=False)
        self.axes_[-1].set_xlabel("time, share of the clip")
        if self.title:
            figure.suptitle(self.title)
        self.errors_ = np.array(errors)
        self.ax_ = self.axes_[0]
        self.figure_ = self.ax_.get_figure(root=True)
        return self
