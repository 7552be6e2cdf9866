"""Bringing trajectories to one number of points."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Integral
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils._param_validation import Interval

from ._curves import CurveTransformer, name_numbers
from ._rocket import resample


class TrajectoryResampler(CurveTransformer):
    """Bring trajectories of any length to one number of points, by linear interpolation.

    Parameters
    ----------
    n_points : int, default=96
        Points of each trajectory, the first and the last being the clip's.

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
    BSplineProjector : Smooths as well.
    MiniRocket : Takes trajectories of one length or of many.

    Examples
    --------
    >>> import numpy as np
    >>> from skemotion.decomposition import TrajectoryResampler
    >>> TrajectoryResampler(3).transform([np.array([0.0, 1.0, 2.0, 3.0])])[0].ravel()
    array([0. , 1.5, 3. ])
    """

    _parameter_constraints = {"n_points": [Interval(Integral, 1, None, closed="left")]}

    def __init__(self, n_points: int = 96) -> None:
        self.n_points = n_points

    def transform_clip(self, clip: NDArray[Any]) -> NDArray[Any]:
        """Resample one clip's trajectories.

        Parameters
        ----------
        clip : ndarray of shape (n_clip_points, n_features)

        Returns
        -------
        resampled : ndarray of shape (n_points, n_features)
            Of the clip's float dtype.
        """
        flat = clip.reshape(len(clip), -1)
        resampled = resample(flat, self.n_points).T.astype(clip.dtype)
        return np.ascontiguousarray(resampled).reshape(self.n_points, *clip.shape[1:])

    def name_values(self, input_features: Sequence[str] | None) -> list[str]:
        """Name the points, such as ``mouth-width_point012``; ``point012`` for single curves."""
        width = len(str(self.n_points - 1))
        points = [f"point{i:0{width}d}" for i in range(self.n_points)]
        if len(self.clip_shape_) == 1:
            return points
        return name_numbers(points, input_features, self.n_curves_)
