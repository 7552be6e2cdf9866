"""Acoustic descriptors, frame by frame, from one shared spectrum; librosa's values.

Arrays are laid out as librosa's: a spectrum of magnitudes, or of power, their squares, has the
shape (n_bins, n_frames); what is computed of it, (n_values, n_frames).
"""

from __future__ import annotations

import math
from functools import lru_cache
from itertools import pairwise
from typing import Any

import librosa
import numba
import numpy as np
import scipy.fft
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

_N_CHROMA = 12
# Spectral contrast: edges of the octave bands in Hz, and the share of a band's bins that make up
# its peak and its valley.
_BAND_EDGES = (0, 200, 400, 800, 1600, 3200, 6400, 12800)
_SHARE = 0.02
_EDGES = np.linspace(-0.5, 0.5, 101)  # of the bins of a tuning, in semitones
DELTA_WIDTH = 9  # frames, librosa's default


def mel_spectrum(
    power: NDArray[Any], n_mels: int, sample_rate: int, frame_length: int
) -> NDArray[Any]:
    """Sum the power under triangular filters spaced on the mel scale.

    Equals `librosa.feature.melspectrogram`.
    """
    weights, first, stop = _mel_filters(n_mels, sample_rate, frame_length)
    mel = np.zeros((n_mels, power.shape[1]), dtype=power.dtype)
    _apply_filters(power, weights, first, stop, mel)
    return mel


def mfcc(mel: NDArray[Any], n_mfcc: int) -> NDArray[Any]:
    """Return the first cepstral coefficients of a mel spectrum; equals `librosa.feature.mfcc`."""
    # As a product, which computes these coefficients alone.
    coefficients: NDArray[Any] = _cosines(n_mfcc, len(mel)).astype(mel.dtype) @ _decibels(mel)
    return coefficients


def chroma(power: NDArray[Any], sample_rate: int, frame_length: int) -> NDArray[Any]:
    """Sum the power by pitch class, the loudest class of each frame being 1.

    Equals `librosa.feature.chroma_stft`, its estimate of the clip's tuning included.
    """
    tuning = estimate_tuning(power, sample_rate, frame_length)
    classes = _chroma_filters(tuning, sample_rate, frame_length) @ power
    normalized: NDArray[Any] = librosa.util.normalize(classes, axis=0)
    return normalized


