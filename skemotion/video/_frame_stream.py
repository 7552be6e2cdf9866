"""Reading the frames of a clip one by one, so that memory stays flat however long it is."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import av
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
    starting_at,
    timed_frames,
)
from ._decoding import Orientation

# Frames per second that frames in memory are taken to have.
_USUAL_RATE = 30.0


class Frame(NamedTuple):
    """A picture, in RGB by default; which frame of the clip it is; when it is shown, in seconds."""

    number: int
    seconds: float
    picture: NDArray[np.uint8]


def in_color(frame: av.VideoFrame, orientation: Orientation) -> NDArray[np.uint8]:
    """Make a decoded frame an upright picture in RGB, in its own size."""
    picture: NDArray[Any] = frame.to_ndarray(format="rgb24")
    return orientation.turn(picture)


def file_frames(
    source: Source,
    fps: float | None = None,
    picture: Callable[[av.VideoFrame, Orientation], NDArray[np.uint8]] = in_color,
    start: float = 0.0,
) -> Iterator[Frame]:
    """Decode a clip frame by frame, upright; by default in colour and in its own size.

    Parameters
    ----------
    source : str, path-like or bytes
        Path, address or encoded file; a segment as ``clip.mp4#t=10,12.5``.
    fps : float, default=None
        Frames per second to give at most, evenly; the others are decoded and passed over. None
        gives all.
    picture : callable
        What to make of a decoded frame, given how it is turned.
    start : float, default=0.0
        Seconds from which on frames are wanted; those of a path or an address are decoded from
        shortly before.

    Yields
    ------
    frame : Frame
        Time counts from the first frame of the clip, or from the start of its segment, whatever
        `start` is; `number` from the first frame decoded.

    Raises
    ------
    MediaError
        If the clip is missing, damaged, without a picture, or beyond the limits in force.
    """
    limits, name = limits_in_force(), clip_name(source)
    skipped = start if isinstance(source, str | os.PathLike) else 0.0
    source = starting_at(source, skipped)
    orientation, last, number, n_given = None, 0.0, -1, 0
    with open_stream(source, "video") as (container, stream):
        step = 1 / float(stream.average_rate or stream.guessed_rate or _USUAL_RATE)
        for number, (time, frame) in enumerate(timed_frames(source, container, stream)):
            if number == limits.max_frames:
                raise beyond_limit(name, "max_frames", "more frames")
            # With a time that goes back, a frame comes a step later.
            last = last + step if number and time <= last else float(time)
            # Half a step early is near enough: of 29.97 frames a second, 30 are all.
            seconds = skipped + last
            elapsed = seconds + step / 2
            if fps is not None and elapsed < n_given / fps:
                continue
            n_given = n_given + 1 if fps is None else int(elapsed * fps) + 1
            check_pixels(frame, name, limits)
            if orientation is None:
                orientation = Orientation.of(frame)
            yield Frame(number, seconds, picture(frame, orientation))
    if number < 0:
        raise MediaError(
            f"{name}: expected a picture, found a video stream without a single frame that can be "
            "decoded. Make or download the file again."
        )


def array_frames(clip: NDArray[Any]) -> Iterator[Frame]:
    """Yield all frames of an array, as if there were 30 a second.

    Parameters
    ----------
    clip : ndarray of shape (n_frames, height, width[, channel])
        Grey or RGB, from 0 to 255.

    Yields
    ------
    frame : Frame

    Raises
    ------
    ValueError
        If the channels are others than one or three.
    """
    if clip.ndim == 4 and clip.shape[3] not in (1, 3):
        raise ValueError(
            "Expected frames of shape (n_frames, height, width), or with 1 or 3 channels as the "
            f"last axis, got an array of shape {clip.shape}."
        )
    for number, picture in enumerate(clip):
        if picture.ndim == 2 or picture.shape[2] == 1:
            picture = np.repeat(picture.reshape(*picture.shape[:2], 1), 3, axis=2)
        if picture.dtype != np.uint8:
            picture = np.clip(np.rint(picture), 0, 255).astype(np.uint8)
        yield Frame(number, number / _USUAL_RATE, np.ascontiguousarray(picture))


def nearest(times: NDArray[np.float64], fps: float, length: float) -> NDArray[np.intp]:
    """Return the frames, by their times, nearest to 0, 1 / fps and so on up to a length."""
    wanted = np.arange(max(np.ceil(length * fps - 1e-6), 1)) / fps
    # Of two that are equally near, the earlier, whatever the rounding.
    return np.searchsorted((times[1:] + times[:-1]) / 2, wanted - 1e-6)
