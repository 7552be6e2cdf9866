"""What is sent to worker processes, as bytes."""

from __future__ import annotations

import io
import pickle
import sys
from pathlib import Path
from typing import Any

import numpy as np

try:
    import cloudpickle  # type: ignore[import-untyped]
except ImportError:  # which older versions of joblib carry along
    from joblib.externals import cloudpickle

_PLAIN = frozenset([type(None), bool, int, float, str, bytes, type(Path())])


def pickled(value: Any) -> bytes:
    """Pickle what a worker needs; functions and classes of the main program are sent along.

    Parameters
    ----------
    value : Any
        A function, or the arguments of a call.

    Returns
    -------
    content : bytes
    """
    if _is_plain(value):
        return quickly_pickled(value)
    # What the main program is called in processes of multiprocessing, but not in a worker.
    main = sys.modules.get("__mp_main__")
    if main is not None:
        cloudpickle.register_pickle_by_value(main)
    content: bytes = cloudpickle.dumps(value, protocol=pickle.HIGHEST_PROTOCOL)
    return content


def quickly_pickled(value: Any) -> bytes:
    """Pickle what a worker found, as the standard library does; arrays in half the time.

    Parameters
    ----------
    value : Any

    Returns
    -------
    content : bytes
    """
    file = io.BytesIO()
    _Pickler(file, pickle.HIGHEST_PROTOCOL).dump(value)
    return file.getvalue()


class _Pickler(pickle.Pickler):
    def reducer_override(self, value: Any) -> Any:
        """Describe an array of numbers by its type's name, not by the parts of its type."""
        kind: Any = type(value)  # of subclasses, there is more to say
        if kind is np.ndarray and value.dtype.kind in "biufc" and value.flags.c_contiguous:
            return np.ndarray, (value.shape, value.dtype.str, pickle.PickleBuffer(value))
        return NotImplemented


def _is_plain(value: Any) -> bool:
    """Return whether pickle sends a value as well as cloudpickle, which takes far longer."""
    kind = type(value)
    if kind is np.ndarray:
        return value.dtype.kind in "biufc" or (
            value.dtype.kind == "O" and all(map(_is_plain, value.flat))
        )
    return kind in _PLAIN or (kind in (tuple, list) and all(map(_is_plain, value)))
