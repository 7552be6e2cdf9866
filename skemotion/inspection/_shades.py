"""Colours of what speaks for an answer and against it."""

from __future__ import annotations

from typing import Any

# Okabe and Ito's blue and vermilion, distinct for the colour-blind; the second is hatched or dashed
# as well, for print in grey.
FOR, AGAINST = "#0072B2", "#D55E00"
HATCH = "///"


def shades() -> Any:
    """Return a colour map from against, by white, to for.

    Returns
    -------
    cmap : matplotlib Colormap
    """
    from matplotlib.colors import LinearSegmentedColormap

    return LinearSegmentedColormap.from_list("for and against", [AGAINST, "white", FOR])
