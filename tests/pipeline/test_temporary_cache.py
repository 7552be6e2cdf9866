"""Each clip is opened once, whatever the shape of the model."""

import pickle
import tempfile
from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import VotingClassifier
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import GridSearchCV, GroupKFold
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import FeatureUnion, Pipeline, make_pipeline

from skemotion.base import ClipFunction, ClipTransformer
from skemotion.model_selection import evaluate
from skemotion.pipeline import ClipCache, ClipPipeline, fit_usable, temporary_cache

N_CLIPS = 18


class Opener(ClipTransformer):
    """Reads a file of numbers, and writes down that it did."""

    takes = "clips"

    def __init__(self, log, factor=1.0):
        self.log = log
        self.factor = factor

    def transform_clip(self, clip):
        with Path(self.log).open("a") as file:
            file.write(f"{clip}\n")
        return np.loadtxt(clip) * self.factor


class Power(ClipTransformer):
    def __init__(self, exponent=1):
        self.exponent = exponent

    def transform_clip(self, clip):
        return clip**self.exponent


@pytest.fixture
def clips(tmp_path):
    """A table of clips, their labels, their speakers, and the log of who opened what."""
    rng = np.random.default_rng(0)
    y = np.tile(["a", "b", "c"], N_CLIPS // 3)
    table = {}
    for column in ("video", "audio"):
        table[column] = [str(tmp_path / f"{row}.{column}") for row in range(N_CLIPS)]
        for row, path in enumerate(table[column]):
            np.savetxt(path, rng.normal(loc=ord(y[row]), size=4))
    return pd.DataFrame(table), y, np.repeat([1, 2, 3], 6), tmp_path / "log.txt"


def opened(log):
    counts = Counter(log.read_text().split())
    log.unlink()
    return counts


def describe(log, **settings):
    return ClipPipeline([("open", Opener(log)), ("power", Power())], **settings)


def two_columns(log):
    branches = [(name, describe(log), name) for name in ("video", "audio")]
    return Pipeline([("features", ColumnTransformer(branches)), ("classify", GaussianNB())])


def plain(log):
    column = ColumnTransformer([("video", describe(log), "video")])
    return make_pipeline(column, GaussianNB())


def search_of_a_later_step(log):
    grid = {"features__video__power__exponent": [1, 2], "classify__var_smoothing": [1e-9, 1e-3]}
    return GridSearchCV(two_columns(log), grid, cv=GroupKFold(2))


def search_of_pipelines(log):
    grid = {"features__video": [describe(log), describe(log)[:1]]}
    return GridSearchCV(two_columns(log), grid, cv=2)


def vote(log):
    return VotingClassifier([("a", plain(log)), ("b", CalibratedClassifierCV(plain(log), cv=2))])


def union(log):
    parts = FeatureUnion([("once", describe(log)), ("again", describe(log)[:1])])
    return make_pipeline(ColumnTransformer([("video", parts, "video")]), GaussianNB())


@pytest.mark.parametrize(
    ("build", "columns", "n_jobs"),
    [
        (plain, 1, None),
        (two_columns, 2, None),
        (two_columns, 2, 2),
        (search_of_a_later_step, 2, 2),
        (search_of_pipelines, 2, 2),
        (vote, 1, 2),
        (union, 1, 2),
    ],
)
def test_evaluate_opens_each_clip_once(clips, build, columns, n_jobs):
    X, y, groups, log = clips
    protocols = ("speaker-dependent", "speaker-independent")
    evaluate(build(log), X, y, groups, protocol=protocols, scoring="f1_macro", n_jobs=n_jobs)
    counts = opened(log)
    assert len(counts) == columns * N_CLIPS
    assert set(counts.values()) == {1}


def test_figures_are_those_without_a_cache(clips):
    X, y, groups, log = clips
    # A function made here cannot be told from another: its pipeline is left without a cache.
    unknown = ClipPipeline([("open", Opener(log)), ("own", ClipFunction(eval("lambda x: x * 2")))])
    known = ClipPipeline([("open", Opener(log)), ("own", ClipFunction(_double))])
    results = []
    for stages in (unknown, known):
        model = make_pipeline(ColumnTransformer([("video", stages, "video")]), GaussianNB())
        results.append(evaluate(model, X, y, groups))
        counts = opened(log)
        assert len(counts) == N_CLIPS
        assert (max(counts.values()) > 1) == (stages is unknown)
    assert str(results[0]) == str(results[1])
    np.testing.assert_array_equal(results[0].probabilities, results[1].probabilities)


def _double(clip):
    return clip * 2


def test_the_folder_goes_and_is_forgotten(clips, tmp_path, monkeypatch):
    X, y, groups, log = clips
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    Path(tempfile.tempdir).mkdir()
    model = search_of_a_later_step(log)
    for end in (None, ValueError, KeyboardInterrupt):
        try:
            with temporary_cache(model) as cached:
                cached.fit(X, y, groups=groups)
                [folder] = Path(tempfile.tempdir).iterdir()
                # Two files, and each of the two columns to the powers that are searched.
                assert ClipCache(folder).n_entries == N_CLIPS * (2 + 2 + 1)
                if end:
                    raise end
        except (ValueError, KeyboardInterrupt):
            pass
        assert not list(Path(tempfile.tempdir).iterdir())
        # What was fitted in it works on, and makes no folder again; nor does a copy of it.
        predicted = pickle.loads(pickle.dumps(cached)).predict(X)
        np.testing.assert_array_equal(predicted, cached.predict(X))
        assert not list(Path(tempfile.tempdir).iterdir())
    assert all(branch.memory is None for _, branch, _ in model.estimator[0].transformers)
    assert not hasattr(model, "best_estimator_")


def test_a_cache_of_ones_own_is_kept(clips, tmp_path):
    X, *_, log = clips
    own = describe(log, memory=tmp_path / "own")
    with temporary_cache(make_pipeline(own, describe(log))) as cached:
        assert cached[0].memory == tmp_path / "own"
        assert ClipCache(cached[1].memory).n_entries == 0
        with temporary_cache(cached) as again:
            assert again[1].memory == cached[1].memory
        assert Path(cached[1].memory).is_dir()
        cached[0].fit_transform(X["video"])
    assert ClipCache(tmp_path / "own").n_entries == 2 * N_CLIPS
    # What is frozen belongs to someone else.
    frozen = FrozenEstimator(describe(log).fit(X["video"]))
    with temporary_cache(frozen):
        assert frozen.estimator.memory is None


def test_evaluate_and_fit_share_one(clips):
    X, y, groups, log = clips
    with temporary_cache(two_columns(log)) as cached:
        evaluate(cached, X, y, groups, max_unusable=0.1)
        fitted, errors = fit_usable(cached, X, y)
    assert set(opened(log).values()) == {1}
    assert not errors
    assert fitted.named_steps["features"].named_transformers_["video"].memory is None
    assert fitted.score(X, y) > 0.5
