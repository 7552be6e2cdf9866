import os
import warnings
import zipfile
from collections import Counter
from pathlib import Path

import fsspec
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.model_selection import LeaveOneGroupOut

from skemotion import MediaError
from skemotion.datasets import load_ravdess

EMOTIONS = ["neutral", "calm", "happy", "sad", "angry", "fearful", "disgust", "surprised"]


def touch(folder, *names):
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def pack(path, *names):
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w") as archive:
        for name in names:
            archive.writestr(name, name)


def test_real_archive(shared_data):
    corpus = load_ravdess(shared_data / "ravdess")
    assert list(corpus.data) == ["video", "audio", "speaker"]
    assert len(corpus.data) == 720
    assert corpus.data["speaker"].tolist() == corpus.groups.tolist()
    assert corpus.data["video"].isna().all()
    assert corpus.target_names == EMOTIONS
    assert Counter(corpus.target) == dict.fromkeys(EMOTIONS, 96) | {"neutral": 48}
    assert Counter(corpus.groups) == dict.fromkeys(range(1, 13), 60)
    assert set(corpus.metadata["audio_modality"]) == {"audio-only"}
    address = corpus.data["audio"].iloc[700]
    with fsspec.open(address) as file:
        data = file.read()
    member, archive = address.removeprefix("zip://").split("::")
    assert data == zipfile.ZipFile(archive).read(member)
    assert data[:4] == b"RIFF"


def test_real_landmarks(shared_data):
    archive = shared_data / "ravdess-landmarks" / "FacialTracking_Actors_01-12.zip"
    corpus = load_ravdess(shared_data / "ravdess", landmarks=archive)
    assert list(corpus.data) == ["video", "audio", "landmarks", "speaker"]
    for audio, landmarks in corpus.data[["audio", "landmarks"]].to_numpy():
        name = Path(audio.split("::")[0]).stem
        assert landmarks == f"zip://Actor_{name[-2:]}/02{name[2:]}.csv::{archive}"


def test_landmarks_are_matched_by_recording(tmp_path):
    clips, tracked = tmp_path / "clips", tmp_path / "tracked"
    touch(clips, *(f"03-01-0{e}-01-01-01-05.wav" for e in range(1, 5)))
    names = ["01-01-01-01-01-01-05", "02-01-01-01-01-01-05", "01-01-03-01-01-01-05"]
    touch(tracked, *(f"Actor_05/{name}.csv" for name in names), "01-01-04-01-01-01-06.csv")
    touch(tracked, "Actor_05/02-01-02-01-01-01-05.avi")
    corpus = load_ravdess(clips, landmarks=tracked)
    assert corpus.data["landmarks"].tolist() == [
        str(tracked / "Actor_05" / f"{names[1]}.csv"),
        None,
        str(tracked / "Actor_05" / f"{names[2]}.csv"),
        None,
    ]
    assert list(load_ravdess(clips).data) == ["video", "audio", "speaker"]


def test_landmarks_of_no_recording(tmp_path):
    touch(tmp_path, "a/03-01-01-01-01-01-05.wav", "b/01-01-01-01-01-01-06.csv", "c/readme.md")
    with pytest.raises(MediaError, match=r"b: expected landmarks .* found those of 1 others"):
        load_ravdess(tmp_path / "a", landmarks=tmp_path / "b")
    with pytest.raises(
        MediaError, match=r"c: expected .*FacialTracking_Actors_01-24.zip.* no such"
    ):
        load_ravdess(tmp_path / "a", landmarks=tmp_path / "c")
    with pytest.raises(FileNotFoundError, match="nowhere"):
        load_ravdess(tmp_path / "a", landmarks=tmp_path / "nowhere")


