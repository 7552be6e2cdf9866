"""Histograms of oriented gradients of single frames."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Integral
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils._param_validation import Interval

from ..base import ClipTransformer
from ._luma import luma


class FrameHOG(ClipTransformer):
    """Describe each frame of a clip by histograms of the directions of its gradients.

    A frame is cut into cells, and in each the directions of the gradients, opposite ones being
    the same, are counted into a histogram, weighted by the gradient's magnitude. Blocks of
    neighbouring cells, which overlap, are normalised together. A frame's descriptor depends only
    on the frame. Needs scikit-image, the extra ``image``.

    Parameters
    ----------
    n_bins : int, default=9
        Bins of each histogram, over [0, 180) degrees.
    cell_size : tuple of 2 int, default=(8, 8)
        Rows and columns of a cell, in pixels. Only complete cells are described; the remainder at
        the far ends is ignored. A side shorter than a cell is one cell.
    block_size : tuple of 2 int, default=(2, 2)
        Rows and columns of a block, in cells. Blocks overlap and are moved cell by cell; a side of
        fewer cells is one block.

    Attributes
    ----------
    frame_shape_ : tuple of 2 int
        Height and width of the frames at fit.
    n_features_in_ : int
        Second axis of X at fit; 1 for a column of clips.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Column names of X at fit, if X was numbers and had any.
    clip_shape_ : tuple of int
        Shape of a clip at fit; empty for a column of clips.

    See Also
    --------
    frame_hog : The same for one frame.
    HOG3D : Describes movement as well.
    skemotion.classification.FrameVotingClassifier : Learns from frames, and predicts clips.

    Notes
    -----
    The descriptor is that of [1]_ as scikit-image computes it [2]_, with the norm called L2-Hys:
    a block is divided by its L2 norm, clipped at 0.2 and divided by its norm again. A frame of
    224 x 224 pixels gets 26,244 values.

    References
    ----------
    .. [1] N. Dalal and B. Triggs, "Histograms of oriented gradients for human detection",
       CVPR 2005, section 6.
    .. [2] S. van der Walt et al., "scikit-image: image processing in Python", PeerJ 2:e453, 2014.

    Examples
    --------
    >>> import numpy as np
    >>> from skemotion.video import FrameHOG
    >>> clips = np.random.default_rng(0).integers(0, 256, (2, 5, 32, 40), dtype=np.uint8)
    >>> hog = FrameHOG().fit(clips)
    >>> hog.transform(clips).shape
    (2, 5, 432)
    >>> hog.get_feature_names_out()[-1]
    'hog_y02_x03_r1_c1_bin8_frame004'
    """

    takes = "frames"
    ragged = True
    _parameter_constraints = {
        "n_bins": [Interval(Integral, 2, None, closed="left")],
        "cell_size": [tuple, list],
        "block_size": [tuple, list],
    }

    def __init__(
        self,
        n_bins: int = 9,
        cell_size: tuple[int, int] = (8, 8),
        block_size: tuple[int, int] = (2, 2),
    ) -> None:
        self.n_bins = n_bins
        self.cell_size = cell_size
        self.block_size = block_size

    def transform_clip(self, clip: NDArray[Any]) -> NDArray[Any]:
        """Describe each frame of one clip.

        Parameters
        ----------
        clip : ndarray of shape (n_frames, height, width[, channel])
            Frames as `VideoLoader` returns them.

        Returns
        -------
        descriptors : ndarray of shape (n_frames, n_values)
            float64 for a float64 clip, else float32.

        Raises
        ------
        ValueError
            If the frames have another height or width than at fit.
        """
        shape = getattr(self, "frame_shape_", clip.shape[1:3])
        if clip.shape[1:3] != shape:
            raise ValueError(
                f"expected frames of {shape[0]} x {shape[1]} pixels in every clip, found "
                f"{clip.shape[1]} x {clip.shape[2]}: give all clips one size first, for example "
                "with VideoLoader(size=(height, width))."
            )
        return np.stack([frame_hog(frame, **self.get_params()) for frame in clip])

    def name_values(self, input_features: Sequence[str] | None) -> list[str]:
        """Name the values of a frame, or of every frame where clips are equally long.

        Such as ``hog_y03_x12_r0_c1_bin5``, for the block that starts at cell (3, 12), in it the
        cell at row 0 and column 1; ``hog_y03_x12_r0_c1_bin5_frame004`` for one frame of several.
        """
        cell, block = _fit_sizes(self.frame_shape_, self.cell_size, self.block_size)
        blocks_y, blocks_x = (
            n // of_cell - of_block + 1
            for n, of_cell, of_block in zip(self.frame_shape_, cell, block, strict=True)
        )
        names = [
            f"hog_y{y:02d}_x{x:02d}_r{r}_c{c}_bin{k}"
            for y in range(blocks_y)
            for x in range(blocks_x)
            for r in range(block[0])
            for c in range(block[1])
            for k in range(self.n_bins)
        ]
        if len(self.clip_shape_) < 2:
            return names
        frames = range(self.clip_shape_[0])
        return [f"{name}_frame{t:03d}" for t in frames for name in names]

    def lift_row(self, row: NDArray[Any]) -> NDArray[Any]:
        """Take a row of plain numbers for one frame, of one row of pixels."""
        return row[np.newaxis, np.newaxis]

    def cache_identity(self) -> str:
        """Return scikit-image's version."""
        return str(_scikit_image().__version__)

    def check_parameters(self) -> None:
        """Refuse sizes that are not two positive whole numbers."""
        _check_sizes(self.cell_size, self.block_size)

    def remember_clip(self, cells: list[NDArray[Any]]) -> None:
        """Note the frames' height and width."""
        self.frame_shape_ = cells[0].shape[1:3]


