"""A run that is asked to end does, whatever is being trained at that moment."""

import signal
import subprocess
import sys

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


def interrupted(self, *arguments):
    raise KeyboardInterrupt


@pytest.mark.parametrize("run", [evaluate, fit_usable])
def test_ctrl_c_ends_a_run_in_the_middle_of_a_perceptron(run, monkeypatch):
    X, y, groups = np.eye(8), np.tile(["sad", "happy"], 4), np.repeat([1, 2, 3, 4], 2)
    monkeypatch.setattr(MLPClassifier, "_backprop", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run(MLPClassifier(), X, y, groups)
