"""Following faces through a clip, by their landmarks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ._face_detection import detect_faces, overlaps
from ._face_mesh import find_points
from ._face_networks import FaceNetworks
from ._face_region import Region, region_of_points
from ._frame_stream import Frame

# Frames whose brightest pixel is darker have no face in them, whatever a network makes of noise.
_BLACK = 32
# Seconds after which the detector looks for further faces, while others are followed.
_LOOK_AGAIN = 1.0
# Faces that are followed at once. More cost time, and the largest of a clip is among the largest
# of its frames.
_MOST_FACES = 3
_LEAST_SIDE = 0.5  # of a face that is followed, as a share of the largest one's
# A detected face's points come out shifted by 2 % of the distance of the eyes against those of a
# followed one, by 0.8 % if its region is computed again from them, and by 0.4 % the third time.
_TIMES_TO_SETTLE = 3
# Two regions are of one face if their boxes overlap by this much; a face that was lost is found
# again if the new box overlaps the last one by anything, and is not half or twice as large.
_SAME_FACE = 0.3
_SAME_SIZE = 2.0


@dataclass
class FacePath:
    """What was found of one face: its points by frame, and where to look for it next."""

    region: Region
    points: dict[int, NDArray[np.float32]] = field(default_factory=dict)
    is_lost: bool = False

    @property
    def presence(self) -> float:
        """How much of the clip the face fills: its area, added up over frames."""
        return _total_area(self.points.values())

    def presence_in(self, first: int, last: int) -> float:
        """How much it fills of the frames from one to another."""
        return _total_area(p for index, p in self.points.items() if first <= index <= last)


def _total_area(points: Iterable[NDArray[np.float32]]) -> float:
    return float(sum(np.prod(np.ptp(p[:, :2], axis=0)) for p in points))


class Looked(NamedTuple):
    """A frame that was looked at: which one of the clip, when it is shown, and if it is black."""

    number: int
    seconds: float
    is_black: bool


def follow_faces(
    frames: Iterable[Frame], networks: FaceNetworks
) -> tuple[list[FacePath], list[Looked]]:
    """Find the faces of a clip, and follow each by its points.

    Parameters
    ----------
    frames : iterable of Frame
        The clip, of which one frame is held at a time.
    networks : FaceNetworks
        To run.

    Returns
    -------
    paths : list of FacePath
        One for each face.
    looks : list of Looked
        The frames, in which the points of a face are counted.
    """
    follower = FaceFollower(networks)
    looks: list[Looked] = []
    for index, (number, seconds, picture) in enumerate(frames):
        is_black = follower.look(index, seconds, picture)
        looks.append(Looked(number, seconds, is_black))
    return follower.paths, looks


class FaceFollower:
    """Finds faces, and follows each by its points, one frame after the other.

    Parameters
    ----------
    networks : FaceNetworks
        To run.

    Attributes
    ----------
    paths : list of FacePath
        One for each face.
    """

    def __init__(self, networks: FaceNetworks) -> None:
        self.networks = networks
        self.paths: list[FacePath] = []
        self._next_look = 0.0

    def look(self, index: int, seconds: float, picture: NDArray[np.uint8]) -> bool:
        """Look at the next frame, which counts as `index`; return whether it is black."""
        if picture[::4, ::4].max() < _BLACK:
            for path in self.paths:
                path.is_lost = True
            return True
        followed = [path for path in self.paths if not path.is_lost]
        for path in followed:
            _go_on(path, index, picture, self.networks)
        followed = list(_without_doubles(followed))
        if not followed or seconds >= self._next_look:
            self._next_look = seconds + _LOOK_AGAIN
            for region in _new_regions(picture, followed, self.networks):
                path = _lost_path(self.paths, region) or FacePath(region)
                path.region = region
                _go_on(path, index, picture, self.networks)
                if path.is_lost:
                    continue
                _settle(path, index, picture, self.networks)
                if not any(path is known for known in self.paths):
                    self.paths.append(path)
                followed = list(_without_doubles([*followed, path]))
        return False

    def forget(self, before: int) -> None:
        """Drop what was found in frames before one, so that memory stays flat."""
        for path in self.paths:
            for index in [index for index in path.points if index < before]:
                del path.points[index]
        self.paths = [path for path in self.paths if path.points or not path.is_lost]


def _go_on(path: FacePath, index: int, picture: NDArray[np.uint8], networks: FaceNetworks) -> None:
    """Find a face in the next frame, or lose it."""
    points = find_points(picture, path.region, networks)
    path.is_lost = points is None
    if points is not None:
        path.points[index] = points
        path.region = region_of_points(points)


def _settle(path: FacePath, index: int, picture: NDArray[np.uint8], networks: FaceNetworks) -> None:
    """Bring the points of a face just detected to where those of a followed one would be."""
    for _ in range(_TIMES_TO_SETTLE - 1):
        points = find_points(picture, path.region, networks)
        if points is None:
            return
        path.points[index] = points
        path.region = region_of_points(points)


def _without_doubles(paths: list[FacePath]) -> Iterator[FacePath]:
    """Lose the faces that have come to lie on another one, that has been followed for longer."""
    kept: list[FacePath] = []
    for path in sorted(paths, key=lambda path: -len(path.points)):
        if path.is_lost:
            continue
        if any(_overlap(path.region, other.region) > _SAME_FACE for other in kept):
            path.is_lost = True
            del path.points[max(path.points)]
            continue
        kept.append(path)
        yield path


def _new_regions(
    picture: NDArray[np.uint8], followed: list[FacePath], networks: FaceNetworks
) -> list[Region]:
    """Detect faces that are not followed yet, large ones, as many as there is room for."""
    known = [path.region for path in followed]
    found = [
        detection.region
        for detection in detect_faces(picture, networks)
        if all(_overlap(detection.region, region) <= _SAME_FACE for region in known)
    ]
    found.sort(key=lambda region: -region.width)
    largest = max((region.width for region in [*known, *found]), default=0.0)
    large = [region for region in found if region.width >= _LEAST_SIDE * largest]
    return large[: _MOST_FACES - len(known)]


def _lost_path(paths: list[FacePath], region: Region) -> FacePath | None:
    """Choose the lost face that a detected one goes on with: the last one seen about there."""
    near = [
        path
        for path in paths
        if path.is_lost
        and path.points
        and _overlap(path.region, region) > 0
        and 1 / _SAME_SIZE < region.width / path.region.width < _SAME_SIZE
    ]
    return max(near, key=lambda path: max(path.points), default=None)


def _overlap(one: Region, other: Region) -> float:
    return float(overlaps(one.box, other.box[np.newaxis])[0])
