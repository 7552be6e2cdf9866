"""Explanations: they add up, find what was put there, and refuse what cannot be explained."""

import itertools
import os
import signal

import numpy as np
import pandas as pd
import pytest
from sklearn.calibration import CalibratedClassifierCV
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.ensemble import RandomForestClassifier
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression, RidgeClassifier
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skemotion import MediaError
from skemotion.base import ClipTransformer
from skemotion.classification import FusionClassifier
from skemotion.inspection import explain
from skemotion.inspection._shapley import owen_values
from skemotion.pipeline import ClipPipeline
from skemotion.preprocessing import SpeakerScaler

SOUND = ["pitch_mean", "pitch_std", "loudness_mean", "jitter_mean"]
FACE = ["lid-opening_mean", "mouth-width_mean", "mouthSmileLeft_mean", "mouthSmileRight_mean"]


class Given(ClipTransformer):
    """A stage whose clips are their descriptions."""

    def __init__(self, names=()):
        self.names = names

    def transform_clip(self, clip):
        if clip.min() < -900:
            os.kill(os.getpid(), signal.SIGSEGV)
        if clip.min() < -90:
            raise MediaError("a damaged clip")
        return clip

    def name_values(self, input_features):
        return self.names


def clips_of(rng, y, column):
    values = rng.normal(size=(len(y), 4))
    values[:, column] += 2 * (y == "happy") - 2 * (y == "sad")
    return [*values]


@pytest.fixture(scope="module")
def corpus():
    """Clips of which pitch and smile say the emotion."""
    rng = np.random.default_rng(0)
    y = np.array(["calm", "happy", "sad"] * 30)
    X = pd.DataFrame({"audio": clips_of(rng, y, 0), "video": clips_of(rng, y, 2)})
    return X.assign(speaker=np.tile(["a", "b"], 45)), y


def described(names, *steps, **settings):
    clips = ClipPipeline([("given", Given(names))], flatten=True, **settings)
    return make_pipeline(clips, *steps)


def branches(classifier):
    return [
        ("audio", described(SOUND, StandardScaler(), classifier, on_error="nan"), "audio"),
        ("video", described(FACE, classifier, on_error="nan"), "video"),
    ]


@pytest.fixture(scope="module")
def fusion(corpus):
    X, y = corpus
    return FusionClassifier(branches(LinearDiscriminantAnalysis())).fit(X, y)


def test_effects_add_up_to_the_distance_from_the_average_clip(corpus, fusion):
    X, _ = corpus
    row = X.iloc[[4]]
    explanation = explain(fusion, row)
    [probabilities] = fusion.predict_proba(row)
    assert explanation.label_ == explanation.target == fusion.predict(row)[0]
    np.testing.assert_allclose(explanation.probabilities, probabilities)
    assert (probabilities > fusion.least_probability).all()
    place = list(fusion.classes_).index(explanation.target)
    log_odds = np.log(probabilities[place] / (1 - probabilities[place]))
    assert explanation.score == pytest.approx(log_odds)
    distance = explanation.score - explanation.average_score
    for effects in (explanation.modalities, explanation.parts.effect, explanation.details.effect):
        assert effects.sum() == pytest.approx(distance)
    assert explanation.shares.abs().sum() == pytest.approx(1)
    assert explanation.to_frame().effect.sum() == pytest.approx(distance)
    # The average clip is the mean of the training clips.
    mean = {name: [np.mean(list(X[name]), axis=0)] for name in ("audio", "video")}
    np.testing.assert_allclose(explanation.average_probabilities, fusion.predict_proba(mean)[0])


def test_what_says_the_emotion_comes_out_on_top(corpus, fusion):
    X, y = corpus
    for row in np.flatnonzero(y != "calm")[:6]:
        explanation = explain(fusion, X.iloc[[row]], target=y[row])
        top = explanation.parts.head(2)
        assert set(zip(top.modality, top.part, strict=True)) == {
            ("audio", "pitch"),
            ("video", "mouth"),
        }
        measures = explanation.details.loc[lambda d: d.modality == "video", "measure"]
        assert measures.iloc[0] == "lip corners pulled up"


