import numpy as np
import pytest
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from suite import Classifying, assert_passes_suite

from skemotion.classification import BalancedLDA


def clips(n_classes):
    rng = np.random.default_rng(0)
    y = np.repeat(np.arange(n_classes), [20, 8, 5, 9][:n_classes])
    return rng.normal(size=(len(y), 6)) + y[:, np.newaxis], np.array(["a", "b", "c", "d"])[y]


@pytest.mark.parametrize("n_classes", [2, 4])
def test_equals_scikit_learns_with_equal_priors(n_classes):
    X, y = clips(n_classes)
    priors = np.full(n_classes, 1 / n_classes)
    expected = LinearDiscriminantAnalysis(solver="lsqr", shrinkage=0.3, priors=priors).fit(X, y)
    model = BalancedLDA(0.3).fit(X, y)
    np.testing.assert_allclose(model.predict_proba(X), expected.predict_proba(X), atol=1e-12)
    np.testing.assert_array_equal(model.predict(X), expected.predict(X))
    # Frequent classes are not favoured.
    assert (model.predict(X) != LinearDiscriminantAnalysis().fit(X, y).predict(X)).any()


def test_whole_suite():
    assert_passes_suite(BalancedLDA(), Classifying())


def test_one_class_is_refused():
    with pytest.raises(ValueError, match="BalancedLDA needs two classes or more, found 1 class"):
        BalancedLDA().fit(np.ones((3, 2)), ["sad"] * 3)


def test_one_clip_of_each_class():
    with pytest.raises(ValueError, match=r"found 3 clips of 3 classes: .* Add clips, 2 or more of"):
        BalancedLDA().fit(np.eye(3), ["a", "b", "c"])


def test_a_class_of_one_clip_among_others():
    X, y = clips(2)
    model = BalancedLDA().fit(np.vstack([X, np.full((1, 6), 9.0)]), [*y, "c"])
    assert model.predict(np.full((1, 6), 8.0)) == ["c"]
