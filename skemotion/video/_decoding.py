"""Decoding one clip into small frames."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from ..io import (
    MediaError,
    Source,
    beyond_limit,
    check_pixels,
    clip_name,
    limits_in_force,
    open_stream,
)
from ._luma import luma
from ._resampling import blend, shrink


def decode_clip(
    source: Source,
    n_frames: int = 50,
    scale: float = 1 / 3,
    size: tuple[int, int] | None = None,
    color: str = "gray",
    stride: int | None = None,
) -> NDArray[np.uint8]:
    """Decode one clip into a number of small frames; see `VideoLoader`.

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
    stride : int, default=None
        Keep every stride-th frame, instead of `n_frames`.

    Returns
    -------
    frames : ndarray of uint8, shape (n_frames, height, width[, 3])

    Raises
    ------
    MediaError
        If the clip is missing, damaged or without a picture.
    """
    if stride is not None:
        n_found, kept = _decode(source, lambda i: i % stride == 0, scale, size, color)
        _refuse_none(source, n_found)
        return np.stack(list(kept.values()))
    # Which frames are needed depends on how many there are, which a header may leave out or get
    # wrong. Its word is taken first; where decoding finds another number, a second run has the
    # right one. So no more frames are ever held than the result is made of.
    n_found = _count_frames(source)
    while True:
        n_expected = n_found
        wanted = {int(i) for row in _neighbours(n_expected, n_frames)[:2] for i in row}
        n_found, kept = _decode(source, wanted.__contains__, scale, size, color)
        _refuse_none(source, n_found)
        if n_found == n_expected:
            return _interpolate(kept.__getitem__, n_found, n_frames)


def shrink_clip(
    frames: NDArray[Any],
    n_frames: int = 50,
    scale: float = 1 / 3,
    size: tuple[int, int] | None = None,
    color: str = "gray",
    stride: int | None = None,
) -> NDArray[Any]:
    """Do with a clip in memory what `decode_clip` does with a file.

    Parameters
    ----------
    frames : ndarray of shape (n_clip_frames, height, width[, channel])
        Grey or RGB frames, uint8 or float.
    n_frames, scale, size, color, stride
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
    if stride is not None:
        return np.stack([_shrink(frame, scale, size) for frame in frames[::stride]])
    return _interpolate(lambda i: _shrink(frames[i], scale, size), len(frames), n_frames)


def interpolate(values: NDArray[Any], n_frames: int) -> NDArray[Any]:
    """Interpolate along the first axis, linearly, to a number of frames."""
    return _interpolate(values.__getitem__, len(values), n_frames)


def _decode(
    source: Source,
    is_wanted: Callable[[int], bool],
    scale: float,
    size: tuple[int, int] | None,
    color: str,
) -> tuple[int, dict[int, NDArray[np.uint8]]]:
    """Count the frames of a clip, and give small pictures of some of them."""
    kept: dict[int, NDArray[np.uint8]] = {}
    n_found, shape, orientation = 0, None, None
    limits, name = limits_in_force(), clip_name(source)
    with open_stream(source, "video") as (container, stream):
        for frame in container.decode(stream):
            if n_found == limits.max_frames:
                raise beyond_limit(name, "max_frames", "more frames")
            if is_wanted(n_found):
                check_pixels(frame, name, limits)
                # Asked of every frame, it would take a quarter of the time that decoding does.
                if orientation is None:
                    orientation = Orientation.of(frame)
                picture = small_picture(frame, orientation, scale, size, color)
                if shape not in (None, picture.shape):
                    raise MediaError(
                        f"{name}: expected frames of one size, found {shape[:2]} and then "
                        f"{picture.shape[:2]}, shrunk. Give VideoLoader a size=(height, width)."
                    )
                kept[n_found], shape = picture, picture.shape
                if len(kept) * picture.nbytes > limits.max_bytes:
                    raise beyond_limit(name, "max_bytes", f"{len(kept)} frames that take more")
            n_found += 1
    return n_found, kept


def _refuse_none(source: Source, n_found: int) -> None:
    if n_found == 0:
        raise MediaError(
            f"{clip_name(source)}: expected a picture, found a video stream without a single "
            "frame that can be decoded. Make or download the file again."
        )


def _count_frames(source: Source) -> int:
    with open_stream(source, "video") as (container, stream):
        if stream.frames:
            return int(stream.frames)
        n_packets, most = 0, limits_in_force().max_frames
        for packet in container.demux(stream):
            n_packets += packet.size > 0
            if n_packets > most:
                raise beyond_limit(clip_name(source), "max_frames", "more frames")
        return n_packets


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
        blend(before, after, share[row], result[row, ...])
    return result


# Planar formats that start with a plane of 8-bit luma: the grey picture is there already.
_LUMA_FIRST = {"gray", "nv12", "nv21"} | {
    f"yuv{j}{sampling}p"
    for j in ("", "j")
    for sampling in ("410", "411", "420", "422", "440", "444")
}
# Video luma of 16..235 stretched to 0..255.
_STRETCH = np.clip(np.rint((np.arange(256) - 16) * 255 / 219), 0, 255).astype(np.uint8)


class Orientation(NamedTuple):
    """How a stored picture becomes an upright one."""

    is_transposed: bool
    is_flipped_down: bool
    is_flipped_across: bool

    @classmethod
    def of(cls, frame: av.VideoFrame) -> Orientation:
        """Read what a camera wrote that was held sideways, or takes mirror images."""
        # A frame whose side data was looked at stays in memory until the collector of cycles comes
        # by. Its rotation tells of every matrix but that of a picture stored upside down.
        data: Any = frame.side_data.get("DISPLAYMATRIX") if frame.rotation else None
        if data is None:
            return cls(False, False, False)
        # A pixel at (x, y) is to be shown at (a x + c y, b x + d y). Angles other than right ones
        # are taken to the nearest.
        a, b, _, c, d = np.frombuffer(data, dtype=np.int32)[:5].tolist()
        return cls(True, b < 0, c < 0) if abs(b) > abs(a) else cls(False, d < 0, a < 0)

    def turn(self, picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Make a stored picture an upright one."""
        if not any(self):
            return picture
        if self.is_transposed:
            picture = picture.swapaxes(0, 1)
        down = -1 if self.is_flipped_down else 1
        across = -1 if self.is_flipped_across else 1
        return np.ascontiguousarray(picture[::down, ::across])


def small_picture(
    frame: av.VideoFrame,
    orientation: Orientation,
    scale: float,
    size: tuple[int, int] | None,
    color: str,
) -> NDArray[np.uint8]:
    """Make a decoded frame a small upright picture; see `decode_clip`."""
    if orientation.is_transposed:
        size = size and (size[1], size[0])
    return orientation.turn(_small_as_stored(frame, scale, size, color))


def _small_as_stored(
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
