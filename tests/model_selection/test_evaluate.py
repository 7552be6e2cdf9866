import functools
import warnings

import numpy as np
import pandas as pd
import pytest
from sklearn import config_context
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, make_scorer
from sklearn.model_selection import (
    GridSearchCV,
    GroupKFold,
    LeaveOneGroupOut,
    StratifiedKFold,
    cross_val_predict,
    cross_validate,
)
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from threadpoolctl import threadpool_info, threadpool_limits

from skemotion import MediaError
from skemotion.base import ClipTransformer
from skemotion.classification import FusionClassifier
from skemotion.model_selection import PROTOCOLS, WithinGroupShuffleSplit, evaluate
from skemotion.pipeline import ClipPipeline, UnusableClipWarning


class Spy(ClassifierMixin, BaseEstimator):
    """Notes which rows it is trained and tested on, and gives back the row's first column."""

    seen: list[tuple[str, list[int]]] = []

    def fit(self, X, y):
        self.classes_ = np.unique(y)
        Spy.seen.append(("fit", sorted(X[:, 0])))
        assert len(X) == len(y)
        return self

    def predict(self, X):
        Spy.seen.append(("predict", sorted(X[:, 0])))
        return np.where(X[:, 0] % 2, "angry", "calm")


def rows(n_speakers, n_clips):
    groups = np.repeat(np.arange(n_speakers) * 10, n_clips)
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


@pytest.mark.parametrize(("n_speakers", "n_folds"), [(2, 2), (5, 5), (12, 12), (24, 12)])
def test_speakers_are_disjoint(n_speakers, n_folds):
    X, y, groups = rows(n_speakers, 6)
    Spy.seen = []
    result = evaluate(Spy(), X, y, groups)
    assert result.protocol == "speaker-independent"
    tested = []
    for (first, train), (second, test) in zip(Spy.seen[::2], Spy.seen[1::2], strict=True):
        assert (first, second) == ("fit", "predict")
        assert not set(groups[train]) & set(groups[test])
        assert sorted(train + test) == list(range(len(X)))
        tested += test
    assert sorted(tested) == list(range(len(X)))
    assert result.n_splits == n_folds == len(Spy.seen) // 2
    assert (result.n_clips, result.n_groups) == (len(X), n_speakers)
    # Whose clip it is and what it was stay with what was said of it.
    assert result.accuracy == 1
    np.testing.assert_array_equal(result.groups, groups[result.rows])
    np.testing.assert_array_equal(result.target, y[result.rows])
    assert result.probabilities is None


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
        results = evaluate(model, X, y, groups, protocol=PROTOCOLS, n_jobs=n_jobs)
    assert [result.accuracy for result in results] == [1, 1]


def test_groups_go_to_those_who_take_them():
    X, y, groups = rows(3, 6)
    deep = make_pipeline(FunctionTransformer(), make_pipeline("passthrough", Grouped()))
    for model in (Grouped(), deep):
        assert evaluate(model, X, y, groups).accuracy == 1


@pytest.mark.parametrize("routing", [True, False])
def test_a_search_splits_by_speaker(routing):
    X, y, groups = rows(4, 6)
    search = GridSearchCV(KNeighborsClassifier(), {"n_neighbors": [1, 3]}, cv=LeaveOneGroupOut())
    with config_context(enable_metadata_routing=routing):
        evaluate(search, X, y, groups)
        # A splitter that has no use for them would warn.
        evaluate(search.set_params(cv=StratifiedKFold(2)), X, y, groups)


def test_splits_are_audited():
    X, y, groups = rows(3, 6)
    metadata = pd.DataFrame({"actor": groups, "statement": np.arange(18) % 2})
    same, disjoint = evaluate(Spy(), X, y, groups, metadata=metadata, protocol=PROTOCOLS)
    assert [leak.kind for leak in same.leaks] == ["speaker", "sentence"]
    assert [leak.kind for leak in disjoint.leaks] == ["sentence"]
    # That is the protocol, and no leak.
    assert all(leak.is_note for leak in same.leaks)
    assert "LEAK" not in str(same) + str(disjoint)
    assert str(same).count("the tested speakers are in training, too") == 1
    assert "note: the tested" not in str(disjoint)
    assert "  note: The same sentences are" in str(disjoint)
    assert set(disjoint.not_audited) == {"file", "augmented copy", "recording"}
    bare = evaluate(Spy(), X, y, groups)
    assert (bare.leaks, bare.not_audited) == ((), None)
    assert bare.seconds.shape == (bare.n_splits, 2)
    assert (bare.seconds > 0).all(axis=None)
    # Where some are, it is.
    cv = [(np.arange(3, 18), np.arange(6)[:3]), (np.arange(12), np.arange(12, 18))]
    partly = evaluate(Spy(), X, y, groups, metadata=metadata, cv=cv)
    assert partly.protocol == "speakers partly shared"
    assert "LEAK: The same speakers" in str(partly)


