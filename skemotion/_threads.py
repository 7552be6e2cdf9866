"""Keeping BLAS to one thread where several would stand in each other's way."""

from __future__ import annotations

from contextlib import AbstractContextManager
from functools import cache

from threadpoolctl import ThreadpoolController


def one_blas_thread() -> AbstractContextManager[object]:
    """Let BLAS compute with one thread in this process, for as long as one is inside.

    A clip's matrices are small: a second thread gains nothing on them, takes a core from the
    next clip, and waits for one at each of thousands of steps on a busy machine. One thread also
    adds in one order, so that numbers do not hang on the number of cores.
    """
    limit: AbstractContextManager[object] = _controller().limit(limits=1, user_api="blas")
    return limit


@cache
def _controller() -> ThreadpoolController:
    # Looking through the loaded libraries takes milliseconds, more than a small decomposition.
    return ThreadpoolController()
