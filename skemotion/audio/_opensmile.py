"""A stage that describes sound by the functionals of openSMILE."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from numbers import Integral
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils._param_validation import Interval, StrOptions

from ..base import ClipTransformer
from ._names import names_of_rows

_FEATURE_SETS = {
    "GeMAPSv01b", "eGeMAPSv02", "ComParE_2016", "emobase", "IS09", "IS10", "IS11", "IS12", "IS13"
}  # fmt: skip
# Of what is shorter than 70 ms, some sets give nothing.
_SHORTEST = 0.1  # seconds
# openSMILE gets samples of 16 bits, in which 1.0 itself would become -1.0.
_LARGEST = 1 - 2**-15


class OpenSMILE(ClipTransformer):
    """Describe each clip by the functionals of openSMILE: one row of named numbers.

    These are the standard sets of the field, computed by openSMILE itself [1]_: a set's low-level
    descriptors, summarised over the whole clip. A clip's functionals depend only on the clip. Needs
    the package opensmile, the extra ``opensmile``.

    openSMILE is not free software: audEERING's research licence allows non-commercial use, such as
    research and teaching, and forbids use in products. Whoever installs it agrees to that licence.
    `SpeechFunctionals` has no such limits.

    Parameters
    ----------
    feature_set : str, default="eGeMAPSv02"
        The set of functionals:

        - "eGeMAPSv02" (88), "GeMAPSv01b" (62): the Geneva Minimalistic Acoustic Parameter Set,
          extended or not [2]_;
        - "ComParE_2016" (6,373): the set of the Computational Paralinguistics Challenges [3]_;
        - "IS09" (384), "IS10" (1,582), "IS11" (4,368), "IS12" (6,125), "IS13" (6,373): those of
          the Interspeech challenges of 2009 to 2013;
        - "emobase" (988): openSMILE's older set for emotion.
    sample_rate : int, default=16000
        Samples per second (Hz) of the waveforms.

    Attributes
    ----------
    n_features_in_ : int
        Second axis of X at fit; the number of columns if X was columns of waveforms.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Column names of X at fit, if X was numbers and had any.
    clip_shape_ : tuple of int
        Shape of a clip at fit; empty for columns of waveforms.

    Raises
    ------
    ImportError
        At fit and transform, if opensmile is not installed; the message says how.

    See Also
    --------
    AudioLoader : Makes waveforms; give it the same `sample_rate`.
    SpeechFunctionals : Functionals that need no further package.

    Notes
    -----
    openSMILE takes samples of 16 bits: waveforms are clipped to [-1, 1), and detail below 2^-15 is
    lost. Clips shorter than 0.1 s are padded with zeros, because openSMILE gives no values below
    70 ms. So all values are finite, even for silence; openSMILE gives 0 if nothing is voiced.
    Silence at the ends counts, as in openSMILE: trim it first if it should not.

    openSMILE computes in single precision, in the calling thread. Any number of threads and
    processes may run at the same time, as in `ClipPipeline`.

    References
    ----------
    .. [1] F. Eyben, M. Wöllmer and B. Schuller, "openSMILE: The Munich versatile and fast
       open-source audio feature extractor", Proceedings of the 18th ACM International Conference on
       Multimedia, 1459-1462, 2010.
    .. [2] F. Eyben et al., "The Geneva Minimalistic Acoustic Parameter Set (GeMAPS) for voice
       research and affective computing", IEEE Transactions on Affective Computing 7(2), 190-202,
       2016.
    .. [3] B. Schuller et al., "The INTERSPEECH 2016 Computational Paralinguistics Challenge:
       Deception, sincerity and native language", Interspeech, 2001-2005, 2016.

    Examples
    --------
    >>> import numpy as np
    >>> from skemotion.audio import OpenSMILE
    >>> time = np.arange(16000) / 16000
    >>> hum = sum(np.sin(2 * np.pi * 110 * k * time) / (10 * k) for k in range(1, 30))
    >>> stage = OpenSMILE().set_output(transform="pandas")
    >>> table = stage.fit_transform([hum])  # doctest: +SKIP
    >>> table[["F0semitoneFrom27.5Hz_sma3nz_percentile50.0"]].round(1)  # doctest: +SKIP
       F0semitoneFrom27.5Hz_sma3nz_percentile50.0
    0                                        24.0
    """

    takes = "waveforms"
    _parameter_constraints = {
        "feature_set": [StrOptions(_FEATURE_SETS)],
        # Telephones have 8,000.
        "sample_rate": [Interval(Integral, 1000, None, closed="left")],
    }

    def __init__(self, feature_set: str = "eGeMAPSv02", sample_rate: int = 16000) -> None:
        self.feature_set = feature_set
        self.sample_rate = sample_rate

    def transform_clip(self, clip: NDArray[Any]) -> NDArray[Any]:
        """Describe one waveform.

        Parameters
        ----------
        clip : ndarray of float, shape (n_samples,)
            Mono sound.

        Returns
        -------
        functionals : ndarray of shape (n_functionals,)
            Of the waveform's float dtype.

        Raises
        ------
        ImportError
            If opensmile is not installed.
        """
        missing = max(math.ceil(_SHORTEST * self.sample_rate) - len(clip), 0)
        waveform = np.pad(np.clip(clip, -1.0, _LARGEST).astype(np.float32), (0, missing))
        functionals = _extractor(self.feature_set)(waveform, self.sample_rate)
        return np.asarray(functionals[0, :, 0], dtype=clip.dtype)

    def name_values(self, input_features: Sequence[str] | None) -> list[str]:
        """Return openSMILE's own names, such as ``F0semitoneFrom27.5Hz_sma3nz_amean``.

        With the variant, as in ``loudness_sma3_amean_pitch+4``, where there is more than one column
        of waveforms; with the channel, as in ``loudness_sma3_amean_channel1``, where arrays of them
        have more than one.
        """
        return names_of_rows(self, _extractor(self.feature_set).feature_names, input_features)

    def cache_identity(self) -> str:
        """Return opensmile's version."""
        return str(_opensmile().__version__)

    def remember_clip(self, cells: list[NDArray[Any]]) -> None:
        """Store nothing, but fail early if opensmile is missing."""
        _opensmile()


def _opensmile() -> ModuleType:
    try:
        import opensmile
    except ImportError as error:
        raise ImportError(
            'OpenSMILE needs opensmile: python -m pip install "skemotion[opensmile]" (for '
            "non-commercial use, see its licence); SpeechFunctionals needs nothing further."
        ) from error
    return opensmile


@lru_cache(maxsize=2)
def _extractor(feature_set: str) -> Any:
    """Return what describes a waveform: it keeps its names, and nothing from clip to clip."""
    opensmile = _opensmile()
    return opensmile.Smile(opensmile.FeatureSet[feature_set], opensmile.FeatureLevel.Functionals)
