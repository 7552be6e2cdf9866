"""A segment is the same slice of the clip as when everything is decoded."""

import re
import struct
import zipfile
from fractions import Fraction

import av
import numpy as np
import pytest

import skemotion
from skemotion import MediaError
from skemotion.audio import AudioLoader
from skemotion.io import cut_sound, decoding_threads, open_stream, sound_delay, timed_frames
from skemotion.video import VideoLoader

N_FRAMES, RATE, SECONDS = 200, 44100, 8
H264 = {"g": "24", "bf": "3", "b_strategy": "0"}
# Each with long or short groups of pictures, frames that are stored in another order than shown,
# times in samples, in milliseconds or missing.
CLIPS = {
    "long.mp4": ("libx264", H264 | {"g": "250"}, "aac"),
    "open.mp4": ("libx264", H264 | {"x264-params": "open-gop=1:scenecut=0"}, "libmp3lame"),
    "refresh.mp4": ("libx264", {"g": "24", "x264-params": "intra-refresh=1"}, None),
    "a.mov": ("mpeg4", {"g": "12", "bf": "2"}, "pcm_s16le"),
    "a.mkv": ("libx264", H264, "flac"),
    "b.mkv": ("ffv1", {}, "pcm_s16le"),
    "a.webm": ("libvpx", {"g": "30", "deadline": "realtime", "cpu-used": "8"}, "libopus"),
    "a.avi": ("mpeg4", {"g": "24"}, "pcm_s16le"),
    "b.avi": ("libx264", H264, "libmp3lame"),
    "a.mpg": ("mpeg1video", {"g": "12", "bf": "2"}, "mp2"),
    "b.mpg": ("mpeg2video", {"g": "15", "bf": "2"}, "ac3"),
    "c.mpg": ("libx264", H264, "mp2"),
    "a.ts": ("libx264", H264 | {"x264-params": "open-gop=1:scenecut=0"}, "mp2"),
    "b.ts": ("mpeg2video", {"g": "12", "bf": "2"}, "aac"),
    "refresh.ts": ("libx264", {"g": "24", "x264-params": "intra-refresh=1"}, "libmp3lame"),
    "a.flv": ("libx264", H264, "libmp3lame"),
    "a.wav": (None, {}, "pcm_s16le"),
    "a.flac": (None, {}, "flac"),
    "a.mp3": (None, {}, "libmp3lame"),
    "a.m4a": (None, {}, "aac"),
    "a.ogg": (None, {}, "vorbis"),
    "b.ogg": (None, {}, "flac"),
    "c.ogg": (None, {}, "libopus"),
}
FORMATS = {"mkv": "matroska", "mpg": "mpeg", "ts": "mpegts", "m4a": "ipod"}
# Opus remembers, faintly, more than is decoded before; decoders of MP2 and AC-3 add faint noise,
# which begins anew.
TOLERANCES = {"libopus": 1e-5, "mp2": 2**-15, "ac3": 2e-3}
SEGMENTS = ["0.1,0.5", "0.96,1", "2.04,2.24", "3.9137,6.1", ",0.3", "7.5,7.9", "7.7", "0.7"]


@pytest.fixture(autouse=True)
def one_thread():
    """For pictures this small, threads spend their time on waiting for each other."""
    with decoding_threads(1):
        yield


def write(path, video=None, options=(), audio=None, times=None, sound_at=0):
    """Write a clip of 8 s; `times` of the pictures in ms, or 25 of them a second."""
    suffix = path.suffix[1:]
    with av.open(str(path), "w", format=FORMATS.get(suffix, suffix)) as output:
        if video:
            pictures = output.add_stream(video, rate=25, options=dict(options))
            pictures.height, pictures.width, pictures.pix_fmt = 32, 48, "yuv420p"
            pictures.codec_context.time_base = Fraction(1, 1000 if times else 25)
        if audio:
            rate = 48000 if audio == "libopus" else RATE
            exact = {"aac": {"aac_pns": "0"}, "vorbis": {"strict": "experimental"}}
            layout = "stereo" if audio == "vorbis" else "mono"
            sound = output.add_stream(audio, rate, options=exact.get(audio, {}), layout=layout)
        y, x = np.mgrid[:32, :48]
        for i in range(N_FRAMES if video else 0):
            picture = 128 + 60 * np.sin(x / 5 + i / 7) + 40 * np.cos(y / 4 - i / 11)
            picture[:8] = i * 37 % 256
            frame = av.VideoFrame.from_ndarray(picture.astype(np.uint8), format="gray")
            frame.pts = times[i] if times else i + round(max(-sound_at, 0) * 25)
            frame.time_base = pictures.codec_context.time_base
            output.mux(pictures.encode(frame))
        if video:
            output.mux(pictures.encode())
        if audio:
            t = np.arange(SECONDS * rate) / rate
            wave = (0.3 * np.sin(2 * np.pi * (200 + 60 * t) * t)).astype(np.float32)
            wave = np.stack([wave] * (2 if layout == "stereo" else 1))
            frame = av.AudioFrame.from_ndarray(wave, "fltp", layout)
            frame.sample_rate, frame.pts = rate, round(max(sound_at, 0) * rate)
            size = sound.codec_context.frame_size or 1024
            parts = av.AudioResampler(sound.format, layout, rate, frame_size=size)
            for part in [*parts.resample(frame), *parts.resample(None)]:
                output.mux(sound.encode(part))
            output.mux(sound.encode())
    return path


