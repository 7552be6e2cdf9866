"""Histograms of oriented gradients as glyphs on the frames that they describe."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..base import object_array
from ..pipeline import ClipPipeline
from ..video import HOG3D
from ._figures import new_figure

# What a person can see at once: more frames are left out, more cells averaged.
_MOST_FRAMES, _MOST_CELLS = 4, 32


class HOG3DDisplay:
    """Glyphs of a clip's HOG3D descriptor: a star for each cell, on the frame in its middle.

    Each ray of a star points where brightness grows, and is as long as the azimuth histogram's bin
    is large. The orange disc is motion: the share of the polar histogram in the bins towards and
    away from the direction of time. Histograms are scaled cell by cell, so that weak noise looks
    like a strong edge; what differs is how the rays are spread.

    Make it by `from_estimator` or `from_descriptor`.

    Parameters
    ----------
    descriptor : array-like of shape (cells_t, cells_y, cells_x, n_bins, 2)
        As `hog3d` gives it.
    frames : array-like of shape (n_frames, height, width[, 3]), default=None
        What it describes; None for glyphs alone.
    title : str, default=None
        Title of the picture.

    Attributes
    ----------
    rays_ : list of matplotlib LineCollection
        The stars of each frame that is shown.
    discs_ : list of matplotlib PathCollection
        The motion.
    cells_ : list of int
        Which cells along time are shown.
    axes_ : list of matplotlib Axes
        One for each of them.
    ax_ : matplotlib Axes
        The first.
    figure_ : matplotlib Figure
        The picture; ``figure_.savefig("hog3d.png")`` saves it.

    See Also
    --------
    skemotion.video.HOG3D : Computes the descriptor.
    ExplanationDisplay : Shows which cells count for an answer.

    Examples
    --------
    >>> import numpy as np
    >>> from skemotion.inspection import HOG3DDisplay
    >>> from skemotion.video import HOG3D
    >>> clip = np.tile(np.arange(36, dtype=np.uint8), (10, 30, 1))  # brightness grows to the right
    >>> display = HOG3DDisplay.from_estimator(HOG3D(), clip)
    >>> display.descriptor.shape, display.cells_
    ((2, 6, 6, 9, 2), [0, 1])
    """

    def __init__(
        self, descriptor: ArrayLike, frames: ArrayLike | None = None, *, title: str | None = None
    ) -> None:
        self.descriptor = np.asarray(descriptor)
        self.frames = None if frames is None else np.asarray(frames)
        self.title = title

    @classmethod
    def from_estimator(cls, estimator: Any, clip: Any, *, title: str | None = None) -> Self:
        """Describe a clip, and draw.

        Parameters
        ----------
        estimator : HOG3D, or ClipPipeline that ends with one
            Fitted or not.
        clip : ndarray of frames, or what the pipeline takes
            The clip.
        title : str, default=None
            Title of the picture.

        Returns
        -------
        display : HOG3DDisplay

        Raises
        ------
        TypeError
            If the estimator is another.
        """
        frames = clip
        if isinstance(estimator, ClipPipeline):
            steps = getattr(estimator, "steps_", estimator.steps)
            if len(steps) > 1:
                before = ClipPipeline(list(steps[:-1]))
                frames = before.transform(object_array([clip]))[0]
            estimator = steps[-1][1]
        if not isinstance(estimator, HOG3D):
            raise TypeError(
                f"HOG3DDisplay expected a HOG3D, or a ClipPipeline that ends with one, got "
                f"{type(estimator).__name__}."
            )
        return cls.from_descriptor(estimator.transform_clip(frames), frames, title=title)

    @classmethod
    def from_descriptor(
        cls, descriptor: ArrayLike, frames: ArrayLike | None = None, *, title: str | None = None
    ) -> Self:
        """Draw a descriptor.

        Parameters
        ----------
        descriptor : array-like of shape (cells_t, cells_y, cells_x, n_bins, 2)
            As `hog3d` gives it.
        frames : array-like of shape (n_frames, height, width[, 3]), default=None
            What it describes.
        title : str, default=None
            Title of the picture.

        Returns
        -------
        display : HOG3DDisplay
        """
        return cls(descriptor, frames, title=title).plot()

    def plot(self, *, figure: Any = None) -> Self:
        """Draw.

        Parameters
        ----------
        figure : matplotlib Figure, default=None
            Where to draw; None for a figure of its own.

        Returns
        -------
        self : HOG3DDisplay

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        """
        cells = _merged(self.descriptor)
        n_times, n_rows, n_columns = cells.shape[:3]
        shown = np.unique(np.linspace(0, n_times - 1, min(n_times, _MOST_FRAMES)).round())
        self.cells_ = [int(time) for time in shown]
        # Of the picture, or as if cells were square.
        height, width = (n_rows, n_columns) if self.frames is None else self.frames.shape[1:3]
        across = min(len(self.cells_), 2)
        down = -(-len(self.cells_) // across)
        if figure is None:
            figure = new_figure((5 * across, 5 * down * height / width + 0.5))
        axes = figure.subplots(down, across, squeeze=False).ravel()
        for ax in axes[len(self.cells_) :]:
            ax.remove()
        self.axes_ = list(axes[: len(self.cells_)])
        self.rays_: list[Any] = []
        self.discs_: list[Any] = []
        size = np.array([width / n_columns, height / n_rows])
        for ax, time in zip(self.axes_, self.cells_, strict=True):
            if self.frames is not None:
                frame = self.frames[(2 * time + 1) * len(self.frames) // (2 * n_times)]
                gray = frame.mean(axis=-1) if frame.ndim == 3 else frame
                low, high = float(gray.min()), float(gray.max())
                ax.imshow(
                    gray,
                    cmap="gray",
                    vmin=low - 1.2 * (high - low),  # paler, so that rays show on what is dark
                    vmax=max(high, low + 1),
                    extent=(0, width, height, 0),
                )
            self._draw_cells(ax, cells[time], size)
            ax.set(xlim=(0, width), ylim=(height, 0), xticks=[], yticks=[], aspect="equal")
            ax.set_title(f"cell {time + 1} of {n_times} along time", fontsize="small")
        if self.title:
            figure.suptitle(self.title)
        self.ax_ = self.axes_[0]
        self.figure_ = self.ax_.get_figure(root=True)
        return self

    def _draw_cells(self, ax: Any, cells: NDArray[Any], size: NDArray[np.float64]) -> None:
        from matplotlib.collections import LineCollection

        n_rows, n_columns, n_bins, _ = cells.shape
        rows, columns = np.mgrid[:n_rows, :n_columns]
        middles = np.stack([(columns + 0.5) * size[0], (rows + 0.5) * size[1]], axis=-1)
        angles = np.linspace(-np.pi, np.pi, 2 * n_bins + 1)[1::2]
        directions = np.stack([np.cos(angles), np.sin(angles)], axis=-1)
        rays = 0.5 * size.min() * cells[..., 0, np.newaxis] * directions
        middle = np.broadcast_to(middles[:, :, np.newaxis], rays.shape)
        lines = np.stack([middle, middle + rays], axis=-2).reshape(-1, 2, 2)
        star = LineCollection(list(lines), colors="#0072B2", linewidths=1.0, capstyle="round")
        self.rays_.append(ax.add_collection(star))
        motion = _motion(cells[..., 1])
        points = middles[motion > 0]
        # Areas in points squared: of a cell, as the picture is drawn 5 inches wide.
        most = (0.5 * size.min() / (size[0] * n_columns) * 5 * 72) ** 2
        self.discs_.append(
            ax.scatter(*points.T, s=most * motion[motion > 0], c="#D55E00", alpha=0.7, linewidths=0)
        )


def _merged(descriptor: NDArray[Any]) -> NDArray[np.float64]:
    """Average the histograms of neighbours, where there are too many cells to see."""
    cells = descriptor.astype(np.float64)
    step = max(-(-cells.shape[axis] // _MOST_CELLS) for axis in (1, 2))
    for axis in (1, 2):
        n_blocks = max(cells.shape[axis] // step, 1)
        edges = np.arange(n_blocks) * step
        sizes = np.diff([*edges, cells.shape[axis]])
        shape = [-1 if a == axis else 1 for a in range(cells.ndim)]
        cells = np.add.reduceat(cells, edges, axis=axis) / sizes.reshape(shape)
    return cells


def _motion(polar: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the share of histograms that is nearer to time's direction than to the picture's."""
    n_bins = polar.shape[-1]
    angles = np.linspace(0, np.pi, 2 * n_bins + 1)[1::2]
    along = np.abs(np.cos(angles)) > np.cos(np.pi / 4)
    total = polar.sum(axis=-1)
    return np.divide(
        polar[..., along].sum(axis=-1), total, out=np.zeros_like(total), where=total > 0
    )
