"""Reliability diagram of an evaluation: how often answers are right, by how sure they were."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..model_selection import calibration_bins
from ._evaluation_html import percent, table

if TYPE_CHECKING:
    from ..model_selection import Evaluation

_SIDE, _LEFT, _BELOW = 280, 52, 46
_MOST_RADIUS = _SIDE // 12
# Where the largest circle can be: at 100 %.
_ABOVE = _RIGHT = _MOST_RADIUS + 2


def reliability_table(evaluation: Evaluation) -> str:
    """Lay out confidence and accuracy in the bins that have predictions.

    Parameters
    ----------
    evaluation : Evaluation
        With probabilities.

    Returns
    -------
    html : str
    """
    rows = [
        [f"{100 * low:.0f} to {100 * high:.0f} %", int(n), percent(confidence), percent(accuracy)]
        for low, high, n, confidence, accuracy in _bins(evaluation)
    ]
    head = ["confidence", "predictions", "mean confidence", "right"]
    return table("Predictions by confidence", head, rows)


def reliability_diagram(evaluation: Evaluation) -> str:
    """Draw accuracy over confidence as SVG; circles have areas by their numbers of predictions.

    Parameters
    ----------
    evaluation : Evaluation
        With probabilities.

    Returns
    -------
    html : str
        An ``<svg>`` with a text for those who do not see it.
    """
    bins = _bins(evaluation)
    width, height = _LEFT + _SIDE + _RIGHT, _ABOVE + _SIDE + _BELOW
    left, bottom = _LEFT, _ABOVE + _SIDE
    words = f"Reliability diagram, {evaluation.protocol}: the table of this section as a picture"
    parts = [
        f'<svg role="img" aria-label="{escape(words)}" width="{width}" height="{height}" '
        f'viewBox="0 0 {width} {height}" font-size="12" fill="#16191d">',
        f'<rect x="{left}" y="{_ABOVE}" width="{_SIDE}" height="{_SIDE}" fill="none" '
        'stroke="#6b7480"/>',
        f'<line x1="{left}" y1="{bottom}" x2="{left + _SIDE}" y2="{_ABOVE}" stroke="#6b7480" '
        'stroke-dasharray="5 4"/>',
    ]
    for share in (0, 25, 50, 75, 100):
        x, y = left + _SIDE * share / 100, bottom - _SIDE * share / 100
        parts += [
            f'<text x="{x:.0f}" y="{bottom + 16}" text-anchor="middle">{share}</text>',
            f'<text x="{left - 6}" y="{y + 4:.0f}" text-anchor="end">{share}</text>',
        ]
    parts += [
        f'<text x="{left + _SIDE / 2:.0f}" y="{bottom + 36}" text-anchor="middle">'
        "mean confidence, %</text>",
        f'<text transform="translate(14 {_ABOVE + _SIDE / 2:.0f}) rotate(-90)" '
        'text-anchor="middle">right, %</text>',
    ]
    radii = _MOST_RADIUS * np.sqrt(bins[:, 2] / bins[:, 2].max())
    for (*_, confidence, accuracy), radius in zip(bins, radii, strict=True):
        x, y = left + _SIDE * confidence, bottom - _SIDE * accuracy
        parts.append(
            f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{max(radius, 2.5):.1f}" fill="#08519c" '
            'fill-opacity="0.55" stroke="#08306b"/>'
        )
    return "".join([*parts, "</svg>"])


def _bins(evaluation: Evaluation) -> NDArray[np.float64]:
    """Give borders, number of predictions, confidence and accuracy of the bins that have any."""
    bins = calibration_bins(evaluation.target, evaluation.probabilities, evaluation.labels)
    return bins[bins["n_clips"] > 0].to_numpy(dtype=np.float64)
