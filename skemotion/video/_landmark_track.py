"""The landmarks of the largest face of a clip, frame by frame."""

from __future__ import annotations

import os
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..io import Source
from ._face_mesh import find_blendshapes
from ._face_networks import face_geometry, face_networks, model_file
from ._frame_stream import array_frames, file_frames
from ._head_pose import head_pose, resting_face
from ._landmark_tracking import follow_faces


class LandmarkTrack(NamedTuple):
    """What is known of a face, from the first frame it was found in to the last.

    Attributes
    ----------
    points : ndarray of float32, shape (n_frames, 478, 3)
        The mesh: x and y in pixels of the clip, and depth in the same unit, smaller towards the
        camera.
    blendshapes : ndarray of float32, shape (n_frames, 51)
        How far each movement of the face is carried out, from 0 to 1.
    pose : ndarray of float32, shape (n_frames, 3)
        Yaw, pitch and roll of the head, in degrees.
    found : ndarray of bool, shape (n_frames,)
        False where the face was lost and its values are interpolated.
    frames : ndarray of int, shape (n_frames,)
        Which frame of the clip each is.
    seconds : ndarray of float, shape (n_frames,)
        When each is shown, counted from the clip's first frame.
    """

    points: NDArray[np.float32]
    blendshapes: NDArray[np.float32]
    pose: NDArray[np.float32]
    found: NDArray[np.bool_]
    frames: NDArray[np.intp]
    seconds: NDArray[np.float64]


def face_landmarks(
    clip: Source | NDArray[Any],
    model_path: str | os.PathLike[str] | None = None,
    fps: float | None = 30.0,
) -> LandmarkTrack | None:
    """Follow the largest face of a clip by its landmarks; see `FaceLandmarks`.

    Parameters
    ----------
    clip : path, address, bytes or array
        A clip to open, or frames of shape (n_frames, height, width[, channel]), grey or RGB, from
        0 to 255.
    model_path : str or path-like, default=None
        MediaPipe's ``face_landmarker.task``; None for where
        `skemotion.datasets.fetch_face_landmarker` puts it.
    fps : float, default=30.0
        Frames per second to look at, at most; None for all. Of an array all are looked at.

    Returns
    -------
    track : LandmarkTrack or None
        None where there is no face.

    Raises
    ------
    FileNotFoundError, ImportError
        If `model_path` or ai-edge-litert is missing.
    MediaError
        If the clip is missing, damaged, without a picture or beyond `skemotion.limits`.

    Examples
    --------
    >>> from skemotion.video import face_landmarks
    >>> track = face_landmarks("clip.mp4")  # doctest: +SKIP
    >>> track.points.shape, track.found.mean()  # doctest: +SKIP
    ((113, 478, 3), 1.0)
    """
    path = model_file(model_path)
    frames = array_frames(clip) if isinstance(clip, np.ndarray) else file_frames(clip, fps)
    with face_networks(path) as networks:
        paths, looks = follow_faces(frames, networks)
        if not paths:
            return None
        found_points = max(paths, key=lambda path: path.presence).points
        return track_of(
            found_points,
            blendshapes=[find_blendshapes(p, networks) for p in found_points.values()],
            numbers=np.array([look.number for look in looks]),
            seconds=np.array([look.seconds for look in looks]),
            geometry=face_geometry(path),
        )


def track_of(
    found_points: dict[int, NDArray[np.float32]],
    *,
    blendshapes: list[NDArray[np.float32]],
    numbers: NDArray[np.intp],
    seconds: NDArray[np.float64],
    geometry: bytes,
) -> LandmarkTrack:
    """Make a track of the frames in which a face was found, from the first to the last of them.

    Parameters
    ----------
    found_points : dict of int to ndarray of shape (478, 3)
        By position in `numbers` and `seconds`, in order.
    blendshapes : list of ndarray of shape (51,)
        Of the same frames.
    numbers, seconds : ndarray of shape (n_frames,)
        Of all frames.
    geometry : bytes
        The description of a face at rest.

    Returns
    -------
    track : LandmarkTrack
    """
    points = np.stack(list(found_points.values()))
    shapes = np.stack(blendshapes)
    pose = head_pose(points, resting_face(geometry))
    seen = np.fromiter(found_points, dtype=np.intp)
    track = slice(seen[0], seen[-1] + 1)
    numbers, seconds = numbers[track], seconds[track]
    found = np.isin(np.arange(track.start, track.stop), seen)
    points, shapes, pose = (
        fill_gaps(values, seconds[found], seconds) for values in (points, shapes, pose)
    )
    return LandmarkTrack(points, shapes, pose, found, numbers, seconds)


def fill_gaps(
    values: NDArray[Any], known: NDArray[np.float64], wanted: NDArray[np.float64]
) -> NDArray[Any]:
    """Interpolate values, (n_known, ...), linearly from the times they are known at to others."""
    if len(known) == len(wanted):
        return values
    after = np.clip(np.searchsorted(known, wanted), 1, len(known) - 1)
    left, right = known[after - 1], known[after]
    share = ((wanted - left) / (right - left)).astype(values.dtype)
    share = share.reshape(-1, *[1] * (values.ndim - 1))
    return values[after - 1] + share * (values[after] - values[after - 1])
