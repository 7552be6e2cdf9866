import pickle
import sys

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.metrics import log_loss
from torch import nn

from skemotion import load_model, save_model
from skemotion.classification import TrajectoryRNNClassifier

QUICK = TrajectoryRNNClassifier(hidden_size=6, max_epochs=3, random_state=0)


@pytest.fixture(scope="module")
def orders():
    """Clips that differ in nothing but which of two marks comes first."""
    rng = np.random.default_rng(0)
    y = np.tile(["late", "soon"], 30)
    clips = []
    for label in y:
        clip = rng.normal(scale=0.3, size=(rng.integers(12, 25), 3))
        first, last = clip[:4], clip[-4:]
        first[:, 0 if label == "soon" else 1] += 2
        last[:, 1 if label == "soon" else 0] += 2
        clips.append(clip)
    return clips, y, np.repeat(np.arange(6), 10)


@pytest.mark.parametrize("cell", ["gru", "lstm"])
@pytest.mark.parametrize("frames_per_step", [1, 4])
def test_learns_what_lies_in_the_order(orders, cell, frames_per_step):
    clips, y, groups = orders
    rnn = TrajectoryRNNClassifier(
        cell, 8, frames_per_step=frames_per_step, learning_rate=0.02, random_state=0
    )
    rnn.fit(clips[:40], y[:40], groups=groups[:40])
    assert rnn.score(clips[40:], y[40:]) > 0.9
    valid = rnn.history_["valid_loss"]
    held = rnn.validation_indices_
    assert len(held) == 10  # one of four actors
    assert len(set(groups[held])) == 1
    loss = log_loss(y[held], rnn.predict_proba([clips[row] for row in held]))
    assert loss == pytest.approx(min(valid), rel=1e-4, abs=1e-6)


@pytest.mark.parametrize("cell", ["gru", "lstm"])
@pytest.mark.parametrize("frames_per_step", [1, 3])
def test_is_the_network_it_says_it_is(orders, cell, frames_per_step):
    clips, y, _ = orders
    rnn = clone(QUICK).set_params(cell=cell, frames_per_step=frames_per_step).fit(clips, y)
    weights = {name: torch.tensor(value) for name, value in rnn.weights_.items()}
    layer = {"gru": nn.GRU, "lstm": nn.LSTM}[cell](
        3 * frames_per_step, 6, batch_first=True, bidirectional=True
    )
    layer.load_state_dict(
        {
            name.removeprefix("recurrent."): value
            for name, value in weights.items()
            if name.startswith("recurrent.")
        }
    )
    for clip in clips[:5]:
        # One clip alone has no padding but that of its own last step.
        frames = (clip - rnn.mean_) / rnn.scale_
        short = -len(frames) % frames_per_step
        steps = np.pad(frames, ((0, short), (0, 0))).reshape(-1, 3 * frames_per_step)
        states, _ = layer(torch.tensor(steps[np.newaxis], dtype=torch.float32))
        logits = states[0].mean(dim=0) @ weights["output.weight"].T + weights["output.bias"]
        expected = torch.softmax(logits, dim=0).detach().numpy()
        np.testing.assert_allclose(rnn.predict_proba([clip])[0], expected, atol=1e-6)


def test_a_clip_does_not_depend_on_its_neighbours_whatever_their_length(orders):
    clips, y, _ = orders
    rnn = clone(QUICK).fit(clips, y)
    together = rnn.predict_proba([*clips, np.zeros((200, 3))])
    alone = np.concatenate([rnn.predict_proba([clip]) for clip in clips])
    np.testing.assert_allclose(together[:-1], alone, rtol=0, atol=1e-12)


def test_seeds(orders):
    clips, y, _ = orders
    first, again = clone(QUICK).fit(clips, y), clone(QUICK).fit(clips, y)
    probabilities = first.predict_proba(clips)
    np.testing.assert_array_equal(again.predict_proba(clips), probabilities)
    other = clone(QUICK).set_params(random_state=1).fit(clips, y)
    assert np.abs(other.predict_proba(clips) - probabilities).max() > 1e-3


def test_class_weights():
    X, y = np.zeros((60, 8, 2)), np.where(np.arange(60) < 45, "common", "rare")
    rnn = clone(QUICK).set_params(
        max_epochs=80, learning_rate=0.02, batch_size=60, validation_fraction=None
    )
    # There is nothing to learn but how frequent each class is.
    assert rnn.fit(X, y).predict_proba(X[:1])[0, 1] == pytest.approx(1 / 4, abs=0.02)
    rnn.set_params(class_weight="balanced")
    assert rnn.fit(X, y).predict_proba(X[:1])[0, 1] == pytest.approx(1 / 2, abs=0.02)


def test_survives_pickling_and_saving(orders, tmp_path):
    clips, y, _ = orders
    rnn = clone(QUICK).set_params(cell="lstm").fit(clips, y)
    probabilities = rnn.predict_proba(clips)
    np.testing.assert_array_equal(
        pickle.loads(pickle.dumps(rnn)).predict_proba(clips), probabilities
    )
    loaded = load_model(save_model(rnn, tmp_path / "rnn.skops"))
    np.testing.assert_array_equal(loaded.predict_proba(clips), probabilities)


def test_a_missing_extra_is_named(orders, monkeypatch):
    clips, y, _ = orders
    rnn = clone(QUICK).fit(clips, y)
    monkeypatch.setitem(sys.modules, "torch", None)
    message = r"^TrajectoryRNNClassifier needs torch and skorch: .*\"skemotion\[torch\]\"$"
    with pytest.raises(ImportError, match=message):
        clone(QUICK).fit(clips, y)
    with pytest.raises(ImportError, match=message):
        rnn.predict(clips)


def test_one_frame_one_clip_one_class():
    rnn = clone(QUICK).fit([np.ones((1, 3))], ["calm"])
    np.testing.assert_array_equal(rnn.predict([np.zeros((2, 3))]), ["calm"])
    np.testing.assert_array_equal(rnn.predict_proba([np.zeros((2, 3))]), [[1]])
