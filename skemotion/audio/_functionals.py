"""A stage that describes speech by functionals."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Integral, Real
from typing import Any

from numpy.typing import NDArray
from sklearn.utils._param_validation import Interval

from ..base import ClipTransformer
from ._names import names_of_rows
from ._speech_frames import SAMPLE_RATE
from ._speech_functionals import BLOCKS, check_blocks, functional_names, speech_functionals


class SpeechFunctionals(ClipTransformer):
    """Describe each clip of speech by functionals: one row of named numbers for any length.

    Low-level descriptors are computed every 10 ms, and summarised over the clip by means,
    deviations, percentiles and more, as in openSMILE [1]_ and GeMAPS [2]_. A clip's
    functionals depend only on the clip.

    Parameters
    ----------
    blocks : tuple of str, default=all nine, in this order
        The groups of functionals, in this order:

        - "mfcc" (960): 20 mel-frequency cepstral coefficients, and their first and second
          derivatives;
        - "mel" (1,480): logarithms of power in 40 mel bands, 50 to 8,000 Hz, and derivatives;
        - "prosody" (89): pitch (semitones above 55 Hz), harmonics-to-noise ratio (dB), jitter,
          shimmer, the first harmonic against the second and against the third formant;
        - "formants" (148): F1 to F4 (Hz) and logarithms of their bandwidths;
        - "spectrum" (814): 22 measures of loudness and of the spectrum's shape, among them
          centroid, roll-offs, entropy, flux, alpha ratio, Hammarberg index and slopes;
        - "modulation" (147): how fast the levels of 20 bands go up and down, from 0.3 to 50 Hz;
        - "timing" (14): length, voice, pauses, rate of syllables;
        - "contour" (532): the course of coefficients, bands, pitch and formants over the clip,
          stretched to one length, as cosine coefficients;
        - "thirds" (156): means over the first, second and last third.
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
    speech_functionals : The same for one clip.
    functional_names : Names of the numbers.
    AudioLoader : Makes waveforms; give it the same `sample_rate`.
    AudioFeatures : Gives descriptors frame by frame.

    Notes
    -----
    Frames of 25 ms begin every 10 ms. Pitch is Boersma's [3]_, from 65 to 650 Hz, in frames of
    50 ms; formants are resonances of a linear predictor of order 12 at 11 kHz [4]_.

    Statistics are taken over active frames (not more than 35 dB below the 95th percentile), or over
    voiced ones: mean, deviation, percentiles 5, 25, 50, 75 and 95, the ranges from 5 to 95 and from
    25 to 75, skewness, kurtosis, and, but for derivatives, slope and curvature. Voice and formants
    are interpolated between voiced frames. A clip of which five frames or fewer are voiced counts
    as voiced throughout.

    All values are finite for any waveform, however short, silent or loud. Waveforms should have a
    peak of about 1; those with a peak above 2^20 are scaled down to it. Some values depend on a
    decision that rounding can change in a tie: roll-offs (by a bin), active and voiced frames,
    pitch candidates of equal height, bandwidths at 700 Hz. Skewness and kurtosis of a curve that
    is constant up to rounding are about 0.

    References
    ----------
    .. [1] F. Eyben, M. Wöllmer and B. Schuller, "openSMILE: The Munich versatile and fast
       open-source audio feature extractor", Proceedings of the 18th ACM International Conference on
       Multimedia, 1459-1462, 2010.
    .. [2] F. Eyben et al., "The Geneva Minimalistic Acoustic Parameter Set (GeMAPS) for voice
       research and affective computing", IEEE Transactions on Affective Computing 7(2), 190-202,
       2016.
    .. [3] P. Boersma, "Accurate short-term analysis of the fundamental frequency and the
       harmonics-to-noise ratio of a sampled sound", IFA Proceedings 17, 97-110, 1993.
    .. [4] J. D. Markel and A. H. Gray, "Linear Prediction of Speech", Springer, 1976.

    Examples
    --------
    >>> import numpy as np
    >>> from skemotion.audio import SpeechFunctionals
    >>> time = np.arange(16000) / 16000
    >>> hums = [sum(np.sin(2 * np.pi * f * k * time) / k for k in range(1, 30)) for f in (110, 220)]
    >>> SpeechFunctionals().fit_transform(hums).shape
    (2, 4340)
    >>> prosody = SpeechFunctionals(blocks=("prosody",)).set_output(transform="pandas")
    >>> prosody.fit_transform(hums)[["pitch_p50_voiced"]].round(1)
       pitch_p50_voiced
    0              12.0
    1              24.0
    """

    takes = "waveforms"
    _parameter_constraints = {
        "blocks": [tuple, list],
        # Telephones have 8,000. Far below, a clip would become many times as long.
        "sample_rate": [Interval(Integral, 1000, None, closed="left")],
        "trim": [Interval(Real, 0, None, closed="neither"), None],
    }

    def __init__(
        self,
        blocks: Sequence[str] = BLOCKS,
        sample_rate: int = SAMPLE_RATE,
        trim: float | None = 30.0,
    ) -> None:
        self.blocks = blocks
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
        functionals : ndarray of shape (n_functionals,)
            Of the waveform's float dtype; 4,340 with all blocks.
        """
        return speech_functionals(clip, **self.get_params()).astype(clip.dtype)

    def name_values(self, input_features: Sequence[str] | None) -> list[str]:
        """Name the functionals, such as ``mfcc03_mean_voiced``.

        With the variant, as in ``mfcc03_mean_voiced_pitch+4``, where there is more than one column
        of waveforms; with the channel, as in ``mfcc03_mean_voiced_channel1``, where arrays of them
        have more than one.
        """
        return names_of_rows(self, functional_names(self.blocks), input_features)

    def check_parameters(self) -> None:
        """Refuse blocks that are unknown or given twice, and an empty list."""
        check_blocks(self.blocks)

    def remember_clip(self, cells: list[NDArray[Any]]) -> None:
        """Store nothing: the names do not depend on the clip."""
