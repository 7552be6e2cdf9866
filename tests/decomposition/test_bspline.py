import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.interpolate import BSpline

from skemotion.audio import AudioFeatures
from skemotion.decomposition import (
    BSplineProjector,
    bspline_basis,
    bspline_evaluate,
    bspline_project,
)

bases = st.tuples(st.integers(2, 15), st.integers(1, 5))


@settings(deadline=None, max_examples=50)
@given(basis=bases, t=st.lists(st.floats(0, 1), min_size=1, max_size=20))
def test_b_splines_sum_to_one_and_are_local(basis, t):
    n_knots, order = basis
    values = bspline_basis(t, n_knots, order)
    assert values.shape == (len(t), n_knots + order - 2)
    assert (values >= 0).all()
    np.testing.assert_allclose(values.sum(axis=1), 1, rtol=1e-12)
    assert ((values > 0).sum(axis=1) <= order).all()


@settings(deadline=None, max_examples=50)
@given(basis=bases, n_points=st.integers(1, 200), seed=st.integers(0, 99))
def test_projection_is_idempotent(basis, n_points, seed):
    curve = np.random.default_rng(seed).standard_normal((n_points, 3))
    coefficients = bspline_project(curve, *basis)
    again = bspline_project(bspline_evaluate(coefficients, n_points, basis[1]), *basis)
    np.testing.assert_allclose(again, coefficients, atol=1e-7)


@settings(deadline=None, max_examples=50)
@given(basis=bases, seed=st.integers(0, 99))
def test_projection_is_exact_on_splines(basis, seed):
    n_knots, order = basis
    knots = np.r_[[0] * (order - 1), np.linspace(0, 1, n_knots), [1] * (order - 1)]
    coefficients = np.random.default_rng(seed).standard_normal((n_knots + order - 2, 2))
    curve = BSpline(knots, coefficients, order - 1)(np.linspace(0, 1, 300))
    np.testing.assert_allclose(bspline_project(curve, n_knots, order), coefficients, atol=1e-7)
    np.testing.assert_allclose(bspline_evaluate(coefficients, 300, order), curve, atol=1e-12)


@pytest.mark.parametrize("n_points", [1, 2, 13, 14, 15, 160])
def test_equals_least_squares_of_least_norm_about_the_mean(n_points):
    curve = np.random.default_rng(0).standard_normal((n_points, 34)) - 5
    basis = bspline_basis(np.linspace(0, 1, n_points))
    # The mean matters where there are many solutions alone.
    mean = curve.mean(axis=0) if n_points < 14 else 0
    expected = np.linalg.lstsq(basis, curve - mean)[0] + mean
    np.testing.assert_allclose(bspline_project(curve), expected, atol=1e-9)
    if n_points < 14:
        np.testing.assert_allclose(
            bspline_evaluate(bspline_project(curve), n_points), curve, atol=1e-9
        )


@settings(deadline=None, max_examples=50)
@given(basis=bases, n_points=st.integers(1, 40), level=st.floats(-1e6, 1e6))
def test_constant_curves_have_constant_coefficients(basis, n_points, level):
    coefficients = bspline_project(np.full(n_points, level), *basis)
    np.testing.assert_allclose(coefficients, level, rtol=1e-9, atol=1e-12)


def test_short_clips_keep_their_level():
    # The first cepstral coefficient of a pause, of five frames.
    coefficients = bspline_project(np.full((5, 1), -300.0, dtype=np.float32))
    np.testing.assert_allclose(coefficients, np.full((14, 1), -300), rtol=1e-6)


def test_basis_is_scikit_fdas():
    skfda = pytest.importorskip("skfda")
    points = np.linspace(0, 1, 160)
    curves = np.random.default_rng(0).standard_normal((5, 160))
    basis = skfda.representation.basis.BSplineBasis(domain_range=(0, 1), n_basis=14, order=4)
    expected = np.linalg.lstsq(basis(points)[..., 0].T, curves.T)[0].T
    np.testing.assert_allclose(BSplineProjector().fit_transform(curves), expected, atol=1e-9)


