import wave
import zipfile
from collections import Counter
from pathlib import Path

import av
import numpy as np
import pandas as pd
import pytest

from skemotion import MediaError
from skemotion.audio import AudioLoader
from skemotion.datasets import NAMINGS, load_corpus, load_folders, load_ravdess
from skemotion.datasets._corpus import _NAMINGS
from skemotion.datasets._ravdess import _NAMING
from skemotion.video import VideoLoader

EMOTIONS = ["neutral", "sad", "happy", "surprised", "fearful", "angry"]


def test_real_java_sed(shared_data):
    corpus = load_corpus(shared_data / "java-sed", naming="java-sed")
    assert len(corpus.data) == 144
    assert Counter(corpus.groups) == dict.fromkeys(range(1, 7), 24)
    assert Counter(corpus.target) == dict.fromkeys(EMOTIONS, 24)
    assert corpus.target_names == EMOTIONS
    assert (corpus.data["video"] == corpus.data["audio"]).all()
    assert all(Path(path).is_file() for path in corpus.data["video"])
    assert corpus.metadata["sentence"].nunique() == 4


def test_java_sed_fields(tmp_path):
    (tmp_path / "05-04-06_02.mp4").touch()
    with zipfile.ZipFile(tmp_path / "more.zip", "w") as archive:
        archive.writestr("05-04-06_02.mp4", "")
        archive.writestr("05-04-03_01.mp4", "")
        archive.writestr("01-04-02_01.wav", "")
    corpus = load_corpus(tmp_path, "java-sed")
    assert corpus.metadata.to_dict("list") == {
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
    pd.testing.assert_frame_equal(one.metadata, other.metadata)
    assert len(one.data) == 1


def encode(path):
    """Write a tiny clip: a tone, and a grey picture where the suffix is that of a video."""
    path.parent.mkdir(parents=True, exist_ok=True)
    tone = (3000 * np.sin(np.arange(1600) / 5)).astype(np.int16)
    if path.suffix == ".wav":
        with wave.open(str(path), "wb") as file:
            file.setparams((1, 2, 16_000, 0, "NONE", ""))
            file.writeframes(tone.tobytes())
        return
    with av.open(str(path), "w") as file:
        picture = file.add_stream("flv1" if path.suffix == ".flv" else "mpeg4", rate=10)
        picture.width, picture.height, picture.pix_fmt = 32, 24, "yuv420p"
        for shade in (50, 200):
            frame = av.VideoFrame.from_ndarray(np.full((24, 32), shade, np.uint8), format="gray")
            file.mux(picture.encode(frame))
        file.mux(picture.encode())


def test_tess(tmp_path):
    for name in (
        "OAF_angry/OAF_back_angry.wav",
        "OAF_Fear/OAF_back_fear.wav",
        "OAF_neutral/OA_bite_neutral.wav",
        "YAF_pleasant_surprised/YAF_dog_ps.wav",
        "YAF_disgust/YAF_dog_disgust.wav",
        "again/OAF_angry/OAF_back_angry.wav",
    ):
        encode(tmp_path / name)
    corpus = load_corpus(tmp_path, naming="tess")
    assert corpus.metadata.to_dict("list") == {
        "actor": ["OAF", "OAF", "OAF", "YAF", "YAF"],
        "word": ["back", "back", "bite", "dog", "dog"],
        "emotion": ["angry", "fearful", "neutral", "disgust", "surprised"],
    }
    assert corpus.groups.tolist() == ["OAF", "OAF", "OAF", "YAF", "YAF"]
    assert corpus.groups.dtype.kind == "U"
    assert corpus.target_names == ["neutral", "angry", "fearful", "disgust", "surprised"]
    assert corpus.data["video"].isna().all()
    assert corpus.data["audio"][2] == str(tmp_path / "OAF_neutral" / "OA_bite_neutral.wav")
    sounds = AudioLoader(16_000).transform(corpus.data["audio"])
    assert [len(sound) for sound in sounds] == [1600] * 5
    assert "10.5683/SP2/E8H2MF" in corpus.DESCR


def test_crema_d(tmp_path):
    for name in (
        "VideoFlash/1001_DFA_ANG_XX.flv",
        "AudioWAV/1001_DFA_ANG_XX.wav",
        "AudioWAV/1040_ITH_SAD_X.wav",
        "VideoFlash/1040_ITH_SAD_XX.flv",
        "VideoFlash/1002_IEO_HAP_MD.mp4",
    ):
        encode(tmp_path / name)
    (tmp_path / "AudioMP3").mkdir()
    (tmp_path / "AudioMP3" / "1001_DFA_ANG_XX.mp3").touch()
    with zipfile.ZipFile(tmp_path / "AudioWAV.zip", "w") as archive:
        archive.writestr("AudioWAV/1091_WSI_FEA_XX.wav", "")
    corpus = load_corpus(tmp_path, naming="crema-d")
    assert corpus.metadata.to_dict("list") == {
        "actor": [1001, 1002, 1040, 1091],
        "sentence": [
            "Don't forget a jacket",
            "It's eleven o'clock",
            "I think I have a doctor's appointment",
            "We'll stop in a couple of minutes",
        ],
        "emotion": ["angry", "happy", "sad", "fearful"],
        "level": ["unspecified", "medium", "unspecified", "unspecified"],
    }
    assert corpus.groups.tolist() == [1001, 1002, 1040, 1091]
    assert corpus.groups.dtype.kind == "i"
    assert corpus.data["video"].tolist() == [
        str(tmp_path / "VideoFlash" / "1001_DFA_ANG_XX.flv"),
        str(tmp_path / "VideoFlash" / "1002_IEO_HAP_MD.mp4"),
        str(tmp_path / "VideoFlash" / "1040_ITH_SAD_XX.flv"),
        None,
    ]
    # Sound alone before that of a video, and lossless before MP3.
    assert corpus.data["audio"].tolist() == [
        str(tmp_path / "AudioWAV" / "1001_DFA_ANG_XX.wav"),
        str(tmp_path / "VideoFlash" / "1002_IEO_HAP_MD.mp4"),
        str(tmp_path / "AudioWAV" / "1040_ITH_SAD_X.wav"),
        f"zip://AudioWAV/1091_WSI_FEA_XX.wav::{tmp_path}/AudioWAV.zip",
    ]
    videos = VideoLoader(n_frames=2, scale=1).transform(corpus.data["video"][:3])
    assert videos.shape == (3, 2, 24, 32)
    assert "Open Database License" in corpus.DESCR


@pytest.mark.parametrize("naming", NAMINGS)
def test_the_same_emotion_has_the_same_name(naming):
    scheme = {"ravdess": _NAMING, **_NAMINGS}[naming]
    words = set(scheme.words["emotion"].values())
    assert words <= set(_NAMING.words["emotion"].values())
    assert len(words) == len(scheme.words["emotion"])
    stem = Path(scheme.example).stem
    assert scheme.parse(stem) is not None
    assert scheme.parse(stem + "x") is None


def test_unknown_naming(tmp_path):
    known = "one of 'ravdess', 'java-sed', 'tess', 'crema-d', got 'mine'"
    with pytest.raises(ValueError, match=known):
        load_corpus(tmp_path, naming="mine")


def test_another_corpus_than_named(tmp_path):
    (tmp_path / "03-01-04-01-01-01-01.wav").touch()
    with pytest.raises(MediaError, match=r"Java-SED .*01-02-03_01\.mp4.*found 1 file") as error:
        load_corpus(tmp_path, naming="java-sed")
    assert "naming=" in str(error.value)
    assert "--naming" in str(error.value)


def test_names_that_do_not_parse_warn(tmp_path):
    for name in ("01-01-01_01.mp4", "01-01-07_01.mp4", "01-01-01.mp4"):
        (tmp_path / name).touch()
    with pytest.warns(UserWarning, match=r"left out 2 files \(01-01-01\.mp4, 01-01-07_01\.mp4\)"):
        corpus = load_corpus(tmp_path, naming="java-sed")
    assert len(corpus.data) == 1


def test_members_whose_names_lead_out_of_an_archive_are_reported(tmp_path):
    path = tmp_path / "corpus.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for name in ("../03-01-05-01-01-01-02.wav", "/03-01-05-01-01-01-03.wav", "a/../../b.wav"):
            archive.writestr(name, "")
        archive.writestr("Actor_01/03-01-05-01-01-01-01.wav", "")
    with pytest.warns(UserWarning, match=r"left out 3 files \(\.\./03.*lead out of the archive"):
        assert len(load_corpus(path).data) == 1


@pytest.mark.parametrize("load", [load_corpus, load_folders, load_ravdess])
def test_an_empty_path_is_no_folder(load):
    with pytest.raises(FileNotFoundError, match=r"^'': expected .*found an empty path"):
        load("")
