"""Timelines of recordings in which voices and faces are known by construction."""

import os
import re
import signal
import tracemalloc
from contextlib import nullcontext

import av
import numpy as np
import pandas as pd
import pytest
from helpers import encode_video, encode_wav
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

import skemotion
from skemotion import MediaError
from skemotion.audio import AudioLoader
from skemotion.base import ClipFunction, ClipTransformer, ClipWindow, sliding_windows
from skemotion.classification import FusionClassifier
from skemotion.io import without_workers
from skemotion.model_selection import _timeline_answers as timeline_answers
from skemotion.model_selection import predict_timeline
from skemotion.model_selection._timeline_answers import Answers, smoothed
from skemotion.pipeline import ClipPipeline, UnusableClipWarning, make_emotion_pipeline
from skemotion.video import VideoLoader

RATE = 8000
EMOTIONS = ["sad", "happy", "sad", "happy"]
SECONDS = 5.0  # of each


class Brightness(ClipTransformer):
    """Mean and spread of the picture."""

    takes = "frames"

    def transform_clip(self, clip):
        return np.array([clip.mean(), clip.std()]) / 100


class Pitch(ClipTransformer):
    """Crossings of zero per sample, and loudness."""

    takes = "waveforms"

    def transform_clip(self, clip):
        return np.array([100 * np.mean(np.diff(np.signbit(clip))), np.std(clip)])


def voice(emotion, seconds=SECONDS, rate=RATE):
    pitch = {"sad": 150, "happy": 400}[emotion]
    t = np.arange(round(seconds * rate)) / rate
    return 0.3 * np.sin(2 * np.pi * pitch * t) * (1 + 0.3 * np.sin(9 * t))


def pictures(emotion, seconds=SECONDS):
    shade = {"sad": 60, "happy": 170}[emotion]
    rng = np.random.default_rng(shade)
    n_frames = round(seconds * 25)
    waves = shade + 20 * np.sin(np.arange(n_frames) / 5)[:, None, None]
    return (waves + rng.normal(0, 3, (n_frames, 24, 32))).astype(np.uint8)


def branches(**settings):
    audio = ClipPipeline(
        [("load", AudioLoader(RATE)), ("pitch", Pitch())], on_error="nan", **settings
    )
    video = ClipPipeline(
        [("load", VideoLoader(n_frames=12, scale=1)), ("shade", Brightness())],
        on_error="nan", **settings,
    )  # fmt: skip
    return audio, video


@pytest.fixture(autouse=True)
def in_this_process(request):
    """Work here, where tests can look on, but for tests of what clips do to a worker."""
    with nullcontext() if "worker" in request.node.name else without_workers():
        yield


@pytest.fixture(scope="module")
def sound_and_picture(tmp_path_factory):
    """Write the sound, the picture, and both in one file."""
    folder = tmp_path_factory.mktemp("recording")
    sound = np.concatenate([voice(emotion) for emotion in EMOTIONS]).astype(np.float32)
    frames = np.concatenate([pictures(emotion) for emotion in EMOTIONS])
    (folder / "sound.wav").write_bytes(encode_wav(sound, RATE))
    (folder / "picture.mkv").write_bytes(encode_video(frames))
    with (
        av.open(str(folder / "both.mkv"), "w") as output,
        av.open(str(folder / "sound.wav")) as audio,
        av.open(str(folder / "picture.mkv")) as video,
    ):
        pairs = [
            (container, output.add_stream_from_template(container.streams[0]))
            for container in (video, audio)
        ]
        for container, stream in pairs:
            for packet in container.demux():
                if packet.dts is not None:
                    packet.stream = stream
                    output.mux(packet)
    return folder


@pytest.fixture(scope="module")
def fusion():
    audio, video = branches()
    y = EMOTIONS * 3
    X = pd.DataFrame(
        {
            "audio": pd.Series(
                [(RATE, voice(e, 2 + i / 9)) for i, e in enumerate(y)], dtype=object
            ),
            "video": pd.Series([pictures(e, 2 + i / 9) for i, e in enumerate(y)], dtype=object),
        }
    )
    return FusionClassifier(
        [
            ("audio", make_pipeline(audio, LogisticRegression()), "audio"),
            ("video", make_pipeline(video, LogisticRegression()), "video"),
        ]
    ).fit(X, y)


