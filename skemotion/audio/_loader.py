"""Decoding the sound of clips into waveforms."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from numbers import Integral
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils._param_validation import Interval

from ..base import ClipTransformer, ClipWindow, is_sound
from ..io import MediaError, beyond_limit, clip_name, limits_in_force
from ._decoding import check_samples, decode_waveform, resample
from ._windows import waveform_windows


class AudioLoader(ClipTransformer):
    """Decode the sound of each clip into a mono waveform of one sample rate.

    Sound and video files are read; channels are averaged, then resampled in high quality.
    The values equal those of `librosa.load`. A clip's waveform depends only on the clip.

    Parameters
    ----------
    sample_rate : int, default=22050
        Samples per second (Hz) in the result.
    source_rate : int, default=None
        Samples per second (Hz) of waveforms in memory that come without their rate. None refuses
        them: a wrong rate would give wrong results without any error.

    Attributes
    ----------
    n_features_in_ : int
        Second axis of X at fit; 1 for a column of clips.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Column names of X at fit, if X was numbers and had any.
    clip_shape_ : tuple of int
        Shape of a clip at fit, if X was an array; empty for a column of clips.

    See Also
    --------
    AudioAugmenter : Makes variants of what this stage returns.
    AudioFeatures : Describes what this stage returns.
    skemotion.video.VideoLoader : The same for pictures.
    skemotion.limits : How long a clip may be, and whether remote addresses are opened.

    Notes
    -----
    Of several audio streams, the first marked as default is used, or else the first. A segment is
    ``clip.mp4#t=10,12.5``, with times in seconds: it has the samples from ``round(10 * rate)``
    until before ``round(12.5 * rate)``, at the clip's own rate, and is then resampled. Where sound
    and picture begin a quarter of a second or more apart, times count from the picture. Times
    outside the clip are refused, except an end up to half a second after the clip's. AAC decoders
    may generate noise, which differs between a segment and the clip. Integers are scaled by their
    type to [-1, 1), as in sound files. Of a waveform with two axes, the much shorter axis holds the
    channels, as in ``(n_samples, 2)`` or ``(2, n_samples)``. An array of numbers with a waveform
    per row has the rate `source_rate`, or that of the result if it is None.

    Examples
    --------
    >>> import numpy as np
    >>> from skemotion.audio import AudioLoader
    >>> stereo = np.stack([np.full(40, 0.5), np.full(40, 0.1)])  # a path does as well
    >>> AudioLoader(sample_rate=16000).transform([(16000, stereo)])[0][:3]
    array([0.3, 0.3, 0.3])
    """

    takes = "clips"
    ragged = True
    _in_memory = "sound"
    _parameter_constraints = {
        "sample_rate": [Interval(Integral, 1, None, closed="left")],
        "source_rate": [Interval(Integral, 1, None, closed="left"), None],
    }

    def __init__(self, sample_rate: int = 22050, source_rate: int | None = None) -> None:
        self.sample_rate = sample_rate
        self.source_rate = source_rate

    def transform_clip(self, clip: Any) -> NDArray[Any]:
        """Load one clip.

        Parameters
        ----------
        clip : path, address, bytes, (rate, waveform) pair or array
            A path, an address in fsspec's notation
            (``zip://Actor_01/x.wav::/data/Audio.zip``), an encoded file, or a waveform of shape
            (n_samples,), (n_samples, n_channels) or (n_channels, n_samples), with its sample rate
            (Hz) as `scipy.io.wavfile.read` returns it, or alone if `source_rate` is set.

        Returns
        -------
        waveform : ndarray of shape (n_samples,)
            float32, in [-1, 1] except for overshoot of resampling; a float waveform in memory
            keeps its dtype.

        Raises
        ------
        MediaError
            If the clip is missing, damaged, without sound or exceeds `skemotion.limits`, or a
            waveform has no rate, or axes that cannot be distinguished.
        """
        rate: Any = self.source_rate
        samples = clip
        if is_sound(clip):
            rate, samples = clip
        if not isinstance(samples, np.ndarray):
            return decode_waveform(clip, self.sample_rate)
        name = clip_name(samples)
        if rate is None:
            raise MediaError(
                f"{name}: expected a waveform with its sample rate, found one without. Pass "
                "(rate, waveform), or AudioLoader(source_rate=...)."
            )
        lowest, highest = limits_in_force().sample_rates
        if not (lowest <= rate <= highest and float(rate).is_integer()):
            raise beyond_limit(name, "sample_rates", f"{rate} Hz")
        return resample(_mono(samples, name), int(rate), self.sample_rate, name)

    def transform_windows(
        self, clip: str | os.PathLike[str] | bytes, window: float, hop: float, first: int = 0
    ) -> Iterator[ClipWindow]:
        """Load a recording window by window, decoding it once and holding one window.

        Parameters
        ----------
        clip : path, address or bytes
            A recording of any length within `skemotion.limits`.
        window, hop : float
            Length of a window, and from the beginning of one to that of the next, in seconds.
        first : int, default=0
            Number of the first window to give. Decoding begins shortly before it.

        Yields
        ------
        window : ClipWindow
            With a waveform, float32: the samples from ``round(start * sample_rate)`` on, before
            ``round(end * sample_rate)``, of what `transform_clip` gives of the whole recording,
            but for rounding. There is one for every start before the end, and the last ones are
            cut there.

        Raises
        ------
        MediaError
            As `transform_clip`; of what is damaged later on, after the windows before.

        See Also
        --------
        skemotion.model_selection.predict_timeline : Uses these.

        Examples
        --------
        >>> from skemotion.audio import AudioLoader
        >>> for window in AudioLoader(16000).transform_windows(
        ...     "interview.wav", window=3.0, hop=1.0
        ... ):  # doctest: +SKIP
        ...     print(window.start, window.end, window.content.shape)
        """
        return waveform_windows(clip, self.sample_rate, window, hop, first)

    def name_values(self, input_features: Sequence[str] | None) -> list[str]:
        """Name the one column of waveforms; of a table, the samples."""
        if not self.clip_shape_:
            return ["audio"]
        n_samples = self.n_features_in_
        if self.source_rate is not None:
            silence = np.zeros(n_samples, dtype=np.float32)
            n_samples = len(resample(silence, self.source_rate, self.sample_rate, "silence"))
        return [f"sample{i:05d}" for i in range(n_samples)]

    def _run_array(self, clip: NDArray[Any], row: int) -> NDArray[Any]:
        if clip.ndim > 2 and clip.size == len(clip):
            clip = clip.ravel()
        rate = self.sample_rate if self.source_rate is None else self.source_rate
        return np.asarray(self._run((rate, clip), row))


# How many times longer than the other axis that of the samples must be, to be recognised.
_LONGER = 8


def _mono(samples: NDArray[Any], name: str) -> NDArray[Any]:
    """Scale a waveform by its type, and average its channels."""
    if samples.dtype.kind == "f":
        scaled = (
            samples if samples.dtype in (np.float32, np.float64) else samples.astype(np.float32)
        )
    elif samples.dtype == np.uint8:  # as 8-bit wav files hold it
        scaled = (samples.astype(np.float32) - 128) / 128
    elif samples.dtype in (np.int16, np.int32):
        n_bits = samples.dtype.itemsize * 8
        scaled = (samples / 2.0 ** (n_bits - 1)).astype(np.float32)
    else:
        raise MediaError(
            f"{name}: expected a waveform of floats, int16, int32 or uint8, found {samples.dtype}, "
            "whose scale is unknown. Divide it by its full scale."
        )
    if not scaled.size:
        raise MediaError(f"{name}: expected a waveform, found one without a sample.")
    if scaled.ndim == 2 and 1 in scaled.shape:
        scaled = scaled.ravel()
    if scaled.ndim == 2 and max(scaled.shape) >= _LONGER * min(scaled.shape):
        scaled = scaled.mean(axis=int(np.argmin(scaled.shape)))
    if scaled.ndim != 1:
        raise MediaError(
            f"{name}: expected a waveform of shape (n_samples,), (n_samples, n_channels) or "
            f"(n_channels, n_samples), found {samples.shape}, whose axes cannot be "
            "distinguished. Average the channels first."
        )
    check_samples(name, scaled)
    return np.ascontiguousarray(scaled)
