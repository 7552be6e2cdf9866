import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline

from skemotion.audio import AudioAugmenter, AudioFeatures, audio_features, augment
from skemotion.decomposition import TrajectoryStatistics, trajectory_statistics
from skemotion.pipeline import ClipPipeline

ALL = ("slope", "p0", "mean", "p33", "min", "std", "p100", "max", "p50")


@pytest.mark.parametrize("n_points", [2, 3, 160])
def test_equal_numpy_s_and_a_regression_s(n_points):
    curve = np.random.default_rng(0).standard_normal((n_points, 34))
    values = dict(zip(ALL, trajectory_statistics(curve, ALL), strict=True))
    for name in ("mean", "std", "min", "max"):
        np.testing.assert_allclose(values[name], getattr(np, name)(curve, axis=0), rtol=1e-12)
    for share in (0, 33, 50, 100):
        expected = np.percentile(curve, share, axis=0)
        np.testing.assert_allclose(values[f"p{share}"], expected, rtol=1e-12)
    line = LinearRegression().fit(np.linspace(0, 1, n_points)[:, np.newaxis], curve)
    np.testing.assert_allclose(values["slope"], line.coef_[:, 0], atol=1e-12)


def test_velocities_are_per_second():
    curve = np.random.default_rng(0).standard_normal((50, 3))
    names = ("velocity_std", "velocity_p95")
    values = trajectory_statistics(curve, names, rate=25)
    velocity = np.gradient(np.repeat(curve, 2, axis=0), axis=0)[1:-1:2] * 50  # (b - a) / (1 / 25)
    np.testing.assert_allclose(values[0], np.std(velocity, axis=0))
    np.testing.assert_allclose(values[1], np.percentile(np.abs(velocity), 95, axis=0))
    stage = TrajectoryStatistics(names, rate=25)
    np.testing.assert_array_equal(np.ravel(stage.fit_transform([curve])), values.ravel())
    assert not trajectory_statistics(curve[:1], names).any()


@settings(deadline=None, max_examples=25)
@given(start=st.floats(-1e3, 1e3), rise=st.floats(-1e3, 1e3), n_points=st.integers(2, 300))
def test_slope_is_the_rise_of_a_line_however_many_points_it_has(start, rise, n_points):
    line = np.linspace(start, start + rise, n_points)
    assert trajectory_statistics(line, ("slope",))[0] == pytest.approx(rise, abs=1e-9)


def test_one_point():
    values = trajectory_statistics(np.array([[3.0, -1.0]]), ALL)
    for name, value in zip(ALL, values, strict=True):
        np.testing.assert_array_equal(value, [0, 0] if name in ("std", "slope") else [3, -1])


def test_single_precision_is_kept_and_summed_in_double():
    curve = np.full(100_000, 0.1, dtype=np.float32)
    values = TrajectoryStatistics(("mean", "std")).fit_transform([curve])
    assert values.dtype == np.float32
    assert values[0, 0] == np.float32(0.1)
    assert values[0, 1] < 1e-9


def test_curves_of_different_lengths():
    rng = np.random.default_rng(0)
    clips = [rng.standard_normal((n, 34)) for n in (160, 143, 1)]
    values = TrajectoryStatistics().fit_transform(clips)
    assert values.shape == (3, 6 * 34)
    np.testing.assert_array_equal(values[1], trajectory_statistics(clips[1]).ravel())


def test_variants_stand_side_by_side():
    rng = np.random.default_rng(0)
    table = np.empty((2, 3), dtype=object)
    for at in np.ndindex(table.shape):
        table[at] = rng.standard_normal((rng.integers(20, 90), 5))
    values = TrajectoryStatistics(ALL).fit_transform(table)
    assert values.shape == (2, 9 * 15)
    middle = values[1].reshape(9, 15)[:, 5:10]
    np.testing.assert_array_equal(middle, trajectory_statistics(table[1, 1], ALL))


@settings(deadline=None, max_examples=25)
@given(lengths=st.lists(st.integers(1, 60), min_size=1, max_size=5), data=st.data())
def test_a_clip_s_statistics_do_not_depend_on_its_neighbours(lengths, data):
    rng = np.random.default_rng(0)
    clips = [rng.standard_normal((n, 4)) for n in lengths]
    order = data.draw(st.permutations(range(len(clips))))
    together = TrajectoryStatistics().transform([clips[i] for i in order])
    for place, i in enumerate(order):
        alone = TrajectoryStatistics().transform([clips[i]])
        np.testing.assert_array_equal(together[place], alone[0])


