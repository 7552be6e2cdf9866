"""The kept worker processes of this process."""

from __future__ import annotations

import atexit
import os
import threading
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import joblib

from ._guard_process import CannotForkError, Guard, Worker


class Pool:
    """The guard of this process, and its workers."""

    def __init__(self) -> None:
        # Not one that its thread may take twice: the garbage collector may end a run at any time.
        self._lock = threading.Lock()
        self._guard: Guard | None = None
        self._guards: list[Guard] = []  # also former ones, which still end or have work
        self._idle: list[Worker] = []
        self._abandoned: deque[Worker] = deque()
        self.used: set[str] = set()
        self.modules: list[str] = []

    def renew(self) -> None:
        """Before a run: keep no workers that would run what modules were before a reload."""
        with self._alone():
            guard = self._guard
            if guard is None or guard.is_lost or not guard.is_outdated():
                return
            self._guard = None
            while self._idle:
                self._end(self._idle.pop())
            if not guard.workers:  # otherwise, other runs still use it
                guard.leave()

    def lease(
        self, function: bytes, key: str, most: int | None, *, fresh: bool = False
    ) -> Worker | None:
        """Give a worker.

        Parameters
        ----------
        function : bytes
            That the worker will need, pickled.
        key : str
            Stands for it.
        most : int or None
            How many workers there may be. If it is given, one can be waited for.
        fresh : bool, default=False
            Whether it must not have done anything before.

        Returns
        -------
        worker : Worker or None
            None if there are so many that one should be waited for.

        Raises
        ------
        RuntimeError
            If none can be started.
        """
        with self._alone():
            while self._idle:
                worker = self._idle.pop()
                if not (fresh or worker.guard.is_lost or worker.has_ended()):
                    return worker
                self._end(worker)
                if fresh:
                    break
            if most is not None and sum(len(guard.workers) for guard in self._guards) >= most:
                return None
            try:
                return self._fork(function, key)
            except CannotForkError:
                if most is None:
                    raise
                return None

    def _fork(self, function: bytes, key: str) -> Worker:
        problem: Exception | None = None
        for _ in range(2):
            try:
                guard = self._started()
                if key not in guard.prepared:
                    guard.ask("prepare", function)
                    guard.prepared.add(key)
                return guard.fork(self.modules)
            except (EOFError, OSError) as error:  # such as after a long time without work
                problem = error
        raise RuntimeError(
            "The process that starts workers ends at once. Is there enough memory?"
        ) from problem

    def _started(self) -> Guard:
        if self._guard is None or self._guard.is_lost:
            self._guards = [guard for guard in self._guards if not guard.has_ended()]
            self._guard = Guard()
            self._guards.append(self._guard)
        return self._guard

    def give_back(self, worker: Worker) -> None:
        with self._alone():
            if worker.guard is not self._guard or worker.guard.is_lost:
                self._end(worker)
                return
            self._idle.append(worker)
            # Asking how many cores there are takes a while, so not after each clip.
            if len(self._idle) > 1 and len(self._idle) > joblib.cpu_count():
                self._end(self._idle.pop(0))

    def end(self, worker: Worker) -> int | None:
        """End a worker, at once; give its exit code, or none if its guard has ended with it."""
        with self._alone():
            return self._end(worker)

    def abandon(self, workers: Iterable[Worker]) -> None:
        """End workers: now or, if the pool is busy, as soon as it is not."""
        self._abandoned.extend(workers)
        while self._abandoned and not self._lock.locked():
            with self._lock:
                self._end_abandoned()

    def _end(self, worker: Worker) -> int | None:
        guard = worker.guard
        code = guard.end(worker)
        if guard is not self._guard and not guard.workers:
            guard.leave()
        return code

    def _end_abandoned(self) -> None:
        while self._abandoned:
            self._end(self._abandoned.popleft())

    @contextmanager
    def _alone(self) -> Iterator[None]:
        with self._lock:
            try:
                yield
            finally:
                self._end_abandoned()
        self.abandon([])  # what has come in between

    def close(self) -> None:
        """End the guard, and with it all workers."""
        with self._alone():
            guards, self._guards, self._guard = self._guards, [], None
            idle, self._idle = self._idle, []
            for worker in idle:
                worker.connection.close()
            for guard in guards:
                guard.leave()
            for guard in guards:
                guard.close()

    def forget(self) -> None:
        """In a fork of this process: leave the workers to the other."""
        for guard in self._guards:
            guard.forget()
        self.__init__()  # type: ignore[misc]


POOL = Pool()
atexit.register(POOL.close)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=POOL.forget)