def pictures_of(source):
    with open_stream(source, "video") as (container, stream):
        found = timed_frames(source, container, stream)
        return [(time, frame.to_ndarray(format="gray")) for time, frame in found]


def sound_of(source):
    blocks, to_float = [], av.AudioResampler(format="flt")
    with open_stream(source, "audio") as (container, stream):
        for frame, part in cut_sound(source, container, stream):
            (block,) = to_float.resample(frame)
            blocks.append(block.to_ndarray().reshape(frame.samples, -1)[part])
            rate = frame.sample_rate
    return np.concatenate(blocks), rate


def bounds(times):
    start, _, end = times.partition(",")
    return Fraction(start or 0), Fraction(end) if end else None


def assert_cut(path, segments, tolerance=0, kinds=("video", "audio")):
    everything = {}
    if "video" in kinds:
        everything["video"] = pictures_of(path)
    if "audio" in kinds:
        everything["audio"], rate = sound_of(path)
    for times in segments:
        start, end = bounds(times)
        segment = f"{path}#t={times}"
        if "video" in kinds:
            expected = [
                (time - start, picture)
                for time, picture in everything["video"]
                if start <= time and (end is None or time < end)
            ]
            got = pictures_of(segment)
            assert [time for time, _ in got] == [time for time, _ in expected], segment
            for (_, one), (_, other) in zip(got, expected, strict=True):
                np.testing.assert_array_equal(one, other, err_msg=segment)
        if "audio" in kinds:
            last = None if end is None else round(end * rate)
            expected = everything["audio"][round(start * rate) : last]
            got, _ = sound_of(segment)
            np.testing.assert_allclose(got, expected, rtol=0, atol=tolerance, err_msg=segment)


@pytest.mark.parametrize("name", CLIPS)
def test_segments_of_every_container(tmp_path, name):
    video, options, audio = CLIPS[name]
    path = write(tmp_path / name, video, options, audio)
    kinds = [kind for kind, codec in (("video", video), ("audio", audio)) if codec]
    assert_cut(path, SEGMENTS, tolerance=TOLERANCES.get(audio, 1e-7), kinds=kinds)


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.flv"])
def test_variable_frame_rates(tmp_path, name):
    gaps = np.random.default_rng(0).integers(10, 90, N_FRAMES)
    times = (500 + np.cumsum(gaps)).tolist()
    codec = ("flv", {"g": "24"}) if name == "a.flv" else ("libx264", H264)
    path = write(tmp_path / name, *codec, times=times)
    assert_cut(path, SEGMENTS, kinds=["video"])
    shown = np.array([float(time) for time, _ in pictures_of(path)])
    np.testing.assert_allclose(shown, (np.array(times) - times[0]) / 1000, atol=1e-6)


def test_variable_frame_rate_of_a_phone_held_sideways(tmp_path):
    gaps = np.random.default_rng(1).integers(10, 90, N_FRAMES)
    path = write(tmp_path / "a.mp4", "libx264", H264, times=np.cumsum(gaps).tolist())
    content = bytearray(path.read_bytes())
    quarter_turn = (0, 1 << 16, 0, -1 << 16, 0, 0, 0, 0, 1 << 30)
    struct.pack_into(">9i", content, content.index(b"tkhd") + 44, *quarter_turn)
    held = tmp_path / "held.mp4"
    held.write_bytes(content)
    times = np.array([float(time) for time, _ in pictures_of(path)])
    [everything] = VideoLoader(stride=1, scale=1).transform([path])
    upright = np.rot90(everything, -1, axes=(1, 2))
    for start, end in ((0.1, 0.5), (2.04, 2.74), (7.5, 7.9)):
        segment = f"{held}#t={start},{end}"
        inside = (times >= start) & (times < end)
        [frames] = VideoLoader(stride=1, scale=1).transform([segment])
        np.testing.assert_array_equal(frames, upright[inside])
        [frames] = VideoLoader(fps=10, scale=1).transform([segment])
        wanted = np.arange(start, end - 0.05, 0.1)
        nearest = np.abs(times[inside] - wanted[:, np.newaxis]).argmin(axis=1)
        np.testing.assert_array_equal(frames[: len(wanted)], upright[inside][nearest])


