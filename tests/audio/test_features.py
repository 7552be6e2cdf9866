import re
from concurrent.futures import ThreadPoolExecutor
from itertools import chain

import librosa
import numpy as np
import pytest
from helpers import speech
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.pipeline import make_pipeline

from skemotion.audio import AudioAugmenter, AudioFeatures, audio_features, augment
from skemotion.audio._descriptors import derivative, estimate_tuning
from skemotion.audio._pitch import track_pitch
from skemotion.audio._spectrum import magnitude_spectrum
from skemotion.decomposition import BSplineProjector, bspline_project

WIDTHS = {
    "mfcc": 13,
    "zcr": 1,
    "rms": 1,
    "chroma": 12,
    "contrast": 7,
    "mel": 128,
    "centroid": 1,
    "rolloff": 1,
    "bandwidth": 1,
    "flatness": 1,
    "f0": 1,
    "voicing": 1,
}
ALL = tuple(WIDTHS)


def voice(n=20_000, seed=0):
    rng = np.random.default_rng(seed)
    t = np.arange(n) / 22050
    harmonics = sum(np.sin(2 * np.pi * k * 173 * t * (1 + 0.1 * t)) / k for k in range(1, 30))
    loudness = np.clip(np.sin(5 * t), 0, None)
    return (0.1 * loudness * harmonics + 1e-4 * rng.standard_normal(n)).astype(np.float32)


def librosas(y, sr=22050, frame_length=2048, hop_length=512):
    of, frame = librosa.feature, {"n_fft": frame_length, "hop_length": hop_length}
    in_time = {"frame_length": frame_length, "hop_length": hop_length}
    return {
        "mfcc": of.mfcc(y=y, sr=sr, n_mfcc=13, **frame),
        "zcr": of.zero_crossing_rate(y, **in_time),
        "rms": of.rms(y=y, **in_time),
        "chroma": of.chroma_stft(y=y, sr=sr, **frame),
        "contrast": of.spectral_contrast(y=y, sr=sr, **frame),
        "mel": of.melspectrogram(y=y, sr=sr, **frame),
        "centroid": of.spectral_centroid(y=y, sr=sr, **frame),
        "rolloff": of.spectral_rolloff(y=y, sr=sr, **frame),
        "bandwidth": of.spectral_bandwidth(y=y, sr=sr, **frame),
        "flatness": of.spectral_flatness(y=y, **frame),
    }


def librosas_pitch(y, sr=22050, **rates):
    # In double precision: in single precision, a tie between two pitches may go the other way.
    y = y.astype(np.float64)
    f0, _, voicing = librosa.pyin(y, sr=sr, fmin=55, fmax=1000, fill_na=0.0, **rates)
    return {"f0": f0[np.newaxis], "voicing": voicing[np.newaxis]}


def assert_like_librosa(y, sample_rate=22050, frame_length=2048, hop_length=512, pitch=True):
    # Sums in another order leave float32 rounding; a roll-off at a tie may move by a bin. Flatness
    # follows the faintest bins, of which librosa's transform in single precision keeps few digits.
    tolerance = {
        "mfcc": {"atol": 1e-3, "rtol": 1e-5},
        "zcr": {"atol": 0, "rtol": 1e-7},
        "rms": {"atol": 1e-8, "rtol": 1e-5},
        "chroma": {"atol": 1e-5, "rtol": 0},
        "contrast": {"atol": 1e-4, "rtol": 0},
        "mel": {"atol": 1e-12, "rtol": 1e-5},
        "centroid": {"atol": 0, "rtol": 1e-5},
        "rolloff": {"atol": 1.01 * sample_rate / frame_length, "rtol": 0},
        "bandwidth": {"atol": 0, "rtol": 1e-5},
        "flatness": {"atol": 0, "rtol": 1e-6 if y.dtype == np.float64 else 5e-4},
        "f0": {"atol": 0, "rtol": 1e-6},
        "voicing": {"atol": 1e-6, "rtol": 0},
    }
    rates = {"frame_length": frame_length, "hop_length": hop_length}
    ours = audio_features(y, ALL if pitch else ALL[:-2], sample_rate=sample_rate, **rates)
    assert ours.dtype == y.dtype
    column = 0
    expected = librosas(y, sample_rate, **rates)
    if pitch:
        expected |= librosas_pitch(y, sample_rate, **rates)
    for name, values in expected.items():
        part = ours[:, column : column + WIDTHS[name]]
        assert part.shape == values.T.shape
        # librosa's tuning takes an odd frame to have the even length before it.
        if name != "chroma" or frame_length % 2 == 0:
            np.testing.assert_allclose(part, values.T, err_msg=name, **tolerance[name])
        column += WIDTHS[name]
    assert column == ours.shape[1]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_features_equal_librosas(dtype):
    for y in (voice(), np.random.default_rng(0).standard_normal(9999)):
        assert_like_librosa(y.astype(dtype))


