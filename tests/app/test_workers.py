import os
import time

import pytest

from skemotion import MediaError
from skemotion.app._workers import Workers


def prepare(model):
    if model == "impossible":
        raise FileNotFoundError("a network is missing")


def act(model, word):
    if word == "crash":
        os.abort()
    if word == "hang":
        time.sleep(600)
    if word == "refuse":
        raise MediaError("no clip")
    return model, word, os.getpid()


@pytest.fixture(scope="module")
def workers():
    workers = Workers("model", 1, prepare)
    yield workers
    workers.close()


def test_a_task_runs_in_another_process(workers):
    model, word, process = workers.run(act, "work", timeout=60)
    assert (model, word) == ("model", "work")
    assert process != os.getpid()


@pytest.mark.parametrize(("word", "says"), [("crash", "crashes"), ("hang", "takes too long")])
def test_a_process_that_dies_or_hangs_is_replaced(workers, word, says):
    with pytest.raises(MediaError, match=says):
        workers.run(act, word, timeout=60 if word == "crash" else 2)
    assert workers.run(act, "work", timeout=60)[1] == "work"


def test_what_a_task_raises_comes_through(workers):
    with pytest.raises(MediaError, match="no clip"):
        workers.run(act, "refuse", timeout=60)


def test_what_is_missing_is_said_at_the_start():
    with pytest.raises(FileNotFoundError, match="network is missing"):
        Workers("impossible", 1, prepare)