def test_every_identifier_in_words(tmp_path):
    touch(tmp_path, "02-01-08-02-02-01-16.mp4", "03-01-08-02-02-01-16.wav")
    corpus = load_ravdess(tmp_path)
    assert corpus.metadata.iloc[0].to_dict() == {
        "vocal_channel": "speech",
        "emotion": "surprised",
        "intensity": "strong",
        "statement": "Dogs are sitting by the door",
        "repetition": 1,
        "actor": 16,
        "sex": "female",
        "video_modality": "video-only",
        "audio_modality": "audio-only",
    }
    assert corpus.data.iloc[0].to_dict() == {
        "video": str(tmp_path / "02-01-08-02-02-01-16.mp4"),
        "audio": str(tmp_path / "03-01-08-02-02-01-16.wav"),
        "speaker": 16,
    }
    assert corpus.target.tolist() == ["surprised"]
    assert corpus.target.dtype.kind == "U"
    assert corpus.target_names == ["surprised"]
    assert corpus.groups.tolist() == [16]
    assert corpus.groups.dtype.kind == "i"
    assert corpus.groups.flags.writeable
    assert "CC BY-NC-SA 4.0" in corpus.DESCR
    assert "10.5281/zenodo.1188976" in corpus.DESCR


# What there is of one recording -> the files seen and heard.
@pytest.mark.parametrize(
    ("there", "video", "audio"),
    [
        (["01.mp4", "02.mp4", "03.wav"], "02.mp4", "03.wav"),
        (["01.mp4", "03.wav"], "01.mp4", "03.wav"),
        (["01.mp4", "02.mp4"], "02.mp4", "01.mp4"),
        (["01.mp4"], "01.mp4", "01.mp4"),
        (["02.mp4"], "02.mp4", None),
        (["03.wav"], None, "03.wav"),
        (["01.AVI", "03.FLAC"], "01.AVI", "03.FLAC"),
        (["02.mp4", "01.wav"], "02.mp4", "01.wav"),
        (["01.wav"], None, "01.wav"),
    ],
)
def test_pairing(tmp_path, there, video, audio):
    def name(short):
        return None if short is None else f"{short[:2]}-01-05-01-01-01-07{short[2:]}"

    touch(tmp_path, *map(name, there))
    corpus = load_ravdess(tmp_path)
    assert len(corpus.data) == 1
    found = [path and Path(path).name for path in corpus.data[["video", "audio"]].iloc[0]]
    assert found == [name(video), name(audio)]
    modality = {"01": "full", "02": "video-only", "03": "audio-only"}
    words = corpus.metadata[["video_modality", "audio_modality"]].iloc[0].tolist()
    assert words == [short and modality[short[:2]] for short in (video, audio)]


def test_mixed_zipped_and_unzipped(tmp_path):
    pack(
        tmp_path / "Video_Speech_Actor_01.zip",
        "Actor_01/",
        "Actor_01/01-01-03-01-01-01-01.mp4",
        "Actor_01/02-01-03-01-01-01-01.mp4",
        "Actor_01/01-01-01-01-01-01-01.mp4",
    )
    touch(
        tmp_path, "deep/er/Actor_01/03-01-03-01-01-01-01.wav", "Actor_02/03-01-02-01-01-01-02.wav"
    )
    corpus = load_ravdess(str(tmp_path))
    assert corpus.groups.tolist() == [1, 1, 2]
    assert corpus.target.tolist() == ["neutral", "happy", "calm"]
    assert corpus.target_names == ["neutral", "calm", "happy"]
    archive = f"::{tmp_path}/Video_Speech_Actor_01.zip"
    assert corpus.data["video"].tolist() == [
        f"zip://Actor_01/01-01-01-01-01-01-01.mp4{archive}",
        f"zip://Actor_01/02-01-03-01-01-01-01.mp4{archive}",
        None,
    ]
    assert corpus.data["audio"].tolist() == [
        f"zip://Actor_01/01-01-01-01-01-01-01.mp4{archive}",
        str(tmp_path / "deep/er/Actor_01/03-01-03-01-01-01-01.wav"),
        str(tmp_path / "Actor_02/03-01-02-01-01-01-02.wav"),
    ]
    assert corpus.data.dtypes.tolist() == [object, object, np.int64]
    assert corpus.data.index.equals(corpus.metadata.index)
    with fsspec.open(corpus.data["video"][0]) as file:
        assert file.read() == b"Actor_01/01-01-01-01-01-01-01.mp4"


