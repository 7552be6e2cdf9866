"""The folder that relative paths start from, for workers that were started in another."""

from __future__ import annotations

import os
from contextlib import suppress


def working_folder() -> str | None:
    """Return the folder that relative paths start from; None if it has been removed."""
    try:
        return os.getcwd()  # noqa: PTH109
    except FileNotFoundError:
        return None


def go_to_folder(folder: str | None) -> None:
    """Go to the caller's folder, which may have changed since the last clip, if it is here.

    Parameters
    ----------
    folder : str or None
        The caller's `working_folder`.
    """
    if folder is not None and folder != working_folder():
        with suppress(OSError):
            os.chdir(folder)
