import json
import pickle

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import (
    accuracy_score,
    balanced_accuracy_score,
    confusion_matrix,
    f1_score,
)

from skemotion.model_selection import Evaluation, compare
from skemotion.pipeline import ClipError

LABELS = ["happy", "angry", "sad"]


def evaluation(target, prediction, groups, **more):
    target, prediction = np.array(target, dtype=str), np.array(prediction, dtype=str)
    return Evaluation("p", target, prediction, np.array(groups), LABELS, len(target), 1, **more)


def draw(n, n_actors, seed=0):
    rng = np.random.default_rng(seed)
    target, wrong = rng.choice(LABELS, n), rng.choice(LABELS, n)
    prediction = np.where(rng.random(n) < 0.6, target, wrong)
    return evaluation(target, prediction, rng.integers(n_actors, size=n))


@settings(deadline=None, max_examples=50)
@given(st.lists(st.tuples(st.sampled_from(LABELS), st.sampled_from(LABELS), st.integers(0, 3)),
                min_size=1, max_size=40))  # fmt: skip
@pytest.mark.filterwarnings("ignore:(y_pred contains classes not in y_true|A single label)")
def test_figures_equal_scikit_learns(rows):
    target, prediction, groups = zip(*rows, strict=True)
    result = evaluation(target, prediction, groups)
    assert result.accuracy == pytest.approx(accuracy_score(target, prediction))
    assert result.uar == pytest.approx(balanced_accuracy_score(target, prediction))
    assert result.macro_f1 == pytest.approx(
        f1_score(target, prediction, average="macro", zero_division=0)
    )
    assert result.n_groups == len(set(groups))
    np.testing.assert_array_equal(
        result.confusion_matrix, confusion_matrix(target, prediction, labels=LABELS)
    )
    for low, high in (result.accuracy_interval, result.uar_interval, result.macro_f1_interval):
        assert np.isnan(low) if result.n_groups < 3 else 0 <= low <= high <= 1


def test_intervals_equal_a_plain_bootstrap_of_actors():
    result = draw(120, 7)
    rng = np.random.default_rng(12345)
    actors = np.unique(result.groups)
    accuracies, recalls, f1s = [], [], []
    for _ in range(2000):
        rows = np.concatenate([np.flatnonzero(result.groups == a) for a in rng.choice(actors, 7)])
        hit = result.target[rows] == result.prediction[rows]
        accuracies.append(hit.mean())
        recalls.append(np.mean([hit[result.target[rows] == word].mean() for word in LABELS]))
        f1s.append(f1_score(result.target[rows], result.prediction[rows], average="macro"))
    # Two draws of thousands differ by little.
    for ours, plain in (
        (result.accuracy_interval, accuracies),
        (result.uar_interval, recalls),
        (result.macro_f1_interval, f1s),
    ):
        low, high = np.percentile(plain, [2.5, 97.5])
        assert ours == pytest.approx((low, high), abs=0.2 * (high - low))
        assert low < high


def test_intervals_are_the_same_each_time_and_hold_the_figure():
    one, other = draw(200, 10), draw(200, 10)
    assert one.accuracy_interval == other.accuracy_interval
    assert one.uar_interval == other.uar_interval
    assert one.accuracy_interval[0] < one.accuracy < one.accuracy_interval[1]
    assert one.uar_interval[0] < one.uar < one.uar_interval[1]


def test_actors_count_and_clips_do_not():
    # Actors that differ, each with many clips: clips alone would give a narrow interval.
    groups = np.repeat(np.arange(6), 500)
    prediction = np.where(groups % 2, "happy", "sad")
    low, high = evaluation(["happy"] * 3000, prediction, groups).accuracy_interval
    assert low <= 1 / 6
    assert high >= 5 / 6


def test_an_emotion_that_a_drawn_actor_lacks_has_no_recall():
    # Only one actor of three is ever sad.
    result = evaluation(
        ["happy", "happy", "sad", "happy"], ["happy", "sad", "sad", "happy"], [1, 2, 2, 3]
    )
    assert result.uar == pytest.approx((2 / 3 + 1) / 2)
    assert result.uar_interval == (0.5, 1.0)


@pytest.mark.parametrize("n_actors", [1, 2])
def test_one_or_two_actors_have_no_interval(n_actors):
    result = draw(20, n_actors)
    assert np.isnan([*result.accuracy_interval, *result.uar_interval]).all()
    assert "no interval: too few speakers" in str(result)


def test_text():
    target = ["happy"] * 3 + ["angry"] * 2 + ["sad"]
    result = evaluation(
        target, ["happy", "happy", "sad", "angry", "sad", "sad"], [1, 1, 2, 2, 3, 3]
    )
    lines = str(result).splitlines()
    assert lines[0] == "p: 6 clips, 3 speakers, 1 split, 6 predictions"
    assert lines[1].startswith("  UAR        72.2%  (95 % interval over speakers ")
    assert lines[2].startswith("  accuracy   66.7%  (95 % interval over speakers ")
    assert lines[3].startswith("  macro F1   65.6%  (95 % interval over speakers ")
    table = [line.replace("|", " ").split() for line in lines[5:]]
    assert table[0] == ["true", *LABELS, "predicted"]
    assert table[2:] == [
        ["happy", "2", "0", "1"],
        ["angry", "0", "1", "1"],
        ["sad", "0", "0", "1"],
    ]
    alone = str(evaluation(["sad"], ["sad"], [1])).splitlines()
    assert alone[0] == "p: 1 clip, 1 speaker, 1 split, 1 prediction"
    # Columns stay apart and in line, however large the numbers.
    many = evaluation(["sad"] * 123456, ["happy"] * 123456, [1] * 123456)
    rows = str(many).splitlines()[7:]
    assert len({len(row) for row in rows}) == 1
    assert rows[2].split("|")[1].split() == ["123456", "0", "0"]


