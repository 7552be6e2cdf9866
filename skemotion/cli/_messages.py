"""What is written to standard error."""

from __future__ import annotations

import sys


def complain(problem: Exception | str) -> None:
    """Write one line on standard error, for one cause."""
    message = " ".join(str(problem).split()) or type(problem).__name__
    print(f"skemotion: {message}", file=sys.stderr, flush=True)
