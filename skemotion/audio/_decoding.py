"""Decoding the sound of one clip."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import av
import numpy as np
import soxr
from numpy.typing import NDArray

from ..base import plural
from ..io import (
    MediaError,
    Source,
    beyond_limit,
    clip_name,
    cut_sound,
    limits_in_force,
    open_stream,
    read_sound,
)


def decode_waveform(source: Source, sample_rate: int = 22050) -> NDArray[np.float32]:
    """Decode the sound of one clip; see `AudioLoader`.

    Parameters
    ----------
    source : str, path-like or bytes
        Path, address or encoded file; a segment as ``clip.wav#t=10,12.5``.
    sample_rate : int, default=22050
        Samples per second (Hz) in the result.

    Returns
    -------
    waveform : ndarray of float32, shape (n_samples,)

    Raises
    ------
    MediaError
        If the clip is missing, damaged or without sound.
    """
    name = clip_name(source)
    with np.errstate(over="ignore", invalid="ignore"):  # infinity is what is looked for
        mono, rate = _decode(source, name)
        if rate == sample_rate:
            check_samples(name, mono)
    waveform: NDArray[np.float32] = resample(mono, rate, sample_rate, name)
    return waveform


def resample(waveform: NDArray[Any], rate: int, sample_rate: int, name: str) -> NDArray[Any]:
    """Bring a waveform to another sample rate, in high quality.

    Parameters
    ----------
    waveform : ndarray of float, shape (n_samples,)
    rate, sample_rate : int
        Samples per second (Hz) of the waveform and of the result.
    name : str
        What to call the clip in an error.

    Returns
    -------
    waveform : ndarray of shape (n_new_samples,)
        Of the same dtype.

    Raises
    ------
    MediaError
        If a sample becomes infinite.
    """
    with np.errstate(over="ignore", invalid="ignore"):  # infinity is what is looked for
        if rate == sample_rate:
            return waveform
        # As librosa has it, without its checks, which take a tenth of the time.
        resampled = soxr.resample(waveform, rate, sample_rate, quality="soxr_hq")
        n_samples = int(np.ceil(len(waveform) * (sample_rate / rate)))
        resampled = resampled[:n_samples]
        if len(resampled) < n_samples:
            resampled = np.pad(resampled, (0, n_samples - len(resampled)))
        if not np.isfinite(resampled.sum()):
            check_samples(name, waveform)  # which says how many of the clip's own
            check_samples(name, resampled)
    return np.asarray(resampled)


def check_samples(name: str, samples: NDArray[Any]) -> None:
    """Refuse samples that are not finite numbers."""
    with np.errstate(over="ignore", invalid="ignore"):
        if np.isfinite(samples.sum()):  # found in a third of the time
            return
    n_bad = len(samples) - np.count_nonzero(np.isfinite(samples))
    if n_bad:
        raise MediaError(
            f"{name}: expected samples that are finite numbers, found {n_bad} of {len(samples)} "
            "that are NaN, infinite or enormous. Make or download the file again."
        )


_MOST_CHANNELS = 64  # that FFmpeg converts


def _decode(source: Source, name: str) -> tuple[NDArray[np.float32], int]:
    """Decode sound into the mean of its channels and its sample rate."""
    if (read := read_sound(source)) is not None:
        return _mixed(read[0], 0, 1), read[1]
    blocks: list[NDArray[np.float32]] = []
    n_bytes, rate = 0, 0
    for block, block_rate in decode_blocks(source, name):
        blocks.append(block)
        rate = block_rate
        n_bytes += block.nbytes
        if n_bytes > limits_in_force().max_bytes:
            raise beyond_limit(name, "max_bytes", "a longer waveform")
    return np.concatenate(blocks), rate


def decode_blocks(source: Source, name: str) -> Iterator[tuple[NDArray[np.float32], int]]:
    """Decode sound block by block, as the decoder gives it.

    Parameters
    ----------
    source : str, path-like or bytes
        Path, address or encoded file.
    name : str
        What to call the clip in an error.

    Yields
    ------
    block : ndarray of float32, shape (n_samples,)
        Mean of the channels.
    rate : int
        Samples per second (Hz), always the same.

    Raises
    ------
    MediaError
        If the clip is missing, damaged, without sound or beyond the limits in force.
    """
    limits = limits_in_force()
    n_samples, rate, n_channels = 0, 0, 0
    with open_stream(source, "audio") as (container, stream):
        # For formats that NumPy does not read off. Interleaved, since PyAV crashes on separate
        # channels where there are eight or more.
        to_float = av.AudioResampler(format="flt")
        for frame, part in cut_sound(source, container, stream):
            if not rate:
                rate, n_channels = frame.sample_rate, frame.layout.nb_channels
                _check_kind(name, rate, n_channels)
            elif (frame.sample_rate, frame.layout.nb_channels) != (rate, n_channels):
                raise MediaError(
                    f"{name}: expected one kind of sound throughout, found "
                    f"{plural(n_channels, 'channel')} at {rate} Hz and then "
                    f"{frame.layout.nb_channels} at {frame.sample_rate} Hz. Convert it to one."
                )
            n_samples += len(range(*part.indices(frame.samples)))
            if n_samples > limits.max_seconds * rate:
                raise beyond_limit(name, "max_seconds", "more sound")
            if frame.format.name in _FULL_SCALE and n_channels < _CRASHING_CHANNELS:
                samples = _channels(frame, n_channels)[:, part]
                yield _mixed(samples, *_FULL_SCALE[frame.format.name]), rate
                continue
            for block in to_float.resample(frame):
                samples = block.to_ndarray().reshape(-1, n_channels)[part]
                yield _mixed(samples.T, 0, 1), rate
    if not n_samples:
        raise MediaError(
            f"{name}: expected sound, found an audio stream without a single sample that can be "
            "decoded. Make or download the file again."
        )


_CRASHING_CHANNELS = 8
# Sample formats by FFmpeg's names: what is silence, and what full scale.
_FULL_SCALE: dict[str, tuple[float, float]] = {
    name + planar: scale
    for planar in ("", "p")
    for name, scale in {
        "u8": (128, 2**7), "s16": (0, 2**15), "s32": (0, 2**31), "flt": (0, 1), "dbl": (0, 1),
    }.items()
}  # fmt: skip


_DTYPES: dict[str, Any] = {
    "u8": np.uint8,
    "s16": np.int16,
    "s32": np.int32,
    "flt": np.float32,
    "dbl": np.float64,
}


def _channels(frame: Any, n_channels: int) -> NDArray[Any]:
    """View a frame's samples in the decoder's memory; shape (n_channels, n_samples)."""
    dtype = _DTYPES[frame.format.name.removesuffix("p")]
    # `AudioFrame.to_ndarray` copies, which takes a third of the time of decoding.
    if not frame.format.is_planar:
        samples = np.frombuffer(frame.planes[0], dtype)[: frame.samples * n_channels]
        return samples.reshape(-1, n_channels).T
    if n_channels == 1:
        return np.frombuffer(frame.planes[0], dtype)[np.newaxis, : frame.samples]
    return np.stack([np.frombuffer(plane, dtype)[: frame.samples] for plane in frame.planes])


def _mixed(channels: NDArray[Any], silence: float, full_scale: float) -> NDArray[np.float32]:
    """Scale samples of shape (n_channels, n_samples) to [-1, 1), and average the channels.

    Mixing and resampling are left to the libraries that librosa uses, so that the values are the
    same.
    """
    samples = np.ascontiguousarray(channels, dtype=np.float32)
    if silence:
        samples -= np.float32(silence)
    if full_scale != 1:
        samples *= np.float32(1 / full_scale)
    return samples[0] if len(samples) == 1 else samples.mean(axis=0)


def _check_kind(name: str, rate: int, n_channels: int) -> None:
    lowest, highest = limits_in_force().sample_rates
    if not lowest <= rate <= highest:
        raise beyond_limit(name, "sample_rates", f"{rate} Hz")
    if n_channels > _MOST_CHANNELS:
        raise MediaError(
            f"{name}: expected sound of at most {_MOST_CHANNELS} channels, found {n_channels}. "
            "Take out those that are needed."
        )
