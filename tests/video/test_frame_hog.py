import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from sklearn.base import clone

from skemotion.pipeline import ClipPipeline
from skemotion.video import FrameHOG, VideoLoader, frame_hog

pixels = hnp.arrays(np.uint8, st.tuples(st.integers(1, 19), st.integers(1, 23)))
pairs = st.tuples(st.integers(1, 6), st.integers(1, 6))


def reference(frame, n_bins=9, cell_size=(8, 8), block_size=(2, 2)):
    """The descriptor as it is defined, pixel by pixel and block by block."""
    frame = frame.astype(np.float64)
    gy, gx = np.zeros_like(frame), np.zeros_like(frame)
    gy[1:-1] = frame[2:] - frame[:-2]
    gx[:, 1:-1] = frame[:, 2:] - frame[:, :-2]
    magnitude = np.hypot(gx, gy)
    bins = (np.degrees(np.arctan2(gy, gx)) % 180 // (180 / n_bins)).astype(int)
    (height, width), (cells_y, cells_x) = cell_size, np.array(frame.shape) // cell_size
    cells = np.zeros((cells_y, cells_x, n_bins))
    for y in range(cells_y * height):
        for x in range(cells_x * width):
            cells[y // height, x // width, bins[y, x]] += magnitude[y, x] / (height * width)
    blocks = []
    for y in range(cells_y - block_size[0] + 1):
        for x in range(cells_x - block_size[1] + 1):
            block = cells[y : y + block_size[0], x : x + block_size[1]].ravel()
            block = np.minimum(block / np.hypot(np.linalg.norm(block), 1e-5), 0.2)
            blocks.append(block / np.hypot(np.linalg.norm(block), 1e-5))
    return np.concatenate(blocks)


@pytest.mark.parametrize("dtype", [np.uint8, np.float32, np.float64])
@pytest.mark.parametrize(
    "parameters",
    [{}, {"n_bins": 7, "cell_size": (5, 6), "block_size": (3, 1)}, {"cell_size": (16, 13)}],
)
def test_equals_the_definition(dtype, parameters):
    frame = np.random.default_rng(0).integers(0, 256, (50, 45)).astype(dtype)
    frame[10:30, 5:25] = 128  # flat parts have no direction
    got = frame_hog(frame, **parameters)
    assert got.dtype == (np.float64 if dtype == np.float64 else np.float32)
    np.testing.assert_allclose(got, reference(frame, **parameters), atol=1e-6)


def test_equals_the_definition_on_real_clips(shared_data):
    clip = min((shared_data / "java-sed").glob("*.mp4"))
    frames = VideoLoader(n_frames=2, size=(224, 224)).transform([clip])
    got = FrameHOG().transform(frames)
    assert got.shape == (1, 2, 27 * 27 * 4 * 9)
    for frame, described in zip(frames[0], got[0], strict=True):
        np.testing.assert_allclose(described, reference(frame), atol=1e-6)


@settings(deadline=None, max_examples=50)
@given(pixels, pairs, pairs, st.integers(2, 12))
def test_every_block_has_unit_norm_or_none(frame, cell_size, block_size, n_bins):
    descriptor = frame_hog(frame, n_bins, cell_size, block_size)
    # Small frames make one cell and one block.
    cell = np.minimum(cell_size, frame.shape)
    block = np.minimum(block_size, frame.shape // cell)
    n_blocks = np.prod(frame.shape // cell - block + 1)
    assert descriptor.shape == (n_blocks * np.prod(block) * n_bins,)
    assert (descriptor >= 0).all()
    norms = np.linalg.norm(descriptor.reshape(n_blocks, -1), axis=1)
    assert np.all((np.abs(norms - 1) < 1e-3) | (norms == 0))


@settings(deadline=None, max_examples=20)
@given(pixels)
def test_brightness_contrast_and_negatives_do_not_matter(frame):
    frame = frame.astype(np.float64)
    np.testing.assert_allclose(frame_hog(100 - frame / 4), frame_hog(frame), atol=1e-3)


def test_colour_is_turned_into_luma():
    rgb = np.random.default_rng(0).integers(0, 256, (20, 24, 3), dtype=np.uint8)
    grey = (rgb @ np.array([0.299, 0.587, 0.114])).round().astype(np.uint8)
    np.testing.assert_array_equal(frame_hog(rgb), frame_hog(grey))
    clips = rgb[np.newaxis, np.newaxis]
    np.testing.assert_array_equal(FrameHOG().fit_transform(clips)[0, 0], frame_hog(grey))


def test_what_a_clip_gives_depends_on_its_frames_alone():
    rng = np.random.default_rng(0)
    clips = [rng.integers(0, 256, (n, 20, 24), dtype=np.uint8) for n in (3, 1, 3)]
    described = FrameHOG().fit_transform(clips)
    assert described.dtype == object
    for clip, got in zip(clips, described, strict=True):
        np.testing.assert_array_equal(got, [frame_hog(frame) for frame in clip])
    equal = FrameHOG().fit_transform(clips[::2])  # a column still, though its clips are alike
    assert equal.shape == (2,)
    np.testing.assert_array_equal(equal[1], described[2])
    stacked = FrameHOG().fit_transform(np.stack(clips[::2]))
    np.testing.assert_array_equal(stacked, np.stack(list(equal)))


def test_a_row_of_a_table_is_a_row_of_pixels():
    table = np.random.default_rng(0).normal(size=(3, 40))
    got = FrameHOG().fit_transform(table)
    np.testing.assert_array_equal(got, [frame_hog(row[np.newaxis]) for row in table])
    assert got.shape == (3, 4 * 2 * 9)
    assert got.any(axis=1).all()


@pytest.mark.parametrize(("stride", "shape"), [(None, (2, 5, 108)), (4, (2,))])
def test_in_a_clip_pipeline(stride, shape, tmp_path):
    rng = np.random.default_rng(0)
    clips = [rng.integers(0, 256, (n, 30, 40), dtype=np.uint8) for n in (9, 13)]
    load = VideoLoader(n_frames=5, size=(16, 32), stride=stride)
    steps = [("load", load), ("hog", FrameHOG())]
    alone = FrameHOG().fit_transform(load.fit_transform(clips))
    assert alone.shape == shape
    for _ in range(2):  # computed, then from the cache
        got = ClipPipeline(steps, memory=tmp_path, n_jobs=2).fit_transform(clips)
        assert got.shape == shape
        for ours, theirs in zip(got, alone, strict=True):
            np.testing.assert_array_equal(ours, theirs)


def test_names_follow_the_flattened_descriptor():
    clips = np.random.default_rng(0).integers(0, 256, (2, 3, 32, 40), dtype=np.uint8)
    hog = FrameHOG(n_bins=6, block_size=(2, 3)).fit(clips)
    names = hog.get_feature_names_out()
    described = hog.transform(clips)
    assert len(set(names)) == len(names) == described[0].size
    place = np.ravel_multi_index((1, 2, 1, 0, 2, 5), (3, 3, 3, 2, 3, 6))
    assert names[place] == "hog_y02_x01_r0_c2_bin5_frame001"
    column = clone(hog).fit(list(clips)).get_feature_names_out()
    assert list(column) == [name.removesuffix("_frame000") for name in names[: len(column)]]
    assert len(column) == described.shape[2]


@pytest.mark.parametrize(
    ("parameters", "clips", "message"),
    [
        ({"cell_size": (8, 8, 8)}, np.zeros((1, 1, 16, 16)), "cell_size must be two positive"),
        ({"block_size": (2, 0)}, np.zeros((1, 1, 16, 16)), "block_size must be two positive"),
        ({}, np.zeros((1, 16, 16)), "clips of shape"),
        ({}, np.zeros((1, 0, 16, 16)), "empty"),
        ({}, np.zeros((1, 1, 16, 16, 4)), "1 or 3 channels"),
        ({}, np.full((1, 1, 16, 16), np.nan), "NaN"),
        ({}, [np.zeros((1, 16, 16)), np.full((1, 16, 16), np.inf)], "infinity in row 1"),
        ({}, ["clip.mp4"], "frames of shape .*VideoLoader.*clip.mp4"),
        (
            {},
            [np.zeros((1, 16, 16)), np.zeros((1, 16, 24))],
            "in row 1: .*16 x 16 .* found 16 x 24.*size=",
        ),
    ],
)
def test_refuses(parameters, clips, message):
    with pytest.raises(ValueError, match=message):
        FrameHOG(**parameters).fit(clips).transform(clips)


def test_refuses_other_frames_than_at_fit():
    hog = FrameHOG().fit([np.zeros((2, 16, 16))])
    with pytest.raises(ValueError, match="expected frames of 16 x 16 pixels"):
        hog.transform([np.zeros((2, 16, 24))])


def test_tells_how_to_get_the_missing_package(monkeypatch):
    monkeypatch.setitem(sys.modules, "skimage.feature", None)
    with pytest.raises(ImportError, match=r'FrameHOG needs scikit-image: .*"skemotion\[image\]"'):
        FrameHOG().fit_transform(np.zeros((1, 1, 16, 16)))
