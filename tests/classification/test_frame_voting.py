import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.ensemble import VotingClassifier
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, LeaveOneGroupOut, cross_val_predict
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC, LinearSVC

from skemotion import load_model, save_model
from skemotion.classification import FrameVotingClassifier
from skemotion.datasets import load_corpus
from skemotion.pipeline import ClipPipeline
from skemotion.video import FrameHOG, VideoLoader

CLASSIFIERS = [
    GaussianNB(),
    LinearDiscriminantAnalysis(),
    SVC(kernel="linear"),
    SVC(),
    make_pipeline(StandardScaler(), LinearSVC(random_state=0)),
    VotingClassifier([("bayes", GaussianNB()), ("svm", SVC())]),
]
PROBABLE, DECIDED = CLASSIFIERS[:2], CLASSIFIERS[2:5]


def problem(n_classes, n_clips=24, seed=0):
    """Clips of one to five frames around their class' place; some frames lie at another's."""
    rng = np.random.default_rng(seed)
    y = np.array(["angry", "calm", "sad"])[np.arange(n_clips) % n_classes]
    places = {"angry": (0, 0, 0), "calm": (3, 0, 0), "sad": (0, 3, 0)}
    clips = [rng.normal(places[label], 1.2, (rng.integers(1, 6), 3)) for label in y]
    return clips, y


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("classifier", CLASSIFIERS, ids=lambda c: type(c).__name__)
def test_equals_the_loop_over_clips(classifier, n_classes):
    clips, y = problem(n_classes)
    model = FrameVotingClassifier(classifier).fit(clips, y)
    rows = np.concatenate([[label] * len(clip) for clip, label in zip(clips, y, strict=True)])
    by_frame = clone(classifier).fit(np.concatenate(clips), rows)
    np.testing.assert_array_equal(model.classes_, np.unique(y))
    got = model.predict(clips)
    for at, clip in enumerate(clips):
        if classifier in PROBABLE:
            votes = by_frame.predict_proba(clip).mean(axis=0)
            np.testing.assert_allclose(model.predict_proba(clips)[at], votes)
        elif classifier in DECIDED:
            votes = by_frame.decision_function(clip).mean(axis=0)
            np.testing.assert_allclose(model.decision_function(clips)[at], votes)
            votes = [-votes, votes] if n_classes == 2 else votes
        else:
            votes = [(by_frame.predict(clip) == label).sum() for label in model.classes_]
        assert got[at] == model.classes_[np.argmax(votes)]
    assert hasattr(model, "predict_proba") == (classifier in PROBABLE)
    assert hasattr(model, "decision_function") == (classifier in DECIDED)


def test_frames_outvote_one_that_is_off():
    clips, y = problem(2, n_clips=60)
    model = FrameVotingClassifier().fit(clips, y)
    assert isinstance(model.estimator_, GaussianNB)
    many = [np.repeat(clip[:1], 5, axis=0) for clip in clips[:2]]
    many[0][0] = clips[1][0]
    np.testing.assert_array_equal(model.predict(many), ["angry", "calm"])


@settings(deadline=None, max_examples=25)
@given(st.permutations(range(12)), st.integers(1, 12), st.integers(0, 2**32 - 1))
def test_a_clip_does_not_depend_on_its_neighbours_or_the_order_of_its_frames(order, n, seed):
    clips, y = problem(3, n_clips=24, seed=0)
    model = FrameVotingClassifier().fit(clips, y)
    expected = model.predict_proba(clips)
    rng = np.random.default_rng(seed)
    chosen = list(order)[:n]
    shuffled = [rng.permutation(clips[row]) for row in chosen]
    np.testing.assert_allclose(model.predict_proba(shuffled), expected[chosen], atol=1e-12)


def test_columns_arrays_and_tables_are_the_same_clips():
    frames = np.random.default_rng(0).normal(size=(20, 4, 3))
    y = np.arange(20) % 2
    frames[y == 1] += 1
    array, column = (FrameVotingClassifier().fit(X, y) for X in (frames, list(frames)))
    series = pd.Series(list(frames))
    np.testing.assert_array_equal(array.predict_proba(frames), column.predict_proba(series))
    table = FrameVotingClassifier().fit(frames[:, 0], y)
    alone = FrameVotingClassifier().fit(frames[:, :1], y)
    np.testing.assert_array_equal(
        table.predict_proba(frames[:, 0]), alone.predict_proba(frames[:, :1])
    )
    np.testing.assert_array_equal(
        table.predict_proba(frames[:, 0]),
        GaussianNB().fit(frames[:, 0], y).predict_proba(frames[:, 0]),
    )


