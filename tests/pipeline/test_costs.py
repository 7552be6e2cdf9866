import time

import numpy as np
import pytest
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline

from skemotion.base import ClipFunction
from skemotion.pipeline import ClipPipeline, measure_costs

CALLS = []


def describe(clip):
    CALLS.append(float(np.ravel(clip)[0]))
    time.sleep(0.02)
    return np.asarray(clip) * 2.0


def test_clips_spread_over_the_corpus_are_described_without_cache_and_workers(tmp_path):
    stage = ClipPipeline([("f", ClipFunction(describe))], memory=tmp_path, n_jobs=2, flatten=True)
    model = make_pipeline(stage, GaussianNB())
    X = np.arange(9.0)[:, np.newaxis] * np.ones((9, 3))
    CALLS.clear()
    costs = measure_costs(model, X, n_clips=3)
    # The first one twice, as compiling is no part of it.
    assert CALLS == [0, 0, 4, 8]
    assert len(costs.seconds) == 3
    assert min(costs.seconds) >= 0.02
    assert 0 <= costs.cpu_seconds < 0.5
    assert costs.peak_bytes is None or 5e7 < costs.peak_bytes < 1e11
    assert list(tmp_path.iterdir()) == []
    assert stage.memory == tmp_path
    assert len(measure_costs(model, X[:2]).seconds) == 2


def test_no_clips():
    model = ClipPipeline([("f", ClipFunction(describe))])
    with pytest.raises(ValueError, match="Expected clips to measure, found 0"):
        measure_costs(model, np.empty((0, 3)))
    with pytest.raises(ValueError, match="n_clips=0"):
        measure_costs(model, np.ones((2, 3)), n_clips=0)


def test_a_clip_that_cannot_be_used():
    from skemotion.audio import AudioLoader

    with pytest.raises(ValueError, match=r"lost\.wav.*no such file"):
        measure_costs(ClipPipeline([("load", AudioLoader())]), ["lost.wav"])
