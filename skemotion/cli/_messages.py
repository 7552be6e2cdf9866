"""What is written to standard output and standard error, whatever files are called."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

# Of right to left, which would show a name as another.
_TURNS = frozenset("\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def complain(problem: Exception | str) -> None:
    """Write one line on standard error, for one cause."""
    message = " ".join(str(problem).split()) or type(problem).__name__
    print(f"skemotion: {printable(message)}", file=sys.stderr, flush=True)


@contextmanager
def naming_model(path: str | os.PathLike[str]) -> Iterator[None]:
    """Have what a model raises where it is asked, such as a forged one, name the model's file.

    What has words of its own comes through: ValueErrors, of clips, and what the system refuses.
    """
    # Imported with the model: help should not wait for it.
    from ..base import UnsuitableModelError

    try:
        yield
    except (ValueError, OSError, ImportError):
        raise
    except UnsuitableModelError as error:
        raise ValueError(f"{path}: {error}") from error
    except Exception as error:
        raise ValueError(
            f"{path}: the model fails: {type(error).__name__}: {error}. Is the file damaged or "
            "altered? Copy or download it again, or train the model again."
        ) from error


def print_line(words: Sequence[str]) -> None:
    """Print words of a line, with tabs between them."""
    line = "\t".join(map(printable, words))
    try:
        print(line, flush=True)
    except UnicodeEncodeError:  # a name in another encoding than the terminal's
        encoding = sys.stdout.encoding
        print(line.encode(encoding, "backslashreplace").decode(encoding), flush=True)


def printable(text: str) -> str:
    """Write characters that would end the line or command the terminal as escapes."""
    if text.isprintable():
        return text
    return "".join(
        char.encode("unicode_escape").decode("ascii")
        if char in _TURNS or char < " " or "\x7f" <= char < "\xa0" or char in "\u2028\u2029"
        else char
        for char in text
    )
