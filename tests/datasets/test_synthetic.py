import wave
import zipfile
from pathlib import Path

import av
import librosa
import numpy as np
import pytest
from scipy.ndimage import gaussian_filter1d

from skemotion.datasets import _synthetic, load_ravdess, make_ravdess

SMALL = {"duration": 0.5, "frame_size": (72, 128)}
TWO = {"n_actors": 2, "emotions": ["neutral", "angry"], "n_statements": 1, **SMALL}
ALL_THREE = ["full", "video-only", "audio-only"]


def contents(folder):
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def members(archive):
    with zipfile.ZipFile(archive) as file:
        return {name: file.read(name) for name in file.namelist()}


def wav(path):
    with wave.open(str(path)) as file:
        assert (file.getframerate(), file.getnchannels(), file.getsampwidth()) == (48_000, 1, 2)
        return np.frombuffer(file.readframes(file.getnframes()), "<i2") / 32768


def luma(path):
    with av.open(str(path)) as container:
        return np.array([frame.to_ndarray(format="gray") for frame in container.decode(video=0)])


def sound(path):
    with av.open(str(path)) as container:
        return np.concatenate([f.to_ndarray().ravel() for f in container.decode(audio=0)])


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    """Two actors, sad and surprised, two takes each, all modalities."""
    return make_ravdess(
        tmp_path_factory.mktemp("corpus"),
        n_actors=2,
        emotions=["surprised", "sad"],
        intensities=["strong"],
        n_statements=1,
        n_repetitions=2,
        modalities=ALL_THREE,
        duration=1.5,
        frame_size=(180, 320),
    )


def test_names_and_folders(tmp_path):
    made = make_ravdess(
        tmp_path / "new" / "corpus", **{**TWO, "n_statements": 2}, modalities=ALL_THREE
    )
    assert made == tmp_path / "new" / "corpus"
    # There is no strong neutral.
    takes = ["01-01-01-01", "01-01-02-01", "05-01-01-01", "05-01-02-01", "05-02-01-01"]
    takes += ["05-02-02-01"]
    expected = {
        f"Actor_{actor}/{modality}-01-{take}-{actor}.{suffix}"
        for actor in ("01", "02")
        for take in takes
        for modality, suffix in (("01", "mp4"), ("02", "mp4"), ("03", "wav"))
    }
    assert set(contents(made)) == expected


def test_archives_hold_the_same_clips_whatever_n_jobs(tmp_path):
    folders = contents(make_ravdess(tmp_path / "folders", **TWO, modalities=ALL_THREE))
    zipped = make_ravdess(tmp_path / "a", **TWO, modalities=ALL_THREE, archives=True, n_jobs=2)
    assert members(zipped / "Audio_Speech_Actors_01-02.zip") == {
        name: clip for name, clip in folders.items() if name.endswith("wav")
    }
    for actor in ("01", "02"):
        assert members(zipped / f"Video_Speech_Actor_{actor}.zip") == {
            name: clip for name, clip in folders.items() if name.endswith(f"{actor}.mp4")
        }
    again = make_ravdess(tmp_path / "b", **TWO, modalities=ALL_THREE, archives=True)
    assert contents(again) == contents(zipped)
    assert len(contents(again)) == 3


@pytest.mark.parametrize("archives", [False, True])
def test_load_ravdess_reads_it(tmp_path, archives):
    corpus = load_ravdess(make_ravdess(tmp_path, **TWO, archives=archives))
    assert corpus.target.tolist() == ["neutral", "angry", "angry"] * 2
    assert corpus.groups.tolist() == [1, 1, 1, 2, 2, 2]
    assert corpus.data.notna().all(axis=None)


def test_a_clip_depends_on_its_own_identifiers_only(tmp_path):
    settings = {"emotions": ["angry"], "intensities": ["strong"], "n_statements": 1, **SMALL}
    one = contents(make_ravdess(tmp_path / "one", n_actors=1, **settings))
    more = contents(make_ravdess(tmp_path / "more", **TWO))
    assert len(one) == 2
    assert one.items() <= more.items()
    assert len(set(more.values())) == len(more)
    other = contents(make_ravdess(tmp_path / "other", n_actors=1, **settings, random_state=1))
    assert other.keys() == one.keys()
    assert not set(other.values()) & set(one.values())


