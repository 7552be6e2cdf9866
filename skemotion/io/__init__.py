"""Opening and decoding clips: addresses, media, limits, errors; and networks in ONNX files."""

from ._addresses import UNREADABLE, check_allowed, fetch, local_path, open_file
from ._errors import MediaError, beyond_limit, clip_name
from ._fragments import Segment, decimal, split_fragment, starting_at
from ._limits import Limits, enforced, limits, limits_in_force
from ._media import (
    Source,
    check_pixels,
    claimed_seconds,
    decoding_threads,
    identity,
    open_stream,
)
from ._onnx import choose_output, network_files, onnxruntime, open_session
from ._segments import check_inside, cut_sound, sound_delay, timed_frames
from ._sound_files import read_sound

__all__ = [
    "UNREADABLE",
    "Limits",
    "MediaError",
    "Segment",
    "Source",
    "beyond_limit",
    "check_allowed",
    "check_inside",
    "check_pixels",
    "choose_output",
    "claimed_seconds",
    "clip_name",
    "cut_sound",
    "decimal",
    "decoding_threads",
    "enforced",
    "fetch",
    "identity",
    "limits",
    "limits_in_force",
    "local_path",
    "network_files",
    "onnxruntime",
    "open_file",
    "open_session",
    "open_stream",
    "read_sound",
    "sound_delay",
    "split_fragment",
    "starting_at",
    "timed_frames",
]
