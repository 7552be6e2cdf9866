import pickle
import re
import subprocess
import sys
import threading

import numpy as np
import pytest
import sklearn
import torch
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.metrics import log_loss
from sklearn.model_selection import GroupKFold, cross_validate
from sklearn.pipeline import make_pipeline

from skemotion import load_model, save_model
from skemotion.audio import AudioAugmenter, AudioFeatures, AudioLoader
from skemotion.classification import TrajectoryCNNClassifier
from skemotion.pipeline import ClipPipeline

QUICK = TrajectoryCNNClassifier((4, 8), max_epochs=3, random_state=0)


@pytest.fixture(scope="module")
def voices():
    """Clips whose third feature rises or falls, by six actors of whom each has an own level."""
    rng = np.random.default_rng(0)
    y = np.tile(["fall", "rise"], 24)
    actors = np.repeat(np.arange(6), 8)
    clips = []
    for label, actor in zip(y, actors, strict=True):
        level = (0, 3, 1, 4, 2, 1.5)[actor]
        clip = rng.normal(level, 0.5, (rng.integers(20, 40), 5)).astype(np.float32)
        clip[:, 2] += np.linspace(-2, 2, len(clip)) * (1 if label == "rise" else -1)
        clips.append(clip)
    return clips, y, actors


def test_learns_what_makes_a_class_and_not_who_speaks(voices):
    clips, y, actors = voices
    cnn = TrajectoryCNNClassifier((8, 16), dropout=0.2, learning_rate=0.01, random_state=0)
    known = actors < 4
    train = [clip for clip, k in zip(clips, known, strict=True) if k]
    test = [clip for clip, k in zip(clips, known, strict=True) if not k]
    cnn.fit(train, y[known], groups=actors[known])
    assert cnn.score(test, y[~known]) > 0.9
    probabilities = cnn.predict_proba(test)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1)
    np.testing.assert_array_equal(cnn.classes_, ["fall", "rise"])
    np.testing.assert_array_equal(cnn.predict(test), cnn.classes_[probabilities.argmax(axis=1)])


def test_stops_early_with_the_weights_of_the_best_epoch(voices):
    clips, y, actors = voices
    cnn = TrajectoryCNNClassifier((8, 16), learning_rate=0.02, patience=3, random_state=0)
    cnn.fit(clips, y, groups=actors)
    valid = cnn.history_["valid_loss"]
    assert len(valid) == len(cnn.history_["train_loss"]) == cnn.n_iter_ < cnn.max_epochs
    assert np.argmin(valid) == cnn.n_iter_ - 1 - cnn.patience
    held = cnn.validation_indices_
    loss = log_loss(y[held], cnn.predict_proba([clips[row] for row in held]))
    assert loss == pytest.approx(min(valid), rel=1e-4)


def test_weights_of_the_best_epoch_where_the_epochs_run_out(voices):
    clips, y, actors = voices
    cnn = TrajectoryCNNClassifier(
        (8,), learning_rate=0.3, patience=20, max_epochs=15, random_state=0
    )
    cnn.fit(clips, y, groups=actors)
    valid = cnn.history_["valid_loss"]
    assert cnn.n_iter_ == 15
    assert valid[-1] > min(valid)
    held = cnn.validation_indices_
    loss = log_loss(y[held], cnn.predict_proba([clips[row] for row in held]))
    assert loss == pytest.approx(min(valid), rel=1e-4)


@pytest.mark.parametrize("seed", range(3))
def test_whole_groups_are_held_out(voices, seed):
    clips, y, actors = voices
    cnn = clone(QUICK).set_params(random_state=seed, max_epochs=1).fit(clips, y, groups=actors)
    held = set(actors[cnn.validation_indices_])
    rest = set(np.delete(actors, cnn.validation_indices_))
    assert len(held) == 2  # a fifth of six, rounded up
    assert not held & rest
    # Nothing of those held out goes into the standardisation.
    frames = np.concatenate(
        [clip for row, clip in enumerate(clips) if row not in cnn.validation_indices_]
    )
    np.testing.assert_allclose(cnn.mean_, frames.mean(axis=0), rtol=1e-4)
    np.testing.assert_allclose(cnn.scale_, frames.std(axis=0), rtol=1e-4)


