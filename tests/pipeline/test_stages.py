import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.compose import ColumnTransformer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from skemotion.decomposition import PartialTucker
from skemotion.pipeline import (
    ClipPipeline,
    UnusableClipWarning,
    join_clip_stages,
    make_emotion_pipeline,
    run_clip_stages,
)
from skemotion.video import HOG3D, VideoLoader

RANKS = (1, 2, 2, 3, 1)


@pytest.fixture(scope="module")
def clips():
    rng = np.random.default_rng(0)
    return pd.DataFrame(
        {"video": [rng.integers(0, 256, (6, 20, 24), dtype=np.uint8) for _ in range(8)]},
        index=range(10, 18),
    )


def flatten(X):
    return X.reshape(len(X), -1)


def lengths(column):
    return np.array([[len(clip)] for clip in column])


def describe(*further, **parameters):
    steps = [("load", VideoLoader(5, scale=1)), ("hog3d", HOG3D(**parameters)), *further]
    return ClipPipeline(steps)


def tucker(**parameters):
    return make_pipeline(describe(**parameters), PartialTucker(RANKS))


@pytest.mark.parametrize(
    "branches",
    [
        [("a", tucker(), "video")],
        [("a", tucker(), ["video"])],
        [("a", tucker(), lambda X: "video")],
        [("a", tucker(), 0)],
        # The same clips, described in two ways, and counted.
        [
            ("a", tucker(), "video"),
            ("b", tucker(smoothing=2.0), "video"),
            ("n", FunctionTransformer(lengths), "video"),
        ],
        # Not only skemotion's own stages come behind.
        [
            (
                "a",
                make_pipeline(describe(("flat", FunctionTransformer(flatten))), StandardScaler()),
                "video",
            )
        ],
    ],
    ids=["name", "list", "function", "number", "shared", "scaler"],
)
def test_the_rest_does_what_the_whole_does(clips, branches):
    model = make_pipeline(ColumnTransformer(branches), LogisticRegression())
    y = np.arange(8) % 2
    expected = clone(model).fit(clips, y)
    rest, results, errors = run_clip_stages(model, clips)
    assert list(results.index) == list(clips.index)
    rest.fit(results, y)
    np.testing.assert_array_equal(rest[:-1].transform(results), expected[:-1].transform(clips))
    np.testing.assert_array_equal(rest.predict_proba(results), expected.predict_proba(clips))
    assert not hasattr(model, "classes_")
    assert errors == []
    joined = join_clip_stages(model, rest, clips[:1])
    np.testing.assert_array_equal(joined.predict_proba(clips), expected.predict_proba(clips))
    assert str(joined[0].transformers_) == str(expected[0].transformers_)
    assert repr(joined) == repr(expected)


def test_every_clip_is_worked_on_once(clips, monkeypatch):
    calls = []
    described = HOG3D.transform
    monkeypatch.setattr(HOG3D, "transform", lambda self, X: calls.append(1) or described(self, X))
    rest, results, _ = run_clip_stages(
        make_pipeline(ColumnTransformer([("a", tucker(), "video")]), LogisticRegression()), clips
    )
    assert len(calls) == 8
    for _ in range(3):
        clone(rest).fit(results, np.arange(8) % 2)
    assert len(calls) == 8


def test_trajectories_keep_their_lengths():
    waves = [np.arange(5.0), np.arange(7.0), np.arange(5.0)]
    X = pd.DataFrame({"audio": waves})
    halve = ClipPipeline([("same", FunctionTransformer())])
    branch = make_pipeline(halve, FunctionTransformer(lengths))
    model = make_pipeline(ColumnTransformer([("a", branch, "audio")]), LogisticRegression())
    for table in (X, X.iloc[[0, 2]]):  # of equal lengths, too
        rest, results, _ = run_clip_stages(model, table)
        got = rest[:-1].fit_transform(results)
        np.testing.assert_array_equal(got, lengths(list(table["audio"])))


@pytest.mark.parametrize(
    "model",
    [
        LogisticRegression(),
        make_pipeline(StandardScaler(), LogisticRegression()),
        make_pipeline(
            ColumnTransformer([("a", tucker(), "video")], remainder="passthrough"),
            LogisticRegression(),
        ),
    ],
)
def test_other_models_are_given_back(clips, model):
    rest, results, _ = run_clip_stages(model, clips)
    assert results is clips
    assert repr(rest) == repr(model)
    assert rest is not model


def test_the_recipe_stays_what_it_was(clips):
    model = make_emotion_pipeline("video").set_params(features__video__clips__load__scale=1)
    before = repr(model)
    rest, results, _ = run_clip_stages(model, clips)
    assert repr(model) == before
    assert results["video__clips"].iloc[0].shape == (10, 4, 4, 9, 2)
    assert rest.get_params()["classifier__alpha"] == 0.07


def test_clips_that_cannot_be_used_are_told_and_left_to_the_caller(clips, tmp_path):
    clips = clips.copy()
    clips.loc[12, "video"] = tmp_path / "gone.mp4"
    y = np.arange(8) % 2
    branch = make_pipeline(describe().set_params(on_error="nan"), PartialTucker(RANKS))
    model = make_pipeline(ColumnTransformer([("a", branch, "video")]), LogisticRegression())
    with pytest.warns(UnusableClipWarning):
        rest, results, errors = run_clip_stages(model, clips)
    assert [(error.row, error.step) for error in errors] == [(2, "load")]
    usable = np.delete(np.arange(8), 2)
    rest.fit(results.iloc[usable], y[usable])
    joined = join_clip_stages(model, rest, clips[:1])
    expected = clone(model).fit(clips.iloc[usable], y[usable])
    np.testing.assert_array_equal(
        joined.predict_proba(clips.iloc[usable]), expected.predict_proba(clips.iloc[usable])
    )


def test_a_model_without_clip_stages_is_joined_to_itself():
    X, y = np.eye(4), [0, 1, 0, 1]
    model = make_pipeline(StandardScaler(), LogisticRegression())
    rest, results, _ = run_clip_stages(model, X)
    assert join_clip_stages(model, rest.fit(results, y), X[:1]) is rest


def test_a_model_without_branches(clips):
    X, y = clips["video"], np.arange(8) % 2
    model = make_pipeline(describe(), PartialTucker(RANKS), LogisticRegression())
    expected = clone(model).fit(X, y)
    rest, results, errors = run_clip_stages(model, X)
    assert (len(rest), results.shape, errors) == (2, (8, 1, 4, 4, 9, 2), [])
    rest.fit(results, y)
    np.testing.assert_array_equal(rest.predict_proba(results), expected.predict_proba(X))
    joined = join_clip_stages(model, rest, X[:1])
    np.testing.assert_array_equal(joined.predict_proba(X), expected.predict_proba(X))
    assert repr(joined) == repr(expected)
