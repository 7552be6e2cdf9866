import shutil
import zipfile

import av
import cv2
import numpy as np
import pytest
from helpers import encode_video
from hypothesis import given, settings
from hypothesis import strategies as st

from skemotion import MediaError
from skemotion.io import decoding_threads, open_stream
from skemotion.video import VideoLoader, decode_clip

WITHOUT_PICTURE = "sample1.mov"


def encode(frames, pixel_format="yuv420p", codec="libx264", container="mp4"):
    """Encode grey or RGB frames without much loss."""
    return encode_video(frames, codec, container, pixel_format, codec_options={"crf": "1"})


@pytest.fixture(scope="module")
def moving():
    """A clip of 23 frames in which a smooth blob moves."""
    y, x = np.mgrid[:60, :96]
    return np.stack(
        [
            (40 + 180 * np.exp(-((y - 30) ** 2 + (x - 20 - 2 * t) ** 2) / 300)).astype(np.uint8)
            for t in range(23)
        ]
    )


@pytest.fixture(scope="module")
def encoded(moving):
    return encode(moving)


def reference(frames, n_frames, size, prepare=np.asarray):
    """Area averaging, then linear interpolation in time, then truncation."""

    def small(number):
        frame = prepare(frames[min(number, len(frames) - 1)])
        return cv2.resize(frame, size[::-1], interpolation=cv2.INTER_AREA)

    between = []
    for at in np.linspace(0, len(frames) - 1, n_frames):
        before, share = small(int(at)).astype(float), at % 1
        between.append(before + share * (small(int(at) + 1) - before))
    return np.stack(between).astype(small(0).dtype)


@settings(deadline=None, max_examples=30)
@given(st.integers(1, 12), st.integers(1, 30), st.tuples(st.integers(1, 20), st.integers(1, 20)))
def test_arrays_are_shrunk_and_interpolated(length, n_frames, size):
    clip = np.random.default_rng(length).integers(0, 256, (length, 20, 20), dtype=np.uint8)
    (got,) = VideoLoader(n_frames, size=size).transform([clip])
    assert got.shape == (n_frames, *size)
    assert got.dtype == np.uint8
    # A fraction on the verge of a whole number may be cut to either side.
    assert np.abs(got.astype(int) - reference(clip, n_frames, size)).max() <= 1


@pytest.mark.parametrize("n_frames", [1, 7, 23, 50])
def test_files_are_decoded_to_what_was_encoded(moving, encoded, n_frames):
    got = decode_clip(encoded, n_frames=n_frames, scale=1 / 2)
    assert got.shape == (n_frames, 30, 48)
    difference = np.abs(got.astype(int) - reference(moving, n_frames, (30, 48)))
    assert difference.max() <= 3  # 8 bits of limited range, and compression


@pytest.mark.parametrize(
    ("pixel_format", "codec"),
    [("yuvj420p", "mjpeg"), ("yuv444p", "libx264"), ("yuv420p10le", "libx264"), ("gray", "ffv1"),
     ("bgr0", "ffv1"), ("nv12", "libx264")],
)  # fmt: skip
def test_luma_of_any_pixel_format(moving, pixel_format, codec):
    # H.264 and JPEG carry YUV in limited and full range, the others grey and RGB.
    got = decode_clip(encode(moving, pixel_format, codec, "matroska"), n_frames=23, scale=1 / 2)
    difference = np.abs(got.astype(int) - reference(moving, 23, (30, 48)))
    assert difference.mean() < 1.5


