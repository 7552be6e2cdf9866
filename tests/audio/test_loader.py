import io
import zipfile

import av
import librosa
import numpy as np
import pandas as pd
import polars as pl
import pytest
import soundfile
from helpers import encode_wav

from skemotion import MediaError
from skemotion.audio import AudioLoader

WITHOUT_SOUND = {"result.avi", "test.mp4"}

# What librosa.load imports.
pytestmark = pytest.mark.filterwarnings("ignore:'(aifc|audioop|sunau)' is deprecated")


def sweep(rate, n_channels, seconds=0.7):
    """Make a rising tone that is another one in each channel; shape (n_channels, n_samples)."""
    t = np.arange(int(rate * seconds)) / rate
    tones = [np.sin(2 * np.pi * (150 + 70 * k + 200 * t) * t) for k in range(n_channels)]
    return (0.3 * np.stack(tones)).astype(np.float32)


def encode(waveform, rate, container, codec):
    """Encode a waveform of shape (n_channels, n_samples), with a picture where there is room."""
    file = io.BytesIO()
    with av.open(file, "w", format=container) as output:
        layout = {1: "mono", 2: "stereo"}[len(waveform)]
        stream = output.add_stream(codec, rate=rate, layout=layout)
        if container == "mp4":
            picture = output.add_stream("mpeg4", rate=25)
            picture.height, picture.width = 48, 64
            grey = av.VideoFrame.from_ndarray(np.full((48, 64), 90, np.uint8), format="gray")
            output.mux(picture.encode(grey))
            output.mux(picture.encode())
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(waveform), "fltp", layout)
        frame.sample_rate, frame.pts = rate, 0
        to_codec = av.AudioResampler(stream.format, layout, rate, frame_size=stream.frame_size)
        for part in [*to_codec.resample(frame), *to_codec.resample(None)]:
            output.mux(stream.encode(part))
        output.mux(stream.encode())
    return file.getvalue()


def load(clip, **parameters):
    (waveform,) = AudioLoader(**parameters).transform([clip])
    return waveform


def test_real_speech_equals_librosas(shared_data):
    archive = shared_data / "ravdess" / "Audio_Speech_Actors_01-12.zip"
    with zipfile.ZipFile(archive) as members:
        names = sorted(name for name in members.namelist() if name.endswith(".wav"))[::120]
        contents = [members.read(name) for name in names]
    got = AudioLoader().transform([f"zip://{name}::{archive}" for name in names])
    for name, content, waveform in zip(names, contents, got, strict=True):
        expected, _ = librosa.load(io.BytesIO(content), sr=22050)
        assert waveform.dtype == np.float32
        np.testing.assert_allclose(waveform, expected, atol=1e-6, err_msg=name)


@pytest.mark.parametrize("n_channels", [1, 2])
@pytest.mark.parametrize(
    ("container", "codec", "rate"),
    [
        ("wav", "pcm_s16le", 48000),
        ("wav", "pcm_f32le", 8000),
        ("wav", "pcm_s24le", 22050),
        ("wav", "pcm_u8", 11025),
        ("flac", "flac", 44100),
        ("mp3", "libmp3lame", 16000),
    ],
)
def test_encoded_sound_equals_librosas(container, codec, rate, n_channels):
    content = encode(sweep(rate, n_channels), rate, container, codec)
    for sample_rate in (22050, 16000):
        expected, _ = librosa.load(io.BytesIO(content), sr=sample_rate)
        waveform = load(content, sample_rate=sample_rate)
        # libsndfile and FFmpeg differ in how they round MP3, and in what they cut off its end.
        tolerance = 1e-3 if codec == "libmp3lame" else 1e-6
        if codec == "libmp3lame":
            n = min(len(waveform), len(expected))
            assert n > 0.7 * sample_rate - 1
            waveform, expected = waveform[:n], expected[:n]
        np.testing.assert_allclose(waveform, expected, atol=tolerance)


@pytest.mark.parametrize("n_channels", [1, 2])
def test_sound_of_a_video_is_what_was_encoded(n_channels):
    original = sweep(48000, n_channels)
    waveform = load(encode(original, 48000, "mp4", "aac"))
    expected = librosa.resample(original.mean(axis=0), orig_sr=48000, target_sr=22050)
    n = len(expected)
    assert n <= len(waveform) <= n + 1024  # the last AAC frame is padded
    # Compression changes values, but moves nothing in time.
    errors = [
        np.abs(waveform[50 + lag : n - 50 + lag] - expected[50:-50]).mean() for lag in (-1, 0, 1)
    ]
    assert errors[1] == min(errors)
    assert errors[1] < 0.01


def test_real_clips(shared_data):
    for path in sorted((shared_data / "clips").iterdir()):
        if path.name in WITHOUT_SOUND:
            with pytest.raises(MediaError, match=rf"{path.name}: expected sound, found no audio"):
                load(path)
            continue
        with av.open(str(path)) as container:
            rate = container.streams.audio[0].rate
            # (1, n_samples * n_channels) for interleaved formats, (n_channels, n_samples) else.
            parts = []
            for frame in container.decode(audio=0):
                samples = frame.to_ndarray().reshape(
                    (-1, frame.samples) if frame.format.is_planar else (frame.samples, -1)
                )
                parts.append(samples.mean(axis=0 if frame.format.is_planar else 1))
        expected = np.concatenate(parts)
        if np.abs(expected).max() > 4:
            expected = expected / 2**15
        expected = librosa.resample(expected.astype(np.float32), orig_sr=rate, target_sr=22050)
        np.testing.assert_allclose(load(path), expected, atol=1e-5, err_msg=path.name)


