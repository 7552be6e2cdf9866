"""Explanations as pictures and files; what is drawn is what was found."""

import pickle

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure

from skemotion.inspection import (
    EXPLANATION_FORMATS,
    Explanation,
    ExplanationDisplay,
    explain,
    write_explanation,
)
from skemotion.inspection._explained_frames import ExplainedFrame
from skemotion.video._face_shape import MEAN_FACE

FOR, AGAINST = to_rgba("#0072B2"), to_rgba("#D55E00")


def explanation_of(maps=None, frames=None, parts=("pitch", "mouth", "jaw")):
    details = pd.DataFrame(
        {
            "modality": ["audio", "video", "video"],
            "part": list(parts),
            "measure": ["pitch", "lip corners <pulled> up", "jaw dropped"],
            "effect": [0.7, -1.2, 0.001],
        }
    )
    return Explanation(
        clip="folder/<a>.mp4",
        target="happy",
        label="sad",
        details=details,
        score=-0.5,
        average_score=0.0,
        probabilities=pd.Series({"happy": 0.38, "sad": 0.62}),
        average_probabilities=pd.Series({"happy": 0.5, "sad": 0.5}),
        maps=maps,
        frames=frames,
    )


@pytest.fixture
def cells():
    effects = np.zeros((3, 2, 4))
    effects[1, 0, 2], effects[2, 1, 3] = 0.5, -0.4
    frames = [ExplainedFrame(t / 3, np.full((20, 40), 9 * t, np.uint8), None) for t in range(3)]
    return effects, frames


def test_bars_are_the_parts():
    explanation = explanation_of()
    display = ExplanationDisplay.from_explanation(explanation)
    names = [text.get_text() for text in display.ax_.get_yticklabels()]
    assert names == ["video: mouth", "audio: pitch", "video: jaw"]
    np.testing.assert_allclose([bar.get_width() for bar in display.bars_], [-1.2, 0.7, 0.001])
    assert [bar.get_facecolor() for bar in display.bars_] == [AGAINST, FOR, FOR]
    # In print without colour, too.
    assert [bool(bar.get_hatch()) for bar in display.bars_] == [True, False, False]
    assert [text.get_text() for text in display.ax_.texts] == ["-1.20", "+0.70", "0.00"]
    assert display.axes_ == {}
    assert "happy, 38% (average clip: 50%); the answer is sad" in str(display.figure_._suptitle)
    ax = Figure().subplots()
    assert ExplanationDisplay.from_explanation(explanation, ax=ax, title="why").ax_ is ax
    assert ax.get_title() == "why"


def test_maps_lie_on_the_frames_that_count(cells):
    effects, frames = cells
    display = ExplanationDisplay(explanation_of({"video": effects}, {"video": frames}))
    display.plot(figure=Figure())
    axes = display.axes_["video"]
    assert len(axes) == 3
    for time, ax in enumerate(axes):
        picture, shown = ax.images
        np.testing.assert_array_equal(picture.get_array(), frames[time].image)
        np.testing.assert_array_equal(shown.get_array(), effects[time])
        assert picture.get_extent() == shown.get_extent()
        # Cells keep the shape that they have in the picture.
        assert ax.get_aspect() == pytest.approx(20 * 4 / (40 * 2))
        outlines = [(patch.get_xy(), patch.get_edgecolor()) for patch in ax.patches]
        expected = {0: [], 1: [((1.5, -0.5), FOR)], 2: [((2.5, 0.5), AGAINST)]}
        assert outlines == expected[time]


def test_curves_are_drawn_by_feature_and_time():
    curves = pd.DataFrame([[0.1, -0.2], [0.0, 0.3]], index=["mfcc00", "rms"], columns=[0, 0.5])
    display = ExplanationDisplay(explanation_of({"audio": curves})).plot(figure=Figure())
    [ax] = display.axes_["audio"]
    np.testing.assert_array_equal(ax.images[0].get_array(), curves)
    assert [text.get_text() for text in ax.get_yticklabels()] == ["mfcc00", "rms"]


@pytest.mark.parametrize("with_picture", [True, False])
def test_parts_are_drawn_on_the_face(with_picture):
    points = 100 + 50 * MEAN_FACE
    image = np.zeros((200, 200, 3), np.uint8) if with_picture else None
    frames = {"video": [ExplainedFrame(0.25, image, points)]}
    display = ExplanationDisplay(explanation_of(frames=frames)).plot(figure=Figure())
    [ax] = display.axes_["video"]
    assert {text.get_text() for text in ax.texts} == {"mouth -1.20", "jaw 0.00"}
    widths = {line.get_color(): line.get_linewidth() for line in ax.lines}
    assert widths["#D55E00"] > widths["#0072B2"]
    np.testing.assert_allclose(ax.lines[-1].get_xydata().mean(), 100, atol=40)
    assert ax.get_ylim()[0] > ax.get_ylim()[1]


def test_files(tmp_path):
    explanation = explanation_of()
    starts = (b"<!DOCTYPE html>", b"\x89PNG", b"<?xml", b"%PDF", b"clip,target,modality")
    for suffix, start in zip(EXPLANATION_FORMATS, starts, strict=True):
        path = write_explanation(explanation, tmp_path / f"out{suffix}")
        assert path.read_bytes().startswith(start)
    page = (tmp_path / "out.html").read_text(encoding="utf-8")
    assert "&lt;a&gt;.mp4" in page
    assert "<a>" not in page
    assert "<pulled>" not in page
    assert "http" not in page.replace("http-equiv", "")
    assert "data:image/png;base64," in page
    assert "&lt;a&gt;.mp4" in explanation._repr_html_()
    assert pd.read_csv(tmp_path / "out.csv").equals(explanation.to_frame())
    assert "video: mouth -1.20" in repr(pickle.loads(pickle.dumps(explanation)))
    with pytest.raises(ValueError, match=r"\.html, \.png"):
        write_explanation(explanation, tmp_path / "out.mp3")


def test_hog3d_is_shown_on_the_frames_that_it_describes():
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    from skemotion.pipeline import ClipPipeline
    from skemotion.video import HOG3D, VideoLoader

    clips = np.zeros((8, 20, 60, 72), dtype=np.uint8)
    clips += np.arange(20, dtype=np.uint8)[:, np.newaxis, np.newaxis]
    clips[::2, 10:, 40:50, 12:24] += 200  # late, below, on the left
    describe = ClipPipeline([("load", VideoLoader(20, 1)), ("hog3d", HOG3D((5, 10, 12)))])
    describe.set_params(flatten=True)
    model = make_pipeline(describe, StandardScaler(), LogisticRegression())
    model.fit(list(clips), ["odd", "even"] * 4)
    explanation = explain(model, clips[0])
    effects = explanation.maps["clip"]
    assert effects.shape == (4, 6, 6)
    assert effects.sum() == pytest.approx(explanation.score - explanation.average_score)
    assert effects[1:, 3:6, 0:3].sum() == pytest.approx(effects.sum())
    assert np.unravel_index(effects.argmax(), effects.shape)[1:] in {(4, 0), (4, 1), (4, 2)}
    images = [frame.image for frame in explanation.frames["clip"]]
    np.testing.assert_array_equal(images, clips[0][[2, 7, 12, 17]])
    display = ExplanationDisplay.from_estimator(model, clips[0], random_state=0)
    assert len(display.axes_["clip"]) == 4
