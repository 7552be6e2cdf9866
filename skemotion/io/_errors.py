"""The error for a clip that cannot be used."""

from __future__ import annotations

import os
import reprlib
from typing import Any

from ._limits import limits_in_force


class MediaError(ValueError):
    """A clip cannot be used: the message says which file, what was expected and what was found.

    Examples
    --------
    >>> from skemotion import MediaError
    >>> from skemotion.audio import AudioLoader
    >>> try:
    ...     AudioLoader().transform(["nowhere.wav"])
    ... except MediaError as error:
    ...     print(error)
    nowhere.wav: expected a media file, found no such file. Check the path.
    """


def clip_name(source: Any) -> str:
    """Return the name of a clip for error messages."""
    if isinstance(source, bytes | bytearray | memoryview):
        return f"<{memoryview(source).nbytes} bytes in memory>"
    if isinstance(source, str | os.PathLike):
        return os.fspath(source) or "''"
    if hasattr(source, "shape"):
        return f"<array of shape {source.shape}>"
    if isinstance(source, tuple) and len(source) == 2 and hasattr(source[1], "shape"):
        return f"<array of shape {source[1].shape} at {source[0]} Hz>"
    return reprlib.repr(source)


def beyond_limit(name: str, limit: str, found: str) -> MediaError:
    """Return the error for a clip that exceeds one of the limits in force.

    Parameters
    ----------
    name : str
        The clip.
    limit : str
        Name of the limit, as in `skemotion.limits`.
    found : str
        What the clip states or holds.

    Returns
    -------
    error : MediaError
    """
    limits = limits_in_force()
    value = limits.memory if limit == "max_memory" else getattr(limits, limit)
    return MediaError(
        f"{name}: expected a clip within {limit}={value}, found "
        f"{found}. Leave the clip out or, if you trust it, load it inside "
        f"`with skemotion.limits({limit}=...)`."
    )
