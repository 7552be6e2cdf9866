import numpy as np
import pytest
from sklearn.pipeline import make_pipeline

from skemotion.audio import AudioLoader, SpeechFunctionals, SpeechTrajectories
from skemotion.decomposition import MiniRocket


def hum(pitch, seconds=1.0):
    """Give a voice of rising loudness; `pitch` in Hz may be an array."""
    time = np.arange(int(16000 * seconds)) / 16000
    phase = 2 * np.pi * np.cumsum(np.broadcast_to(pitch, time.shape)) / 16000
    return (0.2 + time) * sum(np.sin(k * phase) / k for k in range(1, 20))


def test_follows_the_voice():
    rising = np.geomspace(110, 220, 24000)
    (curves,) = SpeechTrajectories(n_points=60).fit_transform([hum(rising, 1.5)])
    values = dict(
        zip(SpeechTrajectories().fit([rising]).get_feature_names_out(), curves.T, strict=True)
    )
    octave = np.linspace(12, 24, 60)  # semitones above 55 Hz
    np.testing.assert_allclose(values["pitch"][3:-3], octave[3:-3], atol=0.3)
    assert (np.diff(values["loudness"][3:-3:6]) > 0).all()
    assert values["harmonicity"][3:-3].min() > 10
    assert curves.shape == (60, 20)


def test_is_what_the_functionals_summarize():
    rng = np.random.default_rng(0)
    voice = hum(150 + 30 * np.sin(np.arange(16000) / 2000)) + 0.01 * rng.standard_normal(16000)
    n_frames = 101
    stage = SpeechTrajectories(n_points=n_frames, trim=None).fit([voice])
    (curves,) = stage.transform([voice])
    functionals = SpeechFunctionals(trim=None).set_output(transform="pandas").fit_transform([voice])
    names = list(stage.get_feature_names_out())
    # Everything here is loud, so that all frames are active.
    for name in (*names[:13], *names[14:]):
        expected = functionals[f"{name}_mean_active"].iloc[0]
        assert curves[:, names.index(name)].mean() == pytest.approx(expected, rel=1e-6), name


def test_silence_at_the_ends_makes_no_difference_and_length_little():
    voice = hum(np.geomspace(110, 220, 16000))
    padded = np.concatenate([np.zeros(8000), voice, np.zeros(4096)])
    one, two = SpeechTrajectories().fit_transform([voice, padded])
    np.testing.assert_allclose(two[10:-10, 13], one[10:-10, 13], atol=0.5)


def test_arrays_of_waveforms():
    X = np.stack([hum(110, 0.2), hum(220, 0.2)])[:, :, np.newaxis]
    stage = SpeechTrajectories(n_points=12).fit(X)
    values = stage.transform(X)
    assert values.shape == (2, 12, 20, 1)
    assert len(set(stage.get_feature_names_out())) == values[0].size
    assert SpeechTrajectories(12).fit_transform(X[:, :, 0].astype(np.float32)).dtype == np.float32


def test_rockets_of_speech(shared_data):
    clips = sorted((shared_data / "java-sed").glob("01-01-0?_01.mp4"))[:3]
    chain = make_pipeline(
        AudioLoader(sample_rate=16000), SpeechTrajectories(), MiniRocket(500, 150, random_state=0)
    )
    features = chain.fit_transform([str(clip) for clip in clips])
    assert features.shape == (3, 420)
    names = chain.get_feature_names_out()
    assert len(set(names)) == 420
    assert any("pitch" in name for name in names)