def test_is_searched_from_outside():
    clips, y = problem(2)
    search = GridSearchCV(FrameVotingClassifier(SVC()), {"estimator__C": [1e-9, 1]}, cv=3)
    column = np.empty(len(clips), dtype=object)
    column[:] = clips
    search.fit(column, y)
    assert search.best_params_ == {"estimator__C": 1}


def test_refitting_with_another_classifier_changes_how_frames_vote():
    clips, y = problem(3)
    model = FrameVotingClassifier(SVC()).fit(clips, y)
    model.set_params(estimator=LogisticRegression())
    assert hasattr(model, "decision_function")  # of what is fitted
    model.fit(clips, y)
    assert hasattr(model, "predict_proba")
    assert not hasattr(model, "decision_function")


@pytest.mark.parametrize("classifier", CLASSIFIERS, ids=lambda c: type(c).__name__)
def test_a_saved_model_predicts_the_same(classifier, tmp_path):
    rng = np.random.default_rng(0)
    clips = [rng.integers(0, 256, (n, 32, 32), dtype=np.uint8) for n in (5, 9, 4, 8, 7, 6)]
    frames = ClipPipeline([("load", VideoLoader(size=(16, 16), stride=3)), ("hog", FrameHOG())])
    model = make_pipeline(frames, FrameVotingClassifier(classifier))
    model.fit(clips, ["calm", "angry"] * 3)
    path = save_model(model, tmp_path / "frames.skops")
    loaded = load_model(path, trusted=["sklearn.svm._classes.SVC"])
    np.testing.assert_array_equal(loaded.predict(clips), model.predict(clips))


@pytest.mark.parametrize(
    ("X", "message"),
    [
        (np.zeros((2, 3, 4, 5)), "clips of shape"),
        ([np.zeros((2, 3)), np.zeros((2, 4))], "3 values in every frame, found 4 in row 1"),
        ([np.zeros((2, 3)), np.zeros((0, 3))], r"shape \(0, 3\).* in row 1"),
        ([np.zeros((2, 3)), np.full((2, 3), np.nan)], "NaN or infinity in row 1"),
        (["a.mp4", "b.mp4"], "such as FrameHOG makes; found 'a.mp4' in row 0"),
        ([np.zeros((2, 3))] * 3, "inconsistent numbers of samples"),
    ],
)
def test_refuses(X, message):
    with pytest.raises(ValueError, match=message):
        FrameVotingClassifier().fit(X, ["angry", "calm"])


def test_refuses_other_frames_than_at_fit():
    clips, y = problem(2)
    model = FrameVotingClassifier().fit(clips, y)
    with pytest.raises(ValueError, match="3 values in every frame, found 2 in row 0"):
        model.predict([np.zeros((4, 2))])


def test_refuses_decisions_between_pairs_of_classes():
    clips, y = problem(3)
    pairwise = make_pipeline(StandardScaler(), SVC(decision_function_shape="ovo"))
    with pytest.raises(ValueError, match="Set svc__decision_function_shape='ovr'"):
        FrameVotingClassifier(pairwise).fit(clips, y)
    two = y != "sad"
    FrameVotingClassifier(pairwise).fit([c for c, k in zip(clips, two, strict=True) if k], y[two])


def test_needs_a_fit_and_a_classifier():
    with pytest.raises(NotFittedError):
        FrameVotingClassifier().predict([np.zeros((2, 3))])
    with pytest.raises(ValueError, match="'estimator' parameter"):
        FrameVotingClassifier(StandardScaler()).fit([np.zeros((2, 3))] * 2, [0, 1])
    assert not hasattr(FrameVotingClassifier(SVC()), "predict_proba")
    assert hasattr(FrameVotingClassifier(), "predict_proba")


def test_two_emotions_of_real_clips(shared_data):
    corpus = load_corpus(shared_data / "java-sed", naming="java-sed")
    two = np.isin(corpus.target, ["neutral", "angry"]) & (corpus.groups <= 2)
    clips, y, actors = corpus.data["video"][two], corpus.target[two], corpus.groups[two]
    assert len(y) == 16
    load = VideoLoader(size=(224, 224), stride=20)
    frames = ClipPipeline([("load", load), ("hog", FrameHOG())]).fit_transform(clips)
    assert len({len(clip) for clip in frames}) > 1  # as the clips differ in length
    model = FrameVotingClassifier(LinearDiscriminantAnalysis())
    unseen = cross_val_predict(model, frames, y, groups=actors, cv=LeaveOneGroupOut())
    assert set(unseen) <= {"neutral", "angry"}
    # What it has seen it knows by heart; of other people it knows little.
    assert model.fit(frames, y).score(frames, y) > np.mean(unseen == y)
