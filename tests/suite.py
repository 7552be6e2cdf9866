"""scikit-learn's check suite, whole, and what stages of one clip promise besides."""

import pickle
import unittest
from collections import Counter

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin, TransformerMixin, clone
from sklearn.utils import estimator_checks as checks
from sklearn.utils import get_tags

from skemotion.pipeline import ClipPipeline

# What the suite never yields, of stages and of any estimator.
CHECKS_OF_STAGES = [
    checks.check_dataframe_column_names_consistency,
    checks.check_get_feature_names_out_error,
    checks.check_global_output_transform_pandas,
    checks.check_global_set_output_transform_polars,
    checks.check_param_validation,
    checks.check_set_output_transform,
    checks.check_set_output_transform_pandas,
    checks.check_set_output_transform_polars,
    checks.check_transformer_get_feature_names_out,
    checks.check_transformer_get_feature_names_out_pandas,
]
CHECKS_OF_ALL = [checks.check_dataframe_column_names_consistency, checks.check_param_validation]


class Plain(BaseEstimator):
    """Has fit and no more; the suite yields for it what it yields for any estimator."""

    def fit(self, X, y=None):
        return self


class Learning(TransformerMixin, Plain):
    def transform(self, X):
        return X


class _NeedsNoFit:
    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.requires_fit = False
        return tags


class Stateless(_NeedsNoFit, Learning):
    pass


class StatelessPlain(_NeedsNoFit, Plain):
    pass


class Classifying(ClassifierMixin, Plain):
    def predict(self, X):
        return X

    predict_proba = predict


class Weighting(Classifying):
    def __init__(self, class_weight=None):
        self.class_weight = class_weight


def assert_passes_suite(estimator, like):
    """Run all of scikit-learn's checks: none skipped, none expected to fail, none evaded.

    A tag may spare an estimator a check. So the checks that run are compared with those that the
    installed scikit-learn has for a plain estimator of the kind.
    """
    ran = Counter()
    for copy, check in checks.estimator_checks_generator(estimator):
        name = check.func.__name__
        try:
            check(copy)
        except unittest.SkipTest as skip:
            pytest.fail(f"{name} was skipped: {skip}")
        ran[name] += 1
    expected = Counter(check.func.__name__ for _, check in checks.estimator_checks_generator(like))
    assert ran == expected
    assert sum(ran.values()) > 30


def assert_keeps_promises(stage, clips, *, others=()):
    """Check what `ClipTransformer` promises, on a list of three clips or more.

    `others` are cells that are no clips for the stage.
    """
    assert not get_tags(stage).requires_fit
    together = clone(stage).fit(clips).transform(clips)
    assert len(together) == len(clips)
    # A clip's result depends on nothing but the clip, and on no container; no fit is needed.
    for row, clip in enumerate(clips):
        assert_same(clone(stage).transform([clip])[0], together[row])
    for X in (tuple(clips), pd.Series(clips), pd.DataFrame({"clip": clips})):
        assert_same(clone(stage).fit_transform(X), together)
    assert_same(pickle.loads(pickle.dumps(clone(stage).fit(clips))).transform(clips), together)
    for n_jobs in (None, 2):
        assert_same(ClipPipeline([("stage", stage)], n_jobs=n_jobs).fit_transform(clips), together)
    # Clips are left as they are.
    before = pickle.dumps(clips)
    clone(stage).fit_transform(clips)
    assert pickle.dumps(clips) == before
    if together.dtype != object:
        names = clone(stage).fit(clips).get_feature_names_out()
        if stage.takes != "clips":
            assert len(names) == len(set(names)) == together[0].size
        flat = ClipPipeline([("stage", stage)], flatten=True).fit_transform(clips)
        np.testing.assert_array_equal(flat, together.reshape(len(clips), -1))
    for other in (None, np.nan, "", 5, *others):
        for do in (clone(stage).transform, ClipPipeline([("stage", stage)]).transform):
            with pytest.raises(ValueError, match="row 1"):
                do([clips[0], other, *clips[1:]])
            with pytest.raises(ValueError, match="row 0"):
                do([other, *clips])


def assert_same(one, other):
    """Compare arrays, and columns of arrays."""
    if not isinstance(one, np.ndarray) or one.dtype.kind != "O":
        np.testing.assert_array_equal(one, other)
        return
    assert one.shape == other.shape
    for a, b in zip(one.flat, other.flat, strict=True):
        np.testing.assert_array_equal(a, b)
