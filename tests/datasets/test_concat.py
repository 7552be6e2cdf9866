import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.model_selection import LeaveOneGroupOut
from sklearn.utils import Bunch

from skemotion.datasets import concat_corpora, load_corpus, load_ravdess


def touch(folder, *names):
    folder.mkdir(exist_ok=True)
    for name in names:
        (folder / name).touch()


@pytest.fixture
def ravdess(tmp_path):
    """Actors 1 and 2, calm, happy and angry, with video and audio."""
    touch(
        tmp_path / "ravdess",
        *(
            f"{clip}-01-{emotion}-01-01-01-{actor}.{suffix}"
            for clip, suffix in (("02", "mp4"), ("03", "wav"))
            for emotion in ("02", "03", "05")
            for actor in ("01", "02")
        ),
    )
    return load_ravdess(tmp_path / "ravdess")


@pytest.fixture
def tess(tmp_path):
    touch(
        tmp_path / "tess",
        *(f"{actor}_dog_{word}.wav" for actor in ("OAF", "YAF") for word in ("angry", "happy")),
        "YAF_dog_ps.wav",
    )
    return load_corpus(tmp_path / "tess", naming="tess")


@pytest.fixture
def java(tmp_path):
    """Actors 1 and 2 again, others than those of RAVDESS; happy and angry, on video."""
    touch(tmp_path / "java", "01-01-03_01.mp4", "01-01-06_01.mp4", "02-01-03_01.mp4")
    return load_corpus(tmp_path / "java", naming="java-sed")


def test_shared_emotions_and_columns(ravdess, tess):
    corpus = concat_corpora({"ravdess": ravdess, "tess": tess})
    assert corpus.data.columns.tolist() == ["audio", "speaker"]
    assert corpus.data["speaker"].tolist() == corpus.groups.tolist()
    rows = np.isin(ravdess.target, ["happy", "angry"])
    audio = [*ravdess.data["audio"][rows], *tess.data["audio"][:4]]
    assert corpus.data["audio"].tolist() == audio
    assert corpus.target.tolist() == ["happy", "angry"] * 2 + ["angry", "happy"] * 2
    assert corpus.target.dtype.kind == "U"
    assert corpus.target_names == ["happy", "angry"]
    assert corpus.groups.tolist() == [
        *["ravdess/1"] * 2,
        *["ravdess/2"] * 2,
        *["tess/OAF"] * 2,
        *["tess/YAF"] * 2,
    ]
    assert corpus.metadata.columns[0] == "corpus"
    assert corpus.metadata["corpus"].tolist() == ["ravdess"] * 4 + ["tess"] * 4
    assert corpus.metadata["emotion"].tolist() == corpus.target.tolist()
    assert corpus.metadata["actor"].tolist() == [1, 1, 2, 2, "OAF", "OAF", "YAF", "YAF"]
    assert corpus.metadata["word"].tolist() == [None] * 4 + ["dog"] * 4
    assert corpus.metadata["repetition"].tolist() == [1] * 4 + [None] * 4
    assert corpus.data.index.tolist() == corpus.metadata.index.tolist() == list(range(8))
    assert corpus.keys() == ravdess.keys()


def test_descr_tells_what_was_merged_and_dropped(ravdess, tess):
    descr = concat_corpora({"ravdess": ravdess, "tess": tess}).DESCR
    assert "Emotions: happy, angry\nColumns: audio\n" in descr
    assert "ravdess: 4 recordings, 2 actors; left out: 2 calm\n" in descr
    assert "tess: 4 recordings, 2 actors; left out: 1 surprised\n" in descr
    assert ravdess.DESCR in descr
    assert tess.DESCR in descr


def test_others(ravdess, tess):
    corpora = {"ravdess": ravdess, "tess": tess}
    kept = concat_corpora(corpora, others="keep")
    assert kept.target_names == ["calm", "happy", "angry", "surprised"]
    assert len(kept.target) == len(ravdess.target) + len(tess.target)
    assert "left out: none" in kept.DESCR
    with pytest.raises(ValueError, match=r"ravdess: calm; tess: surprised\. Pass others='drop'"):
        concat_corpora(corpora, others="raise")
    corpora = {name: concat_corpora(corpora) for name in ("one",)}
    assert concat_corpora(corpora, others="raise").target_names == ["happy", "angry"]


def test_all_columns(ravdess, tess):
    corpus = concat_corpora({"tess": tess, "ravdess": ravdess}, columns="all")
    assert corpus.data.columns.tolist() == ["video", "audio", "speaker"]
    assert corpus.data["video"].tolist()[:4] == [None] * 4
    assert corpus.data["video"][4:].notna().all()
    assert corpus.target_names == ["happy", "angry"]
    only = concat_corpora({"both": concat_corpora({"tess": tess})}, columns="all")
    assert only.data["video"].tolist() == [None] * 5
    assert only.groups.tolist()[0] == "both/tess/OAF"


