"""A clip that a step could not process."""

from __future__ import annotations

import pickle
from typing import NamedTuple, TypeGuard

from ..io import MediaError, beyond_limit, in_worker


class Failure(NamedTuple):
    """A clip that a step could not process."""

    step: str
    error: Exception


def failure(step: str, error: BaseException, name: str) -> Failure:
    """Return what a step's error for a clip means to the caller.

    Parameters
    ----------
    step : str
        Name of the step.
    error : BaseException
        What it raised.
    name : str
        What to call the clip.

    Returns
    -------
    failure : Failure
        With an error that can be shown and, from a worker process, be sent and raised.
    """
    if isinstance(error, MemoryError):
        refusal = beyond_limit(name, "max_memory", "one that needs more")
        refusal.__cause__ = error
        return Failure(step, refusal)
    if not _can_be_told(error):
        text = f"{type(error).__name__}: {safe_text(error)}"
        plain = RuntimeError(f"{name}: step {step!r} failed: {text}")
        if not in_worker():
            plain.__cause__ = error
        return Failure(step, plain)
    if isinstance(error, ValueError) and not isinstance(error, MediaError):
        named = ValueError(f"{name}: step {step!r} failed: {error}")
        named.__cause__ = error
        return Failure(step, named)
    if not isinstance(error, MediaError):  # which names the file already
        error.add_note(f"In step {step!r} for {name}.")
    return Failure(step, error)


def safe_text(error: BaseException) -> str:
    """Return the text of an error, whose class may fail to give it."""
    try:
        return str(error)
    except Exception as problem:
        return f"(its text cannot be shown: {type(problem).__name__})"


def _can_be_told(error: BaseException) -> TypeGuard[Exception]:
    """Return whether an error can be shown, and be sent if this is a worker process."""
    if not isinstance(error, Exception):  # would end the caller as well, such as SystemExit
        return False
    try:
        str(error)
        error.add_note("")
        error.__notes__.pop()
        if in_worker():
            # A class of the main program is another one there.
            sent = pickle.loads(pickle.dumps(error, pickle.HIGHEST_PROTOCOL))
            str(sent)
            return type(sent) is type(error) and type(error).__module__ != "__main__"
    except Exception:
        return False
    return True
