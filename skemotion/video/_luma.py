"""Grey pictures from colour ones."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def luma(frames: NDArray[Any]) -> NDArray[Any]:
    """Turn frames of shape (n_frames, height, width[, channel]) grey by Rec. 601 luma.

    Parameters
    ----------
    frames : ndarray of shape (n_frames, height, width[, channel])
        Grey or RGB, uint8 or float.

    Returns
    -------
    grey : ndarray of shape (n_frames, height, width)
        Of the same dtype; uint8 is rounded.
    """
    if frames.ndim == 3:
        return frames
    if frames.ndim != 4 or frames.shape[3] not in (1, 3):
        raise ValueError(
            "Expected frames of shape (n_frames, height, width), with 1 or 3 channels after or "
            f"none, got an array of shape {frames.shape}."
        )
    if frames.shape[3] == 1:
        return frames[..., 0]
    grey = frames @ np.array([0.299, 0.587, 0.114], dtype=np.result_type(frames, np.float32))
    return grey.round().astype(np.uint8) if frames.dtype == np.uint8 else grey