@pytest.mark.parametrize(
    ("sample_rate", "frame_length", "hop_length"),
    [(16000, 1024, 256), (44100, 4096, 1000), (48000, 2049, 512), (22050, 2048, 2500)],
)
def test_features_equal_librosas_at_other_rates(sample_rate, frame_length, hop_length):
    assert_like_librosa(voice(), sample_rate, frame_length, hop_length)


def test_features_equal_librosas_on_speech_and_its_variants(shared_data):
    for y in speech(shared_data, 3):
        assert_like_librosa(y)
        for variant in augment(y):
            # librosa's pitch would take most of the time.
            assert_like_librosa(variant, pitch=False)


@pytest.mark.parametrize("cents", [-40, -13, 0, 27, 49])
def test_tuning_equals_librosas(cents):
    t = np.arange(22050) / 22050
    y = sum(np.sin(2 * np.pi * f * 2 ** (cents / 1200) * t) for f in (220, 440, 1760, 2637.02))
    power = magnitude_spectrum(y.astype(np.float32), 2048, 512) ** 2
    tuning = estimate_tuning(power, 22050, 2048)
    assert tuning == librosa.estimate_tuning(S=power, sr=22050)
    assert abs(tuning - cents / 100) < 0.06


def test_clips_share_no_memory_within_a_thread_or_between_threads():
    """Spectra live in memory that is used again for the next clip."""
    rng = np.random.default_rng(0)
    waveforms = [rng.normal(size=n).astype(np.float32) for n in (9000, 30_000, 400, 20_000) * 6]
    features = ("mfcc", "contrast", "chroma", "mel", "centroid", "f0")
    alone = [audio_features(y.copy(), features) for y in waveforms]
    variants = [augment(y)[1:] for y in waveforms[:8]]
    with ThreadPoolExecutor(4) as threads:
        together = list(threads.map(lambda y: audio_features(y, features), waveforms))
        more = list(threads.map(lambda y: augment(y)[1:], waveforms[:8]))
    for a, b in zip([*alone, *chain(*variants)], [*together, *chain(*more)], strict=True):
        np.testing.assert_array_equal(a, b)


def test_pitch_is_found_and_silence_has_none():
    t = np.arange(22050) / 22050
    tone = sum(np.sin(2 * np.pi * 220 * k * t) / k for k in range(1, 8))
    f0, voicing = audio_features(np.r_[np.zeros(22050), tone], ("f0", "voicing")).T
    np.testing.assert_array_equal(f0[:40], 0)
    np.testing.assert_array_equal(voicing[:40], 0)
    # Pitches are a tenth of a semitone apart.
    np.testing.assert_allclose(f0[46:-2], 220, rtol=0.003)
    assert (voicing[46:-2] > 0.9).all()


@pytest.mark.parametrize("hop_length", [16, 2500])
def test_pitch_equals_librosas_between_close_and_distant_frames(hop_length):
    # So close that no step is in reach; so distant that every one is.
    y = voice(8000)[-4000:].astype(np.float64)
    rates = {"frame_length": 1024, "hop_length": hop_length}
    expected = librosas_pitch(y, **rates)["f0"].T
    np.testing.assert_allclose(audio_features(y, ("f0",), **rates), expected, rtol=1e-12)


