"""Predictions of files, folders and tables, printed and in files."""

import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pandas as pd
import pytest
from helpers import sine_wav
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline

from skemotion import cli, save_model
from skemotion.audio import AudioLoader
from skemotion.base import as_table
from skemotion.classification import FusionClassifier
from skemotion.decomposition import TrajectoryStatistics
from skemotion.pipeline import ClipCache, ClipPipeline, predict_clips


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Forty clips, of which each tenth cannot be used."""
    folder = tmp_path_factory.mktemp("clips")
    for number in range(40):
        clip = b"torn" if number % 10 == 5 else sine_wav(1500 + 100 * number)
        place = folder / f"part{number % 2}" / f"{number:02}.wav"
        place.parent.mkdir(exist_ok=True)
        place.write_bytes(clip)
    return folder


@pytest.fixture(scope="module")
def model(folder, tmp_path_factory):
    """One that is saved as train does it, and answers at once."""
    describe = ClipPipeline(
        [("load", AudioLoader()), ("statistics", TrajectoryStatistics(("mean", "std")))],
        on_error="nan",
        flatten=True,
    )
    fusion = FusionClassifier(
        [("audio", make_pipeline(describe, GaussianNB()), "audio")], calibrate=False
    )
    clips = sorted(map(str, folder.rglob("*[0-4].wav")))
    fusion = fusion.fit(as_table(clips, ["audio"]), np.resize(["happy", "sad"], len(clips)))
    return save_model(fusion, tmp_path_factory.mktemp("model") / "model.skops", picture="face")


@pytest.fixture
def run(capsys):
    """Run a command; give its status, and the lines of output and of errors."""

    def run(*words):
        capsys.readouterr()
        status = cli.main([str(word) for word in (*words, "--jobs", "1")])
        out, err = capsys.readouterr()
        return status, out.splitlines(), err.splitlines()

    return run


@pytest.mark.skipif(sys.platform != "linux", reason="other systems refuse such names")
def test_no_name_ends_a_run_or_a_line(model, run, tmp_path, monkeypatch):
    """Not one of another encoding, nor with a line's end, or a command to the terminal."""
    names = [b"a.wav", b"b\xff\xe9.wav", b"c\xc3\xa9.wav", b"d\n\x1b[31m.wav", b"e\xe2\x80\xae.wav"]
    for number, name in enumerate(names):
        (tmp_path / os.fsdecode(name)).write_bytes(b"torn" if number == 3 else sine_wav(2000))
    monkeypatch.chdir(tmp_path)
    status, lines, errors = run("predict", model, ".")
    printed = ["a.wav", r"b\udcff\udce9.wav", "c\u00e9.wav", r"e\u202e.wav"]
    assert sorted(line.split("\t")[0] for line in lines) == printed
    assert [error.partition(": expected")[0] for error in errors] == [r"skemotion: d \x1b[31m.wav"]
    assert status == 1


def test_a_folder_to_a_table(folder, model, run, tmp_path):
    out = tmp_path / "out.csv"
    status, lines, errors = run("predict", model, folder, "-o", out)
    assert (status, len(lines), len(errors)) == (1, 36, 4)
    table = pd.read_csv(out)
    assert table["file"].tolist() == sorted(map(str, folder.rglob("*.wav")))
    good = table[table["error"].isna()]
    shares = good[["probability_happy", "probability_sad"]].max(axis=1)
    expected = zip(good["file"], good["label"], shares, strict=True)
    assert lines == [f"{file}\t{label}\t{share:.2f}" for file, label, share in expected]
    bad = table[table["error"].notna()]
    assert errors == [f"skemotion: {reason}" for reason in bad["error"]]
    for file, reason in zip(bad["file"], bad["error"], strict=True):
        assert reason.startswith(f"{file}: expected")
    # Done already: said again, and nothing else.
    before = out.read_bytes()
    again = run("predict", model, folder, "-o", out)
    assert again[0] == 1
    assert "resume" in again[2][0]
    assert run("predict", model, folder, "-o", out, "--resume") == (status, lines, errors)
    assert out.read_bytes() == before