def test_without_groups_a_share_of_each_class_is_held_out(voices):
    clips, _, _ = voices
    y = np.array(["a"] * 30 + ["b"] * 15 + ["c"] * 2 + ["d"])
    cnn = clone(QUICK).set_params(max_epochs=1).fit(clips, y)
    labels, counts = np.unique(y[cnn.validation_indices_], return_counts=True)
    assert dict(zip(labels, counts, strict=True)) == {"a": 6, "b": 3}


def test_without_a_hold_out_all_epochs_are_run_on_all_clips(voices):
    clips, y, actors = voices
    for fit in (
        lambda: clone(QUICK).set_params(validation_fraction=None).fit(clips, y, groups=actors),
        lambda: clone(QUICK).fit(clips[:4], list("abcd")),  # none to spare
    ):
        cnn = fit()
        assert cnn.n_iter_ == 3
        assert len(cnn.validation_indices_) == 0
        assert list(cnn.history_) == ["train_loss"]


def test_a_class_that_one_actor_alone_has_is_trained_on(voices):
    clips, y, actors = voices
    y = np.where(actors == 0, "only", y)
    for seed in range(4):
        cnn = clone(QUICK).set_params(random_state=seed, max_epochs=1).fit(clips, y, groups=actors)
        assert 0 not in actors[cnn.validation_indices_]


@pytest.mark.parametrize(
    ("groups", "message"),
    [
        (np.zeros(48), r"at least two groups \(speakers\).*found one.*validation_fraction=None"),
        (np.tile([0, 1], 24), r"a class is left without training clips.*validation_fraction=None"),
        (np.arange(47), "inconsistent numbers of samples"),
    ],
)
def test_groups_that_cannot_be_parted_are_refused(voices, groups, message):
    clips, y, _ = voices
    with pytest.raises(ValueError, match=message):
        clone(QUICK).fit(clips, y, groups=groups)


def test_groups_reach_it_through_a_pipeline_in_cross_validation():
    rng = np.random.default_rng(0)
    y = np.tile(["noise", "tone"], 12)
    actors = np.repeat(np.arange(6), 4)
    tone = np.sin(0.3 * np.arange(6000))
    waveforms = [rng.normal(scale=0.1, size=6000) + (label == "tone") * tone for label in y]
    clips = [(22050, waveform) for waveform in waveforms]
    seen = []

    class Spy(TrajectoryCNNClassifier):
        def fit(self, X, y, groups=None):
            super().fit(X, y, groups)
            seen.append((groups, self.validation_indices_))
            return self

    with sklearn.config_context(enable_metadata_routing=True):
        model = make_pipeline(
            ClipPipeline([("load", AudioLoader()), ("features", AudioFeatures(("mfcc",)))]),
            Spy((4, 8), learning_rate=0.01, max_epochs=15, random_state=0).set_fit_request(
                groups=True
            ),
        )
        scores = cross_validate(
            model, clips, y, cv=GroupKFold(3), params={"groups": actors}, error_score="raise"
        )
    assert scores["test_score"].mean() > 0.9
    assert len(seen) == 3
    for groups, held in seen:
        assert len(groups) == 16
        assert len(set(groups[held])) == 1
        assert not set(groups[held]) & set(np.delete(groups, held))


