"""How much memory a worker process may take, and who is to go if there is none left."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress


def prefer_for_the_oom_killer() -> None:
    """If memory runs out, let the system end a worker rather than the caller."""
    with suppress(OSError), open("/proc/self/oom_score_adj", "w") as file:  # noqa: PTH123
        file.write("800")


def leave_no_core() -> None:
    """Write no image of this process when it crashes, which takes long and fills the disk."""
    import resource

    _, hard = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (0, hard))


@contextmanager
def limited_memory(n_bytes: int | None) -> Iterator[None]:
    """Refuse more memory than so many bytes besides what there is, where the system can.

    Parameters
    ----------
    n_bytes : int or None
        None for no limit.
    """
    if n_bytes is None or sys.platform != "linux":
        yield
        return
    import resource

    before, hard = resource.getrlimit(resource.RLIMIT_DATA)
    most = _n_data_pages() * resource.getpagesize() + n_bytes
    if before != resource.RLIM_INFINITY:
        most = min(most, before)
    resource.setrlimit(resource.RLIMIT_DATA, (most, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, (before, hard))


_statm = -1  # kept open, as opening it takes far longer than reading it


def _n_data_pages() -> int:
    """Return the size of this process' data, in pages."""
    global _statm
    try:
        return int(os.pread(_statm, 200, 0).split()[5])
    except (OSError, ValueError, IndexError):  # not yet open; or closed by a decoder, by mistake
        _statm = os.open("/proc/self/statm", os.O_RDONLY)
        return int(os.pread(_statm, 200, 0).split()[5])
