import sys

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pytest

from skemotion.inspection import EvaluationDisplay
from skemotion.model_selection import Evaluation

LABELS = ["calm", "angry", "sad"]
TRUE = np.array(["calm", "calm", "angry", "calm", "angry", "calm"])
GUESS = np.array(["calm", "angry", "angry", "calm", "sad", "sad"])


@pytest.fixture(autouse=True)
def no_screen():
    mpl.use("Agg")
    yield
    plt.close("all")


def words(display):
    return [[text.get_text() for text in row] for row in display.text_]


def test_an_evaluation(tmp_path):
    result = Evaluation("speaker-dependent", TRUE, GUESS, np.array([1, 1, 2, 2, 3, 3]), LABELS, 6,
                        2, uses_speaker_clips=True)  # fmt: skip
    display = result.plot()
    assert words(display) == [["50", "25", "25"], ["0", "50", "50"], ["", "", ""]]
    np.testing.assert_allclose(display.shares[0], [0.5, 0.25, 0.25])
    first, second = display.ax_.get_title().splitlines()
    assert first.startswith("speaker-dependent: UAR 50.0% (")
    assert second == "6 clips, 3 speakers, 2 splits; adapted to each tested speaker"
    assert [tick.get_text() for tick in display.ax_.get_yticklabels()] == LABELS
    display.figure_.savefig(tmp_path / "confusion.png")
    assert (tmp_path / "confusion.png").stat().st_size > 5000


def test_axes_of_ones_own_and_sorted_labels():
    _, axes = plt.subplots()
    display = EvaluationDisplay.from_predictions([3, 1, 3], [3, 3, 1], ax=axes)
    assert display.ax_ is axes
    assert display.figure_ is axes.figure
    assert display.labels == [1, 3]
    assert words(display) == [["0", "100"], ["50", "50"]]
    assert axes.get_title() == ""


def test_numbers_stand_out_from_their_cells():
    display = EvaluationDisplay(np.array([[9, 1], [4, 6]]), labels="ab").plot()
    for text, share in zip(display.text_.ravel(), display.shares.ravel(), strict=True):
        ground = np.array(display.im_.cmap(display.im_.norm(share))[:3])
        luminance = [_luminance(color) for color in (mpl.colors.to_rgb(text.get_color()), ground)]
        # Web Content Accessibility Guidelines 2.1: 4.5 to 1 for text.
        assert (max(luminance) + 0.05) / (min(luminance) + 0.05) >= 4.5


def _luminance(color):
    color = np.asarray(color)
    linear = np.where(color <= 0.03928, color / 12.92, ((color + 0.055) / 1.055) ** 2.4)
    return linear @ [0.2126, 0.7152, 0.0722]


def test_without_matplotlib(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    with pytest.raises(ImportError, match=r"pip install \"skemotion\[plot\]\""):
        EvaluationDisplay.from_predictions(["a", "b"], ["a", "b"])
