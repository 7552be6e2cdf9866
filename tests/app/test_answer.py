import re

import numpy as np
import pandas as pd
import pytest
from helpers import encode_wav
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skemotion import MediaError
from skemotion.app import EmotionPage, answer_recording, enrol_recording
from skemotion.app._enrolment import speaker_scalers
from skemotion.app._html import answer_html, problem_html
from skemotion.app._prepare import takes_sound
from skemotion.audio import AudioLoader, SpeechFunctionals
from skemotion.pipeline import ClipPipeline, make_emotion_pipeline

RATE = 16_000


def voice(seconds, pitch, seed=0):
    """Make a buzz with noise."""
    rng = np.random.default_rng(seed)
    t = np.arange(int(seconds * RATE)) / RATE
    return 0.2 * np.sign(np.sin(2 * np.pi * pitch * t)) + 0.02 * rng.normal(size=len(t))


def save(path, samples):
    path.write_bytes(encode_wav(np.asarray(samples, dtype=np.float32), RATE))
    return str(path)


@pytest.fixture(scope="module")
def model():
    """Of sound, which knows four speakers: the angry ones are high."""
    rows = [
        (label, speaker, voice(0.6, pitch + 10 * speaker, seed))
        for speaker in range(4)
        for seed, (label, pitch) in enumerate([("angry", 220), ("sad", 110)] * 2)
    ]
    # One is labelled wrongly, so that probabilities are not all 0 and 1.
    rows[12] = ("sad", *rows[12][1:])
    labels, speakers, clips = zip(*rows, strict=True)
    X = {"audio": [(RATE, clip) for clip in clips], "speaker": list(speakers)}
    return make_emotion_pipeline("audio", speaker="speaker").fit(X, labels)


def test_the_answer_is_that_of_predict(model, tmp_path):
    clip = save(tmp_path / "a.wav", voice(1, 215))
    answer = answer_recording(model, clip)
    assert answer.label == model.predict([clip])[0] == "angry"
    expected = model.predict_proba([clip])[0]
    assert list(answer.probabilities) == model.classes_.tolist()
    np.testing.assert_allclose(list(answer.probabilities.values()), expected, atol=1e-5)
    assert answer.seconds == pytest.approx(1, abs=0.05)
    assert answer.notes == []
    assert answer.explanation.target == "angry"
    assert answer.timeline is None


def test_a_long_recording_is_answered_by_windows(model, tmp_path):
    clip = save(tmp_path / "a.wav", np.concatenate([voice(4, 220), voice(8, 110)]))
    answer = answer_recording(model, clip)
    assert answer.label == "sad"
    assert answer.timeline["label"].iloc[0] == "angry"
    assert answer.timeline["label"].iloc[-1] == "sad"
    assert answer.window[0] >= 3
    assert answer.timeline_picture.startswith(b"\x89PNG")
    html = answer_html(answer)
    assert 'data-label="sad"' in html
    assert "Over time" in html


def test_a_model_of_a_column_of_clips_is_explained_too(tmp_path):
    """Also where it is certain: then there are no log-odds."""
    clips = [(RATE, voice(0.6, pitch, seed)) for seed, pitch in enumerate([110, 220] * 3)]
    describe = ClipPipeline(
        [("load", AudioLoader(RATE)), ("describe", SpeechFunctionals(("prosody",), RATE))],
        flatten=True,
    )
    model = make_pipeline(describe, StandardScaler(), LogisticRegression())
    model.fit(clips, ["sad", "angry"] * 3)
    recording = save(tmp_path / "a.wav", voice(1, 215))
    answer = answer_recording(model, recording)
    assert answer.label == "angry"
    assert answer.explanation.probabilities["angry"] == answer.probabilities["angry"]
    assert "in log-odds: 0.7 doubles the odds." in answer_html(answer)
    model[-1].coef_ *= 10_000
    assert "decision function." in answer_html(answer_recording(model, recording))


def test_a_recording_has_no_landmarks(tmp_path):
    rng = np.random.default_rng(0)
    face = rng.uniform(100, 200, (68, 2))
    X = pd.DataFrame(
        {
            "audio": [(RATE, voice(0.6, pitch, seed)) for seed, pitch in enumerate([110, 220] * 8)],
            "landmarks": [face + rng.normal(size=(9, 68, 2)) for _ in range(16)],
        }
    )
    y = ["sad", "angry"] * 8
    both = make_emotion_pipeline("both", picture="landmarks").fit(X, y)
    answer = answer_recording(both, save(tmp_path / "a.wav", voice(1, 215)))
    assert answer.label == "angry"
    assert [note.partition(",")[0] for note in answer.notes] == [
        "This model reads faces from files of landmarks"
    ]
    alone = make_emotion_pipeline("video", picture="landmarks").fit(X, y)
    with pytest.raises(TypeError, match="landmarks' files, which a recording does not have"):
        EmotionPage(alone)


@pytest.mark.parametrize(
    ("settings", "takes"),
    [
        ({"modality": "audio"}, True),
        ({"modality": "video"}, False),
        ({"modality": "both"}, True),
        ({"modality": "both", "recipe": "reference"}, False),
    ],
)
def test_sound_alone_is_taken_where_it_can_be_answered(settings, takes):
    assert takes_sound(make_emotion_pipeline(**settings)) is takes


@pytest.mark.parametrize(
    ("samples", "words"),
    [
        (np.zeros(RATE), "No voice is heard in it"),
        (voice(9, 110), r"is 9 s long, and this page takes up to 5 s"),
        (None, "no video or sound that can be read"),
    ],
)
def test_words_where_a_recording_cannot_be_used(model, tmp_path, samples, words):
    clip = tmp_path / "a.wav"
    if samples is None:
        clip.write_bytes(b"RIFF and nothing else")
    else:
        save(clip, samples)
    with pytest.raises(MediaError, match=words) as caught:
        answer_recording(model, str(clip), max_seconds=5)
    assert str(tmp_path) not in str(caught.value)


def test_enrolling_changes_answers_and_not_the_model(model, tmp_path):
    clip = save(tmp_path / "a.wav", voice(1, 180))
    plain = answer_recording(model, clip).probabilities
    minute = save(tmp_path / "minute.wav", np.concatenate([voice(3, f) for f in (175, 185, 180)]))
    enrolment, n_clips = enrol_recording(model, minute)
    assert n_clips == 3
    [scaler] = speaker_scalers(model)
    assert scaler.enrolled_ == {}
    known = answer_recording(model, clip, enrolment=enrolment).probabilities
    assert known != plain
    assert scaler.enrolled_ == {}
    assert answer_recording(model, clip).probabilities == plain
    with pytest.raises(MediaError, match="Record at least 6 s"):
        enrol_recording(model, clip)
    silence = save(tmp_path / "silence.wav", np.zeros(9 * RATE))
    with pytest.raises(MediaError):
        enrol_recording(model, silence)


def test_what_a_model_or_a_clip_is_called_is_no_html(model):
    assert "<script>" not in problem_html("<script>alert(1)</script>")
    assert re.search("&lt;script&gt;", problem_html("<script>"))


def test_a_model_without_probabilities_is_refused():
    from sklearn.linear_model import RidgeClassifier

    with pytest.raises(TypeError, match="predict_proba"):
        EmotionPage(RidgeClassifier().fit([[0.0], [1.0]], [0, 1]))
