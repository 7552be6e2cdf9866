import pickle
import re
import threading
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn.base import BaseEstimator, TransformerMixin, clone
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from skemotion import MediaError
from skemotion.audio import AudioAugmenter, AudioFeatures, AudioLoader
from skemotion.decomposition import BSplineProjector, PartialTucker
from skemotion.pipeline import ClipPipeline
from skemotion.video import HOG3D, VideoLoader


def videos(n, lengths=(7, 12, 9)):
    rng = np.random.default_rng(n)
    return [
        rng.integers(0, 256, (lengths[row % len(lengths)], 30, 36), dtype=np.uint8)
        for row in range(n)
    ]


def waveforms(n):
    rng = np.random.default_rng(n)
    return [0.1 * rng.standard_normal(4000 + 777 * row).astype(np.float32) for row in range(n)]


def see(**parameters):
    steps = [("load", VideoLoader(n_frames=10, scale=1)), ("hog3d", HOG3D())]
    return ClipPipeline(steps, **parameters)


def hear(**parameters):
    steps = [
        ("load", AudioLoader(source_rate=22050)),
        ("augment", AudioAugmenter(pitch_steps=(4,), speed_rates=(2.0,))),
        ("features", AudioFeatures()),
        ("splines", BSplineProjector()),
    ]
    return ClipPipeline(steps, **parameters)


class Step(TransformerMixin, BaseEstimator):
    """A stage that needs no fit, and notes which clips pass."""

    calls: list[tuple[str, float]] = []

    def __init__(self, label="", cut=None, n_max=None):
        self.label = label
        self.cut = cut
        self.n_max = n_max

    def fit(self, X, y=None):
        return self

    def transform(self, X):
        Step.calls.append((self.label, float(np.asarray(X[0]).flat[0])))
        assert len(X) == 1
        assert type(X) is np.ndarray
        return X[:, : self.cut]

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.requires_fit = False
        return tags


@pytest.mark.parametrize(("pipeline", "make"), [(see, videos), (hear, waveforms)])
def test_equals_a_plain_pipeline_whatever_the_number_of_workers(pipeline, make):
    clips = make(5)
    one = pipeline()
    expected = Pipeline(pipeline().steps).fit_transform(clips)
    np.testing.assert_array_equal(one.fit_transform(clips), expected)
    np.testing.assert_array_equal(one.transform(clips[::-1]), expected[::-1])
    for clip, row in zip(clips, expected, strict=True):
        np.testing.assert_array_equal(one.transform([clip])[0], row)
    np.testing.assert_array_equal(pipeline(n_jobs=2).fit_transform(clips), expected)
    # No fit is needed.
    np.testing.assert_array_equal(pipeline().transform(clips), expected)


def test_each_clip_goes_all_the_way_before_the_next():
    Step.calls = []
    X = np.arange(4.0)[:, np.newaxis] * np.ones((1, 3))
    pipeline = ClipPipeline([("a", Step("a")), ("b", Step("b")), ("c", Step("c"))]).fit(X)
    # To fit the steps, the first clip alone is looked at.
    assert Step.calls == [("a", 0), ("b", 0)]
    Step.calls = []
    pipeline.transform(X)
    assert Step.calls == [(label, row) for row in range(4) for label in "abc"]


def test_workers_hold_a_clip_each(monkeypatch):
    held, most, lock = 0, 0, threading.Lock()

    class Counting(Step):
        def transform(self, X):
            nonlocal held, most
            with lock:
                held += self.label == "in"
                most = max(most, held)
            result = super().transform(X)
            with lock:
                held -= self.label == "out"
            return result

    steps = [("in", Counting("in")), ("out", Counting("out"))]
    ClipPipeline(steps, n_jobs=2).transform(np.ones((30, 3)))
    assert held == 0
    assert 1 <= most <= 2


@pytest.mark.parametrize(
    "step", [StandardScaler(), PartialTucker(), PCA(), make_pipeline(StandardScaler())]
)
def test_steps_that_learn_are_sent_after_it(step):
    name = type(step).__name__
    for method in ("fit", "transform", "fit_transform"):
        pipeline = ClipPipeline([*see().steps, ("learn", step)])
        with pytest.raises(
            ValueError,
            match=rf"Step 'learn' .* \({name}\) may learn from the data.*"
            rf"make_pipeline\(ClipPipeline\(\[\.\.\.\]\), {name}\(\.\.\.\)\).*ClipTransformer",
        ):
            getattr(pipeline, method)(videos(2))


def test_classifiers_are_sent_after_it():
    with pytest.raises(TypeError, match=r"Step 'guess' .*has no transform.*after the ClipPipeline"):
        ClipPipeline([*see().steps, ("guess", LogisticRegression())]).fit(videos(2))


