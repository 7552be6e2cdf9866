"""Histograms of oriented gradients in space and time."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Integral, Real
from typing import Any

import cv2
import numba
import numpy as np
from numpy.typing import NDArray
from sklearn.utils._param_validation import Interval

from ..base import ClipTransformer
from ._luma import luma

_MOST_SMOOTHING = 1000  # pixels; OpenCV's filter fails on a multiple of it
_ANGLES = ("azimuth", "polar")


class HOG3D(ClipTransformer):
    """Describe each cell of a clip by histograms of the directions of its gradients.

    A clip is cut into cells of frames x rows x columns. In each cell, the azimuth and the
    polar angle of every voxel's gradient are counted into histograms, weighted by the
    gradient's magnitude. A clip's descriptor depends only on the clip.

    Parameters
    ----------
    cell_size : tuple of 3 int, default=(5, 5, 6)
        Frames, rows and columns of a cell. Only complete cells are described; the remainder at the
        far ends is ignored. An axis shorter than a cell is one cell.
    n_bins : int, default=9
        Bins of each histogram; azimuth over [-pi, pi], polar angle over [0, pi].
    smoothing : bool or float, default=False
        Standard deviation in pixels of a Gaussian that smooths each frame beforehand;
        True means 1. At most 1000.

    Attributes
    ----------
    frames_shape_ : tuple of 3 int
        Number of frames, height and width of a clip at fit.
    n_features_in_ : int
        Second axis of X at fit: frames per clip, or columns of a table; 1 for a column of clips.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Column names of X at fit, if X was numbers and had any.
    clip_shape_ : tuple of int
        Shape of a clip at fit, if X was an array; empty for a column of clips.

    See Also
    --------
    hog3d : The same for one clip.
    VideoLoader : Gives clips as arrays.

    Notes
    -----
    The descriptor follows [1]_ in its two angles and magnitude weights, with cells and bins as in
    [2]_. Each histogram is divided by its L2 norm + 1e-6.

    References
    ----------
    .. [1] P. Scovanner, S. Ali and M. Shah, "A 3-dimensional SIFT descriptor and its
       application to action recognition", ACM Multimedia 2007, eqs. 2-4.
    .. [2] N. Dalal and B. Triggs, "Histograms of oriented gradients for human detection",
       CVPR 2005, section 6.

    Examples
    --------
    >>> import numpy as np
    >>> from skemotion.video import HOG3D
    >>> clips = np.random.default_rng(0).integers(0, 256, (2, 10, 30, 36), dtype=np.uint8)
    >>> hog = HOG3D().fit(clips)
    >>> hog.transform(clips).shape
    (2, 2, 6, 6, 9, 2)
    >>> hog.get_feature_names_out()[-1]
    'hog3d_t01_y05_x05_bin8_polar'
    """

    takes = "frames"
    _parameter_constraints = {
        "cell_size": [tuple, list],
        "n_bins": [Interval(Integral, 2, None, closed="left")],
        "smoothing": ["boolean", Interval(Real, 0, _MOST_SMOOTHING, closed="right")],
    }

    def __init__(
        self,
        cell_size: tuple[int, int, int] = (5, 5, 6),
        n_bins: int = 9,
        smoothing: bool | float = False,
    ) -> None:
        self.cell_size = cell_size
        self.n_bins = n_bins
        self.smoothing = smoothing

    def transform_clip(self, clip: NDArray[Any]) -> NDArray[Any]:
        """Describe one clip.

        Parameters
        ----------
        clip : ndarray of shape (n_frames, height, width[, channel])
            Frames as `VideoLoader` returns them.

        Returns
        -------
        descriptor : ndarray of shape (cells_t, cells_y, cells_x, n_bins, 2)
            Azimuth (0) and polar (1) histograms, float64 for a float64 clip, else float32.
        """
        return hog3d(clip, self.cell_size, self.n_bins, self.smoothing)

    def name_values(self, input_features: Sequence[str] | None) -> list[str]:
        """Name the descriptor's values, such as ``hog3d_t03_y12_x40_bin5_polar``."""
        cells_t, cells_y, cells_x = (
            n // cell for n, cell in _cells(self.frames_shape_, self.cell_size)
        )
        return [
            f"hog3d_t{t:02d}_y{y:02d}_x{x:02d}_bin{k}_{angle}"
            for t in range(cells_t)
            for y in range(cells_y)
            for x in range(cells_x)
            for k in range(self.n_bins)
            for angle in _ANGLES
        ]

    def check_parameters(self) -> None:
        """Refuse a cell that is not three positive whole numbers."""
        _check_cell_size(self.cell_size)

    def remember_clip(self, cells: list[NDArray[Any]]) -> None:
        """Store the number, height and width of the frames, which determine the cells."""
        self.frames_shape_ = cells[0].shape[:3]


