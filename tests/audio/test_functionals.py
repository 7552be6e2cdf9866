import io
import zipfile

import numpy as np
import pytest
import scipy.signal
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from references import functionals as plain

from skemotion.audio import SpeechFunctionals, functional_names, speech_functionals
from skemotion.audio._speech_descriptors import describe_speech
from skemotion.audio._speech_formants import resonances
from skemotion.audio._speech_functionals import BLOCKS

RATE = 16000
WIDTHS = {
    "mfcc": 960,
    "mel": 1480,
    "prosody": 89,
    "formants": 148,
    "spectrum": 814,
    "modulation": 147,
    "timing": 14,
    "contour": 532,
    "thirds": 156,
}


def vowel(pitch, formants, bandwidth=80.0):
    """A train of pulses, one a period, through resonances."""
    sound = np.diff(np.floor(np.cumsum(pitch / RATE)), prepend=0)
    for formant in formants:
        radius = np.exp(-np.pi * bandwidth / RATE)
        a = [1, -2 * radius * np.cos(2 * np.pi * formant / RATE), radius**2]
        sound = scipy.signal.lfilter([sum(a)], a, sound)
    return sound


def speech(seconds=1.5, seed=0):
    """Vowels with breath, pauses, and silence at both ends."""
    rng = np.random.default_rng(seed)
    t = np.arange(int(seconds * RATE)) / RATE
    pitch = rng.uniform(90, 280) * (1 + 0.2 * np.sin(2 * np.pi * rng.uniform(0.3, 2) * t))
    sound = vowel(pitch, rng.uniform((300, 900, 2200, 3300), (800, 2000, 3000, 4000)))
    loudness = np.clip(np.sin(2 * np.pi * rng.uniform(1, 3) * t), 0, None)
    breath = rng.standard_normal(len(t))
    sound = loudness * (sound / np.abs(sound).max() + 0.01 * breath) + 1e-4 * breath
    return 0.3 * np.pad(sound, 3000)


def assert_equal_to_plain(waveform, ours=None, atol=1e-8, **parameters):
    expected = plain.functionals(waveform, **parameters)
    if ours is None:
        ours = speech_functionals(waveform, **parameters)
    difference = np.abs(ours - expected) / (1 + np.abs(expected))
    worst = difference.argmax()
    assert difference[worst] <= atol, (functional_names()[worst], ours[worst], expected[worst])


@pytest.mark.parametrize("seed", range(4))
def test_equal_the_plain_way_on_speech(seed):
    # A roll-off or the choice between two pitches may tip over at a tie: there are none in these.
    assert_equal_to_plain(speech(seed=seed))
    assert_equal_to_plain(speech(seed=seed), trim=None)


@pytest.mark.parametrize("trim", [60.0, 6.0])
def test_equal_the_plain_way_at_any_level_of_trimming(trim):
    assert_equal_to_plain(speech(0.7, seed=9), trim=trim)


def test_equal_the_plain_way_on_recordings(shared_data):
    with zipfile.ZipFile(shared_data / "ravdess" / "Audio_Speech_Actors_01-12.zip") as archive:
        names = sorted(name for name in archive.namelist() if name.endswith(".wav"))
        for name in names[::103]:
            samples, rate = soundfile.read(io.BytesIO(archive.read(name)), always_2d=True)
            loaded = samples.mean(axis=1)
            at_16_khz = scipy.signal.resample_poly(loaded, RATE, rate)
            assert_equal_to_plain(at_16_khz)
            assert_equal_to_plain(at_16_khz, speech_functionals(loaded, sample_rate=rate))
            # The plain way keeps single precision, of which the faintest bins feel the rounding.
            single = at_16_khz.astype(np.float32)
            assert_equal_to_plain(single, atol=2e-3)
            assert_equal_to_plain(single.astype(float), speech_functionals(single))