def test_both_columns_where_all_have_both(ravdess, java):
    corpus = concat_corpora({"ravdess": ravdess, "java": java})
    assert corpus.data.columns.tolist() == ["video", "audio", "speaker"]
    assert corpus.metadata["sentence"].tolist() == [None] * 4 + [1] * 3
    assert len(set(corpus.groups)) == 4  # actors 1 and 2 of each
    assert corpus.metadata["actor"].dtype.kind == "i"
    test = [
        set(corpus.groups[t])
        for _, t in LeaveOneGroupOut().split(corpus.data, groups=corpus.groups)
    ]
    assert test == [{"java/1"}, {"java/2"}, {"ravdess/1"}, {"ravdess/2"}]


def test_recordings_without_a_clip_in_the_columns_are_left_out(tmp_path, tess):
    touch(
        tmp_path / "r",
        "02-01-03-01-01-01-01.mp4",
        "02-01-05-01-01-01-01.mp4",
        "03-01-05-01-01-01-01.wav",
    )
    corpus = concat_corpora({"r": load_ravdess(tmp_path / "r"), "tess": tess})
    # What is left of RAVDESS is angry alone, so that happy is not shared.
    assert corpus.target.tolist() == ["angry"] * 3
    assert "r: 1 recording, 1 actor; left out: 1 happy\n" in corpus.DESCR


def test_nothing_shared(tmp_path, tess):
    touch(tmp_path / "v", "02-01-03-01-01-01-01.mp4")
    silent = load_ravdess(tmp_path / "v")
    with pytest.raises(ValueError, match=r"found v: video; tess: audio\. Pass columns='all'"):
        concat_corpora({"v": silent, "tess": tess})
    touch(tmp_path / "c", "03-01-02-01-01-01-01.wav")
    calm = load_ravdess(tmp_path / "c")
    for others in ("drop", "keep", "raise"):
        with pytest.raises(ValueError, match=r"c: calm; tess: .*None is in all of them"):
            concat_corpora({"c": calm, "tess": tess}, others=others)


def test_the_same_clips_twice(ravdess, tess):
    with pytest.raises(ValueError, match=r"wav is both in 'a' and in 'c' \(shared clips: 4\)"):
        concat_corpora({"a": ravdess, "b": tess, "c": concat_corpora({"x": tess, "r": ravdess})})


def test_the_speaker_dependents_twice(tmp_path, ravdess):
    touch(tmp_path / "more", "03-01-05-02-01-01-02.wav", "03-01-03-02-01-01-03.wav")
    more = load_ravdess(tmp_path / "more")
    with pytest.raises(ValueError, match=r"'a' and 'b' are the same corpus, and share actor 2 "):
        concat_corpora({"a": ravdess, "b": more})
    more.DESCR = "Other people"
    assert "b/2" in concat_corpora({"a": ravdess, "b": more}).groups


@pytest.mark.parametrize("name", ["", "a/b", 1])
def test_names(tess, name):
    with pytest.raises(ValueError, match=r"name must be a text without a slash"):
        concat_corpora({name: tess})


def test_bad_parameters(tess):
    with pytest.raises(ValueError, match="others must be 'drop', 'keep' or 'raise', got 'no'"):
        concat_corpora({"tess": tess}, others="no")
    with pytest.raises(ValueError, match="columns must be 'shared' or 'all', got 'video'"):
        concat_corpora({"tess": tess}, columns="video")
    with pytest.raises(ValueError, match=r"such as \{'ravdess': \.\.\., .*, got list"):
        concat_corpora([tess])
    with pytest.raises(ValueError, match=r"got \{\}"):
        concat_corpora({})


emotions = st.lists(st.sampled_from("abcd"), min_size=1, max_size=8)


@settings(deadline=None, max_examples=40)
@given(st.lists(emotions, min_size=1, max_size=4), st.sampled_from(["drop", "keep"]))
def test_rows_stay_together(words, others):
    corpora = {
        f"corpus {i}": Bunch(
            data=pd.DataFrame({"audio": [f"{i}-{k}-{word}.wav" for k, word in enumerate(some)]}),
            target=np.array(some),
            groups=np.arange(len(some)) % 2,
            metadata=pd.DataFrame({"emotion": some, f"own {i}": range(len(some))}),
            target_names=sorted(set(some)),
            DESCR=f"Corpus {i}\n",
        )
        for i, some in enumerate(words)
    }
    shared = set.intersection(*map(set, words))
    if not shared:
        with pytest.raises(ValueError, match="None is in all of them"):
            concat_corpora(corpora, others=others)
        return
    corpus = concat_corpora(corpora, others=others)
    expected = [
        (f"{i}-{k}-{word}.wav", word, f"corpus {i}/{k % 2}")
        for i, some in enumerate(words)
        for k, word in enumerate(some)
        if others == "keep" or word in shared
    ]
    found = zip(corpus.data["audio"], corpus.target, corpus.groups, strict=True)
    assert list(found) == expected
    assert corpus.metadata["emotion"].tolist() == corpus.target.tolist()
    assert sorted(corpus.target_names) == sorted(set(corpus.target))
