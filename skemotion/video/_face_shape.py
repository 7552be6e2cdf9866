"""The shape of a face of 68 landmarks: smoothing, alignment, the mirror image, head pose."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import median_filter
from scipy.signal import savgol_filter

N_POINTS = 68
# Points that hardly move with an expression: the nose's bridge and base, the corners of the eyes.
RIGID = (27, 28, 29, 30, 33, 36, 39, 42, 45)

# The mean of dlib's 68 landmarks over faces of Labeled Faces in the Wild, as the OpenFace project
# of Carnegie Mellon University publishes it for alignment (openface/align_dlib.py), made symmetric
# and rounded: origin in the mean of the rigid points, outer corners of the eyes level and 1 apart,
# y down. It only says what "upright" and "of size 1" mean, so that a face seen by the same
# predictor anywhere will do; nothing of it is learnt from the clips.
# fmt: off
_MEAN_X = (
    -0.841, -0.837, -0.815, -0.77, -0.684, -0.551, -0.389, -0.206, 0, 0.206,
    0.389, 0.551, 0.684, 0.77, 0.815, 0.837, 0.841, -0.666, -0.561, -0.421,
    -0.276, -0.139, 0.139, 0.276, 0.421, 0.561, 0.666, 0, 0, 0,
    0, -0.163, -0.085, 0, 0.085, 0.163, -0.5, -0.412, -0.305, -0.215,
    -0.313, -0.418, 0.215, 0.305, 0.412, 0.5, 0.418, 0.313, -0.326, -0.208,
    -0.087, 0, 0.087, 0.208, 0.326, 0.213, 0.094, 0, -0.094, -0.213,
    -0.276, -0.088, 0, 0.088, 0.276, 0.09, 0, -0.09,
)
_MEAN_Y = (
    -0.152, 0.072, 0.298, 0.52, 0.726, 0.908, 1.062, 1.188, 1.225, 1.188,
    1.062, 0.908, 0.726, 0.52, 0.298, 0.072, -0.152, -0.319, -0.401, -0.422,
    -0.399, -0.341, -0.341, -0.399, -0.422, -0.401, -0.319, -0.175, -0.028, 0.118,
    0.267, 0.361, 0.393, 0.42, 0.393, 0.361, -0.16, -0.212, -0.21, -0.141,
    -0.121, -0.123, -0.141, -0.21, -0.212, -0.16, -0.123, -0.121, 0.625, 0.577,
    0.556, 0.577, 0.556, 0.577, 0.625, 0.747, 0.802, 0.812, 0.802, 0.747,
    0.633, 0.628, 0.637, 0.628, 0.633, 0.691, 0.702, 0.691,
)
# fmt: on
MEAN_FACE = np.stack([_MEAN_X, _MEAN_Y], axis=1)
MEAN_FACE.flags.writeable = False

# Which point each becomes in the mirror: jaw, brows, nose, eyes, mouth.
MIRRORED = np.array(
    [
        *range(16, -1, -1),
        *range(26, 16, -1),
        *(27, 28, 29, 30, 35, 34, 33, 32, 31),
        *(45, 44, 43, 42, 47, 46, 39, 38, 37, 36, 41, 40),
        *(54, 53, 52, 51, 50, 49, 48, 59, 58, 57, 56, 55),
        *(64, 63, 62, 61, 60, 67, 66, 65),
    ]
)

POSE_NAMES = ("roll", "shift-x", "shift-y", "log-scale", "yaw", "pitch", "jaw-yaw", "nose-bridge")


def smooth(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Take the tremor out of points: median over 3 frames, then a Savitzky-Golay filter (5, 2).

    Parameters
    ----------
    points : ndarray of shape (n_frames, n_points, 2)

    Returns
    -------
    smoothed : ndarray of shape (n_frames, n_points, 2)
        Fewer than five frames are too few for the second filter.
    """
    steady = median_filter(points, size=(3, 1, 1), mode="nearest")
    return steady if len(points) < 5 else np.asarray(savgol_filter(steady, 5, 2, axis=0))


def mirror(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the points of the mirror image: x flipped, left and right exchanged."""
    return points[:, MIRRORED] * (-1, 1)


def align(points: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.complex128]]:
    """Bring each frame's face upright, to size 1, by the similarity transform of its rigid points.

    Parameters
    ----------
    points : ndarray of shape (n_frames, 68, 2)

    Returns
    -------
    aligned : ndarray of shape (n_frames, 68, 2)
        As near to `MEAN_FACE` by its rigid points as rotating, scaling and moving gets it.
    turns : ndarray of complex, shape (n_frames,)
        What each frame was multiplied by, as x + iy, about the mean of its rigid points.
    """
    face = points[..., 0] + 1j * points[..., 1]
    face = face - face[:, RIGID].mean(axis=1, keepdims=True)
    rigid = face[:, RIGID]
    size = (np.abs(rigid) ** 2).sum(axis=1)
    mean = MEAN_FACE[RIGID, 0] + 1j * MEAN_FACE[RIGID, 1]
    # Least squares (Procrustes): the mean face's rigid points projected on the frame's.
    turns = ((mean - mean.mean()) * rigid.conj()).sum(axis=1) / size
    turned = turns[:, np.newaxis] * face + mean.mean()
    return np.stack([turned.real, turned.imag], axis=2), turns


def head_pose(
    points: NDArray[np.float64], aligned: NDArray[np.float64], turns: NDArray[np.complex128]
) -> NDArray[np.float64]:
    """Describe where the head is and where it looks, in every frame.

    Parameters
    ----------
    points : ndarray of shape (n_frames, 68, 2)
        In pixels.
    aligned, turns : ndarray
        What `align` makes of them.

    Returns
    -------
    pose : ndarray of shape (n_frames, 8)
        In the order of `POSE_NAMES`: roll (radians); shift of the head from the clip's median
        place and logarithm of its size over the clip's median size, in distances of the outer
        corners of the eyes; yaw and pitch by where the tip of the nose is between the eyes, yaw by
        the jaw, length of the nose's bridge.
    """
    place = points[:, RIGID].mean(axis=1)
    size = 1 / np.abs(turns)
    shift = (place - np.median(place, axis=0)) / np.median(size)
    x, y = aligned[..., 0], aligned[..., 1]
    return np.column_stack(
        [
            -np.angle(turns),
            shift,
            np.log(size / np.median(size)),
            x[:, 30] - (x[:, 36] + x[:, 45]) / 2,
            y[:, 30] - (y[:, 36] + y[:, 45]) / 2,
            2 * x[:, 30] - x[:, 2] - x[:, 14],
            y[:, 33] - y[:, 27],
        ]
    )
