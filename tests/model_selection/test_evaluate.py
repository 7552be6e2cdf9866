import numpy as np
import pandas as pd
import pytest
from sklearn import config_context
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.metrics import accuracy_score
from sklearn.model_selection import GroupKFold, cross_val_predict
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from threadpoolctl import threadpool_info, threadpool_limits

from skemotion.model_selection import PROTOCOLS, evaluate
from skemotion.pipeline import make_emotion_pipeline
from skemotion.video import HOG3D


class Spy(ClassifierMixin, BaseEstimator):
    """Notes which rows it is trained and tested on, and tells back the row's first column."""

    seen: list[tuple[str, list[int]]] = []

    def fit(self, X, y):
        self.classes_ = np.unique(y)
        Spy.seen.append(("fit", sorted(X[:, 0])))
        assert len(X) == len(y)
        return self

    def predict(self, X):
        Spy.seen.append(("predict", sorted(X[:, 0])))
        return np.where(X[:, 0] % 2, "angry", "calm")


def rows(n_actors, n_clips):
    groups = np.repeat(np.arange(n_actors) * 10, n_clips)
    X = np.arange(len(groups))[:, np.newaxis]
    return X, np.where(X[:, 0] % 2, "angry", "calm"), groups


class Threads(Spy):
    """Notes how many threads BLAS has."""

    def fit(self, X, y):
        libraries = threadpool_info()
        Spy.seen += [lib["num_threads"] for lib in libraries if lib["user_api"] == "blas"]
        return super().fit(X, y)


@pytest.mark.parametrize("n_jobs", [None, 1, 2])
def test_one_thread_of_blas_whatever_the_workers(n_jobs):
    Spy.seen = []
    X, y, groups = rows(3, 4)
    with threadpool_limits(2, user_api="blas"):
        evaluate(Threads(), X, y, groups, n_jobs=n_jobs)
    threads = [n for n in Spy.seen if isinstance(n, int)]
    assert threads
    assert set(threads) == {1}


@pytest.mark.parametrize(("n_actors", "n_folds"), [(2, 2), (5, 5), (12, 12), (24, 12)])
def test_actors_are_disjoint(n_actors, n_folds):
    X, y, groups = rows(n_actors, 6)
    Spy.seen = []
    (result,) = evaluate(Spy(), X, y, groups, protocols=("speaker-independent",))
    tested = []
    for (first, train), (second, test) in zip(Spy.seen[::2], Spy.seen[1::2], strict=True):
        assert (first, second) == ("fit", "predict")
        assert not set(groups[train]) & set(groups[test])
        assert sorted(train + test) == list(range(len(X)))
        tested += test
    assert sorted(tested) == list(range(len(X)))
    assert result.n_splits == n_folds == len(Spy.seen) // 2
    assert (result.n_clips, result.n_groups) == (len(X), n_actors)
    # Whose clip it is and what it was stay beside what was said of it.
    assert result.accuracy == 1
    assert sorted(result.groups) == sorted(groups)