def test_pitch_leaps_where_nothing_else_is_possible():
    probabilities = np.zeros((10, 503))
    probabilities[:5, 100] = probabilities[5:, 400] = 1
    f0 = track_pitch(probabilities, np.ones((1, 10)), 22050, 64)
    np.testing.assert_allclose(f0[0], 55 * 2 ** (np.repeat([100, 400], 5) / 120))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_derivatives_equal_librosas(dtype):
    y = voice().astype(dtype)
    features = ("mfcc", "rms", "f0")
    plain, first, second = np.split(audio_features(y, features, deltas=2), 3, axis=1)
    np.testing.assert_array_equal(plain, audio_features(y, features))
    for order, ours in ((1, first), (2, second)):
        expected = librosa.feature.delta(plain.T.astype(np.float64), order=order).T
        largest = np.abs(expected).max(axis=0)
        np.testing.assert_allclose(ours / largest, expected / largest, atol=1e-5)
    names = list(AudioFeatures(features, deltas=2).fit([y]).get_feature_names_out())
    assert len(set(names)) == 45
    assert [names[i] for i in (3, 18, 44)] == ["mfcc03", "mfcc03-delta", "f0-delta2"]


@settings(deadline=None, max_examples=30)
@given(n_frames=st.integers(1, 12), order=st.integers(1, 8), seed=st.integers(0, 99))
def test_derivatives_of_polynomials_are_exact_in_clips_of_any_length(n_frames, order, seed):
    polynomial = np.polynomial.Polynomial(np.random.default_rng(seed).standard_normal(order + 1))
    curve = polynomial(np.arange(n_frames))[np.newaxis]
    expected = polynomial.deriv(order)(np.arange(n_frames)) * (n_frames > order)
    ours = derivative(curve, order)
    assert ours.shape == curve.shape
    np.testing.assert_allclose(ours[0], expected, atol=1e-9 * np.abs(curve).max() + 1e-9)


def test_default_is_the_reference_s_34_features():
    assert audio_features(voice()).shape == (40, 34)
    names = AudioFeatures().fit([voice()]).get_feature_names_out()
    assert list(names[11:16]) == ["mfcc11", "mfcc12", "zcr", "rms", "chroma00"]
    assert names[-1] == "contrast6"


def test_features_come_in_the_order_asked_for():
    y = voice()
    swapped = audio_features(y, ("rolloff", "mfcc"), n_mfcc=5)
    np.testing.assert_array_equal(swapped[:, 1:], audio_features(y, ("mfcc",), n_mfcc=5))
    np.testing.assert_array_equal(swapped[:, :1], audio_features(y, ("rolloff",)))


@settings(deadline=None, max_examples=15)
@given(lengths=st.lists(st.integers(1, 4000), min_size=1, max_size=4), data=st.data())
def test_a_clip_s_features_do_not_depend_on_its_neighbours(lengths, data):
    clips = [voice(n, seed) for seed, n in enumerate(lengths)]
    order = data.draw(st.permutations(range(len(clips))))
    together = AudioFeatures().transform([clips[i] for i in order])
    for place, i in enumerate(order):
        alone = AudioFeatures().transform([clips[i]])
        assert together.dtype == alone.dtype == object
        np.testing.assert_array_equal(together[place], alone[0])


