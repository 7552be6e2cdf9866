from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.linear_model import RidgeClassifier
from sklearn.pipeline import make_pipeline

from skemotion.decomposition import MiniRocket, MultiRocket
from skemotion.decomposition._rocket_kernels import fit_kernels, transform

ROCKETS = [MiniRocket(300, n_points=40, random_state=0), MultiRocket(168, 40, random_state=0)]
KERNELS = list(combinations(range(9), 3))


def make_clips(n_clips=6, n_channels=5, seed=0):
    rng = np.random.default_rng(seed)
    lengths = rng.integers(20, 90, n_clips)
    return [np.cumsum(rng.standard_normal((n, n_channels)), axis=0) for n in lengths]


def convolve(series, kernel, dilation):
    """Convolve one series with one kernel by the definition, zeros around it."""
    weights = np.full(9, -1.0)
    weights[list(kernel)] = 2
    reach = 4 * dilation
    padded = np.concatenate([np.zeros(reach), series, np.zeros(reach)])
    return np.array(
        [weights @ padded[t : t + 2 * reach + 1 : dilation] for t in range(len(series))]
    )


def pool(values, bias):
    """Pool as the authors of MultiRocket do: share, longest stretch, mean, mean place."""
    above = np.flatnonzero(values > bias)
    below = [0, *np.flatnonzero(values < bias), len(values) - 1]
    if not len(above):
        return 0, np.diff(below).max(), 0, -1
    mean = (values[above] + bias).mean()
    return len(above) / len(values), np.diff(below).max(), mean, above.mean()


def reference(rocket, clips):
    """Transform by the definition, with what a fitted rocket drew and learnt."""
    rows = []
    for clip in clips:
        t = np.linspace(0, len(clip) - 1, rocket.n_points)
        series = np.stack([np.interp(t, np.arange(len(clip)), curve) for curve in clip.T])
        blocks = []
        for order, kernels in enumerate(rocket.kernels_):
            moved = np.diff(series, n=order, axis=1)
            moved = (moved - rocket.means_[order][:, None]) / rocket.scales_[order][:, None]
            features, pairs = [], 0
            biases = iter(kernels.biases)
            for step, dilation in enumerate(kernels.dilations):
                for k, kernel in enumerate(KERNELS):
                    read = kernels.channels[kernels.starts[pairs] : kernels.starts[pairs + 1]]
                    values = convolve(moved[read].sum(axis=0), kernel, dilation)
                    if (step + k) % 2:
                        values = values[4 * dilation : -4 * dilation]
                    features += [pool(values, next(biases)) for _ in range(kernels.n_biases[step])]
                    pairs += 1
            blocks.append(np.array(features).T)
        rows.append(blocks)
    return rows


def test_mini_rocket_is_the_share_above_each_bias():
    clips = make_clips()
    rocket = MiniRocket(600, n_points=40, random_state=0).fit(clips)
    expected = np.array([blocks[0][0] for blocks in reference(rocket, clips)])
    # A value as good as equal to its bias may count either way.
    differ = np.abs(rocket.transform(clips) - expected) > 1e-6
    assert differ.mean() < 1e-3


def test_multi_rocket_pools_trajectories_and_differences():
    clips = make_clips()
    rocket = MultiRocket(168, n_points=40, random_state=0).fit(clips)
    features = rocket.transform(clips)
    expected = [np.concatenate([b.ravel() for b in blocks]) for blocks in reference(rocket, clips)]
    differ = ~np.isclose(features, expected, rtol=1e-4, atol=1e-4)
    assert differ.mean() < 2e-3
    assert features.shape == (6, 2 * 4 * 168)


# What aeon 1.6's MiniRocket(2000, random_state=5) and MultiRocket(840, random_state=5,
# normalise=False), fitted on the first of these series, gave of the first two: every 200th bias
# and feature, and every 173rd of what MultiRocket makes of the series themselves.
AEON_BIASES = [
    2.61733,
    -13.00283,
    4.35524,
    -1.732249,
    -19.24998,
    5.097038,
    -6.30215,
    16.24041,
    4.338655,
    -16.13079,
]
AEON_MINI = [
    [0.3854167, 0.7708333, 0.1477273, 0.5, 0.9625, 0.4027778, 0.671875, 0.2708333, 0.34375, 0.6875],
    [0.53125, 0.71875, 0.2045455, 0.4625, 0.8375, 0.3194444, 0.609375, 0.5833333, 0.65625, 0.9375],
]
AEON_MULTI = [
    [
        0.3854167,
        0.4659091,
        0.5972222,
        0.625,
        0.9166667,
        47.0,
        2.0,
        3.0,
        2.0,
        11.0,
        5.290989,
        3.180749,
        1.490131,
        -15.62454,
        -21.71361,
        28.0,
        67.36364,
        63.63158,
        18.84615,
        -1.0,
    ],
    [
        0.1979167,
        0.4886364,
        0.3194444,
        0.5729167,
        0.9166667,
        81.0,
        1.0,
        4.0,
        12.0,
        22.0,
        5.083103,
        3.482867,
        7.208848,
        -14.39227,
        -31.3295,
        63.0,
        54.23077,
        62.94444,
        48.67742,
        -1.0,
    ],
]


