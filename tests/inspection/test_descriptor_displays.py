"""Displays of HOG3D, Tucker factors and splines: what is drawn is what was computed."""

import numpy as np
import pytest
from matplotlib.figure import Figure

from skemotion.decomposition import BSplineProjector, PartialTucker
from skemotion.inspection import HOG3DDisplay, SplineDisplay, TuckerDisplay
from skemotion.pipeline import ClipPipeline
from skemotion.video import HOG3D, FrameHOG, VideoLoader, hog3d


def longest_ray(lines):
    rays = np.array([line[1] - line[0] for line in lines.get_segments()])
    return rays[np.hypot(*rays.T).argmax()]


@pytest.mark.parametrize(
    ("axis", "direction"), [(2, (1, 0)), (1, (0, 1))], ids=["to the right", "down"]
)
def test_rays_point_where_brightness_grows(axis, direction):
    clip = np.moveaxis(np.tile(np.arange(60.0), (10, 60, 1)), 2, axis)
    display = HOG3DDisplay.from_estimator(HOG3D((5, 10, 12)), clip)
    assert len(display.rays_) == len(display.axes_) == 2
    ray = longest_ray(display.rays_[0])
    cosine = ray @ direction / np.hypot(*ray)
    assert cosine > np.cos(np.pi / 9)  # half a bin
    assert not len(display.discs_[0].get_offsets())  # nothing moves


def test_discs_are_where_something_moves():
    clip = np.zeros((10, 60, 72), dtype=np.uint8)
    clip[:, 40:50, 12:24] = 20 * np.arange(10, dtype=np.uint8)[:, np.newaxis, np.newaxis]
    display = HOG3DDisplay(hog3d(clip, (5, 10, 12)), clip).plot(figure=Figure())
    # Within the brightening square; at its edges, cells see the edges more.
    sizes, places = display.discs_[0].get_sizes(), display.discs_[0].get_offsets()
    np.testing.assert_allclose(places[sizes.argmax()], (18, 45))


def test_clips_and_many_cells():
    rng = np.random.default_rng(0)
    clip = rng.integers(0, 256, (30, 240, 320), dtype=np.uint8)
    steps = [("load", VideoLoader(30, 1)), ("hog3d", HOG3D((5, 4, 4)))]
    display = HOG3DDisplay.from_estimator(ClipPipeline(steps), clip, title="noise")
    assert display.cells_ == [0, 2, 3, 5]
    assert len(display.rays_[0].get_segments()) == 9 * (60 // 3) * (80 // 3)
    # Neighbours are averaged.
    mean = display.descriptor[0, :3, :3, :, 0].mean(axis=(0, 1))
    first = np.array([line[1] - line[0] for line in display.rays_[0].get_segments()[:9]])
    lengths = np.hypot(*first.T)
    np.testing.assert_allclose(lengths / lengths.max(), mean / mean.max(), rtol=1e-5)
    np.testing.assert_array_equal(display.axes_[1].images[0].get_array(), clip[12])
    with pytest.raises(TypeError, match="got FrameHOG"):
        HOG3DDisplay.from_estimator(FrameHOG(), clip)


def test_factors():
    clips = np.random.default_rng(0).normal(size=(12, 30, 8, 2))
    tucker = PartialTucker((12, 3, None)).fit(clips)
    display = TuckerDisplay.from_estimator(tucker)
    assert [len(lines) for lines in display.lines_] == [8, 3]
    for lines, factor in zip(display.lines_, tucker.factors_, strict=False):
        for line, component in zip(lines, factor.T, strict=False):
            drawn = line.get_ydata()
            np.testing.assert_allclose(drawn - drawn.mean(), component - component.mean())
    with pytest.raises(ValueError, match="one for each axis, got 2"):
        TuckerDisplay.from_estimator(tucker, axis_names=["time", "rows"])
    with pytest.raises(ValueError, match="left alone"):
        TuckerDisplay([None, None]).plot()


def test_splines():
    time = np.linspace(0, 1, 60)
    curves = np.stack([time**3, np.ones(60), np.sign(time - 0.5)], axis=1)
    display = SplineDisplay.from_estimator(BSplineProjector(), curves, names=["a", "b", "c"])
    # A cubic is its own spline; a step is not.
    np.testing.assert_allclose(display.errors_[:2], 0, atol=1e-3)
    assert 0.1 < display.errors_[2] < 0.5
    np.testing.assert_allclose(
        display.lines_[0].get_ydata(), np.linspace(0, 1, 300) ** 3, atol=1e-9
    )
    assert display.ax_.get_title() == "a: error 0% of the spread"
    with pytest.raises(ValueError, match="3 names"):
        SplineDisplay.from_estimator(BSplineProjector(), curves, names=["a"])