def test_a_seed_decides_everything_and_disturbs_nothing(voices):
    clips, y, _ = voices
    torch.manual_seed(7)
    before = torch.get_rng_state()
    first = clone(QUICK).fit(clips, y)
    probabilities = first.predict_proba(clips)
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(8)
    again = clone(QUICK).fit(clips, y)
    np.testing.assert_array_equal(again.predict_proba(clips), probabilities)
    assert again.history_ == first.history_
    other = clone(QUICK).set_params(random_state=1).fit(clips, y)
    assert np.abs(other.predict_proba(clips) - probabilities).max() > 1e-3


def test_a_seed_decides_in_threads_too(voices):
    clips, y, _ = voices
    alone = clone(QUICK).fit(clips, y).predict_proba(clips)
    nets = [clone(QUICK) for _ in range(4)]
    threads = [threading.Thread(target=net.fit, args=(clips, y)) for net in nets]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for net in nets:
        np.testing.assert_array_equal(net.predict_proba(clips), alone)


@pytest.mark.parametrize(
    ("weight", "share"),
    [
        (None, 1 / 4),
        ("balanced", 1 / 2),
        ({"common": 1, "rare": 3}, 1 / 2),
        ({"common": 300, "rare": 100}, 1 / 10),
    ],
)
def test_class_weights(weight, share):
    X, y = np.zeros((48, 8, 2)), np.where(np.arange(48) < 36, "common", "rare")
    cnn = TrajectoryCNNClassifier(
        (4,),
        dropout=0,
        max_epochs=80,
        learning_rate=0.02,
        batch_size=16,
        class_weight=weight,
        validation_fraction=None,
        random_state=0,
    )
    # There is nothing to learn but how frequent each class is.
    assert cnn.fit(X, y).predict_proba(X[:1])[0, 1] == pytest.approx(share, abs=0.03)


def test_a_clip_does_not_depend_on_its_neighbours_whatever_their_length(voices):
    clips, y, _ = voices
    cnn = clone(QUICK).fit(clips, y)
    long = np.zeros((300, 5), dtype=np.float32)
    together = cnn.predict_proba([*clips, long])
    np.testing.assert_allclose(together[:-1], cnn.predict_proba(clips), rtol=0, atol=1e-12)
    alone = np.concatenate([cnn.predict_proba([clip]) for clip in clips])
    np.testing.assert_allclose(alone, together[:-1], rtol=0, atol=1e-12)


def test_columns_arrays_and_tables_of_the_same_numbers_agree():
    X = np.random.default_rng(0).normal(size=(20, 12, 3))
    y = np.tile([3, 1], 10)
    array = clone(QUICK).fit(X, y)
    column = clone(QUICK).fit(list(X), y)
    np.testing.assert_array_equal(array.predict_proba(X), column.predict_proba(list(X)))
    assert (array.n_features_in_, array.clip_shape_) == (12, (12, 3))
    assert (column.n_features_in_, column.clip_shape_) == (1, ())
    table = clone(QUICK).fit(X[:, :, 0], y)
    np.testing.assert_array_equal(
        table.predict_proba(X[:, :, 0]), clone(QUICK).fit(X[:, :, :1], y).predict_proba(X[:, :, :1])
    )


def test_variants_are_examples_and_vote(voices):
    clips, y, actors = voices
    waveforms = [0.1 * np.random.default_rng(row).normal(size=4000) for row in range(12)]
    augment = AudioAugmenter(pitch_steps=(2,), speed_rates=(1.5,), random_state=0)
    table = AudioFeatures(("mfcc",)).transform(augment.transform(waveforms))
    assert table.shape == (12, 3)
    cnn = clone(QUICK).fit(table, y[:12], groups=actors[:12])
    assert len(set(actors[cnn.validation_indices_])) == 1
    each = [cnn.predict_proba(column) for column in table.T]
    np.testing.assert_allclose(cnn.predict_proba(table), np.mean(each, axis=0), atol=1e-12)
    # An example more is a clip more.
    pairs = np.empty((48, 2), dtype=object)
    pairs[:, 0] = pairs[:, 1] = clips
    twice = clone(QUICK).set_params(validation_fraction=None).fit(pairs, y)
    rows = [clip for clip in clips for _ in range(2)]
    flat = clone(QUICK).set_params(validation_fraction=None).fit(rows, np.repeat(y, 2))
    np.testing.assert_allclose(twice.predict_proba(clips), flat.predict_proba(clips), atol=1e-12)


