"""Summaries of a clip's descriptors: numbers of a fixed count, however long the clip.

Arrays of descriptors have the shape (n_curves, n_frames).
"""

from __future__ import annotations

from functools import lru_cache

import numba
import numpy as np
import scipy.fft
from numpy.typing import NDArray

STATISTICS = ("mean", "std", "p05", "p25", "p50", "p75", "p95", "range", "iqr", "skewness",
              "kurtosis", "slope", "curvature")  # fmt: skip
# The last two are of the course in time. Derivatives go without.
N_STILL = 11
_PERCENTILES = np.array([5.0, 25.0, 50.0, 75.0, 95.0])
_MIN_FRAMES = 4

CONTOUR_POINTS = 64
# Of the modulation spectrum: 512 points of 10 ms, of which speech fills 256 at most.
MODULATION_BANDS = ((0.3, 1), (1, 2), (2, 4), (4, 8), (8, 16), (16, 32), (32, 50))  # Hz
_N_FFT = 512
_MAX_MODULATED = 256
_MODULATION_BINS = [np.searchsorted(np.fft.rfftfreq(_N_FFT, 0.01), b) for b in MODULATION_BANDS]

TIMING = (
    "n-frames", "log-n-frames", "voiced-share", "n-voiced", "peaks-per-frame", "voices-per-frame",
    "voice-length_mean", "voice-length_std", "voice-length_max",
    "gap-length_mean", "gap-length_std", "gap-length_max", "pause-share", "loudest-at",
)  # fmt: skip
# Peaks of loudness count as syllables where they are higher than this share of its mean; frames
# are pauses where their power is below its 95th percentile by more than this, in nepers of power.
_SYLLABLE = 0.7
_PAUSE = 6.0
_SMOOTHING = np.hanning(9) / np.hanning(9).sum()


def statistics(curves: NDArray[np.float64], course: bool = True) -> NDArray[np.float64]:
    """Summarize the values of curves.

    Parameters
    ----------
    curves : ndarray of shape (n_curves, n_frames)
        Of one frame or more; fewer than four count four times each.
    course : bool, default=True
        Whether to give slope and curvature, too: the correlations with a line and a parabola over
        all frames, times the deviation.

    Returns
    -------
    ndarray of shape (n_statistics, n_curves)
        13 as `STATISTICS` names them, or the first 11.
    """
    if curves.shape[1] < _MIN_FRAMES:
        curves = np.repeat(curves, _MIN_FRAMES, axis=1)
    n_frames = curves.shape[1]
    result = np.empty((len(STATISTICS) if course else N_STILL, len(curves)))
    before, after, share = _places(n_frames)
    ordered = np.sort(curves, axis=1)
    lower = ordered[:, before]
    result[2:7] = (lower + (ordered[:, after] - lower) * share).T
    result[7] = result[6] - result[2]
    result[8] = result[5] - result[3]
    _take_moments(curves, result[0], result[1], result[9], result[10])
    if course:
        result[N_STILL:] = _trends(n_frames) @ curves.T
    return result


def derivative(curves: NDArray[np.float64]) -> NDArray[np.float64]:
    """Differentiate curves by frames: slopes of lines fitted to 5 frames at a time."""
    padded = np.empty((len(curves), curves.shape[1] + 4))
    padded[:, 2:-2] = curves
    padded[:, :2], padded[:, -2:] = curves[:, :1], curves[:, -1:]
    near, far = padded[:, 3:-1] - padded[:, 1:-3], padded[:, 4:] - padded[:, :-4]
    return np.asarray((near + 2 * far) / 10)


def contours(curves: NDArray[np.float64], n_coefficients: int) -> NDArray[np.float64]:
    """Return the first cosine coefficients of curves that are stretched to 64 points.

    Returns
    -------
    ndarray of shape (n_coefficients, n_curves)
    """
    last = curves.shape[1] - 1
    place = np.linspace(0, last, CONTOUR_POINTS)
    before = place.astype(np.intp)
    after = place - before
    points = (1 - after) * curves[:, before] + after * curves[:, np.minimum(before + 1, last)]
    coefficients = scipy.fft.dct(points, norm="ortho", axis=1)[:, :n_coefficients]
    return np.asarray(coefficients.T / np.sqrt(CONTOUR_POINTS))