def test_certain_branches_are_moved_nonetheless(corpus):
    """Where probabilities are 0 and 1, log-odds are those of logits that are made smaller."""
    X, _ = corpus
    X = X.assign(audio=pd.Series([clip * [9, 1, 1, 1] for clip in X.audio]))
    y = np.where([clip[0] > 0 for clip in X.audio], "happy", "sad")
    model = FusionClassifier([branches(LogisticRegression(C=1e6))[0]]).fit(X, y)
    row = X.iloc[[int(np.argmax([clip[0] for clip in X.audio]))]]
    explanation = explain(model, row)
    np.testing.assert_allclose(explanation.probabilities, [1, 0], atol=1e-5)
    branch = model.named_estimators_["audio"]
    values = np.stack([row.audio.iloc[0], np.mean(list(X.audio), axis=0)])
    logits = branch[1:].decision_function(values) / model.temperatures_["audio"]
    # The second class is "sad".
    found = np.array([explanation.score, explanation.average_score])
    np.testing.assert_allclose(explanation.softened * found, -logits, rtol=1e-6)
    assert 13 < abs(found).max() < 13.8
    assert explanation.parts.part[0] == "pitch"
    assert explanation.parts.effect[0] == pytest.approx(found[0] - found[1], rel=0.2)
    # The model is as certain as before.
    assert explain(model, row).softened == explanation.softened


def test_models_that_rule_classes_out_are_explained_nonetheless(corpus):
    X, _ = corpus
    clips = [np.float32(clip * [9, 1, 1, 1]) for clip in X.audio]
    y = np.array(["happy" if clip[0] > 0 else "sad" for clip in clips])
    row = int(np.argmax([clip[0] for clip in clips]))
    certain = described(SOUND, StandardScaler(), LogisticRegression(C=1e6)).fit(clips, y)
    certain[-1].coef_ *= 1000  # probabilities of 0 and 1, to the last digit
    explanation = explain(certain, clips[row])
    np.testing.assert_array_equal(explanation.probabilities, [1, 0])
    assert explanation.unit == "decision"
    # The second class is "sad".
    assert explanation.score == pytest.approx(-certain.decision_function([clips[row]])[0])
    assert explanation.parts.part[0] == "pitch"
    forest = RandomForestClassifier(20, random_state=0)
    explanation = explain(described(SOUND, StandardScaler(), forest).fit(clips, y), clips[row])
    assert explanation.unit == "log-odds"
    assert explanation.probabilities["sad"] == 0
    assert explanation.score == pytest.approx(13.8)
    assert explanation.parts.part[0] == "pitch"
    assert explanation.parts.effect.sum() == pytest.approx(
        explanation.score - explanation.average_score
    )


def test_parts_say_how_many_values_they_have(corpus, fusion):
    X, _ = corpus
    explanation = explain(fusion, X.iloc[[4]])
    sizes = explanation.parts.set_index(["modality", "part"])["n_values"]
    assert sizes.to_dict() == {
        ("audio", "pitch"): 2, ("audio", "loudness"): 1, ("audio", "voice quality"): 1,
        ("video", "eyes"): 1, ("video", "mouth"): 3,
    }  # fmt: skip
    of_measures = explanation.details.set_index("measure")["n_values"]
    assert of_measures["lip corners pulled up"] == 2
    assert explanation.to_frame().n_values.sum() == 8


def test_left_out_modalities(corpus, fusion):
    X, _ = corpus
    silent = X.iloc[[1]].assign(audio=None)
    damaged = X.iloc[[1]].assign(audio=pd.Series([np.full(4, -99.0)], index=[1]))
    expected = explain(fusion, silent)
    assert list(expected.modalities.index) == ["video"]
    pd.testing.assert_frame_equal(explain(fusion, damaged).details, expected.details)
    with pytest.raises(MediaError, match="no modality"):
        explain(fusion, silent.assign(video=None))


def test_a_clip_that_crashes_a_step_is_an_error_that_names_it(corpus, fusion):
    X, _ = corpus
    deadly = X.iloc[[1]].assign(audio=pd.Series([np.full(4, -999.0)], index=[1]))
    with pytest.raises(MediaError, match=r"crashes .*\(SIGSEGV\)"):
        explain(fusion, deadly)


def test_one_clip_is_given_in_any_form(corpus, fusion):
    X, _ = corpus
    row = X.iloc[[7]]
    expected = explain(fusion, row).details
    pd.testing.assert_frame_equal(explain(fusion, X.iloc[7]).details, expected)
    pd.testing.assert_frame_equal(explain(fusion, row.to_dict("records")[0]).details, expected)
    alone = described(SOUND, StandardScaler(), LogisticRegression())
    alone.fit(list(X.audio), corpus[1])
    assert list(explain(alone, X.audio[7]).modalities.index) == ["clip"]
    with pytest.raises(ValueError, match="one clip, got a table of 2 rows"):
        explain(fusion, X.iloc[:2])


