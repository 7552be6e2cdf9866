"""Keeping BLAS to one thread where several would stand in each other's way."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

from threadpoolctl import ThreadpoolController


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """Let BLAS compute with one thread in this process, for as long as one is inside.

    A clip's matrices are small: a second thread gains nothing on them, takes a core from the
    next clip, and waits for one at each of thousands of steps on a busy machine. One thread also
    adds in one order, so that numbers do not depend on the number of cores. The limit is the
    process': the first thread to come sets it, and the last to leave lifts it.
    """
    _limit.enter()
    try:
        yield
    finally:
        _limit.leave()


class _Limit:
    """The one limit of this process, and how many are inside."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._n_inside = 0
        self._limiter: Any = None

    def enter(self) -> None:
        with self._lock:
            if not self._n_inside:
                with _in_control():
                    self._limiter = _controller().limit(limits=1, user_api="blas")
            self._n_inside += 1

    def leave(self) -> None:
        with self._lock:
            self._n_inside -= 1
            if not self._n_inside:
                with _in_control():
                    self._limiter.restore_original_limits()
                self._limiter = None


_limit = _Limit()


@contextmanager
def _in_control() -> Iterator[None]:
    """Let this thread set limits.

    threadpoolctl heeds the thread that set one first, and ignores all others without a word for as
    long as that one lives.
    """
    _clear_control()
    try:
        yield
    finally:
        _clear_control()


def _clear_control() -> None:
    for library in _controller().lib_controllers:
        if hasattr(library, "clear_controlling_thread"):  # OpenBLAS'
            library.clear_controlling_thread(force=True)


@cache
def _controller() -> ThreadpoolController:
    # Looking through the loaded libraries takes milliseconds, more than a small decomposition.
    return ThreadpoolController()