@pytest.mark.parametrize("n_samples", [1, 2, 100, 159, 160, 161, 400, 512, 640, 1000, 1700, 2500])
def test_short_clips_equal_the_plain_way(n_samples):
    # Deviations of few equal values are rounding errors, which the scores divide by.
    assert_equal_to_plain(speech()[8000:][:n_samples], atol=1e-5)


@pytest.mark.parametrize("n_samples", [1, 1600, 20_000])
@pytest.mark.parametrize("value", [0.0, 0.25])
def test_silence_equals_the_plain_way(n_samples, value):
    assert_equal_to_plain(np.full(n_samples, value), atol=1e-5)


def test_long_clips_equal_the_plain_way():
    # Longer than the modulation spectrum, with silence in it.
    clip = np.concatenate([speech(2, seed=1), np.zeros(RATE), speech(2, seed=2)])
    assert_equal_to_plain(clip)


samples = st.one_of(
    st.floats(-1, 1),
    st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from([0.0, 1e-310, -1e-12, 1.0, -1.0, 32767.0, 1e38, -1.7e308]),
)
waveforms = st.one_of(
    hnp.arrays(np.float64, st.integers(1, 1200), elements=samples, fill=samples),
    hnp.arrays(np.float32, st.integers(1, 5000), elements=st.floats(-1, 1, width=32)),
    st.builds(
        lambda n, period, scale: scale * np.sign(np.sin(2 * np.pi * np.arange(n) / period)),
        st.integers(1, 9000),
        st.floats(2, 400),
        st.sampled_from([1e-300, 1e-9, 1e-4, 1.0, 1e5, 1e20, 1e308]),
    ),
)


@settings(deadline=None, max_examples=150)
@given(waveforms, st.sampled_from([None, 0.1, 30.0, 200.0]))
def test_any_waveform_gives_finite_numbers(waveform, trim):
    result = speech_functionals(waveform, trim=trim)
    assert result.shape == (4340,)
    assert result.dtype == np.float64
    assert np.isfinite(result).all()


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 99), st.integers(0, 40), st.integers(0, 9999))
def test_silence_at_the_ends_is_trimmed(seed, hops_before, after):
    # In whole numbers of 2^-15, as 16 bits have them, of which the mean can be exactly 0.
    clip = np.pad(np.round(speech(0.4, seed) * 2**15), 640)
    clip = np.concatenate([clip, -clip]) / 2**15
    padded = np.pad(clip, (128 * hops_before, after))
    np.testing.assert_array_equal(speech_functionals(padded), speech_functionals(clip))
    assert "n-frames" in functional_names(("timing",))
    kept = speech_functionals(padded, ("timing",), trim=None)[0]
    assert kept == 1 + len(padded) // 160
    assert kept > speech_functionals(padded, ("timing",))[0]


def test_a_constant_offset_does_not_matter():
    clip = speech()
    np.testing.assert_allclose(
        speech_functionals(clip + 0.5), speech_functionals(clip), rtol=1e-6, atol=1e-6
    )


def test_blocks_are_parts_of_the_whole():
    clip, names = speech(0.5), functional_names()
    assert WIDTHS.keys() == set(BLOCKS)
    assert len(set(names)) == len(names) == sum(WIDTHS.values()) == 4340
    whole = dict(zip(names, speech_functionals(clip), strict=True))
    for blocks in [*((block,) for block in BLOCKS), BLOCKS[::-1], ["timing", "mfcc"]]:
        names, part = functional_names(blocks), speech_functionals(clip, blocks)
        assert len(part) == sum(WIDTHS[block] for block in blocks)
        assert part.tolist() == [whole[name] for name in names]


