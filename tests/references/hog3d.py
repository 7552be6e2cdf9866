"""HOG3D as it is defined, cell by cell."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def angles(frames: NDArray) -> tuple[NDArray, list[tuple[NDArray, tuple[float, float]]]]:
    """Give every voxel's gradient magnitude, and its azimuth and polar angle with their ranges."""
    frames = frames.astype(np.float64)
    gt, gy, gx = (
        np.gradient(frames, axis=axis) if frames.shape[axis] > 1 else np.zeros_like(frames)
        for axis in range(3)
    )
    azimuth, polar = np.arctan2(gy, gx), np.arctan2(np.hypot(gx, gy), gt)
    magnitude = np.sqrt(gx**2 + gy**2 + gt**2)
    return magnitude, [(azimuth, (-np.pi, np.pi)), (polar, (0, np.pi))]


def cell_by_cell(
    frames: NDArray, cell_size: tuple[int, int, int] = (5, 5, 6), n_bins: int = 9
) -> NDArray:
    """Describe a clip as the descriptor is defined: the reference that the tests compare with."""
    magnitude, both = angles(frames)
    cell = [min(n, size) for n, size in zip(frames.shape, cell_size, strict=True)]
    out = np.zeros((*(n // size for n, size in zip(frames.shape, cell, strict=True)), n_bins, 2))
    for place in np.ndindex(*out.shape[:3]):
        voxels = tuple(slice(i * n, (i + 1) * n) for i, n in zip(place, cell, strict=True))
        for which, (angle, limits) in enumerate(both):
            histogram, _ = np.histogram(
                angle[voxels], bins=n_bins, range=limits, weights=magnitude[voxels]
            )
            out[(*place, slice(None), which)] = histogram / (np.linalg.norm(histogram) + 1e-6)
    return out
