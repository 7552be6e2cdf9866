"""Partial Tucker decomposition of stacked clips."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator, Sequence
from functools import reduce
from numbers import Integral, Real
from typing import Any, Self

import numpy as np
import scipy.linalg
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, TransformerMixin, _fit_context
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import Tags
from sklearn.utils._param_validation import Interval, RealNotInt
from sklearn.utils.validation import check_array, check_is_fitted

from .._threads import one_blas_thread
from ..base import FLOATS, check_clips, check_input_names, missing_clips

Rank = int | float | None
Factor = NDArray[np.float64] | None

_SHARE = float | np.floating  # the type of a rank that is a share of the energy

# Clips are taken in blocks of about this many bytes (as float64), so that working memory stays
# small beside the input, which may be mapped from disk.
_BLOCK_BYTES = 2**24


class PartialTucker(TransformerMixin, BaseEstimator):
    """Compress every axis of stacked clips but the first by a linear map learnt from them.

    The clips, stacked into one tensor, are approximated by a smaller core tensor with one
    orthonormal factor matrix per axis; the axis of the clips is left alone, so that unseen clips
    can be projected on the fitted factors. The result is flattened into rows.

    Parameters
    ----------
    ranks : int, float, None or sequence of these, default=0.95
        Size of the core along each axis but the clips': an int; a float in (0, 1), the smallest
        size that holds this share of the axis' energy; or None, which leaves the axis alone.
        A single value goes for every axis.
    tol : float, default=1e-4
        Stop once the relative reconstruction error changes by less than this.
    max_iter : int, default=100
        Sweeps over the axes at the most.

    Attributes
    ----------
    factors_ : list of ndarray of shape (length of the axis, rank) or None
        Orthonormal columns, each with its largest entry positive; None for an axis left alone.
    ranks_ : tuple of int
        Shape of a clip's core.
    reconstruction_error_ : float
        Norm of what is lost of the training clips, relative to theirs.
    n_iter_ : int
        Sweeps over the axes.
    n_features_in_ : int
        Second axis of X at fit.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Column names of X at fit, where it had any.
    clip_shape_ : tuple of int
        Shape of a clip at fit.

    See Also
    --------
    sklearn.decomposition.TruncatedSVD : What this is for a table.

    Notes
    -----
    Higher-order orthogonal iteration [1]_, started from the higher-order SVD [2]_. Each factor is
    found from the Gram matrix of its unfolding, summed in float64 over blocks of clips; the tensor
    is never unfolded as a whole. Within a sweep, projections that several axes need are shared
    by halving the set of axes again and again [3]_.

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
    }

    def __init__(
        self,
        ranks: Rank | Sequence[Rank] = 0.95,
        tol: float = 1e-4,
        max_iter: int = 100,
    ) -> None:
        self.ranks = ranks
        self.tol = tol
        self.max_iter = max_iter

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: Any, y: Any = None) -> Self:
        """Learn the factors.

        Parameters
        ----------
        X : array-like of shape (n_clips, ...) or (n_clips, n_features)
            Clips of one shape. A memory map is read block by block. Clips that are missing, which
            is NaN throughout, are left out.
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
                X, ranks, self.tol, self.max_iter
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
            Clips of the shape at fit; what is NaN throughout stays NaN.

        Returns
        -------
        cores : ndarray of shape (n_clips, n_components)
            Each clip's core, flattened; `n_components` is the product of `ranks_`. float32 for
            float32 clips, else float64.
        """
        check_is_fitted(self)
        X = check_clips(self, X, reset=False, allow_missing=True)
        with one_blas_thread():
            cores = _project(X, self.factors_, range(len(self.factors_)))
        cores = cores.reshape(len(X), -1).astype(X.dtype, copy=False)
        cores[missing_clips(X)] = np.nan
        return cores

    def inverse_transform(self, X: Any) -> NDArray[Any]:
        """Rebuild clips from their cores.

        Parameters
        ----------
        X : array-like of shape (n_clips, n_components)
            What `transform` returned.

        Returns
        -------
        clips : ndarray of shape (n_clips, ...)
            Of the shape at fit.
        """
        check_is_fitted(self)
        X = check_array(X, dtype=list(FLOATS))
        if X.shape[1] != math.prod(self.ranks_):
            raise ValueError(
                f"Expected {math.prod(self.ranks_)} columns, one per entry of a core of shape "
                f"{self.ranks_}, got {X.shape[1]}."
            )
        clips = X.reshape(len(X), *self.ranks_)
        for axis, factor in enumerate(self.factors_):
            if factor is not None:
                clips = _multiply(clips, factor.T, axis + 1)
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


