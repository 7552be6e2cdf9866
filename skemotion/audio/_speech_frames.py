"""Clips of speech as `SpeechFunctionals` sees them: 16 kHz, trimmed, in frames every 10 ms."""

from __future__ import annotations

from collections.abc import Iterator
from math import gcd
from typing import Any

import numpy as np
import scipy.signal
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

SAMPLE_RATE = 16000
HOP_LENGTH = 160
# Louder samples are brought down to it, all in proportion: sums of their fourth powers could
# overflow. Waveforms have a peak of 1.
_LOUDEST = 2.0**20
# Of trimming, in samples: energies are those of a frame about every hop, as librosa has them.
_TRIM_HOP = 128
_TRIM_FRAME = 4 * _TRIM_HOP
_QUIETEST = 1e-5
# So many frames are worked on at a time that they stay in the processor's cache.
BLOCK = 32


def prepare_speech(
    waveform: NDArray[Any], sample_rate: int, trim: float | None
) -> NDArray[np.float64]:
    """Bring a clip to 16 kHz, subtract its mean, and cut silence off both ends.

    Parameters
    ----------
    waveform : ndarray of shape (n_samples,)
        Mono sound, of one sample or more, all finite.
    sample_rate : int
        Its rate, in Hz.
    trim : float or None
        Frames that are quieter than the loudest by more than so many dB are silent. None keeps
        them.

    Returns
    -------
    ndarray of shape (n_remaining,)
        One sample or more.
    """
    # One copy, and in place from there on: fresh memory costs more than what is done to it.
    speech = np.array(waveform, dtype=np.float64)
    loudest = max(speech.max(), -speech.min())
    if loudest > _LOUDEST:
        speech *= _LOUDEST / loudest
    if sample_rate != SAMPLE_RATE:
        divisor = gcd(SAMPLE_RATE, sample_rate)
        speech = scipy.signal.resample_poly(speech, SAMPLE_RATE // divisor, sample_rate // divisor)
    speech -= speech.mean()
    return speech if trim is None else speech[_sounding(speech, trim)]


def cut_speech_frames(
    waveform: NDArray[np.float64], frame_length: int, hop_length: int, n_frames: int
) -> NDArray[np.float64]:
    """View a waveform as frames, the first about sample 0, with zeros beyond the ends.

    Parameters
    ----------
    waveform : ndarray of shape (n_samples,)
    frame_length, hop_length : int
        In samples.
    n_frames : int

    Returns
    -------
    ndarray of shape (n_frames, frame_length)
    """
    half = frame_length // 2
    length = max((n_frames - 1) * hop_length + frame_length, half + len(waveform))
    padded = np.zeros(length)
    padded[half : half + len(waveform)] = waveform
    return sliding_window_view(padded, frame_length)[::hop_length][:n_frames]


def blocks(n_frames: int) -> Iterator[slice]:
    """Cut a number of frames into slices."""
    for start in range(0, n_frames, BLOCK):
        yield slice(start, min(start + BLOCK, n_frames))


def _sounding(speech: NDArray[np.float64], trim: float) -> slice:
    """Return where sound begins and ends in a waveform; equals `librosa.effects.trim`."""
    n_whole = len(speech) // _TRIM_HOP
    hops = speech[: n_whole * _TRIM_HOP].reshape(n_whole, _TRIM_HOP)
    rest = speech[n_whole * _TRIM_HOP :]
    # A frame's energy is the sum of four hops': two before its centre, and two after it.
    energy = np.zeros(n_whole + 4)
    energy[2:-2] = np.einsum("ij,ij->i", hops, hops)
    energy[-2] = rest @ rest
    energy = energy[:-3] + energy[1:-2] + energy[2:-1] + energy[3:]
    level = np.maximum(np.sqrt(energy / _TRIM_FRAME), _QUIETEST)
    sounding = np.flatnonzero(20 * np.log10(level) > 20 * np.log10(level.max()) - trim)
    first, last = int(sounding[0]), int(sounding[-1])
    return slice(first * _TRIM_HOP, min((last + 1) * _TRIM_HOP, len(speech)))
