from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skemotion.model_selection import expected_calibration_error


def reference(y, P, classes, n_bins):
    """Guo et al. 2017, equation 3, bin by bin."""
    confidence = P.max(axis=1)
    right = np.array([classes[row.argmax()] == label for row, label in zip(P, y, strict=True)])
    edges = np.arange(n_bins + 1) / n_bins
    error = 0.0
    for low, high in pairwise(edges):
        inside = (confidence > low) & (confidence <= high)
        if inside.any():
            error += inside.mean() * abs(right[inside].mean() - confidence[inside].mean())
    return error


@settings(deadline=None, max_examples=50)
@given(st.integers(0, 999), st.integers(1, 20))
def test_as_defined(seed, n_bins):
    rng = np.random.default_rng(seed)
    classes = np.array(["angry", "calm", "sad"])
    P = rng.dirichlet([0.5] * 3, 40)
    y = rng.choice(classes, 40)
    got = expected_calibration_error(y, P, classes, n_bins=n_bins)
    assert got == pytest.approx(reference(y, P, classes, n_bins), abs=1e-12)
    assert 0 <= got <= 1


def test_the_extremes():
    sure = np.array([[1.0, 0.0]] * 4)
    assert expected_calibration_error(["a"] * 4, sure, ["a", "b"]) == 0
    assert expected_calibration_error(["b"] * 4, sure, ["a", "b"]) == 1


@pytest.mark.parametrize(
    ("y", "P", "n_bins", "message"),
    [
        (["a"], [[0.5, 0.5]] * 2, 15, r"\(1, 2\)"),
        (["a"], [[0.5, 0.3]], 15, r"found 0.8 in row 0"),
        ([], np.empty((0, 2)), 15, "one clip at least"),
        (["a"], [[0.5, 0.5]], 0, "n_bins must be 1"),
    ],
)
def test_what_makes_no_sense_is_refused(y, P, n_bins, message):
    with pytest.raises(ValueError, match=message):
        expected_calibration_error(y, P, ["a", "b"], n_bins=n_bins)