def test_paths_bytes_zip_members_and_series_give_the_same(tmp_path):
    content = encode(sweep(44100, 2), 44100, "wav", "pcm_s16le")
    path = tmp_path / "Gefühl — 感情.wav"
    path.write_bytes(content)
    with zipfile.ZipFile(tmp_path / "Audio.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(path, "Actor_01/a clip.wav")
    member = f"zip://Actor_01/a clip.wav::{tmp_path / 'Audio.zip'}"
    expected, _ = librosa.load(io.BytesIO(content), sr=22050)
    columns = [
        [path, str(path), content, member],
        np.array([str(path), member]),
        pd.Series([str(path), member], index=[7, 3]),
        pl.Series([str(path), member]),
        pd.DataFrame({"audio": [str(path)]}),
    ]
    for column in columns:
        waveforms = AudioLoader().fit_transform(column)
        assert waveforms.shape == (len(column),)
        for waveform in waveforms:
            np.testing.assert_allclose(waveform, expected, atol=1e-6)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_arrays_are_mixed_down_and_keep_their_type(dtype):
    stereo = sweep(8000, 2).T.astype(dtype)
    loader = AudioLoader(source_rate=22050)
    mono, ragged = loader.transform([stereo, stereo[:100, 0]])
    np.testing.assert_array_equal(mono, stereo.mean(axis=1))
    np.testing.assert_array_equal(ragged, stereo[:100, 0])
    assert mono.dtype == ragged.dtype == dtype
    table = AudioLoader().fit_transform(np.stack([stereo, stereo]))
    np.testing.assert_array_equal(table, [mono, mono])


def test_rows_of_a_table_are_waveforms():
    table = np.random.default_rng(0).normal(size=(3, 50))
    loader = AudioLoader().fit(table)
    np.testing.assert_array_equal(loader.transform(table), table)
    assert loader.get_feature_names_out()[7] == "sample00007"
    assert list(loader.fit(["a.wav"]).get_feature_names_out()) == ["audio"]


def test_bad_files_are_named(tmp_path):
    silent = io.BytesIO()
    soundfile.write(silent, np.zeros((0, 1)), 48000, format="WAV")
    clip = encode(sweep(48000, 1), 48000, "mp4", "aac")
    bad = {
        "text.wav": b"this is no sound" * 50,
        "empty.wav": b"",
        "cut.mp4": clip[: len(clip) // 2],
        "nothing.wav": silent.getvalue(),
    }
    for name, content in bad.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(MediaError, match=name):
            load(tmp_path / name)
    with pytest.raises(MediaError, match=r"gone\.wav: .*no such file"):
        load(tmp_path / "gone.wav")
    with pytest.raises(MediaError, match="found a folder"):
        load(tmp_path)
    with zipfile.ZipFile(tmp_path / "Audio.zip", "w"):
        pass
    with pytest.raises(MediaError, match=r"gone\.wav"):
        load(f"zip://gone.wav::{tmp_path / 'Audio.zip'}")
    for missing in (None, np.nan, pd.NA):
        with pytest.raises(MediaError, match="row 0: expected a clip, found an empty cell"):
            AudioLoader().transform(pd.Series(["a.wav", missing], dtype=object)[1:])
    with pytest.raises(MediaError, match=r"row 0: .* found 1 of 2 that are NaN"):
        load((22050, np.array([0.0, np.nan])))
    with pytest.raises(ValueError, match="sample_rate"):
        load(clip, sample_rate=0)
    with pytest.raises(ValueError, match=r"pass \[clip\]"):
        AudioLoader().fit("a.wav")


def test_hardly_any_sound_is_still_sound():
    # Resampled, a single sample is less than one; librosa keeps one.
    content = io.BytesIO()
    soundfile.write(content, np.full((1, 1), 0.25), 48000, format="WAV")
    assert load(content.getvalue()).shape == (1,)


def test_a_waveform_depends_on_its_clip_alone():
    clips = [encode(sweep(rate, 1), rate, "wav", "pcm_s16le") for rate in (8000, 22050, 48000)]
    together = AudioLoader().transform(clips)
    for clip, waveform in zip(clips, together, strict=True):
        np.testing.assert_array_equal(load(clip), waveform)


@pytest.mark.parametrize("sample_rate", [8000, 22050, 16000])
def test_windows_are_cut_from_the_whole_waveform(tmp_path, sample_rate):
    rng = np.random.default_rng(0)
    (tmp_path / "a.wav").write_bytes(encode_wav(rng.normal(0, 0.1, 70_001), 22050))
    loader = AudioLoader(sample_rate)
    [whole] = loader.transform([tmp_path / "a.wav"])
    windows = list(loader.transform_windows(tmp_path / "a.wav", window=1.3, hop=0.7))
    assert len(windows) == 5
    for number, (start, end, content) in enumerate(windows):
        assert start == 0.7 * number
        assert end == min(start + 1.3, len(whole) / sample_rate)
        cut = whole[round(start * sample_rate) : round(end * sample_rate)]
        np.testing.assert_allclose(content, cut, atol=1e-6)
        assert len(content) == len(cut)
