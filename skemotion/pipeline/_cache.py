"""A cache of the results of stages, one file per clip and stage."""

from __future__ import annotations

import errno
import hashlib
import io
import math
import os
import re
import stat
import time
import uuid
import warnings
from pathlib import Path
from typing import Any

import joblib
import numpy as np
from numpy.typing import NDArray

from ..base import object_array, plural
from ..io import identity

_DIGEST_BYTES = 16
_SUFFIX = ".clip"
_HEX = "[0-9a-f]" * 32  # a key, or the random part of a name
_HEAD_BYTES = 4096  # more than the header of any array here
_TABLE = "table"  # what the first array of an entry of several says


class ClipCache:
    """Results of the stages of a `ClipPipeline` in a folder, one file per clip and stage.

    The key of an entry depends on the clip's identity (path, size, inode and times of change; or
    its bytes), on the steps so far with their parameters and code, and on the versions of the
    packages they compute with. Entries are written under a temporary name and then renamed, so a
    killed run leaves no incomplete entry; a checksum detects damaged ones, which are computed
    again. Any number of workers may share a cache. If the folder cannot be written to, for example
    because the disk is full, the run continues without it. Whoever can write to the folder can
    change results: trust it as you trust the model.

    Parameters
    ----------
    folder : path-like
        On this machine; created with the first entry.

    Raises
    ------
    ValueError
        If the folder is an address of another machine.

    See Also
    --------
    ClipPipeline : Takes the folder as `memory`.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> import numpy as np
    >>> from skemotion.pipeline import ClipCache, ClipPipeline
    >>> from skemotion.video import HOG3D
    >>> with TemporaryDirectory() as folder:
    ...     describe = ClipPipeline([("hog3d", HOG3D())], memory=folder)
    ...     descriptors = describe.fit_transform(np.arange(1200.0).reshape(2, 5, 10, 12))
    ...     print(ClipCache(folder))
    ...     ClipCache(folder).clear()
    ...     print(ClipCache(folder))
    ClipCache: 2 entries, 0.0 MB
    ClipCache: 0 entries, 0.0 MB
    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        # A Path has made one slash of two.
        if re.match(r"[A-Za-z][A-Za-z0-9+.-]+:/", os.fspath(folder)):
            raise ValueError(
                f"{os.fspath(folder)}: expected a folder on this machine for a cache, got an "
                "address. Mount it, and give the path."
            )
        self.folder = Path(folder)

    @property
    def n_entries(self) -> int:
        """Number of entries."""
        return len(self._entries())

    @property
    def n_bytes(self) -> int:
        """Size of all entries in bytes."""
        return sum(size for _, size, _ in self._sizes())

    def __repr__(self) -> str:
        return (
            f"ClipCache: {plural(self.n_entries, 'entry', 'entries')}, {self.n_bytes / 1e6:.1f} MB"
        )

    def clear(self) -> None:
        """Remove every entry, and nothing else in the folder."""
        for path, _, _ in self._sizes():
            path.unlink(missing_ok=True)

    def prune(
        self, *, max_bytes: int | None = None, older_than: float | None = None
    ) -> tuple[int, int]:
        """Remove entries by age, and then the oldest ones until the rest is small enough.

        Parameters
        ----------
        max_bytes : int, default=None
            Maximum size of all entries together; None for any.
        older_than : float, default=None
            Age in seconds above which an entry is removed; None for any.

        Returns
        -------
        n_removed : int
            Number of entries removed.
        n_bytes_removed : int
            Their size in bytes.
        """
        entries = sorted(self._sizes(), key=lambda entry: entry[2])
        left = sum(size for _, size, _ in entries)
        now, n_removed, n_bytes_removed = time.time(), 0, 0
        for path, size, written in entries:
            too_old = older_than is not None and now - written > older_than
            if not too_old and (max_bytes is None or left <= max_bytes):
                continue
            path.unlink(missing_ok=True)
            left, n_removed, n_bytes_removed = left - size, n_removed + 1, n_bytes_removed + size
        return n_removed, n_bytes_removed

    def keys(self, clip: Any, identities: list[str]) -> list[str]:
        """Return the key of the result of each step for a clip.

        Parameters
        ----------
        clip : path, address, bytes or array
            The clip.
        identities : list of str
            From `step_identity`, of the steps in order.

        Returns
        -------
        keys : list of str
            One per step; each depends on all steps so far.
        """
        # A row of a table is a list, whose cells may be paths of files.
        key = joblib.hash([identity(c) for c in clip] if isinstance(clip, list) else identity(clip))
        keys = []
        for step in identities:
            key = joblib.hash((key, step))
            keys.append(key)
        return keys

    def get(self, key: str) -> NDArray[Any] | None:
        """Read an entry; None if there is none, or a damaged one.

        Parameters
        ----------
        key : str
            From `keys`.

        Returns
        -------
        result : ndarray or None
            One row: numbers as a read-only memory map; a table of trajectories in memory.
        """
        try:
            content = _open(self._path(key))
            if content is None:
                return None
            payload = content[:-_DIGEST_BYTES]
            if content[-_DIGEST_BYTES:].tobytes() != _digest(key, payload):
                return None
            result = _read(payload)
        # Files of others raise whatever NumPy's reader, its parser and the system do; each is as
        # good as a missing entry.
        except Exception:
            return None
        # A step's result for one clip is one row.
        return result if result is not None and result.shape[:1] == (1,) else None

    def mark(self) -> str:
        """Write an entry that only those can read who share the folder.

        Returns
        -------
        key : str
        """
        key = str(joblib.hash(uuid.uuid4().bytes))
        self.put(key, np.zeros(1))
        return key

    def remove(self, key: str) -> None:
        """Remove an entry, if it is there.

        Parameters
        ----------
        key : str
            From `keys` or `mark`.
        """
        try:
            self._path(key).unlink(missing_ok=True)
        except OSError as error:
            self._warn(error)

    def put(self, key: str, result: NDArray[Any]) -> None:
        """Write an entry, whole or not at all.

        Parameters
        ----------
        key : str
            From `keys`.
        result : ndarray
            Numbers, or an object array of arrays.
        """
        try:
            payload = _write(result)
        except Exception as error:  # an array of objects, such as None where nothing was found
            self._warn(
                f"what a step has returned for a clip cannot be kept in this cache ({error}); it "
                "is computed again each time. Return arrays of numbers."
            )
            return
        path = self._path(key)
        part = path.with_name(f".{key}.{uuid.uuid4().hex}.part")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with part.open("wb") as file:
                file.write(payload)
                file.write(_digest(key, payload))
            part.replace(path)
        except OSError as error:
            self._warn(error)
        finally:
            try:
                part.unlink(missing_ok=True)
            except OSError as error:
                self._warn(error)

    def _warn(self, error: OSError | str) -> None:
        """Warn, once per process, that results are not kept."""
        text = error
        if isinstance(error, OSError):
            reason = "the disk is full" if error.errno == errno.ENOSPC else str(error)
            text = (
                f"results cannot be kept in this cache ({reason}); going on without it. Make room, "
                "or give another folder."
            )
        if (self.folder, type(error)) not in _unwritable:
            _unwritable.add((self.folder, type(error)))
            warnings.warn(f"{self.folder}: {text}", RuntimeWarning, stacklevel=3)

    def _sizes(self) -> list[tuple[Path, int, float]]:
        """Return path, size and time of each entry, those of killed runs included."""
        sizes = []
        for path in self._entries(unfinished=True):
            try:
                status = path.lstat()
            except FileNotFoundError:  # removed meanwhile by another process
                continue
            if not stat.S_ISDIR(status.st_mode):
                sizes.append((path, status.st_size, status.st_mtime))
        return sizes

    def _path(self, key: str) -> Path:
        return self.folder / key[:2] / f"{key}{_SUFFIX}"

    def _entries(self, *, unfinished: bool = False) -> list[Path]:
        found = list(self.folder.glob(f"??/{_HEX}{_SUFFIX}"))
        return found + list(self.folder.glob(f"??/.{_HEX}.{_HEX}.part")) if unfinished else found


_unwritable: set[tuple[Path, type]] = set()


def _open(path: Path) -> NDArray[np.uint8] | None:
    """Map an entry's bytes; None if there is no file."""
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            return None
        content: NDArray[np.uint8] = np.memmap(path, dtype=np.uint8, mode="r")
    except FileNotFoundError:
        return None
    return content


