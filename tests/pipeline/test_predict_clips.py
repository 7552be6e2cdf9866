"""Predictions one after the other, to files that a killed run leaves whole rows of."""

import json

import numpy as np
import pandas as pd
import pytest
from helpers import sine_wav
from sklearn.base import clone
from sklearn.compose import ColumnTransformer
from sklearn.exceptions import NotFittedError
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.svm import LinearSVC

from skemotion.audio import AudioLoader
from skemotion.base import ClipTransformer
from skemotion.datasets import find_clips
from skemotion.pipeline import ClipPipeline, predict_clips


class Log:
    """Counts what workers do: a file, as these are processes."""

    def __init__(self, path):
        self.path = path

    def add(self):
        with self.path.open("ab") as file:
            file.write(b"x")

    def clear(self):
        self.path.write_bytes(b"")

    def __len__(self):
        return self.path.stat().st_size


class Loudness(ClipTransformer):
    """Two numbers of a waveform."""

    takes = "waveforms"

    def __init__(self, opened):
        self.opened = opened

    def transform_clip(self, clip):
        self.opened.add()
        return np.array([len(clip), np.abs(clip).mean()])


@pytest.fixture(scope="module")
def clips(tmp_path_factory):
    """Ten clips of which two cannot be used, longer and longer."""
    folder = tmp_path_factory.mktemp("clips")
    paths = [folder / f"{number}.wav" for number in range(10)]
    for number, path in enumerate(paths):
        path.write_bytes(b"torn" if number in (3, 8) else sine_wav(1000 + 300 * number))
    return [str(path) for path in paths]


@pytest.fixture(scope="module")
def opened(tmp_path_factory):
    return Log(tmp_path_factory.mktemp("log") / "opened")


@pytest.fixture(scope="module")
def model(clips, opened):
    good = [clip for row, clip in enumerate(clips) if row not in (3, 8)]
    return describe(GaussianNB(), opened).fit(good, [*"aaaabbbb"])


def describe(classifier, opened):
    steps = [("load", AudioLoader()), ("loudness", Loudness(opened))]
    pipeline = ClipPipeline(steps, flatten=True)
    return make_pipeline(pipeline, classifier)


def test_predictions_are_those_of_predict_and_bad_clips_say_why(model, clips):
    found = list(predict_clips(model, clips))
    assert [prediction.row for prediction in found] == list(range(10))
    assert [prediction.clip for prediction in found] == clips
    good = [prediction for prediction in found if prediction.error is None]
    names = [prediction.clip for prediction in good]
    assert [prediction.label for prediction in good] == model.predict(names).tolist()
    shares = [list(prediction.probabilities.values()) for prediction in good]
    np.testing.assert_array_equal(shares, model.predict_proba(names))
    for row in (3, 8):
        assert found[row].label is None
        assert found[row].error.startswith(f"{clips[row]}: expected")
    # The model is what it was.
    assert (model[0].memory, model[0].n_jobs) == (None, None)


def test_a_list_is_a_table_to_a_model_of_columns(model, clips, opened):
    columns = ColumnTransformer([("audio", model[0], "audio"), ("video", model[0], "video")])
    table = pd.DataFrame({"video": clips, "more": 0, "audio": clips})
    by_name = make_pipeline(columns, GaussianNB()).fit(table.drop(index=[3, 8]), [*"aaaabbbb"])
    expected = list(predict_clips(by_name, table))
    assert [row for row, found in enumerate(expected) if found.error] == [3, 8]
    assert list(predict_clips(by_name, clips)) == expected


def test_each_clip_is_described_once(model, clips, opened):
    opened.clear()
    list(predict_clips(model, clips))
    assert len(opened) == 8


def test_a_folder_keeps_what_is_described(model, clips, opened, tmp_path):
    expected = list(predict_clips(model, clips))
    opened.clear()
    assert list(predict_clips(model, clips, memory=tmp_path)) == expected
    assert (len(opened), model[0].memory) == (8, None)
    again = clone(model).fit([clips[0], clips[1]], [*"ab"])
    opened.clear()
    list(predict_clips(again, clips, memory=tmp_path))
    assert len(opened) == 0


@pytest.mark.parametrize("suffix", ["csv", "json", "jsonl"])
def test_files_hold_what_is_predicted(model, clips, tmp_path, suffix):
    out = tmp_path / f"out.{suffix}"
    found = list(predict_clips(model, clips, out=out))
    if suffix == "csv":
        rows = pd.read_csv(out).to_dict("records")
        rows = [{name: None if pd.isna(v) else v for name, v in row.items()} for row in rows]
    else:
        text = out.read_text()
        rows = json.loads(text) if suffix == "json" else [*map(json.loads, text.splitlines())]
    assert list(rows[0]) == ["file", "label", "probability_a", "probability_b", "error"]
    assert [row["file"] for row in rows] == clips
    assert [row["label"] for row in rows] == [prediction.label for prediction in found]
    assert [row["error"] for row in rows] == [prediction.error for prediction in found]
    for row, prediction in zip(rows, found, strict=True):
        share = prediction.probabilities.get("a")
        assert row["probability_a"] == (None if share is None else pytest.approx(share, abs=1e-6))
    assert [path.name for path in tmp_path.iterdir()] == [out.name]


