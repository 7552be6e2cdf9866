import re
import tracemalloc
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.exceptions import ConvergenceWarning
from tensorly.decomposition import partial_tucker as tensorlys

from skemotion.decomposition import PartialTucker


def stack(shape, ranks, noise=0.0, seed=0):
    """Make clips that are a small core times random matrices, and noise."""
    rng = np.random.default_rng(seed)
    clips = rng.normal(size=(shape[0], *ranks))
    for axis, length in enumerate(shape[1:], start=1):
        matrix = rng.normal(size=(length, clips.shape[axis]))
        clips = np.moveaxis(np.tensordot(matrix, clips, (1, axis)), 0, axis)
    return clips / clips.std() + noise * rng.normal(size=shape)


def lost(clips, tucker):
    """Measure the relative error of what comes back from the cores."""
    back = tucker.inverse_transform(tucker.transform(clips))
    return np.linalg.norm(clips - back) / np.linalg.norm(clips)


@pytest.mark.parametrize("noise", [0.1, 100.0])
@pytest.mark.parametrize(
    ("shape", "ranks"),
    [
        ((12, 9, 8, 7), (3, 2, 4)),
        ((20, 14, 30), (5, 7)),
        ((6, 5, 6, 4, 3, 2), (2, 3, 2, None, 1)),
        ((7, 3, 4, 5), (None, None, 2)),
        ((9, 30), (4,)),
    ],
)
def test_factors_and_error_equal_tensorlys(shape, ranks, noise):
    clips = stack(shape, [min(length, 4) for length in shape[1:]], noise)
    tucker = PartialTucker(ranks).fit(clips)
    modes = [axis for axis, rank in enumerate(ranks, start=1) if rank is not None]
    (_, factors), errors = tensorlys(
        clips, [rank for rank in ranks if rank is not None], modes=modes, tol=1e-4
    )
    assert tucker.reconstruction_error_ == pytest.approx(errors[-1], abs=1e-6)
    assert tucker.reconstruction_error_ == pytest.approx(lost(clips, tucker), abs=1e-6)
    for axis, factor in zip(modes, factors, strict=True):
        ours = tucker.factors_[axis - 1]
        signs = np.sign((ours * factor).sum(axis=0))
        np.testing.assert_allclose(ours, factor * signs, atol=1e-6)


ANY_CLIPS = st.tuples(
    st.integers(1, 5), st.lists(st.integers(1, 5), min_size=1, max_size=3), st.integers(0, 99)
)


@settings(deadline=None, max_examples=40)
@given(ANY_CLIPS)
def test_full_rank_loses_nothing(drawn):
    n_clips, lengths, seed = drawn
    clips = np.random.default_rng(seed).normal(size=(n_clips, *lengths))
    tucker = PartialTucker(lengths).fit(clips)
    cores = tucker.transform(clips)
    assert cores.shape == (n_clips, np.prod(lengths))
    np.testing.assert_allclose(tucker.inverse_transform(cores), clips, atol=1e-12)
    np.testing.assert_allclose(np.linalg.norm(cores), np.linalg.norm(clips))
    assert tucker.reconstruction_error_ < 1e-6


@settings(deadline=None, max_examples=40)
@given(ANY_CLIPS, st.data())
def test_factors_are_orthonormal_with_a_sign_and_projection_is_idempotent(drawn, data):
    n_clips, lengths, seed = drawn
    ranks = [data.draw(st.none() | st.integers(1, length)) for length in lengths]
    clips = np.random.default_rng(seed).normal(size=(n_clips, *lengths))
    tucker = PartialTucker(ranks).fit(clips)
    for rank, length, factor in zip(ranks, lengths, tucker.factors_, strict=True):
        if rank is None:
            assert factor is None
            continue
        assert factor.shape == (length, rank)
        np.testing.assert_allclose(factor.T @ factor, np.eye(rank), atol=1e-10)
        assert (factor.max(axis=0) >= -factor.min(axis=0)).all()
    assert tucker.ranks_ == tuple(r or n for r, n in zip(ranks, lengths, strict=True))
    cores = tucker.transform(clips)
    again = tucker.transform(tucker.inverse_transform(cores))
    np.testing.assert_allclose(again, cores, atol=1e-10)


def test_axes_left_alone_are_left_alone():
    clips = stack((5, 4, 6, 3), (4, 2, 3))
    cores = PartialTucker((None, 2, None)).fit_transform(clips).reshape(5, 4, 2, 3)
    # An orthonormal factor along one axis keeps the norm of each fibre, where it loses nothing.
    np.testing.assert_allclose(np.linalg.norm(cores, axis=2), np.linalg.norm(clips, axis=2))
    untouched = PartialTucker(None).fit(clips)
    np.testing.assert_array_equal(untouched.transform(clips), clips.reshape(5, -1))
    assert untouched.reconstruction_error_ == 0


