"""The convolutions of MiniRocket and MultiRocket: kernels, biases, pooling."""

from __future__ import annotations

from itertools import combinations
from typing import Any, Literal, NamedTuple

import numba
import numpy as np
from numpy.typing import NDArray

from ..base import plural

LENGTH = 9
# A kernel has weight 2 at three places and -1 at the six others.
PLACES = np.array(list(combinations(range(LENGTH), 3)), dtype=np.int32)
_MOST_DILATIONS = 32
_MOST_CHANNELS = 9
_TYPES = [np.int32, np.int32, np.int64, np.int32, np.float32]  # of the parts of RocketKernels

POOLS = ("ppv", "longest", "mean", "place")  # as many columns of `transform` per bias, in order


class RocketKernels(NamedTuple):
    """Kernels drawn for series of one shape, with the biases that training series gave.

    Every dilation goes with all 84 kernels; such a pair reads some of the channels and has some
    biases. Pairs are counted dilation by dilation. `MiniRocket` and `MultiRocket` keep one of these
    for each order of differences, in ``kernels_``.

    Attributes
    ----------
    dilations : ndarray of int32, shape (n_dilations,)
        Points between two weights of a kernel.
    n_biases : ndarray of int32, shape (n_dilations,)
        Biases of each pair of a dilation.
    starts : ndarray of int64, shape (84 * n_dilations + 1,)
        Where the channels of a pair begin.
    channels : ndarray of int32
        What the pairs read, pair by pair.
    biases : ndarray of float32
        Pair by pair.
    """

    dilations: NDArray[np.int32]
    n_biases: NDArray[np.int32]
    starts: NDArray[np.int64]
    channels: NDArray[np.int32]
    biases: NDArray[np.float32]


