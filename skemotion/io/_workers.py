"""Calls in kept processes, each of which may crash, hang or run out of memory alone."""

from __future__ import annotations

import hashlib
import multiprocessing.connection
import os
import pickle
import signal
import time
import warnings
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Literal, NamedTuple

import joblib

from ._errors import MediaError, beyond_limit
from ._guard import N_KEPT, Report, in_worker
from ._limits import Limits, limits_in_force
from ._worker_pool import POOL, Worker

try:
    import cloudpickle  # type: ignore[import-untyped]
except ImportError:  # which older versions of joblib carry along
    from joblib.externals import cloudpickle

_warned: dict[Any, Any] = {}  # what warnings have been given, as Python wants to know
# Results that are done before it is their turn; more are not computed ahead.
_BYTES_AHEAD, _BYTES_KNOWN = 2**28, 2**22
# Seconds for a worker to get ready, and more for the first clip, which imports what is used.
_GET_READY, _FIRST_CLIP = 120, 30
# A worker that dies before it starts on a clip, or is killed from outside, may be unlucky.
_MOST_TRIES = 3


class Outcome(NamedTuple):
    """What became of a call.

    Attributes
    ----------
    value : Any
        What the function returned.
    error : BaseException or None
        What it raised.
    end : {"", "crash", "time"}
        What ended its worker: a crash, with the signal in `signal`, or the limit of time.
    signal : str
        Such as "SIGSEGV".
    """

    value: Any = None
    error: BaseException | None = None
    end: Literal["", "crash", "time"] = ""
    signal: str = ""

    def result(self, name: str) -> Any:
        """Return the value, or raise the error; that of a worker's end names the clip."""
        if self.error is not None:
            raise self.error
        if self.end == "time":
            raise beyond_limit(name, "max_decode_seconds", "one for which a worker takes longer")
        if self.end == "crash":
            raise MediaError(
                f"{name}: expected a clip, found one in which the decoder or a step crashes and "
                f"takes its process along ({self.signal}). Leave the clip out, or make or download "
                "it again."
            )
        return self.value


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


def run_isolated(
    function: Callable[..., Any], calls: Iterable[tuple[Any, ...] | Outcome], n_workers: int = 1
) -> Generator[Outcome]:
    """Call a function in worker processes, which are kept for the next time.

    A call that crashes its worker, takes longer than `limits` allow, or more memory, ends only
    itself.

    Parameters
    ----------
    function : callable
        Sent to each worker once.
    calls : iterable of tuple or Outcome
        Arguments; read as workers become free. Or what is known already, which is handed on.
    n_workers : int, default=1
        Calls at once.

    Yields
    ------
    outcome : Outcome
        One per call, in order.

    Raises
    ------
    RuntimeError
        If workers cannot be started.
    """
    run = _Run(function, calls, n_workers)
    try:
        yield from run.outcomes()
    finally:
        run.abandon()


def call_isolated(function: Callable[..., Any], *arguments: Any, name: str) -> Any:
    """Call a function in a worker process, if this is none.

    Parameters
    ----------
    function : callable
        Takes the arguments.
    *arguments : Any
        Such as a clip.
    name : str
        What to call the clip in an error.

    Returns
    -------
    value : Any
        What the function returns.

    Raises
    ------
    MediaError
        If the worker ends.
    """
    if not can_isolate():
        return function(*arguments)
    [outcome] = run_isolated(function, [arguments])
    return outcome.result(name)


def _folder() -> str | None:
    """Return the working folder, from which the paths of clips start."""
    try:
        return os.getcwd()  # noqa: PTH109
    except FileNotFoundError:  # removed
        return None


class _Call(NamedTuple):
    number: int
    content: bytes  # the pickled arguments
    n_tries: int = 0


class _InHand:
    """A call that a worker works on."""

    def __init__(self, call: _Call, worker: Worker, seconds: float) -> None:
        self.call, self.worker = call, worker
        self.is_started = False
        self.left = seconds
        self.deadline = time.monotonic() + _GET_READY

    def go_on(self) -> None:
        self.is_started = True
        self.deadline = time.monotonic() + self.left

    def pause(self) -> None:
        """Stop the clock, for what is not the clip's fault."""
        self.left = max(self.deadline - time.monotonic(), 1)
        self.deadline = time.monotonic() + 10 * _GET_READY


