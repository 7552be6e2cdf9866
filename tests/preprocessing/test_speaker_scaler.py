import pickle
import unittest

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.compose import ColumnTransformer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import estimator_checks as checks

from skemotion.preprocessing import SpeakerScaler, enroll_speakers, uses_speaker_clips

BY_HAND = [
    checks.check_dataframe_column_names_consistency,
    checks.check_get_feature_names_out_error,
    checks.check_param_validation,
    checks.check_set_output_transform,
    checks.check_set_output_transform_pandas,
    checks.check_set_output_transform_polars,
    checks.check_transformer_get_feature_names_out,
    checks.check_transformer_get_feature_names_out_pandas,
]


def test_whole_suite():
    for estimator, check in checks.estimator_checks_generator(SpeakerScaler()):
        try:
            check(estimator)
        except unittest.SkipTest as skip:
            pytest.fail(f"{check.func.__name__} was skipped: {skip}")


@pytest.mark.parametrize("check", BY_HAND, ids=lambda check: check.__name__)
@pytest.mark.filterwarnings("ignore:X (has|does not have valid) feature names")
def test_checks_that_the_suite_never_yields(check):
    check("SpeakerScaler", SpeakerScaler())


def table(seed=0, n_clips=30, names="abc"):
    rng = np.random.default_rng(seed)
    X = pd.DataFrame(rng.normal(size=(n_clips, 3)), columns=["f0", "hnr", "rate"])
    X["speaker"] = rng.choice(list(names), n_clips)
    X.loc[X.speaker == "b", "f0"] += 5
    return X


def reference(X, training, shrinkage):
    """Row by row, as the documentation has it."""
    numbers, rows = ["f0", "hnr", "rate"], []
    mean, variance = training[numbers].mean(), training[numbers].var(ddof=0)
    for _, row in X.iterrows():
        own = X.loc[X.speaker == row.speaker, numbers]
        w = len(own) / (len(own) + shrinkage)
        m = w * own.mean() + (1 - w) * mean if len(own) else mean
        v = w * own.var(ddof=0) + (1 - w) * variance if len(own) else variance
        rows.append((row[numbers] - m) / np.sqrt(v))
    return np.array(rows, dtype=float)


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 99), st.floats(0.1, 20))
def test_clips_in_the_call_make_the_statistics_and_few_are_shrunk(seed, shrinkage):
    train, test = table(seed), table(seed + 1, 12, "bcd")
    test["speaker"] = test["speaker"].astype(object).where(np.arange(12) > 2, None)
    scaler = SpeakerScaler("speaker", shrinkage=shrinkage)
    np.testing.assert_allclose(scaler.fit_transform(train), reference(train, train, shrinkage))
    np.testing.assert_allclose(scaler.transform(test), reference(test, train, shrinkage))


def test_without_shrinkage_each_speaker_is_standardised():
    X = table()
    scaled = SpeakerScaler("speaker", shrinkage=0).fit_transform(X)
    for name in "abc":
        own = X.speaker == name
        expected = StandardScaler().fit_transform(X.loc[own, ["f0", "hnr", "rate"]])
        np.testing.assert_allclose(scaled[own], expected)


@pytest.mark.parametrize("nobody", [None, np.nan, pd.NA])
def test_rows_without_a_speaker_get_the_plain_scaler(nobody):
    train, test = table(), table(1, 5)
    test["speaker"] = pd.Series([nobody] * 5, dtype=object)
    plain = StandardScaler().fit(train[["f0", "hnr", "rate"]])
    scaler = SpeakerScaler("speaker").fit(train)
    expected = plain.transform(test[["f0", "hnr", "rate"]])
    np.testing.assert_allclose(scaler.transform(test), expected)
    bare = SpeakerScaler().fit(train[["f0", "hnr", "rate"]])
    np.testing.assert_allclose(bare.transform(test[["f0", "hnr", "rate"]]), expected)


def test_enrolled_clips_decide_alone_and_make_rows_independent():
    train, given_before, test = table(), table(1, 8, "d"), table(2, 6, "d")
    scaler = SpeakerScaler("speaker").fit(train)
    in_the_call = scaler.transform(test)
    scaler.enroll(given_before)
    assert list(scaler.enrolled_) == ["d"]
    assert scaler.enrolled_["d"][0] == 8
    enrolled = scaler.transform(test)
    assert not np.allclose(enrolled, in_the_call)
    both = scaler.transform(pd.concat([given_before, test]))
    np.testing.assert_allclose(both[8:], enrolled)
    one_by_one = [scaler.transform(test[row : row + 1]) for row in range(6)]
    np.testing.assert_allclose(np.concatenate(one_by_one), enrolled)
    again = pickle.loads(pickle.dumps(scaler))
    np.testing.assert_array_equal(again.transform(test), enrolled)
    # Anew, by these clips alone; a new fit forgets all.
    assert scaler.enroll(test).enrolled_["d"][0] == 6
    assert scaler.fit(train).enrolled_ == {}


