import pickle
import unittest
import warnings

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar
from sklearn import config_context
from sklearn.base import BaseEstimator, ClassifierMixin, TransformerMixin, clone
from sklearn.compose import ColumnTransformer
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression, RidgeClassifier
from sklearn.model_selection import (
    GridSearchCV,
    GroupKFold,
    StratifiedGroupKFold,
    StratifiedKFold,
    cross_val_predict,
    cross_validate,
)
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.utils import estimator_checks as checks
from threadpoolctl import threadpool_limits

from skemotion import MediaError, load_model, save_model
from skemotion.classification import BalancedLDA, FusionClassifier
from skemotion.decomposition import TrajectoryStatistics
from skemotion.pipeline import ClipPipeline
from skemotion.preprocessing import SpeakerScaler, uses_speaker_clips

EVERYTHING = slice(None)
TWO = [("lr", LogisticRegression(), EVERYTHING), ("nb", GaussianNB(), EVERYTHING)]
FUSIONS = [FusionClassifier(), FusionClassifier(calibrate=False), FusionClassifier(TWO)]


@pytest.mark.parametrize("fusion", FUSIONS, ids=["one", "uncalibrated", "two"])
def test_whole_suite(fusion):
    # Threads of many small fits stand in each other's way.
    with threadpool_limits(1):
        for estimator, check in checks.estimator_checks_generator(fusion):
            try:
                check(estimator)
            except unittest.SkipTest as skip:
                pytest.fail(f"{check.func.__name__} was skipped: {skip}")


@pytest.mark.parametrize(
    "check", [checks.check_dataframe_column_names_consistency, checks.check_param_validation]
)
@pytest.mark.filterwarnings("ignore:X (has|does not have valid) feature names")
def test_checks_that_the_suite_never_yields(check):
    check("FusionClassifier", FusionClassifier())


class Describer(TransformerMixin, BaseEstimator):
    """Makes three numbers of a clip "voice:0.5", and counts how many it was given."""

    n_described = 0

    def fit(self, X, y=None):
        return self

    def transform(self, X):
        rows = []
        for clip in np.asarray(X, dtype=object).ravel():
            if clip == "broken.wav":
                raise MediaError("broken.wav: expected sound, found noise.")
            number = np.nan if clip == "nan.wav" else float(clip.partition(":")[2])
            rows.append([number, number**2, 1.0 + 0 * number])
        Describer.n_described += len(rows)
        return np.array(rows)

    def get_feature_names_out(self, input_features=None):
        return np.array(["first", "square", "one"], dtype=object)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.requires_fit = False
        return tags


def problem(n_clips=60, seed=0):
    """A table of clips of two modalities, labels, and speakers."""
    rng = np.random.default_rng(seed)
    y = np.array(["angry", "calm", "sad"])[np.arange(n_clips) % 3]
    place = np.array([0.0, 1.2, 2.4])[np.arange(n_clips) % 3]
    X = pd.DataFrame(
        {
            "audio": [f"voice:{v}" for v in rng.normal(place)],
            "video": [f"face:{v}" for v in rng.normal(place, 0.8)],
            "rows": np.arange(n_clips),
        }
    )
    return X, y, np.arange(n_clips) // 3 % 5


def branch(classifier=None):
    return Pipeline(
        [
            ("clips", Describer()),
            ("scale", StandardScaler()),
            ("lda", LinearDiscriminantAnalysis() if classifier is None else classifier),
        ]
    )


def fusion(**params):
    return FusionClassifier([("voice", branch(), "audio"), ("face", branch(), "video")], **params)


def reference(X, y, groups, T, cv):
    """Each modality alone: fitted on all, temperature by the likelihood of held-out clips."""
    product, temperatures = 1, {}
    for name, column in (("voice", "audio"), ("face", "video")):
        A, B = (Describer().transform(part[column]) for part in (X, T))
        model = make_pipeline(StandardScaler(), LinearDiscriminantAnalysis())
        held_out = cross_val_predict(model, A, y, cv=cv, groups=groups, method="predict_proba")
        truth = np.unique(y, return_inverse=True)[1]

        def sharpened(P, temperature):
            Q = P ** (1 / temperature)
            return Q / Q.sum(axis=1, keepdims=True)

        def loss(log_t, held_out=held_out, truth=truth):
            Q = sharpened(held_out, np.exp(log_t))
            return -np.log(Q[np.arange(len(truth)), truth]).sum()

        temperatures[name] = np.exp(minimize_scalar(loss, bounds=(-5, 5), method="bounded").x)
        product = product * sharpened(model.fit(A, y).predict_proba(B), temperatures[name])
    return product / product.sum(axis=1, keepdims=True), temperatures


