"""A stage of one's own, of ten lines, does what the package's stages do."""

import pickle

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, TransformerMixin, clone
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from skemotion.audio import AudioAugmenter, AudioFeatures, AudioLoader
from skemotion.base import ClipFunction, ClipTransformer
from skemotion.decomposition import TrajectoryStatistics
from skemotion.pipeline import ClipCache, ClipPipeline, UnusableClipWarning
from skemotion.video import HOG3D, VideoLoader


class Loudness(ClipTransformer):
    """Root mean square of blocks of a waveform, as a user would write it."""

    takes = "waveforms"

    def __init__(self, n_blocks=2):
        self.n_blocks = n_blocks

    def transform_clip(self, clip):
        if clip[0] > 9:
            raise ValueError("too loud")
        return [np.sqrt(np.mean(block**2)) for block in np.array_split(clip, self.n_blocks)]


def trim(waveform, level):
    """Cut off what is quiet at the beginning."""
    return waveform[np.argmax(np.abs(waveform) > level) :]


def sounds(n):
    return [(8000, np.full(200 + 10 * row, row + 1.0) / 10) for row in range(n)]


def listen(*further, **parameters):
    steps = [("load", AudioLoader(8000)), *further, ("loudness", Loudness())]
    return ClipPipeline(steps, **parameters)


def test_lists_become_arrays_of_columns_tables_and_numbers():
    clips = [np.ones(5), np.array([3.0, 0.0])]
    expected = [[1, 1], [3, 0]]
    for column in (clips, tuple(clips), pd.Series(clips), pd.DataFrame({"audio": clips})):
        np.testing.assert_array_equal(Loudness().fit_transform(column), expected)
    numbers = np.array([[1.0, 1, 1, 1], [3, 3, 0, 0]])
    np.testing.assert_array_equal(Loudness().fit_transform(numbers), expected)
    # Several columns of a clip stand side by side, and channels of an array last.
    table = pd.DataFrame({"a": clips, "b": clips[::-1]})
    np.testing.assert_array_equal(Loudness().transform(table), [[1, 1, 3, 0], [3, 0, 1, 1]])
    channels = np.stack([numbers, numbers[::-1]], axis=2)
    assert Loudness().transform(channels)[0].tolist() == [[1, 3], [1, 0]]
    assert Loudness(n_blocks=3).fit(clips).get_feature_names_out().tolist() == [
        "loudness0", "loudness1", "loudness2",
    ]  # fmt: skip


@pytest.mark.parametrize("n_jobs", [None, 2])
def test_runs_in_a_clip_pipeline_with_workers_and_a_cache(n_jobs, tmp_path):
    expected = [[(row + 1) / 10] * 2 for row in range(4)]
    pipeline = listen(n_jobs=n_jobs, memory=tmp_path)
    for _ in range(2):
        np.testing.assert_allclose(pipeline.fit_transform(sounds(4)), expected)
        assert ClipCache(tmp_path).n_entries == 2 * 4
    # Other parameters are another step.
    assert clone(pipeline).set_params(loudness__n_blocks=3).fit_transform(sounds(4)).shape == (4, 3)
    assert ClipCache(tmp_path).n_entries == 3 * 4


def test_gives_tables_to_a_classifier_where_asked():
    pipeline = listen(flatten=True).set_output(transform="pandas")
    table = pipeline.fit_transform(sounds(4))
    assert isinstance(table, pd.DataFrame)
    assert list(table) == ["loudness0", "loudness1"]
    y = np.array([0, 0, 1, 1])
    model = make_pipeline(listen(flatten=True), LogisticRegression(C=1e6)).fit(sounds(4), y)
    assert (model.predict(sounds(4)) == y).all()


def test_rows_of_more_axes_have_names():
    clips = np.random.default_rng(0).integers(0, 256, (3, 10, 20, 24), dtype=np.uint8)
    steps = [("load", VideoLoader(10, scale=1)), ("hog", HOG3D())]
    rows = ClipPipeline(steps, flatten=True).set_output(transform="pandas").fit_transform(clips)
    described = ClipPipeline(steps).fit_transform(clips)
    np.testing.assert_array_equal(rows, described.reshape(3, -1))
    assert rows.columns[-1] == "hog3d_t01_y03_x03_bin8_polar"
    with pytest.raises(ValueError, match="flatten=True cannot make one"):
        ClipPipeline([("load", AudioLoader(8000))], flatten=True).fit_transform(sounds(2))


