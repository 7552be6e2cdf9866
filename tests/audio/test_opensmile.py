import pickle
import sys
import zipfile
from concurrent.futures import ThreadPoolExecutor

import joblib
import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from skemotion import load_model, save_model
from skemotion.audio import AudioLoader, OpenSMILE, SpeechFunctionals
from skemotion.pipeline import ClipCache, ClipPipeline

N_VALUES = {"GeMAPSv01b": 62, "eGeMAPSv02": 88, "ComParE_2016": 6373, "emobase": 988, "IS09": 384,
            "IS10": 1582, "IS11": 4368, "IS12": 6125, "IS13": 6373}  # fmt: skip


@pytest.fixture
def opensmile():
    return pytest.importorskip(
        "opensmile", reason="opensmile, which is for non-commercial use only, is not installed"
    )


def voice(n_samples=16000, pitch=110, seed=0):
    time = np.arange(n_samples) / 16000
    rng = np.random.default_rng(seed)
    hum = sum(np.sin(2 * np.pi * pitch * k * time) / k for k in range(1, 30)) / 10
    return hum * (1 + np.sin(2 * np.pi * 3 * time)) / 2 + 1e-3 * rng.standard_normal(n_samples)


@pytest.mark.parametrize("feature_set", ["ComParE_2016", "eGeMAPSv02"])
def test_equals_opensmile_on_real_speech(opensmile, shared_data, feature_set):
    with zipfile.ZipFile(shared_data / "ravdess" / "Audio_Speech_Actors_01-12.zip") as archive:
        names = sorted(name for name in archive.namelist() if name.endswith(".wav"))
        files = [archive.read(name) for name in names[::400]]
    clips = AudioLoader(sample_rate=16000).transform(files)
    stage = OpenSMILE(feature_set).set_output(transform="pandas")
    got = stage.fit_transform(clips)
    smile = opensmile.Smile(getattr(opensmile.FeatureSet, feature_set))
    for row, clip in enumerate(clips):
        assert np.abs(clip).max() < 1
        expected = smile.process_signal(clip.astype(np.float32), 16000)
        assert list(expected.columns) == list(got.columns)
        np.testing.assert_array_equal(got.iloc[row], expected.iloc[0])
    assert (got.iloc[0] != got.iloc[1]).mean() > 0.8


