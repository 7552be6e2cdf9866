"""A run that is asked to end does, whatever is being trained at that moment."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from sklearn.neural_network import MLPClassifier

from skemotion.model_selection import evaluate
from skemotion.pipeline import fit_usable

# The signal arrives in the middle of training, and once more while the run clears up.
SCRIPT = """
import os, sys
import numpy as np
from sklearn.neural_network import MLPClassifier
from skemotion.cli import main, _train

number = int(sys.argv[1])

class Perceptron(MLPClassifier):
    def _backprop(self, *arguments):
        os.kill(os.getpid(), number)
        return super()._backprop(*arguments)

def run(options):
    try:
        Perceptron().fit(np.eye(4), [0, 1, 0, 1])
        print("trained")
    finally:
        os.kill(os.getpid(), number)
        print("cleared up", flush=True)
    return 0

_train.run = run
sys.exit(main(["train", "corpus", "-o", "model.skops"]))
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_perceptron_keeps_no_signal_to_itself(number):
    # What is ignored here, as in a shell's background, would be ignored there.
    here = signal.signal(number, signal.SIG_DFL)
    try:
        command = [sys.executable, "-c", SCRIPT, str(int(number))]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    finally:
        signal.signal(number, here)
    assert done.returncode == 128 + number
    assert done.stdout == "cleared up\n"
    assert done.stderr.startswith("skemotion: interrupted. ")
    assert "\n" not in done.stderr[:-1]


# Stands for a run with a process of joblib's, and with a progress bar that writes at its end.
WITH_CHILD = """
import multiprocessing, os, sys, time
from skemotion.cli import main, _train

def run(options):
    child = multiprocessing.get_context("fork").Process(target=time.sleep, args=(60,))
    child.start()
    with open(sys.argv[1] + ".part", "w") as file:
        file.write(str(child.pid))
    os.replace(sys.argv[1] + ".part", sys.argv[1])
    try:
        time.sleep(60)
    finally:
        print("100%", file=sys.stderr, flush=True)

_train.run = run
sys.exit(main(["train", "corpus", "-o", "model.skops"]))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="/proc says which processes there are")
def test_a_terminal_that_is_gone_ends_a_run_and_its_processes(tmp_path):
    ready, (terminal, end) = tmp_path / "pid", os.openpty()
    here = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    try:
        command = [sys.executable, "-c", WITH_CHILD, str(ready)]
        process = subprocess.Popen(command, stdin=end, stdout=end, stderr=end)
    finally:
        signal.signal(signal.SIGHUP, here)
    os.close(end)
    try:
        assert within_a_minute(ready.exists)
        child = ready.read_text()
        assert is_running(child)
        os.close(terminal)  # from now on, writing to it is an error
        process.send_signal(signal.SIGHUP)
        assert process.wait(60) == 128 + signal.SIGHUP
    finally:
        process.kill()
        process.wait()
    assert within_a_minute(lambda: not is_running(child))


def within_a_minute(happens):
    latest = time.monotonic() + 60
    while time.monotonic() < latest and not happens():
        time.sleep(0.02)
    return happens()


def is_running(process):
    try:
        return "State:\tZ" not in Path("/proc", process, "status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False


def interrupted(self, *arguments):
    raise KeyboardInterrupt


@pytest.mark.parametrize("run", [evaluate, fit_usable])
def test_ctrl_c_ends_a_run_in_the_middle_of_a_perceptron(run, monkeypatch):
    X, y, groups = np.eye(8), np.tile(["sad", "happy"], 4), np.repeat([1, 2, 3, 4], 2)
    monkeypatch.setattr(MLPClassifier, "_backprop", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run(MLPClassifier(), X, y, groups)