@pytest.mark.parametrize("skipped", [Fraction(2), Fraction(51, 25)])
def test_an_edit_list_that_skips_the_beginning(tmp_path, skipped):
    """Times count from where the edit list lets the clip begin, also between key frames."""
    path = write(tmp_path / "a.mp4", "libx264", H264, "libmp3lame")
    content = bytearray(path.read_bytes())
    whole = pictures_of(path), sound_of(path)[0]
    for track in re.finditer(b"trak", path.read_bytes()):
        # Duration in the movie's time scale (1/1000 s), beginning in the medium's.
        entry = content.index(b"elst", track.end()) + 12
        (scale,) = struct.unpack_from(">I", content, content.index(b"mdhd", track.end()) + 16)
        duration, begin = struct.unpack_from(">Ii", content, entry)
        edit = round(duration - 1000 * skipped), round(begin + scale * skipped)
        struct.pack_into(">Ii", content, entry, *edit)
    edited = tmp_path / "edited.mp4"
    edited.write_bytes(content)
    pictures, (sound, rate) = pictures_of(edited), sound_of(edited)
    n_frames, n_samples = (round(skipped * number) for number in (25, rate))
    assert [time for time, _ in pictures] == [time - skipped for time, _ in whole[0][n_frames:]]
    for (_, one), (_, other) in zip(pictures, whole[0][n_frames:], strict=True):
        np.testing.assert_array_equal(one, other)
    # Within a frame of the codec; the first ones depend on those before.
    away = len(whole[1]) - n_samples - len(sound)
    assert abs(away) <= 1152
    np.testing.assert_allclose(sound[3000:], whole[1][n_samples + away :][3000:], atol=1e-6)
    assert_cut(edited, ["0.1,0.5", "0.96,1", "2.04,2.24", "3.1,4.9", "5.7"])


def test_real_clips(shared_data):
    for name in ("1001_DFA_ANG_XX.flv", "face_noface.mov", "bbaf2n.mpg", "sample1.mov"):
        # The sound of one begins 2.4 s after its picture.
        alone = {"sample1.mov": ["audio"], "face_noface.mov": ["video"]}
        kinds = alone.get(name, ["video", "audio"])
        assert_cut(shared_data / "clips" / name, ["0.1,0.5", "1.3,1.8", "1.6"], 2**-15, kinds)


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    return write(tmp_path_factory.mktemp("clips") / "a.mp4", "libx264", H264, "libmp3lame")


@pytest.fixture
def once(monkeypatch):
    """Refuse to open a clip again, as is done to decode it from the start."""

    def refuse_another(kind):
        def open_other(source, wanted):
            assert wanted != kind, f"{source} is decoded from the start"
            return open_stream(source, wanted)

        monkeypatch.setattr("skemotion.io._segments.open_stream", open_other)

    return refuse_another


class Counted:
    """A container that counts the packets read after seeking."""

    def __init__(self, container):
        self.n_read, self._container = 0, container
        self.format, self.decode, self.seek = container.format, container.decode, container.seek
        self.streams, self.duration = container.streams, container.duration

    def demux(self, stream):
        for packet in self._container.demux(stream):
            self.n_read += 1
            yield packet


@pytest.mark.parametrize(
    ("kind", "n_expected", "name"),
    [
        *[("video", 60, "a.mp4"), ("audio", 40, "a.mp4"), ("audio", 60, "b.avi")],
        *[("video", 140, "b.mpg"), ("audio", 180, "b.mpg")],
        *[("video", 60, "b.ts"), ("audio", 180, "b.ts")],
    ],
)
def test_only_what_is_near_is_decoded(clip, tmp_path, once, kind, n_expected, name):
    if name != clip.name:
        clip = write(tmp_path / name, *CLIPS[name])
    source = f"{clip}#t=7.3,7.4"
    once(kind)
    with open_stream(clip, kind) as (container, stream):
        counted = Counted(container)
        found = list((timed_frames if kind == "video" else cut_sound)(source, counted, stream))
    assert found
    assert 0 < counted.n_read < n_expected