def partial_tucker(
    clips: NDArray[Any], ranks: Sequence[Rank], tol: float = 1e-4, max_iter: int = 100
) -> tuple[list[Factor], float, int]:
    """Decompose stacked clips along every axis but the first; see `PartialTucker`.

    Parameters
    ----------
    clips : ndarray of float, shape (n_clips, ...)
        Clips of one shape.
    ranks : sequence of int, float or None
        Per axis but the first.
    tol : float, default=1e-4
        Change of the relative reconstruction error at which to stop.
    max_iter : int, default=100
        Sweeps over the axes at the most.

    Returns
    -------
    factors : list of ndarray of shape (length, rank) or None
        Per axis but the first.
    reconstruction_error : float
        Relative.
    n_iter : int
    """
    reduced = [axis for axis, rank in enumerate(ranks) if rank is not None]
    # The first axis' factor is replaced before it is ever used; only a share of its energy makes
    # its spectrum worth knowing.
    known = [axis for axis in reduced if axis > reduced[0] or isinstance(ranks[axis], _SHARE)]
    grams = dict(zip(known, _grams(clips, known), strict=True))
    energy = float(np.trace(grams[known[-1]])) if known else _energy(clips)
    if not reduced or not energy:
        eyes = [None if r is None else np.eye(n, _rank(r, np.ones(1))) for n, r in
                zip(clips.shape[1:], ranks, strict=True)]  # fmt: skip
        return list(eyes), 0.0, 1

    factors: list[Factor] = [None] * len(ranks)
    sizes: dict[int, int] = {}
    for axis in reduced:
        if axis not in grams:
            sizes[axis] = _rank(ranks[axis], np.ones(1))
            continue
        values, vectors = _spectrum(grams[axis])
        sizes[axis] = _rank(ranks[axis], values)
        factors[axis] = vectors[:, : sizes[axis]]

    kept = 0.0

    def update(partial: NDArray[Any], axes: list[int]) -> None:
        """Replace the factors of axes, given clips that are projected on all the others'."""
        nonlocal kept
        if len(axes) == 1:
            values, vectors = _spectrum(*_grams(partial, axes))
            factors[axes[0]] = vectors[:, : sizes[axes[0]]]
            kept = float(values[: sizes[axes[0]]].sum())
            return
        first, second = axes[: len(axes) // 2], axes[len(axes) // 2 :]
        update(_project(partial, factors, second), first)
        update(_project(partial, factors, first), second)

    errors: list[float] = []
    for _ in range(max_iter):
        update(clips, reduced)
        errors.append(math.sqrt(max(energy - kept, 0.0) / energy))
        # With one axis there is nothing to alternate with. The third sweep is the first that may
        # be the last, as in TensorLy.
        if len(reduced) == 1 or (len(errors) > 2 and abs(errors[-2] - errors[-1]) < tol):
            break
    else:
        if len(errors) < 2 or abs(errors[-2] - errors[-1]) >= tol:
            warnings.warn(
                f"PartialTucker did not converge within {max_iter} sweeps: increase max_iter or "
                "tol.",
                ConvergenceWarning,
                stacklevel=3,
            )
    return [_fix_signs(factor) for factor in factors], errors[-1], len(errors)


def _check_ranks(ranks: Any, lengths: tuple[int, ...]) -> list[Rank]:
    """Spread a single rank over all axes, and check each against its axis' length."""
    each = list(ranks) if isinstance(ranks, list | tuple) else [ranks] * len(lengths)
    if len(each) != len(lengths):
        raise ValueError(
            f"ranks has {len(each)} values, but clips of shape {lengths} have {len(lengths)} axes: "
            "give one value per axis (None leaves an axis alone)."
        )
    for axis, (rank, length) in enumerate(zip(each, lengths, strict=True)):
        whole = isinstance(rank, int | np.integer) and not isinstance(rank, bool)
        share = isinstance(rank, _SHARE) and 0 < rank < 1
        if not (rank is None or share or (whole and 1 <= rank <= length)):
            raise ValueError(
                f"ranks[{axis}] must be a whole number from 1 to {length} (the length of the "
                f"axis), a float between 0 and 1 or None, got {rank!r}."
            )
    return each


def _rank(rank: Rank, values: NDArray[np.float64]) -> int:
    """Turn a share of the energy into a number of components."""
    if not isinstance(rank, _SHARE):
        return int(rank or 0)
    shares = np.cumsum(values) / values.sum()
    return min(int(np.searchsorted(shares, rank - 1e-12)) + 1, len(values))


def _blocks(clips: NDArray[Any]) -> Iterator[NDArray[Any]]:
    step = max(1, _BLOCK_BYTES // max(8 * math.prod(clips.shape[1:]), 1))
    for start in range(0, len(clips), step):
        block = np.asarray(clips[start : start + step])
        missing = missing_clips(block)
        if missing.any():
            # A clip of zeros adds nothing to any sum.
            block = block.copy()
            block[missing] = 0
        yield block


def _energy(clips: NDArray[Any]) -> float:
    return sum(float(np.vdot(b, b)) for b in (b.astype(np.float64) for b in _blocks(clips)))


def _grams(clips: NDArray[Any], axes: Sequence[int]) -> list[NDArray[np.float64]]:
    """Give the Gram matrix of the unfolding along each of some axes, in one pass."""
    grams = [np.zeros((clips.shape[axis + 1],) * 2) for axis in axes]
    for block in _blocks(clips) if axes else ():
        exact = block.astype(np.float64, copy=False)
        for axis, gram in zip(axes, grams, strict=True):
            unfolded = np.moveaxis(exact, axis + 1, 0).reshape(len(gram), -1)
            gram += unfolded @ unfolded.T
    return grams


def _spectrum(gram: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Give the eigenvalues and -vectors of a Gram matrix, largest first."""
    values, vectors = scipy.linalg.eigh(gram)
    return np.maximum(values[::-1], 0.0), vectors[:, ::-1]


def _project(clips: NDArray[Any], factors: Sequence[Factor], axes: Sequence[int]) -> NDArray[Any]:
    """Multiply clips by the factors of some axes, the strongest reduction first."""
    # In the clips' own precision; what is summed over clips is summed in float64.
    order = sorted(
        (
            (axis + 1, factor.astype(clips.dtype))
            for axis in axes
            if (factor := factors[axis]) is not None
        ),
        key=lambda pair: pair[1].shape[1] / pair[1].shape[0],
    )
    return np.concatenate(
        [
            reduce(lambda part, step: _multiply(part, step[1], step[0]), order, block)
            for block in _blocks(clips)
        ]
    )


def _multiply(clips: NDArray[Any], matrix: NDArray[Any], axis: int) -> NDArray[Any]:
    """Map an axis of length n to one of length r by a matrix of shape (n, r)."""
    shape = clips.shape
    before, after = math.prod(shape[:axis]), math.prod(shape[axis + 1 :])
    product = matrix.T @ clips.reshape(before, shape[axis], after)
    return product.reshape(*shape[:axis], matrix.shape[1], *shape[axis + 1 :])


def _fix_signs(factor: Factor) -> Factor:
    if factor is None:
        return None
    largest = factor[np.abs(factor).argmax(axis=0), np.arange(factor.shape[1])]
    return factor * np.where(largest < 0, -1.0, 1.0)
