"""The course of voice and spectrum over a clip of speech."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Integral, Real
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils._param_validation import Interval

from ..base import ClipTransformer
from ._speech_descriptors import PROSODY, SPECTRUM, describe_speech
from ._speech_frames import SAMPLE_RATE, prepare_speech

_N_MFCC = 13
_PROSODY = ("pitch",)
_SPECTRUM = ("harmonicity", "loudness", "centroid", "flux", "alpha-ratio", "hammarberg")
_NAMES = (*(f"mfcc{i:02d}" for i in range(_N_MFCC)), *_PROSODY, *_SPECTRUM)


class SpeechTrajectories(ClipTransformer):
    """Describe each clip of speech by the course of 20 descriptors from its beginning to its end.

    The descriptors are some of those that `SpeechFunctionals` summarises: 13 mel-frequency
    cepstral coefficients, pitch, harmonics-to-noise ratio, loudness, spectral centroid and flux,
    alpha ratio and Hammarberg index. Every clip is resampled to the same number of points.

    Parameters
    ----------
    n_points : int, default=150
        Points of each trajectory, equally spaced from beginning to end, linearly interpolated
        between descriptors every 10 ms.
    sample_rate : int, default=16000
        Samples per second (Hz) of the waveforms. Other rates are resampled to 16,000.
    trim : float or None, default=30.0
        Silence at both ends is trimmed, if it is quieter than the loudest 32 ms by more than this
        many dB. None keeps it.

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
    SpeechFunctionals : One row of numbers instead.
    skemotion.decomposition.MiniRocket : Features of the trajectories.
    AudioFeatures : Descriptors of any sound, every clip at its own length.

    Examples
    --------
    >>> import numpy as np
    >>> from skemotion.audio import SpeechTrajectories
    >>> voices = [np.random.default_rng(0).normal(size=n) for n in (16000, 24000)]
    >>> stage = SpeechTrajectories().fit(voices)
    >>> [trajectories.shape for trajectories in stage.transform(voices)]
    [(150, 20), (150, 20)]
    >>> stage.get_feature_names_out()[13]
    'pitch'
    """

    takes = "waveforms"
    ragged = True
    _parameter_constraints = {
        "n_points": [Interval(Integral, 1, None, closed="left")],
        "sample_rate": [Interval(Integral, 1000, None, closed="left")],
        "trim": [Interval(Real, 0, None, closed="neither"), None],
    }

    def __init__(
        self,
        n_points: int = 150,
        sample_rate: int = SAMPLE_RATE,
        trim: float | None = 30.0,
    ) -> None:
        self.n_points = n_points
        self.sample_rate = sample_rate
        self.trim = trim

    def transform_clip(self, clip: NDArray[Any]) -> NDArray[Any]:
        """Describe one waveform.

        Parameters
        ----------
        clip : ndarray of float, shape (n_samples,)
            Mono sound.

        Returns
        -------
        trajectories : ndarray of shape (n_points, 20)
            Of the waveform's float dtype.
        """
        described = describe_speech(prepare_speech(clip, self.sample_rate, self.trim))
        curves = [
            *described.mfcc[:_N_MFCC],
            *(described.prosody[PROSODY.index(name)] for name in _PROSODY),
            *(described.spectrum[SPECTRUM.index(name)] for name in _SPECTRUM),
        ]
        frames = np.arange(len(curves[0]))
        places = np.linspace(0, frames[-1], self.n_points)
        stretched = [np.interp(places, frames, curve) for curve in curves]
        return np.stack(stretched, axis=1).astype(clip.dtype)

    def name_values(self, input_features: Sequence[str] | None) -> list[str]:
        """Name the descriptors, such as ``mfcc03``.

        With the variant, as in ``mfcc03_pitch+4``, where there is more than one column of
        waveforms; with the place in time, as in ``mfcc03_point012``, for arrays of them.
        """
        if self.clip_shape_:
            n_channels = int(np.prod(self.clip_shape_[1:]))
            suffixes = [f"_channel{i}" for i in range(n_channels)] if n_channels > 1 else [""]
            return [
                f"{name}_point{point:03d}{suffix}"
                for point in range(self.n_points)
                for name in _NAMES
                for suffix in suffixes
            ]
        if self.n_features_in_ == 1:
            return list(_NAMES)
        if input_features is None:
            input_features = [f"variant{i}" for i in range(self.n_features_in_)]
        return [f"{name}_{variant}" for variant in input_features for name in _NAMES]

    def remember_clip(self, cells: list[NDArray[Any]]) -> None:
        """Store nothing: the names do not depend on the clip."""