def test_cannot_be_changed_and_pickles():
    result = draw(30, 3)
    with pytest.raises(AttributeError):
        result.protocol = "other"
    copy = pickle.loads(pickle.dumps(result))
    assert str(copy) == str(result)
    assert len({result, copy}) == 2


def test_words_that_are_no_labels_are_refused():
    with pytest.raises(ValueError, match="'bored' is not one of the labels"):
        evaluation(["happy"], ["bored"], [1]).accuracy  # noqa: B018


def full():
    return evaluation(
        ["happy", "sad", "angry", "happy"], ["happy", "sad", "happy", "happy"], [2, 1, 1, 2],
        rows=np.array([3, 0, 1, 2]), folds=np.array([0, 0, 1, 1]),
        probabilities=np.tile([0.5, 0.25, 0.25], (4, 1)), clips=np.array(list("dabc")),
        scores={"f": np.array([0.5, 1.0])}, unusable=(ClipError(4, "clip 4", "load", "empty"),),
        uses_speaker_clips=True, splitter="some",
    )  # fmt: skip


def test_per_fold_and_per_speaker():
    result = full()
    fold = result.per_fold
    assert fold.columns.tolist() == ["n_clips", "uar", "accuracy", "macro_f1", "f"]
    assert fold.to_numpy().tolist() == [[2, 1, 1, 1, 0.5], [2, 0.5, 0.5, 1 / 3, 1]]
    speaker = result.per_speaker
    assert speaker.index.tolist() == [1, 2]
    assert speaker["uar"].tolist() == [0.5, 1]
    with pytest.raises(ValueError, match="which split"):
        draw(9, 3).per_fold  # noqa: B018


def test_frame():
    table = full().to_frame()
    pd.testing.assert_frame_equal(
        table,
        pd.DataFrame(
            {
                "row": [3, 0, 1, 2],
                "clip": list("dabc"),
                "fold": [0, 0, 1, 1],
                "speaker": [2, 1, 1, 2],
                "target": ["happy", "sad", "angry", "happy"],
                "prediction": ["happy", "sad", "happy", "happy"],
                "probability_happy": 0.5,
                "probability_angry": 0.25,
                "probability_sad": 0.25,
            }
        ),
        check_dtype=False,
    )
    assert draw(9, 3).to_frame().columns.tolist() == ["speaker", "target", "prediction"]


def test_json():
    result = full()
    content = json.loads(result.to_json())
    assert content["uar"] == result.uar
    assert content["macro_f1"] == result.macro_f1
    assert content["calibration_error"] == result.calibration_error == 0
    assert content["not_audited"] is None
    assert content["uar_interval"] == [None, None]
    assert content["confusion_matrix"] == result.confusion_matrix.tolist()
    assert content["per_speaker"][0]["speaker"] == 1
    assert content["per_fold"][1]["f"] == 1.0
    assert content["unusable"][0]["reason"] == "empty"
    assert content["uses_speaker_clips"] is True
    assert set(content["versions"]) == {"skemotion", "scikit-learn"}
    many = json.loads(draw(200, 10).to_json())
    assert many["calibration_error"] is None
    assert many["accuracy_interval"] == list(draw(200, 10).accuracy_interval)


def test_what_is_worth_knowing_is_said():
    text = str(full())
    assert "note: the model adapts to each tested speaker" in text
    assert "note: 1 of 5 clips could not be used and was left out." in text
    assert "  f  0.750  (standard deviation over splits 0.250)" in text


def test_speakers_need_not_be_known():
    words = np.array(["a", "b"])
    result = Evaluation("speakers unknown", words, words, None, ["a", "b"], 2, 1)
    assert result.uar == 1
    assert result.n_groups == 0
    assert np.isnan(result.uar_interval).all()
    assert "no interval: speakers unknown" in str(result)
    assert "per_speaker" not in json.loads(result.to_json())
    with pytest.raises(ValueError, match="speakers are not known"):
        result.per_speaker  # noqa: B018


@pytest.mark.parametrize("labels", [["happy", "sad"], [1, 2]])
def test_what_was_saved_is_compared_with_what_was_not(tmp_path, labels):
    rng = np.random.default_rng(0)
    y, guess, better = rng.choice(labels, (3, 60))
    better = np.where(rng.random(60) < 0.5, y, better)
    places = {"rows": np.arange(60), "folds": np.repeat([0, 1, 2, 3], 15)}
    speakers = np.repeat([f"00{n}" for n in range(4)], 15)
    first, second = (
        Evaluation(
            "speaker-independent", y, prediction, speakers, labels, 60, 4,
            probabilities=rng.dirichlet([1, 1], 60), **places,
        )
        for prediction in (guess, better)
    )  # fmt: skip
    path = tmp_path / "predictions.csv"
    first.to_frame().to_csv(path, index=False)
    table = pd.read_csv(path, dtype=str, keep_default_na=False)
    loaded = Evaluation.from_frame(table, "speaker-independent")
    assert (loaded.n_clips, loaded.n_splits, loaded.n_groups) == (60, 4, 4)
    assert loaded.labels == [str(label) for label in labels]
    assert (loaded.uar, loaded.accuracy_interval) == (first.uar, first.accuracy_interval)
    np.testing.assert_array_equal(loaded.confusion_matrix, first.confusion_matrix)
    np.testing.assert_allclose(loaded.probabilities, first.probabilities)
    assert compare(loaded, second) == compare(first, second)
    assert compare(loaded, second).difference == pytest.approx(second.uar - first.uar)
    with pytest.raises(ValueError, match="no column 'target'"):
        Evaluation.from_frame(table.drop(columns="target"), "speaker-independent")
