"""What MiniRocket and MultiRocket share as estimators."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Integral
from typing import Any, ClassVar, Literal, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, TransformerMixin, _fit_context
from sklearn.utils import Tags, check_random_state
from sklearn.utils._param_validation import Interval
from sklearn.utils.validation import check_is_fitted

from ..base import check_cell, check_clips, check_input_names, clip_column, plural, remember_column
from ._rocket_kernels import LENGTH, PLACES, POOLS, RocketKernels, fit_kernels, transform


class Rocket(TransformerMixin, BaseEstimator):
    """Base class of the transforms by random convolutional kernels.

    Attributes
    ----------
    pooling : {"ppv", "all"}
        Class attribute: what is taken of a convolution.
    orders : tuple of int
        Class attribute: which differences of a trajectory are convolved, 0 being itself.
    """

    pooling: ClassVar[Literal["ppv", "all"]] = "ppv"
    orders: ClassVar[tuple[int, ...]] = (0,)
    _parameter_constraints: ClassVar[dict[str, Any]] = {
        "n_kernels": [Interval(Integral, 1, None, closed="left")],
        "n_points": [Interval(Integral, LENGTH + 1, None, closed="left")],
        "n_channels": [Interval(Integral, 1, None, closed="left")],
        "random_state": ["random_state"],
    }

    n_kernels: int
    n_points: int
    n_channels: int
    random_state: int | np.random.RandomState | None

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: Any, y: Any = None) -> Self:
        """Learn scales and biases from training trajectories.

        Parameters
        ----------
        X : column(s) of trajectories or array-like of numbers
            See `transform`.
        y : None
            Ignored.

        Returns
        -------
        self : object
        """
        random = check_random_state(self.random_state)
        series = self._resample(X, reset=True)
        self.n_channels_ = series.shape[1]
        self.means_: list[NDArray[np.float64]] = []
        self.scales_: list[NDArray[np.float64]] = []
        self.kernels_: list[RocketKernels] = []
        for order in self.orders:
            differences = np.diff(series, n=order, axis=2)
            scale = differences.std(axis=(0, 2))
            self.means_.append(differences.mean(axis=(0, 2)))
            self.scales_.append(np.where(scale > 0, scale, 1.0))
            self.kernels_.append(fit_kernels(self._scaled(series, order), self.n_kernels, random))
        return self

    def transform(self, X: Any) -> NDArray[np.float32]:
        """Describe each clip's trajectories.

        Parameters
        ----------
        X : column(s) of trajectories or array-like of numbers
            A list or object array of shape (n_clips,) whose items are arrays of shape
            (n_points, n_features), each with its own number of points; or a table of them, shape
            (n_clips, n_variants), whose features are further channels. Or an array of shape
            (n_clips, n_points, ...), any further axes being further channels; a row of a table is
            one curve.

        Returns
        -------
        features : ndarray of float32, shape (n_clips, n_features_out)

        Raises
        ------
        ValueError
            If clips differ in their number of channels, or values are not finite; the message
            says which row.
        """
        check_is_fitted(self)
        series = self._resample(X, reset=False)
        return np.hstack(
            [
                transform(self._scaled(series, order), kernels, self.pooling)
                for order, kernels in zip(self.orders, self.kernels_, strict=True)
            ]
        )

    def get_feature_names_out(self, input_features: Any = None) -> NDArray[Any]:
        """Name the features: what was pooled, kernel and dilation, number of the bias, channels.

        Parameters
        ----------
        input_features : array-like of str or None, default=None
            Names of the channels; ``channel00``, ... by default. Of a table, checked against its
            columns.

        Returns
        -------
        names : ndarray of str
            Such as ``ppv_048x3_1_mouth-width+brow-gap``: the share of points at which the sum of
            the two channels, convolved with the kernel whose weights 0, 4 and 8 are large, taken 3
            points apart, is above the second bias.
        """
        check_is_fitted(self)
        check_input_names(self, input_features)
        is_table = len(self.clip_shape_) == 1
        if input_features is None or is_table:
            input_features = [f"channel{i:02d}" for i in range(self.n_channels_)]
        if len(input_features) != self.n_channels_:
            raise ValueError(
                f"input_features should have length equal to the number of channels per clip "
                f"({self.n_channels_}), got {len(input_features)}."
            )
        pools = POOLS[:1] if self.pooling == "ppv" else POOLS
        return np.array(
            [
                f"{pool}{f'-delta{order}' if order else ''}_{name}"
                for order, kernels in zip(self.orders, self.kernels_, strict=True)
                for pool in pools
                for name in _name_biases(kernels, input_features)
            ],
            dtype=object,
        )

    def _scaled(self, series: NDArray[np.float64], order: int) -> NDArray[np.float32]:
        """Return differences of every channel, scaled as at fit."""
        place = self.orders.index(order)
        differences = np.diff(series, n=order, axis=2) - self.means_[place][:, np.newaxis]
        return (differences / self.scales_[place][:, np.newaxis]).astype(np.float32)

    def _resample(self, X: Any, *, reset: bool) -> NDArray[np.float64]:
        """Return all clips' trajectories as (n_clips, n_channels, n_points)."""
        column = clip_column(X)
        if column is None:
            X = check_clips(self, X, reset=reset)
            if X.ndim == 2 and X.shape[1] % self.n_channels:
                raise ValueError(
                    f"{type(self).__name__} expected rows of n_channels={self.n_channels} "
                    f"trajectories, found {X.shape[1]} numbers, which is no multiple of it."
                )
            flat = X.reshape(len(X), -1, self.n_channels if X.ndim == 2 else X[0, 0].size)
            return np.stack([resample(clip, self.n_points) for clip in flat])
        name = type(self).__name__
        table = column.reshape(len(column), -1)
        rows: list[NDArray[np.float64]] = []
        n_channels = 0 if reset else self.n_channels_
        for row, cells in enumerate(table):
            clips = [
                check_cell(
                    self,
                    cell,
                    row,
                    ndim=(1, 2),
                    expected="trajectories of shape (n_points, n_features), such as FaceMeasures "
                    "makes",
                )
                for cell in cells
            ]
            rows.append(
                np.concatenate([resample(c.reshape(len(c), -1), self.n_points) for c in clips])
            )
            n_channels = n_channels or len(rows[0])
            if len(rows[row]) != n_channels:
                raise ValueError(
                    f"{name} expected {plural(n_channels, 'channel')} (features times variants) in "
                    f"every clip, found {len(rows[row])} in row {row}: give all clips the same "
                    "features."
                )
        if reset:
            remember_column(self, table.shape[1])
        return np.stack(rows)

    @property
    def _n_features_out(self) -> int:
        n_pools = 1 if self.pooling == "ppv" else len(POOLS)
        return n_pools * sum(len(kernels.biases) for kernels in self.kernels_)

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float32"]
        return tags


