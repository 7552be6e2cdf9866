import pickle
import re

import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn.base import clone
from sklearn.compose import ColumnTransformer
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GridSearchCV, GroupKFold, cross_validate
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import Pipeline

from skemotion import MediaError
from skemotion.audio import AudioAugmenter, AudioFeatures, AudioLoader
from skemotion.decomposition import BSplineProjector, PartialTucker
from skemotion.pipeline import ClipPipeline, UnusableClipWarning, make_emotion_pipeline
from skemotion.video import HOG3D, VideoLoader


def make_clip(mood, seed):
    """Make a picture in which stripes move one way or the other, and a low or a high voice."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:120, :144]
    way = 1 if mood == "happy" else -1
    frames = [
        120 + 100 * np.sin((x + 0.7 * y) / 9 + way * t / 2) + rng.normal(0, 3, (120, 144))
        for t in range(6)
    ]
    t = np.arange(6000 + 10 * seed) / 22050
    pitch = 400 if mood == "happy" else 150
    voice = 0.3 * np.sin(2 * np.pi * (pitch + seed) * t) + 0.01 * rng.standard_normal(len(t))
    return np.clip(frames, 0, 255).astype(np.uint8), voice.astype(np.float32)


@pytest.fixture(scope="module")
def corpus():
    moods = np.array(["happy", "sad"] * 4)
    clips = [make_clip(mood, seed) for seed, mood in enumerate(moods)]
    X = pd.DataFrame(
        {"video": [clip[0] for clip in clips], "audio": [(22050, clip[1]) for clip in clips]}
    )
    return X, moods, np.repeat([1, 2], 4)


def quick(modality, **settings):
    """Make the recipe small enough to be fitted many times."""
    model = make_emotion_pipeline(modality, recipe="reference", **settings)
    parameters = {
        "features__video__clips__load__n_frames": 20,
        "features__audio__clips__augment__pitch_steps": (4,),
        "features__audio__clips__augment__speed_rates": (),
        "features__video__tucker__ranks": (2, 4, 4, None, 1),
        "features__audio__tucker__ranks": (4, 8),
        "classifier": KNeighborsClassifier(3, weights="distance"),
    }
    branches = ("video", "audio") if modality == "both" else (modality,)
    names = tuple(f"features__{branch}" for branch in branches)
    return model.set_params(
        **{k: v for k, v in parameters.items() if k.startswith((*names, "classifier"))}
    )


def test_has_the_steps_and_settings_of_the_reference():
    model = make_emotion_pipeline(recipe="reference")
    assert [name for name, _ in model.steps] == ["features", "scale", "classifier"]
    features = model.named_steps["features"]
    assert isinstance(features, ColumnTransformer)
    assert [(name, column) for name, _, column in features.transformers] == [
        ("video", "video"),
        ("audio", "audio"),
    ]
    video, audio = (branch for _, branch, _ in features.transformers)
    for branch in (video, audio):
        assert [name for name, _ in branch.steps] == ["clips", "tucker"]
        assert isinstance(branch["clips"], ClipPipeline)
        assert isinstance(branch["tucker"], PartialTucker)
    stages = {**dict(video["clips"].steps), **{f"a_{n}": s for n, s in audio["clips"].steps}}
    assert {name: type(stage) for name, stage in stages.items()} == {
        "load": VideoLoader,
        "hog3d": HOG3D,
        "a_load": AudioLoader,
        "a_augment": AudioAugmenter,
        "a_features": AudioFeatures,
        "a_splines": BSplineProjector,
    }
    expected = {
        "features__video__clips__load__n_frames": 50,
        "features__video__clips__load__scale": 1 / 3,
        "features__video__clips__hog3d__cell_size": (5, 5, 6),
        "features__video__clips__hog3d__n_bins": 9,
        "features__video__tucker__tol": 1e-4,
        "features__audio__clips__load__sample_rate": 22050,
        "features__audio__clips__augment__noise": 0.005,
        "features__audio__clips__augment__pitch_steps": (4, -6, 3),
        "features__audio__clips__augment__speed_rates": (1.5, 2.0, 0.8, 0.5),
        "features__audio__clips__augment__include_original": False,
        "features__audio__clips__features__n_mfcc": 13,
        "features__audio__clips__splines__n_knots": 12,
        "features__audio__clips__splines__order": 4,
        "features__audio__tucker__ranks": (10, 150),
        "classifier__hidden_layer_sizes": (250, 500, 100),
        "classifier__alpha": 0.07,
        "classifier__n_iter_no_change": 10,
        "classifier__max_iter": 1000,
        "classifier__random_state": 42,
    }
    found = model.get_params()
    assert {name: found[name] for name in expected} == expected
    # Cells of time, rows and columns, bins, and which of the two angles.
    assert found["features__video__tucker__ranks"] == (3, 8, 8, None, 1)


@pytest.mark.parametrize("modality", ["both", "video", "audio"])
def test_recognises_under_cross_validation(corpus, modality):
    X, y, groups = corpus
    scores = cross_validate(
        quick(modality), X, y, groups=groups, cv=GroupKFold(2), error_score="raise"
    )
    np.testing.assert_array_equal(scores["test_score"], 1)
    # Columns that are not asked for need not be there.
    own = X if modality == "both" else X[[modality]]
    assert (quick(modality).fit(own, y).predict(own) == y).all()


def test_reference_settings_fit_and_give_shares(corpus):
    X, y, _ = corpus
    model = make_emotion_pipeline(recipe="reference").set_params(classifier__max_iter=3)
    with pytest.warns(ConvergenceWarning, match="Maximum iterations"):
        model.fit(X, y)
    shares = model.predict_proba(X)
    assert list(model.classes_) == ["happy", "sad"]
    np.testing.assert_allclose(shares.sum(axis=1), 1)
    # 3 x 8 x 8 x 9 x 1 and 10 x 150, next to each other.
    assert model[:-1].transform(X).shape == (8, 1728 + 1500)


def test_grid_search_reaches_the_stages(corpus):
    X, y, groups = corpus
    grid = {
        "features__video__clips__hog3d__cell_size": [(5, 5, 6), (10, 10, 12)],
        "features__audio__tucker__ranks": [(4, 8), (0.9, None)],
    }
    search = GridSearchCV(quick("both"), grid, cv=GroupKFold(2), error_score="raise")
    search.fit(X, y, groups=groups)
    assert search.best_score_ == 1
    assert search.best_params_.keys() == grid.keys()
    assert (search.predict(X) == y).all()


def test_clones_pickles_and_shows(corpus):
    X, y, _ = corpus
    model = quick("both")
    fitted = clone(model).fit(X, y)
    shares = fitted.predict_proba(X)
    np.testing.assert_array_equal(clone(fitted).fit(X, y).predict_proba(X), shares)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(fitted)).predict_proba(X), shares)
    for row in range(len(X)):
        np.testing.assert_array_equal(fitted.predict_proba(X[row : row + 1])[0], shares[row])
    html = fitted._repr_html_()
    assert all(name in html for name in ("ClipPipeline", "HOG3D", "AudioAugmenter"))
    assert "MLPClassifier" in make_emotion_pipeline(recipe="reference")._repr_html_()


def test_polars_tables(corpus):
    X, y, _ = corpus
    fitted = quick("both").fit(X, y)
    table = pl.DataFrame({name: pl.Series(list(X[name]), dtype=pl.Object) for name in X})
    np.testing.assert_array_equal(fitted.predict_proba(table), fitted.predict_proba(X))


def test_output_as_a_table_has_names(corpus):
    X, y, _ = corpus
    features = quick("both")[:-1].set_output(transform="pandas").fit(X, y)
    table = features.transform(X)
    assert isinstance(table, pd.DataFrame)
    assert list(table) == list(features.get_feature_names_out())
    assert table.columns[0] == "video__tucker_0_0_0_0_0"
    assert table.columns[-1] == "audio__tucker_3_7"
    np.testing.assert_array_equal(table, quick("both")[:-1].fit(X, y).transform(X))
    branches = features["features"].named_transformers_
    assert "hog3d_t01_y07_x07_bin8_polar" in branches["video"][:-1].get_feature_names_out()
    assert "mfcc03_spline07_pitch+4" in branches["audio"][:-1].get_feature_names_out()


def test_settings_of_the_run_reach_every_clip_pipeline(tmp_path):
    model = make_emotion_pipeline(recipe="reference", memory=tmp_path, n_jobs=2, verbose=True)
    for branch in ("video", "audio"):
        clips = {name: b for name, b, _ in model["features"].transformers}[branch]["clips"]
        assert (clips.memory, clips.n_jobs, clips.verbose) == (tmp_path, 2, True)


def test_only_known_modalities():
    with pytest.raises(ValueError, match="'modality' parameter"):
        make_emotion_pipeline("smell")
    for modality in ("video", "audio"):
        assert [
            t[0]
            for t in make_emotion_pipeline(modality, recipe="reference")["features"].transformers
        ] == [modality]
    assert isinstance(make_emotion_pipeline("video", recipe="reference"), Pipeline)
    assert isinstance(
        make_emotion_pipeline("video", recipe="reference")["classifier"], MLPClassifier
    )


def test_an_unreadable_clip_is_named(corpus, tmp_path):
    X, y, _ = corpus
    bad = tmp_path / "gone.wav"
    spoilt = X.copy()
    spoilt.loc[3, "audio"] = str(bad)
    with pytest.raises(MediaError, match=re.escape(f"{bad}: expected")):
        quick("audio").fit(spoilt, y)
    assert (quick("video").fit(spoilt, y).predict(spoilt) == y).all()


def test_missing_clips_can_be_imputed(corpus):
    X, y, _ = corpus
    gaps = X.astype(object)
    gaps.loc[3, "audio"] = None
    gaps.loc[[1, 6], "video"] = None
    model = quick("both", missing="impute")
    with pytest.warns(UnusableClipWarning, match="empty cell"):
        model.fit(gaps, y)
    # Where nothing is missing, it is the model that raises.
    np.testing.assert_array_equal(
        quick("both", missing="impute").fit(X, y).predict_proba(X),
        quick("both").fit(X, y).predict_proba(X),
    )
    with pytest.warns(UnusableClipWarning):
        assert (model.predict(gaps) == y).all()
    # A single clip without one modality; and without any, which is told.
    with pytest.warns(UnusableClipWarning):
        assert model.predict(gaps.loc[[3]])[0] == y[3]
    with pytest.warns(UnusableClipWarning):
        assert model.predict(pd.DataFrame({"video": [None], "audio": [None]})).shape == (1,)
    with pytest.raises(MediaError, match="empty cell"):
        quick("both").fit(gaps, y)
