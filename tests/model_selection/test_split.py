import numpy as np
import pandas as pd
import pytest
import sklearn
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_validate

from skemotion.model_selection import WithinGroupShuffleSplit

GROUPS = st.lists(st.sampled_from("abcdef"), min_size=2, max_size=60).filter(
    lambda groups: len(set(groups)) < len(groups)
)


@settings(deadline=None, max_examples=100)
@given(GROUPS, st.floats(0.01, 0.99), st.integers(0, 9))
def test_every_group_is_split_in_the_same_shares(groups, train_size, seed):
    splitter = WithinGroupShuffleSplit(3, train_size=train_size, random_state=seed)
    splits = list(splitter.split(groups, groups=groups))
    assert len(splits) == splitter.get_n_splits() == 3
    column = np.array(groups)
    for train, test in splits:
        np.testing.assert_array_equal(np.sort(np.r_[train, test]), np.arange(len(groups)))
        np.testing.assert_array_equal(train, np.sort(train))
        np.testing.assert_array_equal(test, np.sort(test))
        for group in set(groups):
            n = groups.count(group)
            n_train = (column[train] == group).sum()
            if n == 1:
                assert n_train == 1
            else:
                assert 1 <= n_train <= n - 1
                assert abs(n_train - np.clip(train_size * n, 1, n - 1)) <= 0.5
    again = list(splitter.split(groups, groups=groups))
    for one, other in zip(splits, again, strict=True):
        np.testing.assert_array_equal(one[0], other[0])


def test_sixty_clips_are_forty_and_twenty_at_random():
    groups = np.repeat(np.arange(24), 60)
    drawn = np.zeros(len(groups))
    splits = list(WithinGroupShuffleSplit(50, random_state=0).split(groups, groups=groups))
    for train, test in splits:
        assert (np.bincount(groups[train]) == 40).all()
        assert (np.bincount(groups[test]) == 20).all()
        drawn[test] += 1
    assert len({tuple(test) for _, test in splits}) == 50
    # Each clip is drawn about as often as any other.
    assert drawn.min() > 0
    assert abs(drawn.mean() - 50 / 3) < 1e-9
    assert drawn.std() < 1.3 * np.sqrt(50 * (1 / 3) * (2 / 3))


@pytest.mark.parametrize("kind", [list, np.array, pd.Series, pd.Categorical])
def test_groups_of_any_kind(kind):
    groups = kind(["x", "y", "x", "y", "x", "y"])
    if kind is pd.Series:
        groups.index = [3, 3, 1, 0, 9, 2]
    ((train, test),) = WithinGroupShuffleSplit(1, random_state=0).split(np.ones(6), groups=groups)
    assert sorted(train % 2) == [0, 0, 1, 1]
    assert sorted(test % 2) == [0, 1]


def test_random_states():
    groups = [1, 1, 1, 1, 2, 2, 2, 2]
    first, second = (
        [list(t) for t, _ in WithinGroupShuffleSplit(random_state=s).split(groups, None, groups)]
        for s in (0, 1)
    )
    assert first != second
    # A generator goes on where it stopped, as in scikit-learn.
    splitter = WithinGroupShuffleSplit(random_state=np.random.RandomState(0))
    runs = [[list(t) for t, _ in splitter.split(groups, None, groups)] for _ in range(2)]
    assert runs[0] != runs[1]


def test_serves_cross_validate():
    X, y = np.tile([[0.0], [1.0]], (12, 1)), np.tile(["calm", "angry"], 12)
    result = cross_validate(
        LogisticRegression(),
        X,
        y,
        groups=np.repeat([1, 2], 12),
        cv=WithinGroupShuffleSplit(4, random_state=0),
    )
    np.testing.assert_array_equal(result["test_score"], np.ones(4))


def test_asks_for_groups_under_metadata_routing():
    X, y = np.tile([[0.0], [1.0]], (12, 1)), np.tile(["calm", "angry"], 12)
    search = GridSearchCV(LogisticRegression(), {"C": [1, 2]}, cv=WithinGroupShuffleSplit(2))
    with sklearn.config_context(enable_metadata_routing=True):
        search.fit(X, y, groups=np.repeat([1, 2], 12))
    assert search.best_score_ == 1


def test_nothing_to_split():
    with pytest.raises(ValueError, match="groups is needed"):
        next(WithinGroupShuffleSplit().split([1, 2, 3]))
    with pytest.raises(ValueError, match="No group has two clips"):
        next(WithinGroupShuffleSplit().split([1, 2, 3], groups=[1, 2, 3]))
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        next(WithinGroupShuffleSplit().split([1, 2, 3], groups=[1, 1]))


@pytest.mark.parametrize(
    "parameters", [{"n_splits": 0}, {"train_size": 0.0}, {"train_size": 1.0}, {"random_state": "a"}]
)
def test_parameters_are_checked(parameters):
    with pytest.raises(ValueError, match=next(iter(parameters))):
        WithinGroupShuffleSplit(**parameters)


def test_shows_its_parameters():
    assert repr(WithinGroupShuffleSplit(3, random_state=1)) == (
        "WithinGroupShuffleSplit(n_splits=3, train_size=0.667, random_state=1)"
    )
