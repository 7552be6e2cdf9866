"""Networks for sound in ONNX files: what they take, and running them piece by piece."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from ..io import choose_output, open_session

_DTYPES = {
    "tensor(float)": np.float32,
    "tensor(float16)": np.float16,
    "tensor(int64)": np.int64,
    "tensor(int32)": np.int32,
    "tensor(bool)": np.bool_,
}
_FLOATS = ("tensor(float)", "tensor(float16)")


@dataclass(frozen=True)
class AudioNetwork:
    """A network, and what its file says of the sound that it takes."""

    path: str
    session: Any
    input_name: str
    dtype: DTypeLike
    has_channel: bool  # whether an axis of length 1 stands after the first
    time_last: bool
    length: int | None  # samples or frames taken at once; None where any number will do
    masks: tuple[tuple[str, DTypeLike], ...]  # inputs that say what is sound and what is filling


def open_audio_network(path: str, n_mels: int | None) -> AudioNetwork:
    """Open a network for sound, or give the one that is open in this process already.

    Parameters
    ----------
    path : str
        The ONNX file.
    n_mels : int or None
        Bands of the mel spectrogram that it gets; None where it gets waveforms.

    Returns
    -------
    network : AudioNetwork

    Raises
    ------
    FileNotFoundError, ValueError
        If the file is missing or damaged, or holds no such network.
    """
    session = open_session(path)
    inputs = session.get_inputs()
    masks = [i for i in inputs if "mask" in i.name.lower() and len(i.shape) == 2]
    sounds = [i for i in inputs if i not in masks]
    n_axes = 2 if n_mels is None else 3
    if (
        len(sounds) != 1
        or sounds[0].type not in _FLOATS
        or any(mask.type not in _DTYPES for mask in masks)
        or len(sounds[0].shape) not in (n_axes, n_axes + 1)
        or (len(sounds[0].shape) == n_axes + 1 and sounds[0].shape[1] != 1)
        or (isinstance(sounds[0].shape[0], int) and sounds[0].shape[0] != 1)
    ):
        found = ", ".join(f"{i.name!r} {i.type} of shape {i.shape}" for i in inputs) or "none"
        wanted = (
            "waveforms, (1, n_samples) or (1, 1, n_samples)"
            if n_mels is None
            else "spectrograms, (1, n_frames, n_mels) or (1, n_mels, n_frames), or with a channel "
            "after the first axis"
        )
        raise ValueError(
            f"{path}: expected one input for {wanted}, of floats of 32 or 16 bits, and an "
            f"attention mask at most, found {found}. Set input='mel' for a network that takes "
            "spectrograms and 'waveform' for one that takes samples; or export it without "
            "further inputs and with a free first axis."
        )
    (sound,) = sounds
    axes = [n if isinstance(n, int) else None for n in sound.shape[-(n_axes - 1) :]]
    time_last = n_mels is None or _is_time_last(path, sound, n_mels)
    return AudioNetwork(
        path,
        session,
        sound.name,
        _DTYPES[sound.type],
        len(sound.shape) == n_axes + 1,
        time_last,
        axes[-1] if time_last else axes[0],
        tuple((mask.name, _DTYPES[mask.type]) for mask in masks),
    )


def run_audio_network(
    network: AudioNetwork, sound: NDArray[Any], n_at_once: int | None, output: str | None
) -> tuple[NDArray[Any], NDArray[np.float64]]:
    """Describe sound by one of a network's outputs.

    Parameters
    ----------
    network : AudioNetwork
        From `open_audio_network`.
    sound : ndarray of shape (n_samples,) or (n_frames, n_mels)
        One clip.
    n_at_once : int or None
        Samples or frames that go through the network at once at most; None for all. A network
        that takes a fixed number gets that.
    output : str or None
        Name of the output; None for the first.

    Returns
    -------
    values : ndarray of float, shape (n_rows, n_values)
        One row per frame of the network's, or per piece of the clip where it gives one row.
    weights : ndarray of shape (n_rows,)
        How many samples or frames of the clip each row stands for.

    Raises
    ------
    ValueError
        If the network fails on the clip, or the output is none of rows of numbers.
    """
    outputs = network.session.get_outputs()
    output = choose_output(network.path, [o.name for o in outputs], output)
    declared = next(o.shape for o in outputs if o.name == output)
    rows, weights = [], []
    for piece in _pieces(sound, network.length, n_at_once):
        values = _run_piece(network, piece, output, declared)
        rows.append(values)
        weights.append(np.full(len(values), len(piece) / len(values)))
    return np.concatenate(rows), np.concatenate(weights)


def _pieces(sound: NDArray[Any], length: int | None, n_at_once: int | None) -> list[NDArray[Any]]:
    if length is not None:
        return [sound[start : start + length] for start in range(0, len(sound), length)]
    # Of about one length, so that the last is not too short for the network.
    return np.array_split(sound, math.ceil(len(sound) / (n_at_once or len(sound))))


def _run_piece(
    network: AudioNetwork, piece: NDArray[Any], output: str, declared: list[Any]
) -> NDArray[Any]:
    length = network.length or len(piece)
    filled = np.zeros((length, *piece.shape[1:]), dtype=network.dtype)
    filled[: len(piece)] = piece
    given = filled.T if network.time_last else filled
    given = np.ascontiguousarray(
        given[np.newaxis, np.newaxis] if network.has_channel else given[np.newaxis]
    )
    feed = {network.input_name: given}
    for name, dtype in network.masks:
        feed[name] = (np.arange(length) < len(piece)).astype(dtype)[np.newaxis]
    try:
        (values,) = network.session.run([output], feed)
    except Exception as error:  # onnxruntime's own have no other base
        raise ValueError(
            f"{network.path}: the network fails on sound of shape {given.shape} ({error}). Leave "
            "out clips that are too short for it, or export it with a free length."
        ) from error
    if (
        not isinstance(values, np.ndarray)
        or values.dtype.kind != "f"
        or values.ndim not in (2, 3)
        or len(values) != 1
        or not values.size
    ):
        found = (
            f"{values.dtype} of shape {values.shape}"
            if isinstance(values, np.ndarray)
            else type(values).__name__
        )
        names = ", ".join(repr(o.name) for o in network.session.get_outputs())
        raise ValueError(
            f"{network.path}: expected of output {output!r} a row of numbers, (1, n_values), or "
            f"one per frame, (1, n_frames, n_values), found {found}. Choose another output "
            f"({names}), or export the network with one."
        )
    values = values.astype(np.float32) if values.dtype == np.float16 else values
    if not np.isfinite(values).all():
        raise ValueError(
            f"{network.path}: output {output!r} is NaN or infinite. Check input, sample_rate and "
            "normalize: they must be those the network was trained with."
        )
    if values.ndim == 2:
        return values
    if _is_fixed(declared, 1) and not _is_fixed(declared, 2):
        values = values.transpose(0, 2, 1)
    # What the network makes of the filling is left out.
    n_heard = math.ceil(values.shape[1] * len(piece) / length)
    return np.asarray(values[0, :n_heard])


def _is_fixed(declared: list[Any], axis: int) -> bool:
    return len(declared) == 3 and isinstance(declared[axis], int)


def _is_time_last(path: str, declared: Any, n_mels: int) -> bool:
    bands_first, bands_last = (n == n_mels for n in declared.shape[-2:])
    if bands_first == bands_last:
        raise ValueError(
            f"{path}: cannot determine which axis of the input {declared.name!r}, of shape "
            f"{declared.shape}, holds the {n_mels} mel bands: of the last two, one must be fixed "
            "to n_mels. Set n_mels to the number that the network was trained on, or fix the "
            "shape with onnxruntime.tools.make_dynamic_shape_fixed (docs/backbones.md)."
        )
    return bool(bands_first)
