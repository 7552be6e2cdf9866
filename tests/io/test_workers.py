"""Calls in kept processes: what ends one of them ends nothing else."""

import ctypes
import multiprocessing.connection
import os
import pickle
import signal
import socket
import subprocess
import sys
import threading
import time
import warnings
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import joblib
import numpy as np
import pytest
from helpers import processes_of

from skemotion import MediaError, limits
from skemotion.io import (
    call_isolated,
    can_isolate,
    in_worker,
    own_cores,
    run_isolated,
    without_workers,
)
from skemotion.io._worker_pool import POOL


def act(deed, *arguments):
    """What a decoder, or a step, may do."""
    if deed == "crash":
        os.kill(os.getpid(), signal.SIGSEGV)
    if deed == "exit":
        os._exit(3)
    if deed == "hang":
        ctypes.PyDLL(None).sleep(600)  # and keeps the interpreter's lock
    if deed == "fill":
        kept = []
        while True:
            kept.append(np.ones(2**20))
    if deed == "killed once":
        path = Path(arguments[0])
        if not path.exists():
            path.touch()
            os.kill(os.getpid(), signal.SIGKILL)
    if deed == "sleep":
        time.sleep(arguments[0])
    if deed == "raise":
        raise arguments[0]
    if deed == "stubborn":
        raise StubbornError("one", "two")
    if deed == "lock":
        return threading.Lock()
    if deed == "warn":
        warnings.warn("of a worker", RuntimeWarning, stacklevel=1)
    if deed == "close":  # another's file, by mistake
        held = [fd for fd in range(3, 99) if str(os.getpid()) in _target(fd)]
        for fd in held:
            os.close(fd)
        return len(held)
    if deed == "return":
        return arguments[0]
    return os.getpid(), in_worker(), can_isolate()


def _target(fd):
    try:
        return str(Path(f"/proc/self/fd/{fd}").readlink())
    except OSError:
        return ""


class StubbornError(Exception):
    """Can be pickled, but not unpickled."""

    def __init__(self, one, two):
        super().__init__(one)


class Broken:
    def __reduce__(self):
        return exec, ("raise KeyError('broken')",)


def outcomes(*deeds, n_workers=2):
    calls = [(deed,) if isinstance(deed, str) else deed for deed in deeds]
    return list(run_isolated(act, calls, n_workers))


def test_paths_start_from_where_the_caller_is(tmp_path, monkeypatch):
    """Also where workers have been started elsewhere."""
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        monkeypatch.chdir(tmp_path / name)
        [outcome] = run_isolated(os.getcwd, [()])
        assert outcome.value == os.path.realpath(tmp_path / name)


def test_workers_are_kept():
    first = {outcome.value for outcome in outcomes(*["pid"] * 6)}
    again = {outcome.value for outcome in outcomes(*["pid"] * 6)}
    pids = {pid for pid, *_ in first | again}
    assert len(pids) <= 2
    assert os.getpid() not in pids
    assert {tuple(flags) for _, *flags in first | again} == {(True, False)}
    assert (in_worker(), can_isolate()) == (False, True)


@pytest.mark.parametrize("n_workers", [1, 2])
def test_an_end_is_that_of_one_call(n_workers, tmp_path):
    once = ("killed once", str(tmp_path / "once"))
    with limits(max_decode_seconds=1):
        found = outcomes(
            "crash", "pid", "exit", "pid", "hang", ("raise", KeyError("a")), "crash", once, "pid",
            n_workers=n_workers,
        )  # fmt: skip
        for row, reason in ((0, "crashes .*SIGSEGV"), (4, "max_decode_seconds=1, found .* longer")):
            with pytest.raises(MediaError, match=f"^name: .*{reason}"):
                found[row].result("name")
    ends = ["crash", "", "crash", "", "time", "", "crash", "", ""]
    assert [outcome.end for outcome in found] == ends
    assert [found[row].signal for row in (0, 2, 6)] == ["SIGSEGV", "exit code 3", "SIGSEGV"]
    assert all(found[row].value[1] for row in (1, 3, 7, 8))
    with pytest.raises(KeyError):
        found[5].result("name")


@pytest.mark.skipif(sys.platform != "linux", reason="limits of memory are Linux'")
def test_memory_is_limited():
    with limits(max_memory=2**28):
        found = outcomes("pid", "fill", "pid", n_workers=1)
    assert isinstance(found[1].error, MemoryError)
    assert found[0].value == found[2].value  # the worker goes on


@pytest.mark.skipif(sys.platform != "linux", reason="limits of memory are Linux'")
def test_a_decoder_that_closes_a_file_too_many_costs_no_other_clip():
    with limits(max_memory=2**28):
        found = outcomes("pid", "close", "pid", "fill", n_workers=1)
    assert found[1].value == 1
    assert found[0].value == found[2].value
    assert isinstance(found[3].error, MemoryError)


def test_a_worker_that_ends_for_want_of_work_costs_no_clip(monkeypatch):
    """Even if it ends in the moment in which it is sent one."""
    [before] = outcomes("pid", n_workers=1)
    here, there = socket.socketpair()
    [worker] = [worker for worker in POOL._idle if worker.pid == before.value[0]]
    worker.connection.close()
    worker.connection = multiprocessing.connection.Connection(here.detach())
    monkeypatch.setattr(POOL, "_idle", [worker])
    monkeypatch.setattr(type(worker), "has_ended", lambda self: False)
    with multiprocessing.connection.Connection(there.detach()) as end:
        end.send(("gone",))
        [after] = outcomes("pid", n_workers=1)
    assert (after.end, after.value[1]) == ("", True)
    assert after.value[0] != before.value[0]


