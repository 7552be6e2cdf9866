"""The caller's side of the guard, the process that starts and ends workers, and of a worker."""

from __future__ import annotations

import os
import select
import signal
import socket
import struct
import subprocess
import sys
from contextlib import suppress
from multiprocessing.connection import Connection
from multiprocessing.reduction import send_handle
from multiprocessing.spawn import get_executable
from typing import Any
from weakref import WeakSet

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
# Seconds: for an answer of the guard, which may have to import what is needed; for its end; and
# without a byte from a worker in the middle of a message.
_LONGEST_ANSWER, _LONGEST_END, _LONGEST_GAP = 600, 10, 60


class CannotForkError(RuntimeError):
    """The system refuses another process."""


class Worker:
    """A process that waits for calls, and the caller's end of the connection to it."""

    def __init__(self, pid: int, connection: Connection, guard: Guard) -> None:
        self.pid = pid
        self.connection = connection
        self.guard = guard
        self.known: list[str] = []  # keys of the functions it keeps, the latest last
        self.n_calls = 0
        self._poll = select.poll()
        self._poll.register(connection, select.POLLIN)

    def has_news(self) -> bool:
        """Return whether there is something to hear, if only that it has ended."""
        return bool(self._poll.poll(0))

    def has_ended(self) -> bool:
        """Return whether an idle worker has ended, such as after a long time without work."""
        return self.has_news()


class Guard:
    """The process that starts and ends workers. Its workers end with it."""

    def __init__(self) -> None:
        import fcntl  # which not all systems have

        self.workers: WeakSet[Worker] = WeakSet()  # those that anybody may still use
        self.prepared: set[str] = set()  # keys of functions
        self.is_lost = False
        self._path, self._modules = _path(), _modules()
        here, there = socket.socketpair()
        # Above those of standard streams, which may be closed here.
        end = fcntl.fcntl(there.fileno(), fcntl.F_DUPFD_CLOEXEC, 3)
        with here, there, socket.socket(fileno=end):
            self.process = subprocess.Popen(
                [get_executable(), *_flags(), "-c", _START, str(end)],
                pass_fds=[end],
                stdin=subprocess.DEVNULL,
                env={**os.environ, **{f"{name}_NUM_THREADS": "1" for name in _ONE_THREAD}},
            )
            self._control = Connection(here.detach())
        self._control.send(self._path)

    def is_outdated(self) -> bool:
        """Return whether it would import something else than this process.

        That is, from another `sys.path`, or from what a module was before it was reloaded. A file
        that has changed is none of its business: this process goes on with what it has read, too.
        """
        now = _modules()
        if self._path != _path() or any(
            now.get(name, spec) is not spec for name, spec in self._modules.items()
        ):
            return True
        self._modules.update(now)
        return False

    def fork(self, modules: list[str]) -> Worker:
        """Start a worker, that has imported some modules.

        Parameters
        ----------
        modules : list of str

        Returns
        -------
        worker : Worker

        Raises
        ------
        CannotForkError
            If the system refuses.
        EOFError, OSError
            If the guard is lost.
        """
        here, there = socket.socketpair()
        with here, there:
            for option in (socket.SO_RCVTIMEO, socket.SO_SNDTIMEO):
                here.setsockopt(socket.SOL_SOCKET, option, struct.pack("ll", _LONGEST_GAP, 0))
            answer = self.ask("fork", sorted(set(modules)), there)
            if not isinstance(answer, int):
                raise CannotForkError(
                    f"A worker process cannot be started ({answer}). Fewer at once (n_jobs) need "
                    "less memory and fewer processes; `ulimit -u` says how many are allowed."
                )
            worker = Worker(answer, Connection(here.detach()), self)
        self.workers.add(worker)
        return worker

    def end(self, worker: Worker) -> int | None:
        """End a worker, at once; give its exit code, or none if it has ended with the guard."""
        worker.connection.close()
        self.workers.discard(worker)
        try:
            return int(self.ask("end", worker.pid))
        except (EOFError, OSError):
            return None

    def ask(self, word: str, content: Any, end: socket.socket | None = None) -> Any:
        """Return the answer to a request; without one, the guard and its workers are lost."""
        if self.is_lost:
            raise EOFError
        try:
            self._control.send((word, content))
            if end is not None:
                send_handle(self._control, end.fileno(), self.process.pid)
            if not self._control.poll(_LONGEST_ANSWER):
                self.process.kill()
                raise TimeoutError
            return self._control.recv()
        except BaseException:  # such as by Ctrl-C: the next answer would be that to this request
            self.leave()
            raise

    def leave(self) -> None:
        """Let it end, and with it its workers."""
        self.is_lost = True
        self._control.close()

    def has_ended(self) -> bool:
        return self.process.poll() is not None

    def close(self) -> None:
        """End it, and wait for its end."""
        self.leave()
        try:
            with suppress(subprocess.TimeoutExpired):
                self.process.wait(_LONGEST_END)
        finally:
            if not self.has_ended():
                self.process.kill()
                self.process.wait()

    def forget(self) -> None:
        """In a fork of this process: leave it to the other."""
        for connection in (self._control, *(worker.connection for worker in self.workers)):
            with suppress(OSError):
                connection.close()
        self.is_lost = True
        self.process.returncode = -signal.SIGKILL  # not this process' child


def _flags() -> list[str]:
    # Options of the interpreter, such as -O and -X; and no modules from the folder it is run in.
    return [*subprocess._args_from_interpreter_flags(), "-P"]  # type: ignore[attr-defined]


def _path() -> list[str]:
    return [os.path.abspath(path) for path in sys.path]  # noqa: PTH100


def _modules() -> dict[str, Any]:
    """Return what tells whether a module is still the one that was imported first."""
    return {
        name: getattr(module, "__dict__", {}).get("__spec__")
        for name, module in sys.modules.copy().items()
    }
