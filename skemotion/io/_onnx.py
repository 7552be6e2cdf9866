"""Networks in ONNX files, each opened once per process."""

from __future__ import annotations

import mmap
import re
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from threading import Lock
from types import ModuleType
from typing import Any

# Path, size and time of change of a file.
Stamp = tuple[str, int, int]

_opening = Lock()


def onnxruntime() -> ModuleType:
    """Import onnxruntime, which is an extra.

    Raises
    ------
    ImportError
        If it is not installed; the message says how.
    """
    try:
        import onnxruntime as runtime
    except ImportError as error:
        raise ImportError(
            'Networks in ONNX files need onnxruntime: python -m pip install "skemotion[onnx]"'
        ) from error
    return runtime


def network_files(path: str) -> tuple[Stamp, ...]:
    """Identify a network, so that a changed file under the same name is another network.

    Parameters
    ----------
    path : str
        The ONNX file.

    Returns
    -------
    stamps : tuple of (str, int, int)
        Absolute path, size and time of change of the ONNX file, then of every file with its
        weights.

    Raises
    ------
    FileNotFoundError
        If one of them is missing.
    """
    file = Path(path)
    if not file.is_file():
        raise FileNotFoundError(
            f"{path}: no such ONNX file, seen from {Path.cwd()}. Check the path, or put the file "
            "there; docs/backbones.md says how to make one."
        )
    stamp = _stamp(file)
    stamps = [stamp]
    for name in _weight_files(stamp):
        if not (file.parent / name).is_file():
            raise FileNotFoundError(
                f"{path}: the network's weights are in {name!r}, which is not next to it. Copy "
                "both files together, or export the network as a single file."
            )
        stamps.append(_stamp(file.parent / name))
    return tuple(stamps)


def open_session(path: str) -> Any:
    """Open a network, or return it if it is already open in this process.

    Any number of threads may run it at once; each run happens in the calling thread.

    Parameters
    ----------
    path : str
        The ONNX file.

    Returns
    -------
    session : onnxruntime.InferenceSession

    Raises
    ------
    FileNotFoundError, ValueError
        If the file is missing or damaged.
    """
    stamps = network_files(path)
    # One thread opens it and the others wait: a network may take half a gigabyte.
    with _opening:
        return _open(path, stamps)


def choose_output(path: str, names: Sequence[str], output: str | None) -> str:
    """Choose one of a network's outputs.

    Parameters
    ----------
    path : str
        The ONNX file, for the message.
    names : sequence of str
        The network's outputs.
    output : str or None
        Name of one of them; None for the first.

    Returns
    -------
    output : str

    Raises
    ------
    ValueError
        If the network has no such output.
    """
    output = names[0] if output is None else output
    if output not in names:
        raise ValueError(
            f"{path}: the network has no output {output!r}. Choose one of "
            f"{', '.join(map(repr, names))}."
        )
    return output


def _stamp(file: Path) -> Stamp:
    status = file.stat()
    return str(file.absolute()), status.st_size, status.st_mtime_ns


# An ONNX file is a protocol buffer; it refers to a file with weights by the key "location", then a
# tag, the length of the name, and the name.
_LOCATION = re.compile(rb"\x0a\x08location\x12([\x00-\x7f]|[\x80-\xff][\x00-\x7f])")


@lru_cache(maxsize=8)
def _weight_files(stamp: Stamp) -> tuple[str, ...]:
    """Return the names of the other files with weights of a network."""
    path, size, _ = stamp
    if not size:
        return ()
    names = set()
    with Path(path).open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as m:
        for match in _LOCATION.finditer(m):
            low, *high = match[1]
            length = low % 128 + 128 * sum(high)
            names.add(m[match.end() : match.end() + length].decode(errors="replace"))
    return tuple(sorted(names))


@lru_cache(maxsize=2)
def _open(path: str, stamps: tuple[Stamp, ...]) -> Any:
    """Open a network; `stamps` identify the file, so a changed one is opened again."""
    runtime = onnxruntime()
    options = runtime.SessionOptions()
    # The caller spreads clips over cores; and in one thread, sums are always taken in one order.
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 4  # errors are raised anyway; warnings help no one
    try:
        return runtime.InferenceSession(stamps[0][0], options, ["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's own have no other base
        why = " ".join(str(error).split())
        raise ValueError(
            f"{path}: expected a network in an ONNX file that onnxruntime {runtime.__version__} "
            f"can read, found something else or a damaged file ({why}). Export or download it "
            "again, as a single file; a newer onnxruntime may read a newer format."
        ) from error
