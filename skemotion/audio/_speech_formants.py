"""Formants of speech: the resonances of an all-pole model of the vocal tract.

Linear prediction by the autocorrelation method, solved by Levinson's recursion; a pair of complex
roots of the predictor's polynomial close to the unit circle is a resonance, whose frequency is the
root's angle and whose bandwidth its distance from the circle [1]_.

References
----------
.. [1] J. D. Markel and A. H. Gray, "Linear Prediction of Speech", Springer, 1976.
.. [2] O. Aberth, "Iteration methods for finding all zeros of a polynomial simultaneously",
   Mathematics of Computation 27(122), 339-344, 1973.
"""

from __future__ import annotations

import numba
import numpy as np
import scipy.signal
from numpy.typing import NDArray

from ._speech_frames import HOP_LENGTH, SAMPLE_RATE, cut_speech_frames

N_FORMANTS = 4
_ORDER = 12  # two for each kHz and some for the voice's source
# Formants lie below 5.5 kHz, where the polynomial's roots are spent better.
_RATE = 11000
_FRAME_LENGTH = 275  # samples, 25 ms
_PREEMPHASIS = 0.97
_LOWEST, _HIGHEST, _WIDEST = 150.0, 5000.0, 700.0  # Hz
# The filter that `scipy.signal.resample_poly` designs at each call.
_FILTER = scipy.signal.firwin(2 * 10 * 16 + 1, 1 / 16, window=("kaiser", 5.0))
_WINDOW = np.hamming(_FRAME_LENGTH)
_MAX_STEPS = 60


