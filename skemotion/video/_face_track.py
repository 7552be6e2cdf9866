"""Finding the face in a clip and following it steadily: functions on one clip."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import make_smoothing_spline
from scipy.ndimage import median_filter

from ._face_boxes import Detector, face_boxes

# How far a face goes from one look to the next, in shares of its side, and over any number of
# looks in which it is missed; and how much larger or smaller its box may come out.
_REACH, _FARTHEST = 0.5, 1.5
_SAME_SIZE = 1.5
_MIN_SHARE = 1 / 3  # of the looks: a face that is surely seen less often is none


class FaceTrack(NamedTuple):
    """Where the face is in every frame of a clip, in pixels.

    Attributes
    ----------
    centres : ndarray of shape (n_frames, 2)
        Row and column of the face's centre.
    side : float
        Side of the square about the face, one for the whole clip.
    looks : ndarray of int
        The frames that the detector was shown.
    seen : ndarray of bool, shape of `looks`
        In which of them it found this face.
    """

    centres: NDArray[np.float64]
    side: float
    looks: NDArray[np.intp]
    seen: NDArray[np.bool_]


def track_face(
    frames: NDArray[Any], detector: Detector = "cascade", stride: int = 5
) -> FaceTrack | None:
    """Find the face that is there throughout a clip, and follow it.

    The detector is shown some of the frames. Of all it reports, the chain of boxes in reach of
    one another that has most weight is the face; what is reported here and there, however large,
    is not. The chain's median size is the face's; its centres, outliers taken out by a running
    median, are smoothed by a cubic spline that also gives the frames between.

    Parameters
    ----------
    frames : ndarray of shape (n_frames, height, width[, channel])
        Grey or RGB frames, uint8 or float.
    detector : {"cascade"} or path-like, default="cascade"
        scikit-image's cascade of local binary patterns, or a YuNet model (an ONNX file).
    stride : int, default=5
        About every which frame is looked at; a clip of fewer than 50 frames more often, to have
        10 looks.

    Returns
    -------
    track : FaceTrack or None
        None where there is no face.
    """
    n_frames = len(frames)
    n_looks = max(math.ceil(n_frames / stride), min(n_frames, 10))
    looks = np.unique(np.linspace(0, n_frames - 1, n_looks).round().astype(np.intp))
    found = face_boxes(frames[looks], detector)
    chain = heaviest_chain(found)
    boxes = np.array([found[look][which] for look, which in chain]).reshape(-1, 4)
    if boxes[:, 3].clip(max=1).sum() < _MIN_SHARE * len(looks):
        return None
    at = np.array([look for look, _ in chain])
    centres = smooth_path(looks[at], boxes[:, :2], n_frames)
    seen = np.isin(np.arange(len(looks)), at)
    return FaceTrack(centres, float(np.median(boxes[:, 2])), looks, seen)


def crop_face(
    frames: NDArray[Any], track: FaceTrack | None, size: tuple[int, int], margin: float
) -> NDArray[Any]:
    """Cut the face out of every frame, with a margin, and bring it to a size.

    Parameters
    ----------
    frames : ndarray of shape (n_frames, height, width[, channel])
        uint8 or float.
    track : FaceTrack or None
        As `track_face` returns it; None takes whole frames.
    size : tuple of 2 int
        Height and width of the result.
    margin : float
        On every side, as a share of the face's side. What lies beyond the frame is filled with
        the frame's border.

    Returns
    -------
    crops : ndarray of shape (n_frames, *size[, channel])
        Of the frames' dtype; uint8 is rounded.
    """
    crops = np.empty((len(frames), *size, *frames.shape[3:]), dtype=frames.dtype)
    real = np.float64 if frames.dtype == np.float64 else np.float32
    lengths = np.array(frames.shape[1:3], dtype=np.float64)
    starts = np.zeros((len(frames), 2))
    if track is not None:
        # The box has the shape of the result, so that a face is never stretched.
        lengths = track.side * (1 + 2 * margin) * np.array(size) / min(size)
        starts = track.centres - lengths / 2
    for crop, frame, (top, left) in zip(crops, frames, starts, strict=True):
        rows, at_y = _resampling(top, lengths[0], size[0], frame.shape[0])
        columns, at_x = _resampling(left, lengths[1], size[1], frame.shape[1])
        part = np.moveaxis(frame[at_y, at_x].astype(real), (0, 1), (-2, -1))
        small = np.moveaxis(rows.astype(real) @ part @ columns.astype(real).T, (-2, -1), (0, 1))
        crop[...] = small.round() if frames.dtype == np.uint8 else small
    return crops


def heaviest_chain(found: list[NDArray[np.float64]]) -> list[tuple[int, int]]:
    """Link boxes of about one size and place over the looks; return the heaviest chain.

    Parameters
    ----------
    found : list of ndarray of shape (n_boxes, 4)
        For each look: row and column of the centre, side, and weight of every box; 1 is a sure
        face.

    Returns
    -------
    chain : list of (look, box)
        In order of time, with at most one box of a look; empty where there are no boxes.
    """
    places = [(look, which) for look, boxes in enumerate(found) for which in range(len(boxes))]
    if not places:
        return []
    boxes = np.concatenate(found)
    looks = np.array([look for look, _ in places])
    total = boxes[:, 3].copy()
    before = np.full(len(boxes), -1)
    for i, box in enumerate(boxes):
        earlier = boxes[: np.searchsorted(looks, looks[i])]
        far = np.abs(earlier[:, :2] - box[:2]).max(axis=1) / box[2]
        reach = (_REACH * (looks[i] - looks[: len(earlier)])).clip(max=_FARTHEST)
        larger = np.abs(np.log(earlier[:, 2] / box[2]))
        linked = np.flatnonzero((far <= reach) & (larger <= np.log(_SAME_SIZE)))
        if len(linked):
            before[i] = linked[total[linked].argmax()]
            total[i] += total[before[i]]
    chain = [int(total.argmax())]
    while before[chain[-1]] >= 0:
        chain.append(int(before[chain[-1]]))
    return [places[i] for i in reversed(chain)]


def smooth_path(
    at: NDArray[np.intp], centres: NDArray[np.float64], n_frames: int
) -> NDArray[np.float64]:
    """Lay a steady path through the centres that were found.

    Parameters
    ----------
    at : ndarray of int, shape (n_found,)
        Their frames, rising.
    centres : ndarray of shape (n_found, 2)
        Rows and columns.
    n_frames : int
        Frames of the clip.

    Returns
    -------
    path : ndarray of shape (n_frames, 2)
        Before the first and after the last frame with a centre, the path does not move.
    """
    centres = median_filter(centres, size=(5, 1), mode="nearest")
    frames = np.arange(n_frames).clip(at[0], at[-1])
    if len(at) < 5:  # too few for a spline
        return np.stack([np.interp(frames, at, values) for values in centres.T], axis=1)
    # With time counted in looks, this weight of the curvature halves a movement that takes six
    # looks to come back, and all but takes out what changes from look to look. A constant speed
    # is left as it is.
    unit = np.median(np.diff(at))
    splines = [make_smoothing_spline(at / unit, values, lam=1.0) for values in centres.T]
    return np.stack([spline(frames / unit) for spline in splines], axis=1)


def _resampling(
    start: float, length: float, n_new: int, n_old: int
) -> tuple[NDArray[np.float64], slice]:
    """Return the matrix that takes old pixels to new ones, and which old pixels it takes.

    New pixels are linear interpolations; where they are larger than the old, the triangle widens
    with them, which is what keeps a face that moves by a part of a pixel from flickering.
    """
    step = length / n_new
    middle = start + (np.arange(n_new) + 0.5) * step - 0.5
    reach = max(step, 1.0)
    taps = np.floor(middle - reach)[:, np.newaxis] + np.arange(1, math.ceil(2 * reach) + 1)
    share = (1 - np.abs(taps - middle[:, np.newaxis]) / reach).clip(0)
    pixels = taps.astype(np.intp).clip(0, n_old - 1)
    first, last = pixels.min(), pixels.max()
    matrix = np.zeros((n_new, last + 1 - first))
    np.add.at(matrix, (np.arange(n_new)[:, np.newaxis], pixels - first), share)
    return matrix / matrix.sum(axis=1, keepdims=True), slice(first, last + 1)
