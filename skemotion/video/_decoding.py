"""Decoding one clip into small frames."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from fractions import Fraction
from math import ceil, floor
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
    split_fragment,
    timed_frames,
)
from ._luma import bright_span, luma
from ._resampling import blend, shrink


def decode_clip(
    source: Source,
    n_frames: int = 50,
    scale: float = 1 / 3,
    size: tuple[int, int] | None = None,
    color: str = "gray",
    stride: int | None = None,
    fps: float | None = None,
    trim_dark: bool = False,
) -> NDArray[np.uint8]:
    """Decode one clip into a number of small frames; see `VideoLoader`.

    Parameters
    ----------
    source : str, path-like or bytes
        Path, address or encoded file; a segment as ``clip.mp4#t=10,12.5``.
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
    fps : float, default=None
        Keep the frame nearest to each multiple of ``1 / fps`` seconds, instead of `n_frames`.
    trim_dark : bool, default=False
        Leave out frames at both ends that are darker than half the clip's median.

    Returns
    -------
    frames : ndarray of uint8, shape (n_frames, height, width[, 3])

    Raises
    ------
    MediaError
        If the clip is missing, damaged or without a picture.
    """
    shrunk = _Shrunk(clip_name(source), scale, size, color)
    if fps is not None:
        return _clip_of(_decode_by_time(source, Fraction(fps), shrunk), trim_dark)
    if stride is not None:
        _, kept = _decode(source, lambda i: i % stride == 0, shrunk)
        return _clip_of(list(kept.values()), trim_dark)
    # Which frames are needed depends on how many there are, which a header may leave out or get
    # wrong: where decoding finds another number, a second run has the right one. So no more frames
    # are ever held than the result is made of.
    if trim_dark:
        tiny = _Shrunk(clip_name(source), 1, (16, 16), "gray")  # enough to see brightness
        n_found, pictures = _decode(source, lambda _: True, tiny)
        first, stop = bright_span(np.stack(list(pictures.values())))
        n_dark = n_found - (stop - first)
    else:
        n_found, first, n_dark = _count_frames(source), 0, 0
    while True:
        n_expected, n_used = n_found, n_found - n_dark
        wanted = {first + int(i) for row in _neighbours(n_used, n_frames)[:2] for i in row}
        n_found, kept = _decode(source, wanted.__contains__, shrunk)
        if n_found == n_expected:
            used = {i - first: picture for i, picture in kept.items()}
            return _interpolate(used.__getitem__, n_used, n_frames)


def shrink_clip(
    frames: NDArray[Any],
    n_frames: int = 50,
    scale: float = 1 / 3,
    size: tuple[int, int] | None = None,
    color: str = "gray",
    stride: int | None = None,
    trim_dark: bool = False,
) -> NDArray[Any]:
    """Do with a clip in memory what `decode_clip` does with a file.

    Parameters
    ----------
    frames : ndarray of shape (n_clip_frames, height, width[, channel])
        Grey or RGB frames, uint8 or float.
    n_frames, scale, size, color, stride, trim_dark
        As for `decode_clip`.

    Returns
    -------
    frames : ndarray of shape (n_frames, height, width[, 3])
    """
    grey = luma(frames)
    if trim_dark and stride is None:
        span = slice(*bright_span(grey))
        frames, grey = frames[span], grey[span]
    if color == "gray":
        frames = grey
    elif frames.ndim == 3 or frames.shape[3] == 1:
        frames = np.repeat(grey[..., np.newaxis], 3, axis=3)
    if stride is not None:
        return _clip_of([_shrink(frame, scale, size) for frame in frames[::stride]], trim_dark)
    return _interpolate(lambda i: _shrink(frames[i], scale, size), len(frames), n_frames)


def interpolate(values: NDArray[Any], n_frames: int) -> NDArray[Any]:
    """Interpolate along the first axis, linearly, to a number of frames."""
    return _interpolate(values.__getitem__, len(values), n_frames)


def _clip_of(pictures: list[NDArray[Any]], trim_dark: bool) -> NDArray[Any]:
    frames = np.stack(pictures)
    return frames[slice(*bright_span(frames))] if trim_dark else frames


class _Shrunk:
    """Small pictures of a clip's frames, which are of one size and within the limits."""

    def __init__(self, name: str, scale: float, size: tuple[int, int] | None, color: str) -> None:
        self._name, self._asked = name, (scale, size, color)
        self._shape: tuple[int, ...] | None = None
        self._orientation: Orientation | None = None

    def __call__(self, frame: av.VideoFrame, n_frames: int) -> NDArray[np.uint8]:
        limits = limits_in_force()
        check_pixels(frame, self._name, limits)
        # Asked of every frame, it would take a quarter of the time that decoding does.
        if self._orientation is None:
            self._orientation = Orientation.of(frame)
        picture = small_picture(frame, self._orientation, *self._asked)
        if self._shape not in (None, picture.shape):
            raise MediaError(
                f"{self._name}: expected frames of one size, found {self._shape[:2]} and then "
                f"{picture.shape[:2]}, shrunk. Give VideoLoader a size=(height, width)."
            )
        self._shape = picture.shape
        if n_frames * picture.nbytes > limits.max_bytes:
            raise beyond_limit(self._name, "max_bytes", f"{n_frames} frames that take more")
        return picture


