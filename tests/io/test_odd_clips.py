"""Clips as they come: each oddity has a stated behaviour, which docs/reliability.md tells."""

import io
import os
import struct
import tempfile
import zipfile
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
import soundfile
from av.stream import Disposition
from helpers import encode_video, encode_wav

from skemotion import MediaError
from skemotion.audio import AudioAugmenter, AudioFeatures, AudioLoader
from skemotion.decomposition import BSplineProjector
from skemotion.pipeline import ClipPipeline
from skemotion.video import VideoLoader, decode_clip


def sine(n_samples, rate=22050):
    return 0.5 * np.sin(2 * np.pi * 440 * np.arange(n_samples) / rate)


def load(clip, **parameters):
    (waveform,) = AudioLoader(**parameters).transform([clip])
    return waveform


@pytest.fixture(scope="module")
def pictures():
    """Three frames of 48 x 64 without any symmetry."""
    y, x = np.mgrid[:48, :64]
    corner = (y < 10) & (x < 20)
    return [(2 * y + x + 3 * t + 90 * corner).astype(np.uint8) for t in range(3)]


# Video


def turned(clip, a, b, c, d):
    """Write a display matrix into an MP4 file's track header."""
    at = clip.rindex(b"tkhd") + 44
    matrix = [a << 16, b << 16, 0, c << 16, d << 16, 0, 0, 0, 1 << 30]
    return clip[:at] + struct.pack(">9i", *matrix) + clip[at + 36 :]