class _Run:
    """The calls of one function."""

    def __init__(
        self,
        function: Callable[..., Any],
        calls: Iterable[tuple[Any, ...] | Outcome],
        n_workers: int,
    ) -> None:
        self._function = cloudpickle.dumps(function)
        self._key = hashlib.blake2b(self._function, digest_size=16).hexdigest()
        self._calls = enumerate(calls)
        self._again: list[_Call] = []
        self._n_workers = n_workers
        self._in_hand: dict[Any, _InHand] = {}
        self._done: dict[int, Outcome] = {}
        self._sizes: dict[int, int] = {}
        self._limits: Limits = limits_in_force()

    def outcomes(self) -> Iterator[Outcome]:
        turn = 0
        while True:
            while turn in self._done:
                self._sizes.pop(turn, None)
                yield self._done.pop(turn)
                turn += 1
            self._hand_out()
            if not self._in_hand:
                if turn in self._done:
                    continue
                return
            soonest = min(work.deadline for work in self._in_hand.values())
            ready = multiprocessing.connection.wait(
                list(self._in_hand), max(soonest - time.monotonic(), 0)
            )
            for connection in ready:
                self._hear(self._in_hand[connection])
            for work in list(self._in_hand.values()):
                if work.deadline <= time.monotonic():
                    self._too_late(work)

    @property
    def workers(self) -> list[Worker]:
        """Those at work."""
        return [work.worker for work in self._in_hand.values()]

    def abandon(self) -> None:
        """End the workers that are still at work."""
        for worker in self.workers:
            POOL.end(worker)
        self._in_hand.clear()

    def _hand_out(self) -> None:
        while len(self._in_hand) < self._n_workers and sum(self._sizes.values()) < _BYTES_AHEAD:
            call = self._next()
            if call is None:
                return
            most = max(self._n_workers, joblib.cpu_count())
            worker = POOL.lease(self._function, self._key, None if not self._in_hand else most)
            if worker is None:
                self._again.append(call)
                return
            seconds = self._limits.max_decode_seconds
            if self._key not in POOL.used:
                seconds += _FIRST_CLIP
            self._in_hand[worker.connection] = work = _InHand(call, worker, seconds)
            function = None if self._key in worker.known else self._function
            # As the worker does, which keeps the latest.
            known = [key for key in worker.known if key != self._key]
            worker.known = [*known, self._key][-N_KEPT:]
            try:
                worker.connection.send((self._key, function, self._limits.memory, _folder()))
                worker.connection.send_bytes(call.content)
            except (ConnectionError, BrokenPipeError):
                self._died(work)

    def _next(self) -> _Call | None:
        if self._again:
            return self._again.pop()
        for number, arguments in self._calls:
            if not isinstance(arguments, Outcome):
                return _Call(number, cloudpickle.dumps(arguments))
            self._done[number], self._sizes[number] = arguments, _BYTES_KNOWN
            if sum(self._sizes.values()) >= _BYTES_AHEAD:
                break
        return None

    def _hear(self, work: _InHand) -> None:
        try:
            content = work.worker.connection.recv_bytes()
        except (EOFError, ConnectionError):
            self._died(work)
            return
        word, report = pickle.loads(content)
        if word == "started":
            work.go_on()
        elif word == "compiling":
            work.pause()
        else:
            del self._in_hand[work.worker.connection]
            POOL.give_back(work.worker)
            self._finish(work, word, report, len(content))

    def _finish(self, work: _InHand, word: str, report: Report, size: int) -> None:
        if word == "broken" and report.error is not None:
            work.worker.known.remove(self._key)
            report.error.add_note("In a worker process, which could not take a step or a clip.")
            raise report.error
        POOL.used.add(self._key)
        POOL.modules += report.modules
        for message, category, file, line in report.warned:
            warnings.warn_explicit(message, category, file, line, registry=_warned)
        self._done[work.call.number] = Outcome(report.value, report.error)
        self._sizes[work.call.number] = size

    def _died(self, work: _InHand) -> None:
        del self._in_hand[work.worker.connection]
        code = POOL.end(work.worker)
        killed = code == -signal.SIGKILL
        # Something else may have killed it, such as the system in want of memory.
        if not work.is_started or (killed and work.call.n_tries == 0):
            if work.call.n_tries == _MOST_TRIES:
                raise RuntimeError(
                    f"Worker processes end before they start to work (exit code {code}). Is there "
                    "enough memory? Are all packages installed for the same version of Python?"
                )
            self._again.append(work.call._replace(n_tries=work.call.n_tries + 1))
            return
        name = signal.Signals(-code).name if code < 0 else f"exit code {code}"
        self._done[work.call.number] = Outcome(end="crash", signal=name)

    def _too_late(self, work: _InHand) -> None:
        if not work.is_started:
            self._died(work)
            return
        del self._in_hand[work.worker.connection]
        POOL.end(work.worker)
        self._done[work.call.number] = Outcome(end="time")