def test_errors_name_the_row():
    loud = np.full(50, 10.0)
    with pytest.raises(ValueError, match="Loudness cannot use the clip in row 1: too loud"):
        Loudness().transform([np.ones(5), loud])
    with pytest.raises(ValueError, match="found NaN or infinity in row 1"):
        Loudness().transform([np.ones(5), np.array([np.nan])])
    with pytest.raises(ValueError, match=r"\(\) in row 0, \(2,\) in row 1"):
        ClipFunction(lambda clip: clip[0] if len(clip) > 2 else clip).transform(
            [np.ones(5), np.ones(2)]
        )


@pytest.mark.parametrize("n_jobs", [None, 2])
def test_errors_name_the_row_of_the_caller_s_table(n_jobs):
    clips = sounds(5)
    clips[3] = (8000, np.full(50, 10.0))
    with pytest.raises(ValueError, match=r"clip 3 .*'loudness' failed: .* in row 3: too loud"):
        listen(n_jobs=n_jobs).fit_transform(clips)
    with pytest.warns(UnusableClipWarning, match="row 3: too loud"):
        result = listen(on_error="nan").fit_transform(clips)
    assert np.isnan(result).any(axis=1).tolist() == [False, False, False, True, False]
    # A mistake in the stage is raised as it is.
    broken = ClipFunction(lambda clip: clip.shpae, takes="waveforms")
    with pytest.raises(AttributeError, match="shpae") as caught:
        listen(("broken", broken)).transform(clips)
    assert any("row 0" in note for note in caught.value.__notes__)


@pytest.mark.parametrize("flatten", [False, True])
def test_a_bad_first_clip_does_not_end_a_run_that_goes_on(flatten):
    clips = [np.array([np.nan, 1.0]), *(clip for _, clip in sounds(3))]
    pipeline = ClipPipeline([("loudness", Loudness())], on_error="nan", flatten=flatten)
    with pytest.warns(UnusableClipWarning, match="1 of 4.*\n.*row 0"):
        result = pipeline.fit_transform(clips)
    assert np.isnan(result).any(axis=1).tolist() == [True, False, False, False]
    strict = ClipPipeline([("loudness", Loudness())])
    with pytest.raises(ValueError, match=r"clip 0 .*: step 'loudness' failed: .*row 0"):
        strict.fit(clips)


def test_functions_are_stages(tmp_path):
    step = ClipFunction(trim, takes="waveforms", ragged=True, kw_args={"level": 0.5})
    clips = [np.r_[np.zeros(5), np.ones(3)], np.r_[np.zeros(2), np.ones(4)]]
    assert [len(clip) for clip in step.fit_transform(clips)] == [3, 4]
    assert [len(clip) for clip in pickle.loads(pickle.dumps(step)).transform(clips)] == [3, 4]
    assert step.fit(clips).get_feature_names_out().tolist() == ["trim"]
    pipeline = listen(("trim", step), n_jobs=2, memory=tmp_path)
    np.testing.assert_allclose(
        pipeline.fit_transform([(8000, clip) for clip in clips]), np.ones((2, 2))
    )
    with pytest.raises(ValueError, match="'takes' parameter of ClipFunction"):
        ClipFunction(trim, takes="sound").transform(clips)


def test_a_stage_without_its_method_says_so():
    class Nothing(ClipTransformer):
        pass

    with pytest.raises(NotImplementedError, match="Nothing has no transform_clip: implement it"):
        Nothing().transform([np.ones(3)])


