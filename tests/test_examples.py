import re
import runpy
import sys
from pathlib import Path

import numpy as np
import pytest
from sklearn.neural_network import MLPClassifier

from skemotion.datasets import make_ravdess

EXAMPLES = Path(__file__).parents[1] / "examples"


@pytest.fixture
def brief(monkeypatch):
    """Let perceptrons stop after three passes."""
    fit = MLPClassifier.fit
    monkeypatch.setattr(MLPClassifier, "fit", lambda self, X, y: fit(_brief(self), X, y))


@pytest.mark.filterwarnings("ignore:The number of classes in training:UserWarning")
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_grid_search_over_cell_sizes_and_ranks(brief, shared_data, tmp_path, capsys):
    main = runpy.run_path(str(EXAMPLES / "grid_search.py"))["main"]
    words = [str(shared_data / "java-sed"), "--naming", "java-sed", "--clips", "16", "--folds", "2"]
    search = main([*words, "--cache", str(tmp_path)])
    assert len(search.cv_results_["params"]) == 4
    assert not any(map(str.isalpha, str(search.cv_results_["mean_test_score"].tolist())))  # no nan
    printed = capsys.readouterr().out
    # 16 clips: frames, two descriptors, and four stages of sound.
    assert "ClipCache: 112 entries" in printed


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_scaling_is_left_out(brief, tmp_path, capsys):
    main = runpy.run_path(str(EXAMPLES / "leave_out_scaling.py"))["main"]
    words = [str(make_corpus(tmp_path)), "--modality", "audio", "--seeds", "1"]
    results = main(words)
    assert [result.n_splits for result in results] == [5, 3] * 2
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert [line[0] for line in lines] == ["scaled"] * 2 + ["not"] * 2


def _brief(classifier):
    return classifier.set_params(max_iter=3)


@pytest.fixture(scope="module")
def compare_methods():
    return runpy.run_path(str(EXAMPLES / "compare_methods.py"))["main"]


def make_corpus(folder):
    return make_ravdess(
        folder,
        n_actors=3,
        emotions=["neutral", "angry", "happy"],
        n_statements=1,
        modalities=["full"],
        duration=0.5,
        frame_size=(72, 128),
    )


def test_methods_are_compared_on_the_same_folds(compare_methods, tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "xgboost", None)
    names = ["hog-nb", "one-hog-lda", "hog-pair", "face-hog", "mfcc-means", "augmented-svm"]
    names += ["statistics-all", "statistics-xgboost", "rnn", "onnx-*", "functionals*"]
    words = ["--corpus", str(make_corpus(tmp_path / "corpus")), "--cache", str(tmp_path / "cache")]
    rows = compare_methods([*words, "--jobs", "1", "--methods", *names])
    assert [row.columns for row in rows] == [
        "4,340",
        *["34,596 a frame", "26,244 a frame", "34,596 a frame", "34,596 a frame"],
        *["13", "204", "480", "", "34 a frame", "64"],
    ]
    needs = "needs xgboost: python -m pip install xgboost"
    assert [row.note for row in rows] == [needs if i == 8 else "" for i in range(11)]
    # Each actor has a clip of neutral and two of the others.
    for row in rows[:8]:
        share, low, high = (float(x) for x in re.findall(r"[\d.]+", row.uar))
        assert 0 <= low <= share <= high <= 100
        n_clips = 9 if row.method.endswith("neutral or angry") else 15
        hits = float(row.accuracy.split("%")[0]) / 100 * n_clips
        assert hits == pytest.approx(round(hits), abs=0.01)
    printed = capsys.readouterr().out
    assert "15 clips of 3 actors, 3 emotions; guessing gives 33.3 % UAR." in printed
    table = [line for line in printed.splitlines() if line.startswith("| ")][2:]
    assert [line.split(" | ")[0] for line in table] == [f"| {row.method}" for row in rows]


def test_a_method_that_fails_says_on_which_clip(compare_methods, tmp_path):
    corpus = make_corpus(tmp_path / "corpus")
    clip = next(corpus.rglob("*.mp4"))
    clip.write_bytes(b"not a clip")
    words = ["--corpus", str(corpus), "--cache", str(tmp_path / "cache")]
    [row] = compare_methods([*words, "--methods", "mfcc-means"])
    assert row.note.startswith("failed: ")
    assert clip.name in row.note
    assert not row.uar


def test_ablations(tmp_path, capsys):
    main = runpy.run_path(str(EXAMPLES / "ablations.py"))["main"]
    corpus = make_ravdess(
        tmp_path / "corpus", n_actors=3, emotions=["neutral", "happy"], duration=0.5,
        modalities=["audio-only"], n_statements=1,
    )  # fmt: skip
    found = dict(main(["sound", str(corpus), "--cache", str(tmp_path / "cache"), "--jobs", "1"]))
    assert len(found) == 26
    # The blocks are those of the names, and a step left out changes something.
    assert not np.array_equal(
        found["timing alone"].probabilities, found["without timing"].probabilities
    )
    assert not np.array_equal(
        found["the recipe"].probabilities, found["without weighting"].probabilities
    )
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("| ")]
    assert sum(line.startswith("| the recipe |") for line in lines) == 2
    assert len(lines) == 27 + 4