def test_one_archive_with_awkward_names(tmp_path):
    archive = tmp_path / "my #1 [copy] é.ZIP"
    pack(archive, "./Actor 01 [a]/03-01-04-01-01-01-01.wav")
    corpus = load_ravdess(archive)
    with fsspec.open(corpus.data["audio"][0]) as file:
        assert file.read() == b"./Actor 01 [a]/03-01-04-01-01-01-01.wav"


def test_relative_path_gives_absolute_ones(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    touch(tmp_path, "a/03-01-04-01-01-01-01.wav")
    pack(tmp_path / "a" / "b.ZIP", "03-01-04-01-01-01-02.wav")
    monkeypatch.setenv("HOME", str(tmp_path))
    for path in ("a", "~/a"):
        assert load_ravdess(path).data["audio"].tolist() == [
            str(tmp_path / "a/03-01-04-01-01-01-01.wav"),
            f"zip://03-01-04-01-01-01-02.wav::{tmp_path}/a/b.ZIP",
        ]


def test_unzipped_wins_over_zipped_then_first_address(tmp_path):
    name = "03-01-05-01-01-01-03.wav"
    pack(tmp_path / "0.zip", name, "03-01-05-01-01-01-04.wav")
    pack(tmp_path / "1.zip", "03-01-05-01-01-01-04.wav")
    touch(tmp_path, f"z/{name}", f"y/{name}")
    corpus = load_ravdess(tmp_path)
    assert corpus.data["audio"].tolist() == [
        str(tmp_path / "y" / name),
        f"zip://03-01-05-01-01-01-04.wav::{tmp_path}/0.zip",
    ]


@pytest.mark.parametrize(
    ("channel", "actors"), [("speech", [1, 2]), ("song", [2]), ("both", [1, 2, 2])]
)
def test_channel(tmp_path, channel, actors):
    pack(tmp_path / "Audio_Song.zip", "Actor_02/03-02-06-01-01-01-02.wav")
    touch(tmp_path, "03-01-06-01-01-01-02.wav", "03-01-06-01-01-01-01.wav")
    corpus = load_ravdess(tmp_path, channel=channel)
    assert corpus.groups.tolist() == actors
    assert set(corpus.metadata["vocal_channel"]) == (
        {"speech", "song"} if channel == "both" else {channel}
    )


def test_channel_unknown_or_absent(tmp_path):
    touch(tmp_path, "03-02-06-01-01-01-02.wav")
    with pytest.raises(ValueError, match="'speech', 'song' or 'both', got 'music'"):
        load_ravdess(tmp_path, channel="music")
    with pytest.raises(
        MediaError, match=r"expected speech.*found only song \(recordings: 1\).*'song'"
    ):
        load_ravdess(tmp_path)


codes = st.tuples(
    st.sampled_from(["01", "02", "03"]),
    st.sampled_from(["01", "02"]),
    st.sampled_from([f"{i:02}" for i in range(1, 9)]),
    *[st.sampled_from(["01", "02"])] * 3,
    st.sampled_from([f"{i:02}" for i in range(1, 25)]),
)


@settings(deadline=None, max_examples=20)
@given(names=st.lists(codes, min_size=1, max_size=30, unique=True), shuffled=st.randoms())
def test_order_and_rows_do_not_depend_on_the_file_system(tmp_path_factory, names, shuffled):
    walk = os.walk

    def shuffled_walk(*args, **kwargs):
        for folder, folders, files in walk(*args, **kwargs):
            shuffled.shuffle(folders)
            shuffled.shuffle(files)
            yield folder, folders, files

    folder = tmp_path_factory.mktemp("ravdess")
    for i, name in enumerate(names):
        touch(folder, f"{i % 3}/{'-'.join(name)}.mp4")
    first = load_ravdess(folder, channel="both")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "walk", shuffled_walk)
        second = load_ravdess(folder, channel="both")
    pd.testing.assert_frame_equal(first.data, second.data)
    pd.testing.assert_frame_equal(first.metadata, second.metadata)
    expected = sorted({(name[6], *name[1:6]) for name in names})
    assert first.groups.tolist() == [int(key[0]) for key in expected]
    assert first.target.tolist() == [EMOTIONS[int(key[2]) - 1] for key in expected]
    for data in (first.data["video"], first.data["audio"]):
        stems = [path and Path(path).stem for path in data]
        assert all(
            stem is None or (stem[-2:], *stem.split("-")[1:6]) == key
            for stem, key in zip(stems, expected, strict=True)
        )
    assert not first.data[["video", "audio"]].isna().all(axis="columns").any()