def _decode(
    source: Source, is_wanted: Callable[[int], bool], shrunk: _Shrunk
) -> tuple[int, dict[int, NDArray[np.uint8]]]:
    """Count the frames of a clip, and give small pictures of some of them."""
    kept: dict[int, NDArray[np.uint8]] = {}
    n_found = 0
    with open_stream(source, "video") as (container, stream):
        for _, frame in _frames(source, container, stream):
            if is_wanted(n_found):
                kept[n_found] = shrunk(frame, len(kept) + 1)
            n_found += 1
    return n_found, kept


def _decode_by_time(source: Source, fps: Fraction, shrunk: _Shrunk) -> list[NDArray[np.uint8]]:
    """Yield small pictures of the frames nearest to the times 0, 1 / fps, 2 / fps and so on."""
    kept: list[NDArray[np.uint8]] = []
    most = limits_in_force().max_frames
    with open_stream(source, "video") as (container, stream):
        frames = _frames(source, container, stream)
        for frame, n_times in _nearest(frames, fps, _length(source), stream.average_rate):
            if len(kept) + n_times > most:
                raise beyond_limit(clip_name(source), "max_frames", "more frames at this fps")
            if n_times:
                kept += [shrunk(frame, len(kept) + n_times)] * n_times
    return kept


def _length(source: Source) -> Fraction | None:
    _, segment = split_fragment(source)
    return None if segment is None or segment.end is None else segment.end - segment.start


def _nearest(
    frames: Iterator[tuple[Fraction, Any]],
    fps: Fraction,
    length: Fraction | None,
    rate: Fraction | None,
) -> Iterator[tuple[Any, int]]:
    """For each frame, count of which multiples of 1 / fps, before the clip's end, it is nearest."""
    shown, frame = next(frames)
    gap, n_before = 1 / (rate or Fraction(25)), 0
    for time, following in frames:
        n_times = max(floor((shown + time) / 2 * fps) + 1, n_before)
        yield frame, n_times - n_before
        gap, shown, frame, n_before = time - shown, time, following, n_times
    end = shown + gap if length is None else min(shown + gap, length)
    yield frame, max(ceil(end * fps) - n_before, 0 if n_before else 1)


def _frames(
    source: Source, container: Any, stream: Any
) -> Iterator[tuple[Fraction, av.VideoFrame]]:
    """Decode a clip's frames with their times, and refuse too many of them, and none."""
    limits, name, n_found = limits_in_force(), clip_name(source), 0
    for time, frame in timed_frames(source, container, stream):
        if n_found == limits.max_frames:
            raise beyond_limit(name, "max_frames", "more frames")
        yield time, frame
        n_found += 1
    if n_found == 0:
        raise MediaError(
            f"{name}: expected a picture, found a video stream without a single frame that can be "
            "decoded. Make or download the file again."
        )


def _count_frames(source: Source) -> int:
    _, segment = split_fragment(source)
    with open_stream(source, "video") as (container, stream):
        if segment is not None:
            rate, length = stream.average_rate or 25, (container.duration or 0) / av.time_base
            end = length if segment.end is None else segment.end
            return max(ceil(end * rate) - ceil(segment.start * rate), 1)
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
        """Read the orientation that a camera stored when held sideways or mirroring."""
        # A frame whose side data was read stays in memory until the garbage collector runs. The
        # rotation shows every matrix except that of a picture stored upside down.
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
