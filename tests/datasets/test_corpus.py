import zipfile
from collections import Counter
from pathlib import Path

import pandas as pd
import pytest

from skemotion import MediaError
from skemotion.datasets import load_corpus, load_ravdess

EMOTIONS = ["neutral", "sad", "happy", "surprised", "fearful", "angry"]


def test_real_java_sed(shared_data):
    corpus = load_corpus(shared_data / "java-sed", naming="java-sed")
    assert len(corpus.data) == 144
    assert Counter(corpus.groups) == dict.fromkeys(range(1, 7), 24)
    assert Counter(corpus.target) == dict.fromkeys(EMOTIONS, 24)
    assert corpus.target_names == EMOTIONS
    assert (corpus.data["video"] == corpus.data["audio"]).all()
    assert all(Path(path).is_file() for path in corpus.data["video"])
    assert corpus.frame["sentence"].nunique() == 4


def test_java_sed_fields(tmp_path):
    (tmp_path / "05-04-06_02.mp4").touch()
    with zipfile.ZipFile(tmp_path / "more.zip", "w") as archive:
        archive.writestr("05-04-06_02.mp4", "")
        archive.writestr("05-04-03_01.mp4", "")
        archive.writestr("01-04-02_01.wav", "")
    corpus = load_corpus(tmp_path, "java-sed")
    assert corpus.frame.to_dict("list") == {
        "actor": [1, 5, 5],
        "sentence": [4, 4, 4],
        "emotion": ["sad", "happy", "angry"],
        "take": [1, 1, 2],
    }
    assert corpus.target.tolist() == ["sad", "happy", "angry"]
    assert corpus.target_names == ["sad", "happy", "angry"]
    assert corpus.groups.tolist() == [1, 5, 5]
    happy = f"zip://05-04-03_01.mp4::{tmp_path}/more.zip"
    angry = str(tmp_path / "05-04-06_02.mp4")
    assert corpus.data["video"].tolist() == [None, happy, angry]
    assert corpus.data["audio"].tolist() == [
        f"zip://01-04-02_01.wav::{tmp_path}/more.zip",
        happy,
        angry,
    ]
    assert "Java-SED" in corpus.DESCR


def test_ravdess_is_load_ravdess(tmp_path):
    (tmp_path / "03-01-04-01-01-01-01.wav").touch()
    (tmp_path / "03-02-04-01-01-01-01.wav").touch()
    one, other = load_corpus(tmp_path), load_ravdess(tmp_path)
    assert one.keys() == other.keys()
    pd.testing.assert_frame_equal(one.data, other.data)
    pd.testing.assert_frame_equal(one.frame, other.frame)
    assert len(one.data) == 1


def test_unknown_naming(tmp_path):
    with pytest.raises(ValueError, match="one of 'ravdess', 'java-sed', got 'tess'"):
        load_corpus(tmp_path, naming="tess")


def test_another_corpus_than_named(tmp_path):
    (tmp_path / "03-01-04-01-01-01-01.wav").touch()
    with pytest.raises(MediaError, match=r"Java-SED .*01-02-03_01\.mp4.*found 1 file"):
        load_corpus(tmp_path, naming="java-sed")


def test_names_that_do_not_parse_warn(tmp_path):
    for name in ("01-01-01_01.mp4", "01-01-07_01.mp4", "01-01-01.mp4"):
        (tmp_path / name).touch()
    with pytest.warns(UserWarning, match=r"left out 2 files \(01-01-01\.mp4, 01-01-07_01\.mp4\)"):
        corpus = load_corpus(tmp_path, naming="java-sed")
    assert len(corpus.data) == 1