def test_the_product_of_branches_calibrated_on_other_speakers():
    (X, y, groups), (T, _, _) = problem(), problem(seed=1)
    expected, temperatures = reference(X, y, groups, T, StratifiedGroupKFold(3))
    model = fusion().fit(X, y, groups)
    assert model.temperatures_ == pytest.approx(temperatures, rel=1e-4)
    np.testing.assert_allclose(model.predict_proba(T), expected, atol=1e-5)
    assert list(model.classes_) == ["angry", "calm", "sad"]
    np.testing.assert_array_equal(model.predict(T), model.classes_[expected.argmax(axis=1)])
    np.testing.assert_array_equal(model.feature_names_in_, ["audio", "video"])


@pytest.mark.parametrize(("n_speakers", "cv"), [(2, 3), (3, 2)])
def test_folds_that_train_on_one_speaker_and_folds_by_clip_meet_half_way(n_speakers, cv):
    X, y, _ = problem()
    # Voices differ, which other clips of the same speaker do not show.
    groups = np.arange(60) // 3 % n_speakers
    X["audio"] = [f"voice:{float(v[6:]) + g}" for v, g in zip(X["audio"], groups, strict=True)]
    by_speaker = reference(X, y, groups, X, StratifiedGroupKFold(min(cv, n_speakers)))[1]
    by_clip = reference(X, y, None, X, StratifiedKFold(cv))[1]
    assert by_speaker["voice"] > 1.05 * by_clip["voice"]
    model = fusion(cv=cv).fit(X, y, groups)
    between = {name: np.sqrt(by_speaker[name] * by_clip[name]) for name in by_clip}
    assert model.temperatures_ == pytest.approx(between, rel=1e-4)
    # Whoever gives a splitter has said which clips are left out.
    model = fusion(cv=StratifiedGroupKFold(min(cv, n_speakers))).fit(X, y, groups)
    assert model.temperatures_ == pytest.approx(by_speaker, rel=1e-4)


def test_every_clip_is_described_once_whatever_the_inner_folds():
    X, y, groups = problem()
    Describer.n_described = 0
    model = fusion(cv=5).fit(X, y, groups)
    assert Describer.n_described == 2 * len(X)
    model.predict(X)
    assert Describer.n_described == 4 * len(X)
    fitted = model.named_estimators_["face"]
    assert [name for name, _ in fitted.steps] == ["clips", "scale", "lda"]
    alone = fitted.predict(X["video"])
    by_branch = model.predict_proba_by_branch(X)["face"].argmax(axis=1)
    np.testing.assert_array_equal(alone, by_branch)


@settings(deadline=None, max_examples=10)
@given(st.integers(0, 99))
def test_a_missing_modality_leaves_it_to_the_others(seed):
    X, y, groups = problem()
    model = fusion().fit(X, y, groups)
    T = X.copy()
    rng = np.random.default_rng(seed)
    deaf, blind = rng.random(60) < 0.3, rng.random(60) < 0.3
    blind &= ~deaf
    T.loc[deaf, "audio"] = None
    T.loc[blind, "video"] = "nan.wav"
    both, alone = model.predict_proba(X), model.predict_proba_by_branch(X)
    expected = np.where(deaf[:, None], alone["face"], both)
    expected = np.where(blind[:, None], alone["voice"], expected)
    np.testing.assert_allclose(model.predict_proba(T), expected, atol=1e-4)
    by_branch = model.predict_proba_by_branch(T)
    np.testing.assert_array_equal(np.isnan(by_branch["voice"]).all(axis=1), deaf)
    np.testing.assert_array_equal(np.isnan(by_branch["face"]).all(axis=1), blind)


