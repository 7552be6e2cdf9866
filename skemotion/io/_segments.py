"""Decoding a clip with times: all of it, or a segment, by seeking where that is exact."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from fractions import Fraction
from typing import Any

import av

from ._errors import MediaError, beyond_limit, clip_name
from ._fragments import Segment, split_fragment
from ._limits import limits_in_force
from ._media import Source, main_stream, open_stream
from ._seeking import pictures_near, sound_near

# Seconds between the beginnings of sound and picture from which on they are taken into account:
# encoders add some at the start, and containers round.
_LEAST_DELAY = Fraction(1, 4)
# Sound and picture of one file differ in length, and annotations round.
_OVERHANG = Fraction(1, 2)


def timed_frames(source: Source, container: Any, stream: Any) -> Iterator[tuple[Fraction, Any]]:
    """Decode the pictures of a clip, or of its segment, with their times.

    A frame belongs to a segment if it is shown from its start on and before its end.

    Parameters
    ----------
    source : path, address or bytes
        The clip, with its times if it is a segment.
    container, stream : av.container.InputContainer, av.stream.Stream
        As `open_stream` opened it, not read from yet.

    Yields
    ------
    time : Fraction
        Seconds after the start of the segment, or after the first frame of a whole clip.
    frame : av.VideoFrame

    Raises
    ------
    MediaError
        If the segment lies outside the clip, or between two frames.
    """
    whole, segment = split_fragment(source)
    if segment is None:
        yield from _with_times(source, container, stream, container.decode(stream))
        return
    n_found, length = 0, Fraction(0)
    for time, frame in _frames_before(segment.start, whole, container, stream):
        if segment.end is not None and time >= segment.end:
            break
        length = time + _gap(stream)
        if time >= segment.start:
            n_found += 1
            yield time - segment.start, frame
    else:
        check_inside(source, segment, length)
    if not n_found:
        raise MediaError(
            f"{clip_name(source)}: expected a segment with a frame in it, found one between two "
            "frames. Make it longer."
        )


def cut_sound(source: Source, container: Any, stream: Any) -> Iterator[tuple[av.AudioFrame, slice]]:
    """Decode the sound of a clip, or of its segment.

    A segment has the samples from ``round(start * rate)`` on, before ``round(end * rate)``. Where
    there is a picture, times count from its start, as `sound_delay` says.

    Parameters
    ----------
    source : path, address or bytes
        The clip, with its times if it is a segment.
    container, stream : av.container.InputContainer, av.stream.Stream
        As `open_stream` opened it, not read from yet.

    Yields
    ------
    frame : av.AudioFrame
    part : slice
        Which of the frame's samples to take.

    Raises
    ------
    MediaError
        If the segment lies outside the clip.
    """
    whole, segment = split_fragment(source)
    if segment is None:
        for frame in container.decode(stream):
            yield frame, slice(None)
        return
    delay = sound_delay(source, container)
    if segment.end is not None and segment.end <= delay:
        raise MediaError(
            f"{clip_name(source)}: expected a segment with sound in it, found that sound begins at "
            f"{float(delay):.3f} s. Correct the times."
        )
    segment = Segment(
        max(segment.start - delay, Fraction(0)),
        None if segment.end is None else segment.end - delay,
    )
    at, rate = 0, 0
    for at, frame in _sound_before(segment.start, whole, container, stream):
        rate = frame.sample_rate
        first = round(segment.start * rate)
        last = None if segment.end is None else round(segment.end * rate)
        if last is not None and at >= last:
            return
        stop = frame.samples if last is None else min(last - at, frame.samples)
        if max(first - at, 0) < stop:
            yield frame, slice(max(first - at, 0), stop)
        at += frame.samples
    if rate and (segment.end is None or at < round(segment.end * rate)):
        check_inside(source, segment, Fraction(at, rate), delay)


def sound_delay(source: Source, container: Any) -> Fraction:
    """Return how much later the sound of a clip begins than its picture.

    Parameters
    ----------
    source : path, address or bytes
        The clip, or its segment.
    container : av.container.InputContainer
        As `open_stream` opened it for the sound.

    Returns
    -------
    delay : Fraction
        In seconds; 0 if the clip has no picture, or for less than a quarter of a second.
    """
    if not container.streams.video:
        return Fraction(0)
    # Only a thorough look finds where a picture begins later on.
    with suppress(MediaError), open_stream(source, "video") as (container, video):
        starts = [
            stream.start_time * stream.time_base
            for stream in (main_stream(container, "audio", ""), video)
            if stream.start_time is not None
        ]
        if len(starts) == 2 and abs(starts[0] - starts[1]) >= _LEAST_DELAY:
            return starts[0] - starts[1]
    return Fraction(0)


def check_inside(
    source: Source, segment: Segment, length: Fraction, delay: Fraction = Fraction(0)
) -> None:
    """Refuse a segment that lies outside its clip; an end may be half a second after the clip's.

    Parameters
    ----------
    source : path or address
        The clip with its times, for the error.
    segment : Segment
        Those times.
    length : Fraction
        Of the clip, in seconds; 0 if that is not known.
    delay : Fraction, default=0
        What times and length are to be increased by in the error.

    Raises
    ------
    MediaError
    """
    if segment.start >= length > 0:
        outside = f"its start at {float(segment.start + delay):g} s"
    elif length and segment.end is not None and segment.end > length + _OVERHANG:
        outside = f"its end at {float(segment.end + delay):g} s"
    else:
        return
    raise MediaError(
        f"{clip_name(source)}: expected a segment of a clip of {float(length + delay):.3f} s, "
        f"found {outside}. Correct the times."
    )


def _gap(stream: Any) -> Fraction:
    return 1 / (stream.average_rate or stream.guessed_rate or Fraction(25))


def _is_timed(container: Any, stream: Any) -> bool:
    """Return whether frames carry times: in AVI they do not, and may be in another order."""
    return not (container.format.name == "avi" and stream.codec_context.has_b_frames)


def _with_times(
    source: Source,
    container: Any,
    stream: Any,
    frames: Iterator[av.VideoFrame],
    origin: int | None = None,
) -> Iterator[tuple[Fraction, Any]]:
    """Give frames their times after the first one, or after the one that has time `origin`."""
    time, gap, is_timed = Fraction(0), _gap(stream), _is_timed(container, stream)
    n_pixels, most = 0, limits_in_force().max_decoded_pixels
    for number, frame in enumerate(frames):
        # Tiny frames on an enormous canvas take the decoder as long as enormous frames.
        n_pixels += frame.width * frame.height
        if n_pixels > most:
            raise beyond_limit(
                clip_name(source), "max_decoded_pixels", f"more pixels in {number + 1} frames"
            )
        if origin is None and not number and is_timed:
            origin = frame.pts
        if frame.pts is None or origin is None:
            time += gap if number else 0
        else:
            time = (frame.pts - origin) * stream.time_base
        yield time, frame


def _frames_before(
    start: Fraction, whole: Source, container: Any, stream: Any
) -> Iterator[tuple[Fraction, Any]]:
    """Decode from a key frame that is shown no later than a time."""
    if not start or not _is_timed(container, stream):
        yield from _with_times(whole, container, stream, container.decode(stream))
        return
    near = pictures_near(start, container, stream)
    if near is not None:
        yield from _with_times(whole, container, stream, near.frames, near.at)
        return
    with open_stream(whole, "video") as (container, stream):
        yield from _with_times(whole, container, stream, container.decode(stream))


def _sound_before(
    start: Fraction, whole: Source, container: Any, stream: Any
) -> Iterator[tuple[int, av.AudioFrame]]:
    """Decode from some time before another one; number each frame by its first sample."""
    if not start:
        yield from _count_samples(container.decode(stream), 0)
        return
    near = sound_near(start, container, stream)
    if near is not None:
        yield from _count_samples(near.frames, near.at)
        return
    with open_stream(whole, "audio") as (container, stream):
        yield from _count_samples(container.decode(stream), 0)


def _count_samples(frames: Iterator[Any], at: int) -> Iterator[tuple[int, av.AudioFrame]]:
    for frame in frames:
        yield at, frame
        at += frame.samples
