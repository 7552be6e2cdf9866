"""Colours that can be read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


def readable_on(color: Sequence[float] | Any) -> str:
    """Return black or white, whichever has more contrast (WCAG 2.1, relative luminance).

    Parameters
    ----------
    color : sequence of float
        Red, green, blue, each from 0 to 1; what follows is left aside.

    Returns
    -------
    name : {"black", "white"}
    """
    red, green, blue = (
        c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in color[:3]
    )
    return "white" if 0.2126 * red + 0.7152 * green + 0.0722 * blue < 0.179 else "black"
