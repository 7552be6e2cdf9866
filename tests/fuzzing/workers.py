"""Kept processes of bounded memory, in which mutants are tried and which may be lost."""

from __future__ import annotations

import multiprocessing
import os
import resource
import sys
import time
import warnings
from importlib import import_module
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

KINDS = {
    "media": "fuzzing.media",
    "model": "fuzzing.models",
    "cache": "fuzzing.caches",
    "archive": "fuzzing.archives",
}
MOST_SECONDS = 20.0  # of computing
MOST_WAITING = 600.0  # seconds by the clock, of a process that does not compute
MOST_BYTES = 2 * 2**30  # beyond what the process holds before its first mutant
# What neither a clip nor a model, cache or archive may make a process do.
_FORBIDDEN = {
    "os.exec", "os.fork", "os.forkpty", "os.posix_spawn", "os.remove", "os.rename", "os.rmdir",
    "os.spawn", "os.startfile", "os.system", "shutil.rmtree", "socket.connect", "subprocess.Popen",
}  # fmt: skip
_did: list[str] = []
_watched = False


def _watch(event: str, arguments: tuple[Any, ...]) -> None:
    if not _watched or event not in _FORBIDDEN:
        return
    inside = isinstance(arguments[-1], int) and arguments[-1] >= 0  # of a folder named before
    if not inside and not any(own in str(arguments[0]) for own in _own):
        _did.append(f"{event}{arguments!r:.80}")


# Where a process may write: its own folder, and compiled functions.
_own = ["__pycache__", *filter(None, [os.environ.get("NUMBA_CACHE_DIR")])]


def work(pipe: Connection, kinds: list[str], folder: str) -> None:
    """Try what comes through the pipe, up to a None."""
    global _watched
    warnings.simplefilter("ignore")
    for stream in (1, 2):  # what decoders print, too
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream)
    trials = {kind: import_module(KINDS[kind]) for kind in kinds}
    for trial in trials.values():
        trial.prepare()
    _own.append(folder)
    sys.addaudithook(_watch)
    held = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (held + MOST_BYTES, held + MOST_BYTES))
    pipe.send("ready")
    while (task := pipe.recv()) is not None:
        kind, path, extra, contained = task
        _did.clear()
        _watched = not contained  # which starts processes of its own
        try:
            attempt = trials[kind].attempt_contained if contained else trials[kind].attempt
            outcome = attempt(Path(path), extra)
        except BaseException as error:
            outcome = f"bare: {type(error).__name__}: {error}"
        _watched = False
        if _did:
            outcome = f"acted: {_did[0]}"
        pipe.send((outcome, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024))


class Worker:
    """A process that tries mutants and may be lost."""

    def __init__(self, kinds: list[str], folder: Path) -> None:
        context = multiprocessing.get_context("spawn")
        self.pipe, theirs = context.Pipe()
        self.process = context.Process(target=work, args=(theirs, kinds, str(folder)), daemon=True)
        self.process.start()
        theirs.close()
        self.ready = False
        self.task: Any = None
        self.started = self.computed = 0.0

    def stop(self) -> None:
        self.pipe.send(None)
        self.process.join()

    def start(self, task: tuple[str, str, Any, bool]) -> None:
        if not self.ready:
            self.pipe.recv()
            self.ready = True
        self.task, self.started, self.computed = task, time.monotonic(), self._seconds()
        self.pipe.send(task)

    def outcome(self) -> tuple[str, int, float] | None:
        """Give what came of the mutant, memory and seconds of computing, once it is known."""
        try:
            if self.pipe.poll():
                text, memory = self.pipe.recv()
                return text, memory, self._seconds() - self.computed
        except (EOFError, ConnectionResetError):
            self.process.join()
            return f"crash: the process ended with {self.process.exitcode}", 0, 0.0
        seconds = self._seconds() - self.computed
        if seconds > MOST_SECONDS or time.monotonic() - self.started > MOST_WAITING:
            self.process.kill()
            self.process.join()
            return f"hang: no end after {seconds:.0f} s of computing", 0, seconds
        return None

    def _seconds(self) -> float:
        """Return what the process has computed so far."""
        try:
            words = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        except OSError:  # it has just ended
            return self.computed
        return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")
