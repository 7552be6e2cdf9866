"""Finding the face in a clip and following it steadily: functions on one clip."""

from __future__ import annotations

import math
import os
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import make_smoothing_spline
from scipy.ndimage import median_filter

from ..io import identity
from ._luma import luma

Detector = str | os.PathLike[str]

# Frames are looked at in a size of their own, so that what is found depends on the picture and not
# on the size it was loaded in. The cascade's smallest face is 24 pixels.
_CASCADE_SIDE = 120
_CASCADE_FACE = 24
_YUNET_SIDE = 320
# A face answers to 20 windows or so, each a little larger or aside; other things to few. This many
# make one sure; fewer count where they continue what is surer in other frames.
_SURE_VOTES = 4
_SAME_FACE = 0.4  # overlap of two windows of one frame
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
    shown = _as_bytes(frames[looks])
    grey = luma(shown)
    if min(shown.shape[1:3]) < _CASCADE_FACE or shown.min() == shown.max():
        return None
    found = _cascade_boxes(grey) if detector == "cascade" else _yunet_boxes(shown, detector)
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


def check_model_file(detector: Detector) -> None:
    """Make sure that a detector that is not the cascade is a file that can be used."""
    if detector == "cascade":
        return
    if not Path(detector).is_file():
        raise FileNotFoundError(
            f"{os.fspath(detector)}: expected a YuNet model, found no such file. Give the path of "
            'an ONNX file, or detector="cascade".'
        )
    if not hasattr(cv2, "FaceDetectorYN"):
        raise ImportError("FaceCrop needs OpenCV's FaceDetectorYN, which this build of it lacks.")


def detector_identity(detector: Detector) -> tuple[str, ...]:
    """Give what tells a detector from another: scikit-image's version, or the network's file."""
    if detector != "cascade":
        return identity(detector)
    try:
        return ("cascade", version("scikit-image"))
    except PackageNotFoundError:
        return ("cascade",)


def heaviest_chain(found: list[NDArray[np.float64]]) -> list[tuple[int, int]]:
    """Link boxes of about one size and place over the looks; give the chain of most weight.

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


def overlap(boxes: NDArray[np.float64], box: NDArray[np.float64]) -> NDArray[np.float64]:
    """Give the intersection over union of squares (row, column of the centre, side) with one."""
    near = np.minimum(boxes[:, :2] + boxes[:, 2:3] / 2, box[:2] + box[2] / 2)
    far = np.maximum(boxes[:, :2] - boxes[:, 2:3] / 2, box[:2] - box[2] / 2)
    shared = (near - far).clip(0).prod(axis=1)
    ratio: NDArray[np.float64] = shared / (boxes[:, 2] ** 2 + box[2] ** 2 - shared)
    return ratio


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
        Before the first and behind the last frame with a centre, the path stands still.
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


def _as_bytes(frames: NDArray[Any]) -> NDArray[np.uint8]:
    """Give frames as uint8, floats being stretched: they may count from 0 to 1 or to 255."""
    if frames.dtype == np.uint8:
        return frames
    low, high = frames.min(), frames.max()
    stretched: NDArray[np.uint8] = ((frames - low) * (255 / max(high - low, 1e-30))).astype(
        np.uint8
    )
    return stretched


def _shown(picture: NDArray[np.uint8], side: int) -> tuple[NDArray[np.uint8], float]:
    """Bring a picture's shorter side to a length; give what a pixel of it was before."""
    ratio = min(picture.shape[:2]) / side
    height, width = (round(n / ratio) for n in picture.shape[:2])
    way = cv2.INTER_AREA if ratio > 1 else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(picture, (width, height), interpolation=way)), ratio


def _cascade_boxes(pictures: NDArray[np.uint8]) -> list[NDArray[np.float64]]:
    try:
        from skimage.data import lbp_frontal_face_cascade_filename
        from skimage.feature import Cascade
    except ImportError:
        raise ImportError(
            'FaceCrop needs scikit-image: python -m pip install "skemotion[image]"'
        ) from None
    cascade = Cascade(lbp_frontal_face_cascade_filename())
    found = []
    for picture in pictures:
        small, ratio = _shown(picture, _CASCADE_SIDE)
        # No overlap reaches 2, so that every window is given by itself. The detector's own
        # merging is greedy, and tells nothing of how many windows stand behind a box.
        windows = cascade.detect_multi_scale(
            small,
            scale_factor=1.1,
            step_ratio=1,
            min_size=(_CASCADE_FACE, _CASCADE_FACE),
            max_size=(_CASCADE_SIDE, _CASCADE_SIDE),
            min_neighbor_number=1,
            intersection_score_threshold=2,
        )
        squares = np.array(
            [(w["r"] + w["height"] / 2, w["c"] + w["width"] / 2, w["width"]) for w in windows]
        ).reshape(-1, 3)
        found.append(merge_windows(squares * ratio) / (1, 1, 1, _SURE_VOTES))
    return found


def merge_windows(windows: NDArray[np.float64]) -> NDArray[np.float64]:
    """Merge windows that overlap, the most crowded place first.

    Parameters
    ----------
    windows : ndarray of shape (n_windows, 3)
        Rows and columns of centres, sides.

    Returns
    -------
    boxes : ndarray of shape (n_boxes, 4)
        Mean windows, and how many were merged.
    """
    boxes = []
    while len(windows):
        same = np.array([overlap(windows, window) >= _SAME_FACE for window in windows])
        crowd = same[same.sum(axis=1).argmax()]
        boxes.append([*windows[crowd].mean(axis=0), crowd.sum()])
        windows = windows[~crowd]
    return np.array(boxes, dtype=np.float64).reshape(-1, 4)


def _yunet_boxes(pictures: NDArray[np.uint8], model: Detector) -> list[NDArray[np.float64]]:
    first, _ = _shown(pictures[0], _YUNET_SIDE)
    try:
        network = cv2.FaceDetectorYN.create(os.fspath(model), "", first.shape[1::-1])
        found = []
        for picture in pictures:
            small, ratio = _shown(picture, _YUNET_SIDE)
            colour = cv2.COLOR_GRAY2BGR if small.ndim == 2 else cv2.COLOR_RGB2BGR
            _, faces = network.detect(cv2.cvtColor(small, colour))
            # Left, top, width, height, five landmarks, score; None where there is no face.
            faces = np.zeros((0, 15)) if faces is None else faces.astype(np.float64)
            corner, lengths = faces[:, 1::-1], faces[:, 3:1:-1]
            sides = lengths.max(axis=1, keepdims=True)
            squares = np.hstack([corner + lengths / 2, sides]) * ratio
            found.append(np.hstack([squares, faces[:, 14:]]))
    except cv2.error as error:
        raise ValueError(
            f"{os.fspath(model)}: expected a YuNet model, found a file that OpenCV cannot use as "
            f"one ({error.err}). Download face_detection_yunet_*.onnx of OpenCV's model zoo again."
        ) from error
    return found


def _resampling(
    start: float, length: float, n_new: int, n_old: int
) -> tuple[NDArray[np.float64], slice]:
    """Give the matrix that takes old pixels to new ones, and which old pixels it takes.

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
