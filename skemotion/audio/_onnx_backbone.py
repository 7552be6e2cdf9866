"""Describing sound by a pre-trained network."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Integral, Real
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils._param_validation import Interval, StrOptions

from ..base import ClipTransformer
from ..io import network_files, onnxruntime
from ._descriptors import mel_spectrum
from ._names import names_of_rows
from ._onnx_network import open_audio_network, run_audio_network
from ._spectrum import count_frames, magnitude_spectrum

_POSITIVE = [Interval(Integral, 1, None, closed="left")]
_BLOCK = 4096  # frames whose spectra are in memory at once
_FAINTEST = 1e-10  # of power: -100 dB


class ONNXAudioBackbone(ClipTransformer):
    """Describe sound by a pre-trained network, such as wav2vec 2.0, HuBERT or CLAP's audio half.

    Every clip goes through a network in an ONNX file, as a waveform or as a mel spectrogram, on
    the CPU; its output is pooled over time. A clip's description depends only on the
    clip and the network. Needs onnxruntime, the extra ``onnx``.

    Parameters
    ----------
    model : str
        Path of the ONNX file. Only the path is kept with the estimator, never the network.
    input : {"waveform", "mel"}, default="waveform"
        What the network takes: samples, or a mel spectrogram in dB.
    sample_rate : int, default=16000
        Samples per second (Hz) of the waveforms: the rate that the network was trained on.
    normalize : bool, default=True
        Whether what the network gets is brought to mean 0 and variance 1 over each clip, as most
        networks of the families wav2vec 2.0 and HuBERT want.
    n_mels : int, default=64
        Bands of the mel spectrogram, for ``input="mel"``.
    frame_length : int, default=512
        Samples of one of its frames.
    hop_length : int, default=160
        Samples from one of its frames to the next.
    output : str, default=None
        Name of the network's output to take; None for the first.
    pooling : {"mean", "max"} or None, default="mean"
        How the values of the network's frames are combined; None keeps those of every frame.
    chunk_duration : float or None, default=30.0
        Seconds that go through the network at once, which bounds the memory: longer clips are cut
        into pieces of equal length. None for whole clips.

    Attributes
    ----------
    n_values_ : int
        Values that describe a frame of the network's.
    n_features_in_ : int
        Second axis of X at fit; the number of columns if X was columns of waveforms.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Column names of X at fit, if X was numbers and had any.
    clip_shape_ : tuple of int
        Shape of a clip at fit; empty for columns of waveforms.

    See Also
    --------
    AudioLoader : Makes waveforms; give it the same `sample_rate`.
    skemotion.video.ONNXBackbone : Does the same for frames.
    skemotion.decomposition.BSplineProjector : Takes the values of every frame as curves.

    Notes
    -----
    The network takes waveforms of shape (1, n_samples), or (1, 1, n_samples); spectrograms of shape
    (1, n_frames, n_mels) or (1, n_mels, n_frames), depending on which axis is declared as `n_mels`
    long, or with a channel after the first axis. It may take an attention mask as well. It gives
    one row, (1, n_values), or one per frame, (1, n_frames, n_values); (1, n_values, n_frames) where
    only the second axis of the two is declared to be free.

    A network that takes a fixed length gets pieces of that, the last padded with zeros; frames
    that it makes of the filling are left out. The mean over rows counts each by the time that it
    stands for. Where clips are cut, the network does not see what is beyond the cut.

    The mel spectrogram is that of `librosa.feature.melspectrogram`, as ``10 log10(power)``, not
    below -100 dB. Networks that were trained on another one, with other bounds of frequency, are
    better exported together with theirs, as networks for waveforms.

    A network is opened once per process, and again when its file changes. It runs in the thread
    that calls it: `ClipPipeline` with its `n_jobs` spreads clips over cores.

    References
    ----------
    .. [1] A. Baevski, H. Zhou, A. Mohamed and M. Auli, "wav2vec 2.0: A framework for
       self-supervised learning of speech representations", Advances in Neural Information
       Processing Systems 33, 12449-12460, 2020.

    Examples
    --------
    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> import numpy as np
    >>> import onnx.parser
    >>> from skemotion.audio import ONNXAudioBackbone
    >>> network = onnx.parser.parse_model('''
    ...     <ir_version: 8, opset_import: ["": 17]>
    ...     rectify (float[n, samples] waveform) => (float[n, samples, 1] values)
    ...     <int64[1] last = {2}> {
    ...         positive = Relu(waveform)
    ...         values = Unsqueeze(positive, last)
    ...     }''')
    >>> waveforms = [np.array([2.0, -2.0]), np.array([3.0, 1.0, 2.0])]
    >>> with TemporaryDirectory() as folder:
    ...     path = str(Path(folder) / "network.onnx")
    ...     onnx.save(network, path)
    ...     ONNXAudioBackbone(path, normalize=False).fit_transform(waveforms)
    array([[1.],
           [2.]])
    """

    takes = "waveforms"
    _parameter_constraints = {
        # A Path would be saved by the class of one system, which no other could load.
        "model": [str],
        "input": [StrOptions({"waveform", "mel"})],
        "sample_rate": _POSITIVE,
        "normalize": ["boolean"],
        "n_mels": _POSITIVE,
        "frame_length": [Interval(Integral, 2, None, closed="left")],
        "hop_length": _POSITIVE,
        "output": [str, None],
        "pooling": [StrOptions({"mean", "max"}), None],
        "chunk_duration": [Interval(Real, 0, None, closed="neither"), None],
    }

    def __init__(
        self,
        model: str,
        input: str = "waveform",
        sample_rate: int = 16000,
        normalize: bool = True,
        n_mels: int = 64,
        frame_length: int = 512,
        hop_length: int = 160,
        output: str | None = None,
        pooling: str | None = "mean",
        chunk_duration: float | None = 30.0,
    ) -> None:
        self.model = model
        self.input = input
        self.sample_rate = sample_rate
        self.normalize = normalize
        self.n_mels = n_mels
        self.frame_length = frame_length
        self.hop_length = hop_length
        self.output = output
        self.pooling = pooling
        self.chunk_duration = chunk_duration

    @property
    def ragged(self) -> bool:  # type: ignore[override]
        """Whether every frame's values are kept, so that clips have lengths of their own."""
        return self.pooling is None

    def transform_clip(self, clip: NDArray[Any]) -> NDArray[Any]:
        """Describe one waveform.

        Parameters
        ----------
        clip : ndarray of float, shape (n_samples,)
            Mono sound.

        Returns
        -------
        values : ndarray of shape (n_values,), or (n_frames, n_values) without pooling
            Of the waveform's float dtype.

        Raises
        ------
        FileNotFoundError, ValueError
            If the network's file is missing or damaged, or the network cannot take the clip.
        """
        is_mel = self.input == "mel"
        network = open_audio_network(self.model, self.n_mels if is_mel else None)
        sound = self._mel_spectrogram(clip) if is_mel else clip.astype(np.float64)
        if self.normalize:
            # As Wav2Vec2FeatureExtractor of transformers has it, silence included.
            sound = (sound - sound.mean()) / np.sqrt(sound.var() + 1e-7)
        n_at_once = None
        if self.chunk_duration is not None:
            step = self.hop_length if is_mel else 1
            n_at_once = max(int(self.chunk_duration * self.sample_rate / step), 1)
        values, weights = run_audio_network(network, sound, n_at_once, self.output)
        if self.pooling == "mean":
            values = np.average(values, axis=0, weights=weights)
        elif self.pooling == "max":
            values = values.max(axis=0)
        return values.astype(clip.dtype)

    def name_values(self, input_features: Sequence[str] | None) -> list[str]:
        """Name the values, such as ``backbone0012``.

        Without pooling, ``backbone0012_frame003`` where clips are equally long. With the variant
        or the channel at the end, where there are several.
        """
        names = [f"backbone{i:04d}" for i in range(self.n_values_)]
        if self.pooling is None and self.clip_shape_:
            names = [f"{name}_frame{t:03d}" for t in range(self._n_frames) for name in names]
        return names_of_rows(self, names, input_features)

    def cache_identity(self) -> tuple[Any, ...]:
        """Return the identity of the network's files, and onnxruntime's version."""
        return (*network_files(self.model), onnxruntime().__version__)

    def remember_clip(self, cells: list[NDArray[Any]]) -> None:
        """Try the network on a second of noise, to learn how many values it gives.

        Where no pooling follows and all clips are equally long, on noise of that length.

        Raises
        ------
        FileNotFoundError, ValueError
            If the file is missing or damaged, or the parameters do not fit the network.
        """
        n_samples = self.sample_rate
        if self.pooling is None and self.clip_shape_:
            n_samples = len(cells[0])
        noise = np.random.default_rng(0).standard_normal(n_samples)
        values = np.atleast_2d(self.transform_clip(noise))
        self._n_frames, self.n_values_ = values.shape

    def _mel_spectrogram(self, clip: NDArray[Any]) -> NDArray[np.float32]:
        """Return the power in mel bands, in dB, as (n_frames, n_mels)."""
        frames = (self.frame_length, self.hop_length)
        n_frames = count_frames(len(clip), *frames)
        mel = np.empty((n_frames, self.n_mels), dtype=np.float32)
        for start in range(0, n_frames, _BLOCK):
            power = magnitude_spectrum(clip, *frames, start, start + _BLOCK) ** 2
            mel[start : start + _BLOCK] = mel_spectrum(
                power, self.n_mels, self.sample_rate, self.frame_length
            ).T
        return 10 * np.log10(np.maximum(mel, _FAINTEST))
