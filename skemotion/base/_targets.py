"""Where to write: checked before the work."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path


def check_target(path: str | os.PathLike[str], what: str = "file") -> Path:
    """Check that a file can be written, before the work whose result it is to hold.

    Parameters
    ----------
    path : path-like
        The file. It may exist.
    what : str, default="file"
        What it is, for messages.

    Returns
    -------
    path : Path

    Raises
    ------
    IsADirectoryError
        If it is a folder.
    FileNotFoundError, NotADirectoryError, PermissionError
        If its folder does not exist, is none, or takes no files.

    Examples
    --------
    >>> from skemotion.base import check_target
    >>> check_target("nowhere/r.html", "report")
    Traceback (most recent call last):
        ...
    FileNotFoundError: nowhere: no such folder to save the report in. Create it.
    """
    path = Path(path)
    if path.is_dir():
        raise IsADirectoryError(f"{path}: is a folder. Give the name of the file to write.")
    folder = path.parent
    if not folder.exists():
        raise FileNotFoundError(f"{folder}: no such folder to save the {what} in. Create it.")
    if not folder.is_dir():
        raise NotADirectoryError(f"{folder}: is no folder to save the {what} in.")
    check_writable(folder)
    return path


def check_writable(folder: str | os.PathLike[str]) -> None:
    """Check that files can be made in a folder.

    Parameters
    ----------
    folder : path-like
        A folder that exists.

    Raises
    ------
    PermissionError
        If they cannot.

    Examples
    --------
    >>> import tempfile
    >>> from skemotion.base import check_writable
    >>> check_writable(tempfile.gettempdir())
    """
    try:
        # Permissions do not say it: the administrator has them in /proc, too.
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise PermissionError(
            f"{os.fspath(folder)}: cannot be written to ({error.strerror}). Give another folder."
        ) from error