def frame_hog(
    frame: NDArray[Any],
    n_bins: int = 9,
    cell_size: tuple[int, int] = (8, 8),
    block_size: tuple[int, int] = (2, 2),
) -> NDArray[Any]:
    """Describe one frame by its histograms of oriented gradients.

    Parameters
    ----------
    frame : ndarray of shape (height, width[, channel])
        Grey or RGB, uint8 or float; colour is turned into luma.
    n_bins : int, default=9
        Bins of each histogram.
    cell_size : tuple of 2 int, default=(8, 8)
        Rows and columns of a cell, in pixels.
    block_size : tuple of 2 int, default=(2, 2)
        Rows and columns of a block, in cells.

    Returns
    -------
    descriptor : ndarray of shape (n_values,)
        Blocks row by row, in each its cells row by row, in each the bins. float64 for a float64
        frame, else float32.

    See Also
    --------
    FrameHOG : The same as an estimator, with the details.

    Examples
    --------
    >>> import numpy as np
    >>> from skemotion.video import frame_hog
    >>> ramp = np.tile(np.arange(16.0), (16, 1))  # brightness grows along the width
    >>> frame_hog(ramp).reshape(2, 2, 9).argmax(axis=2)  # of the four cells of one block
    array([[0, 0],
           [0, 0]])
    """
    _check_sizes(cell_size, block_size)
    grey = luma(np.asarray(frame)[np.newaxis])[0]
    # Made single here, as scikit-image would compute on in double.
    grey = grey.astype(np.float32 if grey.dtype in (np.uint8, np.float32) else np.float64)
    cell, block = _fit_sizes(grey.shape, cell_size, block_size)
    descriptor: NDArray[Any] = _scikit_image().feature.hog(
        grey, n_bins, pixels_per_cell=cell, cells_per_block=block, block_norm="L2-Hys"
    )
    return descriptor


def _fit_sizes(
    shape: tuple[int, ...], cell_size: tuple[int, int], block_size: tuple[int, int]
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Make no cell longer than its side of the frame, and no block longer than the cells."""
    cell = tuple(min(n, size) for n, size in zip(shape, cell_size, strict=True))
    block = tuple(min(n // c, size) for n, c, size in zip(shape, cell, block_size, strict=True))
    return cell, block


def _check_sizes(cell_size: Any, block_size: Any) -> None:
    for name, size in (("cell_size", cell_size), ("block_size", block_size)):
        if len(size) != 2 or not all(isinstance(n, int | np.integer) and n > 0 for n in size):
            raise ValueError(
                f"{name} must be two positive whole numbers (rows, columns), got {size!r}."
            )


def _scikit_image() -> ModuleType:
    try:
        import skimage.feature
    except ImportError:
        raise ImportError(
            'FrameHOG needs scikit-image: python -m pip install "skemotion[image]"'
        ) from None
    return skimage
