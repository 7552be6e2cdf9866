"""Low-level descriptors of speech: what `SpeechFunctionals` summarises, every 10 ms.

Mel bands and cepstral coefficients, voice, formants, and measures of the spectrum's shape, most of
them after the Geneva Minimalistic Acoustic Parameter Set [1]_. Arrays have the shape
(n_descriptors, n_frames).

References
----------
.. [1] F. Eyben et al., "The Geneva Minimalistic Acoustic Parameter Set (GeMAPS) for voice research
   and affective computing", IEEE Transactions on Affective Computing 7(2), 190-202, 2016.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import cv2
import numba
import numpy as np
import scipy.fft
from numpy.typing import NDArray

from ._speech_formants import N_FORMANTS, find_formants
from ._speech_frames import BLOCK, HOP_LENGTH, SAMPLE_RATE, blocks, cut_speech_frames
from ._speech_pitch import Voice, track_voice

N_MFCC = 20
N_MELS = 40
PROSODY = ("pitch", "hnr", "jitter", "shimmer", "h1-h2", "h1-a3")
FORMANTS = (
    *(f"f{i}" for i in range(1, N_FORMANTS + 1)),
    *(f"f{i}-bandwidth" for i in range(1, N_FORMANTS + 1)),
)
SPECTRUM = (
    "loudness", "energy", "centroid", "spread", "skewness", "kurtosis",
    "rolloff25", "rolloff50", "rolloff85", "rolloff95", "entropy", "flatness", "flux", "onset",
    "alpha-ratio", "hammarberg", "slope0-500", "slope500-1500", "slope1500-8000", "treble",
    "zcr", "harmonicity",
)  # fmt: skip

_FRAME_LENGTH = 400  # samples, 25 ms
_N_FFT = 512
_N_BINS = _N_FFT // 2 + 1
_FREQUENCIES = np.arange(_N_BINS) * (SAMPLE_RATE / _N_FFT)
# In single precision, as the recipe was measured with.
_WINDOW = np.hanning(_FRAME_LENGTH).astype(np.float32).astype(np.float64)
# Powers have a floor, below the resolution of 16 bits.
_FLOOR = 1e-10
_ROLLOFFS = np.array([0.25, 0.5, 0.85, 0.95])
# Bins below 2 kHz, and from there to 5 kHz: of the Hammarberg index.
_2_KHZ, _5_KHZ = np.searchsorted(_FREQUENCIES, (2000, 5000))
_UNVOICED_F3 = 2500.0  # Hz
# What is measured bin by bin: rows of the array that `_measure_shapes` fills.
_CENTROID, _SPREAD, _SKEWNESS, _KURTOSIS, _ROLLOFF, _ENTROPY, _FLUX = 0, 1, 2, 3, 4, 8, 9
_LOW_PEAK, _HIGH_PEAK, _H1, _H2, _A3 = range(10, 15)
_N_SHAPES = 15


class SpeechDescriptors(NamedTuple):
    """Descriptors of one clip, all finite."""

    mel: NDArray[np.float64]
    """Logarithms of the power in 40 bands on the mel scale, 50 to 8,000 Hz."""
    mfcc: NDArray[np.float64]
    """Their first 20 cepstral coefficients."""
    prosody: NDArray[np.float64]
    """As `PROSODY` names them; between voiced frames, interpolated."""
    formants: NDArray[np.float64]
    """Frequencies in Hz, and logarithms of bandwidths; between voiced frames, interpolated."""
    spectrum: NDArray[np.float64]
    """As `SPECTRUM` names them."""
    voiced: NDArray[np.bool_]
    """Of shape (n_frames,)."""


def describe_speech(waveform: NDArray[np.float64]) -> SpeechDescriptors:
    """Describe a clip of speech, frame by frame.

    Parameters
    ----------
    waveform : ndarray of shape (n_samples,)
        At 16 kHz, of one sample or more.

    Returns
    -------
    SpeechDescriptors
        Of 1 + n_samples // 160 frames.
    """
    n_frames = 1 + len(waveform) // HOP_LENGTH
    voice = track_voice(waveform, n_frames)
    voiced = voice.pitch > 0
    frequencies, bandwidths = find_formants(waveform, voiced)
    bins = _harmonic_bins(voice.pitch, frequencies[:, 2])

    bands = np.empty((n_frames, N_MELS + 5))
    levels = np.empty((n_frames, 4))
    shapes = np.empty((_N_SHAPES, n_frames))
    zcr = np.empty(n_frames)
    power_weights, level_weights = _weights()
    frames = cut_speech_frames(waveform, _FRAME_LENGTH, HOP_LENGTH, n_frames)
    padded, packed = np.zeros((2, min(n_frames, BLOCK), _N_FFT))
    power = np.empty((len(packed), _N_BINS))
    amplitude = np.zeros(_N_BINS)
    for block in blocks(n_frames):
        n = block.stop - block.start
        _apply_window(frames[block], padded[:n], zcr[block])
        cv2.dft(padded[:n], dst=packed[:n], flags=cv2.DFT_ROWS)
        _take_power(packed[:n], power[:n])
        bands[block] = power[:n] @ power_weights
        level = np.log(power[:n])
        levels[block] = level @ level_weights
        _measure_shapes(power[:n], level, bins[block], amplitude, shapes[:, block])
    # The first frame has none before it.
    shapes[_FLUX, 0] = 0

    mel_power = bands[:, :N_MELS].T
    mel = np.log(mel_power + 1e-8)
    total, low, middle, treble, bass = np.log(bands[:, N_MELS:].T)
    onset = np.zeros(n_frames)
    onset[1:] = np.maximum(np.diff(mel), 0).mean(axis=0)
    spectrum = [
        (mel_power**0.33).sum(axis=0),
        total,
        *shapes[_CENTROID : _ENTROPY + 1],
        levels[:, 0] - (total - np.log(_N_BINS)),
        shapes[_FLUX],
        onset,
        low - middle,
        shapes[_LOW_PEAK] - shapes[_HIGH_PEAK],
        *levels[:, 1:].T,
        treble - bass,
        zcr,
        voice.hnr,
    ]
    return SpeechDescriptors(
        mel=mel,
        mfcc=np.ascontiguousarray((mel.T @ _cepstrum()).T),
        prosody=_fill_gaps(_prosody(voice, voiced, shapes[_H1], shapes[_H2], shapes[_A3])),
        # `np.maximum` keeps NaN.
        formants=_fill_gaps(np.concatenate([frequencies.T, np.log(np.maximum(bandwidths.T, 10))])),
        spectrum=np.stack(spectrum),
        voiced=voiced,
    )


def _prosody(
    voice: Voice,
    voiced: NDArray[np.bool_],
    h1: NDArray[np.float64],
    h2: NDArray[np.float64],
    a3: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Return what a voice does; NaN where there is none.

    Pitch in semitones above 55 Hz, harmonics-to-noise ratio, jitter and shimmer (from a frame to
    the next: of pitch, and of the logarithm of the peak), and how the first harmonic compares with
    the second and with the third formant.
    """
    curves = np.full((len(PROSODY), len(voiced)), np.nan)
    curves[0, voiced] = 12 * np.log2(voice.pitch[voiced] / 55)
    curves[1, voiced] = voice.hnr[voiced]
    # NaN where either frame is unvoiced
    curves[2, 1:] = np.abs(np.diff(curves[0]))
    both = voiced[1:] & voiced[:-1]
    curves[3, 1:][both] = np.abs(np.diff(np.log(voice.peak + 1e-6)))[both]
    curves[4, voiced] = (h1 - h2)[voiced]
    curves[5, voiced] = (h1 - a3)[voiced]
    return curves