def test_speaker_dependent_trains_on_two_thirds_of_each():
    X, y, groups = rows(4, 60)
    Spy.seen = []
    result = evaluate(Spy(), X, y, groups, protocol="speaker-dependent")
    assert result.protocol == "speaker-dependent"
    assert result.n_splits == 5
    assert len(Spy.seen) == 10
    for (_, train), (_, test) in zip(Spy.seen[::2], Spy.seen[1::2], strict=True):
        assert not set(train) & set(test)
        for speaker in set(groups):
            assert (groups[train] == speaker).sum() == 40
            assert (groups[test] == speaker).sum() == 20
    assert len(result.target) == 5 * 80


def test_both_protocols_in_order_and_the_same_each_time():
    rng = np.random.default_rng(0)
    X, y, groups = rng.normal(size=(48, 3)), rng.choice(["a", "b", "c"], 48), np.arange(48) % 4
    model = KNeighborsClassifier(3)
    both = functools.partial(evaluate, model, X, y, groups, protocol=PROTOCOLS)
    first, second = both(), both()
    assert tuple(result.protocol for result in first) == PROTOCOLS
    assert list(map(str, first)) == list(map(str, second))
    other = both(random_state=1)
    assert str(other[0]) != str(first[0])
    assert str(other[1]) == str(first[1])
    assert not hasattr(model, "classes_")
    # The order is that of the labels' first appearance.
    assert first[0].labels == list(dict.fromkeys(y.tolist()))
    expected = cross_val_predict(model, X, y, groups=groups, cv=GroupKFold(4))
    assert first[1].accuracy == pytest.approx(accuracy_score(y, expected))


@pytest.mark.parametrize("kind", [int, str, float, bool])
@pytest.mark.parametrize("cv", [3, StratifiedKFold(4, shuffle=True, random_state=0), GroupKFold(4),
                                "splits"])  # fmt: skip
def test_any_splits_and_any_labels_give_what_scikit_learn_gives(cv, kind):
    rng = np.random.default_rng(0)
    X, groups = rng.normal(size=(48, 3)), np.arange(48) % 4
    y = rng.integers(0, 2 if kind is bool else 3, 48).astype(kind)
    model = LogisticRegression()
    known = groups if isinstance(cv, GroupKFold) else None
    given = [(np.arange(24), np.arange(24, 48)), (np.arange(24, 48), np.arange(24))]
    cv = given if cv == "splits" else cv
    result = evaluate(model, X, y, groups, cv=iter(cv) if cv is given else cv,
                      scoring=["f1_macro", "neg_log_loss"])  # fmt: skip
    expected = cross_validate(
        model, X, y, cv=cv, groups=known, scoring=["f1_macro", "neg_log_loss"]
    )
    for name in ("f1_macro", "neg_log_loss"):
        np.testing.assert_allclose(result.scores[name], expected[f"test_{name}"])
    np.testing.assert_allclose(result.per_fold["macro_f1"], expected["test_f1_macro"])
    probabilities = cross_val_predict(model, X, y, groups=known, cv=cv, method="predict_proba")
    order = np.searchsorted(np.unique(y), result.labels)
    np.testing.assert_allclose(result.probabilities, probabilities[result.rows][:, order])
    assert (result.protocol == "speaker-independent") == isinstance(cv, GroupKFold)
    assert result.splitter
    assert set(result.to_frame()["target"]) == set(y)
    assert result.to_json()
    assert str(result)


def test_splits_without_groups():
    X, y, groups = rows(3, 6)
    result = evaluate(KNeighborsClassifier(), X, y, cv=2)
    assert result.protocol == "speakers unknown"
    assert "not known: give their groups" in str(result)
    with pytest.raises(ValueError, match=r"The 'groups' parameter should not be None"):
        evaluate(Spy(), X, y, cv=GroupKFold(2))
    within = evaluate(Spy(), X, y, groups, cv=WithinGroupShuffleSplit(2, random_state=0))
    assert within.protocol == "speaker-dependent"
    assert (
        within.splitter == "WithinGroupShuffleSplit(n_splits=2, train_size=0.667, random_state=0)"
    )


