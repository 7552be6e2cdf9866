"""Calls in kept processes, each of which may crash, hang or run out of memory alone."""

from __future__ import annotations

import hashlib
import math
import multiprocessing
import os
import pickle
import select
import signal
import time
import warnings
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, NamedTuple

import joblib

from ._folder import working_folder
from ._guard import N_KEPT, Report, in_worker
from ._limits import Limits, limits_in_force
from ._outcome import Outcome
from ._pickling import pickled
from ._worker_pool import POOL, Worker

_warned: dict[Any, Any] = {}  # what warnings have been given, as Python wants to know
# Results that are done before it is their turn; more are not computed ahead.
_BYTES_AHEAD, _BYTES_KNOWN = 2**28, 2**22
# Seconds for a worker to get ready, and more for the first clip, which imports what is used.
_GET_READY, _FIRST_CLIP = 120, 30
_LONGEST_WAIT = 3600  # the system knows no longer ones than 24 days
# A worker that dies before it starts on a clip, or is killed from outside, may be unlucky.
_MOST_TRIES = 3


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
        self._function = pickled(function)
        self._key = hashlib.blake2b(self._function, digest_size=16).hexdigest()
        self._calls = enumerate(calls)
        self._again: list[_Call] = []
        self._n_workers = n_workers
        # How many there may be of all runs together. Asking the system takes a while.
        self._most_workers = max(n_workers, joblib.cpu_count())
        self._in_hand: dict[int, _InHand] = {}  # by the file descriptor of the worker
        self._poll = select.poll()
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
            left = min(max(soonest - time.monotonic(), 0), _LONGEST_WAIT)
            for descriptor, _ in self._poll.poll(math.ceil(1000 * left)):
                self._hear(self._in_hand[descriptor])
            for work in list(self._in_hand.values()):
                if work.deadline <= time.monotonic():
                    self._too_late(work)

    @property
    def workers(self) -> list[Worker]:
        """Those at work."""
        return [work.worker for work in self._in_hand.values()]

    def abandon(self) -> None:
        """End the workers that are still at work."""
        for work in list(self._in_hand.values()):
            self._put_down(work)
            POOL.end(work.worker)

    def _hand_out(self) -> None:
        while len(self._in_hand) < self._n_workers and sum(self._sizes.values()) < _BYTES_AHEAD:
            call = self._next()
            if call is None:
                return
            most = self._most_workers if self._in_hand else None
            worker = POOL.lease(self._function, self._key, most)
            if worker is None:
                self._again.append(call)
                return
            seconds = self._limits.max_decode_seconds
            if self._key not in POOL.used:
                seconds += _FIRST_CLIP
            work = self._take_up(_InHand(call, worker, seconds))
            function = None if self._key in worker.known else self._function
            # As the worker does, which keeps the latest.
            known = [key for key in worker.known if key != self._key]
            worker.known = [*known, self._key][-N_KEPT:]
            message = self._key, function, self._limits.memory, working_folder(), call.content
            try:
                worker.connection.send_bytes(pickle.dumps(message, pickle.HIGHEST_PROTOCOL))
            except (ConnectionError, BrokenPipeError):
                self._died(work)
                continue
            if function is None:  # otherwise, the worker will say when it is ready
                work.go_on()

    def _take_up(self, work: _InHand) -> _InHand:
        descriptor = work.worker.connection.fileno()
        self._in_hand[descriptor] = work
        self._poll.register(descriptor, select.POLLIN)
        return work

    def _put_down(self, work: _InHand) -> None:
        """Count a worker no longer as being at work, before its connection is closed."""
        descriptor = work.worker.connection.fileno()
        del self._in_hand[descriptor]
        self._poll.unregister(descriptor)

    def _next(self) -> _Call | None:
        if self._again:
            return self._again.pop()
        for number, arguments in self._calls:
            if not isinstance(arguments, Outcome):
                return _Call(number, pickled(arguments))
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
        try:
            word, *report = pickle.loads(content)
        except Exception as problem:  # such as a class that is only there for the worker
            self._put_down(work)
            POOL.end(work.worker)
            error = RuntimeError(
                f"What a worker process found cannot be read ({type(problem).__name__}: {problem})."
            )
            self._done[work.call.number] = Outcome(error=error)
            return
        if word == "started":
            work.go_on()
        elif word == "compiling":
            work.pause()
        elif word == "gone":  # before the call came
            work.is_started = False
            self._died(work)
        else:
            self._put_down(work)
            POOL.give_back(work.worker)
            self._finish(work, word, Report(*report), len(content))

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
        self._put_down(work)
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
        self._put_down(work)
        POOL.end(work.worker)
        self._done[work.call.number] = Outcome(end="time")