def test_survives_pickling_and_saving_and_shares_nothing(voices, tmp_path):
    clips, y, _ = voices
    cnn = clone(QUICK).fit(clips, y)
    probabilities = cnn.predict_proba(clips)
    pickled = pickle.dumps(cnn)
    assert b"torch" not in pickled
    np.testing.assert_array_equal(pickle.loads(pickled).predict_proba(clips), probabilities)
    loaded = load_model(save_model(cnn, tmp_path / "cnn.skops"))
    np.testing.assert_array_equal(loaded.predict_proba(clips), probabilities)
    assert loaded.history_ == cnn.history_
    # Workers get the weights as read-only memory maps.
    for value in cnn.weights_.values():
        value.flags.writeable = False
    np.testing.assert_array_equal(cnn.predict_proba(clips), probabilities)
    assert not hasattr(clone(cnn), "weights_")


@pytest.mark.parametrize("missing", ["torch", "skorch"])
def test_a_missing_extra_is_named(voices, monkeypatch, missing):
    clips, y, _ = voices
    monkeypatch.setitem(sys.modules, missing, None)
    message = r"^TrajectoryCNNClassifier needs torch and skorch: .*\"skemotion\[torch\]\"$"
    with pytest.raises(ImportError, match=message):
        clone(QUICK).fit(clips, y)


def test_importing_it_imports_no_torch():
    code = "import sys, skemotion.classification; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda clips: [*clips[:-1], clips[-1][:, :4]], "5 features in every.*4 in row 47"),
        (lambda clips: [*clips[:-1], np.full((9, 5), np.nan)], "found NaN or infinity in row 47"),
        (lambda clips: [*clips[:-1], np.empty((0, 5))], r"shape \(0, 5\).*row 47"),
        (lambda clips: ["a.wav"] * 48, "trajectories.*AudioFeatures.*found 'a.wav' in row 0"),
        (lambda clips: np.zeros((48, 9, 5, 2)), r"\(n_clips, n_frames, n_features\)"),
    ],
)  # fmt: skip
def test_refuses(voices, change, message):
    clips, y, _ = voices
    with pytest.raises(ValueError, match=message):
        clone(QUICK).fit(change(clips), y)


def test_refuses_other_features_than_at_fit_and_prediction_before_it(voices):
    clips, y, _ = voices
    with pytest.raises(NotFittedError):
        clone(QUICK).predict(clips)
    cnn = clone(QUICK).fit(clips, y)
    with pytest.raises(ValueError, match="expected 5 features in every frame, found 4 in row 0"):
        cnn.predict([clip[:, :4] for clip in clips])


@pytest.mark.parametrize("channels", [(), (4, 0), (4.5,)])
def test_refuses_channels(voices, channels):
    clips, y, _ = voices
    message = re.escape(f"channels must be positive whole numbers, got {channels!r}.")
    with pytest.raises(ValueError, match=message):
        clone(QUICK).set_params(channels=channels).fit(clips, y)


def test_divergence_is_told(voices):
    clips, y, _ = voices
    cnn = clone(QUICK).set_params(learning_rate=1e30, validation_fraction=None)
    with pytest.raises(ValueError, match=r"diverged: lower learning_rate \(1e\+30\)"):
        cnn.fit(clips, y)


def test_an_interrupt_is_the_users(voices, monkeypatch):
    clips, y, _ = voices

    def interrupt(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("skemotion.classification._networks.max_pool2d", interrupt)
    with pytest.raises(KeyboardInterrupt):
        clone(QUICK).fit(clips, y)