@pytest.mark.parametrize(
    ("file", "modalities"),
    [("both.mkv", "audio+video"), ("sound.wav", "audio"), ("picture.mkv", "video")],
)
def test_windows_are_what_predict_says_of_them(sound_and_picture, fusion, file, modalities):
    path = sound_and_picture / file
    timeline = predict_timeline(fusion, path, window=2.0, hop=0.75)
    assert list(timeline) == ["start", "end", "label", "modalities", "happy", "sad"]
    assert set(timeline["modalities"]) == {modalities}
    np.testing.assert_allclose(timeline["start"], 0.75 * np.arange(25))
    # Those that lie in one part, and the last one, which is cut.
    for row in timeline.itertuples():
        parts = {int(row.start // SECONDS), int((row.end - 1e-6) // SECONDS)}
        if len(parts) == 1:
            assert row.label == EMOTIONS[parts.pop()]
    assert timeline["end"].iloc[-1] == pytest.approx(20)
    segments = [f"{path}#t={row.start:.6f},{row.end:.6f}" for row in timeline.itertuples()]
    columns = {"sound.wav": ["audio"], "picture.mkv": ["video"]}.get(file, ["audio", "video"])
    expected = fusion.predict_proba(pd.DataFrame(dict.fromkeys(columns, segments)))
    np.testing.assert_allclose(timeline[["happy", "sad"]], expected, atol=1e-7)


def test_the_model_is_left_as_it_is(sound_and_picture, fusion):
    loaders = [branch[0].steps_[0][1] for branch in fusion.named_estimators_.values()]
    predict_timeline(fusion, sound_and_picture / "sound.wav")
    assert loaders == [branch[0].steps_[0][1] for branch in fusion.named_estimators_.values()]
    assert [type(loader) for loader in loaders] == [AudioLoader, VideoLoader]


def test_each_stream_is_decoded_once(sound_and_picture, fusion, monkeypatch):
    opened = []
    for loader in (AudioLoader, VideoLoader):
        original = loader.transform_windows
        monkeypatch.setattr(
            loader, "transform_windows",
            lambda self, *a, _o=original, **k: opened.append(type(self)) or _o(self, *a, **k),
        )  # fmt: skip
    predict_timeline(fusion, sound_and_picture / "both.mkv")
    assert sorted(opened, key=str) == [AudioLoader, VideoLoader]


def test_a_silent_stretch_is_left_to_the_picture_or_has_no_answer(
    sound_and_picture, fusion, tmp_path
):
    sound = np.concatenate([voice("sad", 4), np.zeros(4 * RATE), voice("happy", 4)])
    (tmp_path / "pause.wav").write_bytes(encode_wav(sound, RATE))
    timeline = predict_timeline(fusion, tmp_path / "pause.wav", window=2.0, hop=1.0)
    silent = (timeline["start"] >= 4) & (timeline["end"] <= 8)
    assert silent.sum() == 3
    assert timeline.loc[silent, "label"].tolist() == [None] * 3
    assert timeline.loc[silent, "modalities"].tolist() == [""] * 3
    assert timeline.loc[silent, ["happy", "sad"]].isna().all(axis=None)
    assert timeline.loc[~silent, ["happy", "sad"]].notna().all(axis=None)
    everything = predict_timeline(fusion, tmp_path / "pause.wav", window=2.0, silence=None)
    assert everything["label"].notna().all()


def test_sound_that_ends_before_the_picture(sound_and_picture, fusion, monkeypatch):
    original = AudioLoader.transform_windows

    def short(self, clip, window, hop, first=0):
        for start, end, waveform in original(self, clip, window, hop, first):
            if start < 8:
                yield ClipWindow(start, min(end, 8.0), waveform[: round((8 - start) * RATE)])

    monkeypatch.setattr(AudioLoader, "transform_windows", short)
    timeline = predict_timeline(fusion, sound_and_picture / "both.mkv", 2.0, 0.75)
    # At 6.75 s there is more sound than not.
    assert set(timeline["modalities"][timeline["start"] < 7]) == {"audio+video"}
    assert set(timeline["modalities"][timeline["start"] > 7]) == {"video"}
    assert timeline["end"].max() == pytest.approx(20)


def test_a_clip_shorter_than_a_window_is_one_row(fusion, tmp_path):
    (tmp_path / "short.wav").write_bytes(encode_wav(voice("happy", 1.3), RATE))
    timeline = predict_timeline(fusion, tmp_path / "short.wav")
    assert len(timeline) == 1
    assert timeline.loc[0, ["start", "end", "label"]].tolist() == [0.0, 1.3, "happy"]


@pytest.mark.parametrize(
    ("seconds", "hop", "ends"),
    [(6.0, 1.0, [3, 4, 5, 6]), (6.05, 1.0, [3, 4, 5, 6]), (6.5, 1.0, [3, 4, 5, 6, 6.5]),
     (7.0, 4.0, [3, 7]), (3.5, 4.0, [3])],
)  # fmt: skip
def test_the_last_window_is_cut_or_left_out(fusion, tmp_path, seconds, hop, ends):
    (tmp_path / "clip.wav").write_bytes(encode_wav(voice("sad", seconds), RATE))
    timeline = predict_timeline(fusion, tmp_path / "clip.wav", hop=hop)
    np.testing.assert_allclose(timeline["end"], ends)


def test_what_cannot_be_used_says_why(fusion, tmp_path):
    with pytest.raises(MediaError, match=r"gone\.mp4: expected a media file, found no such file"):
        predict_timeline(fusion, tmp_path / "gone.mp4")
    (tmp_path / "text.mp4").write_text("no video")
    with pytest.raises(MediaError, match=r"text\.mp4: expected a readable"):
        predict_timeline(fusion, tmp_path / "text.mp4")
    with pytest.raises(TypeError, match="predict_proba, got BirchLike"):
        predict_timeline(BirchLike().fit(None), "clip.mp4")
    with pytest.raises(ValueError, match="odd number of windows, got 4"):
        predict_timeline(fusion, "clip.mp4", smooth=4)
    with pytest.raises(ValueError, match="'hop' parameter"):
        predict_timeline(fusion, "clip.mp4", hop=0)


class BirchLike(ClipFunction):
    def __init__(self):
        super().__init__(np.ravel)

    def fit(self, X, y=None):
        self.fitted_ = True
        return self


def test_damage_later_on_is_warned_about_and_the_rest_goes_on(
    sound_and_picture, fusion, monkeypatch
):
    original = AudioLoader.transform_windows

    def torn(self, clip, window, hop, first=0):
        for part in original(self, clip, window, hop, first):
            if part.start > 6:
                raise MediaError("torn")
            yield part

    monkeypatch.setattr(AudioLoader, "transform_windows", torn)
    with pytest.warns(UnusableClipWarning, match="From 8 s on there is no audio: torn"):
        timeline = predict_timeline(fusion, sound_and_picture / "both.mkv", 2.0, 1.0)
    assert timeline["modalities"].tolist() == ["audio+video"] * 7 + ["video"] * 12


def test_models_of_other_shapes(sound_and_picture, tmp_path):
    audio, _ = branches()
    X = [(RATE, voice(e, 2)) for e in EMOTIONS * 2]
    plain = make_pipeline(audio.set_params(on_error="raise"), LogisticRegression())
    plain.fit(X, EMOTIONS * 2)
    path = sound_and_picture / "sound.wav"
    timeline = predict_timeline(plain, path, 2.5, 2.5)
    assert timeline["label"].tolist() == np.repeat(EMOTIONS, 2).tolist()
    assert set(timeline["modalities"]) == {"audio"}
    # A stage of one's own opens each window by its address.
    by_segment = make_pipeline(ClipFunction(_pitch_of, takes="clips"), LogisticRegression())
    by_segment.fit([str(path) + f"#t={t},{t + 2}" for t in (0, 5, 10, 15)], EMOTIONS)
    own = predict_timeline(by_segment, path, 2.5, 2.5)
    assert own["label"].tolist() == timeline["label"].tolist()
    with pytest.raises(MediaError, match="says how long it is"):
        predict_timeline(by_segment, tmp_path / "gone.wav")


def test_speakers(tmp_path):
    """A recipe that scales by speaker, of somebody who is not named, and of one who is."""
    X = pd.DataFrame(
        {
            "audio": pd.Series([(RATE, voice(e, 1 + i / 9)) for i, e in enumerate(EMOTIONS * 4)],
                               dtype=object),
            "speaker": list("aabb") * 4,
        }
    )  # fmt: skip
    model = make_emotion_pipeline("audio", speaker="speaker").fit(X, EMOTIONS * 4)
    sound = np.concatenate([voice(emotion) for emotion in EMOTIONS])
    (tmp_path / "a.wav").write_bytes(encode_wav(sound, RATE))
    with pytest.raises(ValueError, match="does not know the speaker 'a'"):
        predict_timeline(model, tmp_path / "a.wav", speaker="a")
    model.enroll(X)
    for speaker in (None, "a"):
        timeline = predict_timeline(model, tmp_path / "a.wav", 2.5, 2.5, speaker=speaker)
        assert timeline["label"].tolist() == np.repeat(EMOTIONS, 2).tolist()


def _pitch_of(clip):
    return Pitch().transform_clip(AudioLoader(RATE).transform_clip(clip))


def test_smoothing():
    shares = np.array([[0.9, 0.1], [np.nan, np.nan], [0.5, 0.5], [0.2, 0.8]])
    np.testing.assert_array_equal(smoothed(shares, 1), shares)
    result = smoothed(shares, 3)
    np.testing.assert_allclose(result[0], shares[0])
    assert np.isnan(result[1]).all()
    odds = np.sqrt(shares[2] * shares[3])
    np.testing.assert_allclose(result[2], odds / odds.sum())
    np.testing.assert_allclose(result[3], odds / odds.sum())


def test_smoothing_of_a_timeline(sound_and_picture, fusion):
    path = sound_and_picture / "sound.wav"
    rough = predict_timeline(fusion, path)
    smooth = predict_timeline(fusion, path, smooth=5)
    np.testing.assert_allclose(
        smooth[["happy", "sad"]], smoothed(rough[["happy", "sad"]].to_numpy(), 5)
    )
    changes = [(t["label"] != t["label"].shift()).sum() for t in (rough, smooth)]
    assert changes[1] <= changes[0]


def test_memory_is_flat(fusion, tmp_path):
    peaks = []
    for minutes in (1, 4):
        sound = np.tile(voice("sad", 60, 16000), minutes).astype(np.float32)
        (tmp_path / "long.wav").write_bytes(encode_wav(sound, 16000))
        n_bytes = sound.nbytes
        del sound
        tracemalloc.start()
        predict_timeline(fusion, tmp_path / "long.wav", hop=3.0)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.1 * peaks[0] + 100_000
    assert peaks[1] < n_bytes / 4


def test_progress(sound_and_picture, fusion, capsys):
    predict_timeline(fusion, sound_and_picture / "sound.wav", verbose=True)
    assert re.search(r"18/18 .*window", capsys.readouterr().err)


def test_limits_hold(sound_and_picture, fusion):
    with skemotion.limits(max_seconds=10), pytest.raises(MediaError, match="max_seconds"):
        predict_timeline(fusion, sound_and_picture / "sound.wav")


def test_sliding_windows_skip_what_is_between():
    times = [(t / 4, t) for t in range(12)] + [(5.0, 20), (5.25, 21)]
    windows = list(sliding_windows(times, window=0.5, hop=1.0))
    assert [w.content for w in windows] == [[0, 1], [4, 5], [8, 9], [], [], [20, 21]]
    assert [(w.start, w.end) for w in windows][-1] == (5.0, 5.5)
    assert list(sliding_windows([], 1.0, 1.0)) == []


class StopError(Exception):
    """Stands for whatever ends a run."""


@pytest.mark.parametrize("file", ["both.mkv", "sound.wav", "picture.mkv"])
@pytest.mark.parametrize("hop", [0.75, 3.7])
def test_a_run_resumes(sound_and_picture, fusion, tmp_path, monkeypatch, file, hop):
    path, kept = sound_and_picture / file, tmp_path / "timeline.part"
    settings = {"window": 1.7, "hop": hop, "smooth": 3}
    whole = predict_timeline(fusion, path, **settings)
    asked = []

    def counted(self, rows, _add=Answers.add):
        if len(asked) > (8 if hop < 1 else 0):
            raise StopError
        asked.extend(rows)
        return _add(self, rows)

    monkeypatch.setattr(timeline_answers.Answers, "add", counted)
    monkeypatch.setattr("skemotion.model_selection._timeline._BATCH", 3)
    with pytest.raises(StopError):
        predict_timeline(fusion, path, checkpoint=kept, **settings)
    n_before, content = len(asked), kept.read_text()
    assert content.count("\n") == 1 + n_before
    monkeypatch.undo()
    # Killed while it wrote a line.
    kept.write_text(content + content.splitlines()[-1][:20])
    monkeypatch.setattr(
        timeline_answers.Answers, "add",
        lambda self, rows, _add=Answers.add: (asked.extend(rows), _add(self, rows))[1],
    )  # fmt: skip
    resumed = predict_timeline(fusion, path, checkpoint=kept, **settings)
    assert len(asked) == len(whole)
    assert kept.read_text().startswith(content)
    pd.testing.assert_frame_equal(resumed, whole, rtol=0, atol=1e-6)
    again = predict_timeline(fusion, path, checkpoint=kept, **settings)
    pd.testing.assert_frame_equal(again, resumed)
    assert len(asked) == len(whole)


def test_resuming_after_the_last_window_and_within_a_segment(sound_and_picture, fusion, tmp_path):
    for clip in (sound_and_picture / "both.mkv", f"{sound_and_picture}/both.mkv#t=1.01,12.5"):
        kept = tmp_path / "part"
        whole = predict_timeline(fusion, clip, 2.0, 1.5, checkpoint=kept)
        lines = kept.read_text().splitlines(keepends=True)
        for n in (0, 1, 4, len(lines) - 1):
            kept.write_text("".join(lines[:n]))
            resumed = predict_timeline(fusion, clip, 2.0, 1.5, checkpoint=kept)
            pd.testing.assert_frame_equal(resumed, whole, rtol=0, atol=1e-6)
            assert len(kept.read_text().splitlines()) == len(lines)
        kept.unlink()


def test_checkpoints_of_something_else(sound_and_picture, fusion, tmp_path):
    path, kept = sound_and_picture / "sound.wav", tmp_path / "part"
    predict_timeline(fusion, path, checkpoint=kept)
    content = kept.read_bytes()
    for clip, settings, what in (
        (sound_and_picture / "both.mkv", {}, "recording"),
        (path, {"window": 2.5}, "window"),
        (path, {"hop": 2, "fps": None}, "hop, fps"),
    ):
        with pytest.raises(ValueError, match=rf"part: expected windows of .* \({what}\)"):
            predict_timeline(fusion, clip, **settings, checkpoint=kept)
    assert kept.read_bytes() == content
    for other in (b"notes", b"notes\n", b'{"about": 1}\n', b"\xff\n"):
        kept.write_bytes(other)
        with pytest.raises(ValueError, match="found something else"):
            predict_timeline(fusion, path, checkpoint=kept)
        assert kept.read_bytes() == other


class Deadly(ClipTransformer):
    """Ends the process at a dark picture, as a decoder may."""

    takes = "frames"

    def transform_clip(self, clip):
        if clip.mean() < 5:
            os.kill(os.getpid(), signal.SIGSEGV)
        return np.array([clip.mean()])


def test_a_recording_that_crashes_ends_its_worker_alone(tmp_path):
    for name, last in (("good", 100), ("bad", 0)):
        frames = [np.full((24, 32), shade, np.uint8) for shade in [60] * 50 + [last] * 50]
        (tmp_path / f"{name}.mkv").write_bytes(encode_video(frames))
    loud = [np.full((5, 24, 32), shade, np.uint8) for shade in (60, 170) * 3]
    clips = ClipPipeline([("load", VideoLoader(n_frames=5)), ("mean", Deadly())], flatten=True)
    model = make_pipeline(clips, LogisticRegression()).fit(loud, ["sad", "happy"] * 3)
    part = tmp_path / "bad.part"
    with pytest.raises(MediaError, match=r"bad\.mkv: .* crashes .*\(SIGSEGV\)"):
        predict_timeline(model, tmp_path / "bad.mkv", 1.0, 1.0, checkpoint=part)
    own = predict_timeline(model, tmp_path / "good.mkv", 1.0, 1.0)
    with without_workers():
        pd.testing.assert_frame_equal(own, predict_timeline(model, tmp_path / "good.mkv", 1.0, 1.0))
    with (
        skemotion.limits(max_seconds=3),
        pytest.raises(MediaError, match=r"good\.mkv.*max_seconds=3"),
    ):
        predict_timeline(model, tmp_path / "good.mkv", 1.0, 1.0)