def resample(trajectory: NDArray[Any], n_points: int) -> NDArray[np.float64]:
    """Interpolate a clip's trajectories linearly at equally spaced points.

    Parameters
    ----------
    trajectory : ndarray of shape (n_clip_points, n_features)
    n_points : int
        Points wanted, the first and the last being the clip's.

    Returns
    -------
    resampled : ndarray of float64, shape (n_features, n_points)
    """
    places = np.linspace(0, len(trajectory) - 1, n_points)
    before = np.minimum(places.astype(int), max(len(trajectory) - 2, 0))
    after = np.minimum(before + 1, len(trajectory) - 1)
    share = (places - before)[:, np.newaxis]
    return np.ascontiguousarray(((1 - share) * trajectory[before] + share * trajectory[after]).T)


def _name_biases(kernels: RocketKernels, channels: Sequence[str]) -> list[str]:
    names = []
    for pair in range(len(kernels.starts) - 1):
        step, kernel = divmod(pair, len(PLACES))
        weights = "".join(map(str, PLACES[kernel]))
        read = kernels.channels[kernels.starts[pair] : kernels.starts[pair + 1]]
        of = "+".join(str(channels[i]) for i in read)
        names += [
            f"{weights}x{kernels.dilations[step]}_{bias}_{of}"
            for bias in range(kernels.n_biases[step])
        ]
    return names
