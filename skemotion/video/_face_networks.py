"""The three networks of MediaPipe's face landmarker: read once per process, and run."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path
from threading import Lock
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

MODEL_FILE = "face_landmarker.task"
_MEMBERS = ("face_detector.tflite", "face_landmarks_detector.tflite", "face_blendshapes.tflite")
_GEOMETRY = "geometry_pipeline_metadata_landmarks.binarypb"
_GET_IT = (
    'It takes two commands: python -m pip install "skemotion[face]", and skemotion fetch '
    "face-landmarker."
)

# Path, size and time of change of a file.
Stamp = tuple[str, int, int]


class FaceNetworks:
    """Detector, landmarks and blendshapes, for one thread at a time."""

    def __init__(self, members: tuple[bytes, ...]) -> None:
        self._detector, self._mesh, self._blendshapes = (_Network(member) for member in members)

    def find(self, picture: NDArray[np.float32]) -> tuple[NDArray[Any], NDArray[Any]]:
        """Return boxes, (896, 16), and logits, (896,), of a picture of 128 x 128 from -1 to 1."""
        boxes, logits = self._detector.run(picture)
        return boxes.reshape(-1, 16), logits.ravel()

    def points(self, crop: NDArray[np.float32]) -> tuple[NDArray[np.float32], float]:
        """Return points, (478, 3), and the logit of a face's presence in a crop of 256 x 256."""
        points, logit = self._mesh.run(crop)[:2]
        return points.reshape(-1, 3), float(logit.item())

    def blendshapes(self, points: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the 52 coefficients of 146 points, (146, 2), in pixels of the picture."""
        (values,) = self._blendshapes.run(points)
        return values


class _Network:
    def __init__(self, content: bytes) -> None:
        # One thread: with two, the mesh takes longer than with one, and clips share the cores.
        self._interpreter = _litert().Interpreter(model_content=content, num_threads=1)
        self._interpreter.allocate_tensors()
        (self._input,) = self._interpreter.get_input_details()
        self._outputs = [output["index"] for output in self._interpreter.get_output_details()]

    def run(self, values: NDArray[np.float32]) -> list[NDArray[np.float32]]:
        self._interpreter.set_tensor(self._input["index"], values[np.newaxis])
        self._interpreter.invoke()
        return [self._interpreter.get_tensor(index) for index in self._outputs]


class _Bundle:
    """The content of a file, and the networks made of it that nobody uses at the moment."""

    def __init__(self, path: str) -> None:
        try:
            with zipfile.ZipFile(path) as archive:
                self.networks = tuple(archive.read(name) for name in _MEMBERS)
                self.geometry = archive.read(_GEOMETRY)
        except (zipfile.BadZipFile, KeyError) as error:
            raise ValueError(
                f"{path}: expected MediaPipe's {MODEL_FILE}, an archive of {', '.join(_MEMBERS)} "
                f"and {_GEOMETRY}, found something else ({error}). Get it again: skemotion fetch "
                "face-landmarker."
            ) from error
        self.idle: list[FaceNetworks] = []


_opening = Lock()


@contextmanager
def face_networks(path: str) -> Iterator[FaceNetworks]:
    """Lend the networks of a file to the calling thread.

    Parameters
    ----------
    path : str
        MediaPipe's ``face_landmarker.task``.

    Yields
    ------
    networks : FaceNetworks
        Nobody else's in the meantime. Made when all that were made before are in use.

    Raises
    ------
    ImportError
        If ai-edge-litert is missing.
    ValueError
        If the file is another one.
    """
    _litert()
    bundle = _bundle(path)
    try:
        networks = bundle.idle.pop()
    except IndexError:
        networks = FaceNetworks(bundle.networks)
    try:
        yield networks
    finally:
        bundle.idle.append(networks)


def face_geometry(path: str) -> bytes:
    """Return the file's description of a face at rest."""
    return _bundle(path).geometry


def model_file(path: str | os.PathLike[str] | None) -> str:
    """Find the file of the networks.

    Parameters
    ----------
    path : str, path-like or None
        The file; None for where `skemotion.datasets.fetch_face_landmarker` puts it.

    Returns
    -------
    path : str

    Raises
    ------
    FileNotFoundError
        If it is not there.
    """
    if path is None:
        import pooch

        file = Path(pooch.os_cache("skemotion")) / MODEL_FILE
        if not file.is_file():
            raise FileNotFoundError(
                f"{file}: expected the networks of MediaPipe's face landmarker, found no such "
                f"file. {_GET_IT}"
            )
    else:
        file = Path(path)
        if not file.is_file():
            raise FileNotFoundError(
                f"{file}: expected MediaPipe's {MODEL_FILE}, found no such file. Check the path, "
                f"or leave it out. {_GET_IT}"
            )
    return str(file)


def file_stamp(path: str) -> Stamp:
    """Identify a file; a changed one under the same name counts as another."""
    status = Path(path).stat()
    return str(Path(path).absolute()), status.st_size, status.st_mtime_ns


def _bundle(path: str) -> _Bundle:
    with _opening:
        return _read(file_stamp(path))


@lru_cache(maxsize=2)
def _read(stamp: Stamp) -> _Bundle:
    return _Bundle(stamp[0])


def litert_version() -> str:
    """Return the version of what runs networks."""
    _litert()
    return version("ai-edge-litert")


def _litert() -> ModuleType:
    """Import what runs networks, which is an extra."""
    try:
        from ai_edge_litert import interpreter
    except ImportError as error:
        raise ImportError(f"FaceLandmarks needs ai-edge-litert. {_GET_IT}") from error
    return interpreter
