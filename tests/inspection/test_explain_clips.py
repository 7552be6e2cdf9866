"""Explanations of the recipes on real clips and on drawn faces."""

import numpy as np
import pytest

from skemotion.datasets import load_corpus, load_ravdess, make_ravdess
from skemotion.inspection import explain
from skemotion.inspection._regions import find_regions
from skemotion.pipeline import make_emotion_pipeline


def log_odds(probabilities, place):
    return np.log(probabilities[:, place] / np.delete(probabilities, place, axis=1).sum(axis=1))


def test_without_the_top_measures_the_answer_changes_most(shared_data):
    corpus = load_corpus(shared_data / "java-sed", naming="java-sed")
    first = [row for row, name in enumerate(corpus.data.audio) if "-01-" in str(name)]
    X, y = corpus.data.iloc[first], corpus.target[first]
    model = make_emotion_pipeline("audio").fit(X[:30], y[:30])
    branch = model.named_estimators_["audio"]
    describe, rest = branch[:1], branch[1:]
    random = np.random.default_rng(0)
    drops, at_random = [], []
    for row in range(30, 36, 2):
        explanation = explain(model, X.iloc[[row]], n_occlusions=400)
        own = describe.transform(X.audio.iloc[[row]])
        names = describe.get_feature_names_out()
        regions = find_regions(names)
        measures = [region.measure for region in regions.regions]
        parts = [region.part for region in regions.regions]
        order = [
            list(zip(parts, measures, strict=True)).index((one["part"], one["measure"]))
            for one in explanation.details[explanation.details.effect > 0].to_dict("records")
        ]
        n_top = 5
        deleted = [order[:n_top]] + [random.permutation(len(measures))[:n_top] for _ in range(20)]
        rows = np.repeat(own, len(deleted) + 1, axis=0)
        for number, some in enumerate(deleted):
            gone = np.isin(regions.of_values, some)
            rows[number + 1, gone] = rest[0].mean_[gone]
        place = list(model.classes_).index(explanation.target)
        answers = log_odds(rest.predict_proba(rows), place)
        drops.append(answers[0] - answers[1])
        at_random += list(answers[0] - answers[2:])
    assert np.mean(drops) > 0
    assert np.mean(drops) > 4 * abs(np.mean(at_random))
    assert np.min(drops) > np.quantile(at_random, 0.75)


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    """Happy and sad faces: corners of the mouth up or down, brows level or slanting."""
    folder = make_ravdess(
        tmp_path_factory.mktemp("drawn"), n_actors=2, emotions=["happy", "sad"],
        intensities=["strong"], n_repetitions=2, modalities=["full"], duration=0.4,
        frame_size=(192, 256),
    )  # fmt: skip
    corpus = load_ravdess(folder)
    return corpus.data[["video"]], corpus.target


def test_the_mouth_and_brows_that_were_drawn_come_out_on_top(shared_data, drawn):
    pytest.importorskip("ai_edge_litert")
    model = make_emotion_pipeline("video")
    model.set_params(
        video__clips__landmarks__model_path=str(shared_data / "models" / "face_landmarker.task")
    )
    X, y = drawn
    model.fit(X, y)
    effects = 0
    for row, label in list(enumerate(y))[::4]:
        explanation = explain(model, X.iloc[[row]], target=label, n_occlusions=600)
        other = explanation.parts.set_index("part")["effect"]
        effects = effects + other / other.abs().sum()
        [frame] = explanation.frames["video"]
        assert frame.image.shape == (192, 256, 3)
        assert frame.points.shape == (68, 2)
    assert set(effects.sort_values().index[-2:]) == {"mouth", "brows"}


def test_the_pitch_that_was_drawn_comes_out_on_top(tmp_path):
    """Surprised voices rise at the end, and differ little from happy ones in anything else."""
    n_actors = 12  # of four or eight, voices differ by what their actors do by chance as well
    folder = make_ravdess(
        tmp_path, n_actors=n_actors, emotions=["happy", "surprised"], modalities=["audio-only"],
        random_state=0,
    )  # fmt: skip
    corpus = load_ravdess(folder)
    X, y = corpus.data[["audio"]], corpus.target
    model = make_emotion_pipeline("audio").fit(X, y)
    shares = 0
    for row, label in list(enumerate(y))[:: n_actors // 2]:
        parts = explain(model, X.iloc[[row]], target=label, n_occlusions=100).parts
        parts = parts.set_index("part")
        shares = shares + parts.effect / parts.effect.abs().sum()
    # Its 39 values say more than any other part, of which the mel bands have 1,480.
    first, second = shares.sort_values(ascending=False).index[:2]
    assert first == "pitch"
    assert shares["pitch"] > 1.3 * shares[second]