def fit_kernels(
    series: NDArray[np.float32], n_kernels: int, random: np.random.RandomState
) -> RocketKernels:
    """Draw channels and, from quantiles of random training series' convolutions, biases.

    Parameters
    ----------
    series : ndarray of float32, shape (n_clips, n_channels, n_points)
        Training series, of `LENGTH` points at least.
    n_kernels : int
        Biases wanted, rounded down to a multiple of 84 (and 84 at least).
    random : numpy.random.RandomState
        Draws channels, then series.

    Returns
    -------
    kernels : RocketKernels
    """
    _, n_channels, n_points = series.shape
    dilations, n_biases = spread_dilations(n_points, max(n_kernels // len(PLACES), 1))
    n_pairs = len(PLACES) * len(dilations)
    exponent = np.log2(min(n_channels, _MOST_CHANNELS) + 1)
    counts = (2 ** random.uniform(0, exponent, n_pairs)).astype(np.int32)
    channels = [random.choice(n_channels, count, replace=False) for count in counts]
    kernels = RocketKernels(
        dilations,
        n_biases,
        np.concatenate(([0], np.cumsum(counts))),
        np.concatenate(channels).astype(np.int32),
        np.empty(0, np.float32),
    )
    return fit_biases(series, kernels, random)


def fit_biases(
    series: NDArray[np.float32], kernels: RocketKernels, random: np.random.RandomState
) -> RocketKernels:
    """Replace the biases by quantiles of other training series' convolutions."""
    n_biases = np.repeat(kernels.n_biases, len(PLACES))
    # A low-discrepancy sequence: quantiles of one pair are spread, and so are those of all.
    golden = (np.sqrt(5) + 1) / 2
    quantiles = (np.arange(1, n_biases.sum() + 1) * golden % 1).astype(np.float32)
    stops = np.cumsum(n_biases)
    drawn = random.randint(len(series), size=len(n_biases))
    biases = []
    for pair, (stop, count) in enumerate(zip(stops, n_biases, strict=True)):
        dilation = kernels.dilations[pair // len(PLACES)]
        channels = kernels.channels[kernels.starts[pair] : kernels.starts[pair + 1]]
        summed = series[drawn[pair], channels].sum(axis=0, dtype=np.float32)
        convolution = convolve(summed, pair % len(PLACES), dilation)
        biases.append(np.quantile(convolution, quantiles[stop - count : stop]))
    return kernels._replace(biases=np.concatenate(biases).astype(np.float32))


def spread_dilations(
    n_points: int, n_per_kernel: int
) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Spread a kernel's biases over dilations, exponentially spaced up to the series' length.

    Parameters
    ----------
    n_points : int
        Length of the series.
    n_per_kernel : int
        Biases of a kernel in all.

    Returns
    -------
    dilations : ndarray of int32
        Distinct, ascending.
    n_biases : ndarray of int32
        Of each; they sum to `n_per_kernel`.
    """
    n_dilations = min(n_per_kernel, _MOST_DILATIONS)
    largest = np.log2((n_points - 1) / (LENGTH - 1))
    exponents = np.logspace(0, largest, n_dilations, base=2).astype(np.int32)
    dilations, counts = np.unique(exponents, return_counts=True)
    n_biases = (counts * (n_per_kernel / n_dilations)).astype(np.int32)
    left = n_per_kernel - n_biases.sum()
    n_biases += left // len(n_biases) + (np.arange(len(n_biases)) < left % len(n_biases))
    return dilations, n_biases.astype(np.int32)


def convolve(series: NDArray[np.float32], kernel: int, dilation: int) -> NDArray[np.float32]:
    """Convolve one series with one kernel, zeros around it."""
    n_points, reach = len(series), LENGTH // 2 * int(dilation)
    padded = np.pad(series, reach)
    shifted = np.stack([padded[i * dilation :][:n_points] for i in range(LENGTH)])
    return np.asarray(3 * shifted[PLACES[kernel]].sum(axis=0) - shifted.sum(axis=0))


def transform(
    series: NDArray[np.float32], kernels: RocketKernels, pooling: Literal["ppv", "all"] = "ppv"
) -> NDArray[np.float32]:
    """Describe series by what their convolutions do above each bias.

    Parameters
    ----------
    series : ndarray of float32, shape (n_clips, n_channels, n_points)
    kernels : RocketKernels
        From `fit_kernels` on series of as many channels.
    pooling : {"ppv", "all"}, default="ppv"
        The share of points above the bias ("proportion of positive values") alone, or all of
        `POOLS`.

    Returns
    -------
    features : ndarray of float32, shape (n_clips, n_biases) or (n_clips, 4 * n_biases)
        All biases of one pool, then of the next.

    Raises
    ------
    ValueError
        If the kernels are not for such series.
    """
    kernels = _checked_kernels(kernels, *series.shape[1:])
    n_pools = 1 if pooling == "ppv" else len(POOLS)
    features = np.zeros((len(series), n_pools, len(kernels.biases)), dtype=np.float32)
    for row, clip in enumerate(series):
        _transform(np.ascontiguousarray(clip), PLACES, *kernels, features[row])
    return features.reshape(len(series), -1)


def _checked_kernels(kernels: RocketKernels, n_channels: int, n_points: int) -> RocketKernels:
    """Check all that compiled code relies on: kernels may come from a file of anybody's."""
    # Masked arrays hold more than comparing them shows: what is compiled reads what is checked.
    arrays: list[Any] = [
        np.asarray(p) for p in kernels if isinstance(p, np.ndarray) and p.ndim == 1
    ]
    if [p.dtype for p in arrays] != _TYPES or not _in_bounds(
        checked := RocketKernels(*arrays), n_channels, n_points
    ):
        raise ValueError(
            f"Expected kernels for series of {plural(n_channels, 'channel')} and "
            f"{plural(n_points, 'point')}, found others. Fit again, or get the model again."
        )
    return checked


def _in_bounds(kernels: RocketKernels, n_channels: int, n_points: int) -> bool:
    dilations, n_biases, starts, channels, biases = kernels
    return bool(
        len(dilations) == len(n_biases)
        and len(starts) == len(PLACES) * len(dilations) + 1
        and np.all(dilations >= 1)
        and np.all(dilations <= (n_points - 1) // (LENGTH - 1))
        and np.all(n_biases >= 0)
        and len(PLACES) * n_biases.sum(dtype=np.int64) == len(biases)
        and starts[0] == 0
        and starts[-1] == len(channels)
        and np.all(starts[1:] >= starts[:-1])
        and np.all((channels >= 0) & (channels < n_channels))
    )


@numba.njit(cache=True, nogil=True)
def _transform(series, places, dilations, n_biases, starts, channels, biases, features):  # type: ignore[no-untyped-def]
    n_channels, n_points = series.shape
    convolution = np.empty(n_points, np.float32)
    total = np.empty(n_points, np.float32)
    pair = bias = 0
    for step in range(len(dilations)):
        dilation = dilations[step]
        reach = LENGTH // 2 * dilation
        padded = np.zeros((n_channels, n_points + 2 * reach), np.float32)
        padded[:, reach : reach + n_points] = series
        # What all kernels of this dilation have in common: the sum under the nine weights.
        common = np.zeros((n_channels, n_points), np.float32)
        for channel in range(n_channels):
            for weight in range(LENGTH):
                for point in range(n_points):
                    common[channel, point] += padded[channel, point + weight * dilation]
        summed = np.empty(n_points + 2 * reach, np.float32)
        for kernel in range(len(places)):
            summed[:] = 0
            total[:] = 0
            for channel in channels[starts[pair] : starts[pair + 1]]:
                for point in range(len(summed)):
                    summed[point] += padded[channel, point]
                for point in range(n_points):
                    total[point] += common[channel, point]
            first = places[kernel, 0] * dilation
            second = places[kernel, 1] * dilation
            third = places[kernel, 2] * dilation
            for point in range(n_points):
                three = summed[point + first] + summed[point + second] + summed[point + third]
                convolution[point] = np.float32(3) * three - total[point]
            # Every other pair leaves out the ends, where the kernel reaches into the zeros.
            inner = reach if (step + kernel) % 2 else 0
            kept = convolution[inner : n_points - inner]
            for _ in range(n_biases[step]):
                if len(features) == 1:
                    features[0, bias] = _share_above(kept, biases[bias])
                else:
                    _pool(kept, biases[bias], features[:, bias])
                bias += 1
            pair += 1


@numba.njit(cache=True, nogil=True)
def _share_above(convolution, bias):  # type: ignore[no-untyped-def]
    count = 0
    for value in convolution:
        count += value > bias
    return np.float32(count / len(convolution))


@numba.njit(cache=True, nogil=True)
def _pool(convolution, bias, pooled):  # type: ignore[no-untyped-def]
    """Take the share, longest stretch, mean and mean place of what is above a bias."""
    count = longest = before = places = 0
    total = np.float32(0)
    for point in range(len(convolution)):
        value = convolution[point]
        if value > bias:
            count += 1
            places += point
            total += value + bias
        elif value < bias:
            longest = max(longest, point - before)
            before = point
    pooled[0] = count / len(convolution)
    pooled[1] = max(longest, len(convolution) - 1 - before)
    pooled[2] = total / count if count else 0
    pooled[3] = places / count if count else -1
