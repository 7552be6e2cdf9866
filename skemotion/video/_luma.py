"""Grey pictures from colour ones, and how bright they are."""

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


def bright_span(frames: NDArray[Any]) -> tuple[int, int]:
    """Find where a clip begins and ends that fades in or out: frames of half its brightness.

    Parameters
    ----------
    frames : ndarray of shape (n_frames, height, width[, channel])
        Grey or RGB, uint8 or float.

    Returns
    -------
    first, stop : int
        ``frames[first:stop]`` leaves out frames at both ends whose mean luma is below half the
        clip's median. What is dark in between stays.
    """
    levels = luma(frames).mean(axis=(1, 2), dtype=np.float64)
    median = np.median(levels)
    # Floats may be centred, with a median below zero: the brighter half of them always stays.
    bright = np.flatnonzero(levels >= min(median / 2, median))
    return int(bright[0]), int(bright[-1]) + 1