def test_scorers():
    X, y, groups = rows(3, 6)

    def half(model, X, y):
        return 0.5

    model = KNeighborsClassifier(1)
    assert evaluate(model, X, y, groups, scoring="accuracy").scores.keys() == {"accuracy"}
    assert evaluate(model, X, y, groups, scoring=half).scores["half"].tolist() == [0.5] * 3
    named = {"a": make_scorer(accuracy_score), "b": "f1_macro"}
    assert evaluate(model, X, y, groups, scoring=named).scores.keys() == {"a", "b"}


def test_labels_that_a_split_lacks_have_no_probability():
    X, y, groups = rows(3, 6)
    y[groups == 0] = "sad"
    y[:3] = "calm"
    result = evaluate(KNeighborsClassifier(1), X, y, groups)
    first = result.probabilities[result.groups == 0]
    assert result.labels[1] == "sad"
    assert (first[:, 1] == 0).all()
    np.testing.assert_allclose(result.probabilities.sum(axis=1), 1)


def test_pandas_columns_and_workers():
    rng = np.random.default_rng(0)
    X = pd.DataFrame(rng.normal(size=(24, 3)), columns=list("abc"), index=range(50, 74))
    y, groups = pd.Series(rng.choice(["a", "b"], 24)), pd.Series(np.arange(24) % 3)
    one = evaluate(KNeighborsClassifier(1), X, y, groups, protocol=PROTOCOLS)
    plain = evaluate(KNeighborsClassifier(1), X.to_numpy(), y.tolist(), groups.tolist(), n_jobs=1,
                     protocol=PROTOCOLS)  # fmt: skip
    assert list(map(str, one)) == list(map(str, plain))


class Numbers(ClipTransformer):
    takes = "clips"

    def transform_clip(self, clip):
        if b"bad" in clip:
            raise MediaError("a bad clip")
        return [float(clip)]


@pytest.mark.parametrize("given", [True, False])
def test_unusable_clips_are_left_out(given):
    clips = [str(number).encode() for number in range(18)]
    clips[4], clips[13] = b"bad", b"bad"
    _, y, groups = rows(3, 6)
    model = make_pipeline(ClipPipeline([("number", Numbers())]), KNeighborsClassifier(1))
    cv = list(GroupKFold(3).split(clips, y, groups)) if given else None
    metadata = pd.DataFrame({"actor": groups, "video": [f"{row}.mp4" for row in range(18)]})
    result = evaluate(model, clips, y, groups, cv=cv, metadata=metadata, max_unusable=0.2)
    assert [error.row for error in result.unusable] == [4, 13]
    assert sorted(result.rows) == sorted(set(range(18)) - {4, 13})
    assert result.n_clips == 16
    np.testing.assert_array_equal(result.target, y[result.rows])
    np.testing.assert_array_equal(result.groups, groups[result.rows])
    assert result.clips.tolist() == [f"{row}.mp4" for row in result.rows]
    assert "2 of 18 clips could not be used and were left out" in str(result)
    with pytest.raises(ValueError, match="2 of 18 clips cannot be used, and at most 10% may be"):
        evaluate(model, clips, y, groups, max_unusable=0.1)
    with pytest.raises(MediaError, match="a bad clip"):
        evaluate(model, clips, y, groups)


def test_clips_are_named():
    _, y, groups = rows(2, 6)
    clips = [f"folder/{row}.wav" for row in range(12)]
    for X in (clips, pd.DataFrame({"audio": clips}, index=range(5, 17))):
        result = evaluate(Anything(), X, y, groups)
        assert result.clips.tolist() == [clips[row] for row in result.rows]
    assert evaluate(Anything(), np.zeros((12, 2)), y, groups).clips is None


class Anything(ClassifierMixin, BaseEstimator):
    uses_speaker_clips = False

    def fit(self, X, y):
        self.classes_ = np.unique(y)
        return self

    def predict(self, X):
        return np.full(len(X), self.classes_[0])


class Adapted(Anything):
    uses_speaker_clips = True


def test_models_that_use_clips_of_the_speaker_say_so():
    X, y, groups = rows(2, 6)
    assert evaluate(make_pipeline(Adapted()), X, y, groups).uses_speaker_clips
    assert not evaluate(make_pipeline(Anything()), X, y, groups).uses_speaker_clips


class Never(Anything):
    def fit(self, X, y):
        raise AssertionError("this is work")