def test_speakers_clip_is_scaled_as_on_its_own(corpus):
    X, y = corpus
    from sklearn.compose import ColumnTransformer

    clips = ClipPipeline([("given", Given(SOUND))], flatten=True)
    columns = ColumnTransformer(
        [("clips", clips, "audio"), ("speaker", "passthrough", ["speaker"])],
        verbose_feature_names_out=False,
    ).set_output(transform="pandas")
    branch = make_pipeline(columns, SpeakerScaler("speaker"), LinearDiscriminantAnalysis())
    model = FusionClassifier([("audio", branch, ["audio", "speaker"])]).fit(X, y)
    row = X.iloc[[1]]
    explanation = explain(model, row)
    np.testing.assert_allclose(explanation.probabilities, model.predict_proba(row)[0])
    assert explanation.parts.part[0] == "pitch"
    model.enroll(X[X.speaker == "a"])
    enrolled = explain(model, X.iloc[[2]])
    np.testing.assert_allclose(enrolled.probabilities, model.predict_proba(X.iloc[[2]])[0])


def test_models_without_probabilities_or_means(corpus):
    X, y = corpus
    clips = list(X.audio)
    margin = described(SOUND, StandardScaler(), RidgeClassifier()).fit(clips, y)
    explanation = explain(margin, clips[1])
    assert explanation.unit == "decision"
    assert explanation.probabilities is None
    assert explanation.score == pytest.approx(margin.decision_function([clips[1]]).max())
    assert explanation.parts.part[0] == "pitch"
    two = described(SOUND, StandardScaler(), RidgeClassifier()).fit(clips, y == "sad")
    assert explain(two, clips[2]).score == pytest.approx(two.decision_function([clips[2]])[0])
    assert explain(two, clips[2], target=False).score == -explain(two, clips[2]).score
    bare = described(SOUND, KNeighborsClassifier()).fit(clips, y)
    with pytest.raises(ValueError, match="pass clips as background"):
        explain(bare, clips[1])
    explanation = explain(bare, clips[1], background=clips[:30])
    assert explanation.parts.part[0] == "pitch"


def test_a_calibrated_model_is_explained_by_what_it_calibrates(corpus):
    X, y = corpus
    clips = list(X.audio)
    margin = described(SOUND, StandardScaler(), RidgeClassifier())
    model = CalibratedClassifierCV(margin, cv=2, ensemble=False).fit(clips, y)
    explanation = explain(model, clips[1])
    np.testing.assert_allclose(explanation.probabilities, model.predict_proba([clips[1]])[0])
    assert explanation.parts.part[0] == "pitch"
    with pytest.raises(TypeError, match=r"CalibratedClassifierCV of 2: fit it with ensemble=False"):
        explain(CalibratedClassifierCV(margin, cv=2).fit(clips, y), clips[1])
    # Of what is described once, as many may be calibrated as there are.
    inner = CalibratedClassifierCV(RidgeClassifier(), cv=2)
    several = described(SOUND, StandardScaler(), inner).fit(clips, y)
    assert explain(several, clips[1]).parts.part[0] == "pitch"


def test_what_cannot_be_explained(corpus, fusion):
    X, y = corpus
    with pytest.raises(NotFittedError):
        explain(FusionClassifier(branches(LinearDiscriminantAnalysis())), X.iloc[[0]])
    with pytest.raises(TypeError, match="without one"):
        explain(LogisticRegression().fit(np.stack(list(X.audio)), y), X.audio[0])
    with pytest.raises(TypeError, match="predict_proba or decision_function"):
        explain(described(SOUND, StandardScaler()).fit(list(X.audio)), X.audio[0])
    with pytest.raises(ValueError, match=r"one of \['calm', 'happy', 'sad'\], got 'joy'"):
        explain(fusion, X.iloc[[0]], target="joy")


def shapley(ask, n_inputs, groups):
    """Average over all orders in which groups stay together."""
    effects, n_orders = np.zeros(n_inputs), 0
    for order in itertools.permutations(range(n_inputs)):
        if sum(a != b for a, b in itertools.pairwise(groups[i] for i in order)) >= len(set(groups)):
            continue
        shown = np.zeros(n_inputs, dtype=bool)
        for i in order:
            before = ask(shown[np.newaxis])[0]
            shown[i] = True
            effects[i] += ask(shown[np.newaxis])[0] - before
        n_orders += 1
    return effects / n_orders


def test_shares_of_an_effect():
    weights = np.array([1.0, -2.0, 0.5, 3.0])

    def ask(shown):
        return shown @ weights + 4 * (shown[:, 0] & shown[:, 3]) - (shown[:, 1] & shown[:, 2])

    groups = [0, 0, 1, 1]
    effects = owen_values(ask, groups, 2, np.random.RandomState(0))
    # An order and its reverse share out between two what both make together.
    np.testing.assert_allclose(effects, shapley(ask, 4, groups))
    np.testing.assert_allclose(effects, [3.0, -2.5, 0.0, 5.0])
