"""Complete MP3 files are read by libsndfile, and give FFmpeg's samples; all others by FFmpeg."""

import io

import av
import numpy as np
import pytest

from skemotion import MediaError, limits
from skemotion.audio import AudioLoader, _decoding
from skemotion.io import _mp3_frames, read_sound

RATES = (44100, 48000, 32000, 22050, 24000, 16000, 11025, 12000, 8000)


def mp3(rate=44100, layout="mono", bit_rate=64_000, n_samples=20_000, **options):
    rng = np.random.default_rng(0)
    t = np.arange(n_samples) / rate
    wave = 8000 * np.sin(2 * np.pi * 440 * t) + 500 * rng.standard_normal(n_samples)
    file = io.BytesIO()
    with av.open(file, "w", format="mp3", options=options) as container:
        stream = container.add_stream("libmp3lame", rate=rate, layout=layout)
        stream.bit_rate = bit_rate
        frame = av.AudioFrame.from_ndarray(wave.astype(np.int16)[np.newaxis], "s16", "mono")
        frame.sample_rate = rate
        to_codec = av.AudioResampler(stream.format.name, layout, rate, stream.frame_size)
        for part in [*to_codec.resample(frame), *to_codec.resample(None)]:
            container.mux(stream.encode(part))
        container.mux(stream.encode(None))
    return file.getvalue()


def by_ffmpeg(content):
    return np.concatenate([block for block, _ in _decoding.decode_blocks(content, "clip")])


@pytest.mark.parametrize("layout", ["mono", "stereo"])
@pytest.mark.parametrize("rate", RATES)
def test_samples_are_those_of_ffmpeg(rate, layout):
    content = mp3(rate, layout)
    samples, read_rate = read_sound(content)
    assert (samples.shape, read_rate) == ((1 if layout == "mono" else 2, 20_000), rate)
    ours = AudioLoader(rate).transform([content])[0]
    np.testing.assert_allclose(ours, by_ffmpeg(content), atol=2e-6)


@pytest.mark.parametrize(
    "added", [(0, 0), (576, 0), (576, 528), (576, 530), (2000, 300), (9, 4000)]
)
def test_ends_are_where_ffmpeg_has_them(added):
    content = bytearray(mp3(id3v2_version="0"))
    content[162:165] = (added[0] << 12 | added[1]).to_bytes(3)
    samples, _ = read_sound(bytes(content))
    np.testing.assert_allclose(samples[0], by_ffmpeg(bytes(content)), atol=2e-6)


def test_tags_about_the_sound_change_nothing(capfd):
    plain = mp3(id3v2_version="0")
    picture = b"ID3\x04\x00\x00\x00\x10\x00\x00" + bytes(2**18)
    for tagged in (picture + plain, plain + b"TAG" + bytes(125), mp3()):
        np.testing.assert_array_equal(read_sound(tagged)[0], read_sound(plain)[0])
        assert len(by_ffmpeg(tagged)) == 20_000
    assert capfd.readouterr() == ("", "")


def test_what_is_not_complete_is_left_to_ffmpeg(capfd):
    content, rng = mp3(id3v2_version="0"), np.random.default_rng(0)
    others = [
        mp3(write_xing="0"),
        content[:-1],
        content[: len(content) // 2],
        content + bytes(100),
        content + content,
        content[209:],
        content[:4],
        b"ID3",
        b"ID3\x04\x00\x00\x7f\x7f\x7f\x7f",
        b"\xff\xfb" + bytes(10),
    ]
    # A byte in the sound, which libsndfile's decoder would conceal and print, and FFmpeg refuse.
    for _ in range(50):
        damaged = bytearray(content)
        damaged[rng.integers(250, len(content))] ^= rng.integers(1, 256)
        others.append(bytes(damaged))
    assert [read_sound(other) for other in others] == [None] * len(others)
    assert capfd.readouterr() == ("", "")


def test_segments_and_limits_are_left_to_ffmpeg(tmp_path):
    content = mp3()
    (tmp_path / "a.mp3").write_bytes(content)
    whole, segment = AudioLoader(44100).transform([content, f"{tmp_path}/a.mp3#t=0.1,0.3"])
    np.testing.assert_allclose(segment, whole[4410:13230], atol=1e-5)
    with limits(max_seconds=0.4), pytest.raises(MediaError, match="max_seconds"):
        AudioLoader().transform([content])


@pytest.mark.parametrize("n_bytes", [0, 1, 7, 8, 9, 1003])
def test_the_checksum_is_that_bit_by_bit(n_bytes):
    content = np.random.default_rng(0).integers(0, 256, n_bytes, dtype=np.uint8)
    expected = 0
    for byte in content.tolist():
        expected ^= byte
        for _ in range(8):
            expected = expected >> 1 ^ (0xA001 if expected & 1 else 0)
    assert _mp3_frames._compiled(_mp3_frames._checksum)(content, _mp3_frames._TABLES) == expected
