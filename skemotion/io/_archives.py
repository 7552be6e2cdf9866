"""Zip archives whose directory is read once, and not for each of their members."""

from __future__ import annotations

import os
import threading
import time
import zipfile
from typing import IO, Any

# An archive that changes within a clock's tick of its last change looks as it did before.
_TICK = 2.0  # seconds; FAT's is the longest
_MOST_ARCHIVES = 16

# By path: what the file was like when its directory was read, and the directory.
_known: dict[str, tuple[tuple[int, ...], dict[str, Any]]] = {}
_lock = threading.Lock()


def open_archive(file: IO[bytes], path: str | None) -> zipfile.ZipFile:
    """Open a zip archive; read its directory unless it is known from before.

    A directory of 100,000 members takes a second to read and 60 MB to keep. It is read again
    when the archive's size, inode or times of change differ.

    Parameters
    ----------
    file : binary file
        The archive.
    path : str or None
        Where it is, if it is a local file; None otherwise.

    Returns
    -------
    archive : zipfile.ZipFile

    Raises
    ------
    zipfile.BadZipFile
        If it is none.
    """
    if path is None:
        return zipfile.ZipFile(file)
    status = os.fstat(file.fileno())
    version = (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns,
               status.st_ctime_ns)  # fmt: skip
    if time.time() - max(status.st_mtime, status.st_ctime) < _TICK:
        return zipfile.ZipFile(file)
    with _lock:  # other threads wait for the directory, rather than read it too
        known = _known.get(path)
        if known is not None and known[0] == version:
            return _Archive(file, known[1])
        archive = _Archive(file)
        _known.pop(path, None)
        _known[path] = (version, {name: getattr(archive, name) for name in _DIRECTORY})
        while len(_known) > _MOST_ARCHIVES:
            del _known[next(iter(_known))]
        return archive


_DIRECTORY = ("filelist", "NameToInfo", "start_dir", "_comment")


class _Archive(zipfile.ZipFile):
    """An archive opened with its directory; a Python that asks for it otherwise reads it again."""

    def __init__(self, file: IO[bytes], directory: dict[str, Any] | None = None) -> None:
        self._given = directory
        super().__init__(file)

    def _RealGetContents(self) -> None:  # noqa: N802
        if self._given is None:
            super()._RealGetContents()  # type: ignore[misc]
        else:
            vars(self).update(self._given)


def _unlock() -> None:
    """Give a forked process a lock that no thread of its parent holds."""
    global _lock
    _lock = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_unlock)
