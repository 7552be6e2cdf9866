"""What goes wrong between calls, workers, and the process that starts them."""

import ctypes
import importlib
import os
import resource
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from functools import partial
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from helpers import processes_of

from skemotion import limits
from skemotion.io import Outcome, call_isolated, limits_in_force, run_isolated
from skemotion.io import _guard_process as guard_process
from skemotion.io import _workers as workers
from skemotion.io._memory import limited_memory
from skemotion.io._pickling import cloudpickle
from skemotion.io._worker_pool import POOL

linux = pytest.mark.skipif(sys.platform != "linux", reason="a worker ends with its guard")


def act(deed, *arguments):
    if deed == "crash":
        os.kill(os.getpid(), signal.SIGSEGV)
    if deed == "hang":
        ctypes.PyDLL(None).sleep(600)
    if deed == "sleep":
        time.sleep(arguments[0])
    if deed == "return":
        return arguments[0]
    if deed == "load slowly":
        time.sleep(arguments[0])
        return Slow(arguments[1])
    if deed == "killed once" and first_time(arguments[0]):
        time.sleep(arguments[1])
        os.kill(os.getpid(), signal.SIGKILL)
    if deed == "end the guard" and (arguments[0] is None or first_time(arguments[0])):
        os.kill(os.getppid(), signal.SIGKILL)
        time.sleep(60)
    if deed == "crash later":
        threading.Thread(target=lambda: (time.sleep(0.2), act("crash")), daemon=True).start()
    if deed == "count and crash":
        with arguments[0].open("a") as file:
            file.write("x")
        act("crash")
    if deed == "fork and crash":
        if not os.fork():
            time.sleep(60)
        act("crash")
    if deed == "start":
        arguments[0].write_text(str(os.spawnvp(os.P_NOWAIT, "sleep", ["sleep", "600"])))
        time.sleep(arguments[1])
    if deed == "stop talking":
        for path in Path("/proc/self/fd").iterdir():
            try:
                with socket.socket(fileno=os.dup(int(path.name))) as connection:
                    connection.send(struct.pack("!i", 1000))
            except OSError:
                continue
        time.sleep(600)
    if deed == "signal":
        os.kill(os.getpid(), arguments[0])
    if deed == "max_frames":
        return limits_in_force().max_frames
    return os.getpid()


def first_time(path):
    try:
        Path(path).touch(exist_ok=False)
    except FileExistsError:
        return False
    return True


class Slow:
    """Takes a while to be loaded."""

    def __init__(self, seconds):
        self.seconds = seconds

    def __reduce__(self):
        return time.sleep, (self.seconds,)


class Raises:
    """Cannot be loaded."""

    def __reduce__(self):
        return exec, ("raise KeyError('broken')",)


class Does:
    """A function that does something where it is loaded."""

    def __init__(self, code):
        self.code = code

    def __reduce__(self):
        return eval, (f"exec({self.code!r}) or __import__('time').sleep",)


def outcomes(*calls, n_workers=2, function=act):
    return list(run_isolated(function, calls, n_workers))


def values(*calls, n_workers=2, function=act):
    found = outcomes(*calls, n_workers=n_workers, function=function)
    assert [(outcome.end, outcome.error) for outcome in found] == [("", None)] * len(calls)
    return [outcome.value for outcome in found]


def check_pool():
    """Each worker is the one that it is taken for: each end is that of its own call."""
    found = outcomes(*[("return", 1), ("crash",), ("return", 2), ("crash",), ("return", 3)])
    assert [(outcome.value, outcome.signal) for outcome in found] == [
        (1, ""), (None, "SIGSEGV"), (2, ""), (None, "SIGSEGV"), (3, ""),
    ]  # fmt: skip


@pytest.fixture
def new_pool():
    POOL.close()


def interrupt(seconds):
    thread = threading.main_thread().ident
    threading.Timer(seconds, signal.pthread_kill, (thread, signal.SIGINT)).start()


def is_running(pid):
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"