def test_streams_are_those_of_the_published_clips(tmp_path):
    made = make_ravdess(
        tmp_path, n_actors=1, emotions=["fearful"], intensities=["normal"], n_statements=1
    )
    seconds = wav(made / "Actor_01" / "03-01-06-01-01-01-01.wav").size / 48_000
    with av.open(str(made / "Actor_01" / "01-01-06-01-01-01-01.mp4")) as container:
        (video,), (audio,) = container.streams.video, container.streams.audio
        assert (video.codec.name, video.pix_fmt) == ("h264", "yuv420p")
        assert (video.width, video.height) == (1280, 720)
        assert video.average_rate * 1001 == 30_000
        assert (audio.codec.name, audio.rate, audio.layout.name) == ("aac", 48_000, "mono")
        assert video.start_time == audio.start_time == 0
        assert seconds == pytest.approx(video.frames * 1001 / 30_000, abs=1e-4)
        for stream in (video, audio):
            assert float(stream.duration * stream.time_base) == pytest.approx(seconds, abs=2e-3)
        frames = [frame.pts * frame.time_base for frame in container.decode(video=0)]
    np.testing.assert_allclose(np.diff(np.array(frames, float)), 1001 / 30_000)
    assert len(frames) == video.frames


def test_duration_is_that_of_an_unemotional_clip(tmp_path):
    made = make_ravdess(
        tmp_path, n_actors=6, emotions=["neutral"], duration=3.0, modalities=["audio-only"]
    )
    seconds = [wav(path).size / 48_000 for path in made.glob("*/*.wav")]
    assert len(set(seconds)) > 6
    assert np.mean(seconds) == pytest.approx(3.0, rel=0.1)


def test_clips_of_a_recording_agree(corpus):
    for full in corpus.glob("*/01-*.mp4"):
        np.testing.assert_array_equal(luma(full), luma(full.with_name("02" + full.name[2:])))
        with av.open(str(full.with_name("02" + full.name[2:]))) as container:
            assert not container.streams.audio
        alone = wav(full.with_name("03" + full.name[2:]).with_suffix(".wav"))
        together = sound(full)[: alone.size]
        assert np.corrcoef(alone, together)[0, 1] > 0.98


def test_mouth_opens_with_the_voice(corpus):
    def syllables(track):
        return track - gaussian_filter1d(track, 4.0)

    # The mouth is dark inside; a beard, or lips that are open anyhow, would blur the picture.
    clips = sorted(corpus.glob("Actor_01/01-01-08-*.mp4"))
    assert len(clips) == 2
    for clip in clips:
        voice = wav(clip.with_name("03" + clip.name[2:]).with_suffix(".wav"))
        frames = luma(clip)
        level = np.array([part.std() for part in np.array_split(voice, len(frames))])
        skin = np.median(frames[:, 60:130, 130:190])
        dark = (skin - 30.0 - frames[:, 96:140, 140:180]).clip(0).sum(axis=(1, 2))
        assert np.corrcoef(syllables(level), syllables(dark))[0, 1] > 0.6


def test_voice_carries_the_emotion_and_the_actor(corpus):
    def pitch(actor, emotion):
        (path,) = corpus.glob(f"*/03-01-{emotion}-02-01-01-{actor}.wav")
        y = wav(path)
        f0 = librosa.yin(y, fmin=60, fmax=600, sr=48_000, frame_length=4096)
        level = librosa.feature.rms(y=y, frame_length=4096, hop_length=1024)[0]
        return np.median(f0[level > level.max() / 4])

    for actor in ("01", "02"):
        assert pitch(actor, "08") > 1.15 * pitch(actor, "04")
    assert 70 < pitch("01", "04") < 160
    assert pitch("02", "04") > 1.3 * pitch("01", "04")


