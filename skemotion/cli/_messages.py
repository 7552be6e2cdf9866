"""What is written to standard output and standard error, whatever files are called."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

# Of right to left, which would show a name as another.
_TURNS = frozenset("\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def complain(problem: Exception | str) -> None:
    """Write one line on standard error, for one cause."""
    message = " ".join(str(problem).split()) or type(problem).__name__
    print(f"skemotion: {printable(message)}", file=sys.stderr, flush=True)


@contextmanager
def naming_model(path: Path) -> Iterator[None]:
    """Have what is raised of a model that does not fit, a TypeError, name the model's file."""
    try:
        yield
    except TypeError as error:
        raise ValueError(f"{path}: {error}") from error


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
