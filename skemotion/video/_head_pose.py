"""Which way a head is turned, from its landmarks."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

HEAD_POSE = ("yaw", "pitch", "roll")


class RestingFace(NamedTuple):
    """The points of a face at rest that looks into the camera, and how much each counts."""

    indices: NDArray[np.intp]
    places: NDArray[np.float64]
    weights: NDArray[np.float64]


def head_pose(points: NDArray[Any], rest: RestingFace) -> NDArray[np.float32]:
    """Return the angles by which a face at rest is turned to lie best on the landmarks.

    Parameters
    ----------
    points : ndarray of shape (n_frames, 478, 3)
        In pixels, depth smaller towards the camera.
    rest : RestingFace
        What is turned; see `resting_face`.

    Returns
    -------
    angles : ndarray of float32, shape (n_frames, 3)
        Yaw, the nose to the picture's right; pitch, the nose up; and roll, the crown to the
        picture's left; in degrees.
    """
    # From the picture's axes (y down, depth away) to those of the face at rest.
    seen = points[:, rest.indices].astype(np.float64) * (1, -1, -1)
    seen -= np.einsum("p,tpx->tx", rest.weights, seen)[:, np.newaxis]
    covariance = np.einsum("p,tpx,py->txy", rest.weights, seen, rest.places)
    # Kabsch's rotation, without mirroring.
    left, _, right = np.linalg.svd(covariance)
    left[:, :, 2] *= np.linalg.det(left @ right)[:, np.newaxis]
    yaw, pitch, roll = Rotation.from_matrix(left @ right).as_euler("YXZ", degrees=True).T
    return np.column_stack([yaw, -pitch, roll]).astype(np.float32)


@lru_cache(maxsize=2)
def resting_face(geometry: bytes) -> RestingFace:
    """Read the points of a face at rest from the face landmarker's file.

    Parameters
    ----------
    geometry : bytes
        ``geometry_pipeline_metadata_landmarks.binarypb``, a message of protocol buffers: the mesh
        of a face in its field 1, which has the vertices in its field 3, five numbers each of which
        the first three are the place; and the points to use in its field 2, index and weight.

    Returns
    -------
    rest : RestingFace
    """
    indices, weights, numbers = [], [], b""
    for number, value in _fields(geometry):
        if number == 1:
            numbers = b"".join(vertex for key, vertex in _fields(value) if key == 3)
        elif number == 2:
            point = dict(_fields(value))
            indices.append(point[1])
            weights.append(np.frombuffer(point[2], "<f4")[0])
    share = np.array(weights, dtype=np.float64) / np.sum(weights, dtype=np.float64)
    places = np.frombuffer(numbers, "<f4").reshape(-1, 5)[indices, :3].astype(np.float64)
    return RestingFace(np.array(indices), places - share @ places, share)


def _fields(message: bytes) -> Iterator[tuple[int, Any]]:
    """Take a message apart: numbers of its fields, and whole numbers or bytes."""
    at = 0
    while at < len(message):
        key, at = _varint(message, at)
        kind = key & 7
        value: Any
        if kind == 0:
            value, at = _varint(message, at)
        else:
            size, at = _varint(message, at) if kind == 2 else ({1: 8, 5: 4}[kind], at)
            value, at = message[at : at + size], at + size
        yield key >> 3, value


def _varint(message: bytes, at: int) -> tuple[int, int]:
    """Read a whole number, seven bits a byte, and where it ends."""
    value = shift = 0
    while True:
        byte = message[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value, at
