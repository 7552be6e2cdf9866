"""Least-squares projection of curves on B-splines."""

from __future__ import annotations

from functools import lru_cache
from numbers import Integral
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.interpolate import BSpline
from scipy.linalg import pinv
from sklearn.base import BaseEstimator, TransformerMixin, _fit_context
from sklearn.utils import Tags
from sklearn.utils._param_validation import Interval
from sklearn.utils.validation import check_array

from .._validation import (
    FLOATS,
    check_clips,
    check_input_names,
    clip_column,
    frames_only_tables,
    remember_column,
)
from ._curves import clip_curves, describe_curves, name_numbers


@frames_only_tables
class BSplineProjector(TransformerMixin, BaseEstimator):
    """Project curves of any length on one B-spline basis, by least squares.

    A curve's points lie equally spaced over t in [0, 1]. Its coefficients on the basis are as
    many whatever its number of points, so that clips of different lengths become comparable.
    A clip's coefficients depend on nothing but the clip.

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
        Second axis of X at fit; the number of columns where X was columns of curves.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Column names of X at fit, where X was numbers and had any.
    clip_shape_ : tuple of int
        Shape of a clip at fit; empty for columns of curves.
    n_curves_ : int
        Curves per clip at fit: features times variants.

    See Also
    --------
    project : The same for one clip.
    evaluate : The way back.
    skemotion.audio.AudioFeatures : Gives curves of different lengths.

    Notes
    -----
    The least-squares problem [1]_ is solved by the singular value decomposition of the basis
    at the curve's points. A curve with fewer points than coefficients gets, of all solutions
    through its points, the one of least norm.

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

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: Any, y: Any = None) -> Self:
        """Remember how many curves a clip has; nothing is learnt from them.

        Parameters
        ----------
        X : column(s) of curves or array-like of numbers
            See `transform`.
        y : None
            Ignored.

        Returns
        -------
        self : BSplineProjector
        """
        column = clip_column(X)
        if column is None:
            X = check_clips(self, X, reset=True)
            self.n_curves_ = int(np.prod(X.shape[2:]))
        else:
            self.n_curves_ = sum(curve.shape[1] for curve in clip_curves(self, column, 0))
            remember_column(self, 1 if column.ndim == 1 else column.shape[1])
        return self

    def transform(self, X: Any) -> NDArray[Any]:
        """Project each clip's curves.

        Parameters
        ----------
        X : column(s) of curves or array-like of numbers
            A list or object array of shape (n_clips,) whose items are arrays of shape
            (n_points, n_features), each with its own number of points; or a table of them, shape
            (n_clips, n_variants). Or an array of shape (n_clips, n_points, ...), any further
            axes being further curves; a row of a table is one curve.

        Returns
        -------
        coefficients : ndarray of shape (n_clips, n_coefs, n_features * n_variants)
            The variants' features stand side by side. (n_clips, n_coefs, ...) for an array of
            numbers. float32 for float32 curves, else float64.

        Raises
        ------
        ValueError
            If clips differ in their number of features, or values are not finite; the message
            says which row.
        """
        self._validate_params()
        column = clip_column(X)
        if column is None:
            X = check_clips(self, X, reset=False)
            return np.stack([project(clip, self.n_knots, self.order) for clip in X])
        return describe_curves(
            self, column, lambda curves: project(curves, self.n_knots, self.order)
        )

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
        return np.stack([evaluate(clip, n_points, self.order) for clip in X])

    def get_feature_names_out(self, input_features: Any = None) -> NDArray[Any]:
        """Name the coefficients, in the order of a flattened result.

        Parameters
        ----------
        input_features : array-like of str or None, default=None
            Names of the curves; ``curve00``, ... by default.

        Returns
        -------
        names : ndarray of str
            Such as ``mfcc03_spline07_pitch+4`` for the curve ``mfcc03_pitch+4``; ``spline07``
            for a table of single curves.
        """
        check_input_names(self, input_features)
        splines = [f"spline{i:02d}" for i in range(self.n_knots + self.order - 2)]
        if len(self.clip_shape_) == 1:
            return np.array(splines, dtype=object)
        return name_numbers(splines, input_features, self.n_curves_)

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.requires_fit = False
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags


def project(curve: ArrayLike, n_knots: int = 12, order: int = 4) -> NDArray[Any]:
    """Give the coefficients of the spline nearest to a curve's points.

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
    >>> from skemotion.decomposition import project
    >>> project([1.0, 2.0, 3.0, 4.0], n_knots=2, order=2)  # a straight line
    array([1., 4.])
    """
    values = np.asarray(curve)
    flat = values.reshape(len(values), -1)
    coefficients = _projection(len(values), n_knots, order) @ flat
    dtype = values.dtype if values.dtype in FLOATS else np.float64
    return coefficients.reshape(-1, *values.shape[1:]).astype(dtype)


def evaluate(coefficients: ArrayLike, n_points: int, order: int = 4) -> NDArray[Any]:
    """Evaluate a spline at equally spaced points over [0, 1].

    Parameters
    ----------
    coefficients : array-like of shape (n_coefs, ...)
        Coefficients as `project` returns them; further axes are further splines.
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
    >>> from skemotion.decomposition import evaluate
    >>> evaluate([0.0, 3.0], n_points=4, order=2)
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
    """Give the matrix, (n_coefs, n_points), that takes a curve's points to its coefficients."""
    matrix = np.asarray(
        pinv(bspline_basis(np.linspace(0, 1, n_points), n_knots, order)), dtype=np.float64
    )
    matrix.flags.writeable = False
    return matrix
