import os
import signal
import warnings

import numpy as np
import pandas as pd
import pytest
from joblib import parallel_config
from sklearn.base import BaseEstimator, TransformerMixin

from skemotion import MediaError
from skemotion.audio import AudioAugmenter, AudioFeatures, AudioLoader
from skemotion.pipeline import ClipPipeline, UnusableClipWarning
from skemotion.video import HOG3D, VideoLoader


def clips(n):
    rng = np.random.default_rng(0)
    return [rng.integers(0, 256, (6, 10, 12), dtype=np.uint8) for _ in range(n)]


def see(**parameters):
    steps = [("load", VideoLoader(n_frames=5, scale=1)), ("hog3d", HOG3D())]
    return ClipPipeline(steps, on_error="nan", **parameters)


def define_strict():
    class Strict(TransformerMixin, BaseEstimator):
        """Does to certain clips, told by their first value, what a decoder might."""

        def __init__(self, deadly=(), refused=(), broken=()):
            self.deadly = deadly
            self.refused = refused
            self.broken = broken

        def fit(self, X, y=None):
            return self

        def transform(self, X):
            if X[0, 0] in self.deadly:
                os.kill(os.getpid(), signal.SIGKILL)
            if X[0, 0] in self.refused:
                raise ValueError("not this one")
            if X[0, 0] in self.broken:
                raise AttributeError("a mistake")
            return X * 2.0

        def __sklearn_tags__(self):
            tags = super().__sklearn_tags__()
            tags.requires_fit = False
            return tags

    return Strict


# Workers do not find the modules of tests: a class of a function comes to them as a whole.
Strict = define_strict()


@pytest.mark.parametrize("n_jobs", [None, 2])
@pytest.mark.parametrize("bad", [[0], [2, 3], [0, 1, 5]])
def test_failures_are_nan_and_told(tmp_path, bad, n_jobs):
    column = clips(6)
    expected = see().fit_transform(column)
    for row in bad:
        column[row] = tmp_path / f"gone{row}.mp4"
    pipeline = see(n_jobs=n_jobs)
    with pytest.warns(UnusableClipWarning, match=rf"{len(bad)} of 6 clips.*\n.*gone{bad[0]}\.mp4"):
        got = pipeline.fit_transform(column)
    assert [error.row for error in pipeline.errors_] == bad
    for error in pipeline.errors_:
        assert str(column[error.row]) in error.clip
        assert error.step == "load"
        assert "no such file" in error.reason
    expected[bad] = np.nan
    np.testing.assert_array_equal(got, expected)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        pipeline.transform(clips(2))
    assert pipeline.errors_ == []


def test_trajectories_and_tables_of_variants():
    sound = [np.ones(3000), np.array([np.nan, 0.0]), np.ones(5000)]
    steps = [("load", AudioLoader(source_rate=22050)), ("features", AudioFeatures())]
    for extra in ([], [("augment", AudioAugmenter(pitch_steps=(), speed_rates=(2.0,)))]):
        pipeline = ClipPipeline([steps[0], *extra, steps[1]], on_error="nan")
        with pytest.warns(UnusableClipWarning):
            result = pipeline.fit_transform(sound)
        for row, good in enumerate([True, False, True]):
            for cell in result.reshape(3, -1)[row]:
                assert cell.shape[1] == 34
                assert np.isfinite(cell).all() == good
                assert good or np.isnan(cell).all()


def test_whole_numbers_have_no_nan(tmp_path):
    load = ClipPipeline([("load", VideoLoader())], on_error="nan")
    with pytest.raises(ValueError, match=r"NaN, which uint8 does not have. End the ClipPipeline"):
        load.fit_transform([*clips(2), tmp_path / "gone.mp4"])


@pytest.mark.parametrize("n_jobs", [None, 2])
def test_no_usable_clip_is_an_error(tmp_path, n_jobs):
    gone = [tmp_path / f"{row}.mp4" for row in range(3)]
    with pytest.raises(ValueError, match=r"None of the .*no such file"):
        see(n_jobs=n_jobs).fit(gone)
    with pytest.raises(ValueError, match=r"None of the clips.*The first.*0\.mp4.*no such file"):
        see(n_jobs=n_jobs).transform(gone)


