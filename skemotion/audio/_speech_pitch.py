"""Pitch and harmonics-to-noise ratio of speech by Boersma's autocorrelation method.

Each frame's autocorrelation is divided by that of its window, so that the height of a peak says
how periodic the frame is, and its lag how long a period is [1]_. A frame keeps its few best peaks
as candidates, besides being unvoiced; the path through all frames' candidates that is periodic and
smooth is found by dynamic programming.

References
----------
.. [1] P. Boersma, "Accurate short-term analysis of the fundamental frequency and the
   harmonics-to-noise ratio of a sampled sound", IFA Proceedings 17, 97-110, 1993.
"""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numba
import numpy as np
from numpy.typing import NDArray

from ._speech_frames import BLOCK, HOP_LENGTH, SAMPLE_RATE, blocks, cut_speech_frames

LOWEST, HIGHEST = 65, 650  # Hz
_FRAME_LENGTH = 800  # samples: three periods of the lowest pitch
_MIN_LAG, _MAX_LAG = SAMPLE_RATE // HIGHEST, SAMPLE_RATE // LOWEST
_N_CANDIDATES = 4  # of voiced frames
# Boersma's costs: how high a peak a voiced frame has, how much the larger of two equal peaks is
# preferred by octave, what a jump by an octave costs, and what it costs to begin or end a voice.
_VOICING = 0.45
_OCTAVE = 0.01
_OCTAVE_JUMP = 0.35
_CHANGE = 0.14
# Frames are silent below this share of the clip's peak.
_SILENCE = 0.03
# Far below what any candidate has: a peak that is none is never chosen.
_NO_PEAK = -9.0
# So long that the lags of interest do not wrap around.
_N_FFT = cv2.getOptimalDFTSize(_FRAME_LENGTH + _MAX_LAG + 2)
_INVERSE = cv2.DFT_ROWS | cv2.DFT_INVERSE | cv2.DFT_SCALE | cv2.DFT_REAL_OUTPUT

_WINDOW = np.hanning(_FRAME_LENGTH)
_WINDOW_CORRELATION = np.correlate(_WINDOW, np.pad(_WINDOW, (0, _MAX_LAG + 1)))[::-1]
_WINDOW_CORRELATION = _WINDOW_CORRELATION / _WINDOW_CORRELATION[0]


class Voice(NamedTuple):
    """What the voice does in each frame."""

    pitch: NDArray[np.float64]
    """In Hz; 0 in unvoiced frames."""
    hnr: NDArray[np.float64]
    """Harmonics-to-noise ratio, in dB."""
    peak: NDArray[np.float64]
    """Largest distance of a sample from the frame's mean."""


def track_voice(waveform: NDArray[np.float64], n_frames: int) -> Voice:
    """Follow the pitch through a clip.

    Parameters
    ----------
    waveform : ndarray of shape (n_samples,)
        At 16 kHz.
    n_frames : int
        Frames follow each other every 10 ms, the first about sample 0.

    Returns
    -------
    Voice
        Of arrays of shape (n_frames,).

    Notes
    -----
    Where two peaks of a frame are equally high to the last digit, the one of the shorter period
    is preferred; nothing in the method says so.
    """
    loudest = np.abs(waveform).max() + 1e-9
    peak = np.empty(n_frames)
    pitches = np.empty((n_frames, _N_CANDIDATES))
    strengths = np.empty((n_frames, _N_CANDIDATES + 1))
    heights = np.empty((n_frames, _N_CANDIDATES + 1))
    frames = cut_speech_frames(waveform, _FRAME_LENGTH, HOP_LENGTH, n_frames)
    # Made once: fresh memory would cost more than the transforms. They are OpenCV's, many times as
    # fast as SciPy's; it packs a spectrum into the real numbers Re 0, Re 1, Im 1, Re 2, Im 2, ...
    padded, spectrum, correlation = np.zeros((3, min(n_frames, BLOCK), _N_FFT))
    for block in blocks(n_frames):
        n = block.stop - block.start
        _apply_window(frames[block], padded[:n], peak[block])
        cv2.dft(padded[:n], dst=spectrum[:n], flags=cv2.DFT_ROWS)
        _take_power(spectrum[:n])
        cv2.dft(spectrum[:n], dst=correlation[:n], flags=_INVERSE)
        _find_candidates(
            correlation[:n],
            _WINDOW_CORRELATION,
            peak[block] / loudest,
            pitches[block],
            strengths[block],
            heights[block],
        )
    path = np.empty(n_frames, dtype=np.int64)
    _find_path(np.log2(pitches), strengths, path)
    frame = np.arange(n_frames)
    voiced = path < _N_CANDIDATES
    pitch = np.where(voiced, pitches[frame, np.minimum(path, _N_CANDIDATES - 1)], 0.0)
    height = np.clip(heights[frame, path], 1e-3, 0.9999)
    return Voice(pitch, 10 * np.log10(height / (1 - height)), peak)


