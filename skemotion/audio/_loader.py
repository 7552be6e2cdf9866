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

from .._media import MediaError, Source, clip_name, open_stream
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
            If a clip is missing, damaged or without sound.
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
    blocks: list[NDArray[Any]] = []
    with open_stream(source, "audio") as (container, stream):
        rate = stream.rate
        # Only the sample format is converted here; mixing and resampling are left to the
        # libraries that librosa uses, so that the values are the same.
        to_float = av.AudioResampler(format="fltp")
        for frame in container.decode(stream):
            blocks.extend(part.to_ndarray() for part in to_float.resample(frame))
    if not sum(block.shape[1] for block in blocks):
        raise MediaError(
            f"{clip_name(source)}: expected sound, found an audio stream without a single sample "
            "that can be decoded. Make or download the file again."
        )
    mono = np.concatenate([block.mean(axis=0) for block in blocks])
    return librosa.resample(mono, orig_sr=rate, target_sr=sample_rate)
