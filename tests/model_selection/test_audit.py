import os
import shutil
import warnings
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.model_selection import GroupKFold

from skemotion.audio import AudioAugmentationSampler, AudioAugmenter
from skemotion.datasets import load_corpus, load_ravdess, make_ravdess
from skemotion.model_selection import LeakageWarning, WithinGroupShuffleSplit, audit_split
from skemotion.model_selection._copies import content_keys


def quiet(*args, **kwargs):
    """Audit, and check that there is a warning for each finding but notes."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        audit = audit_split(*args, **kwargs)
    assert [str(w.message) for w in caught] == [leak.message for leak in audit if not leak.is_note]
    assert {w.category for w in caught} <= {LeakageWarning}
    assert {w.filename for w in caught} <= {__file__}
    return audit


def found(audit):
    return {leak.kind: (leak.train.tolist(), leak.test.tolist()) for leak in audit}


def recordings(**columns):
    """Two recordings of each of two actors, as load_ravdess has them."""
    return pd.DataFrame(
        {
            "vocal_channel": "speech",
            "emotion": ["sad", "angry"] * 2,
            "intensity": "normal",
            "statement": ["Kids", "Dogs", "Kids", "Cats"],
            "repetition": 1,
            "actor": [1, 1, 2, 2],
            **columns,
        }
    )


def test_nothing_found():
    metadata = recordings(audio=[f"{row}.wav" for row in range(4)], source=range(4))
    audit = audit_split(metadata, [0, 1], [3])  # a warning would be an error
    assert len(audit) == 0
    assert not list(audit)
    assert audit.not_audited == {
        "content of files": "3 files that cannot be read here, such as 0.wav"
    }
    assert str(audit).startswith("split of 2 training and 1 test rows: nothing found\n")


def test_actors():
    audit = quiet(recordings(), [0, 2], [1])
    assert found(audit) == {"speaker": ([0], [1])}
    (leak,) = audit
    assert leak.example == (
        "row 0 (vocal_channel speech, emotion sad, intensity normal, statement Kids, repetition 1, "
        "actor 1) in training and row 1 (vocal_channel speech, emotion angry, intensity normal, "
        "statement Dogs, repetition 1, actor 1) in test"
    )
    assert leak.message.startswith(
        "The same speakers are in training (1 of 2 rows) and in test (1 of 1 row), for example "
    )
    assert "GroupKFold" in leak.message
    assert f"LEAK  {leak.message}" in str(audit)
    # A column of that name says who it is, whatever the corpus calls them.
    named = recordings(speaker=["x", "y", "x", "z"])
    assert found(quiet(named, [0, 1], [2, 3]))["speaker"] == ([0], [2])
    assert "speaker" not in found(audit_split(named, [0], [1]))
    # Actor 1 of another corpus is someone else.
    corpora = recordings(corpus=["RAVDESS", "TESS", "TESS", "TESS"])
    assert "speaker" not in found(audit_split(corpora, [0], [1]))


def test_sentences_are_a_note_without_a_warning():
    audit = audit_split(recordings(), [0, 1], [2, 3])
    assert found(audit) == {"sentence": ([0], [2])}
    assert audit.findings[0].is_note
    assert "  note  The same sentences are" in str(audit)


def test_rows_on_both_sides():
    metadata = recordings(statement=list("abcd"), actor=range(4))
    # Which is not a second recording, file or actor besides.
    assert found(quiet(metadata, [0, 1], [1, 2])) == {"row": ([1], [1])}


def test_forms_of_a_recording_by_identifiers_and_by_name():
    twice = pd.concat([recordings(), recordings()], ignore_index=True)
    twice["modality"] = ["full"] * 4 + ["audio-only"] * 4
    audit = quiet(twice, range(4), [4, 7])
    assert found(audit)["recording"] == ([0, 3], [4, 7])
    names = pd.DataFrame(
        {
            "video": ["a/01-01-05-02-01-02-11.mp4", "02-01-05-02-01-01-11.mp4", None, None],
            "audio": [
                None,
                None,
                "zip://Actor_11/03-01-05-02-01-02-11.wav::/data/Audio.zip",
                "03-01-05-02-01-02-12.wav",
            ],
        }
    )
    audit = quiet(names, [0, 1], [2, 3])
    assert found(audit) == {"recording": ([0], [2])}
    assert audit.findings[0].example == (
        "row 0 (a/01-01-05-02-01-02-11.mp4) in training and row 2 "
        "(zip://Actor_11/03-01-05-02-01-02-11.wav::/data/Audio.zip) in test"
    )
    assert set(audit.not_audited) == {"speaker", "sentence", "augmented copy", "content of files"}
    # One row by its identifiers, the other by its name alone.
    mixed = pd.DataFrame(
        {
            "actor": [4, None],
            "sentence": [2, None],
            "emotion": ["angry", None],
            "take": [1, None],
            "path": [None, "04-02-06_01.mp4"],
        }
    )
    assert found(quiet(mixed, [0], [1])) == {"recording": ([0], [1])}
    # Without one of its identifiers, a recording cannot be told.
    audit = quiet(twice.drop(columns="repetition"), [0], [4])
    assert set(found(audit)) == {"speaker", "sentence"}
    assert "no columns that identify one" in audit.not_audited["recording"]


def test_same_file_in_two_rows_and_spellings(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.wav").write_bytes(b"one")
    (tmp_path / "b.wav").write_bytes(b"two")
    (tmp_path / "link.wav").symlink_to("a.wav")
    paths = ["a.wav", "b.wav", str(tmp_path / "a.wav"), tmp_path / "link.wav", "gone.wav"]
    metadata = pd.DataFrame({"path": paths, "audio": [None] * 4 + ["gone.wav"]})
    audit = quiet(metadata, [0, 1], [2, 3, 4])
    assert found(audit) == {"file": ([0], [2, 3])}
    assert "row 0 (a.wav) in training and row 2" in audit.findings[0].example
    # A file that cannot be read is the same as itself.
    assert found(quiet(metadata.iloc[[4, 4]], [0], [1])) == {"file": ([0], [1])}


def test_copies_under_other_names(tmp_path):
    sound = bytes(range(256)) * 9
    contents = {"a.wav": sound, "b.wav": sound, "c.wav": sound[::-1], "d.wav": sound[:-1]}
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
    with zipfile.ZipFile(tmp_path / "x.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("e/b.wav", sound)
        archive.writestr("e/c.wav", sound[1:] + b"!")
    paths = [str(tmp_path / name) for name in contents]
    paths += [f"zip://e/{name}.wav::{tmp_path}/x.zip" for name in "bc"]
    paths += [f"zip://no.wav::{tmp_path}/x.zip", "s3://bucket/a.wav", str(tmp_path / "gone.wav")]
    metadata = pd.DataFrame({"audio": paths})
    audit = quiet(metadata, [0, 6, 7], [1, 2, 3, 4, 5, 8])
    assert found(audit) == {"file": ([0], [1, 4])}
    assert audit.findings[0].example == (
        f"row 0 ({paths[0]}) in training and row 1 ({paths[1]}) in test"
    )
    assert audit.not_audited["content of files"] == (
        f"3 files that cannot be read here, such as {paths[6]}"
    )


def test_a_checksum_in_common_is_not_enough(tmp_path):
    for name, content in {"a": b"plumless", "b": b"buckeroo"}.items():
        assert zlib.crc32(content) == 0x4DDB0C25
        (tmp_path / name).write_bytes(content)
    keys, unread = content_keys([str(tmp_path / "a"), str(tmp_path / "b")])
    assert len(set(keys.values())) == 2
    assert not unread


def test_archives_are_not_read_for_their_checksums(tmp_path, monkeypatch):
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        archive.writestr("a.wav", b"one")
        archive.writestr("b.wav", b"two")

    def refuse(*args):
        raise AssertionError("a member was read")

    monkeypatch.setattr("fsspec.open", refuse)
    keys, unread = content_keys([f"zip://{name}.wav::{tmp_path}/x.zip" for name in "ab"])
    assert len(set(keys.values())) == 2
    assert not unread


def test_a_changed_file_is_read_again(tmp_path):
    paths = [str(tmp_path / name) for name in "ab"]
    for path in paths:
        shutil.copyfile(__file__, path)
    assert len(set(content_keys(paths)[0].values())) == 1
    status = Path(paths[0]).stat()
    with Path(paths[0]).open("r+b") as file:
        file.write(b"#")
    os.utime(paths[0], ns=(status.st_atime_ns, status.st_mtime_ns + 1))
    assert len(set(content_keys(paths)[0].values())) == 2


def test_clips_in_memory():
    wave = np.arange(5.0)
    metadata = pd.DataFrame({"audio": [wave, wave.copy(), wave + 1, b"abc", b"abc", b"abd"]})
    audit = quiet(metadata, [0, 3], [1, 2, 4, 5])
    assert found(audit) == {"file": ([0, 3], [1, 4])}
    assert "row 0 (<array of shape (5,)>)" in audit.findings[0].example


def test_augmented_copies():
    clips = [(22_050, np.linspace(0, 0.5, 40 + row)) for row in range(4)]
    X = recordings(actor=range(4), statement=list("abcd"), audio=clips)
    sampler = AudioAugmentationSampler(AudioAugmenter(pitch_steps=(), speed_rates=(2.0,)))
    more, _ = sampler.fit_resample(X)
    source = sampler.sample_indices_
    train = np.isin(source, [0, 1])
    train[source == 1] = [True, False, True]  # one variant of clip 1 strays
    audit = quiet(more, train, ~train, source=source)
    assert found(audit)["augmented copy"] == ([1, 7], [6])
    assert "groups[sampler.sample_indices_]" in audit.findings[0].message
    same = quiet(more.assign(source=source), train, ~train)
    assert found(same) == found(audit)
    # An original may be marked by nothing; and a split by source has no copies apart.
    marked = more.assign(source=pd.Series([None] * 4 + source[4:].tolist(), dtype=object))
    assert found(quiet(marked, train, ~train)) == found(audit)
    for fit, test in GroupKFold(4).split(more, groups=source):
        assert not quiet(more, fit, test, source=source).findings
    # The column may hold something else.
    named = quiet(more.assign(source="RAVDESS"), train, ~train)
    assert "augmented copy" not in found(named)
    assert named.not_audited["augmented copy"] == "the column source holds no numbers of rows"


def test_missing_cells_are_not_audited():
    audit = quiet(recordings(actor=[1, None, 1, None]), [0, 1], [2, 3])
    assert found(audit)["speaker"] == ([0], [2])
    assert audit.not_audited["speaker"] == "2 rows without one"


def test_a_frame_of_nothing_known():
    audit = audit_split(pd.DataFrame({"x": [1, 1]}), [0], [1])
    assert len(audit) == 0
    assert audit.not_audited == {
        "augmented copy": "no source given, and no column source",
        "file": "no column of clips: video, audio, path, file",
        "recording": "no columns that identify one, and no file name of a known corpus",
        "speaker": "no column speaker or actor",
        "sentence": "no column statement or sentence",
    }
    assert str(audit).count("not audited: ") == 5


@settings(deadline=None, max_examples=60)
@given(data=st.data(), n=st.integers(1, 12))
def test_as_by_comparing_every_pair(data, n):
    actors = data.draw(st.lists(st.sampled_from([1, 2, 3, None]), min_size=n, max_size=n))
    side = data.draw(st.lists(st.sampled_from(["", "r", "s", "rs"]), min_size=n, max_size=n))
    train = np.array(["r" in s for s in side])
    test = np.array(["s" in s for s in side])
    metadata = pd.DataFrame({"actor": pd.Series(actors, dtype=object)})
    audit = quiet(metadata, train, test)
    pairs = [
        (i, j)
        for i in np.flatnonzero(train)
        for j in np.flatnonzero(test)
        if i != j and actors[i] is not None and actors[i] == actors[j]
    ]
    both = np.flatnonzero(train & test).tolist()
    expected = {"row": (both, both)} if both else {}
    if pairs:
        expected["speaker"] = tuple(sorted(set(rows)) for rows in zip(*pairs, strict=True))
    assert found(audit) == expected
    # Numbers in any order and more than once are as good as masks, and polars as pandas.
    numbers = [np.flatnonzero(rows)[::-1].repeat(2) for rows in (train, test)]
    assert found(quiet(pl.DataFrame({"actor": actors}), *numbers)) == expected


@pytest.mark.parametrize("train", [[0, 4], [-1], [0.5], [True], ["a"], [[0]], 1])
def test_refuses_rows_that_are_not_there(train):
    with pytest.raises(ValueError, match="train must be numbers of rows from 0 to 3"):
        audit_split(recordings(), train, [1])


@pytest.mark.parametrize("source", [[0, 1], [0.0, 1, 2, 3], list("abcd")])
def test_refuses_sources_that_do_not_fit(source):
    with pytest.raises(ValueError, match="source must be 4 numbers of rows"):
        audit_split(recordings(), [0], [1], source=source)


def test_on_a_synthetic_corpus(tmp_path):
    make_ravdess(
        tmp_path, n_actors=2, emotions=["sad"], duration=0.25, frame_size=(48, 64), n_jobs=1
    )
    corpus = load_ravdess(tmp_path)
    metadata = corpus.data.join(corpus.metadata)
    audit = quiet(metadata, corpus.groups == 1, corpus.groups == 2)
    assert set(found(audit)) == {"sentence"}
    assert set(audit.not_audited) == {"augmented copy"}
    # The two modalities as rows of their own, split without regard to it.
    files = metadata.drop(columns=["video", "audio", "video_modality", "audio_modality"])
    rows = pd.concat(
        [files.assign(path=metadata["video"]), files.assign(path=metadata["audio"])],
        ignore_index=True,
    )
    n = len(metadata)
    audit = quiet(rows, range(n), range(n, 2 * n))
    assert found(audit)["recording"] == (list(range(n)), list(range(n, 2 * n)))
    assert "file" not in found(audit)
    assert "/01-01-04-01-01-01-01.mp4) in training and row 8 (" in audit.findings[0].example
    assert "/03-01-04-01-01-01-01.wav) in test" in audit.findings[0].example


def test_on_real_ravdess(shared_data):
    corpus = load_ravdess(shared_data / "ravdess")
    metadata = corpus.data.join(corpus.metadata)
    train, test = next(GroupKFold(12).split(metadata, groups=corpus.groups))
    audit = audit_split(metadata, train, test)
    assert set(found(audit)) == {"sentence"}
    assert set(audit.not_audited) == {"augmented copy"}
    train, test = next(
        WithinGroupShuffleSplit(random_state=0).split(metadata, groups=corpus.groups)
    )
    assert set(found(quiet(metadata, train, test))) >= {"speaker", "sentence"}
    # As published, two takes of actor 7 are the same file under two names.
    (takes,) = np.nonzero(metadata["audio"].str.contains("03-01-03-01-02-0[12]-07"))
    assert metadata["repetition"][takes].tolist() == [1, 2]
    mask = np.arange(len(metadata)) == takes[0]
    assert found(quiet(metadata, ~mask, mask))["file"] == ([takes[1]], [takes[0]])


def test_on_real_java_sed(shared_data):
    corpus = load_corpus(shared_data / "java-sed", "java-sed")
    metadata = corpus.data.join(corpus.metadata)
    for train, test in GroupKFold(3).split(metadata, groups=corpus.groups):
        assert set(found(quiet(metadata, train, test))) == {"sentence"}


def test_segments_of_a_file_are_other_clips(tmp_path):
    for name in ("a.wav", "b.wav"):
        (tmp_path / name).write_bytes(b"the same")
    times = ["a.wav#t=1,2", "a.wav#t=2,3", "a.wav", "b.wav#t=npt:1.0,2", "b.wav#t=2"]
    keys, unread = content_keys([str(tmp_path / clip) for clip in times])
    assert not unread
    first, *others, copy, last = keys.values()
    assert copy == first
    assert len({first, *others, last}) == 4
    audit = quiet(pd.DataFrame({"audio": ["03-01-05-01-01-01-11.wav#t=1.5"] * 2}), [0], [1])
    assert "recording" in found(audit)


def test_segments_that_overlap(tmp_path):
    for name in ("a.wav", "copy.wav", "b.wav"):
        (tmp_path / name).write_bytes(name.encode() if name == "b.wav" else b"the same")
    clips = ["a.wav#t=1,2", "a.wav#t=1.9,3", "a.wav#t=3,4", "copy.wav#t=3.5", "a.wav#t=,1",
             "b.wav", "b.wav#t=0,1", "a.wav#t=npt:1,2"]  # fmt: skip
    table = pd.DataFrame({"video": [str(tmp_path / clip) for clip in clips]})
    table["audio"] = table["video"]
    audit = quiet(table, [0, 2, 4, 5], [1, 3, 6, 7])
    assert found(audit) == {
        "file": ([0], [7]),
        "overlap": ([0, 2, 5], [1, 3, 6]),
        "segment": ([0, 2, 4], [1, 3, 7]),
    }
    assert [leak.kind for leak in audit] == ["file", "overlap", "segment"]
    overlap, note = audit.findings[1:]
    assert overlap.message.startswith("Overlapping segments of the same recordings are in training")
    assert "a.wav#t=1,2) in training and row 1" in overlap.example
    assert (overlap.is_note, note.is_note) == (False, True)
    assert set(found(quiet(table, [0, 4], [2]))) == {"segment"}
    assert not quiet(table, [0, 1], [5, 6])
    # A recording on one side alone.
    assert not quiet(table, [0, 1, 2], [5])


@settings(max_examples=50, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 2), st.integers(0, 9), st.integers(1, 5)), min_size=2),
    st.integers(1, 9),
)
def test_overlaps_are_those_of_all_pairs(parts, n_train):
    clips = [f"no such file {name}.wav#t={start},{start + length}" for name, start, length in parts]
    n_train = min(n_train, len(clips) - 1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        audit = audit_split(
            pd.DataFrame({"audio": clips}), [*range(n_train)], [*range(n_train, len(clips))]
        )
    expected = {
        (i, j)
        for i, (name, start, length) in enumerate(parts[:n_train])
        for j, (other, at, n) in enumerate(parts[n_train:], n_train)
        if name == other and (start, length) != (at, n) and start < at + n and at < start + length
    }
    rows = tuple(sorted({pair[side] for pair in expected}) for side in (0, 1))
    assert found(audit).get("overlap", ([], [])) == rows
