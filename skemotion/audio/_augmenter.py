"""Variants of a waveform: noise, pitch, speed and time shift."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from numbers import Integral, Real
from typing import Any

import numpy as np
import soxr
from numpy.typing import NDArray
from sklearn.utils._param_validation import Interval

from ..base import ClipTransformer, one_column
from ._spectrum import analyse, stretch


class AudioAugmenter(ClipTransformer):
    """Make variants of each waveform, which become further columns of the same clip.

    The order is: with white noise, at other pitches, at other speeds, shifted in time. A clip's
    variants, the noise included, depend only on the clip and the parameters.

    Parameters
    ----------
    noise : float or None, default=0.005
        Standard deviation of white noise, in the waveform's unit; None for no such variant.
    pitch_steps : tuple of float, default=(4, -6, 3)
        Semitones, one variant each; the length does not change.
    speed_rates : tuple of float, default=(1.5, 2.0, 0.8, 0.5)
        Tempo as a multiple of the clip's own, one variant each; the pitch does not change.
    time_shifts : tuple of float, default=()
        Seconds, one variant each; positive towards the end. The shift is circular: samples leaving
        at one end return at the other, so no sound is lost.
    include_original : bool, default=False
        Whether the clip itself comes before its variants.
    random_state : int, default=0
        Seed of the noise, together with the clip's samples: the same clip gets the same noise in
        any order, batch, fold or worker. Generators and None are refused: their noise would depend
        on earlier draws.
    sample_rate : int, default=22050
        Samples per second (Hz) of the waveforms; only the time shifts need it.

    Attributes
    ----------
    n_features_in_ : int
        Second axis of X at fit; 1 for a column of waveforms.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Column names of X at fit, if X was numbers and had any.
    clip_shape_ : tuple of int
        Shape of a clip at fit; empty for a column of waveforms.

    See Also
    --------
    augment : The same for one clip.
    AudioFeatures : Describes what this stage returns.

    Notes
    -----
    Pitch and speed variants equal those of `librosa.effects.pitch_shift` and
    `librosa.effects.time_stretch` [1]_ in double precision to 1e-6 of the waveform's peak. In
    single precision, librosa's own differ from these by up to a hundredth of the peak: it sums
    phases over thousands of turns, which loses digits by rounding.

    References
    ----------
    .. [1] B. McFee et al., "librosa: Audio and music signal analysis in Python", Proceedings of
       the 14th Python in Science Conference, 2015.

    Examples
    --------
    >>> import numpy as np
    >>> from skemotion.audio import AudioAugmenter
    >>> tone = np.sin(np.arange(22050) * 0.1).astype(np.float32)
    >>> augmenter = AudioAugmenter(pitch_steps=(4,), speed_rates=(2.0,)).fit([tone])
    >>> augmenter.get_feature_names_out()
    array(['noise', 'pitch+4', 'speed2'], dtype=object)
    >>> [len(variant) for variant in augmenter.transform([tone])[0]]
    [22050, 22050, 11025]
    """

    takes = "waveforms"
    ragged = True
    _parameter_constraints = {
        "noise": [Interval(Real, 0, None, closed="neither"), None],
        "pitch_steps": [tuple, list],
        "speed_rates": [tuple, list],
        "time_shifts": [tuple, list],
        "include_original": ["boolean"],
        "random_state": [Interval(Integral, 0, None, closed="left")],
        "sample_rate": [Interval(Integral, 1, None, closed="left")],
    }

    def __init__(
        self,
        noise: float | None = 0.005,
        pitch_steps: Sequence[float] = (4, -6, 3),
        speed_rates: Sequence[float] = (1.5, 2.0, 0.8, 0.5),
        time_shifts: Sequence[float] = (),
        include_original: bool = False,
        random_state: int = 0,
        sample_rate: int = 22050,
    ) -> None:
        self.noise = noise
        self.pitch_steps = pitch_steps
        self.speed_rates = speed_rates
        self.time_shifts = time_shifts
        self.include_original = include_original
        self.random_state = random_state
        self.sample_rate = sample_rate

    def transform_clip(self, clip: NDArray[Any]) -> list[NDArray[Any]]:
        """Make one clip's variants.

        Parameters
        ----------
        clip : ndarray of float, shape (n_samples,)
            Mono sound.

        Returns
        -------
        variants : list of ndarray, shape (n_variant_samples,)
            Of the clip's float dtype; further columns of the same clip.
        """
        return augment(clip, **{name: getattr(self, name) for name in self._parameter_constraints})

    def name_values(self, input_features: Sequence[str] | None) -> list[str]:
        """Name the variants, such as ``pitch+4``, ``speed1.5`` or ``shift+0.1``.

        Of a table, the samples of each, such as ``pitch+4_sample00012``.
        """
        names = self._names()
        if not self.clip_shape_:
            return names
        silence = np.zeros(self.n_features_in_)
        lengths = [len(variant) for variant in augment(silence, **self.get_params())]
        return [
            f"{name}_sample{i:05d}"
            for name, length in zip(names, lengths, strict=True)
            for i in range(length)
        ]

    def check_parameters(self) -> None:
        """Refuse variants that are not numbers, or none at all."""
        _check_variants(
            self.noise, self.pitch_steps, self.speed_rates, self.time_shifts, self.include_original
        )

    def remember_clip(self, cells: list[NDArray[Any]]) -> None:
        """Store nothing: the names do not depend on the clip."""

    def _table(self, column: NDArray[Any]) -> NDArray[Any]:
        return one_column(column, "waveforms").reshape(-1, 1)

    def _names(self) -> list[str]:
        return [
            *(["original"] if self.include_original else []),
            *(["noise"] if self.noise is not None else []),
            *(f"pitch{steps:+g}" for steps in self.pitch_steps),
            *(f"speed{rate:g}" for rate in self.speed_rates),
            *(f"shift{seconds:+g}" for seconds in self.time_shifts),
        ]


def augment(
    waveform: NDArray[Any],
    noise: float | None = 0.005,
    pitch_steps: Sequence[float] = (4, -6, 3),
    speed_rates: Sequence[float] = (1.5, 2.0, 0.8, 0.5),
    time_shifts: Sequence[float] = (),
    include_original: bool = False,
    random_state: int = 0,
    sample_rate: int = 22050,
) -> list[NDArray[Any]]:
    """Make variants of one waveform.

    Parameters
    ----------
    waveform : ndarray of float, shape (n_samples,)
        Mono sound.
    noise, pitch_steps, speed_rates, time_shifts, include_original, random_state, sample_rate
        As for `AudioAugmenter`.

    Returns
    -------
    variants : list of ndarray, shape (n_variant_samples,)
        Original, noise, pitches, speeds and shifts, of the waveform's dtype. A speed variant has
        round(n_samples / rate) samples, but at least one.

    Examples
    --------
    >>> import numpy as np
    >>> from skemotion.audio import augment
    >>> ramp = np.arange(4.0)
    >>> augment(ramp, None, (), (), time_shifts=(0.5,), sample_rate=2)
    [array([3., 0., 1., 2.])]
    """
    _check_variants(noise, pitch_steps, speed_rates, time_shifts, include_original)
    variants = [waveform.copy()] if include_original else []
    if noise is not None:
        variants.append(add_noise(waveform, noise, random_state))
    if len(pitch_steps) or len(speed_rates):
        parts = analyse(waveform)
        for steps in pitch_steps:
            rate = 2.0 ** (-steps / 12)
            stretched = stretch(*parts, rate, _length(waveform, rate))
            variants.append(_resample(stretched, rate, len(waveform)))
        variants.extend(stretch(*parts, r, _length(waveform, r)) for r in speed_rates)
    variants.extend(np.roll(waveform, round(seconds * sample_rate)) for seconds in time_shifts)
    return variants


def add_noise(waveform: NDArray[Any], factor: float, random_state: int = 0) -> NDArray[Any]:
    """Add white noise, seeded by a number and by the waveform's own samples.

    Parameters
    ----------
    waveform : ndarray of float, shape (n_samples,)
    factor : float
        Standard deviation of the noise.
    random_state : int, default=0

    Returns
    -------
    ndarray of shape (n_samples,)
        Of the waveform's dtype. What a float32 waveform gets, its float64 copy gets too.
    """
    with np.errstate(over="ignore"):
        content = np.ascontiguousarray(waveform, dtype="<f4")
    digest = hashlib.blake2b(content.data, digest_size=16).digest()
    generator = np.random.default_rng([random_state, int.from_bytes(digest, "little")])
    noise = generator.standard_normal(len(waveform))
    noise *= factor
    noise += waveform
    return noise.astype(waveform.dtype)


def _length(waveform: NDArray[Any], rate: float) -> int:
    return max(round(len(waveform) / rate), 1)


def _resample(stretched: NDArray[Any], rate: float, n_samples: int) -> NDArray[Any]:
    """Play a stretched waveform faster or slower, so that it has its old length again."""
    if rate != 1:
        stretched = soxr.resample(stretched, 1 / rate, 1.0, quality="soxr_hq")
    if len(stretched) < n_samples:
        return np.pad(stretched, (0, n_samples - len(stretched)))
    return stretched[:n_samples]


def _check_variants(
    noise: float | None,
    pitch_steps: Sequence[float],
    speed_rates: Sequence[float],
    time_shifts: Sequence[float],
    include_original: bool,
) -> None:
    limits: list[tuple[str, Sequence[Any], float, float]] = [
        ("pitch_steps", pitch_steps, -np.inf, np.inf),
        ("speed_rates", speed_rates, 0, np.inf),
        ("time_shifts", time_shifts, -np.inf, np.inf),
    ]
    for name, values, low, high in limits:
        if not all(isinstance(v, Real) and low < float(v) < high for v in values):
            raise ValueError(
                f"{name} must be numbers between {low} and {high}, both excluded, got {values!r}."
            )
    if noise is None and not include_original and not any(len(limit[1]) for limit in limits):
        raise ValueError("AudioAugmenter has no variant to make: give at least one.")