@pytest.mark.parametrize("trailing", [(), (3,), (3, 2)])
def test_further_axes_are_further_curves(trailing):
    X = np.random.default_rng(0).standard_normal((4, 50, *trailing))
    stage = TrajectoryStatistics(ALL).fit(X)
    values = stage.transform(X)
    assert values.shape == (4, 9 * np.prod(trailing, dtype=int))
    values = values.reshape(4, 9, *trailing)
    for at in np.ndindex(trailing):
        one = trajectory_statistics(X[2][(slice(None), *at)], ALL)
        np.testing.assert_allclose(values[2][(slice(None), *at)], one, atol=1e-12)
    assert len(stage.get_feature_names_out()) == values[0].size


def test_names():
    stage = TrajectoryStatistics(("p5", "slope")).fit(np.zeros((1, 10, 2)))
    assert list(stage.get_feature_names_out(["zcr_noise", "rms"])) == [
        "zcr_p5_noise",
        "rms_p5",
        "zcr_slope_noise",
        "rms_slope",
    ]
    assert stage.get_feature_names_out()[1] == "curve01_p5"
    with pytest.raises(ValueError, match=r"number of curves per clip \(2\), got 3"):
        stage.get_feature_names_out(["a", "b", "c"])
    rows = TrajectoryStatistics(("p5", "slope")).set_output(transform="pandas")
    assert list(rows.fit_transform(np.zeros((2, 9))).columns) == ["p5", "slope"]


def test_names_compose_in_the_order_of_the_values():
    clips = [np.random.default_rng(seed).standard_normal(6000) for seed in range(2)]
    steps = AudioAugmenter(), AudioFeatures(deltas=1), TrajectoryStatistics()
    chain = make_pipeline(*steps).fit(clips)
    names = list(chain.get_feature_names_out())
    values = chain.transform(clips)
    assert len(set(names)) == values[0].size == 8 * 68 * 6
    variant = audio_features(augment(clips[1])[1], deltas=1)
    at = names.index("mfcc03-delta_p90_pitch+4")
    assert values[1].ravel()[at] == trajectory_statistics(variant)[4, 34 + 3]


def test_runs_in_a_clip_pipeline(tmp_path):
    clips = [np.random.default_rng(seed).standard_normal(3000 + seed) for seed in range(3)]
    steps = [("features", AudioFeatures(("mfcc",))), ("mean", TrajectoryStatistics(("mean",)))]
    expected = make_pipeline(*(step for _, step in steps)).fit_transform(clips)
    for _ in range(2):
        values = ClipPipeline(steps, memory=tmp_path, n_jobs=2).fit_transform(clips)
        np.testing.assert_array_equal(values, expected)
    assert values.shape == (3, 13)


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (np.array([[0.0, np.nan]]), "NaN or infinity in row 1"),
        (np.zeros((0, 2)), r"shape \(0, 2\) and type float64 in row 1"),
        (np.zeros((9, 2, 2)), r"shape \(9, 2, 2\) and type float64 in row 1"),
        ("a.wav", "'a.wav' in row 1"),
        (np.zeros((9, 3)), r"\(12,\) in row 0, \(18,\) in row 1"),
    ],
)
def test_says_which_row_is_wrong(bad, message):
    with pytest.raises(ValueError, match=message):
        TrajectoryStatistics().transform([np.zeros((5, 2)), bad])


def test_refuses_other_curves_than_at_fit():
    with pytest.raises(ValueError, match="expected 2 curves"):
        TrajectoryStatistics().fit([np.zeros((30, 2))]).transform([np.zeros((30, 3))])


@pytest.mark.parametrize("statistics", [(), ("median",), ("p101",), ("p-5",), (50,), ("p9.5",)])
def test_refuses_statistics(statistics):
    for call in (TrajectoryStatistics(statistics).fit, TrajectoryStatistics(statistics).transform):
        with pytest.raises(ValueError, match=r"some of mean, .* and percentiles"):
            call([np.zeros(5)])
