"""Spectra over time: magnitudes for the features, and the phase vocoder between two waveforms.

Values and conventions are librosa's defaults: periodic Hann window, frames centred on multiples
of the hop, zeros beyond the ends. Transforms are OpenCV's, twice as fast as SciPy's. OpenCV packs
a spectrum of n bins into the real numbers Re 0, Re 1, Im 1, Re 2, Im 2, ..., Re n-1.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import cv2
import numba
import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import DTypeLike, NDArray
from scipy.signal import get_window

# Of the vocoder.
_FRAME_LENGTH = 2048
_HOP_LENGTH = 512
_N_BINS = 1 + _FRAME_LENGTH // 2

_INVERSE = cv2.DFT_ROWS | cv2.DFT_INVERSE | cv2.DFT_SCALE | cv2.DFT_REAL_OUTPUT
# So many frames are transformed at a time that they stay in the processor's cache.
_BLOCK = 16
# Rows a power of two apart would evict one another from it.
_APART = 15


class _Kept(threading.local):
    """Memory of this thread for arrays that live for one call."""

    def __init__(self) -> None:
        self.blocks: dict[str, NDArray[np.uint8]] = {}


_kept = _Kept()
_MOST_KEPT = 2**22  # bytes each


def working_array(name: str, shape: tuple[int, ...], dtype: DTypeLike) -> NDArray[Any]:
    """Make an array without values that is valid until this thread asks for the same name again.

    Fresh memory from the system costs a page fault per 4 KiB, in all a tenth of the time.

    Parameters
    ----------
    name : str
        What it is for.
    shape : tuple of int
    dtype : dtype

    Returns
    -------
    ndarray
    """
    n_bytes = math.prod(shape) * np.dtype(dtype).itemsize
    if n_bytes > _MOST_KEPT:
        return np.empty(shape, dtype=dtype)
    block = _kept.blocks.get(name)
    if block is None or len(block) < n_bytes:
        block = _kept.blocks[name] = np.empty(n_bytes, dtype=np.uint8)
    return block[:n_bytes].view(dtype).reshape(shape)


def count_frames(n_samples: int, frame_length: int, hop_length: int) -> int:
    """Count the frames of a waveform, which are centred on every `hop_length`-th sample.

    Parameters
    ----------
    n_samples, frame_length, hop_length : int

    Returns
    -------
    int
        1 + n_samples // hop_length, for an even frame length.
    """
    return 1 + (n_samples - frame_length % 2) // hop_length


def cut_frames(waveform: NDArray[Any], frame_length: int, hop_length: int) -> NDArray[np.float64]:
    """View a waveform as overlapping frames, centred on every `hop_length`-th sample.

    Parameters
    ----------
    waveform : ndarray of shape (n_samples,)
    frame_length, hop_length : int
        In samples.

    Returns
    -------
    ndarray of shape (n_frames, frame_length)
        Valid until this thread cuts the next waveform.
    """
    half = frame_length // 2
    padded = working_array("padded", (len(waveform) + 2 * half,), np.float64)
    padded[:half] = padded[half + len(waveform) :] = 0
    padded[half : half + len(waveform)] = waveform
    return sliding_window_view(padded, frame_length)[::hop_length]


def magnitude_spectrum(
    waveform: NDArray[Any],
    frame_length: int,
    hop_length: int,
    first: int = 0,
    stop: int | None = None,
) -> NDArray[Any]:
    """Take the magnitudes of a short-time Fourier transform.

    Parameters
    ----------
    waveform : ndarray of shape (n_samples,)
    frame_length, hop_length : int
        In samples.
    first, stop : int, default=0, None
        Of which frames; by default of all.

    Returns
    -------
    ndarray of shape (1 + frame_length // 2, n_frames)
        Of the waveform's dtype. Valid until this thread takes the next one, here or in `analyse`.
    """
    n_frames = count_frames(len(waveform), frame_length, hop_length)
    stop = n_frames if stop is None else min(stop, n_frames)
    n_bins = 1 + frame_length // 2
    magnitude = working_array("magnitude", (n_bins, stop - first), waveform.dtype)
    rows = np.empty((_BLOCK, n_bins + _APART), dtype=waveform.dtype)
    for block, packed in _transform(waveform, frame_length, hop_length, first, stop):
        _magnitudes(packed, rows)
        # Three times as fast as loops.
        cv2.transpose(rows[: len(packed), :n_bins], dst=magnitude[:, block])
    return magnitude


def analyse(waveform: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Take a waveform apart for any number of calls of `stretch`.

    Parameters
    ----------
    waveform : ndarray of float, shape (n_samples,)

    Returns
    -------
    magnitude : ndarray of shape (n_frames + 1, n_bins)
        Of the short-time Fourier transform, with a frame of zeros after the last.
    phase : ndarray of complex, shape (n_frames + 1, n_bins)
        Its phases, as numbers of modulus 1. Both are valid until this thread analyses the next
        waveform, or takes a `magnitude_spectrum`.
    """
    n_frames = count_frames(len(waveform), _FRAME_LENGTH, _HOP_LENGTH)
    shape = (n_frames + 1, _N_BINS)
    magnitude = working_array("magnitude", shape, waveform.dtype)
    phase = working_array("phase", shape, np.result_type(waveform, np.complex64))
    magnitude[-1], phase[:] = 0, 1
    spectrum = np.empty((_BLOCK, _N_BINS), dtype=phase.dtype)
    for block, packed in _transform(waveform, _FRAME_LENGTH, _HOP_LENGTH, 0, n_frames):
        _unpack(packed, spectrum)
        _polar(spectrum[: len(packed)], magnitude[block], phase[block])
    return magnitude, phase


def stretch(
    magnitude: NDArray[Any], phase: NDArray[Any], rate: float, n_samples: int
) -> NDArray[Any]:
    """Change the tempo of a waveform without changing its pitch, by a phase vocoder.

    Parameters
    ----------
    magnitude, phase : ndarray
        As `analyse` returns them.
    rate : float
        Tempo of the result, as a multiple of the original's.
    n_samples : int
        Length of the result.

    Returns
    -------
    ndarray of shape (n_samples,)
        Of the magnitude's dtype.

    Notes
    -----
    The textbook's vocoder [1]_ subtracts from the turn of a bin's phase, from one frame to the
    next, what its centre frequency makes expect, wraps the difference to [-pi, pi] and adds the
    expectation again. All that is the turn itself but for whole turns, which leave no trace in
    the result. So no angles are taken: numbers of modulus 1 are multiplied instead.

    References
    ----------
    .. [1] D. P. W. Ellis, "A phase vocoder in Matlab", 2002,
       http://www.ee.columbia.edu/~dpwe/resources/matlab/pvoc/
    """
    steps = np.arange(0, len(phase) - 1, rate, dtype=np.float64)
    window = _window(_FRAME_LENGTH).astype(magnitude.dtype)
    total = np.zeros(_FRAME_LENGTH + (len(steps) - 1) * _HOP_LENGTH, dtype=magnitude.dtype)
    now = phase[0].copy()
    packed = np.empty((_BLOCK, _FRAME_LENGTH), dtype=magnitude.dtype)
    frames = np.empty_like(packed)
    for start in range(0, len(steps), _BLOCK):
        n = min(len(steps) - start, _BLOCK)
        _turn(magnitude, phase, steps[start : start + n], now, packed[:n])
        shifted = cv2.dft(packed[:n], dst=frames[:n], flags=_INVERSE)
        _add_frames(shifted, window, total[start * _HOP_LENGTH :])
    _divide_by_weights(total, window * window, len(steps))
    return total[_FRAME_LENGTH // 2 : _FRAME_LENGTH // 2 + n_samples].copy()


def _transform(
    waveform: NDArray[Any], frame_length: int, hop_length: int, first: int, stop: int
) -> Iterator[tuple[slice, NDArray[Any]]]:
    """Return packed spectra block by block, each with the frames it is of; the next overwrites it.

    Transformed in double precision, whatever the waveform: in single precision, the rounding
    errors of a loud partial would drown the quiet bins that spectral contrast compares it with.
    """
    window = _window(frame_length)
    # Made once: fresh memory would cost more than the transform.
    block = np.empty((_BLOCK, frame_length))
    for start in range(first, stop, _BLOCK):
        frames = block[: stop - start]
        _cut(waveform, window, start * hop_length - frame_length // 2, hop_length, frames)
        packed = cv2.dft(frames, dst=frames, flags=cv2.DFT_ROWS)
        yield slice(start - first, start - first + len(frames)), packed


@lru_cache(maxsize=8)
def _window(frame_length: int) -> NDArray[np.float64]:
    window = np.asarray(get_window("hann", frame_length), dtype=np.float64)
    window.flags.writeable = False
    return window


# The loops below are compiled. They are a few operations per bin, for which NumPy would make
# temporary arrays of the spectrum's size at each; and the vocoder's frames follow from each other.
@numba.njit(cache=True, nogil=True)
def _cut(waveform, window, begin, hop_length, frames):  # type: ignore[no-untyped-def]
    """Copy frames, the first from `begin` on, under a window; there are zeros beyond the ends."""
    for f in range(len(frames)):
        start = begin + f * hop_length
        before = min(max(-start, 0), len(window))
        after = min(max(len(waveform) - start, before), len(window))
        frame, inside = frames[f], frames[f, before:after]
        frame[:before] = 0.0
        frame[after:] = 0.0
        samples = waveform[start + before : start + after]
        weights = window[before:after]
        for i in range(len(inside)):
            inside[i] = samples[i] * weights[i]


@numba.njit(cache=True, nogil=True)
def _unpack(packed, spectrum):  # type: ignore[no-untyped-def]
    n_frames, frame_length = packed.shape
    n_bins = spectrum.shape[1]
    for f in range(n_frames):
        spectrum[f, 0] = packed[f, 0]
        spectrum[f, n_bins - 1] = packed[f, frame_length - 1]
        # The last bin is real where the frame length is even.
        for k in range(1, (frame_length + 1) // 2):
            spectrum[f, k] = complex(packed[f, 2 * k - 1], packed[f, 2 * k])


@numba.njit(cache=True, nogil=True)
def _magnitudes(packed, rows):  # type: ignore[no-untyped-def]
    n_frames, frame_length = packed.shape
    for f in range(n_frames):
        rows[f, 0] = abs(packed[f, 0])
        rows[f, frame_length // 2] = abs(packed[f, frame_length - 1])
        for k in range(1, (frame_length + 1) // 2):
            real, imag = packed[f, 2 * k - 1], packed[f, 2 * k]
            rows[f, k] = np.sqrt(real * real + imag * imag)


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _polar(spectrum, magnitude, phase):  # type: ignore[no-untyped-def]
    n_frames, n_bins = spectrum.shape
    for f in range(n_frames):
        for k in range(n_bins):
            # In double precision, the square of the faintest bin does not vanish.
            real, imag = np.float64(spectrum[f, k].real), np.float64(spectrum[f, k].imag)
            size = np.sqrt(real * real + imag * imag)
            magnitude[f, k] = size
            # A bin without a phase keeps phase 0, as atan2(0, 0) has it.
            if size > 0:
                phase[f, k] = complex(real / size, imag / size)


@numba.njit(cache=True, nogil=True)
def _turn(magnitude, phase, steps, now, packed):  # type: ignore[no-untyped-def]
    real = magnitude.dtype.type
    half, three = real(0.5), real(3.0)
    n_bins = phase.shape[1]
    bins = np.empty_like(now)
    for t in range(len(steps)):
        f = int(steps[t])
        after = real(steps[t] - f)
        before = real(1.0) - after
        for k in range(n_bins):
            re, im = now[k].real, now[k].imag
            size = before * magnitude[f, k] + after * magnitude[f + 1, k]
            bins[k] = complex(size * re, size * im)
            this, following = phase[f, k], phase[f + 1, k]
            turn_re = following.real * this.real + following.imag * this.imag
            turn_im = following.imag * this.real - following.real * this.imag
            # One Newton step towards modulus 1, or rounding errors would grow with every frame.
            norm = half * (three - (re * re + im * im))
            turn_re, turn_im = norm * turn_re, norm * turn_im
            now[k] = complex(re * turn_re - im * turn_im, re * turn_im + im * turn_re)
        packed[t, 0] = bins[0].real
        for k in range(1, n_bins - 1):
            packed[t, 2 * k - 1] = bins[k].real
            packed[t, 2 * k] = bins[k].imag
        packed[t, 2 * n_bins - 3] = bins[n_bins - 1].real


@numba.njit(cache=True, nogil=True)
def _add_frames(frames, window, total):  # type: ignore[no-untyped-def]
    for f in range(len(frames)):
        frame, here = frames[f], total[f * _HOP_LENGTH : f * _HOP_LENGTH + len(window)]
        for i in range(len(window)):
            here[i] += frame[i] * window[i]


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _divide_by_weights(total, squares, n_frames):  # type: ignore[no-untyped-def]
    """Divide by the sum of the squared windows of the frames that share each sample."""
    shared = len(squares) // _HOP_LENGTH
    weight = np.empty(_HOP_LENGTH, squares.dtype)
    for part in range(n_frames + shared - 1):
        first, last = max(part - shared + 1, 0), min(part, n_frames - 1)
        if part < shared or last < part:  # it stays the same in between
            weight[:] = 0
            for f in range(first, last + 1):
                weight += squares[(part - f) * _HOP_LENGTH : (part - f + 1) * _HOP_LENGTH]
        here = total[part * _HOP_LENGTH : (part + 1) * _HOP_LENGTH]
        for i in range(_HOP_LENGTH):
            here[i] /= weight[i]