@pytest.mark.parametrize("suffix", ["csv", "jsonl"])
@pytest.mark.parametrize("cut", [0, 3, 40])
def test_a_run_that_was_killed_goes_on(model, clips, opened, tmp_path, suffix, cut):
    whole, part = tmp_path / f"whole.{suffix}", tmp_path / f"part.{suffix}"
    expected = list(predict_clips(model, clips, out=whole))
    content = whole.read_bytes()
    lines = content.splitlines(keepends=True)
    # Up to the sixth line, and a piece of the next; or a piece of the first.
    for kept in (lines[:6], []):
        part.write_bytes(b"".join(kept) + lines[len(kept)][:cut])
        opened.clear()
        found = list(predict_clips(model, clips, out=part, resume=True))
        assert part.read_bytes() == content
        n_kept = max(0, len(kept) - (suffix == "csv"))
        assert len(opened) == sum(row not in (3, 8) for row in range(n_kept, 10))
        assert [row[:3] for row in found] == [row[:3] for row in expected]
        assert [row.error for row in found] == [row.error for row in expected]
    opened.clear()
    list(predict_clips(model, clips, out=part, resume=True))
    assert (len(opened), part.read_bytes()) == (0, content)


def test_rows_are_there_as_soon_as_they_are_given(model, clips, tmp_path):
    out = tmp_path / "out.csv"
    predictions = predict_clips(model, clips, out=out, n_jobs=1)
    for n_given in range(1, 4):
        next(predictions)
        assert len(out.read_text().splitlines()) == 1 + n_given
    predictions.close()
    whole = tmp_path / "out.json"
    predictions = predict_clips(model, clips, out=whole)
    next(predictions)
    predictions.close()
    assert [path.name for path in tmp_path.iterdir()] == ["out.csv"]


def test_files_that_are_not_gone_on_with(model, clips, opened, tmp_path):
    out = tmp_path / "out.csv"
    list(predict_clips(model, clips[:2], out=out))
    with pytest.raises(
        FileExistsError, match=r"out\.csv: expected a new file.*resume=True \(--resume\)"
    ):
        predict_clips(model, clips, out=out)
    for others in (clips[1:], clips[:1]):
        with pytest.raises(ValueError, match="of other clips"):
            predict_clips(model, others, out=out, resume=True)
    other = describe(GaussianNB(), opened).fit(clips[:2], [*"xy"])
    with pytest.raises(ValueError, match="columns file, label, probability_x"):
        predict_clips(other, clips, out=out, resume=True)
    out.write_text("my thesis\n" * 3)
    with pytest.raises(ValueError, match="found something else"):
        predict_clips(model, clips, out=out, resume=True)
    assert out.read_text() == "my thesis\n" * 3
    with pytest.raises(ValueError, match=r"ends in \.csv, \.json, \.jsonl"):
        predict_clips(model, clips, out=tmp_path / "out.txt")
    with pytest.raises(ValueError, match=r"only \.csv and \.jsonl"):
        predict_clips(model, clips, out=tmp_path / "out.json", resume=True)
    with pytest.raises(NotFittedError):
        predict_clips(describe(GaussianNB(), opened), clips)


def test_models_without_probabilities_and_labels_that_are_numbers(clips, opened, tmp_path):
    out = tmp_path / "out.csv"
    good = [clips[0], clips[1], clips[9]]
    model = describe(LinearSVC(), opened).fit(good, [1, 1, 2])
    found = list(predict_clips(model, good, out=out))
    assert out.read_text().splitlines()[0] == "file,label,error"
    assert [row.probabilities for row in found] == [{}] * 3
    assert list(predict_clips(model, good, out=out, resume=True)) == found


def test_find_clips(tmp_path):
    seen = ("sub/b.mp4", "sub/camera.MTS", "sub/phone.amr", "a.WAV")
    for name in (*seen, "notes.txt", ".hidden.wav", "table.csv", "marks.csv"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "table.csv").write_text("file,start,end,speaker\nsub/b.mp4,1,2,ann\ngone.wav,,,\n")
    (tmp_path / "marks.csv").write_text("frame, timestamp, x_0, y_0\n")
    sources = [
        tmp_path,
        tmp_path / "table.csv",
        "me.mp4#t=1,2",
        tmp_path / "marks.csv",
        f"{tmp_path}/marks.csv#t=1,2",
        "zip://a/1.csv::m.zip",
    ]
    found = find_clips(sources).fillna("-")
    assert list(found) == ["video", "audio", "landmarks", "speaker"]
    folder = str(tmp_path)
    assert found.map(lambda cell: cell.replace(folder, "")).to_numpy().tolist() == [
        ["/a.WAV", "/a.WAV", "-", "-"],
        ["/sub/b.mp4", "/sub/b.mp4", "-", "-"],
        ["/sub/camera.MTS", "/sub/camera.MTS", "-", "-"],
        ["/sub/phone.amr", "/sub/phone.amr", "-", "-"],
        ["/sub/b.mp4#t=1,2", "/sub/b.mp4#t=1,2", "-", "ann"],
        ["-", "/gone.wav", "-", "-"],
        ["me.mp4#t=1,2", "me.mp4#t=1,2", "-", "-"],
        ["-", "-", "/marks.csv", "-"],
        ["-", "-", "/marks.csv#t=1,2", "-"],
        ["-", "-", "zip://a/1.csv::m.zip", "-"],
    ]
    for source in (str(tmp_path), tmp_path):
        with pytest.raises(TypeError, match=r"must be a list of files.*: pass \["):
            find_clips(source)
    with pytest.raises(ValueError, match=r"a\.xlsx: expected a table .*Save it as CSV"):
        find_clips(["b.wav", "a.xlsx"])
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match="empty: expected a folder with files of sound or video"):
        find_clips([tmp_path / "empty"])