def test_a_model_of_one_column(folder, run, tmp_path):
    """As one that is trained in Python on a list of paths; the command line finds tables."""
    describe = ClipPipeline(
        [("load", AudioLoader()), ("statistics", TrajectoryStatistics(("mean",)))], flatten=True
    )
    clips = sorted(map(str, folder.rglob("*[0-4].wav")))
    model = make_pipeline(describe, GaussianNB()).fit(clips, np.resize(["happy", "sad"], 20))
    status, lines, errors = run("predict", save_model(model, tmp_path / "model.skops"), *clips[:3])
    assert (status, errors) == (0, [])
    assert [line.split("\t")[:2] for line in lines] == [
        [clip, label] for clip, label in zip(clips[:3], model.predict(clips[:3]), strict=True)
    ]
    table = pd.DataFrame({"video": ["a.mp4", clips[0]], "audio": ["a.mp4", "b.wav"]})
    with pytest.raises(ValueError, match=r"Row 1 has 2 clips .* and the model takes one"):
        list(predict_clips(model, table))


def test_a_cache_is_kept(folder, model, run, tmp_path):
    expected = run("predict", model, folder / "part0")
    assert run("predict", model, folder / "part0", "--cache", tmp_path / "cache") == expected
    # Two stages of each clip.
    assert ClipCache(tmp_path / "cache").n_entries == 2 * len(expected[1])


@pytest.mark.filterwarnings("ignore:.* clips? listed more than once:UserWarning")
def test_a_table_of_clips(folder, model, run, tmp_path):
    good, gone = str(folder / "part0" / "02.wav"), str(tmp_path / "gone.wav")
    table = pd.DataFrame({"sound": [*[good] * 5, gone, None], "video": [None] * 6 + [good]})
    table.to_csv(tmp_path / "list.csv", index=False)
    out = tmp_path / "out.json"
    words = ("predict", model, tmp_path / "list.csv", "--audio", "sound", "-o", out)
    status, lines, errors = run(*words)
    assert (status, len(lines), len(errors)) == (1, 5, 2)
    rows = json.loads(out.read_text())
    assert [row["file"] for row in rows] == [*[good] * 5, gone, good]
    assert [row["label"] is None for row in rows] == [False] * 5 + [True] * 2
    assert "found no such file" in rows[5]["error"]
    assert rows[6]["error"].startswith("row 6: expected a clip, found an empty cell")


def test_what_is_wrong_is_said_before_the_work(folder, model, run, tmp_path):
    (tmp_path / "empty").mkdir()
    for words, message in (
        (("predict", model, folder, "-o", tmp_path / "out.txt"), "ends in .csv, .json, .jsonl"),
        (("predict", model, folder, "-o", tmp_path / "gone" / "out.csv"), "no such folder"),
        (("predict", model, folder, "--resume"), "give one by --out"),
        (("predict", model, tmp_path / "empty"), "files of sound or video"),
        (("predict", model, tmp_path / "gone.csv"), "no such file"),
    ):
        status, lines, errors = run(*words)
        assert (status, lines, len(errors)) == (1, [], 1)
        assert message in errors[0]
    assert [path.name for path in tmp_path.iterdir()] == ["empty"]


def start(*words, **settings):
    """Start the command line in a process of its own."""
    command = [sys.executable, "-m", "skemotion", *map(str, words)]
    return subprocess.Popen(command, text=True, stderr=subprocess.PIPE, **settings)


def test_a_killed_run_goes_on(folder, model, run, tmp_path):
    out, whole = tmp_path / "out.csv", tmp_path / "whole.csv"
    words = ("predict", model, folder)
    expected = run(*words, "-o", whole)
    process = start(
        *words, "-o", out, "--jobs", "2", stdout=subprocess.PIPE, start_new_session=True,
        env={**os.environ, "TMPDIR": str(tmp_path)},  # where a killed run may leave something
    )  # fmt: skip
    while not out.exists() or out.read_bytes().count(b"\n") < 3:
        assert process.poll() is None or out.exists()
        time.sleep(0.02)
    os.killpg(process.pid, signal.SIGKILL)  # its workers as well
    process.communicate()
    content = whole.read_bytes()
    assert content.startswith(out.read_bytes())
    assert run(*words, "-o", out, "--resume") == expected
    assert out.read_bytes() == content


def test_closed_output_is_an_error(folder, model, run, monkeypatch, tmp_path):
    with monkeypatch.context() as context:
        context.setattr("sys.stdout", None)
        status, _, errors = run("predict", model, folder)
    assert status == 1
    assert "Standard output is closed" in errors[-1]