def wait_until(is_so):
    end = time.monotonic() + 20
    while not is_so():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_no_result_is_lost_when_the_first_call_is_repeated(tmp_path, monkeypatch):
    """Even if so much is ready that nothing more is computed ahead."""
    monkeypatch.setattr(workers, "_BYTES_AHEAD", 10 * workers._BYTES_KNOWN)
    known = [Outcome(number) for number in range(1, 30)]
    found = list(run_isolated(act, [("killed once", tmp_path / "1", 0.1), *known], 2))
    assert found[0].value
    assert found[1:] == known
    monkeypatch.setattr(workers, "_BYTES_AHEAD", 10**6)
    ahead = [("return", np.full(2**17, number)) for number in range(1, 6)]
    found = values(("killed once", tmp_path / "2", 0.3), *ahead)
    assert [value[0] for value in found[1:]] == [1, 2, 3, 4, 5]


@linux
def test_the_end_of_the_guard_is_nobodys_fault(tmp_path, capfd):
    calls = ("end the guard", tmp_path / "once"), ("sleep", 0.2), ("sleep", 0.2), ("return", 7)
    assert values(*calls)[3] == 7
    check_pool()
    assert capfd.readouterr().err == ""


@linux
def test_a_call_that_always_ends_the_guard_ends_only_itself(monkeypatch):
    monkeypatch.setattr(workers, "_MOST_TRIES", 1)
    found = outcomes(("end the guard", None), ("return", 7), n_workers=1)
    assert [(outcome.signal, outcome.value) for outcome in found] == [("SIGKILL", None), ("", 7)]


def test_ends_are_known_where_the_caller_ignores_those_of_its_children(new_pool):
    before = signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    try:
        check_pool()
    finally:
        signal.signal(signal.SIGCHLD, before)


def test_ctrl_c_during_a_request_puts_nothing_out_of_step(new_pool):
    values(("return", 1))
    slow = Does("import time; time.sleep(1)")
    interrupt(0.3)
    with pytest.raises(KeyboardInterrupt):
        outcomes((0,), function=partial(slow_to_prepare, slow))
    start = time.monotonic()
    with limits(max_decode_seconds=1):
        found = outcomes(("hang",), ("sleep", 0.5), ("sleep", 0.5), ("crash",), ("return", 5))
    assert [outcome.end for outcome in found] == ["time", "", "", "crash", ""]
    assert time.monotonic() - start < 20
    check_pool()


def slow_to_prepare(slow, seconds):
    return slow(seconds)


def test_an_abandoned_run_may_end_in_the_middle_of_a_request(monkeypatch):
    """As the garbage collector ends it at any time."""
    results = run_isolated(act, [("return", 1), ("hang",)], 1)
    next(results)
    results_2 = run_isolated(act, [("return", 1), ("hang",), ("hang",)], 2)
    next(results_2)
    pids = [one.pid for run in (results, results_2) for one in run.gi_frame.f_locals["run"].workers]
    monkeypatch.setattr(POOL, "_idle", [])
    send_handle = guard_process.send_handle

    def send_late(*arguments):
        results_2.close()
        send_handle(*arguments)

    guard = POOL._guard
    monkeypatch.setattr(guard_process, "send_handle", send_late)
    assert values(("return", 2)) == [2]
    check_pool()
    assert POOL._guard is guard
    results.close()
    assert pids
    assert not any(is_running(pid) for pid in pids)


def test_ctrl_c_while_the_guard_ends():
    values(("return", 1))
    pid = POOL._guard.process.pid
    os.kill(pid, signal.SIGSTOP)  # so that it takes a while
    interrupt(0.2)
    with pytest.raises(KeyboardInterrupt):
        POOL.close()
    assert not is_running(pid)
    check_pool()


def test_a_guard_that_does_not_answer_is_replaced(monkeypatch):
    values(("return", 1), n_workers=1)
    stopped = POOL._guard
    os.kill(stopped.process.pid, signal.SIGSTOP)
    with monkeypatch.context() as patch:
        patch.setattr(guard_process, "_LONGEST_ANSWER", 0.2)
        with pytest.raises(TimeoutError):
            stopped.ask("end", 0)
    wait_until(stopped.has_ended)
    check_pool()


def test_a_system_that_refuses_processes_is_told_in_words(monkeypatch):
    monkeypatch.setattr(POOL, "_idle", [])
    refuses = Does(
        "import os\ndef fork():\n    raise BlockingIOError(11, 'no more processes')\nos.fork = fork"
    )
    with pytest.raises(RuntimeError, match=r"cannot be started \(.*no more processes\).*n_jobs"):
        outcomes((0,), function=refuses)
    assert not POOL._guard.has_ended()
    POOL.close()


