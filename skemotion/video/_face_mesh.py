"""The points of a face whose region is known, and what they say."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from ._face_networks import FaceNetworks
from ._face_points import BLENDSHAPE_POINTS
from ._face_region import Region, crop, to_picture

_SIDE = 256  # pixels of the network's picture
_LEAST_PRESENCE = 0.5


def find_points(
    picture: NDArray[np.uint8], region: Region, networks: FaceNetworks
) -> NDArray[np.float32] | None:
    """Find the points of a face.

    Parameters
    ----------
    picture : ndarray of uint8, shape (height, width, 3)
        RGB.
    region : Region
        Where the face is.
    networks : FaceNetworks
        To run.

    Returns
    -------
    points : ndarray of float32, shape (478, 3), or None
        x and y in pixels of the picture, and depth in the same unit, smaller towards the camera.
        None where no face is in the region.
    """
    face = crop(picture, region, _SIDE, is_repeated=True)
    points, logit = networks.points(face * np.float32(1 / 255))
    if expit(logit) < _LEAST_PRESENCE:
        return None
    points = points / np.float32(_SIDE)
    points[:, :2] = to_picture(points[:, :2], region)
    points[:, 2] *= region.width
    return points


def find_blendshapes(points: NDArray[np.float32], networks: FaceNetworks) -> NDArray[np.float32]:
    """Return the 51 blendshapes of the points of a face, from 0 to 1."""
    return networks.blendshapes(np.ascontiguousarray(points[BLENDSHAPE_POINTS, :2]))[1:]