def hog3d(
    frames: NDArray[Any],
    cell_size: tuple[int, int, int] = (5, 5, 6),
    n_bins: int = 9,
    smoothing: bool | float = False,
) -> NDArray[Any]:
    """Describe one clip by its 3-d histograms of oriented gradients.

    Parameters
    ----------
    frames : ndarray of shape (n_frames, height, width[, channel])
        Grey or RGB frames, uint8 or float.
    cell_size : tuple of 3 int, default=(5, 5, 6)
        Frames, rows and columns of a cell.
    n_bins : int, default=9
        Bins of each histogram.
    smoothing : bool or float, default=False
        Standard deviation in pixels of a Gaussian over each frame; True means 1.

    Returns
    -------
    descriptor : ndarray of shape (cells_t, cells_y, cells_x, n_bins, 2)
        Azimuth and polar histograms, each divided by its L2 norm + 1e-6. float64 for float64
        frames, else float32.

    Raises
    ------
    ValueError
        If there is no frame or pixel, or values are so large that gradients are not finite.

    See Also
    --------
    HOG3D : The same as an estimator, with the details.

    Examples
    --------
    >>> import numpy as np
    >>> from skemotion.video import hog3d
    >>> ramp = np.tile(np.arange(12.0), (5, 10, 1))  # brightness grows along the width
    >>> hog3d(ramp)[0, 0, 0].argmax(axis=0)  # azimuth 0, polar angle pi / 2
    array([4, 4])
    """
    _check_cell_size(cell_size)
    frames = luma(np.asarray(frames))
    if not frames.size:
        raise ValueError(f"expected frames, got an empty array of shape {frames.shape}.")
    if frames.dtype not in (np.uint8, np.float32, np.float64):
        frames = frames.astype(np.float64)
    if smoothing:
        if smoothing > _MOST_SMOOTHING:
            raise ValueError(f"smoothing must be at most {_MOST_SMOOTHING}, got {smoothing!r}.")
        frames = _smooth(frames, float(smoothing))
    n_bins = int(n_bins)  # of NumPy's small types, n_bins + 1 may be 0
    dtype = np.float64 if frames.dtype == np.float64 else np.float32
    sides = _cells(frames.shape, cell_size)
    descriptor = np.empty((*(n // cell for n, cell in sides), n_bins, 2), dtype=dtype)
    azimuth = _edge_directions(np.linspace(-np.pi, np.pi, n_bins + 1), dtype)
    polar = _edge_directions(np.linspace(0, np.pi, n_bins + 1), dtype)
    _histograms(np.ascontiguousarray(frames), sides[0][1], sides[1][1], sides[2][1],
                azimuth, polar, descriptor)  # fmt: skip
    if frames.dtype != np.uint8 and not np.isfinite(descriptor).all():
        raise ValueError(
            "expected pixels whose gradients are finite numbers, found values up to "
            f"{np.abs(frames).max():.3g}. Scale the frames to [0, 1] or [0, 255]."
        )
    return descriptor


def _check_cell_size(cell_size: Any) -> None:
    if len(cell_size) != 3 or not all(isinstance(n, int | np.integer) and n > 0 for n in cell_size):
        raise ValueError(
            "cell_size must be three positive whole numbers (frames, rows, columns), "
            f"got {cell_size!r}."
        )


def _cells(shape: tuple[int, ...], cell_size: tuple[int, int, int]) -> list[tuple[int, int]]:
    """Pair each axis' length with its cell's, no cell being longer than its axis."""
    return [(n, min(n, cell)) for n, cell in zip(shape, cell_size, strict=True)]


def _smooth(frames: NDArray[Any], sigma: float) -> NDArray[Any]:
    if frames.dtype == np.uint8:
        frames = frames.astype(np.float32)
    return np.stack(
        [cv2.GaussianBlur(f, (0, 0), sigma, borderType=cv2.BORDER_REPLICATE) for f in frames]
    ).reshape(frames.shape)


def _edge_directions(edges: NDArray[np.float64], dtype: Any) -> NDArray[Any]:
    """Return the inner bin edges as unit vectors, shape (n_bins - 1, 2): cosine, sine."""
    directions = np.stack([np.cos(edges[1:-1]), np.sin(edges[1:-1])], axis=1)
    # Pixels being whole numbers, gradients often lie right on an edge at a multiple of 45 degrees.
    # Without the rounding, cos(pi / 2) = 6e-17 and the like would put them on a side by chance.
    return directions.round(14).astype(dtype)


@numba.njit(cache=True, nogil=True, fastmath={"nsz"}, error_model="numpy")
def _histograms(frames, size_t, size_y, size_x, azimuth, polar, out):  # type: ignore[no-untyped-def]
    """Fill `out` with the normalised histograms of every cell, in one pass over the frames.

    No angle is ever computed: which side of a bin's edge a gradient lies on is the sign of its
    cross product with the edge's direction. For every edge the weights on its far side are
    summed, per column of the picture, which is arithmetic on whole rows that the compiler turns
    into vector instructions; a bin's content is the difference of two neighbouring edges' sums.
    """
    n_frames, height, width = frames.shape
    cells_t, cells_y, cells_x, n_bins, _ = out.shape
    n_edges = n_bins - 1
    real = out.dtype
    gx = np.empty(width, real)
    gy = np.empty(width, real)
    gt = np.empty(width, real)
    across = np.empty(width, real)  # length of the gradient's part in the picture's plane
    weight = np.empty(width, real)
    weight_up = np.empty(width, real)  # the weight where azimuth >= 0, else zero
    weight_down = np.empty(width, real)
    sums = np.empty((2 * n_edges + 2, width), real)
    above = np.empty((2, n_bins + 1), real)
    half = real.type(0.5)
    zero = real.type(0)
    one = real.type(1)

    for ct in range(cells_t):
        for cy in range(cells_y):
            sums[:] = zero
            for t in range(ct * size_t, (ct + 1) * size_t):
                before, after = max(t - 1, 0), min(t + 1, n_frames - 1)
                scale_t = half if after - before == 2 else one
                for y in range(cy * size_y, (cy + 1) * size_y):
                    up, down = max(y - 1, 0), min(y + 1, height - 1)
                    scale_y = half if down - up == 2 else one
                    row = frames[t, y]
                    row_up, row_down = frames[t, up], frames[t, down]
                    row_before, row_after = frames[before, y], frames[after, y]
                    gx[0] = real.type(row[min(1, width - 1)]) - real.type(row[0])
                    gx[width - 1] = real.type(row[width - 1]) - real.type(row[max(width - 2, 0)])
                    for x in range(1, width - 1):
                        gx[x] = half * (real.type(row[x + 1]) - real.type(row[x - 1]))
                    for x in range(width):
                        dx = gx[x]
                        dy = scale_y * (real.type(row_down[x]) - real.type(row_up[x]))
                        dt = scale_t * (real.type(row_after[x]) - real.type(row_before[x]))
                        plane = dx * dx + dy * dy
                        length = np.sqrt(plane + dt * dt)
                        # A gradient along time alone has azimuth 0, as atan2(0, 0) has it.
                        gx[x] = dx if plane > zero else one
                        gy[x] = dy
                        gt[x] = dt
                        across[x] = np.sqrt(plane)
                        weight[x] = length
                        weight_up[x] = length if dy >= zero else zero
                        weight_down[x] = zero if dy >= zero else length
                    for k in range(n_edges):
                        # Unpacking a row, `= azimuth[k]`, would cost a third of the time.
                        cosine, sine = azimuth[k, 0], azimuth[k, 1]
                        half_weight = weight_up if sine >= zero else weight_down
                        _add_beyond(cosine, sine, gx, gy, half_weight, sums[k])
                        cosine, sine = polar[k, 0], polar[k, 1]
                        _add_beyond(cosine, sine, gt, across, weight, sums[n_edges + k])
                    for x in range(width):
                        sums[2 * n_edges, x] += weight_up[x]
                        sums[2 * n_edges + 1, x] += weight[x]

            for cx in range(cells_x):
                columns = sums[:, cx * size_x : (cx + 1) * size_x]
                all_up = columns[2 * n_edges].sum()
                total = columns[2 * n_edges + 1].sum()
                above[:, 0] = total
                above[:, n_bins] = zero
                for k in range(n_edges):
                    above[0, k + 1] = columns[k].sum()
                    if azimuth[k, 1] < zero:
                        above[0, k + 1] += all_up
                    above[1, k + 1] = columns[n_edges + k].sum()
                for angle in range(2):
                    square = zero
                    for k in range(n_bins):
                        # Rounding can leave a trace below zero in an empty bin.
                        value = max(above[angle, k] - above[angle, k + 1], zero)
                        out[ct, cy, cx, k, angle] = value
                        square += value * value
                    norm = np.sqrt(square) + real.type(1e-6)
                    for k in range(n_bins):
                        out[ct, cy, cx, k, angle] /= norm


@numba.njit(cache=True, nogil=True, fastmath={"nsz"}, inline="always")
def _add_beyond(cosine, sine, along, across, weight, total):  # type: ignore[no-untyped-def]
    """Add the weights of the vectors (along, across) that lie at or beyond an edge."""
    for x in range(len(total)):
        if cosine * across[x] - sine * along[x] >= 0:
            total[x] += weight[x]
