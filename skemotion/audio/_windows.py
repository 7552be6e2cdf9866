"""Windows of a long recording's sound, decoded once, in flat memory."""

from __future__ import annotations

import os
from collections.abc import Iterator

import numpy as np
import soxr
from numpy.typing import NDArray

from ..base import ClipWindow
from ..io import (
    MediaError,
    Source,
    clip_name,
    open_stream,
    sound_delay,
    split_fragment,
    starting_at,
)
from ._decoding import check_samples, decode_blocks

# Seconds of sound before the first window, which its resampling depends on.
_BEFORE = 1
# How much of a window there is at least where sound begins later than the picture.
_LEAST_COVER = 0.5


def waveform_windows(
    source: Source, sample_rate: int, window: float, hop: float, first: int = 0
) -> Iterator[ClipWindow]:
    """Decode sound window by window; see `AudioLoader.transform_windows`.

    Parameters
    ----------
    source : str, path-like or bytes
        Path, address or encoded file.
    sample_rate : int
        Samples per second (Hz) in the result.
    window, hop : float
        Length of a window, and from the beginning of one to that of the next, in seconds.
    first : int, default=0
        Number of the first window to give.

    Yields
    ------
    window : ClipWindow
        With a waveform of float32.
    """
    held = np.empty(0, dtype=np.float32)
    # In whole seconds, samples before and after resampling coincide.
    skipped = max(int(first * hop) - _BEFORE, 0) if isinstance(source, str | os.PathLike) else 0
    name = clip_name(source)
    source, begins = _from(source, skipped)
    n_windows, origin = first, round((skipped + begins) * sample_rate)

    def place(seconds: float) -> int:
        return round(seconds * sample_rate)

    def cut(end: int) -> NDArray[np.float32] | MediaError:
        start = place(n_windows * hop)
        waveform = held[max(start - origin, 0) : max(end - origin, 0)].copy()
        if len(waveform) < _LEAST_COVER * (end - start):
            return MediaError(
                f"{name}: expected sound from {n_windows * hop:g} s on, found that it begins at "
                f"{skipped + begins:g} s."
            )
        return waveform

    for block in resampled_blocks(source, sample_rate):
        held = np.concatenate([held, block])
        while (end := place(n_windows * hop + window)) <= origin + len(held):
            yield ClipWindow(n_windows * hop, n_windows * hop + window, cut(end))
            n_windows += 1
        n_past = min(max(place(n_windows * hop) - origin, 0), len(held))
        held, origin = held[n_past:], origin + n_past
    n_samples = origin + len(held)
    while place(n_windows * hop) < n_samples:
        yield ClipWindow(n_windows * hop, n_samples / sample_rate, cut(n_samples))
        n_windows += 1


def _from(source: Source, seconds: int) -> tuple[Source, float]:
    """Leave out the beginning, and say when there is sound after that."""
    with open_stream(source, "audio") as (container, _):
        delay = float(sound_delay(source, container))
    source = starting_at(source, seconds)
    _, segment = split_fragment(source)
    if delay and segment is None and isinstance(source, str | os.PathLike):
        source = f"{os.fspath(source)}#t=0"  # sound that begins before the picture is cut
    return source, max(delay - (0.0 if segment is None else float(segment.start)), 0.0)


def resampled_blocks(source: Source, sample_rate: int) -> Iterator[NDArray[np.float32]]:
    """Decode sound block by block, resampled as a whole would be.

    Parameters
    ----------
    source : str, path-like or bytes
        Path, address or encoded file.
    sample_rate : int
        Samples per second (Hz) in the result.

    Yields
    ------
    block : ndarray of float32, shape (n_samples,)
    """
    name = clip_name(source)
    resampler, n_read, n_given, rate = None, 0, 0, sample_rate
    for block, rate in decode_blocks(source, name):
        check_samples(name, block)
        n_read += len(block)
        if rate != sample_rate:
            if resampler is None:
                resampler = soxr.ResampleStream(rate, sample_rate, 1, np.float32, quality="HQ")
            block = resampler.resample_chunk(block)
            check_samples(name, block)
        n_given += len(block)
        yield block
    if resampler is not None:
        rest = resampler.resample_chunk(np.empty(0, dtype=np.float32), last=True)
        # As many as librosa gives.
        n_missing = -(-n_read * sample_rate // rate) - n_given
        yield np.pad(rest, (0, max(n_missing - len(rest), 0)))[:n_missing]