def test_rgb(moving):
    colour = np.stack([moving, 255 - moving, moving // 2], axis=-1)
    (got,) = VideoLoader(23, scale=1, color="rgb").transform([encode(colour, "yuv444p")])
    assert np.abs(got.astype(int) - colour).mean() < 2
    (grey,) = VideoLoader(23, scale=1, color="rgb").transform([moving])
    np.testing.assert_array_equal(grey, np.repeat(moving[..., np.newaxis], 3, axis=-1))


def test_scale_is_rounded_down_and_a_third_of_720p_is_240_by_426():
    clip = np.zeros((1, 720, 1280), dtype=np.uint8)
    assert VideoLoader(1).transform([clip]).shape == (1, 1, 240, 426)


def test_paths_bytes_and_zip_members_give_the_same(tmp_path, encoded):
    path = tmp_path / "a clip.mp4"
    path.write_bytes(encoded)
    with zipfile.ZipFile(tmp_path / "Video.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(path, "Actor_01/a clip.mp4")
    member = f"zip://Actor_01/a clip.mp4::{tmp_path / 'Video.zip'}"
    clips = VideoLoader(5).transform([path, str(path), encoded, member])
    assert (clips == clips[0]).all()


def test_header_that_says_nothing_or_the_wrong_number_of_frames(moving, monkeypatch):
    flash = encode(moving, codec="flv", container="flv")
    honest = decode_clip(flash, 9, scale=1 / 2)
    assert np.abs(honest.astype(int) - reference(moving, 9, (30, 48))).mean() < 4
    for lie in (1, 5, 22, 24, 1000):
        monkeypatch.setattr("skemotion.video._decoding._count_frames", lambda source, lie=lie: lie)
        np.testing.assert_array_equal(decode_clip(flash, 9, scale=1 / 2), honest)


def test_every_so_many_frames(moving, encoded):
    loader = VideoLoader(stride=5, size=(30, 48))
    from_file, from_memory = loader.fit_transform([encoded, moving[:11]])
    assert from_file.shape == (5, 30, 48)
    assert np.abs(from_file.astype(int) - reference(moving[::5], 5, (30, 48))).max() <= 3
    np.testing.assert_array_equal(
        from_memory, VideoLoader(3, size=(30, 48)).transform([moving[:11:5]])[0]
    )
    stacked = np.stack([moving, moving])
    assert loader.fit_transform(stacked).shape == (2, 5, 30, 48)
    table = moving[:, 10, 10:13].T
    np.testing.assert_array_equal(loader.fit_transform(table), table[:, ::5])
    # A table's row is a pixel: it has neither size nor colour, and as many names as values.
    few = VideoLoader(4, size=(30, 48), color="rgb").fit(table)
    assert few.transform(table).shape == (3, len(few.get_feature_names_out())) == (3, 4)
    loader.fit(table)
    assert list(loader.get_feature_names_out()) == [f"frame{t:03d}" for t in range(0, 23, 5)]


@pytest.mark.parametrize("n_threads", [1, 2, 5])
def test_the_number_of_threads_makes_no_difference(encoded, n_threads):
    expected = decode_clip(encoded)
    with decoding_threads(n_threads):
        with open_stream(encoded, "video") as (_, stream):
            assert stream.codec_context.thread_count == n_threads
        np.testing.assert_array_equal(decode_clip(encoded), expected)


def luma_of(frame):
    """Brightness from 0 to 255, of a frame whose black is 16 and whose white is 235."""
    plane = frame.to_ndarray(format="yuv420p")[: frame.height, : frame.width]
    return ((plane - np.float32(16)) * np.float32(255 / 219)).clip(0, 255)


def test_real_clips(shared_data):
    for path in sorted((shared_data / "clips").iterdir()):
        if path.name == WITHOUT_PICTURE:
            with pytest.raises(
                MediaError, match=rf"{path.name}: expected a picture, found no video"
            ):
                decode_clip(path)
            continue
        with av.open(str(path)) as container:
            frames = list(container.decode(video=0))
        height, width = frames[0].height, frames[0].width
        got = decode_clip(path, n_frames=20)
        assert got.shape == (20, height // 3, width // 3)
        assert np.abs(got - reference(frames, 20, got.shape[1:], luma_of)).mean() < 1, path.name


def test_clips_of_different_sizes_are_refused_by_name(tmp_path, moving):
    wide = np.zeros((3, 60, 120), dtype=np.uint8)
    with pytest.raises(ValueError, match=r"\(50, 20, 40\) in row 1.*size=\(height, width\)"):
        VideoLoader().transform([moving, wide])
    assert VideoLoader(size=(20, 40)).transform([moving, wide]).shape == (2, 50, 20, 40)


def test_damaged_files(tmp_path, encoded):
    damaged = {
        "cut.mp4": encoded[: len(encoded) // 2],
        "text.mp4": b"this is not a video" * 100,
        "empty.mp4": b"",
    }
    for name, content in damaged.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(MediaError, match=name):
            VideoLoader().transform([tmp_path / name])
    with pytest.raises(MediaError, match="no such file"):
        VideoLoader().transform([tmp_path / "gone.mp4"])
    with pytest.raises(MediaError, match="found a folder"):
        VideoLoader().transform([tmp_path])
    with pytest.raises(MediaError, match=r"gone\.zip"):
        VideoLoader().transform([f"zip://a.mp4::{tmp_path / 'gone.zip'}"])
    with pytest.raises(MediaError, match="row 0: expected a clip, found an empty cell"):
        VideoLoader().transform([None, "a.mp4"])


@pytest.mark.parametrize("size", [(0, 5), (5,), (1.5, 2)])
def test_refuses_sizes_that_are_none(moving, size):
    with pytest.raises(ValueError, match="size must be"):
        VideoLoader(size=size).fit([moving]).transform([moving])


def test_a_single_path_is_not_a_column():
    with pytest.raises(ValueError, match=r"pass \[clip\]"):
        VideoLoader().fit("a.mp4")


def test_unusual_names(tmp_path, encoded):
    for name in ("concat:x|y.mp4", "Gefühl — 感情.mp4", "a" * 200 + ".mp4", "%d.mp4"):
        path = tmp_path / name
        path.write_bytes(encoded)
        assert VideoLoader(2).transform([path]).shape == (1, 2, 20, 32)
    shutil.copy(path, tmp_path / "wrong ending.txt")
    assert VideoLoader(2).transform([tmp_path / "wrong ending.txt"]).shape == (1, 2, 20, 32)


@pytest.fixture(scope="module")
def fading(moving):
    """The clip that moves, 6 dark frames before, 3 after and one in between."""
    dark = np.full_like(moving, 12)
    return np.concatenate([dark[:6], moving[:11], dark[:1], moving[11:], dark[:3]])


@pytest.mark.parametrize("way", [{"n_frames": 15}, {"n_frames": 60}, {"stride": 2}, {"fps": 12.5}])
@pytest.mark.parametrize("color", ["gray", "rgb"])
def test_dark_ends_are_left_out_and_what_is_dark_in_between_stays(fading, way, color):
    loader = VideoLoader(scale=1 / 2, color=color, trim_dark=True, **way)
    plain = VideoLoader(scale=1 / 2, color=color, **way)
    file, bright = encode_video(fading), encode_video(fading[6:-3])
    (got,) = loader.transform([file])
    np.testing.assert_array_equal(got, plain.transform([bright])[0])
    if "fps" not in way:
        (got,) = loader.transform([fading])
        np.testing.assert_array_equal(got, plain.transform([fading[6:-3]])[0])


@pytest.mark.parametrize("level", [0, 7, 255])
def test_clips_of_one_brightness_and_centred_ones_lose_nothing(level, moving):
    loader = VideoLoader(n_frames=9, scale=1, trim_dark=True)
    flat = np.full((9, 8, 10), level, np.uint8)
    for clip in (flat, encode_video(flat)):
        np.testing.assert_array_equal(loader.transform([clip])[0], flat)
    centred = moving - moving.max() - 1.0
    assert loader.transform([centred])[0].shape == (9, 60, 96)


@pytest.mark.parametrize(
    "asked", [{"n_frames": 7}, {"stride": 3}, {"fps": 10}, {"n_frames": 7, "trim_dark": True}]
)
def test_windows_are_those_of_segments(tmp_path, asked):
    rng = np.random.default_rng(0)
    frames = rng.integers(0, 255, (60, 12, 18), dtype=np.uint8)
    frames[:5] //= 8
    (tmp_path / "a.mkv").write_bytes(encode_video(frames))
    loader = VideoLoader(scale=1 / 2, **asked)
    windows = list(loader.transform_windows(tmp_path / "a.mkv", window=1.0, hop=0.4))
    assert [w.end for w in windows] == pytest.approx([1, 1.4, 1.8, 2.2, 2.4, 2.4])
    for window in windows:
        segment = f"{tmp_path / 'a.mkv'}#t={window.start:.4f},{window.end:.4f}"
        np.testing.assert_array_equal(window.content, loader.transform([segment])[0])