def test_equals_aeon():
    rng = np.random.default_rng(0)
    series = np.cumsum(rng.normal(size=(40, 7, 96)), axis=2).astype(np.float32)
    kernels = fit_kernels(series[:1], 2000, np.random.RandomState(5))
    np.testing.assert_allclose(kernels.biases[::200], AEON_BIASES, rtol=1e-5)
    np.testing.assert_allclose(transform(series[:2], kernels)[:, ::200], AEON_MINI, atol=1e-6)
    kernels = fit_kernels(series[:1], 840, np.random.RandomState(5))
    features = transform(series[:2], kernels, "all")
    np.testing.assert_allclose(features[:, ::173], AEON_MULTI, rtol=1e-5)


@pytest.mark.parametrize("rocket", ROCKETS, ids=lambda r: type(r).__name__)
def test_biases_come_from_training_clips_alone(rocket):
    train, test = make_clips(), make_clips(seed=1)
    fitted = clone(rocket).fit(train)
    alone = [fitted.transform([clip])[0] for clip in test]
    np.testing.assert_array_equal(fitted.transform(test), alone)
    other = clone(rocket).fit(test)
    assert not np.array_equal(other.kernels_[0].biases, fitted.kernels_[0].biases)
    np.testing.assert_array_equal(
        clone(rocket).fit_transform(train, [0] * 6), fitted.transform(train)
    )


@settings(deadline=None, max_examples=20)
@given(
    factors=st.lists(st.floats(0.01, 100), min_size=5, max_size=5),
    shifts=st.lists(st.floats(-100, 100), min_size=5, max_size=5),
)
def test_units_of_the_channels_make_no_difference(factors, shifts):
    clips = make_clips()
    rocket = MiniRocket(84, n_points=40, random_state=0)
    other = clone(rocket).fit_transform([factors * clip + shifts for clip in clips])
    assert (np.abs(other - rocket.fit_transform(clips)) > 1e-6).mean() < 0.01


@pytest.mark.parametrize("rocket", ROCKETS, ids=lambda r: type(r).__name__)
def test_columns_tables_and_arrays(rocket):
    clips = [clip[:20] for clip in make_clips()]
    column = clone(rocket).fit_transform(clips)
    array = clone(rocket).fit(np.stack(clips))
    np.testing.assert_array_equal(array.transform(np.stack(clips)), column)
    table = np.empty((6, 2), dtype=object)
    for row, clip in enumerate(clips):
        table[row, 0], table[row, 1] = clip[:, :2], clip[::2, 2:]
    parts = [np.hstack([clip[:, :2], clip[:, 2:]]) for clip in clips]
    variants = clone(rocket).fit(table)
    assert variants.n_channels_ == 5
    assert variants.transform(table).shape == clone(rocket).fit_transform(parts).shape


@pytest.mark.parametrize("rocket", ROCKETS, ids=lambda r: type(r).__name__)
def test_names(rocket):
    rocket = clone(rocket).fit(make_clips())
    channels = ["mouth-width", "brow-gap", "yaw", "roll", "pitch"]
    names = rocket.get_feature_names_out(channels)
    assert len(set(names)) == rocket.transform(make_clips()).shape[1]
    read = rocket.kernels_[0].channels[: rocket.kernels_[0].starts[1]]
    assert names[0] == "ppv_012x1_0_" + "+".join(channels[i] for i in read)
    with pytest.raises(ValueError, match=r"channels per clip \(5\), got 1"):
        rocket.get_feature_names_out(["yaw"])


@pytest.mark.parametrize("rocket", ROCKETS, ids=lambda r: type(r).__name__)
def test_tells_gestures_apart_that_have_the_same_statistics(rocket):
    rng = np.random.default_rng(0)
    labels = np.arange(60) % 2
    clips = []
    for label in labels:
        t = np.linspace(0, 1, rng.integers(50, 90))
        bump = np.exp(-(((t - rng.uniform(0.3, 0.7)) / 0.06) ** 2))
        curve = np.diff(bump, prepend=0) * (1 if label else -1)  # up then down, or down then up
        clips.append(np.column_stack([curve, curve**2]) + 0.01 * rng.standard_normal((len(t), 2)))
    model = make_pipeline(clone(rocket), RidgeClassifier())
    assert model.fit(clips[:40], labels[:40]).score(clips[40:], labels[40:]) == 1


def test_short_trajectories_are_stretched():
    clips = [np.ones((1, 2)), np.arange(6.0).reshape(3, 2)]
    assert np.isfinite(MultiRocket(84, random_state=0).fit_transform(clips)).all()


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (np.array([[0.0, np.nan]]), "found NaN or infinity in row 1"),
        (np.zeros((9, 3)), "expected 2 channels .* found 3 in row 1"),
        (np.zeros((9, 2, 2)), r"found an array of shape \(9, 2, 2\)"),
        ("a.csv", "found 'a.csv' in row 1"),
    ],
)
def test_says_which_row_is_wrong(bad, message):
    with pytest.raises(ValueError, match=message):
        MiniRocket().fit([np.zeros((30, 2)), bad])