def test_mistakes_are_raised_whatever_the_policy():
    X = np.arange(1.0, 5.0)[:, np.newaxis]
    pipeline = ClipPipeline([("strict", Strict(broken=X.ravel()))], on_error="nan")
    with pytest.raises(AttributeError, match="a mistake") as error:
        pipeline.transform(X)
    assert error.value.__notes__ == ["In step 'strict' for clip 0."]


def test_a_fitted_pipeline_knows_what_all_nan_looks_like(tmp_path):
    pipeline = see().fit(clips(2))
    with pytest.warns(UnusableClipWarning, match="1 of 1"):
        result = pipeline.transform([tmp_path / "gone.mp4"])
    assert result.shape == (1, 1, 2, 2, 9, 2)
    assert result.dtype == np.float32
    assert np.isnan(result).all()


def test_a_clip_is_named_once(tmp_path):
    gone = str(tmp_path / "gone.mp4")
    with pytest.warns(UnusableClipWarning) as record:
        see().fit_transform([gone, *clips(1)])
    assert str(record[0].message) == (
        "1 of 2 clips cannot be used and is NaN (see errors_):\n"
        f"  row 0: {gone}: expected a media file, found no such file. Check the path."
    )
    X = np.arange(1.0, 5.0)[:, np.newaxis]
    with pytest.warns(UnusableClipWarning, match=r"^1 of 4 .*:\n  clip 2: step 'strict' failed: "):
        ClipPipeline([("strict", Strict(refused=(3.0,)))], on_error="nan").transform(X)


def test_missing_clips_are_nan():
    column = pd.Series([*clips(2), None], dtype=object)
    with pytest.warns(UnusableClipWarning, match="row 2: .*empty cell"):
        result = see().fit_transform(column)
    assert np.isnan(result[2]).all()


@pytest.mark.parametrize(
    "cell", [pd.NaT, np.inf, 0, [], True, {}, ([1], 2), np.datetime64("NaT"), ""], ids=repr
)
def test_odd_cells_are_told_by_their_rows(cell):
    sound = (8000, np.sin(np.arange(4000.0)))
    steps = [("load", AudioLoader()), ("features", AudioFeatures())]
    pipeline = ClipPipeline(steps, on_error="nan")
    with pytest.warns(UnusableClipWarning):
        result = pipeline.fit_transform([cell, sound])
    assert [(error.row, error.step) for error in pipeline.errors_] == [(0, "load")]
    assert pipeline.errors_[0].reason.startswith("row 0: expected a ")
    assert [np.isnan(values).all() for values in result] == [True, False]


def test_a_worker_that_is_killed_fails_its_clip_alone(tmp_path):
    X = np.arange(1.0, 5.0)[:, np.newaxis]
    step = Strict(deadly=(1.0, 4.0), refused=(3.0,))
    pipeline = ClipPipeline([("strict", step)], on_error="nan", n_jobs=2, memory=tmp_path)
    with pytest.warns(UnusableClipWarning, match="3 of 4"):
        result = pipeline.transform(X)
    expected = 2 * X
    expected[[0, 2, 3]] = np.nan
    np.testing.assert_array_equal(result, expected)
    assert [error.row for error in pipeline.errors_] == [0, 2, 3]
    for error in pipeline.errors_:
        assert ("crashes" in error.reason) == (error.row != 2)
    assert "not this one" in pipeline.errors_[1].reason


def test_a_worker_that_is_killed_is_an_error_that_names_the_clip():
    X = np.arange(1.0, 3.0)[:, np.newaxis]
    pipeline = ClipPipeline([("strict", Strict(deadly=(2.0,)))], n_jobs=2)
    with parallel_config(backend="loky"), pytest.raises(MediaError, match=r"clip 1: .* crashes"):
        pipeline.transform(X)