# The loops below are compiled: they work on one frame at a time, and the path's frames follow from
# each other.
@numba.njit(cache=True, nogil=True, fastmath={"reassoc", "nsz", "nnan"})
def _apply_window(frames, windowed, peak):  # type: ignore[no-untyped-def]
    """Subtract each frame's mean, note its largest sample, and fade its ends out."""
    for f in range(len(frames)):
        mean = 0.0
        for i in range(_FRAME_LENGTH):
            mean += frames[f, i]
        mean /= _FRAME_LENGTH
        largest = 0.0
        for i in range(_FRAME_LENGTH):
            sample = frames[f, i] - mean
            largest = max(largest, abs(sample))
            windowed[f, i] = sample * _WINDOW[i]
        peak[f] = largest


@numba.njit(cache=True, nogil=True)
def _take_power(spectrum):  # type: ignore[no-untyped-def]
    """Square the magnitudes of packed spectra of even length, in place."""
    n = spectrum.shape[1]
    for f in range(len(spectrum)):
        spectrum[f, 0] *= spectrum[f, 0]
        spectrum[f, n - 1] *= spectrum[f, n - 1]
        for k in range(1, n - 1, 2):
            spectrum[f, k] = spectrum[f, k] ** 2 + spectrum[f, k + 1] ** 2
            spectrum[f, k + 1] = 0.0


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _find_candidates(correlation, of_window, loudness, pitches, strengths, heights):  # type: ignore[no-untyped-def]
    """Collect each frame's best peaks: pitch, what speaks for it, height.

    The last strength and height are those of an unvoiced frame.
    """
    r = np.empty(_MAX_LAG + 2)
    lags = np.empty(_N_CANDIDATES, np.int64)
    for f in range(len(correlation)):
        energy = correlation[f, 0] + 1e-12
        for lag in range(_MIN_LAG - 1, _MAX_LAG + 2):
            r[lag] = correlation[f, lag] / (energy * of_window[lag])
        lags[:] = _MIN_LAG
        strengths[f] = _NO_PEAK
        highest = -np.inf
        for lag in range(_MIN_LAG, _MAX_LAG + 1):
            highest = max(highest, r[lag])
            if not (r[lag] > r[lag - 1] and r[lag] >= r[lag + 1]):
                continue
            strength = r[lag] - _OCTAVE * np.log2(LOWEST * lag / SAMPLE_RATE)
            # A wave in opposite phase is no period.
            if strength <= -0.5 or strength <= strengths[f, _N_CANDIDATES - 1]:
                continue
            place = _N_CANDIDATES - 1
            while place > 0 and strengths[f, place - 1] < strength:
                strengths[f, place], lags[place] = strengths[f, place - 1], lags[place - 1]
                place -= 1
            strengths[f, place], lags[place] = strength, lag
        for i in range(_N_CANDIDATES):
            # The top of a parabola through the peak and its neighbours.
            before, here, after = r[lags[i] - 1], r[lags[i]], r[lags[i] + 1]
            shift = (before - after) / (2 * (before - 2 * here + after) - 1e-9)
            shift = min(max(shift, -1.0), 1.0)
            pitches[f, i] = SAMPLE_RATE / (lags[i] + shift)
            heights[f, i] = here - 0.25 * (before - after) * shift
        quietness = 2 - loudness[f] / (_SILENCE / (1 + _VOICING))
        strengths[f, _N_CANDIDATES] = _VOICING + max(0.0, quietness)
        heights[f, _N_CANDIDATES] = highest


@numba.njit(cache=True, nogil=True)
def _find_path(log_pitches, strengths, path):  # type: ignore[no-untyped-def]
    """Choose a candidate of every frame, by the Viterbi algorithm; of equals, the first."""
    n_frames, n_states = strengths.shape
    unvoiced = n_states - 1
    came_from = np.empty((n_frames, n_states), np.int64)
    total = strengths[0].copy()
    following = np.empty_like(total)
    for f in range(1, n_frames):
        for now in range(n_states):
            best = -np.inf
            for before in range(n_states):
                value = total[before]
                if (now == unvoiced) != (before == unvoiced):
                    value -= _CHANGE
                elif now != unvoiced:
                    jump = log_pitches[f - 1, before] - log_pitches[f, now]
                    value -= _OCTAVE_JUMP * abs(jump)
                if value > best:
                    best = value
                    came_from[f, now] = before
            following[now] = best + strengths[f, now]
        total[:] = following
    path[-1] = total.argmax()
    for f in range(n_frames - 1, 0, -1):
        path[f - 1] = came_from[f, path[f]]