def estimate_tuning(power: NDArray[Any], sample_rate: int, frame_length: int) -> float:
    """Estimate a clip's deviation from A440, in semitones; equals `librosa.estimate_tuning`."""
    frequencies = librosa.fft_frequencies(sr=sample_rate, n_fft=frame_length)
    first, stop = np.searchsorted(frequencies, (150.0, min(4000.0, sample_rate / 2)))
    first, stop = max(first, 1), min(stop, len(power) - 1)
    # Of two neighbours, one at most is a peak.
    pitches = np.empty(max(stop - first + 1, 0) // 2 * power.shape[1], dtype=power.dtype)
    heights = np.empty_like(pitches)
    n_peaks = _find_peaks(
        power, first, stop, float(sample_rate), frame_length, pitches, heights
    )  # fmt: skip
    if not n_peaks:
        return 0.0
    pitches, heights = pitches[:n_peaks], heights[:n_peaks]
    # The quieter half of the peaks is left out. The others lie so many semitones off A440's scale:
    loud = pitches[heights >= np.median(heights)]
    deviation = _N_CHROMA * librosa.hz_to_octs(loud)
    deviation -= np.floor(deviation)
    deviation[deviation >= 0.5] -= 1.0
    # `librosa.pitch_tuning` has it from `numpy.histogram`, which sorts all of them first. A bin's
    # number is computed, and corrected where rounding has put it on the wrong side of an edge.
    bins = np.minimum(((deviation + 0.5) * (len(_EDGES) - 1)).astype(np.intp), len(_EDGES) - 2)
    bins += deviation >= _EDGES[bins + 1]
    bins -= deviation < _EDGES[bins]
    return float(_EDGES[np.bincount(bins).argmax()])


def contrast(magnitude: NDArray[Any], sample_rate: int, frame_length: int) -> NDArray[Any]:
    """Compare peaks with valleys in octave bands, in dB.

    Equals `librosa.feature.spectral_contrast`.
    """
    first, stop, count = _bands(sample_rate, frame_length)
    peaks = np.empty((len(first), magnitude.shape[1]))
    valleys = np.empty_like(peaks)
    _extremes(magnitude, first, stop, count, peaks, valleys)
    return _decibels(peaks) - _decibels(valleys)


def derivative(curves: NDArray[Any], order: int) -> NDArray[Any]:
    """Differentiate curves by frames: slopes of polynomials fitted to 9 frames at a time.

    Equals `librosa.feature.delta`. A clip of fewer frames, which librosa refuses, gets one
    polynomial of the same degree fitted to all of them; where they are too few for it, 0.
    """
    n_frames = curves.shape[1]
    if n_frames >= DELTA_WIDTH:
        smooth: NDArray[Any] = librosa.feature.delta(curves, width=DELTA_WIDTH, order=order)
        return smooth
    if n_frames <= order:
        return np.zeros_like(curves)
    leading = np.polyfit(np.arange(n_frames), curves.T, order)[0]
    return np.repeat(math.factorial(order) * leading[:, np.newaxis], n_frames, axis=1)


def zero_crossing_rate(
    waveform: NDArray[Any], frame_length: int, hop_length: int
) -> NDArray[np.float64]:
    """Return the share of samples before which the sign changes.

    Equals `librosa.feature.zero_crossing_rate`.
    """
    # Down to this, a sample counts as zero, which is positive.
    negative = waveform < -1e-10
    half = frame_length // 2
    crossings = np.zeros(len(waveform) + 2 * half, dtype=bool)
    crossings[half + 1 : half + len(waveform)] = negative[1:] != negative[:-1]
    # Counted once for all frames. A frame's first sample has none before it.
    total = crossings.cumsum(dtype=np.int32)
    starts = np.arange(0, len(total) - frame_length + 1, hop_length)
    rate = (total[starts + frame_length - 1] - total[starts]) / frame_length
    return np.asarray(rate[np.newaxis])


def root_mean_square(frames: NDArray[np.float64], hop_length: int) -> NDArray[np.float64]:
    """Return the loudness of frames of samples; equals `librosa.feature.rms`."""
    frame_length = frames.shape[1]
    if frame_length % hop_length:
        energy = np.einsum("ij,ij->i", frames, frames)
    else:  # frames share their parts, so that each part is squared once
        last = frames[-1, hop_length:].reshape(-1, hop_length)
        parts = [np.einsum("ij,ij->i", part, part) for part in (frames[:, :hop_length], last)]
        energy = sliding_window_view(np.concatenate(parts), frame_length // hop_length).sum(axis=1)
    return np.asarray(np.sqrt(energy / frame_length)[np.newaxis])


def _decibels(power: NDArray[Any]) -> NDArray[Any]:
    """Take logarithms, down to 80 dB below the largest; equals `librosa.power_to_db`."""
    levels: NDArray[Any] = 10 * np.log10(np.maximum(power, 1e-10))
    return np.maximum(levels, levels.max() - 80)


@lru_cache(maxsize=8)
def _cosines(n_values: int, length: int) -> NDArray[np.float64]:
    """Return the first rows of the matrix of an orthonormal discrete cosine transform."""
    rows: NDArray[np.float64] = scipy.fft.dct(np.eye(length), norm="ortho", axis=0)[:n_values]
    return rows


@lru_cache(maxsize=8)
def _mel_filters(
    n_mels: int, sample_rate: int, frame_length: int
) -> tuple[NDArray[np.float32], NDArray[np.intp], NDArray[np.intp]]:
    """Return each filter's weights, and between which bins they are not zero."""
    weights = librosa.filters.mel(sr=sample_rate, n_fft=frame_length, n_mels=n_mels)
    inside = weights > 0
    first = inside.argmax(axis=1)
    stop = np.where(inside.any(axis=1), weights.shape[1] - inside[:, ::-1].argmax(axis=1), 0)
    return weights, first, stop


@lru_cache(maxsize=128)  # tunings come in hundredths: a hundred of them, 50 kB each
def _chroma_filters(tuning: float, sample_rate: int, frame_length: int) -> NDArray[np.float32]:
    filters: NDArray[np.float32] = librosa.filters.chroma(
        sr=sample_rate, n_fft=frame_length, tuning=tuning, n_chroma=_N_CHROMA
    )
    return filters


@lru_cache(maxsize=8)
def _bands(
    sample_rate: int, frame_length: int
) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.intp]]:
    """Return each contrast band's first and stop bin, and of how many bins extremes are means."""
    frequencies = librosa.fft_frequencies(sr=sample_rate, n_fft=frame_length)
    first, stop, count = [], [], []
    for band, (low, high) in enumerate(pairwise(_BAND_EDGES)):
        inside = np.flatnonzero((frequencies >= low) & (frequencies <= high))
        if len(inside) < (2 if band == 0 else 1):
            raise ValueError(
                f"Spectral contrast has a band at {low} Hz, of which sample_rate={sample_rate} and "
                f"frame_length={frame_length} give no bins: raise them, or leave 'contrast' out "
                "of the features."
            )
        # As librosa has it, bands begin a bin early, and all but the last leave their uppermost
        # bin out, but count it where a share of them is taken; the last goes on to the end.
        last = band == len(_BAND_EDGES) - 2
        start = inside[0] - (band > 0)
        end = len(frequencies) if last else inside[-1] + 1
        first.append(start)
        stop.append(end if last else end - 1)
        count.append(max(round(_SHARE * (end - start)), 1))
    return np.array(first), np.array(stop), np.array(count)