def test_names_that_do_not_parse_warn_once(tmp_path):
    touch(
        tmp_path,
        "03-01-04-01-01-01-01.wav",
        "a.mp4",
        "03-01-09-01-01-01-01.wav",  # no such emotion
        "03-01-04-01-01-01-01 (1).wav",
        "x/03-01-04-01-01-01.MOV",
    )
    pack(tmp_path / "all.zip", "inner.zip")
    with pytest.warns(UserWarning, match="left out 5 files") as record:
        corpus = load_ravdess(tmp_path)
    assert len(record) == 1
    message = str(record[0].message)
    assert f"{tmp_path}: left out 5 files (" in message
    assert "03-01-04-01-01-01-01 (1).wav, 03-01-09-01-01-01-01.wav, a.mp4, ...)" in message
    assert record[0].filename == __file__
    assert len(corpus.data) == 1


def test_what_is_hidden_or_no_clip_is_ignored_silently(tmp_path):
    name = "03-01-04-01-01-01-01.wav"
    touch(
        tmp_path,
        *[f"._{name}", ".cache/a.mp4", "__MACOSX/b.mp4", ".Trash.zip", "notes.txt"],
        "01-01-04-01-01-01-01.csv",  # as in FacialTracking_Actors_01-24.zip
    )
    pack(tmp_path / "a.zip", f"__MACOSX/Actor_01/._{name}", f"Actor_01/{name}", ".x/c.wav", "d.csv")
    corpus = load_ravdess(tmp_path)
    assert corpus.data["audio"].tolist() == [f"zip://Actor_01/{name}::{tmp_path}/a.zip"]


def test_linked_folders_are_followed_but_loops_end(tmp_path):
    real = tmp_path / "big disk"
    kept = tmp_path / "home" / "ravdess"
    touch(real, "Actor_01/03-01-04-01-01-01-01.wav")
    touch(kept, "Actor_02/03-01-04-01-01-01-02.wav")
    touch(tmp_path, "home/elsewhere.mp4")  # above the folder, reached by a link upwards
    (kept / "Actor_01").symlink_to(real / "Actor_01")
    (kept / "Actor_02" / "loop").symlink_to(kept)
    (kept / "self").symlink_to(kept / "self")
    (kept / "up").symlink_to(tmp_path / "home")
    (real / "Actor_01" / "back").symlink_to(kept)
    corpus = load_ravdess(kept)
    assert corpus.data["audio"].tolist() == [
        str(kept / "Actor_01/03-01-04-01-01-01-01.wav"),
        str(kept / "Actor_02/03-01-04-01-01-01-02.wav"),
    ]


def test_missing_path(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"nowhere: expected .*Actor_01/03-01-05-.*no such"):
        load_ravdess(tmp_path / "nowhere")


def test_neither_folder_nor_archive(tmp_path):
    touch(tmp_path, "03-01-04-01-01-01-01.wav")
    with pytest.raises(MediaError, match=r"01\.wav: expected a folder .*Give the folder it is in"):
        load_ravdess(tmp_path / "03-01-04-01-01-01-01.wav")


