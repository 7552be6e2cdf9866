"""Describing frames by a pre-trained network."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Integral, Real
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils._param_validation import Interval, StrOptions

from ..base import ClipTransformer
from ..io import network_files, onnxruntime
from ._luma import luma
from ._onnx_network import Network, open_network, run_network
from ._resampling import shrink

_NUMBER = Interval(Real, None, None, closed="neither")


class ONNXBackbone(ClipTransformer):
    """Describe frames, or the faces cropped from them, by a pre-trained network.

    Every frame goes through an image network in an ONNX file, such as VGG-16, VGG-Face or one of
    your own, on the CPU; its output is pooled over the clip. A clip's description depends only
    on the clip and the network. Needs onnxruntime, the extra ``onnx``.

    Parameters
    ----------
    model : str
        Path of the ONNX file. The estimator keeps only the path, never the network.
    input_size : tuple of 2 int, default=None
        Height and width to which frames are resized; None for those that the network declares.
    color : {"rgb", "bgr", "gray"}, default="rgb"
        The channels that the network takes, in their order. Grey frames are repeated for the
        first two, and colour ones turned into luma for the last.
    mean, std : float or tuple of float, default=0.0 and 255.0
        The network gets ``(pixel - mean) / std``, with pixels from 0 to 255; one number, or one
        per channel in the order of `color`. The defaults give it numbers from 0 to 1.
    output : str, default=None
        Name of the network's output to take; None for the first.
    pooling : {"mean", "max"} or None, default="mean"
        How the values of a clip's frames are combined; None keeps those of every frame.
    batch_size : int, default=8
        Frames that go through the network at once, which bounds the memory.

    Attributes
    ----------
    n_values_ : int
        Values that describe a frame.
    n_features_in_ : int
        Second axis of X at fit; 1 for a column of clips.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Column names of X at fit, if X was numbers and had any.
    clip_shape_ : tuple of int
        Shape of a clip at fit; empty for a column of clips.

    See Also
    --------
    VideoLoader : Gives clips as arrays.
    skemotion.decomposition.BSplineProjector : Takes the values of every frame as curves.

    Notes
    -----
    Frames are resized by area averaging, not keeping their aspect ratio. The declared shape of the
    network's input says which axis holds the channels. Feature maps, an output of four axes, are
    averaged over height and width (global average pooling), with the channels on the same axis as
    in the input.

    A network is opened once per process, and again when its file changes. It runs in the calling
    thread: the `n_jobs` of `ClipPipeline` distribute clips over cores.

    Examples
    --------
    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> import numpy as np
    >>> import onnx.parser
    >>> from skemotion.video import ONNXBackbone
    >>> network = onnx.parser.parse_model('''
    ...     <ir_version: 8, opset_import: ["": 17]>
    ...     mean_color (float[n, 3, 8, 8] picture) => (float[n, 3, 1, 1] color) {
    ...         color = GlobalAveragePool(picture)
    ...     }''')
    >>> frames = np.full((2, 5, 60, 80, 3), (255, 51, 0), dtype=np.uint8)
    >>> with TemporaryDirectory() as folder:
    ...     path = str(Path(folder) / "network.onnx")
    ...     onnx.save(network, path)
    ...     ONNXBackbone(path).fit_transform(frames).round(1)
    array([[1. , 0.2, 0. ],
           [1. , 0.2, 0. ]], dtype=float32)
    """

    takes = "frames"
    _parameter_constraints = {
        # A Path would be saved by the class of one system, which no other could load.
        "model": [str],
        "input_size": [tuple, list, None],
        "color": [StrOptions({"rgb", "bgr", "gray"})],
        "mean": [_NUMBER, tuple, list],
        "std": [_NUMBER, tuple, list],
        "output": [str, None],
        "pooling": [StrOptions({"mean", "max"}), None],
        "batch_size": [Interval(Integral, 1, None, closed="left")],
    }

    def __init__(
        self,
        model: str,
        input_size: tuple[int, int] | None = None,
        color: str = "rgb",
        mean: float | tuple[float, ...] = 0.0,
        std: float | tuple[float, ...] = 255.0,
        output: str | None = None,
        pooling: str | None = "mean",
        batch_size: int = 8,
    ) -> None:
        self.model = model
        self.input_size = input_size
        self.color = color
        self.mean = mean
        self.std = std
        self.output = output
        self.pooling = pooling
        self.batch_size = batch_size

    @property
    def ragged(self) -> bool:  # type: ignore[override]
        """Whether every frame's values are kept, so that clips have lengths of their own."""
        return self.pooling is None

    def transform_clip(self, clip: NDArray[Any]) -> NDArray[Any]:
        """Describe one clip.

        Parameters
        ----------
        clip : ndarray of shape (n_frames, height, width[, channel])
            Grey or RGB frames, with pixels from 0 to 255.

        Returns
        -------
        values : ndarray of shape (n_values,), or (n_frames, n_values) without pooling
            float64 for a float64 clip, else float32.

        Raises
        ------
        FileNotFoundError, ValueError
            If the network's file is missing or damaged, or the network cannot take the clip.
        """
        values = self._describe_frames(clip)
        if self.pooling is not None:
            values = values.mean(axis=0) if self.pooling == "mean" else values.max(axis=0)
        return values.astype(np.float64 if clip.dtype == np.float64 else np.float32)

    def name_values(self, input_features: Sequence[str] | None) -> list[str]:
        """Name the values, such as ``backbone0012``.

        Without pooling, ``backbone0012_frame003`` where clips are equally long.
        """
        names = [f"backbone{i:04d}" for i in range(self.n_values_)]
        if self.pooling is None and self.clip_shape_:
            frames = range(self.clip_shape_[0])
            names = [f"{name}_frame{t:03d}" for t in frames for name in names]
        return names

    def cache_identity(self) -> tuple[Any, ...]:
        """Return the identity of the network's files, and onnxruntime's version."""
        return (*network_files(self.model), onnxruntime().__version__)

    def remember_clip(self, cells: list[NDArray[Any]]) -> None:
        """Run the network on a black picture, to learn its number of values.

        Raises
        ------
        FileNotFoundError, ValueError
            If the file is missing or damaged, or the parameters do not fit the network.
        """
        black = np.zeros((1, 1, 1), dtype=np.uint8)
        self.n_values_ = self._describe_frames(black).shape[1]

    def _describe_frames(self, frames: NDArray[Any]) -> NDArray[Any]:
        network = open_network(self.model)
        size = _input_size(network, self.input_size)
        n_channels = 1 if self.color == "gray" else 3
        if network.n_channels != n_channels:
            raise ValueError(
                f"{self.model}: the network takes pictures of {network.n_channels} channel(s), "
                f"color={self.color!r} gives {n_channels}. Set color to 'gray' for 1, and to 'rgb' "
                "or 'bgr' for 3."
            )
        mean = _per_channel("mean", self.mean, n_channels)
        std = _per_channel("std", self.std, n_channels)
        if (std <= 0).any():
            raise ValueError(f"std must be positive, got {self.std!r}.")
        n_at_once = network.n_pictures or self.batch_size
        batches = []
        for start in range(0, len(frames), n_at_once):
            pictures = _pictures(frames[start : start + n_at_once], size, self.color)
            batches.append(run_network(network, (pictures - mean) / std, self.output))
        return np.concatenate(batches)


