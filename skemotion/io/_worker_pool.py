"""The kept worker processes of this process, and the guard that starts and ends them."""

from __future__ import annotations

import atexit
import os
import select
import signal
import socket
import subprocess
import sys
import threading
from contextlib import suppress
from multiprocessing.connection import Connection
from multiprocessing.reduction import send_handle
from multiprocessing.spawn import get_executable
from typing import Any

import joblib

_START = """\
import signal, sys
signal.signal(signal.SIGINT, signal.SIG_IGN)
from multiprocessing.connection import Connection
control = Connection(int(sys.argv[1]))
try:
    sys.path[:] = control.recv()
except (EOFError, ConnectionError):
    sys.exit()
from skemotion.io._guard import guard
guard(control)
"""
_ONE_THREAD = ("OMP", "OPENBLAS", "MKL", "BLIS", "VECLIB_MAXIMUM")


class Worker:
    """A process that waits for calls, and the caller's end of the connection to it."""

    def __init__(self, pid: int, connection: Connection) -> None:
        self.pid = pid
        self.connection = connection
        self.known: list[str] = []
        self._poll = select.poll()
        self._poll.register(connection, select.POLLIN)

    def has_ended(self) -> bool:
        """Return whether an idle worker has ended, such as after a long time without work."""
        return bool(self._poll.poll(0))


class Pool:
    """The guard of this process, and its workers."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._guard: subprocess.Popen[bytes] | None = None
        self._control: Connection | None = None
        self._idle: list[Worker] = []
        self._n_workers = 0
        self._prepared: set[str] = set()
        self.used: set[str] = set()
        self.modules: list[str] = []

    def lease(self, function: bytes, key: str, most: int | None) -> Worker | None:
        """Give a worker; none if there are so many that one would have to wait."""
        with self._lock:
            while self._idle:
                worker = self._idle.pop()
                if not worker.has_ended():
                    return worker
                self.end(worker)
            if most is not None and self._n_workers >= most:
                return None
            if key not in self._prepared:
                self._ask("prepare", function)
                self._prepared.add(key)
            here, there = socket.socketpair()
            with here, there:
                pid = self._ask("fork", sorted(set(self.modules)), there)
                self._n_workers += 1
                return Worker(pid, Connection(here.detach()))

    def give_back(self, worker: Worker) -> None:
        with self._lock:
            self._idle.append(worker)
            # Asking how many cores there are takes a while, so not after each clip.
            if len(self._idle) > 1 and len(self._idle) > joblib.cpu_count():
                self.end(self._idle.pop(0))

    def end(self, worker: Worker) -> int:
        """End a worker, at once; give its exit code."""
        with self._lock:
            worker.connection.close()
            self._n_workers = max(self._n_workers - 1, 0)
            try:
                self._control.send(("end", worker.pid))  # type: ignore[union-attr]
                return int(self._control.recv())  # type: ignore[union-attr]
            except (EOFError, OSError, AttributeError):  # gone with the guard
                return -signal.SIGKILL

    def _ask(self, word: str, content: Any, end: socket.socket | None = None) -> Any:
        for is_last in (False, True):
            try:
                guard, control = self._started()
                control.send((word, content))
                if end is not None:
                    send_handle(control, end.fileno(), guard.pid)
                return control.recv()
            except (EOFError, ConnectionError) as error:  # such as after a long time without work
                self.close()
                if is_last:
                    raise RuntimeError(
                        "The process that starts workers ends at once. Is there enough memory?"
                    ) from error
        return None

    def _started(self) -> tuple[subprocess.Popen[bytes], Connection]:
        if self._guard is None or self._control is None:
            import fcntl  # which not all systems have

            here, there = socket.socketpair()
            # Above those of standard streams, which may be closed here.
            end = fcntl.fcntl(there.fileno(), fcntl.F_DUPFD_CLOEXEC, 3)
            with here, there, socket.socket(fileno=end):
                self._guard = subprocess.Popen(
                    [get_executable(), *_flags(), "-c", _START, str(end)],
                    pass_fds=[end],
                    stdin=subprocess.DEVNULL,
                    env={**os.environ, **{f"{name}_NUM_THREADS": "1" for name in _ONE_THREAD}},
                )
                self._control = Connection(here.detach())
            self._control.send([os.path.abspath(path) for path in sys.path])  # noqa: PTH100
        return self._guard, self._control

    def close(self) -> None:
        """End the guard, and with it all workers."""
        with self._lock:
            if self._control is not None:
                self._control.close()
            if self._guard is not None:
                self._guard.wait()
            for worker in self._idle:
                worker.connection.close()
            self._guard = self._control = None
            self._idle.clear()
            self._prepared.clear()
            self._n_workers = 0

    def forget(self) -> None:
        """In a fork of this process: leave the workers to the other."""
        for connection in [self._control, *[worker.connection for worker in self._idle]]:
            with suppress(AttributeError, OSError):
                connection.close()  # type: ignore[union-attr]
        if self._guard is not None:
            self._guard.returncode = 0  # not this process' child
        self.__init__()  # type: ignore[misc]


def _flags() -> list[str]:
    # Options of the interpreter, such as -O and -X; and no modules from the folder it is run in.
    return [*subprocess._args_from_interpreter_flags(), "-P"]  # type: ignore[attr-defined]


POOL = Pool()
atexit.register(POOL.close)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=POOL.forget)
