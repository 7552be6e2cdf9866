"""Opening and decoding clips: addresses, media, limits, errors; and networks in ONNX files."""

from ._addresses import UNREADABLE, check_allowed, fetch, local_path, open_file
from ._errors import MediaError, beyond_limit, clip_name
from ._folder import go_to_folder, working_folder
from ._fragments import Segment, decimal, split_fragment, starting_at
from ._guard import in_worker
from ._isolation import can_isolate, own_cores, without_workers
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
from ._outcome import Outcome
from ._segments import check_inside, cut_sound, sound_delay, timed_frames
from ._sound_files import read_sound
from ._workers import call_isolated, run_isolated

__all__ = [
    "UNREADABLE",
    "Limits",
    "MediaError",
    "Outcome",
    "Segment",
    "Source",
    "beyond_limit",
    "call_isolated",
    "can_isolate",
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
    "go_to_folder",
    "identity",
    "in_worker",
    "limits",
    "limits_in_force",
    "local_path",
    "network_files",
    "onnxruntime",
    "open_file",
    "open_session",
    "open_stream",
    "own_cores",
    "read_sound",
    "run_isolated",
    "sound_delay",
    "split_fragment",
    "starting_at",
    "timed_frames",
    "without_workers",
    "working_folder",
]