@pytest.mark.parametrize(
    ("result", "found"),
    [
        (None, "NoneType"),
        ({"mean": 1.0}, "dict"),
        ([[1.0, 2.0], [3.0]], "list with rows of different lengths"),
        (np.array(["loud"]), "ndarray of type <U4"),
    ],
)
def test_a_stage_that_returns_no_numbers_is_named(result, found):
    stage = ClipFunction(lambda clip: result if len(clip) < 9 else 1.0, takes="waveforms")
    message = f"ClipFunction gives no array of numbers for the clip in row 1, but {found}: see"
    with pytest.raises(TypeError, match=message):
        stage.transform([np.ones(9), np.ones(5)])
    clips = [np.ones(9), np.ones(5)]
    with pytest.raises(TypeError, match=message):
        ClipPipeline([("f", stage)], flatten=True).fit_transform(clips)
    # Where others give numbers, it is this clip's.
    with pytest.warns(UnusableClipWarning, match=message):
        table = ClipPipeline([("f", stage)], on_error="nan", flatten=True).fit_transform(clips)
    assert np.isnan(table).all(axis=1).tolist() == [False, True]
    with pytest.raises(ValueError, match=r"None of the clips can be used.*gives no array"):
        ClipPipeline([("f", stage)], on_error="nan").fit_transform([np.ones(5), np.ones(5)])


def test_a_stage_that_takes_what_there_is_not_says_what_there_is():
    class Typo(Loudness):
        takes = "waveform"

    for X in ([np.ones(3)], np.ones((2, 3))):
        with pytest.raises(TypeError, match=r"Typo.takes must be one of .*'waveforms'.*'waveform'"):
            Typo().fit_transform(X)


def test_an_own_stage_that_is_none_is_told_what_to_derive_from():
    class Plain(TransformerMixin, BaseEstimator):
        def fit(self, X, y=None):
            return self

        def transform(self, X):
            return X

    with pytest.raises(ValueError, match=r"derive it from .*ClipTransformer"):
        ClipPipeline([("plain", Plain())]).fit([np.ones(3)])


class Louder(Loudness):
    def transform(self, X):
        return 2 * super().transform(X)


class Described(HOG3D):
    def transform(self, X):
        return super().transform(X) + 0


class Heard(AudioFeatures):
    def transform(self, X):
        return super().transform(X)

    def fit_transform(self, X, y=None):
        return self.fit(X, y).transform(X)


@pytest.mark.parametrize("container", ["pandas", "polars"])
def test_subclasses_that_override_transform_keep_their_output(container):
    numbers = np.arange(1.0, 9).reshape(2, 4) / 8
    for stage in (Loudness(), Louder()):
        stage.set_output(transform=container)
        for table in (stage.fit_transform(numbers), stage.transform(numbers)):
            assert type(table).__module__.startswith(container)
            assert list(table.columns) == [f"{type(stage).__name__.lower()}{i}" for i in range(2)]
    # More axes, and columns of arrays, have no table: they stay arrays.
    videos = np.zeros((2, 5, 10, 12), dtype=np.uint8)
    clips = [np.zeros(600), np.zeros(900)]
    stages = [(HOG3D(), videos), (Described(), videos), (Heard(), clips), (AudioFeatures(), clips)]
    for stage, X in [*stages, (AudioAugmenter(speed_rates=(2.0,)), clips)]:
        stage.set_output(transform=container)
        assert type(stage.fit_transform(X)) is np.ndarray
        assert type(stage.transform(X)) is np.ndarray


def test_a_clip_does_not_depend_on_its_neighbours():
    clips = [np.random.default_rng(row).normal(size=50 + row) for row in range(4)]
    together = Loudness().transform(clips)
    for row, clip in enumerate(clips):
        np.testing.assert_array_equal(Loudness().transform([clip])[0], together[row])


def test_statistics_make_rows_for_classifiers():
    steps = [
        ("load", AudioLoader(8000)),
        ("features", AudioFeatures(("rms", "zcr"), sample_rate=8000)),
        ("statistics", TrajectoryStatistics(("mean", "p90"))),
    ]
    table = ClipPipeline(steps).set_output(transform="pandas").fit_transform(sounds(3))
    assert list(table) == ["rms_mean", "zcr_mean", "rms_p90", "zcr_p90"]
    alone = TrajectoryStatistics(("mean",)).set_output(transform="pandas")
    names = list(alone.fit_transform([np.ones((4, 2)), np.ones((3, 2))]))
    assert names == ["curve00_mean", "curve01_mean"]
