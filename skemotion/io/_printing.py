"""Standard output of worker processes, where nothing of it may cost a clip."""

from __future__ import annotations

import io
import sys
from contextlib import suppress
from typing import Any


def print_leniently() -> None:
    """Let what is printed from now on get lost where the disk is full or the reader is gone."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if not isinstance(stream, io.TextIOWrapper):  # none, or a library's own
            continue
        with suppress(OSError, ValueError):  # closed
            lenient: Any = io.BufferedWriter(_Lenient(stream.fileno(), "wb", closefd=False))
            replaced = io.TextIOWrapper(
                lenient,
                encoding=stream.encoding,
                errors=stream.errors,
                line_buffering=stream.line_buffering,
                write_through=stream.write_through,
            )
            setattr(sys, name, replaced)


class _Lenient(io.FileIO):
    def write(self, content: Any) -> int:
        """Write, or pretend to."""
        try:
            return super().write(content)
        except OSError:
            return memoryview(content).nbytes