def find_formants(
    waveform: NDArray[np.float64], where: NDArray[np.bool_]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Find the formants of some of a clip's frames.

    Parameters
    ----------
    waveform : ndarray of shape (n_samples,)
        At 16 kHz.
    where : ndarray of bool, shape (n_frames,)
        The frames that are looked at, which follow each other every 10 ms. What is no voice has
        no formants.

    Returns
    -------
    frequencies, bandwidths : ndarray of shape (n_frames, 4)
        In Hz, from the lowest on; NaN where there is none.
    """
    found = np.full((2, len(where), N_FORMANTS), np.nan)
    if where.any():
        # The stubs know windows by name alone.
        speech = scipy.signal.resample_poly(waveform, 11, 16, window=_FILTER)  # type: ignore[call-overload]
        speech[1:] -= _PREEMPHASIS * speech[:-1]
        hop = HOP_LENGTH * _RATE // SAMPLE_RATE
        frames = cut_speech_frames(speech, _FRAME_LENGTH, hop, len(where))
        found[:, where] = resonances(predictors(frames, np.flatnonzero(where)))
    return found[0], found[1]


def predictors(frames: NDArray[np.float64], chosen: NDArray[np.intp]) -> NDArray[np.float64]:
    """Fit linear predictors to some of the frames.

    Parameters
    ----------
    frames : ndarray of shape (n_frames, 275)
    chosen : ndarray of int, shape (n_chosen,)

    Returns
    -------
    ndarray of shape (n_chosen, 13)
        Coefficients of the polynomials, the highest power's first, which is 1.
    """
    polynomials = np.empty((len(chosen), _ORDER + 1))
    _predict(frames, chosen, polynomials)
    return polynomials


def resonances(polynomials: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the resonances of predictors.

    Parameters
    ----------
    polynomials : ndarray of shape (n_frames, 13)

    Returns
    -------
    ndarray of shape (2, n_frames, 4)
        Frequencies and bandwidths in Hz, by frequency; NaN where there are fewer.
    """
    roots = np.empty((len(polynomials), _ORDER), dtype=np.complex128)
    converged = np.empty(len(polynomials), dtype=np.bool_)
    _find_roots(polynomials, roots, converged)
    for frame in np.flatnonzero(~converged):
        # Roots that coincide. The companion matrix finds them slowly, and always.
        roots[frame] = np.linalg.eigvals(_companion(polynomials[frame]))
    frequencies = np.angle(roots) * _RATE / (2 * np.pi)
    bandwidths = -np.log(np.abs(roots) + 1e-9) * _RATE / np.pi
    formant = (frequencies > _LOWEST) & (frequencies < _HIGHEST) & (bandwidths < _WIDEST)
    frequencies = np.where(formant, frequencies, np.nan)
    bandwidths = np.where(formant, bandwidths, np.nan)
    lowest = np.argsort(frequencies, axis=1)[:, :N_FORMANTS]  # NaN come last
    return np.stack(
        [np.take_along_axis(values, lowest, axis=1) for values in (frequencies, bandwidths)]
    )


def _companion(polynomial: NDArray[np.float64]) -> NDArray[np.float64]:
    matrix = np.eye(_ORDER, k=-1)
    matrix[0] = -polynomial[1:]
    return matrix


# The loops below are compiled: recursions and iterations on one frame at a time.
@numba.njit(cache=True, nogil=True, fastmath={"reassoc", "nsz"})
def _predict(frames, chosen, polynomials):  # type: ignore[no-untyped-def]
    windowed = np.empty(_FRAME_LENGTH)
    r = np.empty(_ORDER + 1)
    before = np.empty(_ORDER + 1)
    for f in range(len(chosen)):
        for i in range(_FRAME_LENGTH):
            windowed[i] = frames[chosen[f], i] * _WINDOW[i]
        for lag in range(_ORDER + 1):
            total = 0.0
            for i in range(lag, _FRAME_LENGTH):
                total += windowed[i] * windowed[i - lag]
            r[lag] = total
        # A little white noise, so that pure tones and silence have a predictor, too.
        r[0] = r[0] * 1.0001 + 1e-9
        a = polynomials[f]
        a[:] = 0.0
        a[0] = 1.0
        error = r[0]
        for order in range(1, _ORDER + 1):
            reflection = 0.0
            for i in range(order):
                reflection -= a[i] * r[order - i]
            reflection /= error
            before[:] = a
            for i in range(1, order + 1):
                a[i] += reflection * before[order - i]
            error = error * (1 - reflection * reflection) + 1e-12


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _find_roots(polynomials, roots, converged):  # type: ignore[no-untyped-def]
    """Find all roots of each polynomial at once, by the method of Ehrlich and Aberth [2]_.

    Complex numbers are taken apart: their division checks for what cannot happen here.
    """
    n = _ORDER
    x, y = np.empty(n), np.empty(n)
    settled = np.empty(n, np.bool_)
    for f in range(len(polynomials)):
        a = polynomials[f]
        for i in range(n):
            # On a circle inside of which all are, and turned, as roots are mirrored on the axis.
            angle = 2 * np.pi * (i + 0.25) / n
            x[i], y[i] = 0.95 * np.cos(angle), 0.95 * np.sin(angle)
        settled[:] = False
        for _ in range(_MAX_STEPS):
            for i in range(n):
                if settled[i]:
                    continue
                # The polynomial p, its derivative d, and the size s that its terms add up to.
                size = np.sqrt(x[i] * x[i] + y[i] * y[i])
                p_re, p_im, d_re, d_im, s = a[0], 0.0, 0.0, 0.0, abs(a[0])
                for k in range(1, n + 1):
                    d_re, d_im = d_re * x[i] - d_im * y[i] + p_re, d_re * y[i] + d_im * x[i] + p_im
                    p_re, p_im = p_re * x[i] - p_im * y[i] + a[k], p_re * y[i] + p_im * x[i]
                    s = s * size + abs(a[k])
                # Newton's step is p / d; the other roots' pull is taken off its reciprocal, d / p.
                p_2 = p_re * p_re + p_im * p_im
                if p_2 <= (2e-16 * s) ** 2:
                    settled[i] = True
                    continue
                q_re = (d_re * p_re + d_im * p_im) / p_2
                q_im = (d_im * p_re - d_re * p_im) / p_2
                for j in range(n):
                    if j != i:
                        u, v = x[i] - x[j], y[i] - y[j]
                        distance_2 = u * u + v * v
                        q_re -= u / distance_2
                        q_im += v / distance_2
                q_2 = q_re * q_re + q_im * q_im
                step_re, step_im = q_re / q_2, -q_im / q_2
                x[i] -= step_re
                y[i] -= step_im
                # Steps grow smaller by their third power: after such a one, none is left.
                settled[i] = step_re * step_re + step_im * step_im <= 1e-20 * size * size
            if settled.all():
                break
        converged[f] = settled.all()
        for i in range(n):
            converged[f] &= np.isfinite(x[i]) and np.isfinite(y[i])
            roots[f, i] = complex(x[i], y[i])
