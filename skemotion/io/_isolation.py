"""Whether calls are isolated in worker processes, and how many cores there are for them."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import joblib

from ._guard import in_worker


def can_isolate() -> bool:
    """Return whether calls can be sent to workers: not from a worker itself."""
    return hasattr(os, "fork") and not in_worker() and not _switched_off.get()


_switched_off: ContextVar[bool] = ContextVar("_switched_off", default=False)


@contextmanager
def without_workers() -> Iterator[None]:
    """Run in this process what would otherwise be isolated, as it opens no clip."""
    token = _switched_off.set(True)
    try:
        yield
    finally:
        _switched_off.reset(token)


def own_cores() -> int:
    """Return how many cores this process should use: its share, if it is a worker of joblib's."""
    n_cores = joblib.cpu_count()
    if in_worker():
        return 1
    process = multiprocessing.current_process()
    if process.daemon:
        return 1
    if not process.name.startswith("LokyProcess"):
        return n_cores
    # joblib gives its workers a share of the cores in this way.
    share = os.environ.get("OMP_NUM_THREADS", "1")
    return min(int(share), n_cores) if share.isdecimal() and int(share) else 1
