"""The numerics of partial Tucker decompositions, on stacked clips."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import reduce
from typing import Any

import joblib
import numpy as np
import scipy.linalg
from numpy.typing import DTypeLike, NDArray
from sklearn.exceptions import ConvergenceWarning

from ..base import missing_clips, plural

Rank = int | float | None
Factor = NDArray[np.float64] | None

SHARE = float | np.floating  # the type of a rank that is a share of the energy

# Clips are taken in blocks of about this many bytes (as float64), so that working memory stays
# small compared with the input, which may be mapped from disk.
_BLOCK_BYTES = 2**24


def partial_tucker(
    clips: NDArray[Any],
    ranks: Sequence[Rank],
    tol: float = 1e-4,
    max_iter: int = 100,
    n_jobs: int | None = None,
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
        Maximum number of sweeps over the axes.
    n_jobs : int, default=None
        Number of threads, each of which takes a block of clips at a time.

    Returns
    -------
    factors : list of ndarray of shape (length, rank) or None
        Per axis but the first.
    reconstruction_error : float
        Relative.
    n_iter : int
    """
    reduced = [axis for axis, rank in enumerate(ranks) if rank is not None]
    # The first axis' factor is replaced before it is used: its spectrum is needed only to find the
    # rank for a share of its energy.
    known = [axis for axis in reduced if axis > reduced[0] or isinstance(ranks[axis], SHARE)]
    grams = dict(zip(known, _grams(clips, known, n_jobs, clips.dtype), strict=True))
    energy = _energy(clips, n_jobs)
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
        """Replace the factors of axes, given clips projected on all other factors."""
        nonlocal kept
        if len(axes) == 1:
            # Small by now. In double precision, since the error is what they leave over.
            values, vectors = _spectrum(*_grams(partial, axes, n_jobs, np.float64))
            factors[axes[0]] = vectors[:, : sizes[axes[0]]]
            kept = float(values[: sizes[axes[0]]].sum())
            return
        first, second = axes[: len(axes) // 2], axes[len(axes) // 2 :]
        update(project(partial, factors, second, n_jobs), first)
        update(project(partial, factors, first, n_jobs), second)

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
                f"PartialTucker did not converge within {plural(max_iter, 'sweep')}: increase "
                "max_iter or tol.",
                ConvergenceWarning,
                stacklevel=3,
            )
    return [_fix_signs(factor) for factor in factors], errors[-1], len(errors)


def _rank(rank: Rank, values: NDArray[np.float64]) -> int:
    """Turn a share of the energy into a number of components."""
    if not isinstance(rank, SHARE):
        return int(rank or 0)
    shares = np.cumsum(values) / values.sum()
    return min(int(np.searchsorted(shares, rank - 1e-12)) + 1, len(values))


def _each_block(
    function: Callable[[NDArray[Any]], Any], clips: NDArray[Any], n_jobs: int | None
) -> Iterator[Any]:
    """Call a function for each block of clips, and give the results in the order of the blocks."""
    step = max(1, _BLOCK_BYTES // max(8 * math.prod(clips.shape[1:]), 1))
    starts = range(0, len(clips), step)

    def call(start: int) -> Any:
        block = np.asarray(clips[start : start + step])
        missing = missing_clips(block)
        if missing.any():
            # A clip of zeros adds nothing to any sum.
            block = block.copy()
            block[missing] = 0
        return function(block)

    n_threads = min(joblib.effective_n_jobs(n_jobs), joblib.cpu_count(), len(starts))
    if n_threads == 1:
        yield from map(call, starts)
        return
    # A block takes milliseconds: what joblib adds to each would be most of what threads save.
    with ThreadPoolExecutor(n_threads) as pool:
        yield from pool.map(call, starts)


def _energy(clips: NDArray[Any], n_jobs: int | None) -> float:
    def energy(block: NDArray[Any]) -> float:
        # Row by row in the clips' own precision, so that it is as exact as their values.
        flat = block.reshape(-1)
        rows, rest = np.split(flat, [len(flat) // _ROW * _ROW])
        rows = rows.reshape(-1, _ROW)
        total = np.einsum("ij,ij->i", rows, rows).sum(dtype=np.float64)
        return float(total) + float(np.square(rest, dtype=np.float64).sum())

    return sum(_each_block(energy, clips, n_jobs))


def _grams(
    clips: NDArray[Any], axes: Sequence[int], n_jobs: int | None, dtype: DTypeLike
) -> list[NDArray[np.float64]]:
    """Return the Gram matrix of the unfolding along each of some axes, in one pass.

    Those of blocks are computed in the given precision, and summed in float64.
    """

    def grams_of(block: NDArray[Any]) -> list[NDArray[Any]]:
        block = block.astype(dtype, copy=False)
        return [_gram(block, axis + 1) for axis in axes]

    grams = [np.zeros((clips.shape[axis + 1],) * 2) for axis in axes]
    for parts in _each_block(grams_of, clips, n_jobs) if axes else ():
        for gram, part in zip(grams, parts, strict=True):
            gram += part
    return grams


def _gram(block: NDArray[Any], axis: int) -> NDArray[Any]:
    length = block.shape[axis]
    after = math.prod(block.shape[axis + 1 :])
    if after == 1:
        unfolded = block.reshape(-1, length).T
    elif after < _LONG:
        unfolded = np.moveaxis(block, axis, 0).reshape(length, -1)
    else:  # without a copy in another order
        parts = block.reshape(-1, length, after)
        products: NDArray[Any] = np.matmul(parts, parts.transpose(0, 2, 1))
        return products.sum(axis=0, dtype=np.float64)
    product: NDArray[Any] = unfolded @ unfolded.T
    return product


_ROW = 1024
_LONG = 512  # values, so many that their products take longer than the overhead of a call


def _spectrum(gram: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the eigenvalues and -vectors of a Gram matrix, largest first."""
    values, vectors = scipy.linalg.eigh(gram)
    return np.maximum(values[::-1], 0.0), vectors[:, ::-1]


def project(
    clips: NDArray[Any], factors: Sequence[Factor], axes: Sequence[int], n_jobs: int | None = None
) -> NDArray[Any]:
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

    def projected(block: NDArray[Any]) -> NDArray[Any]:
        return reduce(lambda part, step: multiply(part, step[1], step[0]), order, block)

    return np.concatenate(list(_each_block(projected, clips, n_jobs)))


def multiply(clips: NDArray[Any], matrix: NDArray[Any], axis: int) -> NDArray[Any]:
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
