"""Pitch and voicing of frames of samples by probabilistic YIN; librosa's values.

Equals `librosa.pyin` on the waveform in double precision, between 55 and 1000 Hz, at a thirtieth of
the time: librosa weighs every step from one pitch to another, most of which are too far for the
time between two frames, and has Python walk through the frames.
"""

from __future__ import annotations

from functools import lru_cache

import numba
import numpy as np
import scipy.fft
from numpy.typing import NDArray
from scipy.special import betainc

# Speech, also where it has been raised or lowered by some semitones (Hz).
_LOWEST, _HIGHEST = 55, 1000
_BINS_PER_SEMITONE = 10
_N_BINS = int(12 * _BINS_PER_SEMITONE * np.log2(_HIGHEST / _LOWEST)) + 1
# librosa's defaults: thresholds on the troughs of the difference function, weighted by a beta
# distribution; the decay of the weight from a trough to the next; the weight of the deepest
# trough where none is below a threshold; octaves per second that the pitch can move by; and the
# probability that a voice sets in or ends.
_N_THRESHOLDS = 100
_BETA = (2, 18)
_DECAY = 2.0
_NO_TROUGH = 0.01
_MAX_RATE = 35.92
_SWITCH = 0.01
# Added where a logarithm or a quotient of zero would be taken.
_TINY = float(np.finfo(np.float64).tiny)


