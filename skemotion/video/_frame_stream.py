"""Reading the frames of a clip one by one, so that memory stays flat however long it is."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .._limits import limits_in_force
from .._media import MediaError, Source, beyond_limit, check_pixels, clip_name, open_stream
from ._decoding import Orientation


class TimedFrame(NamedTuple):
    """A frame, and when it is shown, in seconds from the first."""

    seconds: float
    picture: NDArray[np.uint8]


def stream_frames(source: Source, fps: float | None = None) -> Iterator[TimedFrame]:
    """Decode a clip frame by frame, in colour and in its own size, upright.

    Parameters
    ----------
    source : str, path-like or bytes
        Path, address or encoded file.
    fps : float, default=None
        Frames per second to give at most, evenly; the others are decoded and passed over. None
        gives all.

    Yields
    ------
    frame : TimedFrame
        RGB, uint8, (height, width, 3).

    Raises
    ------
    MediaError
        If the clip is missing, damaged, without a picture, or beyond the limits in force.
    """
    limits, name = limits_in_force(), clip_name(source)
    orientation, start, last, n_found, n_given = None, 0.0, -np.inf, 0, 0
    with open_stream(source, "video") as (container, stream):
        rate = float(stream.average_rate or stream.guessed_rate or 25)
        for frame in container.decode(stream):
            if n_found == limits.max_frames:
                raise beyond_limit(name, "max_frames", "more frames")
            # A frame without a time of its own, or that of the last one, comes one step later.
            seconds = last + 1 / rate if frame.time is None else frame.time - start
            if n_found == 0:
                start, seconds = frame.time or 0.0, 0.0
            seconds = seconds if seconds > last else last + 1 / rate
            last, n_found = seconds, n_found + 1
            # Half a frame early is near enough: at 29.97 of 30 a second, none is passed over.
            if fps is not None and seconds < n_given / fps - 0.5 / rate:
                continue
            n_given = n_given + 1 if fps is None else int((seconds + 0.5 / rate) * fps) + 1
            check_pixels(frame, name, limits)
            if orientation is None:
                orientation = Orientation.of(frame)
            yield TimedFrame(seconds, orientation.turn(frame.to_ndarray(format="rgb24")))
    if n_found == 0:
        raise MediaError(
            f"{name}: expected a picture, found a video stream without a single frame that can be "
            "decoded. Make or download the file again."
        )


def array_frames(clip: NDArray[Any], rate: float, fps: float | None = None) -> Iterator[TimedFrame]:
    """Give the frames of an array as `stream_frames` gives those of a file.

    Parameters
    ----------
    clip : ndarray of shape (n_frames, height, width[, channel])
        Grey or RGB, from 0 to 255.
    rate : float
        Its frames per second.
    fps : float, default=None
        As for `stream_frames`.

    Yields
    ------
    frame : TimedFrame
    """
    step = 1.0 if fps is None else max(rate / fps, 1.0)
    for index in np.arange(0, len(clip), step).round().astype(int):
        if index == len(clip):
            break
        picture = clip[index]
        if picture.ndim == 2 or picture.shape[2] != 3:
            picture = np.repeat(picture.reshape(*picture.shape[:2], -1)[..., :1], 3, axis=2)
        if picture.dtype != np.uint8:
            picture = np.clip(np.rint(picture), 0, 255).astype(np.uint8)
        yield TimedFrame(float(index / rate), np.ascontiguousarray(picture))