# The loops below are compiled because they are a few operations per bin, for which NumPy would
# make temporary arrays of the spectrum's size at each, or sort all of it. The inner loops run along
# the frames, so that they become vector instructions.
@numba.njit(cache=True, nogil=True)
def _apply_filters(power, weights, first, stop, out):  # type: ignore[no-untyped-def]
    for m in range(len(out)):
        for k in range(first[m], stop[m]):
            for f in range(power.shape[1]):
                out[m, f] += weights[m, k] * power[k, f]


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _find_peaks(power, first, stop, sample_rate, frame_length, pitches, heights):  # type: ignore[no-untyped-def]
    """Collect the spectral peaks that stand out of their frame, as `librosa.piptrack` does.

    The precision of every step is librosa's too: a tuning is the fullest bin of a histogram, so
    that a peak on an edge could tip it over.
    """
    real = power.dtype.type
    n_bins, n_frames = power.shape
    threshold = np.zeros(n_frames, power.dtype)
    for k in range(n_bins):
        for f in range(n_frames):
            threshold[f] = max(threshold[f], power[k, f])
    for f in range(n_frames):
        threshold[f] *= real(0.1)
    n_peaks = 0
    for k in range(first, stop):
        for f in range(n_frames):
            left, here, right = power[k - 1, f], power[k, f], power[k + 1, f]
            # A neighbour below the threshold is lower than what is above it.
            if not (here > threshold[f] and here > left and here >= right):
                continue
            # The top of a parabola through the three, where it lies between them.
            bend = np.float64(left + right) - 2.0 * here
            slope = np.float64(right - left) / 2.0
            shift = real(0.0) if abs(slope) >= abs(bend) else real(-slope / bend)
            pitches[n_peaks] = (k + np.float64(shift)) * sample_rate / frame_length
            heights[n_peaks] = here + real(0.5) * (real(0.5) * (right - left)) * shift
            n_peaks += 1
    return n_peaks


@numba.njit(cache=True, nogil=True)
def _extremes(magnitude, first, stop, count, peaks, valleys):  # type: ignore[no-untyped-def]
    """Average the largest and the smallest magnitudes of each band."""
    n_frames = magnitude.shape[1]
    largest = np.empty((count.max(), n_frames), magnitude.dtype)
    smallest = np.empty_like(largest)  # negated, so that they are the largest as well
    value = np.empty(n_frames, magnitude.dtype)
    for band in range(len(first)):
        n = count[band]
        largest[:n] = 0
        smallest[:n] = -np.inf
        for k in range(first[band], stop[band]):
            for f in range(n_frames):
                value[f] = magnitude[k, f]
            _keep_largest(value, largest[:n])
            for f in range(n_frames):
                value[f] = -magnitude[k, f]
            _keep_largest(value, smallest[:n])
        for f in range(n_frames):
            high = low = 0.0
            for i in range(n):
                high += largest[i, f]
                low -= smallest[i, f]
            peaks[band, f] = high / n
            valleys[band, f] = low / n


@numba.njit(cache=True, nogil=True)
def _keep_largest(value, kept):  # type: ignore[no-untyped-def]
    """Sort each frame's value into its kept ones, the smallest of which falls out."""
    for i in range(len(kept)):
        for f in range(len(value)):
            new, old = value[f], kept[i, f]
            kept[i, f] = max(old, new)
            value[f] = min(old, new)
