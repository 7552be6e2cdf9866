"""A cache of what stages make of clips, one file per clip and stage."""

from __future__ import annotations

import hashlib
import inspect
import io
import math
import os
import uuid
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import joblib
import numpy as np
from numpy.typing import NDArray

from ..base import object_array
from ..io import identity

_DIGEST_BYTES = 16
_SUFFIX = ".clip"
_HEX = "[0-9a-f]" * 32  # a key, or the random part of a name
_HEAD_BYTES = 4096  # more than the header of any array here
# What decodes and computes: another version may give other numbers.
_PACKAGES = ("av", "librosa", "numpy", "opencv-python-headless", "scipy", "soxr")


class ClipCache:
    """Results of the stages of a `ClipPipeline` in a folder, one file per clip and stage.

    An entry is found by the clip's identity (path, size and time of change; or its bytes), by the
    steps so far with all their parameters, and by the code of those steps. Entries are written
    under another name and then renamed, so that a killed run leaves none half-written, and carry
    a checksum, so that a damaged or foreign one is made again. Any number of workers may share a
    cache.

    Parameters
    ----------
    folder : path-like
        Made when the first entry is written.

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
        self.folder = Path(folder)

    @property
    def n_entries(self) -> int:
        """Number of entries."""
        return len(self._entries())

    @property
    def n_bytes(self) -> int:
        """Size of all entries in bytes."""
        return sum(path.stat().st_size for path in self._entries())

    def __repr__(self) -> str:
        return f"ClipCache: {self.n_entries} entries, {self.n_bytes / 1e6:.1f} MB"

    def clear(self) -> None:
        """Remove every entry, and nothing else that may lie in the folder."""
        for path in self._entries(unfinished=True):
            path.unlink(missing_ok=True)

    def keys(self, clip: Any, identities: list[str]) -> list[str]:
        """Give the key of what each step makes of a clip.

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
        # A row of a table is a list: the cells of a column of paths are files, too.
        key = joblib.hash([identity(c) for c in clip] if isinstance(clip, list) else identity(clip))
        keys = []
        for step in identities:
            key = joblib.hash((key, step))
            keys.append(key)
        return keys

    def get(self, key: str) -> NDArray[Any] | None:
        """Read an entry, or None where there is none that can be trusted.

        Parameters
        ----------
        key : str
            From `keys`.

        Returns
        -------
        result : ndarray or None
            Numbers as a read-only memory map; a table of trajectories in memory.
        """
        path = self._path(key)
        try:
            content = np.memmap(path, dtype=np.uint8, mode="r")
        except (FileNotFoundError, ValueError):  # none, or an empty file
            return None
        payload = content[:-_DIGEST_BYTES]
        if content[-_DIGEST_BYTES:].tobytes() != _digest(key, payload):
            return None
        return _read(payload)

    def put(self, key: str, result: NDArray[Any]) -> None:
        """Write an entry, whole or not at all.

        Parameters
        ----------
        key : str
            From `keys`.
        result : ndarray
            Numbers, or an object array of arrays.
        """
        path = self._path(key)
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_name(f".{key}.{uuid.uuid4().hex}.part")
        payload = _write(result)
        try:
            with part.open("wb") as file:
                file.write(payload)
                file.write(_digest(key, payload))
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)

    def _path(self, key: str) -> Path:
        return self.folder / key[:2] / f"{key}{_SUFFIX}"

    def _entries(self, *, unfinished: bool = False) -> list[Path]:
        found = list(self.folder.glob(f"??/{_HEX}{_SUFFIX}"))
        return found + list(self.folder.glob(f"??/.{_HEX}.{_HEX}.part")) if unfinished else found


def step_identity(step: Any) -> str:
    """Hash what decides a step's result: its class, parameters, code, and what it says itself.

    Parameters
    ----------
    step : transformer
        A stage that needs no fit.

    Returns
    -------
    identity : str
    """
    parameters = {name: _told(value) for name, value in step.get_params(deep=False).items()}
    # A stage may depend on files besides, such as a network's.
    more = step._identity() if hasattr(step, "_identity") else None
    return str(joblib.hash((_definition(type(step)), parameters, more)))


