"""Turned rectangles of a picture: cutting them out, and what lies where in them."""

from __future__ import annotations

from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from ._face_points import EYE_CORNERS

_MARGIN = 1.5  # side of the region, as a multiple of the longer side around the points


class Region(NamedTuple):
    """A rectangle: its centre and size in pixels, and how far it is turned, in radians."""

    x: float
    y: float
    width: float
    height: float
    angle: float

    @property
    def box(self) -> NDArray[np.float64]:
        """Left, top, right and bottom, as if it were not turned."""
        half_width, half_height = self.width / 2, self.height / 2
        return np.array(
            [self.x - half_width, self.y - half_height, self.x + half_width, self.y + half_height]
        )


def matrix(region: Region) -> NDArray[np.float64]:
    """Return what takes places in the region, from 0 to 1, to pixels of the picture, (2, 3)."""
    cos, sin = np.cos(region.angle), np.sin(region.angle)
    linear = np.array(
        [
            [region.width * cos, -region.height * sin],
            [region.width * sin, region.height * cos],
        ]
    )
    offset = np.array([region.x, region.y]) - linear.sum(axis=1) / 2
    return np.column_stack([linear, offset])


def crop(
    picture: NDArray[np.uint8], region: Region, side: int, *, is_repeated: bool
) -> NDArray[np.uint8]:
    """Cut a region out, bilinearly.

    Parameters
    ----------
    picture : ndarray of uint8, shape (height, width, 3)
        What to cut from.
    region : Region
        What to cut out.
    side : int
        Height and width of the result.
    is_repeated : bool
        Whether the picture's border goes on outside it, or all is black there.

    Returns
    -------
    crop : ndarray of uint8, shape (side, side, 3)
    """
    to_pixels = matrix(region)
    to_pixels[:, :2] /= side
    face = cv2.warpAffine(
        picture,
        to_pixels,
        (side, side),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REPLICATE if is_repeated else cv2.BORDER_CONSTANT,
    )
    return np.asarray(face, dtype=np.uint8)


def to_picture(places: NDArray[Any], region: Region) -> NDArray[np.float64]:
    """Take places in a region, (n, 2), from 0 to 1, to pixels of the picture."""
    to_pixels = matrix(region)
    return np.asarray(places @ to_pixels[:, :2].T + to_pixels[:, 2])


def region_of_points(points: NDArray[Any]) -> Region:
    """Return the region of a face whose points are known, its eyes level.

    Parameters
    ----------
    points : ndarray of shape (478, 2 or 3)
        In pixels of the picture.

    Returns
    -------
    region : Region
    """
    least, most = points[:, :2].min(axis=0), points[:, :2].max(axis=0)
    x, y = (least + most) / 2
    side = float((most - least).max()) * _MARGIN
    across = points[EYE_CORNERS[1], :2] - points[EYE_CORNERS[0], :2]
    return Region(float(x), float(y), side, side, float(np.arctan2(across[1], across[0])))
