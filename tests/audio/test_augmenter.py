import librosa
import numpy as np
import pytest
from helpers import speech
from hypothesis import given, settings
from hypothesis import strategies as st

from skemotion.audio import AudioAugmenter, augment

RATE = 22050
NAMES = ["noise", "pitch+4", "pitch-6", "pitch+3", "speed1.5", "speed2", "speed0.8", "speed0.5"]


def chirp(seconds=1.0, silence=0.2):
    t = np.arange(int(seconds * RATE)) / RATE
    voice = 0.3 * np.sin(2 * np.pi * (200 * t + 900 * t**2)) * (1 + np.sin(40 * t))
    return np.concatenate([np.zeros(int(silence * RATE)), voice]).astype(np.float32)


def librosas(y):
    # In double precision: in single precision, librosa's phases are off by up to 0.1 radians.
    y = y.astype(np.float64)
    yield from (librosa.effects.pitch_shift(y, sr=RATE, n_steps=n) for n in (4, -6, 3))
    yield from (librosa.effects.time_stretch(y, rate=r) for r in (1.5, 2.0, 0.8, 0.5))


def assert_like_librosa(y):
    for ours, theirs in zip(augment(y, noise=None), librosas(y), strict=True):
        assert ours.dtype == y.dtype
        assert ours.shape == theirs.shape
        assert np.abs(ours - theirs).max() < 1e-6 * np.abs(y).max()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_pitch_and_speed_equal_librosas(dtype):
    assert_like_librosa(chirp().astype(dtype))


def test_pitch_and_speed_equal_librosas_on_speech(shared_data):
    for y in speech(shared_data, 3):
        assert_like_librosa(y)


def test_pitch_moves_by_semitones_and_keeps_the_length():
    tone = np.sin(2 * np.pi * 440 * np.arange(RATE) / RATE)
    (shifted,) = augment(tone, noise=None, pitch_steps=(3,), speed_rates=())
    spectrum = np.abs(np.fft.rfft(shifted * np.hanning(RATE)))
    assert len(shifted) == RATE
    assert abs(spectrum.argmax() - 440 * 2 ** (3 / 12)) < 2


def test_variants_are_columns_in_order():
    clips = [chirp(0.5), chirp(0.3)]
    augmenter = AudioAugmenter(time_shifts=(0.25, -0.1), include_original=True).fit(clips)
    table = augmenter.transform(clips)
    assert table.dtype == object
    assert table.shape == (2, 11)
    assert list(augmenter.get_feature_names_out()) == [
        "original",
        *NAMES,
        "shift+0.25",
        "shift-0.1",
    ]
    for row, clip in zip(table, clips, strict=True):
        n = len(clip)
        np.testing.assert_array_equal(row[0], clip)
        lengths = [n, n, n, n, *(round(n / rate) for rate in (1.5, 2.0, 0.8, 0.5)), n, n]
        assert [len(variant) for variant in row[1:]] == lengths
        np.testing.assert_array_equal(row[9], np.roll(clip, round(0.25 * RATE)))
        np.testing.assert_array_equal(row[10], np.roll(clip, -round(0.1 * RATE)))


@settings(deadline=None, max_examples=25)
@given(n=st.integers(1, 300), seconds=st.floats(-3, 3), rate=st.integers(1, 200))
def test_shifts_are_circular_and_undone_by_their_opposites(n, seconds, rate):
    clip = np.arange(float(n))
    (shifted,) = augment(clip, None, (), (), time_shifts=(seconds,), sample_rate=rate)
    assert shifted[round(seconds * rate) % n] == 0
    (back,) = augment(shifted, None, (), (), time_shifts=(-seconds,), sample_rate=rate)
    np.testing.assert_array_equal(back, clip)


def test_noise_is_white_and_of_the_given_size():
    (noisy,) = augment(np.zeros(100_000), 0.005, (), ())
    assert abs(noisy.std() / 0.005 - 1) < 0.02
    assert abs(noisy.mean()) < 1e-4
    assert abs(np.corrcoef(noisy[1:], noisy[:-1])[0, 1]) < 0.02