def test_positions_in_arrays_of_objects_are_names_in_tables():
    train, test = table(), table(1)
    expected = SpeakerScaler("speaker").fit(train).transform(test)
    for position in (-1, 3):
        by_position = SpeakerScaler(position).fit(train.to_numpy())
        np.testing.assert_allclose(by_position.transform(test.to_numpy()), expected)
        assert list(by_position.get_feature_names_out()) == ["x0", "x1", "x2"]
    numbered = train.assign(speaker=train.speaker.map({"a": 1, "b": 2, "c": 3}))
    scaled = SpeakerScaler(-1).fit_transform(numbered.to_numpy())
    np.testing.assert_allclose(scaled, SpeakerScaler("speaker").fit_transform(train))


def test_the_speaker_comes_down_a_pipeline_as_one_more_column():
    train = table()
    columns = ColumnTransformer(
        [("numbers", "passthrough", ["rate", "f0"]), ("speaker", "passthrough", ["speaker"])],
        verbose_feature_names_out=False,
    )
    plain = make_pipeline(clone(columns), SpeakerScaler(-1)).fit(train)
    framed = make_pipeline(columns, SpeakerScaler("speaker")).set_output(transform="pandas")
    result = framed.fit(train).transform(train)
    assert list(result.columns) == ["rate", "f0"]
    np.testing.assert_allclose(result, plain.transform(train))


def test_enrolling_through_a_pipeline():
    train, given_before, test = table(), table(1, 8, "d"), table(2, 6, "d")
    columns = ColumnTransformer([("all", "passthrough", ["f0", "speaker"])])
    model = make_pipeline(columns, SpeakerScaler(-1), LogisticRegression())
    model.fit(train, np.arange(30) % 2)
    enroll_speakers(model, given_before)
    alone = SpeakerScaler("speaker").fit(train[["f0", "speaker"]])
    alone.enroll(given_before[["f0", "speaker"]])
    expected = alone.transform(test[["f0", "speaker"]])
    np.testing.assert_allclose(model[:-1].transform(test), expected)
    with pytest.raises(ValueError, match="is a SpeakerScaler"):
        enroll_speakers(make_pipeline(StandardScaler()).fit(train[["f0"]]), given_before[["f0"]])


def test_models_that_use_the_tested_speakers_clips_say_so():
    model = make_pipeline(StandardScaler(), SpeakerScaler("speaker"), LogisticRegression())
    assert uses_speaker_clips(model)
    assert uses_speaker_clips(GridSearchCV(clone(model), {}))
    assert uses_speaker_clips(SpeakerScaler(0))
    assert not uses_speaker_clips(model.set_params(speakerscaler__speaker=None))
    assert not uses_speaker_clips(LogisticRegression())


@pytest.mark.parametrize(
    ("speaker", "X", "message"),
    [
        ("who", table(), "with a column 'who', found columns .'f0'"),
        ("who", np.ones((3, 2)), "found an array, which has no names"),
        (4, np.ones((3, 2)), "expected the speaker in column 4, found 2 columns"),
        (0, np.array([["a", np.nan], ["b", 1.0]], dtype=object), "NaN"),
    ],
)
def test_what_cannot_be_scaled_is_refused(speaker, X, message):
    with pytest.raises(ValueError, match=message):
        SpeakerScaler(speaker).fit(X)


def test_who_cannot_be_enrolled_is_refused():
    train = table()
    with pytest.raises(ValueError, match="plain scaler"):
        SpeakerScaler().fit(train[["f0"]]).enroll(train[["f0"]])
    nameless = train.assign(speaker=train.speaker.where(train.index != 4, None))
    with pytest.raises(ValueError, match="row 4: it names no speaker"):
        SpeakerScaler("speaker").fit(train).enroll(nameless)


def test_a_column_that_a_speaker_never_varies_in_becomes_zero():
    X = np.array([["a", 0.1], ["a", 0.1], ["a", 0.1], ["b", 1.0], ["b", 3.0]], dtype=object)
    scaled = SpeakerScaler(0, shrinkage=0).fit_transform(X)
    np.testing.assert_allclose(scaled.ravel(), [0, 0, 0, -1, 1], atol=1e-12)