def pitch_candidates(
    frames: NDArray[np.float64], sample_rate: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return each frame's probable pitches.

    Parameters
    ----------
    frames : ndarray of shape (n_frames, frame_length)
        Samples.
    sample_rate : int
        In Hz.

    Returns
    -------
    probabilities : ndarray of shape (n_frames, n_pitches)
        Of the pitches from 55 to 1000 Hz in steps of a tenth of a semitone.
    voicing : ndarray of shape (1, n_frames)
        Their sum, the probability that the frame is voiced.
    """
    n_frames, frame_length = frames.shape
    if sample_rate < 2 * _HIGHEST or frame_length // 2 <= sample_rate / _LOWEST:
        raise ValueError(
            f"Pitch from {_LOWEST} to {_HIGHEST} Hz needs a sample_rate of {2 * _HIGHEST} Hz or "
            f"more, and frames longer than two periods of {_LOWEST} Hz; got "
            f"sample_rate={sample_rate} and frame_length={frame_length}: raise what is too low, or "
            "leave 'f0' and 'voicing' out of the features."
        )
    min_period, max_period = sample_rate // _HIGHEST, int(np.ceil(sample_rate / _LOWEST))
    # So long that the lags of interest do not wrap around.
    n_fft = scipy.fft.next_fast_len(frame_length + max_period, real=True)
    spectrum = np.abs(scipy.fft.rfft(frames, n_fft)) ** 2
    correlation = scipy.fft.irfft(spectrum, n_fft)[:, : max_period + 1]
    difference = np.empty((n_frames, max_period - min_period + 1))
    _normalized_difference(frames, correlation, min_period, difference)
    probabilities = np.zeros((n_frames, _N_BINS))
    _weigh_troughs(difference, min_period, float(sample_rate), *_priors(), probabilities)
    return probabilities, np.minimum(probabilities.sum(axis=1), 1.0)[np.newaxis]


def track_pitch(
    probabilities: NDArray[np.float64],
    voicing: NDArray[np.float64],
    sample_rate: int,
    hop_length: int,
) -> NDArray[np.float64]:
    """Return the most probable course of the pitch.

    Parameters
    ----------
    probabilities, voicing : ndarray
        As `pitch_candidates` returns them.
    sample_rate, hop_length : int
        In Hz; in samples.

    Returns
    -------
    ndarray of shape (1, n_frames)
        In Hz; 0 in unvoiced frames.
    """
    reach = round(_MAX_RATE * 12 * hop_length / sample_rate) * _BINS_PER_SEMITONE // 2
    steps, norms = _transition(reach)
    voiced = np.log(probabilities + _TINY)
    unvoiced = np.log((1 - voicing[0]) / _N_BINS + _TINY)
    bins = np.empty(len(probabilities), dtype=np.int64)
    _find_path(voiced, unvoiced, steps, norms, bins)
    pitches = _LOWEST * 2 ** (bins / (12 * _BINS_PER_SEMITONE))
    return np.asarray(np.where(bins < _N_BINS, pitches, 0.0)[np.newaxis])


@lru_cache(maxsize=1)
def _priors() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the thresholds and how probable each is."""
    thresholds = np.linspace(0, 1, _N_THRESHOLDS + 1)
    return thresholds[1:], np.diff(betainc(*_BETA, thresholds))


@lru_cache(maxsize=8)
def _transition(reach: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the logarithms of a step's weight, from -reach to reach bins, and of their sums."""
    weights = 1 - np.abs(np.arange(-reach, reach + 1)) / (reach + 1)
    inside = np.convolve(np.ones(_N_BINS), weights)[reach : reach + _N_BINS]
    return np.log(weights), np.log(inside)


# The loops below are compiled: they work on one frame at a time, and the path's frames follow from
# each other.
@numba.njit(cache=True, nogil=True, error_model="numpy")
def _normalized_difference(frames, correlation, min_period, out):  # type: ignore[no-untyped-def]
    """Compare frames with themselves shifted by a period, relative to the shorter periods' mean."""
    for f in range(len(frames)):
        energy = total = 0.0
        for k in range(1, correlation.shape[1]):
            energy += frames[f, k - 1] ** 2
            # librosa leaves the first sample's energy alone.
            head = energy if k > 1 else 0.0
            difference = 2 * (correlation[f, 0] - correlation[f, k]) - head
            total += difference
            if k >= min_period:
                out[f, k - min_period] = difference / (total / k + _TINY)


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _weigh_troughs(difference, min_period, sample_rate, thresholds, priors, out):  # type: ignore[no-untyped-def]
    """Turn the depth of the troughs of a difference function into probabilities of pitches."""
    n_frames, n_periods = difference.shape
    troughs = np.empty(n_periods, np.int64)
    probability = np.empty(n_periods)
    for f in range(n_frames):
        here = difference[f]
        n_troughs = lowest = 0
        for k in range(n_periods):
            falls = k == 0 or here[k] < here[k - 1]
            rises = (
                k == n_periods - 1 or here[k] < here[k + 1] or (k > 0 and here[k] == here[k + 1])
            )
            if falls and rises:
                troughs[n_troughs] = k
                if here[k] < here[troughs[lowest]]:
                    lowest = n_troughs
                probability[n_troughs] = 0.0
                n_troughs += 1
        if not n_troughs:
            continue
        for threshold, prior in zip(thresholds, priors):  # noqa: B905 (numba takes no `strict`)
            n_below = 0
            for i in range(n_troughs):
                n_below += here[troughs[i]] < threshold
            if not n_below:
                probability[lowest] += _NO_TROUGH * prior
                continue
            # A Boltzmann distribution over those below it: short periods weigh most.
            share = prior * (1 - np.exp(-_DECAY)) / (1 - np.exp(-_DECAY * n_below))
            for i in range(n_troughs):
                if here[troughs[i]] < threshold:
                    probability[i] += share
                    share *= np.exp(-_DECAY)
        for i in range(n_troughs):
            k = troughs[i]
            period = np.float64(min_period + k)
            if 0 < k < n_periods - 1:
                # The bottom of a parabola through the three, where it lies between them.
                bend = here[k + 1] + here[k - 1] - 2 * here[k]
                slope = (here[k + 1] - here[k - 1]) / 2
                if abs(slope) < abs(bend):
                    period -= slope / bend
            pitch = np.rint(12 * _BINS_PER_SEMITONE * np.log2(sample_rate / period / _LOWEST))
            # Of several troughs in one bin, librosa keeps the last. What is too high is left out.
            if probability[i] > 0 and pitch < _N_BINS:
                out[f, max(int(pitch), 0)] = probability[i]


@numba.njit(cache=True, nogil=True)
def _find_path(voiced, unvoiced, steps, norms, path):  # type: ignore[no-untyped-def]
    """Find the most probable path through pitches, voiced or not, by the Viterbi algorithm.

    An unvoiced frame has a pitch too, which goes on where the voice sets in again. States are
    numbered by pitch, the voiced ones first.
    """
    n_frames, n_bins = voiced.shape
    reach = len(steps) // 2
    stay, switch, jump = np.log(1 - _SWITCH), np.log(_SWITCH), np.log(_TINY)
    value = np.empty((2, n_bins))
    value[0], value[1] = voiced[0], unvoiced[0]
    leaving, best = np.empty(n_bins), np.empty((2, n_bins))
    source = np.empty(n_bins, np.int64)
    before = np.empty((n_frames, 2 * n_bins), np.int64)
    for f in range(1, n_frames):
        top = value.argmax()
        for s in range(2):
            for k in range(n_bins):
                leaving[k] = max(value[s, k] + stay, value[1 - s, k] + switch) - norms[k]
            # A pitch out of reach is possible where nothing else is.
            best[s] = value.flat[top] + jump
            source[:] = -1
            _step(leaving, steps, best[s], source)
            for k in range(n_bins):
                j = k + source[k] - reach
                if source[k] < 0:
                    before[f, s * n_bins + k] = top
                else:
                    stays = value[s, j] + stay >= value[1 - s, j] + switch
                    before[f, s * n_bins + k] = (s if stays else 1 - s) * n_bins + j
        value[0], value[1] = best[0] + voiced[f], best[1] + unvoiced[f]
    path[-1] = value.argmax()
    for f in range(n_frames - 1, 0, -1):
        path[f - 1] = before[f, path[f]]


@numba.njit(cache=True, nogil=True)
def _step(leaving, steps, best, source):  # type: ignore[no-untyped-def]
    """Find for each pitch the best of those in reach that come before it."""
    reach, n_bins = len(steps) // 2, len(best)
    for i in range(len(steps)):
        step = i - reach
        first = max(0, -step)
        stop = max(first, min(n_bins, n_bins - step))
        # Of one length, and without branches, so that they become vector instructions.
        here, origin = best[first:stop], source[first:stop]
        there = leaving[first + step : stop + step]
        for k in range(len(here)):
            candidate, old = there[k] + steps[i], here[k]
            origin[k] = i if candidate > old else origin[k]
            here[k] = max(candidate, old)
