"""Statistics of curves over time."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils._param_validation import Interval

from ..base import FLOATS
from ._curves import CurveTransformer, name_numbers


class TrajectoryStatistics(CurveTransformer):
    """Describe curves of any length by their statistics over time.

    The simple alternative to `BSplineProjector`: a curve of any length becomes the same number of
    values, but apart from the slope, the order of events is lost. A clip's statistics depend only
    on the clip.

    Parameters
    ----------
    statistics : tuple of str, default=("mean", "std", "p10", "p50", "p90", "slope")
        The statistics, in this order: "mean", "std" (standard deviation of the points
        themselves, not an estimate of a population's), "min", "max", "p0" to "p100" (percentiles,
        linearly interpolated), "slope" (of the least-squares line over t in [0, 1]: the rise from
        the clip's beginning to its end), "velocity_std" and "velocity_p95" (standard deviation of
        the change from point to point, and 95th percentile of its size, per second).
    rate : float, default=1.0
        Points per second, for velocities: 30 for trajectories of a video of 30 frames per second.
        With 1, velocities are per point.

    Attributes
    ----------
    n_features_in_ : int
        Second axis of X at fit; the number of columns if X was columns of curves.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Column names of X at fit, if X was numbers and had any.
    clip_shape_ : tuple of int
        Shape of a clip at fit; empty for columns of curves.
    n_curves_ : int
        Curves per clip at fit: features times variants.

    See Also
    --------
    trajectory_statistics : The same for one clip.
    BSplineProjector : Keeps the course of the curves.
    skemotion.audio.AudioFeatures : Gives curves of different lengths.

    Notes
    -----
    A curve of one point has standard deviation, slope and velocities 0, and is each of the other
    statistics itself.

    Examples
    --------
    The simplest baseline of emotional speech, MFCC averaged over time:

    >>> import numpy as np
    >>> from sklearn.pipeline import make_pipeline
    >>> from skemotion.audio import AudioFeatures
    >>> from skemotion.decomposition import TrajectoryStatistics
    >>> tones = [np.sin(0.1 * np.arange(22050)), np.sin(0.2 * np.arange(11025))]
    >>> baseline = make_pipeline(AudioFeatures(("mfcc",)), TrajectoryStatistics(("mean",)))
    >>> baseline.fit_transform(tones).shape
    (2, 13)
    >>> baseline.get_feature_names_out()[3]
    'mfcc03_mean'
    """

    _parameter_constraints = {
        "statistics": [tuple, list],
        "rate": [Interval(Real, 0, None, closed="neither")],
    }

    def __init__(
        self,
        statistics: Sequence[str] = ("mean", "std", "p10", "p50", "p90", "slope"),
        rate: float = 1.0,
    ) -> None:
        self.statistics = statistics
        self.rate = rate

    def transform_clip(self, clip: NDArray[Any]) -> NDArray[Any]:
        """Describe one clip's curves.

        Parameters
        ----------
        clip : ndarray of shape (n_points, n_features)
            A curve per feature.

        Returns
        -------
        values : ndarray of shape (n_statistics, n_features)
            float32 for float32 curves, else float64. The values of several columns, which are
            variants of the clip, are joined on the last axis.
        """
        return trajectory_statistics(clip, self.statistics, self.rate)

    def name_values(self, input_features: Sequence[str] | None) -> list[str]:
        """Name the statistics, such as ``mfcc03_mean_pitch+4`` for ``mfcc03_pitch+4``.

        ``mean`` for a table of single curves.
        """
        if len(self.clip_shape_) == 1:
            return list(self.statistics)
        return name_numbers(self.statistics, input_features, self.n_curves_)

    def check_parameters(self) -> None:
        """Refuse unknown statistics."""
        _check_statistics(self.statistics)

    def _stacked(self, results: list[NDArray[Any]]) -> NDArray[Any]:
        # Rows, which classifiers and data frames take.
        return super()._stacked([np.ravel(result) for result in results])


def trajectory_statistics(
    curve: ArrayLike,
    statistics: Sequence[str] = ("mean", "std", "p10", "p50", "p90", "slope"),
    rate: float = 1.0,
) -> NDArray[Any]:
    """Return a curve's statistics over time.

    Parameters
    ----------
    curve : array-like of shape (n_points, ...)
        Values at n_points equally spaced points over [0, 1]; further axes are further curves.
    statistics : tuple of str
        As for `TrajectoryStatistics`.
    rate : float, default=1.0
        Points per second, for velocities.

    Returns
    -------
    values : ndarray of shape (n_statistics, ...)
        float32 for a float32 curve, else float64.

    See Also
    --------
    TrajectoryStatistics : The same as an estimator, with the details.

    Examples
    --------
    >>> from skemotion.decomposition import trajectory_statistics
    >>> trajectory_statistics([1.0, 2.0, 3.0, 6.0], ("mean", "p50", "slope"))
    array([3. , 2.5, 4.8])
    """
    _check_statistics(statistics)
    values = np.asarray(curve)
    dtype = values.dtype if values.dtype in FLOATS else np.float64
    # Sums of many single-precision values would lose digits.
    exact = values.astype(np.float64)
    result = np.empty((len(statistics), *values.shape[1:]))
    percentiles = {i: int(n[1:]) for i, n in enumerate(statistics) if n not in _STATISTICS}
    if percentiles:
        # All at once: they sort the points.
        result[list(percentiles)] = np.percentile(exact, list(percentiles.values()), axis=0)
    for i, name in enumerate(statistics):
        if name in _STATISTICS:
            result[i] = _STATISTICS[name](exact)
        if name.startswith("velocity"):
            result[i] *= rate
    return result.astype(dtype)


def _slope(curve: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the slope of the least-squares line; 0 for one point, which has none."""
    if len(curve) == 1:
        return np.zeros_like(curve[0])
    t = np.linspace(-0.5, 0.5, len(curve))
    return np.asarray(np.tensordot(t, curve, axes=1) / (t @ t))


def _velocity(curve: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the change from point to point; 0 for one point, which has none."""
    return np.diff(curve, axis=0) if len(curve) > 1 else np.zeros_like(curve)


_STATISTICS: dict[str, Callable[[NDArray[np.float64]], NDArray[np.float64]]] = {
    "mean": lambda curve: np.mean(curve, axis=0),
    "std": lambda curve: np.std(curve, axis=0),
    "min": lambda curve: np.min(curve, axis=0),
    "max": lambda curve: np.max(curve, axis=0),
    "slope": _slope,
    "velocity_std": lambda curve: np.std(_velocity(curve), axis=0),
    "velocity_p95": lambda curve: np.percentile(np.abs(_velocity(curve)), 95, axis=0),
}
_PERCENTILE = re.compile(r"p(\d{1,2}|100)")


def _check_statistics(statistics: Sequence[str]) -> None:
    if not len(statistics) or not all(
        isinstance(name, str) and (name in _STATISTICS or _PERCENTILE.fullmatch(name))
        for name in statistics
    ):
        raise ValueError(
            f"statistics must be some of {', '.join(_STATISTICS)}, and percentiles p0 to p100; got "
            f"{statistics!r}."
        )
