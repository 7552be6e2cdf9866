"""Maps of effects, on pictures and by feature and time."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ._explained_frames import ExplainedFrame
from ._shades import AGAINST, FOR, shades

# Cells that are outlined, for and against, over all times.
_OUTLINED = 4


def draw_cells(
    figure: Any, effects: NDArray[np.float64], frames: list[ExplainedFrame]
) -> list[Any]:
    """Draw the effects of a picture's regions on frames.

    Parameters
    ----------
    figure : matplotlib Figure or SubFigure
    effects : ndarray of shape (times, rows, columns)
    frames : list of ExplainedFrame
        One for each time; without, the map is drawn alone.

    Returns
    -------
    axes : list of matplotlib Axes
        One for each time.
    """
    n_times, n_rows, n_columns = effects.shape
    across = min(n_times, 2) if n_times <= 4 else 4
    grid = figure.subplots(-(-n_times // across), across, squeeze=False)
    axes = list(grid.ravel())
    for ax in axes[n_times:]:
        ax.remove()
    most = np.abs(effects).max() or 1.0
    order = np.argsort(effects, axis=None)
    outlined = {int(place) for place in [*order[:_OUTLINED], *order[-_OUTLINED:]]}
    for time, ax in enumerate(axes[:n_times]):
        extent = (-0.5, n_columns - 0.5, n_rows - 0.5, -0.5)
        aspect: Any = 1.0
        if frames:
            image = np.asarray(frames[time].image)
            gray = image.mean(axis=-1) if image.ndim == 3 else image
            # Paler than it is, so that colours show on dark pictures.
            ax.imshow(gray, cmap="gray", vmin=-80, vmax=255, extent=extent)
            aspect = gray.shape[0] * n_columns / (gray.shape[1] * n_rows)
        shown = ax.imshow(
            effects[time],
            cmap=shades(),
            vmin=-most,
            vmax=most,
            alpha=0.75 * (np.abs(effects[time]) / most) ** 0.7 if frames else None,
            extent=extent,
            interpolation="nearest",
        )
        for (row, column), effect in np.ndenumerate(effects[time]):
            if np.ravel_multi_index((time, row, column), effects.shape) in outlined and effect:
                ax.add_patch(_outline(row, column, effect))
        ax.set_aspect(aspect)
        ax.set(xticks=[], yticks=[])
        ax.set_title(_stretch(time, n_times), fontsize="small")
    bar = figure.colorbar(shown, ax=axes[:n_times], shrink=0.8)
    bar.set_label("against  ←  effect  →  for")
    return axes[:n_times]


def draw_curves(figure: Any, effects: pd.DataFrame) -> list[Any]:
    """Draw the effects of curves by feature and time.

    Parameters
    ----------
    figure : matplotlib Figure or SubFigure
    effects : DataFrame
        A row for each curve, a column for each stretch of time.

    Returns
    -------
    axes : list of one matplotlib Axes
    """
    ax = figure.subplots()
    grid = effects.to_numpy()
    most = np.abs(grid).max() or 1.0
    shown = ax.imshow(grid, cmap=shades(), vmin=-most, vmax=most, aspect="auto")
    order = np.argsort(grid, axis=None)
    for place in [*order[:_OUTLINED], *order[-_OUTLINED:]]:
        row, column = divmod(int(place), grid.shape[1])
        if grid[row, column]:
            ax.add_patch(_outline(row, column, float(grid[row, column])))
    n_times = grid.shape[1]
    edges = np.linspace(0, n_times, min(n_times, 4) + 1)
    ax.set_xticks(edges - 0.5, [f"{100 * edge / n_times:.0f}" for edge in edges])
    ax.set_yticks(range(len(effects)), list(effects.index), fontsize="x-small")
    ax.set_xlabel("time, % of the clip")
    figure.colorbar(shown, ax=ax).set_label("against  ←  effect  →  for")
    return [ax]


def _outline(row: int, column: int, effect: float) -> Any:
    from matplotlib.patches import Rectangle

    return Rectangle(
        (column - 0.5, row - 0.5),
        1,
        1,
        fill=False,
        linewidth=1.8,
        edgecolor=FOR if effect > 0 else AGAINST,
        linestyle="-" if effect > 0 else "--",
    )


def _stretch(time: int, n_times: int) -> str:
    return f"{100 * time / n_times:.0f} to {100 * (time + 1) / n_times:.0f} % of the clip"
