"""Finding faces in single frames: by scikit-image's cascade, or by a network for OpenCV."""

from __future__ import annotations

import os
from pathlib import Path
from types import ModuleType
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

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


def face_boxes(frames: NDArray[Any], detector: Detector = "cascade") -> list[NDArray[np.float64]]:
    """Find faces, and what may be faces, in each frame on its own.

    Parameters
    ----------
    frames : ndarray of shape (n_frames, height, width[, channel])
        Grey or RGB frames, uint8 or float.
    detector : {"cascade"} or path-like, default="cascade"
        scikit-image's cascade of local binary patterns, or a YuNet model (an ONNX file).

    Returns
    -------
    boxes : list of ndarray of shape (n_boxes, 4)
        For each frame: row and column of the centre, side, and weight of every box; 1 is a sure
        face. None at all in frames with a side under 24 pixels, and in one flat colour.
    """
    shown = _as_bytes(frames)
    grey = luma(shown)
    if min(shown.shape[1:3]) < _CASCADE_FACE or shown.min() == shown.max():
        return [np.zeros((0, 4)) for _ in shown]
    return _cascade_boxes(grey) if detector == "cascade" else _yunet_boxes(shown, detector)


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
    """Return the identity of a detector: scikit-image's version, or the network's file.

    If scikit-image is missing, this is where a cache finds out, before any clip is opened.
    """
    if detector != "cascade":
        return identity(detector)
    return ("cascade", str(_scikit_image().__version__))


def overlap(boxes: NDArray[np.float64], box: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the intersection over union of squares (row and column of the centre, side)."""
    near = np.minimum(boxes[:, :2] + boxes[:, 2:3] / 2, box[:2] + box[2] / 2)
    far = np.maximum(boxes[:, :2] - boxes[:, 2:3] / 2, box[:2] - box[2] / 2)
    shared = (near - far).clip(0).prod(axis=1)
    ratio: NDArray[np.float64] = shared / (boxes[:, 2] ** 2 + box[2] ** 2 - shared)
    return ratio


def _as_bytes(frames: NDArray[Any]) -> NDArray[np.uint8]:
    """Return frames as uint8; floats, which may range to 1 or to 255, are stretched."""
    if frames.dtype == np.uint8:
        return frames
    low, high = frames.min(), frames.max()
    stretched: NDArray[np.uint8] = ((frames - low) * (255 / max(high - low, 1e-30))).astype(
        np.uint8
    )
    return stretched


def _shown(picture: NDArray[np.uint8], side: int) -> tuple[NDArray[np.uint8], float]:
    """Scale a picture's shorter side to a length; also return by how much it shrank."""
    ratio = min(picture.shape[:2]) / side
    height, width = (round(n / ratio) for n in picture.shape[:2])
    way = cv2.INTER_AREA if ratio > 1 else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(picture, (width, height), interpolation=way)), ratio


def _cascade_boxes(pictures: NDArray[np.uint8]) -> list[NDArray[np.float64]]:
    skimage = _scikit_image()
    cascade = skimage.feature.Cascade(skimage.data.lbp_frontal_face_cascade_filename())
    found = []
    for picture in pictures:
        small, ratio = _shown(picture, _CASCADE_SIDE)
        # No overlap reaches 2, so that every window is given by itself. The detector's own
        # merging is greedy, and does not say how many windows support a box.
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


def _scikit_image() -> ModuleType:
    try:
        import skimage.data
        import skimage.feature
    except ImportError:
        raise ImportError(
            'FaceCrop needs scikit-image: python -m pip install "skemotion[image]"'
        ) from None
    return skimage


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
