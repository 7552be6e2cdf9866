"""Finding faces in a picture: what is around BlazeFace."""

from __future__ import annotations

from functools import cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from ._face_networks import FaceNetworks
from ._face_region import Region, crop, to_picture

_SIDE = 128  # pixels of the network's picture
_LEAST_SCORE = 0.5
_LEAST_OVERLAP = 0.3  # of boxes that are one face, as intersection over union
_MARGIN = 1.5  # side of the region, as a multiple of that of the box


class Detection(NamedTuple):
    """A face that was found."""

    region: Region
    score: float


def detect_faces(picture: NDArray[np.uint8], networks: FaceNetworks) -> list[Detection]:
    """Find the faces of a picture.

    Parameters
    ----------
    picture : ndarray of uint8, shape (height, width, 3)
        RGB.
    networks : FaceNetworks
        To run.

    Returns
    -------
    detections : list of Detection
        From the surest on.
    """
    height, width = picture.shape[:2]
    side = max(height, width)
    whole = Region(width / 2, height / 2, side, side, 0.0)
    small = crop(picture, whole, _SIDE, is_repeated=False)
    values, logits = networks.find(small * np.float32(2 / 255) - np.float32(1))
    scores = expit(np.clip(logits, -100, 100))
    is_face = scores >= _LEAST_SCORE
    boxes = decode_boxes(values[is_face], anchors()[is_face])
    detections = []
    for box, score in merge_boxes(boxes, scores[is_face]):
        corners = to_picture(box.reshape(-1, 2), whole)
        (left, top), (right, bottom), eye, other_eye = corners[:4]
        angle = np.arctan2(other_eye[1] - eye[1], other_eye[0] - eye[0])
        region = Region(
            (left + right) / 2,
            (top + bottom) / 2,
            (right - left) * _MARGIN,
            (bottom - top) * _MARGIN,
            float(angle),
        )
        detections.append(Detection(region, score))
    return detections


@cache
def anchors() -> NDArray[np.float64]:
    """Return the places that the 896 boxes are offsets from, (896, 2), from 0 to 1."""
    # Two on each place of a grid of 16 x 16, then six on each of a grid of 8 x 8.
    places = []
    for n_places, n_each in ((16, 2), (8, 6)):
        centers = (np.arange(n_places) + 0.5) / n_places
        y, x = np.meshgrid(centers, centers, indexing="ij")
        places.append(np.repeat(np.column_stack([x.ravel(), y.ravel()]), n_each, axis=0))
    return np.concatenate(places)


def decode_boxes(values: NDArray[Any], places: NDArray[Any]) -> NDArray[np.float64]:
    """Turn what the network gives into places in its picture, from 0 to 1.

    Parameters
    ----------
    values : ndarray of shape (n_boxes, 16)
        Centre, size and six key points, x and y each, in pixels from the anchor.
    places : ndarray of shape (n_boxes, 2)
        The anchors.

    Returns
    -------
    boxes : ndarray of shape (n_boxes, 16)
        Upper left and lower right corner, and the key points.
    """
    pairs = values.reshape(-1, 8, 2) / np.float64(_SIDE)
    half = pairs[:, 1] / 2
    pairs[:, 1] = 0
    pairs += places[:, np.newaxis]
    center = pairs[:, 0].copy()
    pairs[:, 0], pairs[:, 1] = center - half, center + half
    return pairs.reshape(-1, 16)


def merge_boxes(
    boxes: NDArray[np.float64], scores: NDArray[Any]
) -> list[tuple[NDArray[np.float64], float]]:
    """Make one box, the mean weighted by score, of all that lie over the surest one; and so on.

    Parameters
    ----------
    boxes : ndarray of shape (n_boxes, 16)
        As `decode_boxes` gives them.
    scores : ndarray of shape (n_boxes,)
        How sure each is.

    Returns
    -------
    merged : list of (ndarray of shape (16,), float)
        Boxes and the highest score of each, from the surest on.
    """
    order = np.argsort(-scores, kind="stable")
    boxes, scores = boxes[order], scores[order]
    merged = []
    while len(boxes):
        is_same = overlaps(boxes[0], boxes) > _LEAST_OVERLAP
        is_same[0] = True  # a box without area overlaps nothing, not even itself
        merged.append((np.average(boxes[is_same], axis=0, weights=scores[is_same]), scores[0]))
        boxes, scores = boxes[~is_same], scores[~is_same]
    return [(box, float(score)) for box, score in merged]


def overlaps(box: NDArray[Any], boxes: NDArray[Any]) -> NDArray[np.float64]:
    """Return the intersection over union of a box with each of some: left, top, right, bottom."""
    size = np.minimum(box[2:4], boxes[:, 2:4]) - np.maximum(box[:2], boxes[:, :2])
    shared = np.prod(np.maximum(size, 0), axis=1)
    area = np.prod(box[2:4] - box[:2]) + np.prod(boxes[:, 2:4] - boxes[:, :2], axis=1)
    return np.divide(shared, area - shared, out=np.zeros(len(boxes)), where=area > shared)