@pytest.mark.parametrize("feature_set", list(N_VALUES))
@pytest.mark.parametrize("sample_rate", [1000, 16000, 48000])
def test_every_value_is_finite_and_named(opensmile, feature_set, sample_rate):
    noise = np.random.default_rng(0).standard_normal(sample_rate // 2)
    clips = [noise[:1], noise[:50] * 1e-9, np.zeros(sample_rate // 2), noise * 1e6]
    stage = OpenSMILE(feature_set, sample_rate).fit(clips)
    got = stage.transform(clips)
    assert got.shape == (len(clips), N_VALUES[feature_set])
    assert np.isfinite(got).all()
    names = stage.get_feature_names_out()
    assert len(set(names)) == got.shape[1]


def test_the_sample_rate_decides_what_is_heard(opensmile):
    name = "F0semitoneFrom27.5Hz_sma3nz_percentile50.0"
    for rate, expected in ((16000, 24), (8000, 12)):
        table = OpenSMILE(sample_rate=rate).set_output(transform="pandas").fit_transform([voice()])
        assert table[name].iloc[0] == pytest.approx(expected, abs=0.2)


def test_full_scale_does_not_wrap(opensmile):
    clip = voice() / np.abs(voice()).max()
    loud, less = OpenSMILE().transform([clip, clip * 0.999])
    np.testing.assert_allclose(loud, less, rtol=0.1, atol=0.1)
    np.testing.assert_array_equal(*OpenSMILE().transform([np.sign(clip), np.sign(clip) * 7]))


def test_all_of_a_long_clip_is_heard(opensmile):
    quiet, loud = voice(16000 * 60) / 100, voice(16000 * 5)
    names = OpenSMILE().fit([loud]).get_feature_names_out()
    column = list(names).index("loudness_sma3_percentile80.0")
    before, after, end = OpenSMILE().transform(
        [quiet, np.concatenate([quiet, np.tile(loud, 12)]), loud]
    )[:, column]
    assert before < after / 2
    assert after == pytest.approx(end, rel=0.2)


def test_types_variants_and_channels(opensmile):
    clip, other = voice(4000), voice(4000, 220)
    stage = OpenSMILE()
    row = stage.fit_transform([clip])
    assert row.dtype == np.float64
    assert stage.transform([clip.astype(np.float32)]).dtype == np.float32
    table = np.empty((1, 2), dtype=object)
    table[0, :] = clip, other
    stage.fit(table)
    np.testing.assert_array_equal(stage.transform(table)[0, :88], row[0])
    assert stage.get_feature_names_out()[-88:][0] == "F0semitoneFrom27.5Hz_sma3nz_amean_variant1"
    channels = np.stack([clip, other], axis=1)[np.newaxis]
    stage.fit(channels)
    assert stage.transform(channels).shape == (1, 88, 2)
    np.testing.assert_array_equal(stage.transform(channels)[0, :, 0], row[0])
    assert stage.get_feature_names_out()[1] == "F0semitoneFrom27.5Hz_sma3nz_amean_channel1"


def test_threads_and_processes_give_the_same(opensmile):
    clips = [voice(8000 + 100 * i, 100 + 10 * i, seed=i) for i in range(6)]
    stage = OpenSMILE("IS09").fit(clips)
    expected = stage.transform(clips)
    with ThreadPoolExecutor(4) as threads:
        got = threads.map(lambda clip: stage.transform([clip])[0], clips * 3)
        np.testing.assert_array_equal(list(got), np.tile(expected, (3, 1)))
    for backend in ("loky", "multiprocessing"):
        got = joblib.Parallel(n_jobs=2, backend=backend)(
            joblib.delayed(stage.transform)([clip]) for clip in clips[:2]
        )
        np.testing.assert_array_equal(np.concatenate(got), expected[:2])
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(stage)).transform(clips), expected)


def test_in_a_clip_pipeline_saved_and_loaded(opensmile, tmp_path, monkeypatch):
    clips = [(16000, voice(4000, 100 + 100 * (i % 2), seed=i)) for i in range(8)]
    y = ["calm", "angry"] * 4
    steps = [("load", AudioLoader(sample_rate=16000)), ("opensmile", OpenSMILE())]
    features = ClipPipeline(steps, memory=tmp_path / "cache", n_jobs=2)
    model = make_pipeline(features, LogisticRegression(C=1e-3)).fit(clips, y)
    assert model.score(clips, y) == 1
    assert ClipCache(tmp_path / "cache").n_entries == 16
    loaded = load_model(save_model(model, tmp_path / "model.skops"))
    np.testing.assert_array_equal(loaded.predict_proba(clips), model.predict_proba(clips))
    monkeypatch.setattr(opensmile, "__version__", "another")
    features.transform(clips)
    assert ClipCache(tmp_path / "cache").n_entries == 24  # of another openSMILE; sound is kept


def test_opensmile_is_an_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "opensmile", None)
    message = r'^OpenSMILE needs opensmile: python -m pip install "skemotion\[opensmile\]".*licence'
    with pytest.raises(ImportError, match=message):
        OpenSMILE().fit([np.zeros(10)])
    with pytest.raises(ImportError, match=message):
        ClipPipeline([("opensmile", OpenSMILE("emobase"))]).transform([np.zeros(10)])


@pytest.mark.parametrize(
    ("parameters", "message"),
    [({"feature_set": "eGeMAPS"}, "'feature_set' parameter"), ({"sample_rate": 10}, "sample_rate")],
)
def test_refuses_parameters(parameters, message):
    with pytest.raises(ValueError, match=message):
        OpenSMILE(**parameters).fit([np.zeros(10)])


def test_refuses_waveforms_at_another_rate():
    steps = [("load", AudioLoader(sample_rate=22050)), ("opensmile", OpenSMILE())]
    with pytest.raises(ValueError, match="16,000 Hz"):
        ClipPipeline(steps).fit([(22050, np.zeros(100))])
    assert SpeechFunctionals().sample_rate == OpenSMILE().sample_rate