def test_names_say_what_the_numbers_are():
    clip = speech(1.2, seed=5)
    row = dict(zip(functional_names(), speech_functionals(clip, trim=None), strict=True))
    described = plain.describe(clip - clip.mean())
    voiced, energy = described.voiced, described.spectrum[:, 1]
    active = energy > np.percentile(energy, 95) - 8
    expected = {
        "mfcc03_mean_voiced": described.mfcc[voiced, 3].mean(),
        "mfcc03-delta_p25_active": np.percentile(plain.delta(described.mfcc)[active, 3], 25),
        "mel11_iqr_active": np.subtract(*np.percentile(described.mel[active, 11], [75, 25])),
        "pitch_range_voiced": np.subtract(*np.percentile(described.prosody[voiced, 0], [95, 5])),
        "f2_std_voiced": described.formants[voiced, 1].std(),
        "f1-bandwidth_mean_voiced": described.formants[voiced, 4].mean(),
        "zcr_mean_active": described.spectrum[active, 20].mean(),
        "energy_mean_third1": energy[: -(-len(energy) // 3)].mean(),
        "voiced-share": voiced.mean(),
        "loudest-at": described.spectrum[:, 0].argmax() / len(energy),
    }
    for name, value in expected.items():
        assert row[name] == pytest.approx(value, abs=0.03 if name == "loudest-at" else 1e-6), name
    assert row["mel04+05_contour00"] == pytest.approx(described.mel[:, 4:6].mean(), rel=0.02)
    assert "mel38+39_modulation32-50Hz" in row
    assert "modulation2-4Hz" in row


def test_pitch_and_formants_of_a_vowel_are_found():
    formants = (700, 1220, 2600, 3400)
    described = describe_speech(vowel(np.full(RATE, 120.0), formants))
    assert described.voiced[4:-4].all()
    pitch, hnr = described.prosody[:2, 4:-4]
    np.testing.assert_allclose(55 * 2 ** (pitch / 12), 120, rtol=5e-3)
    assert (hnr > 15).all()
    np.testing.assert_allclose(np.median(described.formants[:4], axis=1), formants, rtol=0.05)
    assert not describe_speech(np.random.default_rng(0).standard_normal(RATE)).voiced.any()


def test_a_tone_that_rises_and_falls_silent():
    t = np.arange(RATE) / RATE
    pitch = 110 * 2**t
    tone = sum(np.sin(2 * np.pi * k * np.cumsum(pitch) / RATE) / k for k in range(1, 20))
    row = speech_functionals(np.r_[tone, np.zeros(RATE // 2)], ("prosody", "timing"), trim=None)
    row = dict(zip(functional_names(("prosody", "timing")), row, strict=True))
    assert row["pitch_p50_voiced"] == pytest.approx(12 + 6, abs=0.1)
    assert row["pitch_range_voiced"] == pytest.approx(12 * 0.9, abs=0.2)
    assert row["pitch-delta_p50_voiced"] == pytest.approx(12 / 100, abs=0.01)
    assert row["voiced-share"] == pytest.approx(2 / 3, abs=0.03)
    assert row["voices-per-frame"] * row["n-frames"] == pytest.approx(1)
    assert row["pause-share"] == pytest.approx(1 / 3, abs=0.03)


def test_resonances_are_the_roots_numpy_finds():
    rng = np.random.default_rng(0)
    pairs = rng.uniform(0.7, 0.99, (200, 5)) * np.exp(1j * rng.uniform(0, np.pi, (200, 5)))
    roots = np.concatenate([pairs, pairs.conj(), rng.uniform(-0.9, 0.9, (200, 2))], axis=1)
    roots[0] = 0.9 * np.exp(0.5j)  # all coincide, or
    roots[0, ::2] = roots[0, 0].conj()  # six of them
    roots[1] = 0
    polynomials = np.array([np.poly(each).real for each in roots])
    frequencies, bandwidths = resonances(polynomials)
    for i, polynomial in enumerate(polynomials[2:], start=2):
        found = np.roots(polynomial)
        frequency = np.angle(found) * 11000 / 2 / np.pi
        bandwidth = -np.log(np.abs(found)) * 11000 / np.pi
        formant = (frequency > 150) & (frequency < 5000) & (bandwidth < 700)
        expected = np.sort(frequency[formant])[:4]
        np.testing.assert_allclose(frequencies[i, : len(expected)], expected, rtol=1e-6)
        assert np.isnan(frequencies[i, len(expected) :]).all()
    np.testing.assert_allclose(frequencies[0], 0.5 * 11000 / 2 / np.pi, rtol=0.3)
    assert np.isnan(frequencies[1]).all()
    np.testing.assert_array_equal(np.isnan(frequencies), np.isnan(bandwidths))


@pytest.mark.parametrize("sample_rate", [8000, 22050, 44100])
def test_other_rates_are_resampled(sample_rate):
    clip = speech(0.5)
    other = scipy.signal.resample_poly(clip, sample_rate, RATE)
    ours, expected = (
        dict(zip(functional_names(), row, strict=True))
        for row in (speech_functionals(other, sample_rate=sample_rate), speech_functionals(clip))
    )
    for name in ("pitch_p50_voiced", "mel10_mean_active", "f1_p50_voiced", "n-frames"):
        assert ours[name] == pytest.approx(expected[name], rel=0.03), name


@pytest.mark.parametrize(
    ("waveform", "blocks", "message"),
    [
        (np.zeros(0), BLOCKS, r"one sample or more.*\(0,\)"),
        (np.zeros((2, 9)), BLOCKS, r"\(n_samples,\).*\(2, 9\)"),
        (np.array([0, np.nan]), BLOCKS, "NaN or infinity"),
        (np.zeros(9), (), "blocks must be some of mfcc, mel"),
        (np.zeros(9), ("mfcc", "chroma"), "got .*chroma"),
        (np.zeros(9), ("mfcc", "mfcc"), "each once"),
    ],
)
def test_wrong_input_is_named(waveform, blocks, message):
    with pytest.raises(ValueError, match=message):
        speech_functionals(waveform, blocks)


def test_stage_describes_columns_and_tables_of_waveforms():
    clips = [speech(0.4, seed).astype(dtype) for seed, dtype in enumerate((np.float32, float))]
    stage = SpeechFunctionals(("timing", "prosody"), sample_rate=22050, trim=None)
    expected = [speech_functionals(clip, **stage.get_params()) for clip in clips]
    np.testing.assert_allclose(stage.transform(clips), expected, rtol=1e-6)
    assert stage.transform(clips[:1]).dtype == np.float32
    names = functional_names(stage.blocks)
    assert stage.fit(clips).get_feature_names_out().tolist() == names

    table = np.empty((2, 2), dtype=object)
    table[:, 0], table[:, 1] = clips, clips[::-1]
    result = stage.fit_transform(table)
    np.testing.assert_allclose(result, np.hstack([expected, expected[::-1]]), rtol=1e-6)
    variants = stage.get_feature_names_out(["original", "pitch+4"])
    assert variants[0] == "n-frames_original"
    assert variants[len(names)] == "n-frames_pitch+4"
    assert len(variants) == result.shape[1]


def test_stage_describes_arrays_and_their_channels():
    stage = SpeechFunctionals(("timing",))
    sounds = np.random.default_rng(0).standard_normal((3, 2000, 2))
    result = stage.fit_transform(sounds)
    assert result.shape == (3, 14, 2)
    np.testing.assert_array_equal(result[1, :, 1], speech_functionals(sounds[1, :, 1], ("timing",)))
    assert list(stage.get_feature_names_out()[:3]) == [
        "n-frames_channel0", "n-frames_channel1", "log-n-frames_channel0"
    ]  # fmt: skip
    assert len(stage.get_feature_names_out()) == 28
    framed = stage.set_output(transform="pandas").fit_transform(sounds[:, :, 0])
    assert framed.columns.tolist() == functional_names(("timing",))


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"blocks": ("mfcc", "chroma")}, "blocks must be some of mfcc, mel.*chroma"),
        ({"blocks": "mfcc"}, "'blocks'.*'mfcc'"),
        ({"sample_rate": 16}, "'sample_rate'.*1000"),
        ({"trim": 0}, "'trim'"),
    ],
)
def test_stage_refuses_wrong_parameters(parameters, message):
    with pytest.raises(ValueError, match=message):
        SpeechFunctionals(**parameters).fit_transform([np.zeros(5)])