def _fill_gaps(curves: NDArray[np.float64]) -> NDArray[np.float64]:
    """Interpolate between values where there are NaN, linearly; 0 where there is nothing else."""
    frames = np.arange(curves.shape[1])
    for curve, known in zip(curves, np.isfinite(curves), strict=True):
        where = np.flatnonzero(known)
        if not len(where):
            curve[:] = 0
        elif len(where) < len(frames):
            curve[:] = np.interp(frames, where, curve[where])
    return curves


def _harmonic_bins(
    pitch: NDArray[np.float64], third_formant: NDArray[np.float64]
) -> NDArray[np.int64]:
    """Return the bins of the first and second harmonic and of F3, for each frame."""
    width = SAMPLE_RATE / _N_FFT
    # Inside, so that each has neighbours: one on each side, and two about the formant.
    h1, h2 = (np.clip(np.rint(n * pitch / width), 1, _N_BINS - 2) for n in (1, 2))
    a3 = np.clip(np.nan_to_num(third_formant, nan=_UNVOICED_F3) // width, 2, _N_BINS - 3)
    return np.stack([h1, h2, a3], axis=1).astype(np.int64)


@lru_cache(maxsize=1)
def _weights() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return what powers, and their logarithms, are multiplied with: columns of shape (n_bins,).

    Powers: the mel bands, everything, and the bands that are compared with each other.
    Logarithms: the mean, and the slopes of three parts of the spectrum, per kHz.
    """
    import librosa

    mel = librosa.filters.mel(
        sr=SAMPLE_RATE, n_fft=_N_FFT, n_mels=N_MELS, fmin=50, fmax=8000, htk=True
    )

    def inside(low: float, high: float) -> NDArray[np.bool_]:
        return np.asarray((low <= _FREQUENCIES) & (high > _FREQUENCIES))

    bands = [np.full(_N_BINS, True)]
    bands += [inside(*edges) for edges in ((50, 1000), (1000, 5000), (4000, 8000), (0, 4000))]
    levels = [np.full(_N_BINS, 1 / _N_BINS)]
    for low, high in ((0, 500), (500, 1500), (1500, 8000)):
        part = inside(low, high)
        distance = np.where(part, _FREQUENCIES - _FREQUENCIES[part].mean(), 0)
        levels.append(1000 * distance / (distance @ distance))
    return np.vstack([mel, *bands]).T.astype(np.float64), np.stack(levels, axis=1)


@lru_cache(maxsize=1)
def _cepstrum() -> NDArray[np.float64]:
    """Return the first columns of the matrix of the cosine transform."""
    return np.asarray(scipy.fft.dct(np.eye(N_MELS), norm="ortho")[:, :N_MFCC])


# The loops below are compiled: a few operations per sample or bin, for which NumPy would make
# temporary arrays at each.
@numba.njit(cache=True, nogil=True)
def _apply_window(frames, windowed, zcr):  # type: ignore[no-untyped-def]
    """Window frames, and take their rate of sign changes; zero counts as a sign of its own."""
    for f in range(len(frames)):
        crossings = 0
        for i in range(1, _FRAME_LENGTH):
            before, here = frames[f, i - 1], frames[f, i]
            crossings += ((here > 0) != (before > 0)) | ((here < 0) != (before < 0))
        zcr[f] = crossings / (_FRAME_LENGTH - 1)
        for i in range(_FRAME_LENGTH):
            windowed[f, i] = frames[f, i] * _WINDOW[i]


@numba.njit(cache=True, nogil=True)
def _take_power(packed, power):  # type: ignore[no-untyped-def]
    """Square magnitudes; OpenCV packs spectra into Re 0, Re 1, Im 1, Re 2, Im 2, ..., Re n-1."""
    for f in range(len(packed)):
        power[f, 0] = packed[f, 0] ** 2 + _FLOOR
        power[f, _N_BINS - 1] = packed[f, _N_FFT - 1] ** 2 + _FLOOR
        for k in range(1, _N_BINS - 1):
            power[f, k] = packed[f, 2 * k - 1] ** 2 + packed[f, 2 * k] ** 2 + _FLOOR


@numba.njit(cache=True, nogil=True, fastmath={"reassoc", "nsz"})
def _measure_shapes(power, level, bins, amplitude, shapes):  # type: ignore[no-untyped-def]
    """Measure how each spectrum's power is distributed, and how far it is from the one before.

    `amplitude` holds the latest spectrum's amplitudes, scaled to a norm of 1.
    """
    for f in range(len(power)):
        total = first = level_sum = 0.0
        for k in range(_N_BINS):
            total += power[f, k]
            first += power[f, k] * _FREQUENCIES[k]
            level_sum += power[f, k] * level[f, k]
        centroid = first / total
        second = third = fourth = 0.0
        for k in range(_N_BINS):
            distance = _FREQUENCIES[k] - centroid
            square = distance * distance * power[f, k]
            second += square
            third += square * distance
            fourth += square * distance * distance
        spread = np.sqrt(second / total)
        shapes[_CENTROID, f] = centroid
        shapes[_SPREAD, f] = spread
        shapes[_SKEWNESS, f] = third / total / spread**3
        shapes[_KURTOSIS, f] = fourth / total / spread**4
        shapes[_ENTROPY, f] = np.log(total) - level_sum / total
        k, below = 0, power[f, 0]
        for i in range(len(_ROLLOFFS)):
            while below < _ROLLOFFS[i] * total and k < _N_BINS - 1:
                k += 1
                below += power[f, k]
            shapes[_ROLLOFF + i, f] = _FREQUENCIES[k]
        flux, scale = 0.0, 1 / np.sqrt(total)
        for k in range(_N_BINS):
            before, amplitude[k] = amplitude[k], np.sqrt(power[f, k]) * scale
            flux += (amplitude[k] - before) ** 2
        shapes[_FLUX, f] = np.sqrt(flux)
        shapes[_LOW_PEAK, f] = level[f, :_2_KHZ].max()
        shapes[_HIGH_PEAK, f] = level[f, _2_KHZ:_5_KHZ].max()
        shapes[_H1, f] = level[f, bins[f, 0] - 1 : bins[f, 0] + 2].max()
        shapes[_H2, f] = level[f, bins[f, 1] - 1 : bins[f, 1] + 2].max()
        shapes[_A3, f] = level[f, bins[f, 2] - 2 : bins[f, 2] + 3].max()