def modulation(bands: NDArray[np.float64]) -> NDArray[np.float64]:
    """Measure how fast the levels of bands go up and down.

    Parameters
    ----------
    bands : ndarray of shape (n_bands, n_frames)
        Logarithms of power, of which 2.56 s are looked at.

    Returns
    -------
    ndarray of shape (7, n_bands + 1)
        Logarithms of the power in octaves of modulation frequency; the last column is how they
        differ from the bands' means over all octaves, on average.
    """
    centred = (bands - bands.mean(axis=1, keepdims=True))[:, :_MAX_MODULATED]
    n_frames = centred.shape[1]
    spectrum = scipy.fft.rfft(centred * np.hanning(n_frames), _N_FFT, axis=1)
    power = (spectrum.real**2 + spectrum.imag**2) / n_frames
    octaves = np.stack([power[:, low:high].mean(axis=1) for low, high in _MODULATION_BINS])
    levels = np.log(octaves + 1e-6)
    overall = (levels - levels.mean(axis=0)).mean(axis=1, keepdims=True)
    return np.hstack([levels, overall])


def thirds(curves: NDArray[np.float64]) -> NDArray[np.float64]:
    """Average curves over the first, the second and the last third of the clip.

    Returns
    -------
    ndarray of shape (3, n_curves)
        0 for a third without a frame.
    """
    parts = np.array_split(curves, 3, axis=1)
    return np.stack([part.mean(axis=1) if part.shape[1] else np.zeros(len(part)) for part in parts])


def timing(
    voiced: NDArray[np.bool_], loudness: NDArray[np.float64], energy: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Measure length, voice, pauses and rate of a clip.

    Parameters
    ----------
    voiced : ndarray of bool, shape (n_frames,)
    loudness : ndarray of shape (n_frames,)
    energy : ndarray of shape (n_frames,)
        Logarithms of power.

    Returns
    -------
    ndarray of shape (14,)
        As `TIMING` names them; lengths in frames.
    """
    n_frames = len(voiced)
    half = len(_SMOOTHING) // 2
    smooth = np.convolve(loudness, _SMOOTHING)[half : half + n_frames]
    middle = smooth[1:-1]
    peaks = (middle > smooth[:-2]) & (middle >= smooth[2:]) & (middle > smooth.mean() * _SYLLABLE)
    changes = np.diff(np.concatenate([[0], voiced.astype(np.intp), [0]]))
    begins, ends = np.flatnonzero(changes == 1), np.flatnonzero(changes == -1)
    voices = ends - begins if len(begins) else np.zeros(1)
    gaps = begins[1:] - ends[:-1] if len(begins) > 1 else np.zeros(1)
    return np.array(
        [
            n_frames,
            np.log(n_frames),
            voiced.mean(),
            voiced.sum(),
            peaks.sum() / n_frames,
            len(begins) / n_frames,
            *(
                summary(lengths)
                for lengths in (voices, gaps)
                for summary in (np.mean, np.std, np.max)
            ),
            (energy < np.percentile(energy, 95) - _PAUSE).mean(),
            smooth.argmax() / n_frames,
        ]
    )


@lru_cache(maxsize=64)
def _places(n_frames: int) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.float64]]:
    """Find the ordered values that percentiles lie between, and the distance from the lower one."""
    place = _PERCENTILES / 100 * (n_frames - 1)
    before = place.astype(np.intp)
    return before, np.minimum(before + 1, n_frames - 1), place - before


@lru_cache(maxsize=64)
def _trends(n_frames: int) -> NDArray[np.float64]:
    """Return a line and a parabola, of norm 1 and divided by the root of the number of frames."""
    time = np.linspace(-1, 1, n_frames)
    trends = np.stack([time, time**2 - (time**2).mean()])
    trends /= np.linalg.norm(trends, axis=1, keepdims=True) * np.sqrt(n_frames)
    return trends


# Compiled, as NumPy would make temporary arrays of all curves at each power.
@numba.njit(cache=True, nogil=True, fastmath={"reassoc", "nsz"})
def _take_moments(curves, mean, std, skewness, kurtosis):  # type: ignore[no-untyped-def]
    n_frames = curves.shape[1]
    for c in range(len(curves)):
        total = 0.0
        for f in range(n_frames):
            total += curves[c, f]
        mean[c] = total / n_frames
        second = 0.0
        for f in range(n_frames):
            second += (curves[c, f] - mean[c]) ** 2
        # The summand keeps constant curves from a division by zero.
        std[c] = np.sqrt(second / n_frames) + 1e-9
        third = fourth = 0.0
        for f in range(n_frames):
            score = (curves[c, f] - mean[c]) / std[c]
            cube = score * score * score
            third += cube
            fourth += cube * score
        skewness[c] = third / n_frames
        kurtosis[c] = fourth / n_frames
