"""Decoding from shortly before a time, where that gives what decoding everything gives."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from fractions import Fraction
from itertools import chain
from typing import Any, NamedTuple

import av

# Containers in which what is decoded after seeking has the times that it has when everything is
# decoded.
_SEEKABLE = {"mov,mp4,m4a,3gp,3g2,mj2", "matroska,webm", "flv", "avi"}
_SEEKABLE_SOUND = _SEEKABLE | {"wav", "w64", "flac", "mp3", "ogg"}
# Containers in which that holds only from some packet on.
_MPEG = {"mpeg", "mpegts"}
# Seconds before the time that seeking aims at, one after the other: the key frame found may be
# shown after the time sought, where a container sorts by the time of decoding.
_BEFORE = (0, 2, 10)
_BEFORE_MPEG = (1, 3, 11, 40)
# Lossy sound depends on the frames before. What it takes to forget them: Opus asks for 0.08 s.
_BEFORE_SOUND = (Fraction(1, 2), Fraction(3))
_WARMING = Fraction(1, 4)
# How many of the frames of MPEG streams' sound agree when they are.
_AGREEING = Fraction(2, 3)
# Seconds of it that are held before they are found to be useless.
_MOST_SOUND = 60
# Codecs of sound whose frames are all equally long, so that a rounded time identifies it.
_EQUAL_FRAMES = {"aac", "ac3", "eac3", "flac", "mp2", "mp2float", "mp3", "mp3float", "opus"}


class Near(NamedTuple):
    """What is decoded from shortly before a time."""

    at: int
    """For pictures, the time that the clip's first frame has, in ticks of the stream. For sound,
    the number of the first frame's first sample."""
    frames: Iterator[Any]


def pictures_near(start: Fraction, container: Any, stream: Any) -> Near | None:
    """Decode from a key frame that is shown no later than a time.

    Parameters
    ----------
    start : Fraction
        Seconds after the clip's first frame.
    container, stream : av.container.InputContainer, av.stream.Stream
        As `open_stream` opened it for the picture, not read from yet.

    Returns
    -------
    near : Near or None
        None where the clip is to be decoded from its beginning, in a container that is opened
        anew.
    """
    is_mpeg = container.format.name in _MPEG
    if container.format.name not in _SEEKABLE and not is_mpeg:
        return None
    origin = getattr(next(container.decode(stream), None), "pts", None)
    aim = _inside(start, container)
    for before in _BEFORE_MPEG if is_mpeg else _BEFORE:
        if origin is None or before >= aim:
            break
        latest = origin + int(start / stream.time_base)
        place = origin + int((aim - before) / stream.time_base)
        if is_mpeg:
            frames = _decode_from_key(place, latest, container, stream)
        else:
            frames, latest = _decode_from(place, container, stream), place
        first = _next(frames)
        if first is not None and first.key_frame and not first.is_corrupt and first.pts <= latest:
            return Near(origin, chain([first], frames))
    return None


def sound_near(start: Fraction, container: Any, stream: Any) -> Near | None:
    """Decode from some time before another one, so that what came before is forgotten by then.

    Parameters
    ----------
    start : Fraction
        Seconds after the first sample.
    container, stream : av.container.InputContainer, av.stream.Stream
        As `open_stream` opened it for the sound, not read from yet.

    Returns
    -------
    near : Near or None
        None where the clip is to be decoded from its beginning, in a container that is opened
        anew.
    """
    is_mpeg = container.format.name in _MPEG
    if start <= _BEFORE_SOUND[0] or not (is_mpeg or container.format.name in _SEEKABLE_SOUND):
        return None
    frames = container.decode(stream)
    first, second = next(frames, None), next(frames, None)
    aim = _inside(start, container)
    for before in _BEFORE_MPEG if is_mpeg else _BEFORE_SOUND:
        if first is None or second is None or first.pts is None or before >= aim:
            break
        place = first.pts + int((aim - before) / stream.time_base)
        if is_mpeg:
            if near := _agreed_sound(place, start, first, second, container, stream):
                return near
            continue
        frames = _decode_from(place, container, stream)
        cold = _next(frames)  # what comes before would add to it
        warm = _next(frames)
        at = (
            None
            if cold is None or warm is None
            else _number(warm, first, second, container, stream)
        )
        if at is not None and at <= start * first.sample_rate:
            return Near(at, chain([warm], frames))
    return None


def _inside(start: Fraction, container: Any) -> Fraction:
    """Keep to the length of the container, so that what lies outside is refused without delay."""
    return min(start, Fraction(container.duration, av.time_base)) if container.duration else start


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


def _timed_packets(place: int, container: Any, stream: Any) -> Iterator[Any]:
    """Read an MPEG stream from a place on, without the packets whose times depend on the place.

    Seeking leads into the middle of a frame, and a time is written only with the first frame that
    begins in each piece of the stream (ISO/IEC 13818-1, section 2.4.3.7); FFmpeg works out those
    of the others. The rest of that first frame takes the time of the next one for itself, so the
    packet that has the second time is the first that can be trusted. What has a time has a
    position in the file too.
    """
    container.seek(place, stream=stream)
    n_timed = 0
    for packet in container.demux(stream):
        n_timed += packet.pos is not None
        if n_timed > 1:
            yield packet


def _decode_from_key(place: int, latest: int, container: Any, stream: Any) -> Iterator[Any]:
    """Decode an MPEG stream from the first key frame after a place on.

    Frames that are stored after it and shown before it refer to others before it: they are left
    out. Nothing where the key frame comes too late.
    """
    is_begun = is_sure = False
    for packet in _timed_packets(place, container, stream):
        if not is_begun and packet.dts is not None and packet.dts > latest:
            return
        is_begun = is_begun or packet.is_keyframe
        if not is_begun:
            continue
        for frame in packet.decode():
            is_sure = is_sure or (frame.key_frame and frame.pts is not None)
            if is_sure:
                yield frame


def _agreed_sound(
    place: int, start: Fraction, first: Any, second: Any, container: Any, stream: Any
) -> Near | None:
    """Decode an MPEG stream's sound from before a time on, where frames agree when they are.

    What looks like the beginning of a frame may be in the middle of one, and FFmpeg gives some
    frames the time of their neighbour. So most of those before the time have to agree.
    """
    wanted, size = start * first.sample_rate, second.samples
    run: list[Any] = []
    starts: list[int | None] = []  # of the run, as each of its frames has it
    try:
        packets = _timed_packets(place, container, stream)
        for packet in packets:
            try:
                frames = packet.decode()
            except av.InvalidDataError:
                run, starts = [], []
                continue
            for frame in frames:
                number = _number(frame, first, second, container, stream)
                starts.append(None if number is None else number - len(run) * size)
                run.append(frame)
            if starts and starts[-1] is not None and starts[-1] + len(run) * size > wanted:
                break
            if len(run) * size > _MOST_SOUND * first.sample_rate:
                return None
    except av.FFmpegError:  # the place cannot be found
        return None
    if not run:
        return None
    agreed, n_agreed = Counter(starts).most_common(1)[0]
    n_cold = starts.index(agreed)
    if agreed is None or n_agreed < _AGREEING * (len(run) - n_cold):
        return None
    at = agreed + n_cold * size
    if at + _WARMING * first.sample_rate > wanted:
        return None
    rest = (frame for packet in packets for frame in packet.decode())
    return Near(at, chain(run[n_cold:], rest))
