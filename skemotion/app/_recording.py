"""What a recording holds, before anything is decoded of it."""

from __future__ import annotations

from contextlib import suppress
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..io import MediaError, open_stream

_SILENCE = 10 ** (-60 / 20)  # of full scale, as `predict_timeline` has it
_BLOCK = 0.03  # seconds


class Recording(NamedTuple):
    """What a recording holds.

    Attributes
    ----------
    path : str
        Where it is.
    seconds : float
        How long the longer of picture and sound is, by its packets: what a browser records has no
        length in its header.
    size : tuple of 2 int or None
        Height and width of the picture; None without one.
    has_sound : bool
        Whether there is a stream of sound.
    """

    path: str
    seconds: float
    size: tuple[int, int] | None
    has_sound: bool


def look_at(path: str) -> Recording:
    """Look at the streams of a recording.

    Parameters
    ----------
    path : str
        Where it is.

    Returns
    -------
    recording : Recording

    Raises
    ------
    MediaError
        If it is neither video nor sound.
    """
    seconds, size, has_sound = 0.0, None, False
    reason: MediaError | None = None
    try:
        with open_stream(path, "video") as (container, stream):
            context = stream.codec_context
            size = (int(context.height), int(context.width))
            seconds = _length(container, stream)
    except MediaError as error:
        reason = error
    try:
        with open_stream(path, "audio") as (container, stream):
            has_sound = True
            seconds = max(seconds, _length(container, stream))
    except MediaError as error:
        reason = error
    if size is None and not has_sound:
        words = "This file is no video or sound that can be read, or not complete."
        raise MediaError(words) from reason
    return Recording(path, seconds, size, has_sound)


def _length(container: Any, stream: Any) -> float:
    """Give a stream's length by its packets, which are not decoded."""
    first, last = None, 0.0
    with suppress(EOFError):
        for packet in container.demux(stream):
            if packet.pts is None or packet.time_base is None:
                continue
            start = float(packet.pts * packet.time_base)
            first = start if first is None else min(first, start)
            last = max(last, start + float((packet.duration or 0) * packet.time_base))
    return last - first if first is not None else 0.0


def is_silent(samples: NDArray[np.floating], rate: int) -> bool:
    """Say whether no 30 ms of a waveform are above -60 dB of full scale.

    Parameters
    ----------
    samples : ndarray of shape (n_samples,)
        From -1 to 1.
    rate : int
        Samples per second (Hz).

    Returns
    -------
    silent : bool
    """
    length = max(int(_BLOCK * rate), 1)
    blocks = samples[: len(samples) // length * length].reshape(-1, length)
    if not len(blocks):
        return True
    return bool(np.sqrt((blocks.astype(np.float64) ** 2).mean(axis=1)).max() < _SILENCE)