def test_curves_of_different_lengths():
    rng = np.random.default_rng(0)
    clips = [rng.standard_normal((n, 34)).astype(np.float32) for n in (160, 143, 9)]
    coefficients = BSplineProjector().fit_transform(clips)
    assert coefficients.shape == (3, 14, 34)
    assert coefficients.dtype == np.float32
    np.testing.assert_array_equal(coefficients[2], bspline_project(clips[2]))


def test_variants_stand_side_by_side():
    rng = np.random.default_rng(0)
    table = np.empty((2, 3), dtype=object)
    for at in np.ndindex(table.shape):
        table[at] = rng.standard_normal((rng.integers(20, 90), 5))
    coefficients = BSplineProjector(n_knots=6, order=3).fit_transform(table)
    assert coefficients.shape == (2, 7, 15)
    np.testing.assert_array_equal(coefficients[1, :, 5:10], bspline_project(table[1, 1], 6, 3))


@settings(deadline=None, max_examples=25)
@given(lengths=st.lists(st.integers(1, 60), min_size=1, max_size=5), data=st.data())
def test_a_clip_s_coefficients_do_not_depend_on_its_neighbours(lengths, data):
    rng = np.random.default_rng(0)
    clips = [rng.standard_normal((n, 4)) for n in lengths]
    order = data.draw(st.permutations(range(len(clips))))
    together = BSplineProjector().transform([clips[i] for i in order])
    for place, i in enumerate(order):
        np.testing.assert_array_equal(together[place], BSplineProjector().transform([clips[i]])[0])


@pytest.mark.parametrize("trailing", [(), (3,), (3, 2)])
def test_numbers_keep_their_further_axes(trailing):
    X = np.random.default_rng(0).standard_normal((4, 50, *trailing))
    projector = BSplineProjector().fit(X)
    coefficients = projector.transform(X)
    assert coefficients.shape == (4, 14, *trailing)
    for at in np.ndindex(trailing):
        np.testing.assert_allclose(
            coefficients[2][(slice(None), *at)],
            bspline_project(X[2][(slice(None), *at)]),
            atol=1e-12,
        )
    assert len(projector.get_feature_names_out()) == coefficients[0].size
    curves = projector.inverse_transform(coefficients, n_points=50)
    np.testing.assert_allclose(projector.transform(curves), coefficients, atol=1e-9)


def test_names():
    projector = BSplineProjector(n_knots=3, order=2).fit(np.zeros((1, 10, 2)))
    assert list(projector.get_feature_names_out(["zcr_noise", "rms"])) == [
        "zcr_spline00_noise",
        "rms_spline00",
        "zcr_spline01_noise",
        "rms_spline01",
        "zcr_spline02_noise",
        "rms_spline02",
    ]
    assert projector.get_feature_names_out()[1] == "curve01_spline00"
    with pytest.raises(ValueError, match=r"number of curves per clip \(2\), got 3"):
        projector.get_feature_names_out(["a", "b", "c"])


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (np.array([[0.0, np.nan]]), "NaN or infinity in row 1"),
        (np.zeros((0, 2)), r"shape \(0, 2\) and type float64 in row 1"),
        (np.zeros((9, 2, 2)), r"shape \(9, 2, 2\) and type float64 in row 1"),
        ("a.wav", "'a.wav' in row 1"),
        (np.zeros((9, 3)), r"\(14, 2\) in row 0, \(14, 3\) in row 1"),
    ],
)
def test_says_which_row_is_wrong(bad, message):
    with pytest.raises(ValueError, match=message):
        BSplineProjector().transform([np.zeros((5, 2)), bad])


def test_refuses_other_curves_than_at_fit():
    clips = [np.zeros((30, 2))]
    with pytest.raises(ValueError, match="expected 2 curves"):
        BSplineProjector().fit(clips).transform([np.zeros((30, 3))])
    with pytest.raises(ValueError, match="Expected 14 coefficients per curve"):
        BSplineProjector().inverse_transform(np.zeros((1, 12, 2)))


def test_takes_what_audio_features_gives():
    features = AudioFeatures().transform([np.zeros(3000), np.zeros(300)])
    assert BSplineProjector().transform(features).shape == (2, 14, 34)