def test_each_branch_is_trained_on_the_clips_that_have_it():
    X, y, groups = problem()
    holes = X.copy()
    holes.loc[:19, "audio"] = [None, np.nan, "nan.wav", pd.NA] * 5
    model = fusion().fit(holes, y, groups)
    alone = FusionClassifier([("voice", branch(), "audio")]).fit(X[20:], y[20:], groups[20:])
    np.testing.assert_allclose(
        model.predict_proba_by_branch(X)["voice"], alone.predict_proba_by_branch(X)["voice"]
    )
    assert model.temperatures_["voice"] == alone.temperatures_["voice"]


def test_clips_that_raise_are_left_to_the_others_and_named():
    X, y, groups = problem()
    broken = X.copy()
    broken.loc[[0, 7], "audio"] = "broken.wav"
    with pytest.warns(UserWarning, match="2 of 60 clips cannot be used by branch 'voice'.*noise"):
        model = fusion().fit(broken, y, groups)
    lost = X.index.isin([0, 7])
    alone = FusionClassifier([("voice", branch(), "audio")]).fit(X[~lost], y[~lost], groups[~lost])
    with pytest.warns(UserWarning, match="2 of 60"):
        by_branch = model.predict_proba_by_branch(broken)
    np.testing.assert_allclose(by_branch["voice"][~lost], alone.predict_proba(X[~lost]), atol=1e-5)
    assert np.isnan(by_branch["voice"][lost]).all()
    broken.loc[7, "video"] = None
    message = "Row 7 has no modality.* voice: broken.wav: expected sound.* face: there is none"
    with pytest.warns(UserWarning, match="2 of"), pytest.raises(MediaError, match=message):
        model.predict(broken)


def trajectories(y, seed=0):
    rng = np.random.default_rng(seed)
    return [rng.normal(size=(30, 2)) * (1 + 3 * (label == "angry")) for label in y]


def voice(**params):
    """From trajectories to an emotion."""
    clips = ClipPipeline([("statistics", TrajectoryStatistics())], **params)
    flat = FunctionTransformer(np.reshape, kw_args={"shape": (-1, 12)})
    return make_pipeline(clips, flat, StandardScaler(), LinearDiscriminantAnalysis())


def test_clips_that_a_clip_pipeline_left_out_are_named_with_its_reason():
    y = np.array(["calm", "angry"] * 6)
    sounds = trajectories(y)
    model = FusionClassifier([("voice", voice(on_error="nan"), "audio")])
    model.fit({"audio": sounds}, y)
    with pytest.warns(UserWarning, match="1 of 2 clips cannot be used"):  # noqa: SIM117
        with pytest.raises(MediaError, match=r"Row 1 has.* voice: .*NaN or infinity"):
            model.predict({"audio": [sounds[0], np.full((30, 2), np.inf)]})


def test_one_model_takes_tables_lists_and_a_single_clip():
    X, y, groups = problem()
    model = fusion().fit(X, y, groups)
    alone = model.predict_proba_by_branch(X)
    np.testing.assert_allclose(model.predict_proba(X[["audio"]]), alone["voice"], atol=1e-4)
    np.testing.assert_allclose(
        model.predict_proba({"video": list(X["video"])}), alone["face"], atol=1e-4
    )
    twice = model.predict_proba(pd.DataFrame({"audio": ["a:1.0"], "video": ["a:1.0"]}))
    for given_so in (["a:1.0"], "a:1.0", np.array(["a:1.0"], dtype=object), pd.Series(["a:1.0"])):
        np.testing.assert_array_equal(model.predict_proba(given_so), twice)
    with pytest.raises(ValueError, match="columns 'audio' or 'video', found the columns"):
        model.predict(X[["rows"]])
    with pytest.raises(ValueError, match=r"array of shape .2, 2., which has no names"):
        model.predict(np.ones((2, 2)))


def test_order_and_company_change_nothing():
    X, y, groups = problem()
    model = fusion().fit(X, y, groups)
    expected = model.predict_proba(X)
    order = np.random.default_rng(0).permutation(60)
    np.testing.assert_allclose(model.predict_proba(X.iloc[order]), expected[order])
    np.testing.assert_allclose(model.predict_proba(X[5:6]), expected[5:6])
    # Nor does the order of the training clips.
    again = fusion().fit(X.iloc[order], y[order], groups[order])
    np.testing.assert_allclose(again.predict_proba(X), expected, atol=1e-6)


