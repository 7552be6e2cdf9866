import errno
import os

import pytest

from skemotion import MediaError
from skemotion.datasets import concat_corpora, find_clips, load_corpus, load_folders


def touch(folder, *names):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    return folder


def test_a_folder_for_each_emotion(tmp_path):
    touch(
        tmp_path, "sad/actor2/b.mp4", "sad/actor2/b.wav", "sad/actor2/b.mp3", "happy/actor1/a.mp4",
        "happy/actor2/a.v2.ogg", "happy/actor1/notes.txt", "happy/.hidden/c.wav", ".sad/d.wav",
        "happy/more.zip.txt",
    )  # fmt: skip
    corpus = load_folders(tmp_path, speaker=r"(?P<speaker>actor\d+)")
    happy, happy_2, sad = "happy/actor1/a.mp4", "happy/actor2/a.v2.ogg", "sad/actor2/b"
    assert corpus.data.to_dict("list") == {
        "video": [str(tmp_path / happy), None, str(tmp_path / f"{sad}.mp4")],
        "audio": [str(tmp_path / happy), str(tmp_path / happy_2), str(tmp_path / f"{sad}.wav")],
        "speaker": ["actor1", "actor2", "actor2"],
    }
    assert corpus.target.tolist() == ["happy", "happy", "sad"]
    assert corpus.groups.tolist() == ["actor1", "actor2", "actor2"]
    assert corpus.target_names == ["happy", "sad"]
    assert corpus.metadata["name"].tolist() == ["happy/actor1/a", "happy/actor2/a.v2", sad]
    assert concat_corpora({"mine": corpus}).groups[0] == "mine/actor1"
    unknown = load_folders(tmp_path)
    assert unknown.groups is None
    assert list(unknown.data) == ["video", "audio"]


def test_a_folder_for_each_speaker(tmp_path):
    touch(tmp_path, "ann/x_sad.wav", "ben/x_calm.wav", "y_calm.wav")
    corpus = load_folders(tmp_path, emotion="_(sad|calm)$")
    assert corpus.target.tolist() == ["sad", "calm", "calm"]
    with pytest.raises(ValueError, match=r"speaker .* in 1 of 3, such as y_calm\. Correct"):
        load_folders(tmp_path, emotion="_(sad|calm)$", speaker="^(.*)/")
    with pytest.raises(MediaError, match="found 1 clip in no folder below it, such as y_calm"):
        load_folders(tmp_path)


def test_a_folder_that_cannot_be_read_is_named(tmp_path, monkeypatch):
    touch(tmp_path, "sad/a.wav", "sad/locked/b.wav")
    locked, scandir = str(tmp_path / "sad" / "locked"), os.scandir

    def refuse(path):
        if os.fspath(path) == locked:  # as to those who may not read it; the administrator may
            raise PermissionError(errno.EACCES, "Permission denied", locked)
        return scandir(path)

    monkeypatch.setattr("os.scandir", refuse)
    for load in (load_folders, load_corpus, lambda folder: find_clips([folder])):
        with pytest.raises(PermissionError) as caught:
            load(tmp_path)
        assert str(caught.value) == (
            f"{locked}: expected a folder that can be read, found one that cannot (Permission "
            "denied). Ask for the right to read it, or move it elsewhere."
        )


def test_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match="found no such folder"):
        load_folders(tmp_path / "gone")
    with pytest.raises(MediaError, match="found no clip in it"):
        load_folders(touch(tmp_path, "sad/readme.md"))
    with pytest.raises(MediaError, match="found a file"):
        load_folders(tmp_path / "sad/readme.md")
    with pytest.raises(MediaError, match=r"s3://bucket/clips: .* found an address"):
        load_folders("s3://bucket/clips")
    with pytest.raises(ValueError, match=r"speaker must be a regular expression, got '\('"):
        load_folders(tmp_path, speaker="(")
