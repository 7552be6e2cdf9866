"""The pictures of an answer, encoded in memory."""

from __future__ import annotations

import io
from typing import Any

import cv2
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..inspection import TimelineDisplay
from ..video import FaceLandmarks, decode_clip

_N_FACES = 3
_SIDE = 320  # pixels of a picture of a face
_MOST_ROWS = 720  # of a frame in which a face is looked for
# The lines of iBUG's scheme: first and last point, and whether it is closed.
_LINES = (
    (0, 16, False), (17, 21, False), (22, 26, False), (27, 30, False), (31, 35, False),
    (36, 41, True), (42, 47, True), (48, 59, True), (60, 67, True),
)  # fmt: skip
_LIGHT, _DARK = (255, 255, 255), (114, 64, 0)  # blue, green, red


def draw_faces(
    path: str, size: tuple[int, int], seconds: float, model_path: str | None
) -> list[bytes]:
    """Draw the landmarks on the face at some moments of a recording.

    Parameters
    ----------
    path : str
        The recording.
    size : tuple of 2 int
        Height and width of its picture.
    seconds : float
        How long it is.
    model_path : str or None
        Of `FaceLandmarks`.

    Returns
    -------
    pictures : list of bytes
        JPEG; of the moments in which there is a face.
    """
    per_second = 2 * _N_FACES / max(seconds, 0.1)
    scale = min(1.0, _MOST_ROWS / max(size))
    frames = decode_clip(path, scale=scale, color="rgb", fps=per_second)
    # From the middles of equal parts, as a beginning is often dark.
    chosen = frames[1 : 2 * _N_FACES : 2] if len(frames) > 1 else frames
    stage = FaceLandmarks(on_missing="nan", fps=None, model_path=model_path)
    pictures = []
    for frame in chosen:
        [points] = stage.transform_clip(frame[np.newaxis])
        if not np.isnan(points).any():
            pictures.append(_face(frame, points))
    return pictures


def _face(frame: NDArray[np.uint8], points: NDArray[np.floating]) -> bytes:
    """Cut out a square around a face, and draw the lines between its points."""
    low, high = points.min(axis=0), points.max(axis=0)
    side = 1.5 * float((high - low).max())
    # The forehead has no points.
    corner = (low + high) / 2 - side / 2 - np.array([0, 0.1 * side])
    scale = _SIDE / side
    move = np.array([[scale, 0, -scale * corner[0]], [0, scale, -scale * corner[1]]])
    face = cv2.warpAffine(
        cv2.cvtColor(frame, cv2.COLOR_RGB2BGR),
        move,
        (_SIDE, _SIDE),
        flags=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REPLICATE,
    )
    # With four bits for parts of a pixel.
    places = np.round((points - corner) * scale * 16).astype(np.int32)
    for color, width in ((_DARK, 3), (_LIGHT, 1)):
        for first, last, closed in _LINES:
            line = [places[first : last + 1]]
            cv2.polylines(face, line, closed, color, width, cv2.LINE_AA, 4)
    return bytes(cv2.imencode(".jpg", face, [cv2.IMWRITE_JPEG_QUALITY, 85])[1])


def draw_timeline(timeline: pd.DataFrame) -> bytes:
    """Draw a timeline, readable on a phone.

    Parameters
    ----------
    timeline : DataFrame
        From `predict_timeline`.

    Returns
    -------
    picture : bytes
        PNG.
    """
    figure = new_figure(5.2, 2.8)
    TimelineDisplay.from_timeline(timeline, ax=figure.subplots())
    return png(figure)


def new_figure(width: float, height: float) -> Any:
    """Make a figure that no window and no other thread knows of, in inches."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained")


def png(figure: Any) -> bytes:
    """Encode a figure."""
    file = io.BytesIO()
    figure.savefig(file, dpi=160)
    return file.getvalue()
