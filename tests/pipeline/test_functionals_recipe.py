"""The recipe of functionals, on voices and faces of which the emotion is known by construction."""

import cv2
import numpy as np
import pandas as pd
import pytest
from skimage.data import astronaut
from sklearn.base import clone

from skemotion import MediaError, load_model, save_model
from skemotion.classification import FusionClassifier
from skemotion.pipeline import UnusableClipWarning, make_emotion_pipeline
from skemotion.preprocessing import SpeakerScaler, uses_speaker_clips
from skemotion.video import FaceLandmarks

RATE = 16000
MOODS = ("happy", "sad", "angry")


def voice(mood, rng):
    """Make half a second of a buzzing voice, high, low or loud."""
    pitch = {"happy": 300, "sad": 120, "angry": 200}[mood] * rng.uniform(0.97, 1.03)
    t = np.arange(RATE // 2) / RATE
    buzz = sum(np.sin(2 * np.pi * k * pitch * t) / k for k in range(1, 12))
    buzz = buzz * (3 if mood == "angry" else 1) + 0.02 * rng.normal(size=len(t))
    return 0.1 * buzz


def face(mood, rng):
    """Make a face of 68 points, whose mouth is wide, low or open, over ten frames."""
    from skemotion.video._face_shape import MEAN_FACE

    points = np.tile(MEAN_FACE * 100, (10, 1, 1))
    mouth = slice(48, 68)
    if mood == "happy":
        points[:, mouth, 0] *= 1.2
    elif mood == "sad":
        points[:, [48, 54], 1] += 8
    else:
        points[:, 55:60, 1] += 12
    return points + rng.normal(0, 0.3, points.shape)


@pytest.fixture(scope="module")
def corpus():
    rng = np.random.default_rng(0)
    y = np.tile(MOODS, 12)
    X = pd.DataFrame(
        {
            "audio": pd.Series([(RATE, voice(mood, rng)) for mood in y], dtype=object),
            "landmarks": pd.Series([face(mood, rng) for mood in y], dtype=object),
            "speaker": np.repeat(["a", "b", "c", "d"], 9),
        }
    )
    return X, y


@pytest.fixture(scope="module")
def model(corpus):
    return make_emotion_pipeline(picture="landmarks").fit(*corpus)


def test_one_model_answers_for_picture_alone_sound_alone_and_both(corpus, model):
    X, y = corpus
    assert model.score(X, y) > 0.9
    for kept in (["audio"], ["landmarks"]):
        assert model.score(X[kept], y) > 0.9
        by_branch = model.predict_proba_by_branch(X[kept])
        name = {"audio": "audio", "landmarks": "video"}[kept[0]]
        np.testing.assert_allclose(model.predict_proba(X[kept]), by_branch[name], atol=1e-5)
    torn = X.copy()
    torn.loc[::2, "audio"] = None
    torn.loc[1::2, "landmarks"] = None
    assert model.score(torn, y) > 0.9
    torn.loc[3, "audio"] = None
    with pytest.raises(MediaError, match="Row 3 has no modality that can be used"):
        model.predict(torn)


def test_a_clip_that_cannot_be_used_is_left_to_the_other_modality(corpus, model):
    X = corpus[0].copy()
    X.loc[0, "audio"] = "lost.wav"
    with pytest.warns(UnusableClipWarning, match="lost.wav"):
        probabilities = model.predict_proba(X)
    np.testing.assert_allclose(
        probabilities[0], model.predict_proba_by_branch(X[["landmarks"]])["video"][0], atol=1e-5
    )


def test_clips_alone_do(corpus):
    X, y = corpus
    model = make_emotion_pipeline("audio").fit(X["audio"], y)
    clips = X["audio"].tolist()
    expected = model.predict_proba(X)
    np.testing.assert_array_equal(model.predict_proba(clips), expected)
    np.testing.assert_array_equal(model.predict_proba(X["audio"]), expected)
    lost = pytest.raises(MediaError, match=r"lost\.wav: expected a media file, found no such file")
    with lost, pytest.warns(UnusableClipWarning):
        model.predict("lost.wav")


def test_speakers_clips_are_used_and_owned_up_to(corpus, model):
    X, y = corpus
    assert not uses_speaker_clips(model)
    own = make_emotion_pipeline(picture="landmarks", speaker="speaker").fit(X, y)
    assert uses_speaker_clips(own)
    assert own.score(X, y) > 0.9
    scalers = [branch["own"] for branch in own.named_estimators_.values()]
    assert [type(scaler) for scaler in scalers] == [SpeakerScaler] * 2


def test_one_sample_rate_sets_all():
    model = make_emotion_pipeline("audio", sample_rate=8000)
    rates = {k: v for k, v in model.get_params().items() if k.endswith("__sample_rate")}
    assert len(rates) == 2
    assert set(rates.values()) == {8000}
    reference = make_emotion_pipeline("audio", recipe="reference", sample_rate=8000)
    rates = {k: v for k, v in reference.get_params().items() if k.endswith("__sample_rate")}
    assert len(rates) == 3
    assert set(rates.values()) == {8000}


def test_each_picture_has_its_stages():
    stages = {
        picture: [type(stage).__name__ for _, stage in model.estimators[0][1]["clips"].steps]
        for picture in ("face", "landmarks", "hog3d")
        for model in [make_emotion_pipeline("video", picture=picture)]
    }
    assert stages == {
        "face": ["FaceLandmarks", "FaceMeasures", "TrajectoryStatistics"],
        "landmarks": ["LandmarkLoader", "FaceMeasures", "TrajectoryStatistics"],
        "hog3d": ["VideoLoader", "FaceCrop", "HOG3D"],
    }
    assert isinstance(make_emotion_pipeline(), FusionClassifier)
    assert [c for _, _, c in make_emotion_pipeline().estimators] == ["audio", "video"]
    assert FaceLandmarks in {
        type(value) for value in make_emotion_pipeline("video").get_params().values()
    }


def test_parameters_of_the_other_recipe_are_refused():
    with pytest.raises(ValueError, match='speaker is for recipe="functionals" and "rockets"'):
        make_emotion_pipeline(recipe="reference", speaker="speaker")
    with pytest.raises(ValueError, match='missing="impute" is for recipe="reference"'):
        make_emotion_pipeline(missing="impute")


def test_saved_models_answer_the_same(corpus, model, tmp_path):
    X, _ = corpus
    loaded = load_model(save_model(model, tmp_path / "model.skops"))
    np.testing.assert_array_equal(loaded.predict_proba(X), model.predict_proba(X))


def test_is_cloned_and_searched_by_names(corpus):
    X, y = corpus
    model = make_emotion_pipeline("audio").set_params(audio__lda__shrinkage=0.9)
    assert clone(model).get_params()["audio__lda__shrinkage"] == 0.9
    assert clone(model).fit(X, y).named_estimators_["audio"]["lda"].shrinkage == 0.9


def filmed_face(mood, rng):
    """Film a face before a wall, after dark frames: at rest, or with hair and chin in motion."""
    picture = cv2.resize(astronaut()[40:190, 150:300], (96, 96), interpolation=cv2.INTER_AREA)
    picture = picture.mean(axis=2)
    clip = np.full((30, 120, 150), 90.0) + rng.normal(0, 4, (120, 150))
    clip[:, 12:108, 30:126] = picture
    if mood == "happy":
        sway = 25 * np.sin(np.arange(30) * rng.uniform(1.9, 2.1))
        clip[:, 75:108, 30:126] += sway[:, np.newaxis, np.newaxis]
    clip[: rng.integers(2, 6)] = 3
    return clip.clip(0, 255).astype(np.uint8)


def test_pictures_alone_need_no_landmarks(tmp_path):
    rng = np.random.default_rng(0)
    y = np.tile(["happy", "sad"], 4)
    X = pd.DataFrame(
        {
            "video": pd.Series([filmed_face(mood, rng) for mood in y], dtype=object),
            "speaker": np.repeat(["a", "b", "c", "d"], 2),
        }
    )
    model = make_emotion_pipeline("video", picture="hog3d", memory=tmp_path)
    test = X["speaker"] == "d"
    model.fit(X[~test], y[~test])
    assert model.score(X[test], y[test]) == 1
    # How long the dark lasted makes no difference.
    longer = X[test].copy()
    longer["video"] = [np.concatenate([np.zeros_like(c[:9]), c]) for c in longer["video"]]
    np.testing.assert_array_equal(model.predict_proba(longer), model.predict_proba(X[test]))