def _pictures(frames: NDArray[Any], size: tuple[int, int], color: str) -> NDArray[np.float32]:
    """Bring frames to the size and the channels of a network, on a last axis."""
    if color == "gray" or frames.ndim == 3 or frames.shape[3] != 3:
        frames = luma(frames)
    pictures = np.stack([shrink(frame, *size) for frame in frames]).astype(np.float32)
    if pictures.ndim == 3:
        return np.repeat(pictures[..., np.newaxis], 1 if color == "gray" else 3, axis=3)
    return pictures[..., ::-1] if color == "bgr" else pictures


def _input_size(network: Network, size: Sequence[int] | None) -> tuple[int, int]:
    declared_height, declared_width = network.size
    if size is None:
        if declared_height is None or declared_width is None:
            raise ValueError(
                f"{network.path}: the network takes pictures of any size. Set "
                "input_size=(height, width) to the size it was trained on."
            )
        return declared_height, declared_width
    if len(size) != 2 or not all(isinstance(n, int | np.integer) and n > 0 for n in size):
        raise ValueError(f"input_size must be (height, width) in whole pixels, got {size!r}.")
    height, width = size
    if declared_height not in (None, height) or declared_width not in (None, width):
        raise ValueError(
            f"{network.path}: the network takes pictures of height {declared_height} and width "
            f"{declared_width}, input_size is {size!r}. Leave it out."
        )
    return height, width


def _per_channel(name: str, values: Any, n_channels: int) -> NDArray[np.float32]:
    numbers = np.asarray(values)
    if (
        numbers.dtype.kind not in "fiu"
        or numbers.shape not in ((), (n_channels,))
        or not np.isfinite(numbers).all()
    ):
        raise ValueError(
            f"{name} must be a number or {n_channels} of them, one per channel, got {values!r}."
        )
    return numbers.astype(np.float32)