@pytest.mark.parametrize("steps", [[], [("a", None)], [("a", "passthrough"), ("b", None)]])
def test_no_steps_are_refused(steps):
    with pytest.raises(TypeError, match=r"list of \(name, transformer\).* found AudioLoader\(\)"):
        ClipPipeline([AudioLoader(), HOG3D()]).fit(["a.wav"])
    with pytest.raises(ValueError, match="at least one step"):
        ClipPipeline(steps).fit(videos(1))


def test_names_and_parameters_are_checked():
    with pytest.raises(ValueError, match="not unique"):
        ClipPipeline([("a", VideoLoader()), ("a", HOG3D())]).fit(videos(1))
    with pytest.raises(ValueError, match="'n_jobs' parameter"):
        see(n_jobs="all").fit(videos(1))
    with pytest.raises(ValueError, match="'n_bins' parameter of HOG3D"):
        see().set_params(hog3d__n_bins=0).fit_transform(videos(1))
    with pytest.raises(ValueError, match=r"0 sample\(s\)"):
        see().transform([])


def test_steps_may_be_skipped():
    clips = videos(2, lengths=(6,))
    expected = VideoLoader(n_frames=10, scale=1).transform(clips)
    for nothing in (None, "passthrough"):
        pipeline = see().set_params(hog3d=nothing)
        np.testing.assert_array_equal(pipeline.fit_transform(clips), expected)
    identity = ("same", FunctionTransformer())
    np.testing.assert_array_equal(
        ClipPipeline([("load", see()[0]), identity]).fit_transform(clips), expected
    )


@pytest.mark.parametrize("n_jobs", [None, 2])
def test_errors_name_clip_and_step(tmp_path, n_jobs):
    sound = waveforms(3)
    spoilt = [*sound[:2], np.array([0.1, np.nan]), sound[2]]
    with pytest.raises(MediaError, match=r"^row 2: <array of shape \(2,\)>: .* found 1 of 2"):
        hear(n_jobs=n_jobs).transform(spoilt)
    with pytest.raises(ValueError, match=r"clip 2 .*: step 'augment' failed: .*NaN"):
        hear(n_jobs=n_jobs)[1:].transform(spoilt)
    sounds = [(8000, clip) for clip in spoilt]
    with pytest.raises(MediaError, match=r"^row 2: <array of shape \(2,\)>: .* found 1 of 2"):
        hear(n_jobs=n_jobs).transform(sounds)
    # The first clip is met in fit already.
    with pytest.raises(ValueError, match=r"clip 0 .*: step 'augment' failed: .*NaN"):
        hear(n_jobs=n_jobs)[1:].fit(spoilt[2:])
    (tmp_path / "torn.wav").write_bytes(b"RIFF")
    paths = pd.Series([str(tmp_path / "torn.wav"), str(tmp_path / "gone.wav")])
    with pytest.raises(MediaError, match=re.escape(f"{tmp_path / 'torn.wav'}: expected")):
        hear(n_jobs=n_jobs).fit_transform(paths)
    with pytest.raises(MediaError, match=re.escape(f"{tmp_path / 'gone.wav'}: expected")):
        hear(n_jobs=n_jobs).transform(paths[1:])


def test_clips_that_come_out_in_different_shapes_are_named():
    clips = [*videos(2), np.zeros((5, 30, 48), dtype=np.uint8)]
    with pytest.raises(
        ValueError, match=r"\(2, 6, 6, 9, 2\) for clip 0 \(<array .*\(2, 6, 8, 9, 2\) for clip 2"
    ):
        see().transform(clips)
    # Fitted, the stage says it first.
    with pytest.raises(ValueError, match=r"clip 2 .*: step 'hog3d' failed: .*fitted on clips of"):
        see().fit(clips).transform(clips)
    sized = see().set_params(load__size=(20, 24))
    assert sized.fit_transform(clips).shape == (3, 2, 4, 4, 9, 2)


def test_trajectories_keep_their_lengths():
    clips = waveforms(3)
    loaded = hear()[:1].fit_transform(clips)
    assert loaded.shape == (3,)
    for clip, waveform in zip(clips, loaded, strict=True):
        np.testing.assert_array_equal(clip, waveform)
    table = hear()[:3].fit_transform(clips)
    assert table.shape == (3, 3)
    assert [curves.shape[1] for curves in table[0]] == [34, 34, 34]
    assert len({len(row[0]) for row in table}) == 3
    # Equal lengths are no reason to come out in another form.
    assert hear()[:1].fit_transform([clips[0], clips[0]]).shape == (2,)