@settings(deadline=None, max_examples=40)
@given(
    n=st.integers(1, 5000),
    level=st.sampled_from([0.0, 1e-30, 0.5]),
    dtype=st.sampled_from([np.float32, np.float64]),
)
def test_short_silent_and_constant_waveforms(n, level, dtype):
    features = audio_features(np.full(n, level, dtype=dtype), ALL, deltas=1)
    assert features.shape == (1 + n // 512, 2 * sum(WIDTHS.values()))
    assert np.isfinite(features).all()


def test_table_of_variants():
    clips = [voice(3000), voice(2000)]
    table = AudioAugmenter().transform(clips)
    features = AudioFeatures().fit(table).transform(table)
    assert features.shape == (2, 8)
    np.testing.assert_array_equal(features[1, 5], audio_features(table[1, 5]))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_rows_and_channels_are_waveforms(dtype):
    X = np.stack([voice(3000), voice(3000, seed=1)]).astype(dtype)
    stage = AudioFeatures().fit(X)
    rows = stage.transform(X)
    assert rows.dtype == dtype
    np.testing.assert_array_equal(rows[1], audio_features(X[1]).ravel())
    names = stage.get_feature_names_out()
    assert len(set(names)) == rows.shape[1]
    assert names[34] == "mfcc00_frame00001"
    channels = AudioFeatures().fit_transform(np.stack([X, 2 * X], axis=2))
    assert channels.shape == (2, 6, 34, 2)
    np.testing.assert_array_equal(channels[0, :, :, 1], audio_features(2 * X[0]))


def test_names_compose_in_the_order_of_the_values():
    clips = [voice(6000), voice(5000)]
    chain = make_pipeline(AudioAugmenter(), AudioFeatures(), BSplineProjector()).fit(clips)
    coefficients = chain.transform(clips)
    assert coefficients.shape == (2, 14, 272)
    names = list(chain.get_feature_names_out())
    assert len(set(names)) == coefficients[0].size
    variant = augment(clips[1])[1]
    column = bspline_project(audio_features(variant))[7, 3]
    assert coefficients[1].ravel()[names.index("mfcc03_spline07_pitch+4")] == column


def test_names_without_variants():
    chain = make_pipeline(AudioFeatures(), BSplineProjector()).fit([voice(3000)])
    assert chain.get_feature_names_out()[34 + 13] == "zcr_spline01"
    table = AudioAugmenter().transform([voice(3000)])
    assert AudioFeatures().fit(table).get_feature_names_out()[34] == "mfcc00_variant1"


def test_only_tables_are_framed():
    stage = AudioFeatures(features=("rms", "zcr")).set_output(transform="pandas")
    assert isinstance(stage.fit_transform([voice(2000)]), np.ndarray)
    assert isinstance(stage.fit_transform(np.array([[voice(2000)]], dtype=object)), np.ndarray)
    frame = stage.fit_transform(voice(2000)[np.newaxis])
    assert list(frame.columns[:3]) == ["rms_frame00000", "zcr_frame00000", "rms_frame00001"]


@pytest.mark.parametrize(
    ("bad", "found"),
    [
        (np.array([0.0, np.inf]), "NaN or infinity in row 1"),
        (np.zeros((5, 2)), r"shape \(5, 2\) and type float64 in row 1"),
        (None, "None in row 1"),
    ],
)
def test_says_which_row_is_no_waveform(bad, found):
    with pytest.raises(ValueError, match=f"such as AudioLoader makes; found .*{found}"):
        AudioFeatures().transform([np.zeros(5), bad])


@pytest.mark.parametrize("features", [("rms",), ("mfcc", "contrast"), ("centroid", "flatness")])
@pytest.mark.parametrize(("dtype", "peak"), [(np.float64, 1e308), (np.float32, 3e38)])
def test_samples_whose_power_is_infinite_are_refused(features, dtype, peak):
    clips = [np.ones(3000, dtype=dtype), np.array([0.1, -peak, 0.2], dtype=dtype)]
    found = f"in row 1: expected samples of at most 1e+12, found {peak:.3g}"
    with pytest.raises(ValueError, match=re.escape(found)):
        AudioFeatures(features).transform(clips)
    loud = AudioFeatures(features).transform([clips[0] * dtype(1e12)])[0]
    assert np.isfinite(loud).all()


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"features": ("mfcc", "pitch")}, "features must be some of mfcc, zcr"),
        ({"features": ()}, "features must be some of"),
        ({"n_mfcc": 20, "n_mels": 10}, "n_mfcc=20 coefficients cannot be had from n_mels=10"),
        ({"sample_rate": 8000}, "a band at 6400 Hz, of which sample_rate=8000"),
        ({"features": ("contrast",), "frame_length": 100}, "frame_length=100 give no bins"),
        ({"features": ("f0",), "frame_length": 800}, "two periods of 55 Hz; got .*=800: raise"),
        ({"features": ("voicing",), "sample_rate": 1999}, "sample_rate of 2000 Hz or more"),
        ({"deltas": 9}, "deltas"),
    ],
)
def test_refuses_parameters(parameters, message):
    with pytest.raises(ValueError, match=message):
        AudioFeatures(**parameters).fit_transform([np.zeros(5)])


def test_features_in_time_work_with_any_frame():
    y = voice(100)
    features = audio_features(y, ("rms", "zcr"), sample_rate=100, frame_length=3, hop_length=7)
    np.testing.assert_allclose(features[1, 0], np.sqrt(np.mean(y[6:9] ** 2.0)), rtol=1e-6)
