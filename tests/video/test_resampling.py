import cv2
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from skemotion.video._resampling import shrink


def sides(largest):
    return st.integers(1, largest).flatmap(lambda n: st.tuples(st.just(n), st.integers(1, n)))


@settings(deadline=None, max_examples=100)
@given(sides(40), sides(60))
def test_equals_the_mean_over_the_covered_area(rows, columns):
    (old_height, height), (old_width, width) = rows, columns
    picture = np.random.default_rng(0).integers(0, 256, (old_height, old_width), dtype=np.uint8)
    # Each pixel repeated so often that the new edges fall between pixels: then a plain mean.
    fine = np.repeat(np.repeat(picture.astype(float), height, axis=0), width, axis=1)
    mean = fine.reshape(height, old_height, width, old_width).mean(axis=(1, 3))
    got = shrink(picture, height, width)
    assert got.dtype == np.uint8
    assert np.abs(got - mean).max() <= 0.5 + 1e-3


def test_equals_opencv_on_a_third_of_720p():
    picture = np.random.default_rng(0).integers(0, 256, (720, 1280), dtype=np.uint8)
    other = cv2.resize(picture, (426, 240), interpolation=cv2.INTER_AREA)
    assert np.abs(shrink(picture, 240, 426).astype(int) - other).max() <= 1


def test_takes_a_plane_with_padded_rows():
    plane = np.random.default_rng(0).integers(0, 256, (60, 128), dtype=np.uint8)
    np.testing.assert_array_equal(
        shrink(plane[:54, :90], 18, 30), shrink(plane[:54, :90].copy(), 18, 30)
    )


def test_enlarges():
    picture = np.arange(12, dtype=np.uint8).reshape(3, 4)
    assert shrink(picture, 6, 8).shape == (6, 8)
    assert shrink(picture, 2, 8).shape == (2, 8)
