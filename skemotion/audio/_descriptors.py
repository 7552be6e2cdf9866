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
from numpy.typing import NDArray

from ._spectrum import count_frames

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
    classes: NDArray[Any] = _chroma_filters(tuning, sample_rate, frame_length) @ power
    loudest = classes.max(axis=0)
    loudest[loudest < np.finfo(loudest.dtype).tiny] = 1  # silence
    classes /= loudest
    return classes


def estimate_tuning(power: NDArray[Any], sample_rate: int, frame_length: int) -> float:
    """Estimate a clip's deviation from A440, in semitones; equals `librosa.estimate_tuning`."""
    first, stop = _tuned_bins(sample_rate, frame_length)
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
    pitches, heights = pitches[:n_peaks], heights[:n_peaks]
    deviations = _N_CHROMA * librosa.hz_to_octs(pitches[heights >= _median(heights)])
    # `librosa.pitch_tuning` has it from `numpy.histogram`, which sorts all of them first.
    return float(_EDGES[_count_deviations(deviations, _EDGES).argmax()])


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
    n_frames = count_frames(len(waveform), frame_length, hop_length)
    rate = np.empty((1, n_frames))
    _count_crossings(waveform, frame_length, hop_length, rate[0])
    return rate / frame_length


def root_mean_square(
    waveform: NDArray[Any], frame_length: int, hop_length: int
) -> NDArray[np.float64]:
    """Return the loudness of frames of samples; equals `librosa.feature.rms`."""
    n_frames = count_frames(len(waveform), frame_length, hop_length)
    energy = np.empty((1, n_frames))
    _sum_squares(waveform, frame_length, hop_length, energy[0])
    return np.sqrt(energy / frame_length)


def _decibels(power: NDArray[Any]) -> NDArray[Any]:
    """Take logarithms, down to 80 dB below the largest; equals `librosa.power_to_db`."""
    levels: NDArray[Any] = 10 * np.log10(np.maximum(power, 1e-10))
    return np.maximum(levels, levels.max() - 80)


def _median(values: NDArray[Any]) -> Any:
    """Return the median of finite numbers, without `numpy.median`'s search for others."""
    low, high = (len(values) - 1) // 2, len(values) // 2
    parts = np.partition(values, (low, high))
    return (parts[low] + parts[high]) / 2


@lru_cache(maxsize=8)
def _tuned_bins(sample_rate: int, frame_length: int) -> tuple[int, int]:
    """Return between which bins peaks are looked for; these have two neighbours."""
    frequencies = librosa.fft_frequencies(sr=sample_rate, n_fft=frame_length)
    first, stop = np.searchsorted(frequencies, (150.0, min(4000.0, sample_rate / 2)))
    return max(int(first), 1), min(int(stop), len(frequencies) - 1)


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
    """Return what each bin counts for each pitch class, from C on; equals `librosa.filters.chroma`.

    Asking librosa would make it compile functions that are not used here, which takes seconds, and
    takes them in every process where compiled functions cannot be kept.
    """
    n_bins = frame_length // 2 + 1
    frequencies = np.arange(1, n_bins + 1) * (sample_rate / frame_length)
    pitches = _N_CHROMA * librosa.hz_to_octs(frequencies, tuning=tuning, bins_per_octave=_N_CHROMA)
    # The bin of frequency 0 is put one and a half octaves below the next.
    pitches = np.concatenate(([pitches[0] - 1.5 * _N_CHROMA], pitches))
    widths = np.maximum(np.diff(pitches), 1.0)
    pitches = pitches[:-1]
    half = _N_CHROMA // 2
    from_class = (pitches - np.arange(_N_CHROMA)[:, np.newaxis] + half) % _N_CHROMA - half
    weights = np.exp(-0.5 * (2 * from_class / widths) ** 2)
    weights /= np.linalg.norm(weights, axis=0)
    # Octaves count by how near the fifth they are.
    weights *= np.exp(-0.5 * ((pitches / _N_CHROMA - 5) / 2) ** 2)
    return np.roll(weights, -3, axis=0).astype(np.float32)  # from A to C


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
def _count_deviations(deviations, edges):  # type: ignore[no-untyped-def]
    """Count numbers by their distance from the nearest integer, in bins between edges."""
    real = deviations.dtype.type
    counts = np.zeros(len(edges) - 1, np.int64)
    for deviation in deviations:
        off = deviation - np.floor(deviation)
        if off >= real(0.5):
            off -= real(1.0)
        # Computed, and corrected where rounding has put it on the wrong side of an edge.
        place = min(int((off + real(0.5)) * real(len(counts))), len(counts) - 1)
        place += off >= edges[place + 1]
        place -= off < edges[place]
        counts[place] += 1
    return counts


@numba.njit(cache=True, nogil=True)
def _count_crossings(waveform, frame_length, hop_length, counts):  # type: ignore[no-untyped-def]
    # Down to this, a sample counts as zero, which is positive.
    zero = waveform.dtype.type(-1e-10)
    for f in range(len(counts)):
        start = f * hop_length - frame_length // 2
        # A frame's first sample has none before it.
        first, stop = max(start, 0) + 1, min(start + frame_length, len(waveform))
        count = 0
        if first < stop:
            samples, before = waveform[first:stop], waveform[first - 1 : stop - 1]
            for i in range(len(samples)):
                count += (samples[i] < zero) != (before[i] < zero)
        counts[f] = count


# The order of the sum is left open, so that it becomes vector instructions.
@numba.njit(cache=True, nogil=True, fastmath={"reassoc"})
def _sum_squares(waveform, frame_length, hop_length, sums):  # type: ignore[no-untyped-def]
    for f in range(len(sums)):
        start = f * hop_length - frame_length // 2
        samples = waveform[max(start, 0) : max(start + frame_length, 0)]
        total = 0.0
        for i in range(len(samples)):
            sample = np.float64(samples[i])
            total += sample * sample
        sums[f] = total


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
