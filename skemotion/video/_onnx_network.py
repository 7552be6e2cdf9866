"""Image networks in ONNX files: what they take, and running them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from ..io import choose_output, open_session

_DTYPES = {"tensor(float)": np.float32, "tensor(float16)": np.float16}


@dataclass(frozen=True)
class Network:
    """A network, and what its file says of the pictures that it takes."""

    path: str
    session: Any
    input_name: str
    output_names: tuple[str, ...]
    dtype: DTypeLike
    channels_last: bool
    n_channels: int
    size: tuple[int | None, int | None]  # height and width; None where any will do
    n_pictures: int | None  # taken at once; None where any number will do


def open_network(path: str) -> Network:
    """Open a network, or give the one that is open in this process already.

    Any number of threads may run it at once.

    Parameters
    ----------
    path : str
        The ONNX file.

    Returns
    -------
    network : Network

    Raises
    ------
    FileNotFoundError, ValueError
        If the file is missing or damaged, or holds no network for pictures.
    """
    session = open_session(path)
    inputs = session.get_inputs()
    if len(inputs) != 1 or len(inputs[0].shape) != 4 or inputs[0].type not in _DTYPES:
        found = ", ".join(f"{i.name!r} {i.type} of shape {i.shape}" for i in inputs) or "none"
        raise ValueError(
            f"{path}: expected one input for pictures, of four axes and floats of 32 or 16 bits, "
            f"found {found}. Use a network for pictures, and export it without further inputs."
        )
    shape = [n if isinstance(n, int) else None for n in inputs[0].shape]
    channels_last = _is_channels_last(path, inputs[0])
    n_pictures, height, width, n_channels = shape if channels_last else [shape[i] for i in _NHWC]
    assert n_channels is not None  # which determined the layout
    return Network(
        path,
        session,
        inputs[0].name,
        tuple(output.name for output in session.get_outputs()),
        _DTYPES[inputs[0].type],
        channels_last,
        n_channels,
        (height, width),
        n_pictures,
    )


def run_network(network: Network, pictures: NDArray[Any], output: str | None) -> NDArray[Any]:
    """Describe pictures by one of a network's outputs.

    Parameters
    ----------
    network : Network
        From `open_network`.
    pictures : ndarray of shape (n_pictures, height, width, channel)
        As the network takes them, whatever the order of its axes.
    output : str or None
        Name of the output; None for the first.

    Returns
    -------
    values : ndarray of float, shape (n_pictures, n_values)
        Feature maps are averaged over height and width.

    Raises
    ------
    ValueError
        If the network fails on them, or the output is not one of numbers for each picture.
    """
    output = choose_output(network.path, network.output_names, output)
    n_pictures = len(pictures)
    if network.n_pictures is not None:
        # Filled up with copies of the last picture, whose values are left out below.
        missing = network.n_pictures - n_pictures
        pictures = np.pad(pictures, ((0, missing), (0, 0), (0, 0), (0, 0)), mode="edge")
    if not network.channels_last:
        pictures = pictures.transpose(0, 3, 1, 2)
    pictures = np.ascontiguousarray(pictures, dtype=network.dtype)
    try:
        (values,) = network.session.run([output], {network.input_name: pictures})
    except Exception as error:  # onnxruntime's own have no other base
        raise ValueError(
            f"{network.path}: the network fails on pictures of shape {pictures.shape} ({error}). "
            "Set input_size to the size it was trained on."
        ) from error
    return _one_row_each(network, output, values, len(pictures))[:n_pictures]


def _one_row_each(network: Network, output: str, values: Any, n_pictures: int) -> NDArray[Any]:
    if (
        not isinstance(values, np.ndarray)
        or values.dtype.kind != "f"
        or values.ndim not in (2, 4)
        or len(values) != n_pictures
    ):
        found = (
            f"{values.dtype} of shape {values.shape}"
            if isinstance(values, np.ndarray)
            else type(values).__name__
        )
        raise ValueError(
            f"{network.path}: expected of output {output!r} a row of numbers or feature maps "
            f"for each of {n_pictures} pictures, found {found}. Choose another output "
            f"({', '.join(map(repr, network.output_names))}), or export the network with a free "
            "number of pictures."
        )
    if values.dtype == np.float16:
        values = values.astype(np.float32)
    if values.ndim == 4:
        values = values.mean(axis=(1, 2) if network.channels_last else (2, 3))
    if not np.isfinite(values).all():
        raise ValueError(
            f"{network.path}: output {output!r} is NaN or infinite. Check color, mean and std: "
            "they must be those the network was trained with."
        )
    return values


_NHWC = (0, 2, 3, 1)


def _is_channels_last(path: str, declared: Any) -> bool:
    first, last = declared.shape[1] in (1, 3), declared.shape[3] in (1, 3)
    if first == last:
        raise ValueError(
            f"{path}: cannot determine which axis of the input {declared.name!r}, of shape "
            f"{declared.shape}, holds the channels: of the second (NCHW) and the last (NHWC), one "
            "must be fixed to 1 or 3. Fix the shape: python -m "
            f"onnxruntime.tools.make_dynamic_shape_fixed --input_name {declared.name} "
            f"--input_shape 1,3,224,224 {path} fixed.onnx"
        )
    return last
