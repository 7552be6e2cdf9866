"""The pictures on which an explanation is shown."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..io import MediaError
from ..video import HOG3D, FaceLandmarks, FaceMeasures, LandmarkLoader, VideoLoader
from ._occlusion import Description
from ._regions import Regions, face_words

# Pictures per second among which the one to show is chosen.
_RATE = 6.0


class ExplainedFrame(NamedTuple):
    """A picture of a clip.

    Attributes
    ----------
    time : float
        Where in the clip it is, from 0 to 1.
    image : ndarray of uint8, shape (height, width) or (height, width, 3), or None
        None for landmarks without a picture.
    points : ndarray of shape (68, 2) or None
        Landmarks in pixels of the image.
    """

    time: float
    image: NDArray[np.uint8] | None
    points: NDArray[Any] | None


def find_frames(
    description: Description,
    regions: Regions,
    typical: NDArray[Any],
    details: pd.DataFrame,
) -> list[ExplainedFrame]:
    """Find the pictures that count for the answer.

    Parameters
    ----------
    description : Description
        Of the clip's picture, or of its sound, which has none.
    regions : Regions
        Its regions.
    typical : ndarray of shape (n_values,)
        What replaced its values.
    details : DataFrame
        Effects of measures, from an `Explanation`.

    Returns
    -------
    frames : list of ExplainedFrame
        Of descriptors of pictures, one for each time of the map; of a face, the picture in which
        the measures that speak for the answer are farthest from the average clip's.
    """
    before: Any = None
    for stage, result in description.stages:
        if isinstance(stage, HOG3D) and len(regions.shape) == 3:
            return _of_cells(np.asarray(before), regions.shape[0])
        if isinstance(stage, FaceLandmarks | LandmarkLoader):
            return _of_face(description, stage, np.asarray(result), typical, details)
        before = result
    return []


def _of_cells(frames: NDArray[Any], n_times: int) -> list[ExplainedFrame]:
    if frames.dtype != np.uint8:
        top = np.nanmax(frames) or 1
        frames = (255 * np.clip(frames / top, 0, 1)).astype(np.uint8)
    if frames.ndim == 4 and frames.shape[-1] != 3:
        frames = frames[..., 0]
    times = (np.arange(n_times) + 0.5) / n_times
    return [ExplainedFrame(time, frames[int(time * len(frames))], None) for time in times]


def _of_face(
    description: Description,
    stage: FaceLandmarks | LandmarkLoader,
    landmarks: NDArray[Any],
    typical: NDArray[Any],
    details: pd.DataFrame,
) -> list[ExplainedFrame]:
    is_file = isinstance(stage, LandmarkLoader)
    if not (is_file or (stage.points == "ibug68" and np.ravel(stage.output)[0] == "landmarks")):
        return []
    means = dict(zip(description.names, typical, strict=True))
    place = _telling(landmarks, stage.get_feature_names_out(), means, details)
    time = place / max(len(landmarks) - 1, 1)
    if is_file:
        return [ExplainedFrame(time, None, landmarks[place, :, :2])]
    pictures = _pictures(description.clip)
    wanted = time * (len(pictures) - 1)
    finder = FaceLandmarks(model_path=stage.model_path)
    # The track begins with the face, which need not be in the first picture or in every one.
    for number in np.argsort(abs(np.arange(len(pictures)) - wanted), kind="stable").tolist():
        try:
            [found] = finder.transform([pictures[[number]]])
        except MediaError:
            continue
        return [ExplainedFrame(number / max(len(pictures) - 1, 1), pictures[number], found[0])]
    return []


def _pictures(clip: Any) -> NDArray[np.uint8]:
    """Load a few pictures of a clip, in colour."""
    if isinstance(clip, np.ndarray):
        return clip if clip.ndim == 4 else np.repeat(clip[..., np.newaxis], 3, axis=-1)
    [pictures] = VideoLoader(scale=1, color="rgb", fps=_RATE).transform([clip])
    return np.asarray(pictures)


def _telling(
    landmarks: NDArray[Any], names: Any, means: dict[str, float], details: pd.DataFrame
) -> int:
    """Find the frame in which what speaks for the answer is farthest from the average."""
    measures = FaceMeasures().fit([landmarks])
    [curves] = measures.transform([landmarks])
    effects = details.set_index("measure")["effect"]
    score = np.zeros(len(curves))
    for name, curve in zip(measures.get_feature_names_out(names), curves.T, strict=True):
        mean = means.get(f"{name}_mean", means.get(f"functionals__{name}_mean", np.nan))
        effect = effects.get(face_words(str(name)), 0.0)
        distance = np.abs(curve - mean)
        if np.isfinite(mean) and effect > 0 and distance.any():
            score += effect * distance / distance.mean()
    return int(score.argmax()) if score.any() else len(curves) // 2
