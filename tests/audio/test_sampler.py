import io

import imblearn.pipeline
import joblib
import numpy as np
import pandas as pd
import polars as pl
import pytest
import sklearn.pipeline
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st
from imblearn.utils import _tags as imblearn_tags
from imblearn.utils import estimator_checks as imblearn_checks
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.compose import ColumnTransformer
from sklearn.model_selection import GroupKFold, cross_val_score
from sklearn.utils import TargetTags
from sklearn.utils import estimator_checks as checks
from suite import StatelessPlain, assert_passes_suite

from skemotion import MediaError
from skemotion.audio import AudioAugmentationSampler, AudioAugmenter, AudioFeatures, AudioLoader
from skemotion.datasets import load_ravdess
from skemotion.decomposition import BSplineProjector
from skemotion.pipeline import ClipPipeline

RATE = 8000
TWO = AudioAugmenter(pitch_steps=(), speed_rates=(2.0,))


def clip(seed, n=400):
    return np.random.default_rng(seed).uniform(-0.5, 0.5, n).astype(np.float32)


def sound(seed, n=400, rate=22050):
    return rate, clip(seed, n)


def table(n=6, rate=22050):
    """Clips of different lengths whose first sample, a multiple of 1/64, tells which they are."""
    clips = [(rate, np.r_[np.float32(row / 64), clip(row, 300 + row)]) for row in range(n)]
    return pd.DataFrame({"actor": np.arange(n) // 2, "audio": clips, "note": list("abcdef")[:n]})


class Recorder(ClassifierMixin, BaseEstimator):
    """Keeps what it was given, of which scikit-learn's tools make copies otherwise."""

    seen = []

    def fit(self, X, y):
        self.classes_ = np.unique(y)
        self.seen.append(("fit", list(X["audio"]), list(X["actor"]), list(y)))
        return self

    def predict(self, X):
        self.seen.append(("predict", list(X["audio"]), list(X["actor"]), None))
        return np.repeat(self.classes_[:1], len(X))


def equal(one, other):
    """Whether two lists of waveforms are the same, whatever their rates."""
    one, other = ([c[1] if isinstance(c, tuple) else c for c in clips] for clips in (one, other))
    return len(one) == len(other) and all(map(np.array_equal, one, other))


def test_rows_are_originals_and_then_the_augmenters_variants(tmp_path):
    X, y = table(rate=RATE), pd.Series(list("xxyyzz"), index=range(50, 56), name="emotion")
    X.index = range(20, 26)
    path = tmp_path / "a.wav"
    soundfile.write(path, clip(9), RATE)
    X["audio"] = pd.Series([str(path), *X["audio"][1:]], index=X.index)
    before = X.copy()
    augmenter = AudioAugmenter()
    sampler = AudioAugmentationSampler(augmenter, sample_rate=RATE)
    more, labels = sampler.fit_resample(X, y)

    pd.testing.assert_frame_equal(X, before)
    assert vars(augmenter) == vars(AudioAugmenter())
    np.testing.assert_array_equal(
        sampler.sample_indices_, [*range(6), *(row for row in range(6) for _ in range(8))]
    )
    assert len(more) == len(labels) == 6 * 9
    # The very objects: a path stays a path.
    assert all(a is b for a, b in zip(more["audio"][:6], X["audio"], strict=True))
    expected = AudioAugmenter().transform(AudioLoader(RATE).transform(X["audio"]))
    assert equal(list(more["audio"][6:]), list(expected.ravel()))
    assert {rate for rate, _ in more["audio"][1:]} == {RATE}
    assert all(waveform.dtype == np.float32 for _, waveform in more["audio"][1:])
    for column in ("actor", "note"):
        assert list(more[column]) == list(X[column].to_numpy()[sampler.sample_indices_])
    assert more["actor"].dtype == X["actor"].dtype
    assert list(labels) == list(y.to_numpy()[sampler.sample_indices_])
    assert labels.name == "emotion"
    assert list(more.index) == list(labels.index) == list(range(54))
    assert list(more.columns) == list(X.columns) == list(sampler.get_feature_names_out())
    # A loader of the same rate passes them on.
    assert equal(AudioLoader(RATE).transform(more["audio"])[6:], list(expected.ravel()))


def test_only_training_rows_get_variants_in_cross_validation():
    X, y = table(), np.array(list("xyxyxy"))
    model = imblearn.pipeline.make_pipeline(AudioAugmentationSampler(TWO), Recorder())
    Recorder.seen.clear()
    cross_val_score(model, X, y, groups=X["actor"], cv=GroupKFold(3), error_score="raise")
    assert [call[0] for call in Recorder.seen] == ["fit", "predict"] * 3
    tested = []
    for (_, trained, actors, labels), (_, held_out, others, _) in zip(
        Recorder.seen[::2], Recorder.seen[1::2], strict=True
    ):
        assert len(trained) == 4 * 3
        assert len(held_out) == 2
        assert not set(actors) & set(others)
        rows = [round(waveform[0] * 64) for _, waveform in trained[:4]]
        assert equal(trained[:4], list(X["audio"][rows]))
        waveforms = [waveform for _, waveform in X["audio"][rows]]
        assert equal(trained[4:], list(TWO.transform(waveforms).ravel()))
        rows += np.repeat(rows, 2).tolist()
        assert actors == X["actor"][rows].tolist()
        assert labels == y[rows].tolist()
        tested += [round(waveform[0] * 64) for _, waveform in held_out]
        assert equal(held_out, list(X["audio"][tested[-2:]]))
    assert sorted(tested) == list(range(6))


def test_in_a_whole_model_with_a_cache(tmp_path):
    clips = ClipPipeline(
        [
            ("load", AudioLoader()),
            ("features", AudioFeatures(features=("rms", "zcr"))),
            ("splines", BSplineProjector(n_knots=4)),
        ],
        memory=tmp_path,
    )
    flat = sklearn.preprocessing.FunctionTransformer(lambda Z: Z.reshape(len(Z), -1))
    model = imblearn.pipeline.make_pipeline(
        AudioAugmentationSampler(TWO),
        ColumnTransformer([("audio", sklearn.pipeline.make_pipeline(clips, flat), "audio")]),
        sklearn.linear_model.LogisticRegression(),
    )
    loud = [(22050, clip(row, 6000) * (1 + 9 * (row % 2))) for row in range(8)]
    X, y = pd.DataFrame({"audio": loud}), np.tile(["calm", "angry"], 4)
    assert cross_val_score(model, X, y, cv=2).tolist() == [1, 1]
    kept = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*") if path.is_file()}
    assert len(kept) == 8 * 3 * 3
    # Variants are made anew and known again.
    cross_val_score(clone(model), X, y, cv=2)
    assert {path: path.stat().st_mtime_ns for path in kept} == kept
    assert {path for path in tmp_path.rglob("*") if path.is_file()} == set(kept)
    assert len(model.fit(X, y).predict(X)) == 8


def test_scikit_learns_pipeline_refuses_it():
    pipeline = sklearn.pipeline.make_pipeline(AudioAugmentationSampler(TWO), Recorder())
    with pytest.raises(TypeError, match="transformers"):
        pipeline.fit(table(), list("xyxyxy"))


@settings(deadline=None, max_examples=25)
@given(n=st.integers(1, 5), seed=st.integers(0, 5), data=st.data())
def test_two_runs_are_equal_and_rows_do_not_depend_on_their_neighbours(n, seed, data):
    clips = [sound(seed + row, 20 + row) for row in range(n)]
    sampler = AudioAugmentationSampler(TWO)
    one, labels = sampler.fit_resample(clips, list(range(n)))
    again, _ = clone(sampler).fit_resample(clips, list(range(n)))
    assert isinstance(one, list)
    assert equal(one, again)
    assert labels == sampler.sample_indices_.tolist()
    row = data.draw(st.integers(0, n - 1))
    alone, _ = clone(sampler).fit_resample([clips[row]])
    assert equal(alone, [one[i] for i in np.flatnonzero(sampler.sample_indices_ == row)])


@pytest.mark.parametrize("kind", [list, pd.Series, pl.Series, "array", "column"])
def test_columns_of_clips_of_any_kind(kind, tmp_path):
    paths = [str(tmp_path / f"{row}.wav") for row in range(2)]
    for row, path in enumerate(paths):
        soundfile.write(path, clip(row), RATE)
    array = np.array(paths, dtype=object)
    X = {"array": array, "column": array[:, None]}.get(kind) if isinstance(kind, str) else None
    X = kind(paths) if X is None else X
    sampler = AudioAugmentationSampler(TWO, sample_rate=RATE).fit(X)
    assert sampler.n_features_in_ == 1
    more, y = sampler.fit_resample(X, np.array([[1.5, 2], [3, 4]]))
    expected = TWO.transform(AudioLoader(RATE).transform(paths)).ravel()
    rows = list(more[:, 0]) if kind == "column" else list(more)
    assert type(more) is (np.ndarray if kind is pl.Series else type(X))
    assert rows[:2] == paths
    assert equal(rows[2:], expected)
    # Targets may be numbers, and several.
    np.testing.assert_array_equal(y, [[1.5, 2], [3, 4], [1.5, 2], [1.5, 2], [3, 4], [3, 4]])


def test_frames_of_polars_become_pandas(tmp_path):
    soundfile.write(tmp_path / "a.wav", clip(0), RATE)
    frame = pl.DataFrame({"sound": [str(tmp_path / "a.wav")], "actor": [3]})
    more, y = AudioAugmentationSampler(TWO, sample_rate=RATE, column="sound").fit_resample(frame)
    assert isinstance(more, pd.DataFrame)
    assert more["actor"].tolist() == [3, 3, 3]
    assert [type(row) for row in more["sound"]] == [str, tuple, tuple]
    assert y is None


def test_shifts_are_in_seconds_of_the_samplers_rate():
    ramp = np.arange(1.0, 101.0) / 100
    augmenter = AudioAugmenter(noise=None, pitch_steps=(), speed_rates=(), time_shifts=(0.01,))
    sampler = AudioAugmentationSampler(augmenter, sample_rate=1000)
    more, _ = sampler.fit_resample([(1000, ramp)])
    assert augmenter.sample_rate == 22050
    assert more[1][0] == 1000
    np.testing.assert_array_equal(more[1][1], np.roll(ramp, 10))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_rows_of_arrays_keep_their_length(dtype):
    X = np.stack([clip(0), clip(1)]).astype(dtype)
    augmenter = AudioAugmenter(pitch_steps=(), speed_rates=(2.0, 0.5))
    sampler = AudioAugmentationSampler(augmenter)
    more, _ = sampler.fit_resample(X)
    assert more.dtype == dtype
    assert sampler.clip_shape_ == (400,)
    np.testing.assert_array_equal(more[:2], X)
    for row, variants in enumerate(augmenter.transform(list(X))):
        noisy, fast, slow = more[2 + 3 * row :][:3]
        np.testing.assert_array_equal(noisy, variants[0])
        np.testing.assert_array_equal(fast, np.r_[variants[1], np.zeros(200)])
        np.testing.assert_array_equal(slow, variants[2][:400])
    channels, _ = sampler.fit_resample(np.stack([X, X[::-1]], axis=2))
    assert channels.shape == (8, 400, 2)
    np.testing.assert_array_equal(channels[..., 0], more)
    np.testing.assert_array_equal(channels[..., 1], more[[1, 0, 5, 6, 7, 2, 3, 4]])
    frame, _ = sampler.fit_resample(pd.DataFrame(X))
    np.testing.assert_array_equal(frame, more)


def test_on_real_speech(shared_data):
    corpus = load_ravdess(shared_data / "ravdess")
    X = corpus.data.assign(actor=corpus.groups)[::240]
    sampler = AudioAugmentationSampler()
    more, y = sampler.fit_resample(X, corpus.target[::240])
    assert len(more) == len(y) == 3 * 9
    assert list(more["actor"]) == [1, 5, 9, *[1] * 8, *[5] * 8, *[9] * 8]
    assert more["video"].isna().all()
    originals = AudioLoader().transform(X["audio"])
    assert equal(more["audio"][3:], list(AudioAugmenter().transform(originals).ravel()))
    assert {rate for rate, _ in more["audio"][3:]} == {22050}
    # What the docstring says of memory.
    size = sum(waveform.nbytes for _, waveform in more["audio"][3:]) / sum(
        row.nbytes for row in originals
    )
    assert abs(size - 8.4) < 0.05


@pytest.mark.parametrize(
    ("X", "message"),
    [
        (pd.DataFrame({"sound": ["a.wav"], "actor": [1]}), r"column 'audio', found .*'sound'"),
        (pd.DataFrame({"actor": [1], "sound": ["a.wav"]}), r"column 'audio', found .*'sound'"),
        (pd.DataFrame({"audio": [1.0], "actor": ["a"]}), "clips in a column 'audio'"),
        (pd.DataFrame({"audio": []}, dtype=object), "in 0 rows"),
        (pd.DataFrame({"audio": [(9000, np.array([0, np.nan]))]}), "row 0: .* that are NaN"),
        ([(22050, np.zeros(5)), (22050, np.zeros(0))], "row 1: .* without a sample"),
        ([(22050, np.zeros(5)), np.zeros(5)], "row 1: .* found one without"),
        ("a.wav", "pass .clip."),
    ],
)
def test_refuses_what_holds_no_clips(X, message):
    with pytest.raises(ValueError, match=message):
        AudioAugmentationSampler(TWO).fit_resample(X)


def test_bad_clips_and_targets():
    with pytest.raises(MediaError, match=r"nowhere\.wav: expected a media file"):
        AudioAugmentationSampler(TWO).fit_resample(["nowhere.wav"])
    with pytest.raises(MediaError, match="empty cell"):
        AudioAugmentationSampler(TWO).fit_resample(pd.DataFrame({"audio": ["a.wav", None]})[1:])
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        AudioAugmentationSampler(TWO).fit_resample([sound(0)], [1, 2])


def test_pickles_with_its_rows():
    sampler = AudioAugmentationSampler(TWO)
    sampler.fit_resample([sound(0)])
    file = io.BytesIO()
    joblib.dump(sampler, file)
    file.seek(0)
    np.testing.assert_array_equal(joblib.load(file).sample_indices_, [0, 0, 0])


def test_scikit_learns_whole_suite():
    assert_passes_suite(AudioAugmentationSampler(), StatelessPlain())


class TaggedSampler(AudioAugmentationSampler):
    """With the tags that imbalanced-learn's own suite reads, and nothing else does."""

    def __sklearn_tags__(self):
        return imblearn_tags.Tags(
            estimator_type="sampler",
            target_tags=TargetTags(required=False),
            input_tags=imblearn_tags.InputTags(dataframe=True),
            sampler_tags=imblearn_tags.SamplerTags(sample_indices=True),
        )


IMBLEARN_SUITE = {
    "check_samplers_fit_resample",
    "check_samplers_sampling_strategy_fit_resample",
    "check_samplers_pandas",
    "check_samplers_list",
    "check_samplers_multiclass_ova",
    "check_samplers_preserve_dtype",
    "check_samplers_sample_indices",
    "check_samplers_2d_target",
    "check_sampler_get_feature_names_out",
    "check_sampler_get_feature_names_out_pandas",
}
# These ask for what belongs to the balancing of classes: one class and numbers as targets refused,
# the counts of classes; and for sparse waveforms.
BALANCING = {
    "check_target_type",
    "check_samplers_one_label",
    "check_samplers_fit",
    "check_samplers_pandas_sparse",
}


def test_imbalanced_learns_suite():
    found = set()
    for estimator, check in imblearn_checks.estimator_checks_generator(TaggedSampler(TWO)):
        found.add(check.func.__name__)
        if check.func.__name__ in IMBLEARN_SUITE:
            check(estimator)
    assert found == IMBLEARN_SUITE | BALANCING


@pytest.mark.parametrize(
    "check",
    [
        checks.check_param_validation,
        checks.check_dataframe_column_names_consistency,
        checks.check_get_feature_names_out_error,
        imblearn_checks.check_param_validation,
        imblearn_checks.check_dataframe_column_names_consistency,
    ],
    ids=lambda check: f"{check.__module__.split('.')[0]}-{check.__name__}",
)
def test_checks_that_no_suite_yields(check):
    check("AudioAugmentationSampler", AudioAugmentationSampler(TWO))


def test_one_class_and_numbers_are_targets_as_well():
    clips = [sound(0), sound(1)]
    for y in ([0, 0], [0.25, 0.5]):
        _, labels = AudioAugmentationSampler(TWO).fit_resample(clips, y)
        assert labels == [y[i] for i in (0, 1, 0, 0, 1, 1)]
