"""The processes that work on clips, and the guard that starts and ends them.

`_workers` starts one guard, which imports what the work needs and opens no clip itself. It forks
workers in milliseconds, as many as its caller asks for, and ends together with the caller, and all
of them with it. The caller itself is never forked: it has threads.
"""

from __future__ import annotations

import ctypes
import gc
import importlib
import os
import pickle
import select
import signal
import sys
import threading
import traceback
import warnings
from collections.abc import Callable
from contextlib import suppress
from multiprocessing.connection import Connection
from multiprocessing.reduction import recv_handle
from typing import Any, NamedTuple, NoReturn

from ._folder import go_to_folder
from ._limits import Limits, enforced
from ._memory import leave_no_core, limited_memory, prefer_for_the_oom_killer
from ._pickling import quickly_pickled
from ._printing import print_leniently, print_out

# Seconds after which a guard without workers, and a worker without clips, end.
IDLE_SECONDS = 300
_is_worker = False


class Report(NamedTuple):
    """What a worker says at the end of a call."""

    value: Any
    error: BaseException | None
    warned: list[tuple[Any, type[Warning], str, int]]
    # Imported during the call: the guard imports them as well, for the workers to come.
    modules: list[str]


def in_worker() -> bool:
    """Return whether this process is a worker."""
    return _is_worker


def guard(control: Connection) -> NoReturn:
    """Fork and end workers as the caller says, until it is gone.

    Parameters
    ----------
    control : Connection
        Gets ``("prepare", function)``, the pickled function of calls to come; ``("fork", modules)``
        and a file descriptor, the worker's end of its connection, which is answered by a pid or by
        why there is none; ``("end", pid)``, which is answered by an exit code.
    """
    for stream in (1, 2):
        try:
            os.fstat(stream)
        except OSError:  # closed, so that the next connection would take its place
            os.open(os.devnull, os.O_WRONLY)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        # They reach all processes of a terminal: the caller decides what they mean.
        _inherited[number] = signal.signal(number, signal.SIG_IGN)
    # If it is ignored, as some callers do, nobody learns how a worker has ended.
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    warnings.simplefilter("ignore")  # such as about forking; workers report those of their calls
    workers: dict[int, int | None] = {}  # exit codes, of those that have ended
    try:
        while control.poll(IDLE_SECONDS) or _running(workers):
            if not control.poll(0):
                continue
            word, content = control.recv()
            if word == "prepare":
                with suppress(BaseException):  # which a worker will report
                    pickle.loads(content)
                control.send(None)
            elif word == "fork":
                handle = recv_handle(control)
                _import(content)
                try:
                    pid = _fork(control, handle)
                except OSError as error:  # too many processes, too little memory
                    control.send(str(error))
                else:
                    workers[pid] = None
                    control.send(pid)
                finally:
                    os.close(handle)
            else:
                code = workers.pop(content, -signal.SIGKILL)
                control.send(_end(content) if code is None else code)
    except (EOFError, ConnectionError):
        pass
    except BaseException:
        traceback.print_exc()
    finally:
        for pid, code in workers.items():
            if code is None:
                _end(pid)
        os._exit(0)


def _end(pid: int) -> int:
    """End a worker and what its calls have started, and give its exit code."""
    # Until it is waited for, a process that has ended is there.
    for kill in (os.killpg, os.kill):  # its group is made after its start
        with suppress(ProcessLookupError, PermissionError):
            kill(pid, signal.SIGKILL)
    try:
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    except ChildProcessError:  # waited for by another, such as a library that was imported
        return -signal.SIGKILL


def _running(workers: dict[int, int | None]) -> bool:
    """Return whether any worker is left, and note those that have ended by themselves."""
    for pid, code in workers.items():
        if code is not None:
            continue
        try:
            ended, status = os.waitpid(pid, os.WNOHANG)
        except ChildProcessError:
            ended, status = pid, signal.SIGKILL
        if ended:
            workers[pid] = os.waitstatus_to_exitcode(status)
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(pid, signal.SIGKILL)
    return None in workers.values()


def _import(modules: list[str]) -> None:
    for name in set(modules) - _tried:
        _tried.add(name)
        with suppress(BaseException):
            importlib.import_module(name)


_tried: set[str] = set()


_inherited: dict[int, Any] = {}  # what signals did to the caller, as after nohup


def _fork(control: Connection, handle: int) -> int:
    end_with_caller = _prctl()
    guard_pid = os.getpid()
    gc.freeze()  # pages stay shared
    pid = os.fork()
    if pid:
        return pid
    status = 1
    try:
        end_with_caller()
        if os.getppid() != guard_pid:
            os._exit(0)
        os.setsid()  # so that what a call starts can be ended with its worker
        for number in (signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, _inherited[number] or signal.SIG_DFL)
        control.close()
        prefer_for_the_oom_killer()
        leave_no_core()
        print_leniently()
        os.set_inheritable(handle, False)
        # Held until the process is gone, which the caller takes the end of the connection for.
        connection = Connection(handle)
        os.register_at_fork(after_in_child=connection.close)
        _serve(connection)
        status = 0
    except (EOFError, ConnectionError):
        status = 0
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(status)


