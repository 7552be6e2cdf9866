"""Effects of the parts of a face, drawn on it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from ._explained_frames import ExplainedFrame
from ._explanation_files import signed
from ._shades import AGAINST, FOR

# Points of iBUG's 68 that outline each part, line by line, and the point by which its name is set.
_EYES = ([*range(36, 42), 36], [*range(42, 48), 42])
_LINES: dict[str, tuple[tuple[list[int], ...], int]] = {
    "brows": ((list(range(17, 22)), list(range(22, 27))), 26),
    "eyes": (_EYES, 45),
    "nose": ((list(range(27, 31)), list(range(31, 36))), 35),
    "mouth": (([*range(48, 60), 48], [*range(60, 68), 60]), 54),
    "jaw": ((list(range(4, 13)),), 11),
    "head": ((list(range(5)), list(range(12, 17))), 16),
    "cheeks": ((), 14),
}
# Around the middle of these, on either side.
_CHEEKS = ([1, 31, 48], [15, 35, 54])
# What is seen elsewhere than at points of its own.
_PLACES = {"gaze": "eyes"}


def draw_face(figure: Any, frame: ExplainedFrame, effects: pd.Series) -> list[Any]:
    """Draw the effects of the parts of a face.

    Parameters
    ----------
    figure : matplotlib Figure or SubFigure
    frame : ExplainedFrame
        The face.
    effects : Series
        By part.

    Returns
    -------
    axes : list of one matplotlib Axes
    """
    ax = figure.subplots()
    ax.set(xticks=[], yticks=[])
    ax.set_title(f"{100 * frame.time:.0f} % into the clip", fontsize="small")
    points = frame.points
    if frame.image is not None:
        image = np.asarray(frame.image, dtype=float)
        gray = image.mean(axis=-1) if image.ndim == 3 else image
        ax.imshow(gray, cmap="gray", vmin=-120, vmax=255)
    if points is None:
        return [ax]
    low, high = points.min(axis=0), points.max(axis=0)
    side = float((high - low).max())
    most = float(effects.abs().max()) or 1.0
    seen: dict[str, dict[str, float]] = {}
    for part, effect in effects.items():
        seen.setdefault(_PLACES.get(str(part), str(part)), {})[str(part)] = float(effect)
    labels = []
    for part, (lines, corner) in _LINES.items():
        own = seen.get(part, {})
        effect = sum(own.values())
        color = (FOR if effect > 0 else AGAINST) if own else "#666666"
        width = 1 + 5 * min(abs(effect) / most, 1) if own else 0.8
        style: Any = "-" if effect >= 0 else (0, (2, 1))
        for line in lines:
            ax.plot(*points[line].T, color=color, linewidth=width, linestyle=style)
        if part == "cheeks" and own:
            middles = np.array([points[corners].mean(axis=0) for corners in _CHEEKS])
            circles = {"facecolors": "none", "edgecolors": color, "linewidths": width}
            ax.scatter(*middles.T, s=250, linestyles=[style], **circles)
        labels += [(name, value, points[corner]) for name, value in own.items()]
    labels.sort(key=lambda label: label[2][1])
    lowest = -np.inf
    for name, value, (x, y) in labels:
        color = FOR if value > 0 else AGAINST
        lowest = max(lowest + 0.085 * side, y)
        ax.annotate(
            f"{name} {signed(value)}",
            (x, y),
            xytext=(high[0] + 0.12 * side, lowest),
            fontsize="small",
            va="center",
            color=color,
            arrowprops={"arrowstyle": "-", "color": color, "linewidth": 0.6},
            # Hair is dark.
            bbox={"boxstyle": "round,pad=0.15", "facecolor": "white", "alpha": 0.8, "linewidth": 0},
        )
    ax.set_xlim(low[0] - 0.3 * side, high[0] + 0.75 * side)
    bottom = high[1] + 0.2 * side
    if frame.image is not None:  # which ends, at times, right below the chin
        bottom = max(min(bottom, len(frame.image) - 0.5), lowest + 0.05 * side)
    ax.set_ylim(bottom, low[1] - 0.35 * side)
    ax.set_aspect("equal")
    return [ax]