def _digest(key: str, payload: Any) -> bytes:
    # The key is part of it: an entry under another's name is foreign.
    return hashlib.blake2b(payload, digest_size=_DIGEST_BYTES, key=key.encode()).digest()


def _write(result: NDArray[Any]) -> bytes:
    """Return arrays in NumPy's file format, the shape of a table of arrays in front."""
    file = io.BytesIO()
    if result.dtype != object:
        np.save(file, np.ascontiguousarray(result), allow_pickle=False)
    else:
        np.save(file, np.array((_TABLE, *result.shape)), allow_pickle=False)
        for cell in result.flat:
            np.save(file, np.ascontiguousarray(cell), allow_pickle=False)
    return file.getvalue()


def _read(payload: NDArray[np.uint8]) -> NDArray[Any] | None:
    head = io.BytesIO(payload[:_HEAD_BYTES].tobytes())
    np.lib.format.read_magic(head)
    shape, fortran, dtype = np.lib.format.read_array_header_1_0(head)
    if fortran or dtype.kind not in "fiubcU":
        return None
    if dtype.kind != "U":
        start, n_bytes = head.tell(), math.prod(shape) * dtype.itemsize
        if start + n_bytes != len(payload):
            return None
        return payload[start:].view(dtype).reshape(shape)
    file = io.BytesIO(payload.tobytes())
    first = np.load(file, allow_pickle=False)
    if file.tell() == len(payload) and not (first.ndim == 1 and first[:1].tolist() == [_TABLE]):
        return np.asarray(first)  # text itself
    _, *table_shape = first.tolist()
    sides = [int(n) for n in table_shape]
    cells = [np.load(file, allow_pickle=False) for _ in range(math.prod(sides))]
    return object_array(cells).reshape(sides)