@settings(deadline=None, max_examples=25)
@given(
    clips=st.lists(
        st.lists(st.floats(-1, 1, width=32), min_size=1, max_size=20), min_size=1, max_size=5
    ),
    random=st.randoms(use_true_random=False),
)
def test_same_clip_same_noise(clips, random):
    augmenter = AudioAugmenter(pitch_steps=(), speed_rates=())
    clips = [np.array(clip, dtype=np.float32) for clip in clips]
    together = [row[0] for row in augmenter.transform(clips)]
    order = random.sample(range(len(clips)), len(clips))
    shuffled = augmenter.transform([clips[i] for i in order])[:, 0]
    for place, i in enumerate(order):
        np.testing.assert_array_equal(shuffled[place], together[i])
        np.testing.assert_array_equal(augmenter.fit_transform([clips[i]])[0, 0], together[i])
        in_double = augmenter.transform([clips[i].astype(np.float64)])[0, 0]
        np.testing.assert_array_equal(in_double.astype(np.float32), together[i])


def test_other_clip_or_other_seed_other_noise():
    clip, other = np.zeros(1000), np.full(1000, 1e-3)
    noise = augment(clip)[0]
    for unlike in (augment(other)[0] - other, augment(clip, random_state=1)[0]):
        assert abs(np.corrcoef(noise, unlike)[0, 1]) < 0.2


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_rows_and_channels_are_waveforms(dtype):
    X = np.stack([chirp(0.2, 0), chirp(0.2, 0)[::-1]]).astype(dtype)
    augmenter = AudioAugmenter(time_shifts=(0.1,)).fit(X)
    rows = augmenter.transform(X)
    assert rows.dtype == dtype
    for row, variants in zip(rows, augmenter.transform(list(X)), strict=True):
        np.testing.assert_array_equal(row, np.concatenate(variants))
    names = augmenter.get_feature_names_out()
    assert len(set(names)) == rows.shape[1]
    assert names[X.shape[1]] == "pitch+4_sample00000"
    channels = AudioAugmenter(time_shifts=(0.1,)).fit_transform(np.stack([X, 2 * X], axis=2))
    np.testing.assert_array_equal(channels[:, :, 0], rows)
    assert channels.shape == (*rows.shape, 2)


@settings(deadline=None, max_examples=30)
@given(n=st.integers(1, 3000), level=st.sampled_from([0.0, 1e-30, 0.5]))
def test_short_silent_and_constant_waveforms(n, level):
    clip = np.full(n, level, dtype=np.float32)
    variants = AudioAugmenter(time_shifts=(0.3,)).transform([clip])[0]
    lengths = [n] * 4 + [max(round(n / rate), 1) for rate in (1.5, 2.0, 0.8, 0.5)] + [n]
    assert [len(variant) for variant in variants] == lengths
    assert all(np.isfinite(variant).all() for variant in variants)


def test_names_follow_the_variants_down_a_pipeline():
    augmenter = AudioAugmenter(pitch_steps=(0.5,), speed_rates=()).fit([np.zeros(10)])
    assert list(augmenter.get_feature_names_out(["audio"])) == ["noise", "pitch+0.5"]


def test_objects_are_never_framed():
    augmenter = AudioAugmenter().set_output(transform="pandas")
    assert isinstance(augmenter.fit_transform([np.zeros(100)]), np.ndarray)
    assert augmenter.fit_transform(np.zeros((2, 3))).shape[1] == len(
        augmenter.get_feature_names_out()
    )


@pytest.mark.parametrize(
    ("bad", "found"),
    [
        (np.array([0.0, np.nan]), "NaN or infinity in row 1"),
        (np.zeros((5, 2)), r"shape \(5, 2\) and type float64 in row 1"),
        (np.zeros(0), r"shape \(0,\) and type float64 in row 1"),
        ("a.wav", "'a.wav' in row 1"),
    ],
)
def test_says_which_row_is_no_waveform(bad, found):
    with pytest.raises(ValueError, match=f"such as AudioLoader makes; found .*{found}"):
        AudioAugmenter().transform([np.zeros(5), bad])


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"speed_rates": (0,)}, "speed_rates must be numbers between 0 and inf"),
        ({"time_shifts": (np.inf,)}, "time_shifts must be numbers between -inf and inf"),
        ({"pitch_steps": ("4",)}, "pitch_steps must be numbers"),
        ({"noise": None, "pitch_steps": (), "speed_rates": ()}, "no variant to make"),
        ({"random_state": None}, "random_state"),
        ({"sample_rate": 0}, "sample_rate"),
    ],
)
def test_refuses_parameters(parameters, message):
    augmenter = AudioAugmenter(**parameters)
    for method in (augmenter.fit, augmenter.transform):
        with pytest.raises(ValueError, match=message):
            method([np.zeros(5)])


def test_takes_one_column():
    table = AudioAugmenter().transform([np.zeros(50)])
    with pytest.raises(ValueError, match="one column of waveforms, got 8"):
        AudioAugmenter().fit(table)