def test_face_carries_the_emotion_and_the_actor(corpus):
    def apex(actor, emotion, repetition="01"):
        (path,) = corpus.glob(f"*/02-01-{emotion}-02-01-{repetition}-{actor}.mp4")
        frames = luma(path)
        return frames[len(frames) // 3 : len(frames) * 2 // 3].astype(int)

    def open_mouth(frames):
        mouth, skin = frames[:, 96:135, 140:180], np.median(frames[:, 60:130, 130:190])
        return np.median((mouth < skin - 70).sum(axis=(1, 2)))

    def distance(one, other):
        faces = [np.median(frames, axis=0)[30:140, 110:210] for frames in (one, other)]
        return np.abs(faces[0] - faces[1]).mean()

    for actor in ("01", "02"):
        for repetition in ("01", "02"):
            sad, surprised = apex(actor, "04", repetition), apex(actor, "08", repetition)
            assert open_mouth(surprised) > 2 * open_mouth(sad) + 10
        takes = distance(apex(actor, "04", "01"), apex(actor, "04", "02"))
        assert distance(apex("01", "04"), apex("02", "04")) > 1.3 * takes


def test_clips_there_are_replaced(tmp_path):
    settings = {"n_actors": 1, "emotions": ["neutral"], "n_statements": 1, **SMALL}
    first = contents(make_ravdess(tmp_path, **settings))
    for path in tmp_path.glob("*/*"):
        path.write_bytes(b"damaged")
    (tmp_path / "notes.txt").write_text("mine")
    make_ravdess(tmp_path, **settings)
    assert contents(tmp_path) == {**first, "notes.txt": b"mine"}


@pytest.mark.parametrize("obstacle", ["folder", "link"])
def test_what_is_not_a_clip_is_left_alone(tmp_path, obstacle):
    in_the_way = tmp_path / "Video_Speech_Actor_02.zip"
    if obstacle == "folder":
        in_the_way.mkdir()
    else:
        in_the_way.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(FileExistsError, match=r"Video_Speech_Actor_02\.zip is in the way"):
        make_ravdess(tmp_path, **TWO, archives=True)
    assert list(tmp_path.iterdir()) == [in_the_way]


@pytest.mark.parametrize("archives", [False, True])
def test_nothing_half_done_is_left(tmp_path, monkeypatch, archives):
    def fail(*args):
        raise OSError("no space left")

    if archives:
        monkeypatch.setattr(_synthetic, "_add_member", fail)
    else:
        monkeypatch.setattr(Path, "replace", fail)
    with pytest.raises(OSError, match="no space left"):
        make_ravdess(tmp_path, **TWO, archives=archives)
    assert contents(tmp_path) == {}


def test_a_file_is_no_folder(tmp_path):
    path = tmp_path / "corpus"
    path.touch()
    with pytest.raises(NotADirectoryError, match=r"corpus is a file\. Give a folder"):
        make_ravdess(path, **TWO)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"n_actors": 0}, "n_actors == 0, must be >= 1"),
        ({"n_actors": 25}, "n_actors == 25, must be <= 24"),
        ({"n_statements": 3}, "n_statements == 3, must be <= 2"),
        ({"n_repetitions": 0}, "n_repetitions == 0, must be >= 1"),
        ({"duration": 0.1}, "duration == 0.1, must be >= 0.25"),
        ({"frame_size": (71, 128)}, "even height and width"),
        ({"frame_size": (16, 16)}, "at least 48"),
        ({"frame_size": (72.0, 128.0)}, "even height and width"),
        (
            {"emotions": ["bored"]},
            r"emotions must be a list of some of \['neutral', .*\], got \['bored'\]",
        ),
        ({"emotions": "happy"}, r"emotions must be a list of some of .*, got 'happy'"),
        ({"emotions": []}, "emotions must be a list of some of"),
        ({"intensities": ["loud"]}, "intensities must be a list of some of"),
        ({"modalities": ["song"]}, "modalities must be a list of some of"),
        ({"emotions": ["neutral"], "intensities": ["strong"]}, "no strong neutral"),
    ],
)
def test_bad_parameters(tmp_path, wrong, message):
    with pytest.raises(ValueError, match=message):
        make_ravdess(tmp_path / "corpus", **wrong)
    assert not (tmp_path / "corpus").exists()


def test_verbose_shows_progress(tmp_path, capsys):
    make_ravdess(tmp_path, **TWO)
    assert capsys.readouterr().err == ""
    make_ravdess(tmp_path, **TWO, verbose=True)
    assert "6/6" in capsys.readouterr().err