@pytest.mark.parametrize("kind", [float, np.float32])
def test_shares_of_energy_take_the_smallest_size_that_holds_them(kind):
    clips = stack((30, 8, 9), (8, 9), 1.0)
    for share in (0.3, 0.6, 0.9, 0.99):
        tucker = PartialTucker((kind(share), kind(share))).fit(clips)
        for axis in (0, 1):
            unfolded = np.moveaxis(clips, axis + 1, 0).reshape(clips.shape[axis + 1], -1)
            energy = np.linalg.svd(unfolded, compute_uv=False) ** 2
            held = np.cumsum(energy) / energy.sum()
            size = tucker.ranks_[axis]
            assert held[size - 1] >= kind(share)
            assert size == 1 or held[size - 2] < kind(share)
    exact = np.zeros((1, 4))
    exact[0, :2] = 1.0
    assert PartialTucker(0.5).fit(exact).ranks_ == (1,)


def test_a_single_rank_goes_for_every_axis():
    clips = stack((6, 5, 4), (3, 3))
    assert PartialTucker(2).fit(clips).ranks_ == (2, 2)
    assert PartialTucker(1 - 1e-9).fit(clips).ranks_ == (3, 3)


def test_same_clips_same_factors():
    clips = stack((15, 8, 9, 4), (5, 5, 3), 0.5)
    first, second = (PartialTucker((3, 4, 2)).fit(clips) for _ in range(2))
    shuffled = PartialTucker((3, 4, 2)).fit(clips[np.random.default_rng(0).permutation(15)])
    for one, two, other in zip(first.factors_, second.factors_, shuffled.factors_, strict=True):
        np.testing.assert_array_equal(one, two)
        np.testing.assert_allclose(one, other, atol=1e-8)
    assert first.n_iter_ == second.n_iter_


def test_a_clips_core_depends_on_no_other_clip(monkeypatch):
    clips = stack((15, 8, 9), (5, 5), 0.5)
    tucker = PartialTucker((3, 4)).fit(clips)
    cores = tucker.transform(clips)
    for row in range(15):
        np.testing.assert_array_equal(tucker.transform(clips[row : row + 1]), cores[row : row + 1])
    np.testing.assert_array_equal(tucker.transform(clips[::-1]), cores[::-1])
    # Blocks of two clips, and of one that is larger than a block.
    for size in (2 * 8 * 8 * 9, 1):
        monkeypatch.setattr("skemotion.decomposition._tucker_numerics._BLOCK_BYTES", size)
        blockwise = PartialTucker((3, 4)).fit(clips)
        np.testing.assert_allclose(blockwise.transform(clips), cores, atol=1e-10)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_float_type_is_kept(dtype):
    clips = stack((10, 6, 7), (3, 3), 0.2).astype(dtype)
    tucker = PartialTucker((3, 3)).fit(clips)
    cores = tucker.transform(clips)
    assert cores.dtype == tucker.inverse_transform(cores).dtype == dtype
    # Sums over clips are in double precision for both.
    exact = PartialTucker((3, 3)).fit(clips.astype(float))
    assert tucker.reconstruction_error_ == pytest.approx(exact.reconstruction_error_, abs=1e-6)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_missing_clips_are_left_out_and_stay_missing(dtype):
    clips = stack((10, 6, 7), (3, 3), 0.2).astype(dtype)
    gone = clips.copy()
    gone[[0, 4]] = np.nan
    there = np.setdiff1d(np.arange(10), [0, 4])
    expected = PartialTucker((3, 0.9)).fit(clips[there])
    tucker = PartialTucker((3, 0.9)).fit(gone)
    assert tucker.reconstruction_error_ == pytest.approx(expected.reconstruction_error_, abs=1e-6)
    cores = tucker.transform(gone)
    assert np.isnan(cores[[0, 4]]).all()
    np.testing.assert_allclose(cores[there], expected.transform(clips[there]), atol=1e-4)
    assert np.isnan(gone[0]).all()  # the input is left as it is
    assert np.isnan(tucker.transform(gone[:1])).all()


def test_clips_with_some_nan_and_none_that_is_there_are_refused():
    clips = np.ones((4, 3, 3))
    clips[2, 1, 0] = np.nan
    with pytest.raises(ValueError, match="row 2 is NaN in part"):
        PartialTucker(1).fit(clips)
    with pytest.raises(ValueError, match="row 2 is NaN in part"):
        PartialTucker(1).fit(np.ones((4, 3, 3))).transform(clips)
    with pytest.raises(ValueError, match="needs at least one clip"):
        PartialTucker(1).fit(np.full((4, 3, 3), np.nan))


def test_a_memory_map_is_not_copied(tmp_path):
    shape = (1600, 50, 320)  # 102 MB
    clips = np.memmap(tmp_path / "clips", dtype=np.float32, mode="w+", shape=shape)
    rng = np.random.default_rng(0)
    clips[:] = rng.normal(size=(1600, 1, 1)) * rng.normal(size=(1, 50, 320))
    clips.flush()
    tracemalloc.start()
    try:
        cores = PartialTucker((3, 4)).fit_transform(clips)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert cores.shape == (1600, 12)
    assert peak < 50e6