def test_everywhere_a_clip_may_stand(clip, tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.write(clip, "a.mp4")
    named_like_one = tmp_path / "b.mp4#t=1,2"
    named_like_one.write_bytes(clip.read_bytes())
    sources = [f"{clip}#t=2,3", f"file://{clip}#t=2,3", f"zip://a.mp4::{tmp_path}/a.zip#t=2,3"]
    every_frame = VideoLoader(stride=1).transform([clip])[0]
    for frames in VideoLoader(25).transform(sources):
        np.testing.assert_array_equal(frames, every_frame[50:75])
    whole = AudioLoader(RATE).transform([clip])[0]
    for waveform in AudioLoader(RATE).transform(sources):
        np.testing.assert_allclose(waveform, whole[2 * RATE : 3 * RATE], atol=1e-7)
    assert len(VideoLoader(stride=1).transform([named_like_one])[0]) == N_FRAMES
    # Cut first, then resampled.
    expected = AudioLoader(16000).transform([(RATE, whole[2 * RATE : 3 * RATE])])[0]
    np.testing.assert_allclose(AudioLoader(16000).transform(sources[:1])[0], expected, atol=1e-7)


@pytest.mark.parametrize("loader", [VideoLoader(5), VideoLoader(fps=5), AudioLoader()])
def test_times_outside_are_refused(clip, loader):
    with pytest.raises(MediaError, match=r"a\.mp4#t=9: .*clip of 8\.0.* s, found its start at 9 s"):
        loader.transform([f"{clip}#t=9"])
    with pytest.raises(MediaError, match=r"clip of 8\.0.* s, found its end at 8\.7 s"):
        loader.transform([f"{clip}#t=5,8.7"])
    with pytest.raises(MediaError, match="found its start"):
        loader.transform([f"{clip}#t=900,901"])
    assert len(loader.transform([f"{clip}#t=7,8.4"])) == 1


@pytest.mark.parametrize("name", ["a.mp4", "b.mpg", "b.ts"])
def test_times_outside_are_refused_without_decoding_everything(tmp_path, once, name):
    path = write(tmp_path / name, *CLIPS.get(name, ("libx264", H264, "aac")))
    for kind, cut in (("video", timed_frames), ("audio", cut_sound)):
        once(kind)
        with open_stream(path, kind) as (container, stream):
            counted = Counted(container)
            with pytest.raises(MediaError, match=r"clip of 8\.0.* s, found its start at 90 s"):
                list(cut(f"{path}#t=90", counted, stream))
        assert 0 < counted.n_read < 180


def test_between_two_frames(clip):
    with pytest.raises(MediaError, match="found one between two frames"):
        VideoLoader(5).transform([f"{clip}#t=2.001,2.002"])


def test_limits_apply_to_the_segment(clip):
    with skemotion.limits(max_seconds=2, max_frames=30):
        assert AudioLoader(RATE).transform([f"{clip}#t=5,6"])[0].shape == (RATE,)
        assert VideoLoader(3).transform([f"{clip}#t=5,6"]).shape == (1, 3, 10, 16)
        for loader in (AudioLoader(), VideoLoader(3)):
            with pytest.raises(MediaError, match="max_seconds=2"):
                loader.transform([f"{clip}#t=5"])
        with pytest.raises(MediaError, match="max_frames=30"):
            VideoLoader(stride=1).transform([f"{clip}#t=5,6.9"])


@pytest.mark.parametrize(("name", "codec"), [("late.mp4", "libmp3lame"), ("late.mkv", "flac")])
@pytest.mark.parametrize("delay", [Fraction(3, 2), Fraction(-3, 2), Fraction(1, 10)])
def test_sound_that_begins_at_another_time_than_the_picture(tmp_path, name, codec, delay):
    """Times count from the beginning of the picture; what is less than 1/4 s is not a delay."""
    path = write(tmp_path / name, "libx264", {"g": "24"}, codec, sound_at=delay)
    whole = AudioLoader(RATE).transform([path])[0]
    known = delay if abs(delay) > 0.25 else 0
    with open_stream(path, "audio") as (container, _):
        found = sound_delay(path, container)
    assert abs(found - known) < 0.05  # encoders add a frame
    for start, end in ((2, 3), (1, 2), (4.2, 5)):
        [waveform] = AudioLoader(RATE).transform([f"{path}#t={start},{end}"])
        first, last = (max(round((time - found) * RATE), 0) for time in (start, end))
        np.testing.assert_allclose(waveform, whole[first:last], atol=1e-6)
    windows = list(AudioLoader(RATE).transform_windows(path, 1.0, 0.75))
    later = list(AudioLoader(RATE).transform_windows(path, 1.0, 0.75, first=4))
    for window in [*windows, *later]:
        first, last = (round((time - found) * RATE) for time in (window.start, window.end))
        if first < 0 and last < -first:  # less than half of it
            with pytest.raises(
                MediaError, match=r"late\.m[pk][4v]: expected sound from .* begins at 1\.[45]"
            ):
                raise window.content
        else:
            np.testing.assert_allclose(window.content, whole[max(first, 0) : last], atol=1e-4)
    assert [window.start for window in later] == [window.start for window in windows[4:]]
    if delay > 1:
        with pytest.raises(MediaError, match=r"sound in it, found that sound begins at 1\.[45]"):
            AudioLoader().transform([f"{path}#t=0.5,1"])
        with pytest.raises(MediaError, match=r"clip of 9\.\d* s, found its end at 12 s"):
            AudioLoader().transform([f"{path}#t=5,12"])