class Grouped(Spy):
    """Wants to know who is who."""

    def fit(self, X, y, groups=None):
        assert len(groups) == len(X)
        assert (groups == X[:, 0] // 6 * 10).all()
        return super().fit(X, y)


@pytest.mark.parametrize("n_jobs", [None, 2])
def test_groups_go_to_those_who_ask_for_them(n_jobs):
    X, y, groups = rows(3, 6)
    with config_context(enable_metadata_routing=True):
        model = make_pipeline(FunctionTransformer(), Grouped().set_fit_request(groups=True))
        results = evaluate(model, X, y, groups, n_jobs=n_jobs)
    assert [result.accuracy for result in results] == [1, 1]


def test_splits_are_audited():
    X, y, groups = rows(3, 6)
    metadata = pd.DataFrame({"actor": groups, "statement": np.arange(18) % 2})
    same, disjoint = evaluate(Spy(), X, y, groups, metadata=metadata)
    assert [leak.kind for leak in same.leaks] == ["actor", "sentence"]
    assert [leak.kind for leak in disjoint.leaks] == ["sentence"]
    assert "  LEAK: The same actors are in training" in str(same)
    assert "LEAK" not in str(disjoint)
    assert "  note: The same sentences are" in str(disjoint)
    assert evaluate(Spy(), X, y, groups)[0].leaks == ()


def test_speaker_dependent_trains_on_two_thirds_of_each():
    X, y, groups = rows(4, 60)
    Spy.seen = []
    (result,) = evaluate(Spy(), X, y, groups, protocols=("speaker-dependent",))
    assert result.n_splits == 5
    assert len(Spy.seen) == 10
    for (_, train), (_, test) in zip(Spy.seen[::2], Spy.seen[1::2], strict=True):
        assert not set(train) & set(test)
        for actor in set(groups):
            assert (groups[train] == actor).sum() == 40
            assert (groups[test] == actor).sum() == 20
    assert len(result.target) == 5 * 80


def test_both_protocols_in_order_and_the_same_each_time():
    rng = np.random.default_rng(0)
    X, y, groups = rng.normal(size=(48, 3)), rng.choice(["a", "b", "c"], 48), np.arange(48) % 4
    model = KNeighborsClassifier(3)
    first, second = (evaluate(model, X, y, groups) for _ in range(2))
    assert tuple(result.protocol for result in first) == PROTOCOLS
    assert list(map(str, first)) == list(map(str, second))
    other = evaluate(model, X, y, groups, random_state=1)
    assert str(other[0]) != str(first[0])
    assert str(other[1]) == str(first[1])
    assert not hasattr(model, "classes_")
    # The order is that of the emotions' first appearance.
    assert first[0].labels == list(dict.fromkeys(y.tolist()))
    expected = cross_val_predict(model, X, y, groups=groups, cv=GroupKFold(4))
    assert first[1].accuracy == pytest.approx(accuracy_score(y, expected))


def test_pandas_columns_and_workers():
    rng = np.random.default_rng(0)
    X = pd.DataFrame(rng.normal(size=(24, 3)), columns=list("abc"), index=range(50, 74))
    y, groups = pd.Series(rng.choice(["a", "b"], 24)), pd.Series(np.arange(24) % 3)
    one = evaluate(KNeighborsClassifier(1), X, y, groups)
    plain = evaluate(KNeighborsClassifier(1), X.to_numpy(), y.tolist(), groups.tolist(), n_jobs=1)
    assert list(map(str, one)) == list(map(str, plain))


def test_clip_stages_run_once_a_clip(monkeypatch):
    rng = np.random.default_rng(0)
    clips = [rng.integers(0, 256, (5, 24, 30), dtype=np.uint8) for _ in range(12)]
    X, y, groups = pd.DataFrame({"video": clips}), np.tile(["a", "b"], 6), np.repeat([1, 2, 3], 4)
    calls = []
    described = HOG3D.transform
    monkeypatch.setattr(HOG3D, "transform", lambda self, X: calls.append(1) or described(self, X))
    model = make_emotion_pipeline("video").set_params(
        features__video__clips__load__scale=1,
        features__video__clips__load__n_frames=5,
        features__video__tucker__ranks=(1, 2, 2, None, 1),
        classifier=KNeighborsClassifier(1),
    )
    results = evaluate(model, X, y, groups)
    assert len(calls) == 12
    predicted = cross_val_predict(model, X, y, groups=groups, cv=GroupKFold(3))
    assert results[1].accuracy == pytest.approx(accuracy_score(y, predicted))


def test_what_cannot_be_told():
    X, y, groups = rows(2, 6)
    with pytest.raises(ValueError, match=r"at least two emotions, found only \['calm'\]"):
        evaluate(Spy(), X[::2], y[::2], groups[::2])
    with pytest.raises(ValueError, match="at least two actors, found one"):
        evaluate(Spy(), X[:6], y[:6], groups[:6])
    (alone,) = evaluate(Spy(), X[:6], y[:6], groups[:6], protocols=("speaker-dependent",))
    assert alone.n_groups == 1
    with pytest.raises(ValueError, match=r"got \['speaker'\]"):
        evaluate(Spy(), X, y, groups, protocols=("speaker-dependent", "speaker"))
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        evaluate(Spy(), X, y[:-1], groups)
    with pytest.raises(ValueError, match="No group has two clips"):
        evaluate(Spy(), X[:2], y[:2], np.arange(2))
