import unittest

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.decomposition import PCA
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import estimator_checks as checks

from skemotion.preprocessing import FisherWeighting


def test_whole_suite():
    for estimator, check in checks.estimator_checks_generator(FisherWeighting()):
        try:
            check(estimator)
        except unittest.SkipTest as skip:
            pytest.fail(f"{check.func.__name__} was skipped: {skip}")


def recipe(A, y, g, B):
    """The recipe of sound functionals as it was published, with the speakers' part apart."""
    scaler = StandardScaler().fit(A)
    Z, Q = (np.clip(scaler.transform(part), -5, 5) for part in (A, B))
    classes = np.unique(y)
    means = np.array([Z[y == c].mean(0) for c in classes])
    residual = Z - means[np.searchsorted(classes, y)]
    speaker = np.array([residual[g == a].mean(0) for a in np.unique(g)]).var(0)
    rest = residual.var(0) - speaker
    w = np.sqrt(means.var(0) / (speaker + rest + 1e-3))
    w /= np.linalg.norm(w)
    Z, Q = Z * w, Q * w
    Z, Q = Z - Z.mean(0), Q - Z.mean(0)
    e, U = np.linalg.eigh(Z @ Z.T)
    U, e = U[:, e > 1e-6 * e[-1]], np.sqrt(e[e > 1e-6 * e[-1]])
    lda = LinearDiscriminantAnalysis(solver="lsqr", shrinkage=0.5)
    return w, lda.fit(U * e, y).predict_proba(Q @ Z.T @ U / e)


def test_weighting_and_pca_give_what_the_recipe_gives():
    rng = np.random.default_rng(0)
    y, g = np.arange(60) % 4, np.arange(60) // 12
    X = rng.normal(size=(60, 300)) + 0.4 * (np.arange(300) % 4 == y[:, np.newaxis])
    X += rng.normal(size=(5, 300))[g]
    train, test = g < 4, g == 4
    w, expected = recipe(X[train], y[train], g[train], X[test])

    def clip(Z):
        return np.clip(Z, -5, 5)

    scaler = StandardScaler().fit(X[train])
    weighting = FisherWeighting().fit(clip(scaler.transform(X[train])), y[train])
    np.testing.assert_allclose(weighting.weights_, w, rtol=1e-9)
    assert np.linalg.norm(weighting.weights_) == pytest.approx(1)
    model = make_pipeline(
        FisherWeighting(),
        # One component less than clips: centred clips span no more.
        PCA(47, svd_solver="full"),
        LinearDiscriminantAnalysis(solver="lsqr", shrinkage=0.5),
    ).fit(clip(scaler.transform(X[train])), y[train])
    got = model.predict_proba(clip(scaler.transform(X[test])))
    np.testing.assert_allclose(got, expected, atol=1e-8)


@settings(deadline=None, max_examples=50)
@given(st.integers(0, 99), st.floats(-3, 3), st.integers(2, 4))
def test_weights_depend_on_no_shift_and_no_order(seed, shift, n_classes):
    rng = np.random.default_rng(seed)
    y = np.arange(20) % n_classes
    X = rng.normal(size=(20, 5))
    weights = FisherWeighting().fit(X, y).weights_
    order = rng.permutation(20)
    again = FisherWeighting().fit(X[order] + shift, y[order]).weights_
    np.testing.assert_allclose(again, weights, rtol=1e-6)


def test_rare_classes_count_as_much_as_frequent_ones():
    X = np.r_[np.zeros((50, 2)), np.full((1, 2), [2.0, 0.0]), np.full((50, 2), [0.0, 1.0])]
    y = np.repeat(["calm", "angry", "sad"], [50, 1, 50])
    first, second = FisherWeighting().fit(X, y).weights_
    assert first / second == pytest.approx(2)


def test_columns_that_tell_nothing_get_equal_weights():
    weights = FisherWeighting().fit(np.ones((4, 4)), [0, 0, 1, 1]).weights_
    np.testing.assert_allclose(weights, 0.5)


def test_one_class_is_refused():
    with pytest.raises(ValueError, match="found 1 class: 'sad'"):
        FisherWeighting().fit([[1.0], [2.0]], ["sad", "sad"])


def test_names_and_frames_come_through():
    X = pd.DataFrame({"pitch": [0.0, 1.0, 2.0, 4.0], "pause": [1.0, 0.0, 1.0, 0.0]})
    weighting = FisherWeighting().set_output(transform="pandas").fit(X, [0, 0, 1, 1])
    assert list(weighting.transform(X).columns) == ["pitch", "pause"]