@pytest.mark.parametrize("kind", [list, np.array, pd.Series, pl.Series, "frame"])
def test_any_column_of_paths(tmp_path, kind):
    paths = []
    for row, clip in enumerate(videos(3, lengths=(5,))):
        np.save(tmp_path / f"{row}.npy", clip)
        paths.append(str(tmp_path / f"{row}.npy"))
    X = pd.DataFrame({"video": paths}, index=[5, 1, 3]) if kind == "frame" else kind(paths)
    read = FunctionTransformer(lambda column: np.stack([np.load(path) for path in column.ravel()]))
    got = ClipPipeline([("read", read), ("hog3d", HOG3D())]).fit_transform(X)
    np.testing.assert_array_equal(got, HOG3D().transform(videos(3, lengths=(5,))))


def test_clones_pickles_parameters_and_slices():
    clips = videos(3)
    pipeline = see(n_jobs=1, verbose=False).fit(clips)
    copy = clone(pipeline)
    assert not hasattr(copy, "steps_")
    copy.set_params(hog3d__n_bins=5, n_jobs=2)
    assert copy.get_params()["hog3d__n_bins"] == 5
    assert pipeline.get_params()["hog3d__n_bins"] == 9
    assert copy.transform(clips).shape == (3, 2, 6, 6, 5, 2)
    expected = pipeline.transform(clips)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(pipeline)).transform(clips), expected)
    assert isinstance(pipeline["hog3d"], HOG3D)
    assert isinstance(pipeline[0], VideoLoader)
    assert pipeline.named_steps.hog3d is pipeline[-1]
    for part in (pipeline[:1], pipeline[1:]):
        assert isinstance(part, ClipPipeline)
        assert len(part) == 1
    np.testing.assert_array_equal(pipeline[1:].transform(pipeline[:1].transform(clips)), expected)
    # What was set after fit counts from the next fit on, as everywhere.
    pipeline.set_params(hog3d__n_bins=5)
    np.testing.assert_array_equal(pipeline.transform(clips), expected)
    assert pipeline.fit_transform(clips).shape == (3, 2, 6, 6, 5, 2)


def test_shows_in_html():
    html = see()._repr_html_()
    assert all(name in html for name in ("ClipPipeline", "VideoLoader", "HOG3D"))


def test_fit_leaves_the_steps_as_they_were():
    pipeline = see().fit(videos(2))
    assert not vars(pipeline["hog3d"]).keys() & {"n_features_in_", "clip_shape_"}
    assert pipeline.steps_[1][1].clip_shape_ == (10, 30, 36)
    assert pipeline.n_features_in_ == 1


def test_tables_go_in_and_come_out():
    X = pd.DataFrame(
        np.random.default_rng(0).normal(size=(4, 20)), columns=list("abcdefghijklmnopqrst")
    )
    pipeline = ClipPipeline([("splines", BSplineProjector(n_knots=4))]).fit(X)
    assert list(pipeline.feature_names_in_) == list(X)
    result = pipeline.set_output(transform="pandas").transform(X)
    assert list(result) == [f"spline{i:02d}" for i in range(6)]
    np.testing.assert_array_equal(result, BSplineProjector(n_knots=4).transform(X.to_numpy()))
    # What is no table stays an array.
    described = see().set_output(transform="pandas").fit_transform(videos(2))
    assert type(described) is np.ndarray


def test_names_go_down_the_steps():
    names = see().fit(videos(2)).get_feature_names_out()
    result = see().transform(videos(2))
    assert len(names) == result[0].size
    place = list(names).index("hog3d_t01_y03_x05_bin4_polar")
    assert result[1].ravel()[place] == result[1][1, 3, 5, 4, 1]

    spoken = hear().fit(waveforms(2))
    names = spoken.get_feature_names_out()
    result = spoken.transform(waveforms(2))
    place = list(names).index("mfcc03_spline07_pitch+4")
    assert len(names) == len(set(names)) == result[0].size
    only = hear().set_params(
        augment__noise=None, augment__speed_rates=(), features__features=("mfcc",)
    )
    np.testing.assert_allclose(
        result[1].ravel()[place], only.fit_transform(waveforms(2))[1][7, 3], rtol=1e-5
    )


def test_progress_is_shown_when_asked_for(capsys):
    see(verbose=True).transform(videos(2))
    assert "2/2" in capsys.readouterr().err
    see().transform(videos(2))
    assert capsys.readouterr().err == ""


def test_kept_workers_find_relative_paths(tmp_path, monkeypatch):
    """They were started in another folder."""
    clip = np.zeros((4, 60, 72), dtype=np.uint8)
    load = ClipPipeline([("load", VideoLoader(n_frames=2))], n_jobs=2, on_error="nan")
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
        monkeypatch.chdir(tmp_path / name)
        Path(f"{name}.txt").write_text("no clip")
        describe = ClipPipeline([("h", HOG3D())], n_jobs=2, on_error="nan")
        assert describe.fit_transform([clip, clip]).shape[0] == 2
        with pytest.raises(ValueError, match="damaged or foreign data"):
            clone(load).fit([f"{name}.txt", f"{name}.txt"])