def test_members_of_one_modality_are_a_fusion_within_a_branch():
    X, y, groups = problem()
    members = FusionClassifier(
        [("lda", LinearDiscriminantAnalysis(), EVERYTHING), ("nb", GaussianNB(), EVERYTHING)],
        calibrate=False,
    )
    model = FusionClassifier([("voice", branch(members), "audio")], calibrate=False)
    model.fit(X, y, groups)
    Z = StandardScaler().fit_transform(Describer().transform(X["audio"]))
    product = np.prod(
        [
            np.maximum(member.fit(Z, y).predict_proba(Z), 1e-6)
            for member in (LinearDiscriminantAnalysis(), GaussianNB())
        ],
        axis=0,
    )
    expected = product / product.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(model.predict_proba(X), expected, atol=1e-5)
    assert model.temperatures_ == {"voice": 1.0}
    # Calibrated within, by the same speakers.
    model.set_params(calibrate=True, voice__lda__calibrate=True).fit(X, y, groups)
    assert set(model.named_estimators_["voice"][-1].temperatures_) == {"lda", "nb"}


class Eavesdropper(ClassifierMixin, BaseEstimator):
    """Notes the groups that it is fitted with."""

    heard: list = []

    def fit(self, X, y, groups=None):
        Eavesdropper.heard.append(groups)
        self.classes_ = np.unique(y)
        return self

    def predict_proba(self, X):
        return np.full((len(X), len(self.classes_)), 1 / len(self.classes_))

    def predict(self, X):
        return np.full(len(X), self.classes_[0])


def test_groups_reach_the_steps_that_take_them_and_part_the_inner_folds():
    X, y, groups = problem()
    model = FusionClassifier([("voice", branch(Eavesdropper()), "audio")])
    Eavesdropper.heard = []
    model.fit(X, y, groups)
    *inner, outer = Eavesdropper.heard
    np.testing.assert_array_equal(outer, groups)
    assert len(inner) == 3
    for train in inner:
        tested = np.setdiff1d(groups, train)
        assert len(train) == 60 - np.isin(groups, tested).sum()
    Eavesdropper.heard = []
    model.fit(X, y)
    assert Eavesdropper.heard == [None] * 4
    # By the table's own column.
    named = X.assign(speaker=[f"actor {group}" for group in groups])
    Eavesdropper.heard = []
    model.fit(named, y)
    for heard, by_groups in zip(Eavesdropper.heard, [*inner, outer], strict=True):
        np.testing.assert_array_equal(heard, by_groups)
    model.set_params(speaker=None).fit(named, y)
    assert Eavesdropper.heard[-1] is None


def test_groups_are_routed_without_being_asked_for():
    X, y, groups = problem()
    expected = fusion().fit(X, y, groups).temperatures_
    with config_context(enable_metadata_routing=True):
        asking = Eavesdropper().set_fit_request(groups=True)
        model = FusionClassifier(
            [("voice", branch(), "audio"), ("face", branch(), "video"), ("e", asking, ["rows"])]
        )
        Eavesdropper.heard = []
        result = cross_validate(
            model, X, y, cv=GroupKFold(5), params={"groups": groups}, return_estimator=True
        )
        assert all(heard is not None for heard in Eavesdropper.heard)
        assert len(result["estimator"]) == 5
        fitted = model.fit(X, y, groups=groups).temperatures_
        assert fitted["voice"] == expected["voice"]


def test_the_speaker_goes_along_with_a_modality_and_is_none():
    X, y, groups = problem()
    X["speaker"] = [f"actor {group}" for group in groups]
    first = ColumnTransformer(
        [("voice", Describer(), "audio"), ("speaker", "passthrough", ["speaker"])],
        verbose_feature_names_out=False,
    ).set_output(transform="pandas")
    steps = [("columns", first), ("scale", SpeakerScaler("speaker")), ("nb", GaussianNB())]
    own = FusionClassifier(
        [("voice", Pipeline(steps), ["audio", "speaker"]), ("face", branch(), "video")]
    )
    assert uses_speaker_clips(own)
    assert not uses_speaker_clips(fusion())
    X.loc[[3, 4], "audio"] = [None, "nan.wav"]
    X.loc[5, "speaker"] = None
    Describer.n_described = 0
    own.fit(X, y)
    assert Describer.n_described == 119
    by_branch = own.predict_proba_by_branch(X)
    lost = np.isnan(by_branch["voice"]).all(axis=1)
    assert list(np.flatnonzero(lost)) == [3, 4]
    # As the pipeline does alone, on the clips that have sound.
    alone = Pipeline(steps).fit(X[~lost], y[~lost])
    plain = own.set_params(calibrate=False).fit(X, y).predict_proba_by_branch(X)["voice"]
    np.testing.assert_allclose(plain[~lost], alone.predict_proba(X[~lost]))