def _told(value: Any) -> Any:
    """Put what a function or step does in place of its name, and leave values as they are."""
    if isinstance(value, list | tuple):
        return [_told(item) for item in value]
    if callable(value):
        return _definition(value)
    return step_identity(value) if hasattr(value, "get_params") else value


def _definition(definition: Any) -> list[Any]:
    """Give what tells a class or function from any other."""
    if not (inspect.isclass(definition) or inspect.isroutine(definition)):
        raise _unreadable(definition)
    told: list[Any] = [definition.__module__, definition.__qualname__]
    if inspect.isclass(definition):
        bases = [base for base in definition.__mro__ if base.__module__ != "builtins"]
        return [*told, [_code(base) for base in bases]]
    told.append(_code(definition))
    if not inspect.isfunction(definition):
        return [*told, _told(getattr(definition, "__self__", None))]
    # Functions of one name may stand in one file, and one function may enclose several values.
    values = list(inspect.getclosurevars(definition).nonlocals.values())
    values += [*(definition.__defaults__ or ()), *(definition.__kwdefaults__ or {}).values()]
    told.append(list(definition.__code__.co_positions()))
    return [*told, [_told(value) for value in values if value is not definition]]


@cache
def _code(definition: Any) -> str:
    """Hash the code behind a class or function."""
    if str(definition.__module__).split(".")[0] == __package__.split(".")[0]:
        return _own_code()
    try:
        source = Path(_file(definition)).read_bytes()
    except (OSError, TypeError) as error:
        raise _unreadable(definition) from error
    return str(joblib.hash((source, definition.__qualname__)))


def _file(definition: Any) -> str:
    # To a worker, "__main__" is another file; methods still know where they were written.
    if inspect.isclass(definition) and definition.__module__ == "__main__":
        for method in vars(definition).values():
            if inspect.isfunction(method):
                return inspect.getfile(inspect.unwrap(method))
    return inspect.getfile(definition)


def _unreadable(definition: Any) -> ValueError:
    return ValueError(
        f"The code of {definition!r} cannot be read, so that a change of it would go "
        "unnoticed: define it in a module, or run without memory."
    )


@cache
def _own_code() -> str:
    """Hash this package and what it computes with."""
    sources = [path.read_bytes() for path in sorted(Path(__file__).parents[1].rglob("*.py"))]
    return str(joblib.hash((sources, [version(name) for name in _PACKAGES])))


def _digest(key: str, payload: Any) -> bytes:
    # The key is part of it: an entry under another's name is foreign.
    return hashlib.blake2b(payload, digest_size=_DIGEST_BYTES, key=key.encode()).digest()


def _write(result: NDArray[Any]) -> bytes:
    """Give arrays in NumPy's file format, the shape of a table of arrays in front."""
    file = io.BytesIO()
    if result.dtype != object:
        np.save(file, np.ascontiguousarray(result), allow_pickle=False)
    else:
        np.save(file, np.array(("table", *result.shape)), allow_pickle=False)
        for cell in result.flat:
            np.save(file, np.ascontiguousarray(cell), allow_pickle=False)
    return file.getvalue()


def _read(payload: NDArray[np.uint8]) -> NDArray[Any]:
    head = io.BytesIO(payload[:_HEAD_BYTES].tobytes())
    np.lib.format.read_magic(head)
    shape, _, dtype = np.lib.format.read_array_header_1_0(head)
    if dtype.kind != "U":
        start = head.tell()
        return payload[start : start + math.prod(shape) * dtype.itemsize].view(dtype).reshape(shape)
    file = io.BytesIO(payload.tobytes())
    _, *table_shape = np.load(file, allow_pickle=False).tolist()
    sides = [int(n) for n in table_shape]
    cells = [np.load(file, allow_pickle=False) for _ in range(math.prod(sides))]
    return object_array(cells).reshape(sides)
