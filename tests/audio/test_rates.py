"""One recording is one sound, in whatever form it comes; or there is an error."""

import numpy as np
import pytest
import scipy.signal
import soundfile
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skemotion import MediaError
from skemotion.audio import AudioAugmenter, AudioFeatures, AudioLoader
from skemotion.decomposition import TrajectoryStatistics
from skemotion.pipeline import ClipPipeline

RATES = (16000, 22050, 48000)


def voice(pitch, rate, seconds=1.0):
    """Make a voice of which nothing is above 3 kHz, so that all rates hold the same sound."""
    t = np.arange(round(seconds * rate)) / rate
    harmonics = [
        np.sin(2 * np.pi * k * (pitch * t + 9 * t**2)) / k for k in range(1, 3000 // pitch)
    ]
    return 0.1 * np.sum(harmonics, axis=0) * scipy.signal.windows.tukey(len(t), 0.2)


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """Trained on files at 22,050 Hz, as the reference recipe hears them."""
    folder = tmp_path_factory.mktemp("voices")
    paths, moods = [], []
    for mood, pitches in {"sad": (95, 105, 115, 125), "happy": (190, 205, 220, 235)}.items():
        for pitch in pitches:
            paths.append(folder / f"{mood}{pitch}.wav")
            moods.append(mood)
            soundfile.write(paths[-1], voice(pitch, 22050), 22050, subtype="FLOAT")
    clips = ClipPipeline(
        [
            ("load", AudioLoader()),
            # Bands that all rates fill.
            ("features", AudioFeatures(("mfcc",), n_mfcc=8, n_mels=20)),
            ("statistics", TrajectoryStatistics(("mean", "std"))),
        ],
        flatten=True,
    )
    # Weighed alike, and little, so that a thousandth is not hidden by certainty.
    return make_pipeline(clips, StandardScaler(), LogisticRegression(C=0.01)).fit(paths, moods)


@pytest.mark.parametrize("pitch", [110, 150, 210])
def test_one_recording_in_every_form(model, pitch, tmp_path):
    soundfile.write(tmp_path / "a.wav", voice(pitch, 22050), 22050, subtype="FLOAT")
    forms = {"path": tmp_path / "a.wav", "text": str(tmp_path / "a.wav")}
    forms["bytes"] = forms["path"].read_bytes()
    for rate in RATES:
        sound = voice(pitch, rate)
        soundfile.write(tmp_path / f"{rate}.wav", sound, rate, subtype="PCM_16")
        integers = np.round(sound * 2**15).astype(np.int16)
        forms |= {
            f"file {rate}": tmp_path / f"{rate}.wav",
            f"float64 {rate}": (rate, sound),
            f"float32 {rate}": (rate, sound.astype(np.float32)),
            f"int16 {rate}": (rate, integers),
            f"int32 {rate}": (rate, integers.astype(np.int32) << 16),
            f"(n, 2) {rate}": (rate, np.stack([sound, sound], axis=1)),
            f"(2, n) {rate}": (rate, np.stack([sound, sound])),
            f"(2, n) int16 {rate}": (rate, np.stack([integers, integers])),
            f"(n, 1) {rate}": (rate, sound[:, np.newaxis]),
        }
    labels = model.predict(list(forms.values()))
    shares = model.predict_proba(list(forms.values()))
    for name, label, share in zip(forms, labels, shares, strict=True):
        assert label == labels[0], name
        np.testing.assert_allclose(share, shares[0], atol=1e-3, err_msg=name)
    assert 0.02 < shares[0, 0] < 0.98
    # It does hear a difference.
    assert abs(model.predict_proba([(22050, voice(pitch + 60, 22050))])[0, 0] - shares[0, 0]) > 0.01


@pytest.mark.parametrize("shape", [(22050,), (22050, 2), (2, 22050), (22050, 1)])
@pytest.mark.parametrize("dtype", [np.int16, np.int32, np.float32, np.float64])
def test_without_its_rate_a_waveform_is_refused(model, shape, dtype):
    with pytest.raises(MediaError, match=r"row 0: .*sample rate, found one without.*source_rate"):
        model.predict([np.ones(shape, dtype=dtype)])


def test_a_rate_for_all():
    sound = voice(150, 48000)
    told = AudioLoader(16000, source_rate=48000).transform([sound, sound.astype(np.float32)])
    asked = AudioLoader(16000).transform([(48000, sound)])
    np.testing.assert_array_equal(told[0], asked[0])
    np.testing.assert_allclose(told[1], asked[0], atol=1e-6)
    # A pair's own rate counts before the rate for all.
    own = AudioLoader(16000, source_rate=22050).transform([(48000, sound)])
    np.testing.assert_array_equal(own[0], asked[0])


@pytest.mark.parametrize(
    ("clip", "found"),
    [
        ((22050, np.zeros((50, 20))), r"found \(50, 20\), whose axes cannot be distinguished"),
        ((22050, np.zeros((5, 5))), r"found \(5, 5\), whose axes cannot be distinguished"),
        ((22050, np.zeros((90, 2, 2))), r"found \(90, 2, 2\), whose axes"),
        ((22050, np.zeros(50, dtype=np.int64)), "found int64, whose scale is unknown"),
        ((22050, np.zeros(0)), "without a sample"),
        ((22050, np.array([0, np.inf])), "found 1 of 2 that are NaN, infinite"),
        ((5, np.zeros(50)), "sample_rates.*found 5 Hz"),
        ((22050.5, np.zeros(50)), "sample_rates.*found 22050.5 Hz"),
        ((-1, np.zeros(50)), "sample_rates.*found -1 Hz"),
    ],
)
def test_what_cannot_be_told_is_refused_by_name(clip, found):
    with pytest.raises(MediaError, match=rf"row 1: <array of shape .*{found}"):
        AudioLoader().transform([(22050, np.zeros(50)), clip])


def test_scales():
    full = {np.int16: 2**15, np.int32: 2**31}
    for dtype, scale in full.items():
        (got,) = AudioLoader().transform([(22050, np.array([-scale, scale // 2], dtype=dtype))])
        assert got.tolist() == [-1, 0.5]
    assert AudioLoader().transform([(22050, np.array([0, 192], np.uint8))])[0].tolist() == [-1, 0.5]


@pytest.mark.parametrize("stage", [AudioFeatures, AudioAugmenter])
@pytest.mark.parametrize("method", ["fit", "transform", "fit_transform"])
def test_stages_that_disagree_about_the_rate_are_refused(stage, method):
    steps = [("load", AudioLoader(16000)), ("other", stage())]
    with pytest.raises(ValueError, match="'load' gives 16,000 Hz, 'other' expects 22,050 Hz"):
        getattr(ClipPipeline(steps), method)([(16000, np.zeros(500))])
    agreed = ClipPipeline(steps).set_params(other__sample_rate=16000)
    assert len(agreed.fit_transform([(16000, np.zeros(500))])) == 1