def test_silence_and_a_single_clip():
    silent = PartialTucker((2, 0.5)).fit(np.zeros((3, 4, 5)))
    assert silent.transform(np.zeros((3, 4, 5))).shape == (3, 2)
    assert silent.reconstruction_error_ == 0
    # More components than one clip can determine: still orthonormal, still lossless.
    clip = stack((1, 6, 5), (2, 2))
    tucker = PartialTucker((5, 5)).fit(clip)
    np.testing.assert_allclose(tucker.factors_[0].T @ tucker.factors_[0], np.eye(5), atol=1e-10)
    assert lost(clip, tucker) < 1e-7


@pytest.mark.parametrize(
    ("ranks", "message"),
    [
        ((2,), r"ranks has 1 value, but clips of shape (4, 5) have 2 axes"),
        ((2, 2, 2), r"ranks has 3 values"),
        ((2, 6), r"ranks[1] must be a whole number from 1 to 5"),
        (9, r"ranks[0] must be a whole number from 1 to 4"),
        ((0, 2), r"ranks[0] must be"),
        ((-1, 2), r"ranks[0] must be"),
        ((2, 1.0), r"ranks[1] must be"),
        ((2, True), r"ranks[1] must be"),
        (("all", 2), r"ranks[0] must be"),
        ((2, np.nan), r"ranks[1] must be"),
    ],
)
def test_ranks_that_do_not_fit(ranks, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        PartialTucker(ranks).fit(np.ones((3, 4, 5)))


def test_other_clips_and_cores_are_refused():
    tucker = PartialTucker(2).fit(stack((5, 4, 6), (2, 2)))
    with pytest.raises(ValueError, match=r"fitted on clips of shape \(4, 6\), got \(6, 4\)"):
        tucker.transform(np.ones((2, 6, 4)))
    with pytest.raises(ValueError, match=r"one shape, got \(4, 6\) in row 0 and \(4, 5\) in row 1"):
        tucker.transform([np.ones((4, 6)), np.ones((4, 5))])
    with pytest.raises(ValueError, match=r"Expected 4 columns, one per entry of a core"):
        tucker.inverse_transform(np.ones((2, 5)))
    with pytest.raises(ValueError, match="NaN"):
        tucker.fit(np.full((2, 3, 4), np.nan))


def test_too_few_sweeps_are_told():
    clips = stack((12, 9, 8, 7), (4, 4, 4), 100.0)
    with pytest.warns(ConvergenceWarning, match="did not converge within 2 sweeps"):
        tucker = PartialTucker((3, 2, 4), tol=0, max_iter=2).fit(clips)
    assert tucker.n_iter_ == 2
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        # One axis takes one sweep, and generous tolerance is met by the second.
        PartialTucker((3, None, None), tol=0, max_iter=1).fit(clips)
        PartialTucker((3, 2, 4), tol=1, max_iter=2).fit(clips)


def test_names_follow_the_order_of_the_flattened_core():
    clips = stack((5, 4, 6), (2, 2))
    tucker = PartialTucker((2, 3)).fit(clips)
    cores = tucker.transform(clips).reshape(5, 2, 3)
    names = list(tucker.get_feature_names_out())
    assert names[0] == "tucker_0_0"
    column = names.index("tucker_1_2")
    np.testing.assert_array_equal(tucker.transform(clips)[:, column], cores[:, 1, 2])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_threads_change_no_number(monkeypatch, dtype):
    clips = stack((23, 8, 9, 4), (5, 5, 3), 0.5).astype(dtype)
    clips[7] = np.nan
    monkeypatch.setattr("skemotion.decomposition._tucker_numerics._BLOCK_BYTES", 5000)
    one, three = (PartialTucker((3, 0.9, 2), n_jobs=n).fit(clips) for n in (None, 3))
    assert one.reconstruction_error_ == three.reconstruction_error_
    for a, b in zip(one.factors_, three.factors_, strict=True):
        np.testing.assert_array_equal(a, b)
    np.testing.assert_array_equal(one.transform(clips), three.transform(clips))


def test_single_precision_finds_what_double_precision_does():
    """Grams of blocks are in the clips' precision: long axes, short ones, and the last."""
    clips = stack((30, 6, 10, 8, 70), (4, 4, 4, 4), 0.2) + 1
    ranks = (3, 4, 3, 4)
    exact, single = (PartialTucker(ranks).fit(x) for x in (clips, clips.astype(np.float32)))
    assert single.reconstruction_error_ == pytest.approx(exact.reconstruction_error_, abs=1e-7)
    for a, b in zip(exact.factors_, single.factors_, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-3)
    # What is without noise is left without: an error far below what single precision resolves.
    clean = stack((30, 6, 10, 70), (2, 2, 2)).astype(np.float32)
    assert PartialTucker((2, 2, 2)).fit(clean).reconstruction_error_ < 1e-3
