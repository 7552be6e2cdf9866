"""Partial Tucker decomposition of stacked clips."""

from __future__ import annotations

import math
from collections.abc import Sequence
from numbers import Integral, Real
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, TransformerMixin, _fit_context
from sklearn.utils import Tags
from sklearn.utils._param_validation import Interval, RealNotInt
from sklearn.utils.validation import check_array, check_is_fitted

from .._threads import one_blas_thread
from ..base import FLOATS, check_clips, check_input_names, missing_clips, plural
from ._tucker_numerics import SHARE, Rank, multiply, partial_tucker, project


class PartialTucker(TransformerMixin, BaseEstimator):
    """Compress every axis of stacked clips but the first by a linear map learnt from them.

    The clips, stacked into one tensor, are approximated by a smaller core tensor with one
    orthonormal factor matrix per axis; the axis of the clips is not compressed, so unseen clips can
    be projected on the fitted factors. The result is flattened into rows.

    Parameters
    ----------
    ranks : int, float, None or sequence of these, default=0.95
        Size of the core along each axis but the clips': an int; a float in (0, 1), the smallest
        size that holds this share of the axis' energy; or None, which leaves the axis alone.
        A single value applies to every axis.
    tol : float, default=1e-4
        Stop once the relative reconstruction error changes by less than this.
    max_iter : int, default=100
        Maximum number of sweeps over the axes.
    n_jobs : int, default=None
        Number of threads, each of which takes a block of clips at a time. The numbers do not depend
        on it. None means 1, or what `joblib.parallel_config` says; -1 means all cores.

    Attributes
    ----------
    factors_ : list of ndarray of shape (length of the axis, rank) or None
        Orthonormal columns, each with its largest entry positive; None for an axis left alone.
    ranks_ : tuple of int
        Shape of a clip's core.
    reconstruction_error_ : float
        Norm of the residual of the training clips, relative to their norm.
    n_iter_ : int
        Sweeps over the axes.
    n_features_in_ : int
        Second axis of X at fit.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Column names of X at fit, if it had any.
    clip_shape_ : tuple of int
        Shape of a clip at fit.

    See Also
    --------
    sklearn.decomposition.TruncatedSVD : The same for a table.

    Notes
    -----
    Higher-order orthogonal iteration [1]_, started from the higher-order SVD [2]_. Each factor is
    found from the Gram matrix of its unfolding, summed in float64 over blocks of clips; the tensor
    is never unfolded as a whole. The first Gram matrices, from which the iteration starts, are
    computed in the clips' own precision within a block. Within a sweep, projections that several
    axes need are shared by halving the set of axes again and again [3]_.

    References
    ----------
    .. [1] L. De Lathauwer, B. De Moor and J. Vandewalle, "On the best rank-1 and
       rank-(R1, R2, ..., RN) approximation of higher-order tensors", SIAM J. Matrix Anal. Appl.
       21(4), 2000, algorithm 4.2.
    .. [2] L. De Lathauwer, B. De Moor and J. Vandewalle, "A multilinear singular value
       decomposition", SIAM J. Matrix Anal. Appl. 21(4), 2000, theorem 2.
    .. [3] O. Kaya and Y. Robert, "Computing dense tensor decompositions with optimal dimension
       trees", Algorithmica 81, 2019.

    Examples
    --------
    >>> import numpy as np
    >>> from skemotion.decomposition import PartialTucker
    >>> clips = np.random.default_rng(0).normal(size=(6, 10, 8, 3))
    >>> tucker = PartialTucker(ranks=(4, 2, None))
    >>> tucker.fit_transform(clips).shape
    (6, 24)
    >>> [None if factor is None else factor.shape for factor in tucker.factors_]
    [(10, 4), (8, 2), None]
    """

    _parameter_constraints = {
        "ranks": [
            Interval(Integral, 1, None, closed="left"),
            Interval(RealNotInt, 0, 1, closed="neither"),
            tuple,
            list,
            None,
        ],
        "tol": [Interval(Real, 0, None, closed="left")],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "n_jobs": [Integral, None],
    }

    def __init__(
        self,
        ranks: Rank | Sequence[Rank] = 0.95,
        tol: float = 1e-4,
        max_iter: int = 100,
        n_jobs: int | None = None,
    ) -> None:
        self.ranks = ranks
        self.tol = tol
        self.max_iter = max_iter
        self.n_jobs = n_jobs

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: Any, y: Any = None) -> Self:
        """Learn the factors.

        Parameters
        ----------
        X : array-like of shape (n_clips, ...) or (n_clips, n_features)
            Clips of one shape. A memory map is read block by block. Missing clips (all values NaN)
            are left out.
        y : None
            Ignored.

        Returns
        -------
        self : PartialTucker
        """
        X = check_clips(self, X, reset=True, allow_missing=True)
        ranks = _check_ranks(self.ranks, X.shape[1:])
        with one_blas_thread():
            self.factors_, self.reconstruction_error_, self.n_iter_ = partial_tucker(
                X, ranks, self.tol, self.max_iter, self.n_jobs
            )
        self.ranks_ = tuple(
            length if factor is None else factor.shape[1]
            for length, factor in zip(self.clip_shape_, self.factors_, strict=True)
        )
        return self

    def transform(self, X: Any) -> NDArray[Any]:
        """Project clips on the factors.

        Parameters
        ----------
        X : array-like of shape (n_clips, ...) or (n_clips, n_features)
            Clips of the shape at fit; missing clips (all values NaN) stay NaN.

        Returns
        -------
        cores : ndarray of shape (n_clips, n_components)
            Each clip's core, flattened; `n_components` is the product of `ranks_`. float32 for
            float32 clips, else float64.
        """
        check_is_fitted(self)
        X = check_clips(self, X, reset=False, allow_missing=True)
        with one_blas_thread():
            cores = project(X, self.factors_, range(len(self.factors_)), self.n_jobs)
        cores = cores.reshape(len(X), -1).astype(X.dtype, copy=False)
        cores[missing_clips(X)] = np.nan
        return cores

    def inverse_transform(self, X: Any) -> NDArray[Any]:
        """Rebuild clips from their cores.

        Parameters
        ----------
        X : array-like of shape (n_clips, n_components)
            As returned by `transform`.

        Returns
        -------
        clips : ndarray of shape (n_clips, ...)
            Of the shape at fit.
        """
        check_is_fitted(self)
        X = check_array(X, dtype=list(FLOATS))
        if X.shape[1] != math.prod(self.ranks_):
            raise ValueError(
                f"Expected {plural(math.prod(self.ranks_), 'column')}, one per entry of a core of "
                f"shape {self.ranks_}, got {X.shape[1]}."
            )
        clips = X.reshape(len(X), *self.ranks_)
        for axis, factor in enumerate(self.factors_):
            if factor is not None:
                clips = multiply(clips, factor.T, axis + 1)
        return clips.astype(X.dtype, copy=False)

    def get_feature_names_out(self, input_features: Any = None) -> NDArray[Any]:
        """Name each entry of the core by its place.

        Parameters
        ----------
        input_features : array-like of str or None, default=None
            Checked against the columns of a table, and otherwise ignored.

        Returns
        -------
        names : ndarray of str
            Such as ``tucker_2_0_7``.
        """
        check_input_names(self, input_features)
        return np.array(
            ["tucker_" + "_".join(map(str, place)) for place in np.ndindex(*self.ranks_)],
            dtype=object,
        )

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags


def _check_ranks(ranks: Any, lengths: tuple[int, ...]) -> list[Rank]:
    """Spread a single rank over all axes, and check each against its axis' length."""
    each = list(ranks) if isinstance(ranks, list | tuple) else [ranks] * len(lengths)
    if len(each) != len(lengths):
        raise ValueError(
            f"ranks has {plural(len(each), 'value')}, but clips of shape {lengths} have "
            f"{plural(len(lengths), 'axis', 'axes')}: give one value per axis (None leaves an "
            "axis alone)."
        )
    for axis, (rank, length) in enumerate(zip(each, lengths, strict=True)):
        whole = isinstance(rank, int | np.integer) and not isinstance(rank, bool)
        share = isinstance(rank, SHARE) and 0 < rank < 1
        if not (rank is None or share or (whole and 1 <= rank <= length)):
            raise ValueError(
                f"ranks[{axis}] must be a whole number from 1 to {length} (the length of the "
                f"axis), a float between 0 and 1 or None, got {rank!r}."
            )
    return each