def _prctl() -> Callable[[], None]:
    """Return what makes the kernel end this process with its parent, even deep in a decoder."""
    if sys.platform != "linux":
        return lambda: None
    library, set_parent_death_signal = ctypes.CDLL(None), 1
    return lambda: library.prctl(set_parent_death_signal, signal.SIGKILL) and None


def _serve(connection: Connection) -> None:
    """Run the calls that the caller sends, one after the other.

    For each it sends ``(key, function or None, keys, limits, folder or None, arguments)``: the
    pickled function only if the worker does not have it, together with the keys of the functions to
    keep; the pickled limits in force, the caller's working folder, and the pickled arguments.
    """
    global _is_worker
    _is_worker = True
    functions: dict[str, Callable[..., Any]] = {}
    known, n_modules = set(sys.modules), len(sys.modules)
    compiling = _Compiling(connection)
    calls = select.poll()  # once: `connection.poll` would make a new one for each clip
    calls.register(connection, select.POLLIN)
    pickled_limits, limits = b"", Limits()
    while calls.poll(1000 * IDLE_SECONDS):
        key, function, kept, sent_limits, folder, content = connection.recv()
        go_to_folder(folder)
        try:
            if function is not None:
                for other in functions.keys() - set(kept):
                    del functions[other]
                functions[key] = pickle.loads(function)
            if sent_limits != pickled_limits:
                pickled_limits, limits = sent_limits, pickle.loads(sent_limits)
            arguments = pickle.loads(content)
        except Exception as error:
            _send(connection, "broken", Report(None, error, [], []))
            continue
        del content
        compiling.listen()
        if function is not None:  # otherwise, it has started by being sent
            connection.send(("started",))
        with (
            warnings.catch_warnings(record=True) as caught,
            enforced(limits),
            limited_memory(limits.memory),
        ):
            warnings.simplefilter("default")
            value, problem = None, None
            try:
                value = functions[key](*arguments)
            except BaseException as error:
                problem = error
        del arguments
        print_out()
        warned = [(w.message, w.category, w.filename, w.lineno) for w in caught]
        modules: list[str] = []
        if len(sys.modules) != n_modules:
            modules, n_modules = sorted(set(sys.modules) - known), len(sys.modules)
            known.update(modules)
        report = Report(value, problem, warned, modules)
        _send(connection, "done", report)
        del value, problem, report
    connection.send(("gone",))  # a call that is sent meanwhile is nobody's fault


def _send(connection: Connection, word: str, report: Report) -> None:
    report = report._replace(warned=[_sendable(*warned) for warned in report.warned])
    try:
        content = quickly_pickled((word, *report))
        if report.error is not None:
            # Exceptions may be pickled that cannot be unpickled, or not be shown.
            str(pickle.loads(content)[2])
    except Exception as problem:
        found = type(report.value).__name__ if report.error is None else _text(report.error)
        error = RuntimeError(
            "What a worker process found cannot be sent "
            f"({type(problem).__name__}: {_text(problem)}): {found}"
        )
        content = pickle.dumps((word, *report._replace(value=None, error=error)))
    connection.send_bytes(content)


def _sendable(
    message: Any, category: type[Warning], file: str, line: int
) -> tuple[Any, type[Warning], str, int]:
    """Return a warning, or a plain one of its text if the caller cannot be sent its class."""
    try:
        str(pickle.loads(quickly_pickled((message, category)))[0])
    except Exception:
        known = next(
            base
            for base in category.__mro__
            if issubclass(base, Warning) and base.__module__ == "builtins"
        )
        return f"{category.__name__}: {_text(message)}", known, file, line
    return message, category, file, line


def _text(value: Any) -> str:
    try:
        return str(value)
    except Exception as problem:
        return f"({type(value).__name__}, whose text cannot be shown: {type(problem).__name__})"


class _Compiling:
    """Says when kernels are compiled, which is not the clip's time."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._depth = 0
        self._is_listening = False
        self._thread = threading.get_ident()

    def listen(self) -> None:
        """Start, once numba is imported."""
        if self._is_listening or "numba" not in sys.modules:
            return
        from numba.core import event

        event.Listener.register(_Compiling)
        register: Any = event.register
        register("numba:compile", self)
        self._is_listening = True

    def notify(self, happened: Any) -> None:
        """Tell the caller; as numba's listeners do."""
        # In a process that the call has forked, there is nobody to tell.
        if threading.get_ident() != self._thread or self._connection.closed:
            return
        before = self._depth
        self._depth += 1 if happened.is_start else -1
        if not (before and self._depth):
            self._connection.send(("compiling" if happened.is_start else "compiled",))
