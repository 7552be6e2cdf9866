"""Acoustic features of waveforms, frame by frame."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from numbers import Integral
from typing import Any

import librosa
import numpy as np
from numpy.typing import NDArray
from sklearn.utils._param_validation import Interval

from ..base import ClipTransformer
from ._descriptors import (
    DELTA_WIDTH,
    chroma,
    contrast,
    derivative,
    mel_spectrum,
    mfcc,
    root_mean_square,
    zero_crossing_rate,
)
from ._pitch import pitch_candidates, track_pitch
from ._spectrum import count_frames, cut_frames, magnitude_spectrum

_LOUDEST = 1e12  # whose power over a frame is still within single precision
_OF_MAGNITUDE = {"contrast", "centroid", "rolloff", "bandwidth"}
_POSITIVE = [Interval(Integral, 1, None, closed="left")]


class AudioFeatures(ClipTransformer):
    """Describe each waveform by acoustic features over time.

    Values are those of librosa, with its defaults, to rounding; the features share one spectrum.
    A clip's features depend only on the clip.

    Parameters
    ----------
    features : tuple of str, default=("mfcc", "zcr", "rms", "chroma", "contrast")
        The features, in this order: "mfcc" (mel-frequency cepstral coefficients), "zcr"
        (zero-crossing rate), "rms" (root mean square), "chroma" (12 pitch classes), "contrast"
        (spectral contrast of 7 octave bands, dB), "mel" (mel spectrum, power), "centroid"
        (spectral centroid, Hz), "rolloff" (frequency below which 85 % of the magnitude lies, Hz),
        "bandwidth" (spread of the spectrum around its centroid, Hz), "flatness" (from 0, a tone,
        to 1, white noise), "f0" (pitch, Hz; 0 in unvoiced frames), "voicing" (probability that
        the frame is voiced).
    n_mfcc : int, default=13
        Number of cepstral coefficients.
    n_mels : int, default=128
        Bands of the mel spectrum, including the one from which "mfcc" is computed.
    sample_rate : int, default=22050
        Samples per second (Hz) of the waveforms.
    frame_length : int, default=2048
        Samples of a frame.
    hop_length : int, default=512
        Samples from one frame to the next.
    deltas : int, default=0
        Orders of derivatives over time, per frame, that follow the features: 1 for slopes, 2 for
        slopes and curvatures, up to 8.

    Attributes
    ----------
    n_features_in_ : int
        Second axis of X at fit; the number of columns if X was columns of waveforms.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Column names of X at fit, if X was numbers and had any.
    clip_shape_ : tuple of int
        Shape of a clip at fit; empty for columns of waveforms.

    See Also
    --------
    audio_features : The same for one clip.
    AudioAugmenter : Makes variants of waveforms, which this stage takes as well.
    skemotion.decomposition.BSplineProjector : Gives trajectories one length.
    skemotion.decomposition.TrajectoryStatistics : Means, percentiles and slopes.

    Notes
    -----
    Pitch and voicing are those of `librosa.pyin` [2]_ between 55 and 1000 Hz, in double precision.
    They take several times as long as all default features. Plain YIN, as `librosa.yin`
    computes it, is hardly faster, but makes octave errors and gives a pitch to every frame, silence
    included. Pitch falls to 0 where the voice ends, so its splines and derivatives contain these
    edges, too.

    Derivatives are those of `librosa.feature.delta`: slopes of polynomials fitted to 9 frames. In
    a clip of fewer frames, one polynomial is fitted to all of them, and a derivative for which they
    are too few is 0.

    References
    ----------
    .. [1] B. McFee et al., "librosa: Audio and music signal analysis in Python", Proceedings of
       the 14th Python in Science Conference, 2015.
    .. [2] M. Mauch and S. Dixon, "pYIN: A fundamental frequency estimator using probabilistic
       threshold distributions", IEEE International Conference on Acoustics, Speech and Signal
       Processing, 2014.

    Examples
    --------
    >>> import numpy as np
    >>> from skemotion.audio import AudioFeatures
    >>> tones = [np.sin(0.1 * np.arange(22050)), np.sin(0.2 * np.arange(11025))]
    >>> [clip.shape for clip in AudioFeatures().transform(tones)]
    [(44, 34), (22, 34)]
    """

    takes = "waveforms"
    ragged = True
    _parameter_constraints = {
        "features": [tuple, list],
        "n_mfcc": _POSITIVE,
        "n_mels": _POSITIVE,
        "sample_rate": _POSITIVE,
        "frame_length": [Interval(Integral, 2, None, closed="left")],
        "hop_length": _POSITIVE,
        # librosa's polynomials are of the derivative's order, which 9 frames limit.
        "deltas": [Interval(Integral, 0, DELTA_WIDTH - 1, closed="both")],
    }

    def __init__(
        self,
        features: Sequence[str] = ("mfcc", "zcr", "rms", "chroma", "contrast"),
        n_mfcc: int = 13,
        n_mels: int = 128,
        sample_rate: int = 22050,
        frame_length: int = 2048,
        hop_length: int = 512,
        deltas: int = 0,
    ) -> None:
        self.features = features
        self.n_mfcc = n_mfcc
        self.n_mels = n_mels
        self.sample_rate = sample_rate
        self.frame_length = frame_length
        self.hop_length = hop_length
        self.deltas = deltas

    def transform_clip(self, clip: NDArray[Any]) -> NDArray[Any]:
        """Describe one waveform.

        Parameters
        ----------
        clip : ndarray of float, shape (n_samples,)
            Mono sound.

        Returns
        -------
        trajectory : ndarray of shape (n_frames, n_features)
            Of the waveform's float dtype; n_frames is 1 + n_samples // hop_length.
        """
        # `get_params` takes longer than some features.
        return audio_features(
            clip, **{name: getattr(self, name) for name in self._parameter_constraints}
        )

    def name_values(self, input_features: Sequence[str] | None) -> list[str]:
        """Name the features of every variant, which are the columns of `input_features`.

        Such as ``mfcc03``, and ``mfcc03-delta2`` for its second derivative; ``mfcc03_pitch+4``
        where there is more than one column; ``mfcc03_frame00012`` for a table.
        """
        names = _names(self.features, self.n_mfcc, self.n_mels, self.deltas)
        if self.clip_shape_:
            n_frames = count_frames(self.n_features_in_, self.frame_length, self.hop_length)
            suffixes = [f"_frame{i:05d}" for i in range(n_frames)]
        elif self.n_features_in_ == 1:
            suffixes = [""]
        else:
            if input_features is None:
                input_features = [f"variant{i}" for i in range(self.n_features_in_)]
            suffixes = [f"_{name}" for name in input_features]
        return [name + suffix for suffix in suffixes for name in names]

    def check_parameters(self) -> None:
        """Refuse features that are unknown or cannot be computed."""
        _check_features(self.features, self.n_mfcc, self.n_mels)

    def remember_clip(self, cells: list[NDArray[Any]]) -> None:
        """Store nothing: the names do not depend on the clip."""


def audio_features(
    waveform: NDArray[Any],
    features: Sequence[str] = ("mfcc", "zcr", "rms", "chroma", "contrast"),
    n_mfcc: int = 13,
    n_mels: int = 128,
    sample_rate: int = 22050,
    frame_length: int = 2048,
    hop_length: int = 512,
    deltas: int = 0,
) -> NDArray[Any]:
    """Describe one waveform by acoustic features over time.

    Parameters
    ----------
    waveform : ndarray of float, shape (n_samples,)
        Mono sound.
    features, n_mfcc, n_mels, sample_rate, frame_length, hop_length, deltas
        As for `AudioFeatures`.

    Returns
    -------
    trajectory : ndarray of shape (n_frames, n_features)
        Of the waveform's dtype.

    Raises
    ------
    ValueError
        If a feature is unknown, or a sample so large that its power is not finite.

    Examples
    --------
    >>> import numpy as np
    >>> from skemotion.audio import audio_features
    >>> tone = np.sin(2 * np.pi * 440 / 22050 * np.arange(22050))
    >>> audio_features(tone, features=("rms", "centroid"))[20].round(2)
    array([  0.71, 440.25])
    """
    _check_features(features, n_mfcc, n_mels)
    peak = max(waveform.max(initial=0), -waveform.min(initial=0))
    if peak > _LOUDEST:
        raise ValueError(
            f"expected samples of at most {_LOUDEST:g}, found {peak:.3g}. Scale the waveform to "
            "[-1, 1]."
        )
    frames = (frame_length, hop_length)
    magnitude = cache(lambda: magnitude_spectrum(waveform, *frames))
    power = cache(lambda: np.square(magnitude(), out=magnitude()))
    mel = cache(lambda: mel_spectrum(power(), n_mels, sample_rate, frame_length))
    bins: dict[str, Any] = {"sr": sample_rate, "n_fft": frame_length}
    centroid = cache(lambda: librosa.feature.spectral_centroid(S=magnitude(), **bins))
    candidates = cache(lambda: pitch_candidates(cut_frames(waveform, *frames), sample_rate))
    compute: dict[str, Callable[[], NDArray[Any]]] = {
        "mfcc": lambda: mfcc(mel(), n_mfcc),
        "zcr": lambda: zero_crossing_rate(waveform, *frames),
        "rms": lambda: root_mean_square(waveform, *frames),
        "chroma": lambda: chroma(power(), sample_rate, frame_length),
        "contrast": lambda: contrast(magnitude(), sample_rate, frame_length),
        "mel": mel,
        "centroid": centroid,
        "rolloff": lambda: librosa.feature.spectral_rolloff(S=magnitude(), **bins),
        "bandwidth": lambda: librosa.feature.spectral_bandwidth(
            S=magnitude(), centroid=centroid(), **bins
        ),
        "flatness": lambda: librosa.feature.spectral_flatness(S=power(), power=1.0),
        "f0": lambda: track_pitch(*candidates(), sample_rate, hop_length),
        "voicing": lambda: candidates()[1],
    }
    # Power replaces magnitude where that is, once nothing else needs it.
    in_turn = sorted(dict.fromkeys(features), key=lambda name: name not in _OF_MAGNITUDE)
    computed = {name: compute[name]() for name in in_turn}
    curves = np.concatenate([computed[name] for name in features])
    if deltas:
        orders = range(1, deltas + 1)
        curves = np.vstack([curves, *(derivative(curves, order) for order in orders)])
    return np.ascontiguousarray(curves.T, dtype=waveform.dtype)


def _widths(n_mfcc: int, n_mels: int) -> dict[str, int]:
    """Return the number of values of each feature in a frame."""
    return {
        "mfcc": n_mfcc,
        "zcr": 1,
        "rms": 1,
        "chroma": 12,
        "contrast": 7,
        "mel": n_mels,
        "centroid": 1,
        "rolloff": 1,
        "bandwidth": 1,
        "flatness": 1,
        "f0": 1,
        "voicing": 1,
    }


def _names(features: Sequence[str], n_mfcc: int, n_mels: int, deltas: int) -> list[str]:
    widths = _widths(n_mfcc, n_mels)
    names = [
        name if widths[name] == 1 else f"{name}{i:0{len(str(widths[name] - 1))}d}"
        for name in features
        for i in range(widths[name])
    ]
    orders = ["", "-delta", *(f"-delta{order}" for order in range(2, deltas + 1))]
    return [name + order for order in orders[: deltas + 1] for name in names]


def _check_features(features: Sequence[str], n_mfcc: int, n_mels: int) -> None:
    known = _widths(n_mfcc, n_mels)
    if not len(features) or not all(name in known for name in features):
        raise ValueError(f"features must be some of {', '.join(known)}; got {features!r}.")
    if n_mfcc > n_mels:
        raise ValueError(
            f"n_mfcc={n_mfcc} coefficients cannot be had from n_mels={n_mels} bands: lower the "
            "one or raise the other."
        )