def test_branches_are_searched_replaced_and_dropped():
    X, y, groups = problem()
    grid = {"face": [branch(GaussianNB()), "drop"], "voice__lda__solver": ["svd", "lsqr"]}
    search = GridSearchCV(fusion(), grid, cv=GroupKFold(2)).fit(X, y, groups=groups)
    assert set(search.best_params_) == set(grid)
    model = fusion().set_params(face="drop").fit(X, y, groups)
    assert list(model.named_estimators_) == ["voice"]
    only = FusionClassifier([("voice", branch(), "audio")]).fit(X, y, groups)
    np.testing.assert_array_equal(model.predict_proba(X), only.predict_proba(X))
    with pytest.raises(ValueError, match="leave one at least"):
        model.set_params(voice="drop").fit(X, y)
    with pytest.raises(NotFittedError):
        clone(only).predict(X)


def test_decisions_do_where_there_are_no_probabilities():
    X, y, groups = problem()
    model = FusionClassifier([("voice", branch(RidgeClassifier()), "audio")]).fit(X, y, groups)
    probabilities = model.predict_proba(X)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1)
    ridge = branch(RidgeClassifier()).fit(X["audio"], y)
    np.testing.assert_array_equal(model.predict(X), ridge.predict(X["audio"]))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda X, y, g: (X, np.full(60, "sad"), g), "found 1 class: 'sad'"),
        (
            lambda X, y, g: (X.assign(audio=X.audio.where(y != "sad", None)), y, g),
            "Branch 'voice' has no clip of class 'sad'",
        ),
        (lambda X, y, g: (X.assign(audio=None), y, g), "Branch 'voice' has no clip"),
        (lambda X, y, g: (X, [None, *y[1:]], g), "a label for every clip, found none in row 0"),
        (lambda X, y, g: (X, y[:9], g), "inconsistent numbers of samples"),
        (lambda X, y, g: (X, y, g[:9]), "inconsistent numbers of samples"),
    ],
)
def test_what_cannot_be_fitted_is_refused(change, message):
    X, y, groups = change(*problem())
    with pytest.raises(ValueError, match=message):
        fusion().fit(X, y, groups)


def test_branches_without_columns_are_refused():
    with pytest.raises(ValueError, match=r"must be a list of \(name, estimator, columns\), such"):
        FusionClassifier([("a", branch())]).fit(*problem()[:2])


def test_names_and_positions_are_not_mixed():
    mixed = FusionClassifier([("a", branch(), "audio"), ("b", branch(), 1)])
    with pytest.raises(ValueError, match="not mixed"):
        mixed.fit(*problem()[:2])


