import numpy as np
import pytest
from sklearn import config_context
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_validate
from sklearn.utils._param_validation import InvalidParameterError

from skemotion.model_selection import PublishedFolds

NAMES = {"luna-jimenez-2021": 5, "emobox-2024": 6}


@pytest.mark.parametrize("name", NAMES)
def test_each_of_the_24_speakers_is_tested_once(name):
    speakers = np.repeat(np.arange(1, 25), 3)
    splits = list(PublishedFolds(name).split(speakers, groups=speakers))
    assert len(splits) == PublishedFolds(name).get_n_splits(groups=speakers) == NAMES[name]
    assert PublishedFolds(name).get_n_splits() == NAMES[name]
    tested = np.concatenate([test for _, test in splits])
    np.testing.assert_array_equal(np.sort(tested), np.arange(72))
    for train, test in splits:
        assert not set(speakers[train]) & set(speakers[test])
        assert len(train) + len(test) == 72
    sizes = sorted(len(test) // 3 for _, test in splits)
    assert sizes == ([4, 5, 5, 5, 5] if len(splits) == 5 else [4] * 6)


def test_the_folds_are_those_of_the_papers():
    speakers = np.arange(1, 25)

    def fold(name, number):
        test = list(PublishedFolds(name).split(speakers, groups=speakers))[number][1]
        return set(speakers[test].tolist())

    assert fold("luna-jimenez-2021", 0) == {2, 5, 14, 15, 16}
    assert fold("luna-jimenez-2021", 4) == {1, 4, 9, 22}
    assert fold("emobox-2024", 0) == {1, 11, 20, 21}
    assert fold("emobox-2024", 5) == {6, 13, 17, 22}


def test_folds_without_speakers_are_left_out():
    speakers = np.array([2, 5, 14, 15, 16, 3, 3])
    splits = list(PublishedFolds("luna-jimenez-2021").split(speakers, groups=speakers))
    assert PublishedFolds("luna-jimenez-2021").get_n_splits(None, None, speakers) == 2
    assert [set(speakers[test].tolist()) for _, test in splits] == [{2, 5, 14, 15, 16}, {3}]


@pytest.mark.parametrize("form", ["{}", "{:02d}", "Actor_{:02d}", "ravdess/{}"])
def test_speakers_may_be_names(form):
    numbers = np.arange(1, 25)
    names = np.array([form.format(number) for number in numbers])
    cv = PublishedFolds("emobox-2024")
    by_number = [test.tolist() for _, test in cv.split(numbers, groups=numbers)]
    assert [test.tolist() for _, test in cv.split(names, groups=names)] == by_number


@pytest.mark.parametrize(
    ("groups", "message"),
    [
        (None, "should not be None"),
        ([1, 25], "speakers 1 to 24, found 25"),
        (["1", "tess/OAF"], "found 'tess/OAF'"),
        ([1, 4, 9], "All speakers are of one fold"),
    ],
)
def test_speakers_that_do_not_fit_are_refused(groups, message):
    with pytest.raises(ValueError, match=message):
        next(PublishedFolds("luna-jimenez-2021").split(np.zeros(len(groups or [0])), groups=groups))


def test_other_names_are_refused():
    with pytest.raises(InvalidParameterError, match="luna-jimenez-2021"):
        PublishedFolds("luna-jimenez")


def test_scikit_learn_takes_it_as_a_splitter():
    rng = np.random.default_rng(0)
    speakers = np.repeat(np.arange(1, 13), 6)
    X, y = rng.normal(size=(72, 2)), np.arange(72) % 2
    cv = PublishedFolds("luna-jimenez-2021")
    assert repr(cv) == "PublishedFolds('luna-jimenez-2021')"
    plain = cross_validate(LogisticRegression(), X, y, cv=cv, groups=speakers)["test_score"]
    assert len(plain) == 5
    search = GridSearchCV(LogisticRegression(), {"C": [1, 2]}, cv=cv)
    assert search.fit(X, y, groups=speakers).n_splits_ == 5
    with config_context(enable_metadata_routing=True):
        model = LogisticRegression()
        routed = cross_validate(model, X, y, cv=cv, params={"groups": speakers})["test_score"]
    np.testing.assert_array_equal(routed, plain)
