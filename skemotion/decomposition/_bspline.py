"""Least-squares projection of curves on B-splines."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from numbers import Integral
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.interpolate import BSpline
from scipy.linalg import pinv
from sklearn.utils._param_validation import Interval
from sklearn.utils.validation import check_array

from ..base import FLOATS
from ._curves import CurveTransformer, name_numbers


class BSplineProjector(CurveTransformer):
    """Project curves of any length on one B-spline basis, by least squares.

    A curve's points are equally spaced over t in [0, 1]. The number of coefficients does not depend
    on the number of points, so clips of different lengths become comparable.
    A clip's coefficients depend only on the clip.

    Parameters
    ----------
    n_knots : int, default=12
        Equally spaced knots, both ends of [0, 1] included.
    order : int, default=4
        Order of the splines, one more than their degree; 4 is cubic. A curve gets
        ``n_knots + order - 2`` coefficients.

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
    bspline_project : The same for one clip.
    bspline_evaluate : The inverse.
    skemotion.audio.AudioFeatures : Gives curves of different lengths.

    Notes
    -----
    The least-squares problem [1]_ is solved by the singular value decomposition of the basis
    at the curve's points. A curve with fewer points than coefficients has many splines through its
    points: it gets its mean, plus the coefficients of least norm for what is left. So a constant
    curve has constant coefficients, whatever its number of points.

    References
    ----------
    .. [1] C. de Boor, "A Practical Guide to Splines", Springer 2001, chapter XIV.

    Examples
    --------
    >>> import numpy as np
    >>> from skemotion.decomposition import BSplineProjector
    >>> curves = [np.ones((160, 34)), np.ones((143, 34))]
    >>> BSplineProjector().transform(curves).shape
    (2, 14, 34)
    """

    _parameter_constraints = {
        "n_knots": [Interval(Integral, 2, None, closed="left")],
        "order": [Interval(Integral, 1, None, closed="left")],
    }

    def __init__(self, n_knots: int = 12, order: int = 4) -> None:
        self.n_knots = n_knots
        self.order = order

    def transform_clip(self, clip: NDArray[Any]) -> NDArray[Any]:
        """Project one clip's curves.

        Parameters
        ----------
        clip : ndarray of shape (n_points, n_features)
            A curve per feature.

        Returns
        -------
        coefficients : ndarray of shape (n_coefs, n_features)
            float32 for float32 curves, else float64. The coefficients of several columns, which
            are variants of the clip, are joined on the last axis.
        """
        return bspline_project(clip, self.n_knots, self.order)

    def inverse_transform(self, X: Any, n_points: int = 100) -> NDArray[Any]:
        """Evaluate splines, given by their coefficients, at equally spaced points.

        Parameters
        ----------
        X : array-like of shape (n_clips, n_coefs, ...)
            Coefficients as `transform` returns them.
        n_points : int, default=100
            Points of each curve in the result.

        Returns
        -------
        curves : ndarray of shape (n_clips, n_points, ...)
        """
        self._validate_params()
        X = check_array(X, dtype=list(FLOATS), allow_nd=True)
        n_coefs = self.n_knots + self.order - 2
        if X.shape[1] != n_coefs:
            raise ValueError(
                f"Expected {n_coefs} coefficients per curve (n_knots + order - 2), "
                f"got {X.shape[1]}."
            )
        return np.stack([bspline_evaluate(clip, n_points, self.order) for clip in X])

    def name_values(self, input_features: Sequence[str] | None) -> list[str]:
        """Name the coefficients, such as ``mfcc03_spline07_pitch+4`` for ``mfcc03_pitch+4``.

        ``spline07`` for a table of single curves.
        """
        splines = [f"spline{i:02d}" for i in range(self.n_knots + self.order - 2)]
        if len(self.clip_shape_) == 1:
            return splines
        return name_numbers(splines, input_features, self.n_curves_)


def bspline_project(curve: ArrayLike, n_knots: int = 12, order: int = 4) -> NDArray[Any]:
    """Return the coefficients of the spline nearest to a curve's points.

    Parameters
    ----------
    curve : array-like of shape (n_points, ...)
        Values at n_points equally spaced points over [0, 1]; further axes are further curves.
    n_knots : int, default=12
        Equally spaced knots, both ends of [0, 1] included.
    order : int, default=4
        Order of the spline, one more than its degree.

    Returns
    -------
    coefficients : ndarray of shape (n_knots + order - 2, ...)
        float32 for a float32 curve, else float64.

    See Also
    --------
    BSplineProjector : The same as an estimator, with the details.

    Examples
    --------
    >>> from skemotion.decomposition import bspline_project
    >>> bspline_project([1.0, 2.0, 3.0, 4.0], n_knots=2, order=2)  # a straight line
    array([1., 4.])
    """
    values = np.asarray(curve)
    flat = values.reshape(len(values), -1)
    coefficients = _projection(len(values), n_knots, order) @ flat
    dtype = values.dtype if values.dtype in FLOATS else np.float64
    return coefficients.reshape(-1, *values.shape[1:]).astype(dtype)


def bspline_evaluate(coefficients: ArrayLike, n_points: int, order: int = 4) -> NDArray[Any]:
    """Evaluate a spline at equally spaced points over [0, 1].

    Parameters
    ----------
    coefficients : array-like of shape (n_coefs, ...)
        Coefficients as `bspline_project` returns them; further axes are further splines.
    n_points : int
        Points in the result.
    order : int, default=4
        Order of the spline.

    Returns
    -------
    curve : ndarray of shape (n_points, ...)
        float32 for float32 coefficients, else float64.

    Examples
    --------
    >>> from skemotion.decomposition import bspline_evaluate
    >>> bspline_evaluate([0.0, 3.0], n_points=4, order=2)
    array([0., 1., 2., 3.])
    """
    values = np.asarray(coefficients)
    flat = values.reshape(len(values), -1)
    basis = bspline_basis(np.linspace(0, 1, n_points), len(values) - order + 2, order)
    dtype = values.dtype if values.dtype in FLOATS else np.float64
    return (basis @ flat).reshape(-1, *values.shape[1:]).astype(dtype)


def bspline_basis(t: ArrayLike, n_knots: int = 12, order: int = 4) -> NDArray[np.float64]:
    """Evaluate every B-spline of the basis.

    Parameters
    ----------
    t : array-like of shape (n_points,)
        Points in [0, 1].
    n_knots : int, default=12
        Equally spaced knots, both ends of [0, 1] included.
    order : int, default=4
        Order of the splines, one more than their degree.

    Returns
    -------
    basis : ndarray of shape (n_points, n_knots + order - 2)
        B-splines' values; every row sums to one.

    Examples
    --------
    >>> from skemotion.decomposition import bspline_basis
    >>> bspline_basis([0.0, 0.5, 1.0], n_knots=2, order=3)
    array([[1.  , 0.  , 0.  ],
           [0.25, 0.5 , 0.25],
           [0.  , 0.  , 1.  ]])
    """
    # The end knots as often as the order, so that the basis spans every spline on [0, 1].
    knots = np.pad(np.linspace(0, 1, n_knots), order - 1, mode="edge")
    points = np.asarray(t, dtype=np.float64)
    basis: NDArray[np.float64] = BSpline.design_matrix(points, knots, order - 1).toarray()
    return basis


@lru_cache(maxsize=256)  # a corpus has a few hundred different lengths; 20 kB each
def _projection(n_points: int, n_knots: int, order: int) -> NDArray[np.float64]:
    """Return the matrix, (n_coefs, n_points), that takes a curve's points to its coefficients."""
    basis = bspline_basis(np.linspace(0, 1, n_points), n_knots, order)
    matrix = np.asarray(pinv(basis), dtype=np.float64)
    if n_points < matrix.shape[0]:
        # Least norm alone would pull coefficients between the points to 0. B-splines sum to one,
        # so that the mean's coefficients are the mean.
        mean = 1 / n_points
        matrix = matrix - matrix.sum(axis=1, keepdims=True) * mean + mean
    matrix.flags.writeable = False
    return matrix
