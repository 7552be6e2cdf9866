"""``skemotion explain``: printed, saved, and refused before the work."""

import numpy as np
import pandas as pd
import pytest
from helpers import sine_wav
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skemotion import cli, inspection, save_model
from skemotion.audio import AudioLoader
from skemotion.decomposition import TrajectoryStatistics
from skemotion.pipeline import ClipPipeline


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Two models and their clips."""
    folder = tmp_path_factory.mktemp("explain")
    clips = [folder / f"{number}.wav" for number in range(6)]
    for number, clip in enumerate(clips):
        clip.write_bytes(sine_wav(1500 + 100 * number))
    describe = ClipPipeline(
        [("load", AudioLoader()), ("statistics", TrajectoryStatistics(("mean", "std")))],
        flatten=True,
    )
    names, y = [str(clip) for clip in clips], np.resize(["happy", "sad"], 6)
    for name, classifier in (("model", LogisticRegression()), ("scaler", None)):
        steps = [describe, StandardScaler(), *([classifier] if classifier else [])]
        save_model(make_pipeline(*steps).fit(names, y), folder / f"{name}.skops")
    return folder


def run(*words):
    return cli.main(["explain", *map(str, words)])


def test_explain(folder, tmp_path, capsys):
    model, clip = folder / "model.skops", folder / "1.wav"
    assert run(model, clip) == 0
    out, _ = capsys.readouterr()
    assert out.startswith(f"{clip}: ")
    assert "clip: audio" in out
    for suffix in (".html", ".csv"):
        path = tmp_path / f"out{suffix}"
        assert run(model, clip, "--target", "sad", "-o", path) == 0
        assert capsys.readouterr().out == f"Saved {path}\n"
    assert set(pd.read_csv(tmp_path / "out.csv").target) == {"sad"}


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("model.skops", "lost.wav"), "no such file"),
        (("scaler.skops", "1.wav"), "predict_proba or decision_function"),
        (("model.skops", "1.wav", "--target", "joy"), "one of ['happy', 'sad'], got 'joy'"),
        (("model.skops", "1.wav", "-o", "out.mp3"), "ends in .html"),
        (("model.skops", "1.wav", "-o", "lost/out.png"), "no such folder"),
        (("lost.skops", "1.wav"), "lost.skops"),
    ],
)
def test_refused(folder, words, why, capsys, monkeypatch):
    monkeypatch.chdir(folder)
    assert run(*words) == 1
    out, err = capsys.readouterr()
    assert not out
    assert why in err
    assert err.count("\n") == 1


def test_formats_are_those_of_inspection():
    from skemotion.cli import _explain

    assert _explain.FORMATS == inspection.EXPLANATION_FORMATS