@pytest.mark.parametrize(
    ("names", "found"),
    [
        ([], "found no files and no such clip"),
        (["b.mp4"], r"found 1 file \(b.mp4\)"),
        (
            ["d.txt", "c.wav", "b.mp4", "a/x.mp4"],
            r"found 4 files \(a/x.mp4, b.mp4, c.wav, \.\.\.\)",
        ),
    ],
)
def test_no_clip(tmp_path, names, found):
    touch(tmp_path, *names)
    pack(tmp_path / "empty.zip", "folder.mp4/")
    with pytest.raises(MediaError, match=found) as error:
        load_ravdess(tmp_path)
    assert str(error.value).startswith(
        f"{tmp_path}: expected a folder with the archives of RAVDESS"
    )
    assert "Audio_Speech_Actors_01-24.zip" in str(error.value)


def test_archive_inside_an_archive(tmp_path):
    pack(tmp_path / "1188976.zip", "Audio_Speech_Actors_01-24.zip")
    with pytest.raises(MediaError, match=r"1188976\.zip/Audio_Speech.*unpack archives that lie"):
        load_ravdess(tmp_path)


def test_damaged_archive(tmp_path):
    touch(tmp_path, "03-01-04-01-01-01-01.wav")
    archive = tmp_path / "Audio.zip"
    pack(archive, "Actor_01/03-01-05-01-01-01-01.wav")
    whole = archive.read_bytes()
    for damaged in (b"", whole[:-10], whole.replace(b"PK\1\2", b"????"), b"not a zip file" * 99):
        archive.write_bytes(damaged)
        for path in (tmp_path, archive):
            with pytest.raises(MediaError, match=r"Audio\.zip: expected a zip archive, found dam"):
                load_ravdess(path)


@settings(deadline=None, max_examples=100)
@given(
    place=st.integers(0, 10**4), byte=st.integers(0, 255), kept=st.one_of(st.none(), st.integers(0))
)
def test_altered_archive_gives_rows_or_media_error(tmp_path_factory, place, byte, kept):
    archive = tmp_path_factory.mktemp("zip") / "Audio.zip"
    pack(archive, "é/03-01-05-01-01-01-01.wav", "é/03-01-05-01-01-01-02.wav", "a.txt")
    data = bytearray(archive.read_bytes())
    data[place % len(data)] = byte
    archive.write_bytes(data if kept is None else data[: kept % len(data)])
    error = None
    with warnings.catch_warnings(action="ignore"):
        try:
            corpus = load_ravdess(archive, channel="both")
        except MediaError as caught:
            error = caught
    if error is None:
        assert len(corpus.data) in (1, 2)
    else:
        assert str(archive) in str(error)


def test_separator_of_addresses_in_a_path(tmp_path):
    pack(tmp_path / "a::b" / "Audio.zip", "03-01-05-01-01-01-01.wav")
    with pytest.raises(MediaError, match=r"a::b/Audio\.zip: expected a path without '::'"):
        load_ravdess(tmp_path)


def test_unreadable_folder_is_not_passed_over(tmp_path, monkeypatch):
    touch(tmp_path, "03-01-04-01-01-01-01.wav", "locked/03-01-04-01-01-01-02.wav")
    scandir = os.scandir

    def guarded(path):
        if Path(path).name == "locked":
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", guarded)
    with pytest.raises(PermissionError, match="locked"):
        load_ravdess(tmp_path)


def test_groups_keep_actors_apart(tmp_path):
    touch(tmp_path, *[f"03-01-0{e}-01-01-01-0{a}.wav" for e in (1, 3) for a in (1, 2, 3)])
    corpus = load_ravdess(tmp_path)
    folds = LeaveOneGroupOut().split(corpus.data, corpus.target, corpus.groups)
    tested = [np.unique(corpus.groups[test]).tolist() for _, test in folds]
    assert tested == [[1], [2], [3]]