def test_what_cannot_work_is_refused_before_the_work():
    X, y, groups = rows(2, 6)
    refused = functools.partial(evaluate, Never())
    with pytest.raises(ValueError, match=r"at least two classes, found only \['calm'\]"):
        refused(X[::2], y[::2], groups[::2])
    with pytest.raises(ValueError, match="at least two speakers, found one"):
        refused(X[:6], y[:6], groups[:6])
    for wrong in ("actor-disjoint", ("speaker-dependent", "actor-disjoint")):
        with pytest.raises(ValueError, match=r"got 'actor-disjoint'\. Other splits are given"):
            refused(X, y, groups, protocol=wrong)
    with pytest.raises(ValueError, match="protocol must be one of"):
        refused(X, y, groups, protocol=())
    with pytest.raises(ValueError, match="'speaker-independent' needs groups: pass each clip's"):
        refused(X, y)
    for short in ((X, y[:-1], groups), (X, y, groups[:-1]), (X[:-1], y, groups)):
        with pytest.raises(ValueError, match="inconsistent numbers of samples"):
            refused(*short)
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        refused(X, y, groups, metadata=pd.DataFrame({"actor": groups[:-1]}))
    with pytest.raises(ValueError, match="No group has two clips"):
        refused(X[:2], y[:2], np.arange(2), protocol="speaker-dependent")
    with pytest.raises(ValueError, match="'no_such_figure' is not a valid scoring value"):
        refused(X, y, groups, scoring="no_such_figure")
    with pytest.raises(ValueError, match="'no_such_figure' is not a valid scoring value"):
        refused(X, y, groups, scoring=["accuracy", "no_such_figure"])
    with pytest.raises(ValueError, match="Split 1 has training clips of fewer than two classes"):
        refused(X, y, groups, cv=[(range(6), range(6, 12)), (range(0, 6, 2), range(6, 12))])
    with pytest.raises(ValueError, match="Split 0 of cv has no test clips"):
        refused(X, y, groups, cv=[(range(6), [])])
    for cv in (3, StratifiedKFold(3)):
        with pytest.raises(ValueError, match="Both cv and protocol='speaker-dependent'"):
            refused(X, y, groups, cv=cv, protocol="speaker-dependent")
    with pytest.raises(ValueError, match=r"got 'speaker-independent'\. Protocols are given by"):
        refused(X, y, groups, cv="speaker-independent")
    assert evaluate(Spy(), X[:6], y[:6], groups[:6], protocol="speaker-dependent").n_groups == 1


@pytest.mark.parametrize("none", [None, np.nan, pd.NA])
def test_rows_without_label_or_speaker_are_named(none):
    X, y, groups = rows(2, 6)
    cells = [none if row in (3, 7) else label for row, label in enumerate(y)]
    for labels in (cells, pd.Series(cells, dtype="string"), np.array(cells, dtype=object)):
        with pytest.raises(
            ValueError, match=r"a label for every clip, found none in 2 rows \(3, 7"
        ):
            evaluate(Never(), X, labels, groups)
    who = [none, *groups[1:]]
    with pytest.raises(ValueError, match="Expected a speaker for every clip, found none in row 0"):
        evaluate(Never(), X, y, who)


def test_a_fusion_leaves_out_clips_that_no_branch_can_use():
    X, y, groups = rows(3, 6)
    table = pd.DataFrame({name: [str(n).encode() for n in X[:, 0]] for name in ("face", "voice")})
    table.loc[[2, 9], "face"] = b"bad"
    table.loc[[9, 11], "voice"] = b"bad"
    branches = [
        (name, make_pipeline(ClipPipeline([("number", Numbers())], on_error="nan"),
                             FunctionTransformer(_parity), LogisticRegression()), name)
        for name in table
    ]  # fmt: skip
    fusion = FusionClassifier(branches, cv=2)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UnusableClipWarning)
        result = evaluate(fusion, table, y, groups, max_unusable=0.1)
    assert [error.row for error in result.unusable] == [9]
    assert result.accuracy == 1


def _parity(X):
    return X % 2


def test_progress_is_shown_while_clips_are_opened(capsys):
    clips = [str(number).encode() for number in range(18)]
    _, y, groups = rows(3, 6)
    stages = ClipPipeline([("number", Numbers())], verbose=True)
    evaluate(make_pipeline(stages, KNeighborsClassifier(1)), clips, y, groups)
    shown = capsys.readouterr().err
    assert "12/12" in shown
    # In the first split: training clips; test clips, for labels and for probabilities.
    assert shown.count("100%") == 3