def test_saved_and_pickled_models_answer_the_same(tmp_path):
    y = np.array(["calm", "angry"] * 6)
    X = {"audio": trajectories(y)}
    model = FusionClassifier([("voice", voice(), "audio")]).fit(X, y, np.arange(12) // 3)
    expected = model.predict_proba(X)
    again = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(again.predict_proba(X), expected)
    save_model(model, tmp_path / "model.skops")
    trusted = [
        "numpy.reshape",
        "skemotion.classification._fusion.FusionClassifier",
        "sklearn.calibration._TemperatureScaling",
    ]
    loaded = load_model(tmp_path / "model.skops", trusted=trusted)
    np.testing.assert_array_equal(loaded.predict_proba(X), expected)


def test_enrolled_speakers_are_known_to_every_branch():
    X, y, groups = problem()
    X["speaker"] = [f"actor {group}" for group in groups]
    first = ColumnTransformer(
        [("clips", Describer(), "audio"), ("speaker", "passthrough", ["speaker"])]
    )
    steps = [("columns", first), ("scale", SpeakerScaler(-1)), ("nb", GaussianNB())]
    model = FusionClassifier(
        [("voice", Pipeline(steps), ["audio", "speaker"]), ("face", branch(), "video")]
    ).fit(X, y)
    new, _, _ = problem(seed=1)
    new["speaker"] = "new"
    in_company = model.predict_proba(new)
    assert not np.allclose(model.predict_proba(new[:1]), in_company[:1])
    new.loc[0, "audio"] = None
    model.enroll(new)
    assert model.named_estimators_["voice"]["scale"].enrolled_["new"][0] == 59
    alone = [model.predict_proba(new[row : row + 1]) for row in range(60)]
    np.testing.assert_allclose(np.concatenate(alone), model.predict_proba(new))
    with pytest.raises(ValueError, match="nobody can be enrolled"):
        fusion().fit(X, y).enroll(new)


@pytest.mark.parametrize("n_speakers", [1, 2])
def test_two_clips_of_each_class_are_enough_even_for_members_of_members(n_speakers):
    # As the default recipe classifies faces: scaled, two members, within a fusion of modalities.
    members = [("lda", BalancedLDA(0.3), slice(None)), ("lr", LogisticRegression(), slice(None))]
    inner = make_pipeline(StandardScaler(), FusionClassifier(members))
    model = FusionClassifier([("face", inner, slice(None)), ("voice", inner, slice(None))])
    y = np.tile(np.arange(6), 2 * n_speakers)
    X = np.random.default_rng(0).normal(size=(len(y), 8)) + y[:, np.newaxis]
    with warnings.catch_warnings(record=True, action="always") as caught:
        model.fit(X, y, np.repeat(np.arange(n_speakers), 12))
    # Of the two speakers each can be left out: that members then see one is no concern of the user.
    branches = [str(w.message).split()[1] for w in caught if "not calibrated" in str(w.message)]
    assert branches == (["'face'", "'voice'"] if n_speakers == 1 else [])
    assert len(caught) == len(branches)
    assert (model.predict(X) == y).mean() > 0.8
    np.testing.assert_allclose(model.predict_proba(X).sum(axis=1), 1)


def test_speakers_that_cannot_be_left_out_are_calibrated_by_clips():
    rng = np.random.default_rng(0)
    y = np.tile([0, 1], 12)
    X = rng.normal(size=(24, 2)) + y[:, np.newaxis]
    model = FusionClassifier()
    # A class that only one speaker has is no better.
    for speakers, words in ((np.zeros(24), "1 speaker "), (y, "2 speakers ")):
        with pytest.warns(UserWarning, match=f"24 clips of {words}cannot be split .* Add speakers"):
            model.fit(X, y, speakers)
    assert model.temperatures_ == FusionClassifier().fit(X, y).temperatures_


@pytest.mark.parametrize("classifier", [LogisticRegression(), GaussianNB()])
@pytest.mark.parametrize("n_classes", [2, 3])
def test_too_few_clips_to_calibrate_leave_a_temperature_of_1(classifier, n_classes):
    y = np.array([0, 0, 0, 1, 1, 2])[: 3 + n_classes - (n_classes == 2)]
    X = np.array([[0.0], [1.0], [2.0], [4.0], [5.0], [9.0]])[: len(y)]
    members = [("one", classifier, slice(None))]
    model = FusionClassifier(members)
    words = f"{len(y)} clips, 1 of the rarest class, are too few .* 3 or more"
    with pytest.warns(UserWarning, match=words):
        model.fit(X, y)
    plain = FusionClassifier(members, calibrate=False).fit(X, y)
    assert model.temperatures_ == {"one": pytest.approx(1)}
    np.testing.assert_allclose(model.predict_proba(X), plain.predict_proba(X), rtol=1e-6, atol=1e-9)
    assert type(model.named_estimators_["one"]) is type(plain.named_estimators_["one"])


def test_a_temperature_is_of_the_classifiers_own_probabilities_also_of_two_classes():
    rng = np.random.default_rng(0)
    y = np.tile([0, 1], 500)
    X = rng.normal(size=(1000, 1)) + 1.5 * y[:, np.newaxis]
    # Calibrated as it is.
    assert FusionClassifier().fit(X, y).temperatures_["all"] == pytest.approx(1, abs=0.1)


def test_a_splitter_whose_training_clips_lack_a_class():
    cv = GroupKFold(2)
    y = np.repeat([0, 1], 4)
    X = np.arange(8.0)[:, np.newaxis]
    with pytest.raises(ValueError, match="training clips of an inner fold lack a class"):
        FusionClassifier(cv=cv).fit(X, y, y)
