"""Calls in kept processes, each of which may crash, hang or run out of memory alone."""

from __future__ import annotations

import hashlib
import math
import pickle
import select
import signal
import time
import warnings
from collections.abc import Callable, Generator, Iterable, Iterator
from typing import Any, NamedTuple

import joblib

from ._folder import working_folder
from ._guard import Report
from ._guard_process import Worker
from ._isolation import can_isolate
from ._limits import Limits, limits_in_force
from ._outcome import Outcome
from ._pickling import pickled
from ._worker_pool import POOL

_warned: dict[Any, Any] = {}  # what warnings have been given, as Python wants to know
# Results that are done before it is their turn; more are not computed ahead.
_BYTES_AHEAD, _BYTES_KNOWN = 2**28, 2**22
# Seconds for a worker to get ready, and more for the first clip, which imports what is used.
_GET_READY, _FIRST_CLIP = 120, 30
# Seconds at most to wait at once, and beyond which this process was stopped meanwhile.
_SLICE, _STOPPED = 1.0, 2.0
# A worker that dies before it starts on a clip, or together with the guard, is unlucky.
_MOST_TRIES = 3
# Something else may have ended it, such as the system in want of memory.
_FROM_OUTSIDE = (-signal.SIGKILL, -signal.SIGTERM, -signal.SIGHUP)
# Functions that a worker keeps, such as the descriptions of two kinds of clips.
_N_KEPT = 4


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
    n_tries: int = 0  # that ended by bad luck
    is_second: bool = False  # the first ended its worker, which may have been another call's fault


class _InHand:
    """A call that a worker works on."""

    def __init__(self, call: _Call, worker: Worker, seconds: float) -> None:
        self.call, self.worker = call, worker
        self.is_started = False
        self.left = seconds
        self.deadline = time.monotonic() + _GET_READY

    def start(self) -> None:
        self.is_started = True
        self.go_on()

    def go_on(self) -> None:
        self.deadline = time.monotonic() + (self.left if self.is_started else _GET_READY)

    def pause(self) -> None:
        """Stop the clock, for what is not the clip's fault."""
        if self.is_started:
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
        self._are_all_read = False
        self._again: list[_Call] = []
        self._n_workers = n_workers
        # How many there may be of all runs together. Asking the system takes a while.
        self._most_workers = max(n_workers, joblib.cpu_count())
        self._in_hand: dict[int, _InHand] = {}  # by the file descriptor of the worker
        self._poll = select.poll()
        self._done: dict[int, Outcome] = {}
        self._sizes: dict[int, int] = {}
        self._limits: Limits = limits_in_force()
        self._sent_limits = pickled(self._limits)

    def outcomes(self) -> Iterator[Outcome]:
        POOL.renew()
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
                if self._again or self._done or not self._are_all_read:
                    raise RuntimeError("Calls are left over, with no worker at work on them.")
                return
            for descriptor in self._wait():
                self._hear(self._in_hand[descriptor])
            for work in self._in_hand_now():
                if work.deadline > time.monotonic():
                    continue
                if work.worker.has_news():  # while others were heard
                    self._hear(work)
                else:
                    self._too_late(work)

    def _wait(self) -> list[int]:
        """Wait for workers, and return the descriptors of those that have something to say."""
        before = time.monotonic()
        soonest = min(work.deadline for work in self._in_hand.values())
        seconds = min(max(soonest - before, 0), _SLICE)
        ready = self._poll.poll(math.ceil(1000 * seconds))
        beyond = time.monotonic() - before - seconds
        if beyond > _STOPPED:  # such as by Ctrl-Z, and most likely the workers as well
            for work in self._in_hand.values():
                work.deadline += beyond
        return [descriptor for descriptor, _ in ready]

    def _in_hand_now(self) -> list[_InHand]:
        return list(self._in_hand.values())

    @property
    def workers(self) -> list[Worker]:
        """Those at work."""
        return [work.worker for work in self._in_hand_now()]

    def abandon(self) -> None:
        """End the workers that are still at work."""
        POOL.abandon(self.workers)
        self._in_hand.clear()

    def _hand_out(self) -> None:
        # Others may wait for the result of a call that is to be repeated.
        while len(self._in_hand) < self._n_workers and (
            self._again or sum(self._sizes.values()) < _BYTES_AHEAD
        ):
            call = self._next()
            if call is None:
                return
            most = self._most_workers if self._in_hand else None
            again = call.is_second or call.n_tries > 0
            worker = POOL.lease(self._function, self._key, most, fresh=again)
            if worker is None:
                self._again.append(call)
                return
            worker.n_calls += 1
            seconds = self._limits.max_decode_seconds
            if self._key not in POOL.used:
                seconds += _FIRST_CLIP
            work = self._take_up(_InHand(call, worker, seconds))
            function = None if self._key in worker.known else self._function
            known = [key for key in worker.known if key != self._key]
            worker.known = [*known, self._key][-_N_KEPT:]
            message = (
                self._key, function, worker.known, self._sent_limits, working_folder(), call.content
            )  # fmt: skip
            try:
                worker.connection.send_bytes(pickle.dumps(message, pickle.HIGHEST_PROTOCOL))
            except OSError:
                self._died(work)
                continue
            if function is None:  # otherwise, the worker will say when it is ready
                work.start()

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
                return None
        self._are_all_read = True
        return None

    def _hear(self, work: _InHand) -> None:
        try:
            content = work.worker.connection.recv_bytes()
        except BlockingIOError:  # in the middle of a message
            self._too_late(work)
            return
        except (EOFError, OSError):
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
            work.start()
        elif word == "compiled":
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
        call, code = work.call, POOL.end(work.worker)
        is_unlucky = code is None or not work.is_started
        if is_unlucky and call.n_tries < _MOST_TRIES:
            self._again.append(call._replace(n_tries=call.n_tries + 1))
        elif not work.is_started:
            raise RuntimeError(
                f"Worker processes end before they start to work (exit code {code}). Is there "
                "enough memory? Are all packages installed for the same version of Python?"
            )
        elif not call.is_second and (code in _FROM_OUTSIDE or work.worker.n_calls > 1):
            self._again.append(call._replace(is_second=True))
        else:
            self._done[call.number] = Outcome(end="crash", signal=_name_of(code))

    def _too_late(self, work: _InHand) -> None:
        if not work.is_started:
            self._died(work)
            return
        self._put_down(work)
        POOL.end(work.worker)
        self._done[work.call.number] = Outcome(end="time")


def _name_of(code: int | None) -> str:
    """Name an exit code, or the signal that it stands for."""
    number = signal.SIGKILL if code is None else -code
    if number <= 0:
        return f"exit code {code}"
    known = [one.name for one in signal.Signals if one == number]
    return known[0] if known else f"signal {number}"
