import io
import struct

import numpy as np
import pytest
import soundfile

from skemotion import MediaError, limits
from skemotion.audio import AudioLoader, _decoding
from skemotion.io import _sound_files, read_sound

RATE = 22050
KINDS = [
    *(("WAV", subtype) for subtype in ("PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE")),
    ("WAVEX", "PCM_16"),
    ("FLAC", "PCM_S8"),
    ("FLAC", "PCM_16"),
    ("FLAC", "PCM_24"),
]


def sound_file(kind=("WAV", "PCM_16"), n_channels=1, n_samples=30_000, rate=RATE):
    noise = np.random.default_rng(0).uniform(-1, 1, (n_samples, n_channels))
    file = io.BytesIO()
    soundfile.write(file, noise, rate, format=kind[0], subtype=kind[1])
    return file.getvalue()


def load(source, sample_rate=RATE):
    return AudioLoader(sample_rate).transform([source])[0]


@pytest.fixture
def by_ffmpeg(monkeypatch):
    """Load as everything is that is no healthy WAV or FLAC file."""

    def load_by_ffmpeg(source, sample_rate=RATE):
        with monkeypatch.context() as patched:
            patched.setattr(_decoding, "read_sound", lambda source: None)
            return load(source, sample_rate)

    return load_by_ffmpeg


@pytest.mark.parametrize("n_channels", [1, 2, 5])
@pytest.mark.parametrize("kind", KINDS)
def test_samples_are_those_of_ffmpeg(kind, n_channels, by_ffmpeg):
    content = sound_file(kind, n_channels)
    samples, rate = read_sound(content)
    assert samples.shape == (n_channels, 30_000)
    assert samples.dtype == np.float32
    assert rate == RATE
    for sample_rate in (RATE, 16000):
        np.testing.assert_allclose(
            load(content, sample_rate), by_ffmpeg(content, sample_rate), atol=1e-7
        )


@pytest.mark.parametrize("times", ["0.1,0.7", "1", ",0.00004", "0.33333,1.36", "1.2,1.5"])
@pytest.mark.parametrize("kind", KINDS)
def test_segments_are_those_of_ffmpeg(kind, times, tmp_path, by_ffmpeg):
    (tmp_path / "a.wav").write_bytes(sound_file(kind, 2))
    segment = f"{tmp_path}/a.wav#t={times}"
    np.testing.assert_allclose(load(segment), by_ffmpeg(segment), atol=1e-7)


@pytest.mark.parametrize("times", ["2", "1,2.5"])
def test_segments_outside_are_refused(times, tmp_path):
    (tmp_path / "a.wav").write_bytes(sound_file())
    with pytest.raises(MediaError, match=r"a segment of a clip of 1\.361 s, found its"):
        load(f"{tmp_path}/a.wav#t={times}")


def test_what_is_damaged_is_left_to_ffmpeg(by_ffmpeg):
    """So that it gives, or is refused, as it always was; a FLAC that claims too few samples too."""
    flac, wav = sound_file(("FLAC", "PCM_16")), sound_file()
    for claim in (29_999, 30_001, 100, 2**36 - 1):
        at = int.from_bytes(flac[18:26]) >> 36 << 36
        lying = flac[:18] + (at + claim).to_bytes(8) + flac[26:]
        assert read_sound(lying) is None
        if claim < 30_000:
            assert len(load(lying)) == 30_000
    # Of a WAV that was cut off, both libraries give what is there; FFmpeg 8.0 not of half a sample.
    for n_bytes in (20_000, 20_001):
        np.testing.assert_array_equal(load(wav[:n_bytes]), by_ffmpeg(wav[:20_000]))
    headers = (b"RIFF" + bytes(4) + b"WAVE" + bytes(99), b"fLaC" + bytes(99))
    for bad in (flac[: len(flac) // 2], wav[:44], wav[:30], flac[:42], *headers):
        assert read_sound(bad) is None
        with pytest.raises(MediaError):
            load(bad)


def test_other_files_are_left_to_ffmpeg():
    for kind in (("AIFF", "PCM_16"), ("W64", "PCM_16"), ("OGG", "VORBIS"), ("WAV", "MS_ADPCM")):
        assert read_sound(sound_file(kind)) is None


def test_limits_hold(monkeypatch):
    for content in (sound_file(), sound_file(("FLAC", "PCM_16"))):
        rates = {"sample_rates": (8000, 16000)}
        for limit in ({"max_seconds": 1.3}, {"max_bytes": 119_999}, rates):
            with limits(**limit):
                assert read_sound(content) is None
                with pytest.raises(MediaError, match=next(iter(limit))):
                    load(content)
        with limits(max_seconds=1.4, max_bytes=120_000, sample_rates=(RATE, RATE)):
            assert len(load(content)) == 30_000
    # Seventy channels are more than FFmpeg converts, and refused.
    with pytest.raises(MediaError, match="at most 64 channels"):
        load(sound_file(n_channels=70))
    # What would take much memory at once is decoded block by block.
    monkeypatch.setattr(_sound_files, "_MOST_BYTES", 59_999)
    assert read_sound(sound_file()) is None


def test_samples_that_are_no_numbers_are_counted():
    samples = np.zeros(1000, dtype=np.float32)
    for bad in (np.nan, np.inf, -np.inf):
        samples[[3, 5]] = bad
        file = io.BytesIO()
        soundfile.write(file, samples, RATE, format="WAV", subtype="FLOAT")
        with pytest.raises(MediaError, match="found 2 of 1000 that are NaN"):
            load(file.getvalue())
    # Also where they are looked for after resampling, by which none gets lost.
    for place in (0, 500, 999):
        samples[:] = 0
        samples[place] = np.nan
        file = io.BytesIO()
        soundfile.write(file, samples, RATE, format="WAV", subtype="FLOAT")
        for rate in (RATE, 8000, 22050, 16000, 48000):
            with pytest.raises(MediaError, match="found 1 of 1000 that are NaN"):
                AudioLoader(rate).transform([file.getvalue()])
    # The sum of these is infinite, and none of them.
    samples[:] = 3e38
    file = io.BytesIO()
    soundfile.write(file, samples, RATE, format="WAV", subtype="FLOAT")
    assert load(file.getvalue())[0] == np.float32(3e38)


def test_nothing_is_printed_of_lying_headers(capfd):
    """An exception inside libsndfile's reads and seeks cannot be caught, and would be printed."""
    content = bytearray(sound_file(("WAVEX", "PCM_24")))
    rng = np.random.default_rng(0)
    for _ in range(300):
        lying = content.copy()
        at = 4 * int(rng.integers(1, 20))
        claim = rng.choice([0, 1, 2**31 - 1, 2**31, 2**32 - 1, int(rng.integers(2**32))])
        lying[at : at + 4] = struct.pack("<I", claim)
        read_sound(bytes(lying))
    assert capfd.readouterr() == ("", "")