PRINTS = """
import sys
sys.path[:] = {path!r}
from functools import partial
from skemotion.io import run_isolated
outcomes = list(run_isolated(print, [("a",), ("b" * 10**5,)], 1))
outcomes += run_isolated(partial(print, flush=True), [("c",)], 1)
print(*[(outcome.end, outcome.error) for outcome in outcomes], file=sys.stderr)
"""


@linux
@pytest.mark.parametrize("where", [">&-", "> /dev/full"])
def test_nobody_reads_what_is_printed(where):
    done = subprocess.run(
        ["sh", "-c", f'"$0" -c "$1" {where}', sys.executable, PRINTS.format(path=sys.path)],
        env={**os.environ, "PYTHONUNBUFFERED": ""}, stderr=subprocess.PIPE, text=True, check=True,
    )  # fmt: skip
    assert done.stderr == "('', None) ('', None) ('', None)\n"


def test_what_is_printed_comes_before_the_result(new_pool, capfd):
    assert outcomes(("printed",), function=print)[0].error is None
    assert capfd.readouterr().out == "printed\n"
    POOL.close()


def test_a_call_that_ends_in_time_is_heard_late():
    """Its result waits, while another takes long to be loaded."""
    values(("load slowly", 0, 0), ("load slowly", 0, 0))
    with limits(max_decode_seconds=0.8):
        values(("load slowly", 0.1, 1), ("load slowly", 0.3, 0))


def test_what_one_call_breaks_costs_no_other(tmp_path):
    found = outcomes(("crash later",), ("sleep", 0.5), ("return", 1), n_workers=1)
    assert [outcome.end for outcome in found] == ["", "", ""]
    count = tmp_path / "count"
    found = outcomes(("return", 1), ("count and crash", count), ("return", 1), n_workers=1)
    assert [outcome.end for outcome in found] == ["", "crash", ""]
    assert count.read_text() == "xx"


STOPPED = """
import sys
sys.path[:] = {path!r}
import time
from skemotion import limits
from skemotion.io import _workers, run_isolated
_workers._SLICE, _workers._STOPPED, _workers._FIRST_CLIP = 0.1, 0.5, 0
def work():
    end = time.process_time() + 0.5
    while time.process_time() < end:
        pass
list(run_isolated(time.sleep, [(0,)]))
print("ready", flush=True)
with limits(max_decode_seconds=1.2):
    [outcome] = run_isolated(work, [()])
print(outcome.end or "done")
"""


