"""Decoding the sound of clips into waveforms."""

from __future__ import annotations

from numbers import Integral
from typing import Any, Self

import av
import librosa
import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, TransformerMixin, _fit_context
from sklearn.utils import Tags
from sklearn.utils._param_validation import Interval
from sklearn.utils.validation import check_array

from .._limits import limits_in_force
from .._media import MediaError, Source, beyond_limit, clip_name, open_stream
from .._validation import (
    FLOATS,
    check_clips,
    check_input_names,
    frames_only_tables,
    is_missing,
    object_array,
    remember_column,
    source_column,
)


@frames_only_tables
class AudioLoader(TransformerMixin, BaseEstimator):
    """Decode the sound of each clip into a mono waveform of one sample rate.

    Sound and video files alike are read; channels are averaged, then resampled in high quality.
    The values equal those of `librosa.load`. A clip's waveform depends on nothing but the clip.

    Parameters
    ----------
    sample_rate : int, default=22050
        Samples per second (Hz) in the result.

    Attributes
    ----------
    n_features_in_ : int
        Second axis of X at fit; 1 for a column of clips.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Column names of X at fit, where X was numbers and had any.
    clip_shape_ : tuple of int
        Shape of a clip at fit; empty for a column of clips.

    See Also
    --------
    AudioAugmenter : Makes variants of what this stage returns.
    AudioFeatures : Describes what this stage returns.
    skemotion.video.VideoLoader : The same for pictures.
    skemotion.limits : How long a clip may be, and whether addresses elsewhere are opened.

    Notes
    -----
    Of several streams of sound the first that is marked as default is taken, or else the first.

    Examples
    --------
    >>> import numpy as np
    >>> from skemotion.audio import AudioLoader
    >>> stereo = np.array([[0.5, 0.1], [0.4, 0.0]])  # (n_samples, n_channels); a path does as well
    >>> AudioLoader().transform([stereo])[0]
    array([0.3, 0.2])
    """

    _parameter_constraints = {"sample_rate": [Interval(Integral, 1, None, closed="left")]}

    def __init__(self, sample_rate: int = 22050) -> None:
        self.sample_rate = sample_rate

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: Any, y: Any = None) -> Self:
        """Check X; nothing is opened and nothing learnt.

        Parameters
        ----------
        X : sequence of path, address, bytes or array, or array-like of numbers
            See `transform`.
        y : None
            Ignored.

        Returns
        -------
        self : AudioLoader
        """
        if source_column(X) is not None:
            remember_column(self)
        else:
            check_clips(self, X, reset=True)
        return self

    def transform(self, X: Any) -> NDArray[Any]:
        """Load each clip.

        Parameters
        ----------
        X : sequence of path, address, bytes or array, or array-like of numbers
            A column of clips: paths, addresses in fsspec's notation
            (``zip://Actor_01/x.wav::/data/Audio.zip``), encoded bytes, or waveforms of shape
            (n_samples[, n_channels]), which are taken to have the sample rate already. A row of a
            table is one waveform; further axes are channels.

        Returns
        -------
        waveforms : ndarray of object, shape (n_clips,)
            float32 waveforms of shape (n_samples,), in [-1, 1] but for overshoot of resampling;
            waveforms in memory keep their float dtype. (n_clips, n_samples) for a table.

        Raises
        ------
        MediaError
            If a clip is missing, damaged, without sound or beyond `skemotion.limits`.
        """
        self._validate_params()
        sources = source_column(X)
        if sources is None:
            X = check_clips(self, X, reset=False)
            return X if X.ndim == 2 else X.mean(axis=tuple(range(2, X.ndim)))
        return object_array([self._load(source) for source in sources])

    def get_feature_names_out(self, input_features: Any = None) -> NDArray[Any]:
        """Name the result's columns: the samples of a table's waveforms, or the one column.

        Parameters
        ----------
        input_features : array-like of str or None, default=None
            Checked against the columns of a table, and otherwise ignored.

        Returns
        -------
        names : ndarray of str
        """
        check_input_names(self, input_features)
        if not self.clip_shape_:
            return np.array(["audio"], dtype=object)
        return np.array([f"sample{i:05d}" for i in range(self.n_features_in_)], dtype=object)

    def _load(self, source: Source | NDArray[Any] | None) -> NDArray[Any]:
        if source is None or is_missing(source):
            raise MediaError("A clip is missing: expected a path, found an empty cell.")
        if not isinstance(source, np.ndarray):
            return decode_waveform(source, self.sample_rate)
        waveform = check_array(
            source, dtype=list(FLOATS), ensure_2d=False, allow_nd=True, input_name="A waveform"
        )
        return (
            waveform if waveform.ndim == 1 else waveform.mean(axis=tuple(range(1, waveform.ndim)))
        )

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.requires_fit = False
        tags.input_tags.string = True
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags


def decode_waveform(source: Source, sample_rate: int = 22050) -> NDArray[np.float32]:
    """Decode the sound of one clip; see `AudioLoader`.

    Parameters
    ----------
    source : str, path-like or bytes
        Path, address or encoded file.
    sample_rate : int, default=22050
        Samples per second (Hz) in the result.

    Returns
    -------
    waveform : ndarray of float32, shape (n_samples,)

    Raises
    ------
    MediaError
        If the clip is missing, damaged or without sound.
    """
    name = clip_name(source)
    with np.errstate(over="ignore", invalid="ignore"):  # infinity is what is looked for
        mono, rate = _decode(source, name)
        _check_finite(name, mono)
        waveform = librosa.resample(mono, orig_sr=rate, target_sr=sample_rate)
    _check_finite(name, waveform)
    return waveform


def _check_finite(name: str, samples: NDArray[np.float32]) -> None:
    n_bad = len(samples) - np.count_nonzero(np.isfinite(samples))
    if n_bad:
        raise MediaError(
            f"{name}: expected samples that are finite numbers, found {n_bad} of {len(samples)} "
            "that are NaN, infinite or enormous. Make or download the file again."
        )


_MOST_CHANNELS = 64  # that FFmpeg converts


def _decode(source: Source, name: str) -> tuple[NDArray[np.float32], int]:
    """Decode sound into the mean of its channels and its sample rate."""
    limits = limits_in_force()
    blocks: list[NDArray[Any]] = []
    n_samples, rate, n_channels = 0, 0, 0
    with open_stream(source, "audio") as (container, stream):
        # Only the sample format is converted here; mixing and resampling are left to the
        # libraries that librosa uses, so that the values are the same. Interleaved, since PyAV
        # crashes on separate channels where there are eight or more.
        to_float = av.AudioResampler(format="flt")
        for frame in container.decode(stream):
            if not rate:
                rate, n_channels = frame.sample_rate, frame.layout.nb_channels
                _check_kind(name, rate, n_channels)
            elif (frame.sample_rate, frame.layout.nb_channels) != (rate, n_channels):
                raise MediaError(
                    f"{name}: expected one kind of sound throughout, found {n_channels} channels "
                    f"at {rate} Hz and then {frame.layout.nb_channels} at {frame.sample_rate} Hz. "
                    "Convert it to one."
                )
            n_samples += frame.samples
            if n_samples > limits.max_seconds * rate:
                raise beyond_limit(name, "max_seconds", "more sound")
            if n_samples * np.float32().itemsize > limits.max_bytes:
                raise beyond_limit(name, "max_bytes", "a longer waveform")
            for part in to_float.resample(frame):
                samples = part.to_ndarray().reshape(-1, n_channels)
                blocks.append(np.ascontiguousarray(samples.T).mean(axis=0))
    if not n_samples:
        raise MediaError(
            f"{name}: expected sound, found an audio stream without a single sample that can be "
            "decoded. Make or download the file again."
        )
    return np.concatenate(blocks), rate


def _check_kind(name: str, rate: int, n_channels: int) -> None:
    lowest, highest = limits_in_force().sample_rates
    if not lowest <= rate <= highest:
        raise beyond_limit(name, "sample_rates", f"{rate} Hz")
    if n_channels > _MOST_CHANNELS:
        raise MediaError(
            f"{name}: expected sound of at most {_MOST_CHANNELS} channels, found {n_channels}. "
            "Take out those that are needed."
        )
