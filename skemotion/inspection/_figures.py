"""Figures to draw on."""

from __future__ import annotations

from typing import Any


def new_figure(size: tuple[float, float]) -> Any:
    """Make a figure, as pyplot does: notebooks show it by themselves.

    Parameters
    ----------
    size : tuple of (float, float)
        Width and height in inches.

    Returns
    -------
    figure : matplotlib Figure

    Raises
    ------
    ImportError
        If matplotlib is not installed.
    """
    return import_pyplot().figure(figsize=size, layout="constrained")


def import_pyplot() -> Any:
    """Import matplotlib's pyplot, which is an extra.

    Returns
    -------
    pyplot : module

    Raises
    ------
    ImportError
        If matplotlib is not installed.
    """
    try:
        import matplotlib.pyplot as plt
    except ImportError as error:
        raise ImportError(
            'Pictures need matplotlib: python -m pip install "skemotion[plot]"'
        ) from error
    return plt