@linux
def test_no_time_passes_while_all_processes_are_stopped(tmp_path):
    with subprocess.Popen(
        [sys.executable, "-c", STOPPED.format(path=sys.path)],
        env={**os.environ, "SKEMOTION_TEST": str(tmp_path)},
        stdout=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        assert process.stdout.readline() == "ready\n"
        time.sleep(0.2)
        pids = processes_of(f"SKEMOTION_TEST={tmp_path}")
        for number, seconds in ((signal.SIGSTOP, 1.2), (signal.SIGCONT, 0)):
            for pid in pids:
                os.kill(pid, number)
            time.sleep(seconds)
        assert len(pids) == 3
        assert process.stdout.read() == "done\n"


def test_caller_and_worker_agree_on_the_functions_that_are_kept():
    functions = [partial(max, number) for number in range(8)]
    for function in functions[:3]:
        values((-1,), n_workers=1, function=function)
    with pytest.raises(KeyError, match="broken"):
        outcomes((Raises(),), n_workers=1, function=functions[3])
    for number in (4, 0, 1, 2, 5, 1, 2):
        assert values((-1,), n_workers=1, function=functions[number]) == [number]


def test_compiling_before_the_start_does_not_prolong_a_call(monkeypatch):
    monkeypatch.setattr(workers, "_FIRST_CLIP", 0)
    values(("import numba",), n_workers=1, function=exec)
    values((0,), n_workers=1, function=abs)  # from here on, compiling is noted
    compiles = Does(
        "from numba.core import event\n"
        "event.start_event('numba:compile')\nevent.end_event('numba:compile')"
    )
    with limits(max_decode_seconds=1):
        [outcome] = outcomes((40,), n_workers=1, function=compiles)
    assert outcome.end == "time"
    assert values((), n_workers=1, function=compile_in_a_fork) == [0]


def compile_in_a_fork():
    event = importlib.import_module("numba.core.event")
    pid = os.fork()
    if pid:
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    try:
        event.start_event("numba:compile")
        event.end_event("numba:compile")
        os._exit(0)
    finally:
        os._exit(1)


@linux
def test_any_signal_has_a_name():
    calls = [("signal", number) for number in (signal.SIGABRT, signal.SIGRTMIN + 1)]
    found = [outcome.signal for outcome in outcomes(*calls)]
    assert found == ["SIGABRT", f"signal {signal.SIGRTMIN + 1}"]


@linux
def test_a_crash_writes_no_image(monkeypatch):
    values(("return", 1))
    monkeypatch.setattr(POOL, "_idle", [])
    _, hard = resource.getrlimit(resource.RLIMIT_CORE)
    resource.prlimit(POOL._guard.process.pid, resource.RLIMIT_CORE, (hard, hard))
    assert values((resource.RLIMIT_CORE,), function=resource.getrlimit) == [(0, hard)]


@linux
def test_a_crash_is_seen_at_once_whatever_the_worker_has_forked():
    start = time.monotonic()
    [outcome] = outcomes(("fork and crash",))
    assert outcome.signal == "SIGSEGV"
    assert time.monotonic() - start < 10


@linux
@pytest.mark.parametrize("seconds", [0, 600])
def test_what_a_call_starts_ends_with_its_worker(seconds, tmp_path):
    with limits(max_decode_seconds=0.5 if seconds else 60):
        values(("return", 1), ("return", 1))
        [outcome] = outcomes(("start", tmp_path / "pid", seconds), n_workers=1)
    assert outcome.end == ("time" if seconds else "")
    if not seconds:
        assert is_running((tmp_path / "pid").read_text())
        POOL.close()
    wait_until(lambda: not is_running((tmp_path / "pid").read_text()))


@linux
def test_a_worker_that_stops_in_the_middle_of_a_message(monkeypatch):
    monkeypatch.setattr(guard_process, "_LONGEST_GAP", 1)
    monkeypatch.setattr(POOL, "_idle", [])
    found = outcomes(("stop talking",), ("return", 1), n_workers=1)
    assert [(outcome.end, outcome.value) for outcome in found] == [("time", None), ("", 1)]


def test_a_function_of_the_main_program_in_a_process_of_multiprocessing(monkeypatch):
    main = ModuleType("__mp_main__")
    exec("def double(x):\n    return 2 * x", vars(main))
    monkeypatch.setitem(sys.modules, "__mp_main__", main)
    try:
        assert values((1,), (2,), function=main.double) == [2, 4]
    finally:
        cloudpickle.unregister_pickle_by_value(main)


def test_limits_are_those_of_each_caller():
    for number in (7, 8):
        with limits(max_frames=number):
            assert call_isolated(act, "max_frames", name="a") == number
    assert call_isolated(act, "max_frames", name="a") == limits_in_force().max_frames


@linux
def test_a_limit_of_memory_is_as_before_afterwards():
    before, hard = resource.getrlimit(resource.RLIMIT_DATA)
    own = 2**40
    resource.setrlimit(resource.RLIMIT_DATA, (own, hard))
    try:
        with limited_memory(2**30):
            assert resource.getrlimit(resource.RLIMIT_DATA)[0] < own
        assert resource.getrlimit(resource.RLIMIT_DATA) == (own, hard)
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, (before, hard))


def test_workers_run_what_has_been_reloaded(tmp_path, monkeypatch):
    """Also while others are at work, who lose nothing by it; and from folders that came later."""
    assert values((-1,), function=abs) == [1]
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    path = tmp_path / "module_to_be_reloaded.py"
    path.write_text("def change(x):\n    return 2 * x\n")
    module = importlib.import_module("module_to_be_reloaded")
    assert values((3,), function=module.change) == [6]
    guard = POOL._guard
    results = run_isolated(act, [("return", 0), ("sleep", 0.6), ("return", 2)], 2)
    next(results)
    [at_work] = results.gi_frame.f_locals["run"].workers
    assert values((4,), function=module.change) == [8]
    assert POOL._guard is guard
    path.write_text("def change(x):\n    return 10 * x + 1\n")
    importlib.reload(module)
    assert values((3,), function=module.change) == [31]
    assert POOL._guard is not guard
    assert next(results).value == at_work.pid
    assert next(results).value == 2
    wait_until(guard.has_ended)
    monkeypatch.delitem(sys.modules, "module_to_be_reloaded")
