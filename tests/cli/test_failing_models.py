"""Models that fail, such as forged ones, and what their files say: words, no tracebacks."""

import json
import zipfile

import numpy as np
import pytest
from helpers import sine_wav
from sklearn.compose import ColumnTransformer
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skemotion import cli, load_model, save_model
from skemotion.audio import AudioLoader
from skemotion.base import as_table
from skemotion.decomposition import TrajectoryStatistics
from skemotion.pipeline import ClipPipeline

EVIL = "\x1b]0;owned\x07\x1b[2J\n=1+1"


@pytest.fixture(scope="module")
def clips(tmp_path_factory):
    folder = tmp_path_factory.mktemp("clips")
    paths = [folder / f"{number}.wav" for number in range(4)]
    for number, path in enumerate(paths):
        path.write_bytes(sine_wav(4000 + 1000 * number))
    return [str(path) for path in paths]


@pytest.fixture(scope="module")
def path(clips, tmp_path_factory):
    """A model with a label that commands the terminal."""
    steps = [("load", AudioLoader()), ("statistics", TrajectoryStatistics(("mean", "std")))]
    describe = ColumnTransformer([("sound", ClipPipeline(steps, flatten=True), "audio")])
    model = make_pipeline(describe, StandardScaler(), GaussianNB())
    model.fit(as_table(clips, ["audio"]), [EVIL, "sad", EVIL, "sad"])
    return save_model(model, tmp_path_factory.mktemp("model") / "model.skops", seconds=1.0)


def define():
    class Fails(GaussianNB):
        error = None

        def predict_proba(self, X):
            raise self.error

    return Fails


@pytest.mark.parametrize("command", ["predict", "timeline", "explain", "serve"])
@pytest.mark.parametrize(
    "error",
    [
        AttributeError("no ndim"),
        KeyError("nothing"),
        IndexError("out of range"),
        TypeError("no loop"),
        MemoryError("too much"),
        RecursionError("too deep"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_a_model_that_fails_is_named(path, clips, command, error, monkeypatch, capsys):
    model = load_model(path)
    failing = define()()
    vars(failing).update(vars(model[-1]), error=error)
    model.steps[-1] = ("fails", failing)
    if command == "serve":
        model = failing
    monkeypatch.setattr("skemotion.persistence.load_model", lambda path: model)
    monkeypatch.setattr("skemotion.app.serve", lambda model, *_, **__: model.predict_proba(None))
    assert cli.main([command, str(path), *([clips[0]] if command != "serve" else [])]) == 1
    out, err = capsys.readouterr()
    assert not out
    said = (
        f"skemotion: {path}: the model fails: {type(error).__name__}: {error}. Is the file damaged"
    )
    assert err.splitlines()[-1].startswith(said)


@pytest.mark.parametrize("error", [ValueError("in words"), OSError("disk full")])
def test_what_has_words_of_its_own_keeps_them(path, clips, error, monkeypatch, capsys):
    def fail(*_, **__):
        raise error

    monkeypatch.setattr("skemotion.inspection.explain", fail)
    assert cli.main(["explain", str(path), clips[0]]) == 1
    assert capsys.readouterr().err == f"skemotion: {error}\n"


def test_mistakes_elsewhere_are_not_the_models(path, clips, monkeypatch):
    def fail(words):
        raise AttributeError("of the command line")

    monkeypatch.setattr("skemotion.cli._predict.print_line", fail)
    with pytest.raises(AttributeError, match="of the command line"):
        cli.main(["predict", str(path), clips[0]])


def test_an_unsuitable_model_is_refused_once(path, clips, monkeypatch, capsys):
    model = load_model(path)[:1]
    monkeypatch.setattr("skemotion.persistence.load_model", lambda path: model)
    for command, n_clips in (("predict", 2), ("timeline", 2), ("explain", 1)):
        assert cli.main([command, str(path), *clips[:n_clips]]) == 1
        [line] = capsys.readouterr().err.splitlines()
        assert line.startswith(f"skemotion: {path}: ")
        assert "expected a" in line
        assert "model fails" not in line


@pytest.mark.parametrize("command", ["predict", "timeline", "explain"])
def test_labels_do_not_command_the_terminal(path, clips, command, capsys):
    assert cli.main([command, str(path), clips[0]]) == 0
    out = capsys.readouterr().out
    assert out.replace("\n", "").replace("\t", "").isprintable()
    assert all(line.startswith((clips[0], "  sound: ")) for line in out.splitlines())
    label = r"\x1b]0;owned\x07\x1b[2J\n=1+1"
    assert label in out.splitlines()[0] or "sad" in out.splitlines()[0]
    assert label in cli_output(capsys, "explain", path, clips[0], "--target", EVIL)


def cli_output(capsys, *words):
    cli.main([str(word) for word in words])
    return capsys.readouterr().out


@pytest.mark.parametrize(
    "training", [{"seconds": "x"}, {"speaker": ["x"]}, {"speaker": {"x": 1}, "seconds": [1]}]
)
def test_what_a_file_says_of_its_training_may_be_anything(path, clips, training, tmp_path, capsys):
    with zipfile.ZipFile(path) as file:
        members = {name: file.read(name) for name in file.namelist()}
    about = json.loads(members["about.json"])
    about["training"] = training
    members["about.json"] = json.dumps(about).encode()
    altered = tmp_path / "altered.skops"
    with zipfile.ZipFile(altered, "w") as file:
        for name, content in members.items():
            file.writestr(name, content)
    assert cli.main(["predict", str(altered), clips[0], "--speaker", "me"]) == 0
    out, err = capsys.readouterr()
    assert out.startswith(clips[0])
    assert not err
    assert np.isfinite(float(out.split()[-1]))
