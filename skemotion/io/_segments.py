"""Decoding a clip with times: all of it, or a segment, by seeking where that is exact."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from fractions import Fraction
from itertools import chain
from typing import Any

import av

from ._errors import MediaError, beyond_limit, clip_name
from ._fragments import Segment, split_fragment
from ._limits import limits_in_force
from ._media import Source, main_stream, open_stream

# Containers in which what is decoded after seeking has the times that it has when everything is
# decoded. In others (such as MPEG's streams, which give a time to some frames alone) a segment is
# decoded from the clip's start on.
_SEEKABLE = {"mov,mp4,m4a,3gp,3g2,mj2", "matroska,webm", "flv", "avi"}
_SEEKABLE_SOUND = _SEEKABLE | {"wav", "w64", "flac", "mp3", "ogg"}
# Seconds before the segment that seeking aims at, one after the other: the key frame found may be
# shown after the time sought, where a container sorts by the time of decoding.
_BEFORE = (0, 2, 10)
# Lossy sound depends on the frames before. What it takes to forget them: Opus asks for 0.08 s.
_BEFORE_SOUND = (Fraction(1, 2), Fraction(3))
# Codecs of sound whose frames are all equally long, so that a rounded time identifies it.
_EQUAL_FRAMES = {"aac", "ac3", "eac3", "flac", "mp2", "mp2float", "mp3", "mp3float", "opus"}
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
    if not start or container.format.name not in _SEEKABLE or not _is_timed(container, stream):
        yield from _with_times(whole, container, stream, container.decode(stream))
        return
    origin = getattr(next(container.decode(stream), None), "pts", None)
    for before in _BEFORE:
        if origin is None or before >= start:
            break
        place = origin + int((start - before) / stream.time_base)
        frames = _decode_from(place, container, stream)
        first = _next(frames)
        if first is not None and first.key_frame and not first.is_corrupt and first.pts <= place:
            yield from _with_times(whole, container, stream, chain([first], frames), origin)
            return
    with open_stream(whole, "video") as (container, stream):
        yield from _with_times(whole, container, stream, container.decode(stream))


def _sound_before(
    start: Fraction, whole: Source, container: Any, stream: Any
) -> Iterator[tuple[int, av.AudioFrame]]:
    """Decode from some time before another one; number each frame by its first sample."""
    if start <= _BEFORE_SOUND[0] or container.format.name not in _SEEKABLE_SOUND:
        yield from _count_samples(container.decode(stream), 0)
        return
    frames = container.decode(stream)
    first, second = next(frames, None), next(frames, None)
    for before in _BEFORE_SOUND:
        if first is None or second is None or first.pts is None or before >= start:
            break
        place = first.pts + int((start - before) / stream.time_base)
        frames = _decode_from(place, container, stream)
        cold = _next(frames)  # what comes before would add to it
        warm = _next(frames)
        at = (
            None
            if cold is None or warm is None
            else _number(warm, first, second, container, stream)
        )
        if at is not None and at <= start * first.sample_rate:
            yield from _count_samples(chain([warm], frames), at)
            return
    with open_stream(whole, "audio") as (container, stream):
        yield from _count_samples(container.decode(stream), 0)


def _count_samples(frames: Iterator[Any], at: int) -> Iterator[tuple[int, av.AudioFrame]]:
    for frame in frames:
        yield at, frame
        at += frame.samples


def _number(frame: Any, first: Any, second: Any, container: Any, stream: Any) -> int | None:
    """Return the number of a frame's first sample, or None if its time is not exact."""
    if frame.pts is None or frame.sample_rate != first.sample_rate:
        return None
    if container.format.name == "ogg" and stream.codec_context.name == "flac":
        return None  # FFmpeg stamps the last page of it wrongly after seeking
    place = (frame.pts - first.pts) * stream.time_base * frame.sample_rate
    if stream.codec_context.name not in _EQUAL_FRAMES:
        # Containers of milliseconds have rounded it.
        exact = (1 / (stream.time_base * frame.sample_rate)).denominator == 1
        return int(place) if exact else None
    size, tick = second.samples, stream.time_base * frame.sample_rate + 1
    if tick == size + 1:
        tick = Fraction(0)  # AVI counts frames, and rounds nothing
    number = first.samples + round((place - first.samples) / size) * size
    sure = frame.samples == size and 4 * tick < size and abs(place - number) <= tick
    return number if sure else None


def _next(frames: Iterator[Any]) -> Any:
    """Return the next frame, or None where seeking led to what cannot be decoded."""
    try:
        return next(frames, None)
    except av.FFmpegError:
        return None


def _decode_from(place: int, container: Any, stream: Any) -> Iterator[Any]:
    """Decode from the key frame before a place on; nothing where its time is unknown."""
    container.seek(place, stream=stream)
    is_first = True
    for packet in container.demux(stream):
        if is_first and packet.size and packet.pts is None:
            return
        is_first = is_first and not packet.size
        yield from packet.decode()
