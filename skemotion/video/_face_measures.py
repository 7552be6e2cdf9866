"""Distances and angles in a face of 68 landmarks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..base import FLOATS, ClipTransformer, plural
from ._face_shape import MEAN_FACE, N_POINTS, POSE_NAMES, RIGID, align, head_pose, mirror, smooth

# Hyphens within a name: after an underscore, later stages append what they computed.
_NAMES = (
    "lid-opening",
    "lid-opening-difference",
    "brow-raise-inner",
    "brow-raise-middle",
    "brow-raise-outer",
    "brow-gap",
    "brow-arch-inner",
    "brow-arch-outer",
    "mouth-width",
    "mouth-width-inside",
    "mouth-height",
    "mouth-opening",
    "mouth-opening-sides",
    "mouth-corners-upper-lip",
    "mouth-corners-lower-lip",
    "mouth-corners-centre",
    "nose-upper-lip",
    "nose-lower-lip",
    "chin-lower-lip",
    "chin-nose",
    "nose-width",
    "nose-lip-peaks",
    "upper-lip-thickness",
    "lower-lip-thickness",
    "mouth-corners-eyes",
    "mouth-corners-nose",
    "mouth-corners-difference",
    "jaw-width-low",
    "jaw-width-high",
    "nostrils-eyes",
    "upper-lip-width",
    "lower-lip-width",
    "brow-slope",
)
# Added before the logarithm, which would make much of what is nearly closed; 2 mm of a face.
_OFFSET = 0.02


class FaceMeasures(ClipTransformer):
    """Turn 68 facial landmarks into trajectories of distances and angles.

    Each frame's face is rotated upright and scaled to one size by the points that hardly move, so
    position and size of the head make no difference. Brows, lids, nose, mouth and jaw are then
    described by 33 measures. A clip's measures depend only on the clip.

    Parameters
    ----------
    pose : bool, default=False
        Whether eight numbers of the head's pose follow the measures.
    mirror : bool, default=False
        Whether the mirror image of the face is measured, as a further training clip. The measures
        are the same up to rounding; roll, sideways shift and yaw change their sign.

    Attributes
    ----------
    n_features_in_ : int
        Second axis of X at fit; the number of columns if X was columns of landmarks.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Column names of X at fit, if X was numbers and had any.
    clip_shape_ : tuple of int
        Shape of a clip at fit, if X was an array of numbers; empty for columns of landmarks.

    See Also
    --------
    face_measures : The same for one clip.
    LandmarkLoader : Gives landmarks from files.
    skemotion.decomposition.TrajectoryStatistics : Summarises trajectories in a row of numbers.

    Notes
    -----
    Landmarks are smoothed over time, by the median of 3 frames and a Savitzky-Golay filter
    [1]_ of order 2 over 5 frames. The similarity transform is the least-squares one of nine points
    (the nose's bridge and base, the corners of the eyes) to a mean face with the outer corners of
    the eyes 1 apart [2]_. Measures are natural logarithms of lengths + 0.02 in that unit, so a
    doubled length counts the same in a small face as in a large one. The exception is the slope of
    the brows in radians, summed over both sides and positive if their inner ends are higher than
    their middles. ``-difference`` is the absolute difference between the two sides. In a table of
    numbers, a row holds the first coordinates (x and y of the first point, then of the next) of a
    mean face.

    References
    ----------
    .. [1] A. Savitzky and M. J. E. Golay, "Smoothing and differentiation of data by simplified
       least squares procedures", Analytical Chemistry 36(8), 1964.
    .. [2] C. Sagonas, G. Tzimiropoulos, S. Zafeiriou and M. Pantic, "300 Faces in-the-Wild
       Challenge", ICCV Workshops 2013, figure 1 (the order of the 68 points).

    Examples
    --------
    >>> import numpy as np
    >>> from skemotion.video import FaceMeasures
    >>> clips = [np.random.default_rng(0).uniform(0, 100, (30, 68, 2))]
    >>> measures = FaceMeasures().fit(clips)
    >>> measures.transform(clips)[0].shape
    (30, 33)
    >>> measures.get_feature_names_out()[8]
    'mouth-width'
    """

    takes = "arrays"
    ragged = True
    _keeps_shape = False
    _parameter_constraints = {"pose": ["boolean"], "mirror": ["boolean"]}

    def __init__(self, pose: bool = False, mirror: bool = False) -> None:
        self.pose = pose
        self.mirror = mirror

    def transform_clip(self, clip: NDArray[Any]) -> NDArray[Any]:
        """Measure one clip's face.

        Parameters
        ----------
        clip : ndarray of shape (n_frames, 68, 2 or 3), or (n_frames, 136 + n_blendshapes)
            Landmarks in the order of iBUG's 68, in pixels, y down. A third coordinate is ignored.
            Or a trajectory as ``FaceLandmarks(output=("landmarks", "blendshapes"))`` gives it: x
            and y of each point, and then blendshapes from 0 to 1.

        Returns
        -------
        measures : ndarray of shape (n_frames, 33) or, with `pose`, (n_frames, 41)
            float32 for float32 landmarks, else float64. Blendshapes follow, as logarithms of the
            value + 0.01.

        Raises
        ------
        ValueError
            If the number of points is not 68, or all points of a frame coincide.
        """
        if clip.ndim != 2:
            return face_measures(clip, pose=self.pose, mirrored=self.mirror)
        points, blendshapes = clip[:, : 2 * N_POINTS], clip[:, 2 * N_POINTS :]
        if points.shape[1] != 2 * N_POINTS:
            raise ValueError(
                f"expected {2 * N_POINTS} coordinates a frame, and blendshapes after them, found "
                f"{plural(clip.shape[1], 'value')}."
            )
        measures = face_measures(
            points.reshape(-1, N_POINTS, 2), pose=self.pose, mirrored=self.mirror
        )
        smallest = measures.dtype.type(_SMALLEST_BLENDSHAPE)
        return np.hstack([measures, np.log(np.maximum(blendshapes, 0) + smallest)])

    def name_values(self, input_features: Sequence[str] | None) -> list[str]:
        """Name the measures, such as ``mouth-width``; ``mouth-width_frame0012`` for an array."""
        names = [*_NAMES, *(POSE_NAMES if self.pose else ())]
        if self._n_blendshapes:
            given = input_features if input_features is not None else []
            blendshapes = list(given)[2 * N_POINTS :]
            if len(blendshapes) != self._n_blendshapes:
                blendshapes = [f"blendshape{i:02d}" for i in range(self._n_blendshapes)]
            names += [str(name) for name in blendshapes]
        if not self.clip_shape_:
            return names
        n_frames = self.clip_shape_[0] if len(self.clip_shape_) > 1 else 1
        return [f"{name}_frame{t:04d}" for t in range(n_frames) for name in names]

    def remember_clip(self, cells: list[NDArray[Any]]) -> None:
        """Note how many blendshapes follow the landmarks."""
        cell = cells[0]
        self._n_blendshapes = max(cell.shape[1] - 2 * N_POINTS, 0) if cell.ndim == 2 else 0

    def lift_row(self, row: NDArray[Any]) -> NDArray[Any]:
        """Turn a row of numbers into one frame; missing coordinates are those of a mean face."""
        face = MEAN_FACE.ravel().astype(row.dtype)
        n_values = min(len(row), len(face))
        face[:n_values] = row[:n_values]
        return face.reshape(1, N_POINTS, 2)


# What a blendshape that is not carried out at all counts for.
_SMALLEST_BLENDSHAPE = 0.01


def face_measures(
    landmarks: ArrayLike, *, pose: bool = False, mirrored: bool = False
) -> NDArray[Any]:
    """Return the distances and angles in one clip's face.

    Parameters
    ----------
    landmarks : array-like of shape (n_frames, 68, 2 or 3)
        In the order of iBUG's 68, in pixels, y down.
    pose : bool, default=False
        Whether the head's pose follows the measures.
    mirrored : bool, default=False
        Whether the mirror image is measured.

    Returns
    -------
    measures : ndarray of shape (n_frames, 33) or, with `pose`, (n_frames, 41)
        float32 for float32 landmarks, else float64.

    See Also
    --------
    FaceMeasures : The same as an estimator, with the details.
    """
    values = np.asarray(landmarks)
    if values.ndim != 3 or values.shape[1] != N_POINTS or values.shape[2] not in (2, 3):
        raise ValueError(
            "expected landmarks of shape (n_frames, 68, 2 or 3), in the order of iBUG, found "
            f"{values.shape}."
        )
    dtype = values.dtype if values.dtype in FLOATS else np.float64
    points = values[..., :2].astype(np.float64)
    lost = (np.ptp(points[:, RIGID], axis=1) == 0).all(axis=1)
    if lost.any():
        raise ValueError(
            f"expected a face in every frame, found points that coincide in frame {lost.argmax()}. "
            "Interpolate frames without a face first, as LandmarkLoader does."
        )
    if mirrored:
        points = mirror(points)
    points = smooth(points)
    aligned, turns = align(points)
    measures = measure_face(aligned)
    if pose:
        measures = np.hstack([measures, head_pose(points, aligned, turns)])
    return measures.astype(dtype)


def measure_face(aligned: NDArray[np.float64]) -> NDArray[np.float64]:
    """Measure faces that are upright and of one size.

    Parameters
    ----------
    aligned : ndarray of shape (n_frames, 68, 2)

    Returns
    -------
    measures : ndarray of shape (n_frames, 33)
        In the order of the names.
    """
    x, y = aligned[..., 0].T, aligned[..., 1].T

    def apart(i: int, j: int) -> NDArray[np.float64]:
        return np.hypot(x[i] - x[j], y[i] - y[j])

    right_lid = (y[41] + y[40] - y[37] - y[38]) / 2
    left_lid = (y[47] + y[46] - y[43] - y[44]) / 2
    corners = (y[48] + y[54]) / 2
    lengths = [
        (right_lid + left_lid) / 2,
        right_lid - left_lid,
        y[39] - y[21] + y[42] - y[22],
        y[37] - y[19] + y[44] - y[24],
        y[36] - y[17] + y[45] - y[26],
        x[22] - x[21],
        y[21] - y[19] + y[22] - y[24],
        y[17] - y[19] + y[26] - y[24],
        apart(48, 54),
        apart(60, 64),
        apart(51, 57),
        apart(62, 66),
        (apart(61, 67) + apart(63, 65)) / 2,
        corners - y[51],
        corners - y[57],
        corners - y[62],
        y[51] - y[33],
        y[57] - y[33],
        y[8] - y[57],
        y[8] - y[33],
        x[35] - x[31],
        y[50] + y[52] - 2 * y[33],
        y[62] - y[51],
        y[57] - y[66],
        apart(48, 36) + apart(54, 45),
        apart(48, 33) + apart(54, 33),
        y[48] - y[54],
        apart(5, 11),
        apart(3, 13),
        (y[31] + y[35]) / 2 - (y[39] + y[42]) / 2,
        apart(49, 53),
        apart(59, 55),
    ]
    slope = np.arctan2(y[19] - y[21], x[21] - x[19]) + np.arctan2(y[24] - y[22], x[24] - x[22])
    return np.column_stack([*np.log(np.abs(lengths) + _OFFSET), slope])
