"""Decoding clips into arrays of small frames."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from numbers import Integral, Real
from typing import Any, Self

import av
import cv2
import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, TransformerMixin, _fit_context
from sklearn.utils import Tags
from sklearn.utils._param_validation import Interval, StrOptions

from .._media import MediaError, Source, clip_name, open_stream
from .._validation import (
    FLOATS,
    check_clips,
    check_input_names,
    frames_only_tables,
    is_missing,
    remember_column,
    source_column,
)
from ._luma import luma
from ._shrink import shrink


@frames_only_tables
class VideoLoader(TransformerMixin, BaseEstimator):
    """Decode each clip into a fixed number of small frames.

    Every frame is shrunk by area averaging; then the frames are interpolated linearly in time
    at ``linspace(0, N - 1, n_frames)``, N being the clip's own number of frames. A clip's
    frames depend on nothing but the clip.

    Parameters
    ----------
    n_frames : int, default=50
        Frames per clip in the result.
    scale : float, default=1/3
        Height and width in the result, as a share of the clip's own, rounded down. Ignored where
        `size` is given.
    size : tuple of 2 int, default=None
        Height and width in the result. Needed where clips come in different sizes.
    color : {"gray", "rgb"}, default="gray"
        Luma alone, or red, green and blue.

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
    HOG3D : Describes what this stage returns.
    skemotion.audio.AudioLoader : The same for sound.

    Examples
    --------
    >>> import numpy as np
    >>> from skemotion.video import VideoLoader
    >>> clip = np.zeros((90, 60, 80), dtype=np.uint8)  # a path does as well
    >>> VideoLoader(n_frames=10, scale=1 / 2).transform([clip]).shape
    (1, 10, 30, 40)
    """

    _parameter_constraints = {
        "n_frames": [Interval(Integral, 1, None, closed="left")],
        "scale": [Interval(Real, 0, 1, closed="right")],
        "size": [tuple, list, None],
        "color": [StrOptions({"gray", "rgb"})],
    }

    def __init__(
        self,
        n_frames: int = 50,
        scale: float = 1 / 3,
        size: tuple[int, int] | None = None,
        color: str = "gray",
    ) -> None:
        self.n_frames = n_frames
        self.scale = scale
        self.size = size
        self.color = color

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
        self : VideoLoader
        """
        _check_size(self.size)
        if source_column(X) is not None:
            remember_column(self)
        else:
            check_clips(self, X, reset=True, ndim=(4, 5), dtype=(*FLOATS, np.uint8), axes=_AXES)
        return self

    def transform(self, X: Any) -> NDArray[Any]:
        """Load each clip.

        Parameters
        ----------
        X : sequence of path, address, bytes or array, or array-like of numbers
            A column of clips: paths, addresses in fsspec's notation
            (``zip://Actor_01/x.mp4::/data/Video.zip``), encoded bytes, or arrays of shape
            (n_frames, height, width[, channel]). An array of shape (n_clips, n_frames, height,
            width[, channel]) is a column of clips as well; a row of a table is one pixel through
            time, and is only interpolated.

        Returns
        -------
        clips : ndarray of shape (n_clips, n_frames, height, width[, channel])
            uint8, but for arrays of floats, which stay floats; (n_clips, n_frames) for a table.

        Raises
        ------
        MediaError
            If a clip is missing, damaged or without a picture.
        ValueError
            If the clips come out in different sizes.
        """
        self._validate_params()
        _check_size(self.size)
        sources = source_column(X)
        if sources is None:
            X = check_clips(
                self, X, reset=False, ndim=(4, 5), dtype=(*FLOATS, np.uint8), axes=_AXES
            )
            if X.ndim == 2:
                return np.stack(
                    [_interpolate(row.__getitem__, len(row), self.n_frames) for row in X]
                )
            sources = list(X)
        clips = [self._load(source) for source in sources]
        for source, clip in zip(sources, clips, strict=True):
            if clip.shape != clips[0].shape:
                raise ValueError(
                    f"Clips come in different sizes: {clip_name(sources[0])} gives "
                    f"{clips[0].shape}, {clip_name(source)} {clip.shape}. Give VideoLoader one "
                    "size=(height, width) for all."
                )
        return np.stack(clips)

    def get_feature_names_out(self, input_features: Any = None) -> NDArray[Any]:
        """Name the result's columns: frames of a table's pixel, or the one column of clips.

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
            return np.array(["video"], dtype=object)
        return np.array([f"frame{t:03d}" for t in range(self.n_frames)], dtype=object)

    def _load(self, source: Source | NDArray[Any] | None) -> NDArray[Any]:
        if source is None or is_missing(source):
            raise MediaError("A clip is missing: expected a path, found an empty cell.")
        if isinstance(source, np.ndarray):
            return shrink_clip(source, self.n_frames, self.scale, self.size, self.color)
        return decode_clip(source, self.n_frames, self.scale, self.size, self.color)

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.requires_fit = False
        tags.input_tags.string = True
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags


_AXES = "(n_clips, n_frames, height, width[, channel])"


def decode_clip(
    source: Source,
    n_frames: int = 50,
    scale: float = 1 / 3,
    size: tuple[int, int] | None = None,
    color: str = "gray",
) -> NDArray[np.uint8]:
    """Decode one clip into a fixed number of small frames; see `VideoLoader`.

    Parameters
    ----------
    source : str, path-like or bytes
        Path, address or encoded file.
    n_frames : int, default=50
        Frames in the result.
    scale : float, default=1/3
        Share of the clip's own height and width.
    size : tuple of 2 int, default=None
        Height and width, instead of `scale`.
    color : {"gray", "rgb"}, default="gray"
        Luma, or red, green and blue.

    Returns
    -------
    frames : ndarray of uint8, shape (n_frames, height, width[, 3])

    Raises
    ------
    MediaError
        If the clip is missing, damaged or without a picture.
    """
    # Which frames are needed depends on how many there are, which a header may leave out or get
    # wrong. Its word is taken first; where decoding finds another number, a second run has the
    # right one. So no more frames are ever held than the result is made of.
    n_found = _count_frames(source)
    while True:
        n_expected = n_found
        wanted = {int(i) for row in _neighbours(n_expected, n_frames)[:2] for i in row}
        kept, n_found = {}, 0
        for frame in _frames(source):
            if n_found in wanted:
                kept[n_found] = _small_picture(frame, scale, size, color)
            n_found += 1
        if n_found == 0:
            raise MediaError(
                f"{clip_name(source)}: expected a picture, found a video stream without a single "
                "frame that can be decoded. Make or download the file again."
            )
        if n_found == n_expected:
            return _interpolate(kept.__getitem__, n_found, n_frames)


def shrink_clip(
    frames: NDArray[Any],
    n_frames: int = 50,
    scale: float = 1 / 3,
    size: tuple[int, int] | None = None,
    color: str = "gray",
) -> NDArray[Any]:
    """Do with a clip in memory what `decode_clip` does with a file.

    Parameters
    ----------
    frames : ndarray of shape (n_clip_frames, height, width[, channel])
        Grey or RGB frames, uint8 or float.
    n_frames, scale, size, color
        As for `decode_clip`.

    Returns
    -------
    frames : ndarray of shape (n_frames, height, width[, 3])
    """
    grey = luma(frames)
    if color == "gray":
        frames = grey
    elif frames.ndim == 3 or frames.shape[3] == 1:
        frames = np.repeat(grey[..., np.newaxis], 3, axis=3)
    return _interpolate(lambda i: _shrink(frames[i], scale, size), len(frames), n_frames)


def _check_size(size: Any) -> None:
    if size is not None and (
        len(size) != 2 or not all(isinstance(n, int | np.integer) and n > 0 for n in size)
    ):
        raise ValueError(f"size must be (height, width) in whole pixels, got {size!r}.")


def _frames(source: Source) -> Iterator[av.VideoFrame]:
    with open_stream(source, "video") as (container, stream):
        stream.thread_type = "AUTO"
        yield from container.decode(stream)


def _count_frames(source: Source) -> int:
    with open_stream(source, "video") as (container, stream):
        return int(stream.frames) or sum(packet.size > 0 for packet in container.demux(stream))


def _neighbours(
    n_clip_frames: int, n_frames: int
) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.float64]]:
    """For every frame of the result, give the two frames it lies between, and how far."""
    position = np.linspace(0, max(n_clip_frames - 1, 0), n_frames)
    left = np.floor(position).astype(np.intp)
    right = np.minimum(left + 1, max(n_clip_frames - 1, 0))
    return left, right, position - left


def _interpolate(
    frame: Callable[[int], NDArray[Any]], n_clip_frames: int, n_frames: int
) -> NDArray[Any]:
    left, right, share = _neighbours(n_clip_frames, n_frames)
    first = np.asarray(frame(0))
    result = np.empty((n_frames, *first.shape), dtype=first.dtype)
    at, before, after = -1, first, first
    for row in range(n_frames):
        if left[row] != at:
            at = left[row]
            before, after = frame(at), frame(right[row])
        # Assigning to uint8 cuts the fraction off, as the reference method does.
        result[row] = before + (after - before.astype(np.result_type(first, float))) * share[row]
    return result


# Planar formats that start with a plane of 8-bit luma: the grey picture is there already.
_LUMA_FIRST = {"gray", "nv12", "nv21"} | {
    f"yuv{j}{sampling}p"
    for j in ("", "j")
    for sampling in ("410", "411", "420", "422", "440", "444")
}
# Video luma of 16..235 stretched to 0..255.
_STRETCH = np.clip(np.rint((np.arange(256) - 16) * 255 / 219), 0, 255).astype(np.uint8)


def _small_picture(
    frame: av.VideoFrame, scale: float, size: tuple[int, int] | None, color: str
) -> NDArray[np.uint8]:
    if color == "rgb":
        return _shrink(frame.to_ndarray(format="rgb24"), scale, size)
    name = frame.format.name
    if name not in _LUMA_FIRST:
        return _shrink(frame.to_ndarray(format="gray"), scale, size)
    plane = frame.planes[0]
    picture = np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size)
    picture = _shrink(picture[: frame.height, : frame.width], scale, size)
    full_range = name == "gray" or name.startswith("yuvj") or frame.color_range == _FULL_RANGE
    return picture if full_range else np.asarray(cv2.LUT(picture, _STRETCH))


_FULL_RANGE = 2  # AVCOL_RANGE_JPEG


def _shrink(picture: NDArray[Any], scale: float, size: tuple[int, int] | None) -> NDArray[Any]:
    # The tiny amount keeps 3 * (1 / 3) and its like from being rounded down.
    height, width = size or (max(int(n * scale + 1e-9), 1) for n in picture.shape[:2])
    return shrink(picture, height, width)
