import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from references.hog3d import cell_by_cell as reference
from scipy.ndimage import gaussian_filter
from sklearn.base import clone

from skemotion.video import HOG3D, VideoLoader, hog3d

pixels = hnp.arrays(np.uint8, st.tuples(st.integers(1, 9), st.integers(1, 13), st.integers(1, 15)))
cells = st.tuples(st.integers(1, 6), st.integers(1, 6), st.integers(1, 6))


@pytest.mark.parametrize("n_bins", [2, 3, 4, 8, 9, 12])
@pytest.mark.parametrize("dtype", [np.uint8, np.float32, np.float64])
def test_equals_histograms_of_angles(dtype, n_bins):
    rng = np.random.default_rng(n_bins)
    frames = rng.integers(0, 256, (7, 22, 26)).astype(dtype)
    frames[:, 5:15, 5:15] = 128  # still, flat parts have no direction
    got = hog3d(frames, (3, 5, 6), n_bins)
    assert got.dtype == (np.float64 if dtype == np.float64 else np.float32)
    np.testing.assert_allclose(got, reference(frames, (3, 5, 6), n_bins), atol=1e-5)


def test_equals_histograms_of_angles_on_real_clips(shared_data):
    clips = sorted((shared_data / "java-sed").glob("*.mp4"))[::48]
    frames = VideoLoader().transform(clips)
    for clip in frames:
        np.testing.assert_allclose(hog3d(clip), reference(clip), atol=1e-5)


def test_reference_shape():
    frames = np.zeros((50, 240, 426), dtype=np.uint8)
    assert hog3d(frames).shape == (10, 48, 71, 9, 2)  # 613,440 values


@settings(deadline=None, max_examples=60)
@given(pixels, cells, st.integers(2, 12))
def test_cells_partition_the_clip_and_have_unit_norm_or_none(frames, cell_size, n_bins):
    descriptor = hog3d(frames, cell_size, n_bins)
    expected = [n // min(n, size) for n, size in zip(frames.shape, cell_size, strict=True)]
    assert descriptor.shape == (*expected, n_bins, 2)
    assert (descriptor >= 0).all()
    norms = np.linalg.norm(descriptor, axis=3)
    assert np.all((np.abs(norms - 1) < 1e-4) | (norms == 0))
    np.testing.assert_allclose(descriptor, reference(frames, cell_size, n_bins), atol=1e-5)


@settings(deadline=None, max_examples=20)
@given(pixels)
def test_brightness_offset_and_contrast_do_not_matter(frames):
    dim = frames.astype(np.float64) / 4 + 100
    np.testing.assert_allclose(hog3d(dim), hog3d(frames.astype(np.float64)), atol=1e-4)


def test_smoothing_is_a_gaussian_over_each_frame():
    frames = np.random.default_rng(0).integers(0, 256, (6, 30, 36)).astype(np.float64)
    smooth = gaussian_filter(frames, (0, 2, 2), mode="nearest", truncate=4)
    np.testing.assert_allclose(hog3d(frames, smoothing=2.0), hog3d(smooth), atol=1e-6)
    np.testing.assert_array_equal(hog3d(frames, smoothing=True), hog3d(frames, smoothing=1.0))
    assert not np.allclose(hog3d(frames, smoothing=True), hog3d(frames), atol=0.1)


def test_colour_is_turned_into_luma():
    rng = np.random.default_rng(0)
    rgb = rng.integers(0, 256, (5, 10, 12, 3), dtype=np.uint8)
    grey = (rgb @ np.array([0.299, 0.587, 0.114])).round().astype(np.uint8)
    np.testing.assert_array_equal(hog3d(rgb), hog3d(grey))
    np.testing.assert_array_equal(hog3d(grey[..., np.newaxis]), hog3d(grey))


def test_a_clip_does_not_depend_on_its_neighbours():
    clips = np.random.default_rng(0).integers(0, 256, (3, 10, 20, 24), dtype=np.uint8)
    together = HOG3D().transform(clips)
    np.testing.assert_array_equal(together[[2, 0]], HOG3D().transform(clips[[2, 0]]))
    np.testing.assert_array_equal(together[1], hog3d(clips[1]))


def test_names_follow_the_flattened_descriptor():
    clips = np.random.default_rng(0).integers(0, 256, (1, 10, 20, 24), dtype=np.uint8)
    hog = HOG3D(n_bins=4).fit(clips)
    names = hog.get_feature_names_out()
    descriptor = hog.transform(clips)
    place = np.ravel_multi_index((1, 2, 3, 2, 1), descriptor.shape[1:])
    assert names[place] == "hog3d_t01_y02_x03_bin2_polar"
    assert len(set(names)) == descriptor[0].size


@pytest.mark.parametrize(
    ("parameters", "clips", "message"),
    [
        ({"cell_size": (5, 5)}, np.zeros((1, 5, 5, 6)), "three positive whole numbers"),
        ({"cell_size": (5, 0, 5)}, np.zeros((1, 5, 5, 6)), "three positive whole numbers"),
        ({}, np.zeros((1, 5, 6)), "clips of shape"),
        ({}, np.zeros((1, 5, 5, 6, 4)), "1 or 3 channels"),
        ({}, np.full((1, 5, 5, 6), np.nan), "NaN"),
        ({}, ["clip.mp4"], "such as VideoLoader makes; found 'clip.mp4' in row 0"),
        ({}, np.full((1, 5, 5, 6), 1e308) * np.eye(6)[0], "gradients are finite .* up to 1e.308"),
        ({}, [np.zeros((5, 5, 6)), np.zeros((0, 5, 6))], r"shape \(0, 5, 6\) .* in row 1"),
        ({"smoothing": 10**9}, np.zeros((1, 5, 5, 6)), "'smoothing' parameter of HOG3D"),
    ],
)
def test_refuses(parameters, clips, message):
    with pytest.raises(ValueError, match=message):
        HOG3D(**parameters).fit(clips).transform(clips)


def test_the_function_says_what_it_cannot_use():
    with pytest.raises(ValueError, match=r"empty array of shape \(0, 5, 6\)"):
        hog3d(np.zeros((0, 5, 6), dtype=np.uint8))
    with pytest.raises(ValueError, match="smoothing must be at most 1000, got 1000000000"):
        hog3d(np.zeros((5, 5, 6), dtype=np.uint8), smoothing=10**9)
    flat = np.zeros((5, 5, 6), dtype=np.float32)
    assert hog3d(flat, smoothing=1000).shape == (1, 1, 1, 9, 2)


def test_refuses_another_clip_shape_than_at_fit():
    hog = HOG3D().fit(np.zeros((2, 5, 10, 12)))
    with pytest.raises(ValueError, match=r"fitted on clips of shape \(5, 10, 12\).*VideoLoader"):
        hog.transform(np.zeros((2, 5, 10, 18)))
    assert clone(hog).transform(np.zeros((2, 5, 10, 18))).shape == (2, 1, 2, 3, 9, 2)
