"""Encoding drawn pictures and synthetic voices, the same bytes each time."""

from __future__ import annotations

import io
import wave
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import av
import numpy as np
from av.codec.context import Flags
from numpy.typing import NDArray

from ._synthetic_voice import SAMPLE_RATE

FRAME_RATE = Fraction(30_000, 1001)  # pictures per second


def encode_wav(sound: NDArray[np.int16]) -> bytes:
    """Encode sound as a WAV file."""
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(SAMPLE_RATE)
        file.writeframes(sound.astype("<i2").tobytes())
    return buffer.getvalue()


# No versions, no dates in the file: the same clip is the same bytes.
_BITEXACT = {"fflags": "+bitexact"}
# Fast, but with reordered pictures and arithmetic coding, as in clips from a studio.
# x264 gives other bytes for another number of threads.
_X264 = {"preset": "ultrafast", "bf": "2", "coder": "cabac", "crf": "24", "threads": "1"}
_X264 |= {"colorspace": "smpte170m"}  # what OpenCV's YUV is


def encode_video(frames: Iterator[NDArray[np.uint8]], frame_size: tuple[int, int]) -> bytes:
    """Encode pictures as H.264 in MP4."""
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="mp4", options=_BITEXACT) as container:
        stream = container.add_stream("libx264", rate=FRAME_RATE, options=_X264)
        stream.height, stream.width = frame_size
        stream.pix_fmt = "yuv420p"
        stream.codec_context.flags |= Flags.bitexact
        for planes in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(planes, format="yuv420p")))
        container.mux(stream.encode(None))
    return buffer.getvalue()


def add_sound(video: bytes, sound: NDArray[np.int16]) -> bytes:
    """Copy the pictures, as encoded, and add the sound."""
    buffer = io.BytesIO()
    with (
        av.open(io.BytesIO(video), "r") as source,
        av.open(buffer, "w", format="mp4", options=_BITEXACT) as container,
    ):
        pictures = container.add_stream_from_template(source.streams.video[0])
        voice = container.add_stream("aac", rate=SAMPLE_RATE, layout="mono")
        voice.codec_context.flags |= Flags.bitexact
        frame = av.AudioFrame.from_ndarray(sound[None], format="s16", layout="mono")
        frame.sample_rate, frame.pts = SAMPLE_RATE, 0
        packets: list[Any] = [*voice.encode(frame), *voice.encode(None)]
        for packet in source.demux(video=0):
            if packet.dts is not None:
                packet.stream = pictures
                packets.append(packet)
        packets.sort(key=lambda packet: packet.dts * packet.time_base)
        container.mux(packets)
    return buffer.getvalue()