@pytest.mark.parametrize(
    "array",
    [
        np.arange(6.0).reshape(2, 3),
        np.arange(6, dtype=">i2").reshape(2, 3).T,
        np.zeros((0, 3), np.float32),
        np.array(True),
        np.array([1.5, None, "a"], dtype=object),
        np.array(["2026-11-22"], dtype="datetime64[D]"),
        np.ma.masked_array([1, 2], [True, False]),
    ],
    ids=lambda array: f"{array.dtype}-{array.ndim}",
)
def test_arrays_come_as_they_are(array):
    for nested in (array, [array, {"a": array}]):
        [outcome] = outcomes(("return", nested))
        np.testing.assert_equal(outcome.value, nested)
    [outcome] = outcomes(("return", array))
    assert (outcome.value.dtype, type(outcome.value)) == (array.dtype, type(array))
    assert outcome.value.flags.writeable
    assert outcome.value.flags.f_contiguous == array.flags.f_contiguous


def test_what_cannot_be_sent_back_is_told():
    found = outcomes("stubborn", "lock", ("return", 1))
    assert "cannot be sent (TypeError: StubbornError" in str(found[0].error)
    assert "cannot be sent (TypeError: cannot pickle '_thread.lock'" in str(found[1].error)
    assert found[2].value == 1
    with pytest.raises(KeyError, match="broken") as error:
        outcomes(("return", Broken()))
    assert "In a worker process" in error.value.__notes__[0]
    assert outcomes("pid")[0].value


def test_warnings_come_to_the_caller():
    with pytest.warns(RuntimeWarning, match="of a worker"):
        outcomes("warn")


def test_order_is_that_of_the_calls_and_they_are_read_as_workers_become_free():
    assert [one.value for one in run_isolated(act, [("return", n) for n in range(20)], 2)] == [
        *range(20)
    ]
    read = []

    def calls():
        for number in range(8):
            read.append(number)
            yield "sleep", 0.3

    results = run_isolated(act, calls(), 2)
    assert next(results).error is None
    # Two that go on, and one that a slow machine may have ended in the meantime.
    assert len(read) < 6
    results.close()


def test_large_results_are_not_computed_far_ahead(monkeypatch):
    monkeypatch.setattr("skemotion.io._workers._BYTES_AHEAD", 3 * 10**6)
    read = []

    def calls():
        yield "sleep", 1
        for number in range(20):
            read.append(number)
            yield "return", np.zeros(2**17)  # 1 MB

    results = run_isolated(act, calls(), 2)
    next(results)  # meanwhile the other worker went ahead
    assert 2 <= len(read) <= 5
    assert len(list(results)) == 20


def test_an_abandoned_run_ends_what_is_at_work():
    results = run_isolated(act, [("pid",), ("hang",), ("hang",)], 2)
    next(results)
    at_work = [worker.pid for worker in results.gi_frame.f_locals["run"].workers]
    assert at_work
    results.close()
    for pid in at_work:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)
    assert outcomes("pid")[0].value


def test_in_this_process_where_wanted():
    assert call_isolated(act, "pid", name="a")[0] != os.getpid()
    with without_workers():
        assert call_isolated(act, "pid", name="a")[0] == os.getpid()


def test_a_fork_has_workers_of_its_own():
    outcomes("pid")

    def forked(queue):
        queue.put(call_isolated(act, "pid", name="a"))

    context = multiprocessing.get_context("fork")
    queue = context.Queue()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of forking with threads
        process = context.Process(target=forked, args=(queue,))
        process.start()
    pid, is_worker, _ = queue.get(timeout=60)
    process.join(60)
    assert process.exitcode == 0
    assert is_worker
    assert outcomes("pid")[0].value[0] != pid


def test_threads_share_workers():
    found = {}

    def use(number):
        found[number] = [o.value for o in outcomes(*[("return", number)] * 5)]

    threads = [threading.Thread(target=use, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == {number: [number] * 5 for number in range(4)}


ENDS = """
import sys
sys.path[:] = {path!r}
from skemotion.io import run_isolated
from test_workers import act
for outcome in run_isolated(act, [("pid",), ("hang",), ("hang",)], 2):
    print(outcome.value[0], flush=True)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_workers_end_with_their_caller(number, tmp_path):
    code = ENDS.format(path=[str(Path(__file__).parent), *sys.path])
    with subprocess.Popen(
        [sys.executable, "-c", code],
        env={**os.environ, "SKEMOTION_TEST": str(tmp_path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    ) as process:
        assert process.stdout.readline()
        mark = f"SKEMOTION_TEST={tmp_path}"
        assert len(processes_of(mark)) >= 3
        process.send_signal(number)
        process.wait(30)
        end = time.monotonic() + 20
        while processes_of(mark):
            assert time.monotonic() < end, processes_of(mark)
            time.sleep(0.02)


def test_outcomes_are_plain():
    assert pickle.loads(pickle.dumps(outcomes("crash")[0])).end == "crash"


def test_a_process_of_ones_own_has_all_cores_and_a_worker_of_joblibs_its_share():
    """Else `n_jobs` would mean 1 in whatever a user starts by multiprocessing."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        assert pool.submit(own_cores).result() == joblib.cpu_count()
    with joblib.parallel_config("loky", inner_max_num_threads=1):
        assert joblib.Parallel(2)(joblib.delayed(own_cores)() for _ in range(2)) == [1, 1]
