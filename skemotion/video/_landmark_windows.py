"""The landmarks of faces in windows of a long recording, followed once, in flat memory."""

from __future__ import annotations

import os
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from ..base import ClipWindow, sliding_windows
from ..io import Source
from ._face_mesh import find_blendshapes
from ._face_networks import FaceNetworks, face_geometry, face_networks, model_file
from ._frame_stream import Frame, file_frames
from ._landmark_track import LandmarkTrack, track_of
from ._landmark_tracking import FaceFollower, Looked

# Seconds before the first window in which faces are followed already. A face just detected has
# points that are slightly off.
_BEFORE = 2.0


def landmark_windows(
    clip: Source,
    window: float,
    hop: float,
    *,
    first: int = 0,
    model_path: str | os.PathLike[str] | None = None,
    fps: float | None = 30.0,
    look_fps: float | None = None,
) -> Iterator[ClipWindow]:
    """Follow faces through a recording, and give the largest one's track in each window.

    Parameters
    ----------
    clip : path, address or bytes
        To open.
    window, hop : float
        Length of a window, and from the beginning of one to that of the next, in seconds.
    first : int, default=0
        Number of the first window to give.
    model_path : str or path-like, default=None
        As for `face_landmarks`.
    fps : float, default=30.0
        Frames per second of the tracks, at most; None for all.
    look_fps : float, default=None
        Frames per second in which faces are looked for, at most; what is between is interpolated.
        None for all.

    Yields
    ------
    window : ClipWindow
        With a LandmarkTrack, or None where there is no face.
    """
    path = model_file(model_path)
    with face_networks(path) as networks:
        faces = _Faces(networks, face_geometry(path), look_fps)
        looks = faces.look_at(file_frames(clip, fps, start=max(first * hop - _BEFORE, 0.0)))
        for start, end, seen in sliding_windows(looks, window, hop, first):
            yield ClipWindow(start, end, faces.track(seen))
            faces.forget([index for index, look in seen if look.seconds < start + hop])


class _Faces:
    """Faces of the frames that windows still need."""

    def __init__(self, networks: FaceNetworks, geometry: bytes, look_fps: float | None) -> None:
        self._follower = FaceFollower(networks)
        self._geometry, self._look_fps = geometry, look_fps
        # Windows overlap, and each frame's blendshapes are computed once.
        self._blendshapes: dict[tuple[int, int], NDArray[np.float32]] = {}

    def look_at(self, frames: Iterator[Frame]) -> Iterator[tuple[float, tuple[int, Looked]]]:
        """Look at frames, or pass them over, and give each its position and time."""
        n_looked, before, gap = 0, None, 0.0
        for index, (number, seconds, picture) in enumerate(frames):
            gap, before = seconds - (seconds if before is None else before), seconds
            elapsed, is_black = seconds + gap / 2, False
            if self._look_fps is None or elapsed >= n_looked / self._look_fps:
                n_looked = 0 if self._look_fps is None else int(elapsed * self._look_fps) + 1
                is_black = self._follower.look(index, seconds, picture)
            yield seconds, (index, Looked(number, seconds, is_black))

    def track(self, seen: list[tuple[int, Looked]]) -> LandmarkTrack | None:
        """Return the track of the face that fills most of some frames."""
        if not seen:
            return None
        first, last = seen[0][0], seen[-1][0]
        presence = [path.presence_in(first, last) for path in self._follower.paths]
        if not any(presence):
            return None
        path = self._follower.paths[int(np.argmax(presence))]
        points = {
            index - first: points for index, points in path.points.items() if first <= index <= last
        }
        return track_of(
            points,
            blendshapes=[self._shapes(id(path), first + i, points[i]) for i in points],
            numbers=np.array([look.number for _, look in seen]),
            seconds=np.array([look.seconds for _, look in seen]),
            geometry=self._geometry,
        )

    def forget(self, past: list[int]) -> None:
        """Drop what was found in frames that no window needs any more."""
        if past:
            self._follower.forget(past[-1] + 1)
            for key in [key for key in self._blendshapes if key[1] <= past[-1]]:
                del self._blendshapes[key]

    def _shapes(self, face: int, index: int, points: NDArray[np.float32]) -> NDArray[np.float32]:
        if (face, index) not in self._blendshapes:
            self._blendshapes[face, index] = find_blendshapes(points, self._follower.networks)
        return self._blendshapes[face, index]