@pytest.mark.parametrize(
    ("matrix", "upright"),
    [
        ((0, 1, -1, 0), lambda p: np.rot90(p, -1)),  # a quarter clockwise
        ((-1, 0, 0, -1), lambda p: np.rot90(p, 2)),
        ((0, -1, 1, 0), lambda p: np.rot90(p, 1)),
        ((-1, 0, 0, 1), np.fliplr),
        ((1, 0, 0, -1), np.array),  # upside down, with no rotation: not told
        ((0, 1, 1, 0), lambda p: np.swapaxes(p, 0, 1)),
    ],
)
@pytest.mark.parametrize("color", ["gray", "rgb"])
def test_rotation_metadata_is_applied(pictures, matrix, upright, color):
    clip = encode_video(pictures, "mpeg4", "mp4", "yuv420p")
    stored = decode_clip(clip, 3, scale=1, color=color)
    got = decode_clip(turned(clip, *matrix), 3, scale=1, color=color)
    np.testing.assert_array_equal(got, [upright(picture) for picture in stored])
    # Sizes are those of the upright picture.
    height, width = upright(pictures[0]).shape
    clip = turned(clip, *matrix)
    assert decode_clip(clip, 3, scale=1 / 2, color=color).shape[1:3] == (height // 2, width // 2)
    small = decode_clip(clip, 3, size=(10, 20), color=color)
    assert small.shape[1:3] == (10, 20)
    expected = cv2.resize(upright(stored[0]), (20, 10), interpolation=cv2.INTER_AREA)
    assert np.abs(small[0].astype(int) - expected).max() <= 1


def test_rotation_is_that_of_opencv(tmp_path, pictures):
    path = tmp_path / "phone.mp4"
    path.write_bytes(turned(encode_video(pictures, "mpeg4", "mp4", "yuv420p"), 0, 1, -1, 0))
    capture = cv2.VideoCapture(str(path))
    _, expected = capture.read()
    capture.release()
    got = decode_clip(path, 1, scale=1, color="rgb")[0]
    assert np.abs(got.astype(int) - expected[..., ::-1]).mean() < 2


def test_variable_frame_rate_counts_frames_not_times(pictures):
    even = decode_clip(encode_video(pictures, pts=[0, 40, 80]), 5, scale=1)
    uneven = decode_clip(encode_video(pictures, pts=[0, 40, 2000]), 5, scale=1)
    np.testing.assert_array_equal(uneven, even)
    np.testing.assert_array_equal(uneven[::2], pictures)


@pytest.mark.parametrize("shape", [(1, 1), (37, 21), (5, 640), (48, 5)])
def test_odd_sizes(shape):
    picture = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    clip = encode_video([picture] * 2)
    np.testing.assert_array_equal(decode_clip(clip, 2, scale=1), [picture, picture])
    assert decode_clip(clip, 2).shape[1:] == (max(shape[0] // 3, 1), max(shape[1] // 3, 1))
    assert decode_clip(clip, 2, size=(7, 9)).shape[1:] == (7, 9)
    subsampled = decode_clip(encode_video([picture] * 2, pixel_format="yuv420p"), 2, scale=1)
    assert np.abs(subsampled.astype(int) - picture).max() <= 2


def test_one_frame_is_repeated(pictures):
    got = decode_clip(encode_video(pictures[:1]), 4, scale=1)
    np.testing.assert_array_equal(got, [pictures[0]] * 4)
    (png,) = np.asarray([cv2.imencode(".png", pictures[0])[1].tobytes()], dtype=object)
    np.testing.assert_array_equal(decode_clip(png, 4, scale=1), got)


@pytest.mark.parametrize("container", ["matroska", "avi", "mp4"])
@pytest.mark.parametrize("stride", [None, 2])
def test_no_frames_are_refused(tmp_path, pictures, container, stride):
    path = tmp_path / "header only"
    with av.open(str(path), "w", format=container) as output:
        stream = output.add_stream("mpeg4", rate=25)
        stream.height, stream.width, stream.pix_fmt = 48, 64, "yuv420p"
        output.start_encoding()
    with pytest.raises(MediaError, match=r"header only: expected .* (found|without)"):
        decode_clip(path, 4, stride=stride)


@pytest.mark.parametrize("color_range", [1, 2])
@pytest.mark.parametrize("pixel_format", ["yuv420p10le", "yuv422p10le", "yuv444p12le"])
def test_ten_bits_and_more_become_eight(pictures, pixel_format, color_range):
    clip = encode_video(pictures, pixel_format=pixel_format, color_range=color_range)
    with av.open(io.BytesIO(clip)) as container:
        assert container.streams.video[0].codec_context.pix_fmt == pixel_format
    got = decode_clip(clip, 3, scale=1)
    # In limited range, or taken to be of it: what is between 16 and 235 is stretched.
    expected = np.stack(pictures).astype(int)
    if color_range == 2:
        expected = np.clip((expected * 219 / 255 + 16), 0, 255)
    assert got.dtype == np.uint8
    assert np.abs(got - expected).max() <= 2


@pytest.mark.parametrize("pixel_format", ["gray", "gray10le", "gray16le"])
def test_grey_video_is_full_range(pictures, pixel_format):
    clip = encode_video(pictures, pixel_format=pixel_format)
    assert np.abs(decode_clip(clip, 3, scale=1).astype(int) - pictures).max() <= 1
    rgb = decode_clip(clip, 3, scale=1, color="rgb")
    assert np.abs(rgb.astype(int) - np.stack(pictures)[..., np.newaxis]).max() <= 1


@pytest.mark.parametrize(
    ("codec", "container", "pixel_format"),
    [("png", "mov", "rgba"), ("ffv1", "matroska", "yuva420p"), ("ffv1", "matroska", "bgra")],
)
def test_alpha_is_ignored(pictures, codec, container, pixel_format):
    alpha = np.zeros((48, 64), np.uint8)
    frames = [np.stack([picture] * 3 + [alpha], axis=-1) for picture in pictures]
    clip = encode_video(frames, codec, container, pixel_format)
    for color in ("gray", "rgb"):
        got = decode_clip(clip, 3, scale=1, color=color).astype(int)
        expected = np.stack(pictures)
        assert np.abs(got - (expected if color == "gray" else expected[..., np.newaxis])).max() <= 3


def test_palettes(pictures):
    clip = encode_video([picture // 36 * 36 for picture in pictures], "gif", "gif", "bgr8")
    got = decode_clip(clip, 3, scale=1)
    assert got.shape == (3, 48, 64)
    assert np.abs(got.astype(int) - [picture // 36 * 36 for picture in pictures]).mean() < 25


def test_anamorphic_pixels_are_left_as_they_are_stored(pictures):
    x264 = ("libx264", "mp4", "yuv420p")
    clip = encode_video(pictures, *x264, sample_aspect_ratio=Fraction(16, 11))
    with av.open(io.BytesIO(clip)) as container:
        assert container.streams.video[0].sample_aspect_ratio == Fraction(16, 11)
    got = decode_clip(clip, 3, scale=1)
    assert np.abs(got.astype(int) - pictures).mean() < 4  # of compression


def test_frames_that_change_size(pictures):
    small = encode_video(pictures, "libx264", "h264", "yuv420p")
    large = encode_video([cv2.resize(p, (128, 96)) for p in pictures], "libx264", "h264", "yuv420p")
    for stride in (None, 1):
        with pytest.raises(MediaError, match=r"one size, found \(16, 21\) and then \(32, 42\)"):
            decode_clip(small + large, 6, stride=stride)
    got = decode_clip(small + large, 6, size=(24, 32))
    assert np.abs(got[:3].astype(int) - got[3:]).mean() < 8


def several(kind, n_streams, default=None):
    """Encode streams that differ in level: 60, 100, 140 of grey, or 0.1, 0.2, 0.3 of sound."""
    file = io.BytesIO()
    with av.open(file, "w", format="matroska") as output:
        for number in range(n_streams):
            if kind == "video":
                stream = output.add_stream("ffv1", rate=25)
                stream.height, stream.width, stream.pix_fmt = 8, 8, "gray"
            else:
                stream = output.add_stream("pcm_f32le", rate=8000, layout="mono")
            stream.disposition = Disposition.default if number == default else 0
        for number, stream in enumerate(output.streams):
            if kind == "video":
                level = np.full((8, 8), 60 + 40 * number, np.uint8)
                frame = av.VideoFrame.from_ndarray(level, format="gray")
            else:
                level = np.full((1, 800), (number + 1) / 10, np.float32)
                frame = av.AudioFrame.from_ndarray(level, "flt", "mono")
                frame.sample_rate = 8000
            frame.pts = 0
            output.mux(stream.encode(frame))
            output.mux(stream.encode())
    return file.getvalue()


@pytest.mark.parametrize(("default", "expected"), [(None, 0), (0, 0), (2, 2)])
def test_several_streams(default, expected):
    """The first one marked default is taken, or else the first."""
    assert decode_clip(several("video", 3, default), 1)[0, 0, 0] == 60 + 40 * expected
    waveform = load(several("audio", 3, default), sample_rate=8000)
    np.testing.assert_allclose(waveform, (expected + 1) / 10)


def test_an_unknown_codec_is_refused(pictures):
    film = encode_video(pictures, container="avi").replace(b"FFV1", b"XXXX")
    with pytest.raises(MediaError, match=r"a video stream .* found one of an unknown codec"):
        decode_clip(film)
    sound = encode_wav(sine(5000))
    with pytest.raises(MediaError, match=r"a audio stream .* found one of an unknown codec"):
        load(sound[:20] + struct.pack("<H", 0x9999) + sound[22:])


def test_a_cover_picture_is_no_video(tmp_path, pictures):
    # As music players write it: an ID3 tag in front of the sound.
    picture = b"\0image/png\0\3\0" + cv2.imencode(".png", pictures[0])[1].tobytes()
    frame = b"APIC" + struct.pack(">IH", len(picture), 0) + picture
    size = bytes((len(frame) >> shift) & 127 for shift in (21, 14, 7, 0))
    sound = io.BytesIO()
    soundfile.write(sound, sine(22050), 22050, format="MP3")
    song = b"ID3\3\0\0" + size + frame + sound.getvalue()
    with av.open(io.BytesIO(song)) as container:
        assert len(container.streams.video) == 1
    with pytest.raises(MediaError, match=r"no video stream \(streams: audio, cover picture\)"):
        decode_clip(song)
    assert len(load(song)) > 20_000


# Sound


def test_sound_shorter_than_one_window_becomes_one_frame_or_more():
    for n_samples in (1, 100, 2047):
        waveforms = AudioLoader().transform([encode_wav(sine(n_samples))])
        assert waveforms[0].shape == (n_samples,)
        features = AudioFeatures().transform(AudioAugmenter(random_state=0).transform(waveforms))
        assert all(len(variant) >= 1 for variant in features[0])
        assert np.isfinite(BSplineProjector().fit_transform(features)).all()


def test_silence_is_sound():
    waveforms = AudioLoader().transform([encode_wav(np.zeros(5000))])
    np.testing.assert_array_equal(waveforms[0], np.zeros(5000, np.float32))
    features = AudioFeatures().transform(waveforms)
    assert np.isfinite(features[0]).all()


def test_clipping_is_left_as_it_is():
    clipped = np.clip(4 * sine(5000), -1, 1)
    np.testing.assert_array_equal(load(encode_wav(clipped)), clipped.astype(np.float32))
    # Floats beyond full scale are not cut off.
    np.testing.assert_array_equal(
        load(encode_wav(4 * sine(5000))), (4 * sine(5000)).astype(np.float32)
    )


@pytest.mark.parametrize("rate", [22050, 48000])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_samples_that_are_no_finite_numbers_are_refused(tmp_path, rate, value):
    samples = sine(5000)
    samples[[7, 4000]] = value
    path = tmp_path / "bad.wav"
    path.write_bytes(encode_wav(np.stack([samples, sine(5000)], axis=1), rate))
    with pytest.raises(MediaError, match=r"bad\.wav: expected samples .* found 2 of 5000"):
        load(path)


def test_samples_that_overflow_are_refused():
    for rate, n_channels in [(48000, 1), (22050, 2)]:  # in resampling; in the sum of channels
        samples = np.tile(np.array([[3.4e38], [3.4e38], [-3.4e38]]), (2000, n_channels))
        with pytest.raises(MediaError, match="NaN, infinite or enormous"):
            load(encode_wav(samples, rate))


@pytest.mark.parametrize("rate", [8000, 16000, 44100, 96000, 192000])
def test_sample_rates(rate):
    waveform = load(encode_wav(sine(rate // 2, rate), rate))
    expected = sine(11025)
    assert len(waveform) == 11025
    assert np.abs(waveform[500:-500] - expected[500:-500]).max() < 1e-3


@pytest.mark.parametrize("n_channels", [3, 6, 8, 9, 16, 64])
def test_many_channels_are_averaged(n_channels):
    levels = np.arange(1, n_channels + 1) / n_channels
    waveform = load(encode_wav(sine(5000)[:, np.newaxis] * levels))
    np.testing.assert_allclose(waveform, sine(5000) * levels.mean(), atol=1e-6)


@pytest.mark.parametrize(
    ("codec", "container"), [("flac", "flac"), ("libopus", "ogg"), ("aac", "mp4")]
)
def test_surround_of_compressed_formats(codec, container):
    """Eight separate channels: PyAV crashes where they are turned into an array as they are."""
    file = io.BytesIO()
    with av.open(file, "w", format=container) as output:
        stream = output.add_stream(codec, rate=48000, layout="7.1")
        samples = np.repeat(sine(9600, 48000)[:, np.newaxis], 8, axis=1).astype(np.float32)
        frame = av.AudioFrame.from_ndarray(samples.reshape(1, -1), "flt", "7.1")
        frame.sample_rate, frame.pts = 48000, 0
        to_codec = av.AudioResampler(stream.format, "7.1", 48000, frame_size=stream.frame_size)
        for part in [*to_codec.resample(frame), *to_codec.resample(None)]:
            output.mux(stream.encode(part))
        output.mux(stream.encode())
    waveform = load(file.getvalue(), sample_rate=48000)
    assert 9600 <= len(waveform) < 11000
    assert 0.4 < np.abs(waveform[2000:8000]).max() < 0.6


def test_more_channels_than_can_be_converted_are_refused():
    with pytest.raises(MediaError, match="at most 64 channels, found 65"):
        load(encode_wav(np.zeros((500, 65))))


def test_sound_that_changes_its_rate_is_refused():
    parts = []
    for rate in (48000, 44100):
        file = io.BytesIO()
        with av.open(file, "w", format="adts") as output:
            stream = output.add_stream("aac", rate=rate, layout="mono")
            for start in range(0, 4096, 1024):
                block = sine(4096, rate)[np.newaxis, start : start + 1024].astype(np.float32)
                frame = av.AudioFrame.from_ndarray(block, "fltp", "mono")
                frame.sample_rate, frame.pts = rate, start
                output.mux(stream.encode(frame))
            output.mux(stream.encode())
        parts.append(file.getvalue())
    with pytest.raises(MediaError, match=r"1 channel at 48000 Hz and then 1 at 44100 Hz"):
        load(b"".join(parts))


@pytest.mark.parametrize("size", [0, 0x7FFFF000, 0xFFFFFFFF])
def test_streamed_wav_with_no_size_in_its_header(size):
    content = encode_wav(sine(5000))
    at = content.index(b"data") + 4
    streamed = content[:at] + struct.pack("<I", size) + content[at + 4 :]
    np.testing.assert_array_equal(load(streamed), load(content))


# Files

LOADERS = [AudioLoader(), VideoLoader(n_frames=2)]


@pytest.fixture(scope="module")
def clip(pictures):
    """A file with picture and sound."""
    file = io.BytesIO()
    with av.open(file, "w", format="mp4") as output:
        video = output.add_stream("mpeg4", rate=25)
        video.height, video.width, video.pix_fmt = 48, 64, "yuv420p"
        audio = output.add_stream("aac", rate=22050, layout="mono")
        for picture in pictures:
            output.mux(video.encode(av.VideoFrame.from_ndarray(picture, format="gray")))
        output.mux(video.encode())
        for start in range(0, 4096, 1024):
            block = sine(4096)[np.newaxis, start : start + 1024].astype(np.float32)
            frame = av.AudioFrame.from_ndarray(block, "fltp", "mono")
            frame.sample_rate, frame.pts = 22050, start
            output.mux(audio.encode(frame))
        output.mux(audio.encode())
    return file.getvalue()


@pytest.mark.parametrize("loader", LOADERS, ids=["audio", "video"])
@pytest.mark.parametrize(
    "name",
    ["Gefühl — 感情 🙂.mp4", "e\u0301.mp4", "ä" * 125 + ".mp4", "a" * 255, " . ", "-i.mp4",
     "new\nline.mp4", "clip.wav", "clip.txt", "no ending", "concat:a|b.mp4", "%05d.png", "*.mp4"],
    ids=ascii,
)  # fmt: skip
def test_any_name_and_ending(tmp_path, clip, loader, name):
    path = tmp_path / name
    path.write_bytes(clip)
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.write(path, name)
    got = loader.transform([path, str(path), f"zip://{name}::{tmp_path / 'a.zip'}"])
    (expected,) = loader.transform([clip])
    for each in got:
        np.testing.assert_array_equal(each, expected)


@pytest.mark.parametrize("loader", LOADERS, ids=["audio", "video"])
def test_buffers_are_taken_as_bytes(clip, loader):
    (expected,) = loader.transform([clip])
    for buffer in (bytearray(clip), memoryview(clip)):
        np.testing.assert_array_equal(loader.transform([buffer])[0], expected)
        with pytest.raises(ValueError, match=r"bytes in memory>: pass \[clip\]"):
            loader.fit(buffer)
    column = np.array([None, memoryview(clip)], dtype=object)[1:]
    result = ClipPipeline([("load", loader)], n_jobs=2).fit_transform(column)
    np.testing.assert_array_equal(result[0], expected)


@contextmanager
def as_a_common_user():
    """Give up the rights of root, who may read anything, if the tests have them."""
    if os.geteuid():
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.mark.skipif(os.name == "nt", reason="permissions and links are those of POSIX")
@pytest.mark.parametrize("loader", LOADERS, ids=["audio", "video"])
@pytest.mark.parametrize("in_archive", [False, True])
def test_files_that_cannot_be_opened(clip, loader, in_archive):
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        (folder / "folder").mkdir()
        (folder / "closed folder").mkdir()
        (folder / "closed folder" / "clip").write_bytes(clip)
        (folder / "closed folder").chmod(0)
        (folder / "empty").touch()
        (folder / "loop").symlink_to("loop2")
        (folder / "loop2").symlink_to("loop")
        (folder / "to nowhere").symlink_to("gone")
        (folder / "closed").write_bytes(clip)
        (folder / "closed").chmod(0)
        os.mkfifo(folder / "pipe")
        for file, found in {
            "gone": "no such file",
            "to nowhere": "no such file",
            "folder": "a folder",
            "empty": "an empty one",
            "loop": "no path to one",
            "pipe": "a device or a pipe",
            "closed": "one that may not be read",
            "closed folder/clip": "one that may not be read",
        }.items():
            source = f"zip://a.mp4::{folder / file}" if in_archive else folder / file
            with as_a_common_user(), pytest.raises(MediaError) as caught:
                loader.transform([source])
            assert str(caught.value).startswith(f"{source}: expected a media file, found {found}")
        (folder / "closed folder").chmod(0o755)


@pytest.mark.skipif(os.name == "nt", reason="links are those of POSIX")
def test_links_are_followed(tmp_path, clip):
    (tmp_path / "clip.mp4").write_bytes(clip)
    (tmp_path / "link").symlink_to("clip.mp4")
    assert decode_clip(tmp_path / "link", 2).shape == (2, 16, 21)
