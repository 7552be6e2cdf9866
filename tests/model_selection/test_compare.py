import itertools
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skemotion.model_selection import Evaluation, compare, paired_difference

EMOTIONS = np.array(["angry", "calm", "sad"])


def predictions(n_speakers, better, seed=0, n_clips=12):
    """Two models' answers on every speaker's clips; the second is right more often."""
    rng = np.random.default_rng(seed)
    speakers = np.repeat(np.arange(n_speakers), n_clips)
    y = np.tile(EMOTIONS, n_speakers * n_clips // 3)
    guess = [
        np.where(rng.random(len(y)) < share, y, rng.choice(EMOTIONS, len(y)))
        for share in (0.4, 0.4 + better)
    ]
    return y, *guess, speakers


def uar(y, prediction):
    return np.mean([(prediction[y == label] == label).mean() for label in EMOTIONS])


@settings(deadline=None, max_examples=10)
@given(st.integers(0, 99))
def test_the_p_value_is_the_share_of_swaps_that_reach_the_difference(seed):
    y, a, b, speakers = predictions(5, 0.2, seed)
    result = paired_difference(y, a, b, speakers)
    found = uar(y, b) - uar(y, a)
    assert result.difference == pytest.approx(found)
    reached = []
    for swapped in itertools.product([False, True], repeat=5):
        swap = np.array(swapped)[speakers]
        difference = uar(y, np.where(swap, a, b)) - uar(y, np.where(swap, b, a))
        reached.append(abs(difference) >= abs(found) - 1e-12)
    assert result.p_value == pytest.approx(np.mean(reached))
    assert (result.n_speakers, result.n_clips) == (5, 60)


def test_the_interval_is_that_of_resampled_speakers():
    y, a, b, speakers = predictions(8, 0.2)
    rng = np.random.default_rng(1)
    draws = []
    for _ in range(500):
        drawn = rng.integers(8, size=8)
        rows = np.concatenate([np.flatnonzero(speakers == speaker) for speaker in drawn])
        draws.append(uar(y[rows], b[rows]) - uar(y[rows], a[rows]))
    low, high = np.percentile(draws, [2.5, 97.5])
    # Two samples of the same distribution.
    assert paired_difference(y, a, b, speakers).interval == pytest.approx((low, high), abs=0.02)


def test_the_other_way_round_is_the_opposite():
    y, a, b, speakers = predictions(9, 0.1)
    there, back = paired_difference(y, a, b, speakers), paired_difference(y, b, a, speakers)
    assert back.difference == pytest.approx(-there.difference)
    assert back.interval == pytest.approx((-there.interval[1], -there.interval[0]))
    assert back.p_value == there.p_value
    same = paired_difference(y, a, a, speakers)
    assert (same.difference, same.interval, same.p_value) == (0, (0, 0), 1)


def test_many_speakers_are_sampled_and_agree_with_counting():
    # Alone, each of 16 speakers tells the same: two of 2 ** 16 swaps reach it.
    y, speakers = np.tile(EMOTIONS, 16), np.repeat(np.arange(16), 3)
    wrong = np.tile(EMOTIONS[[1, 2, 0]], 16)
    assert paired_difference(y, wrong, y, speakers).p_value == pytest.approx(1 / 10_001)
    assert paired_difference(y[:39], wrong[:39], y[:39], speakers[:39]).p_value == 2**-12
    ps = [paired_difference(*predictions(20, 0.0, seed)).p_value for seed in range(60)]
    # Between models that are alike, p-values are spread evenly.
    assert np.mean(np.array(ps) < 0.05) < 0.1
    assert 0.35 < np.median(ps) < 0.65


def test_two_speakers_give_no_interval():
    result = paired_difference(*predictions(2, 0.2))
    assert np.isnan([*result.interval, result.p_value]).all()
    assert "no interval: 2 speakers" in str(result)
    alone = paired_difference(["sad"], ["sad"], ["sad"], ["ann"])
    assert str(alone) == "+0.0 points (no interval: 1 speaker), 1 clip"


def test_emotions_that_not_everyone_shows_are_averaged_over_those_who_do():
    y = np.array(["sad", "happy", "happy", "happy", "happy"])
    right = paired_difference(y, np.full(5, "sad"), y, [0, 0, 1, 2, 3])
    assert right.difference == pytest.approx(0.5)
    assert not np.isnan(right.interval).any()


def test_evaluations_of_the_same_clips_are_compared():
    y, a, b, speakers = predictions(6, 0.3)
    labels = EMOTIONS.tolist()
    ours, theirs = (Evaluation("p", y, guess, speakers, labels, 72, 6) for guess in (a, b))
    assert compare(ours, theirs) == paired_difference(y, a, b, speakers)
    other = Evaluation("p", y[::-1], b[::-1], speakers[::-1], labels, 72, 6)
    with pytest.raises(ValueError, match="'target': prediction 0 is 'angry' in the first"):
        compare(ours, other)
    with pytest.raises(ValueError, match=r"of different protocols, 'p' and 'q', .* the same pro"):
        compare(ours, replace(other, protocol="q"))
    first, second = (replace(ours, rows=np.arange(72) + shift) for shift in (0, 1))
    with pytest.raises(ValueError, match=r"of different protocols, 'p' and 'q', .* the same pro"):
        compare(first, replace(second, protocol="q"))
    message = r"1 of 72 predictions is in the first alone \(row 0\), .* alone \(row 72\)"
    with pytest.raises(ValueError, match=message):
        compare(first, second)


def test_clips_are_paired_by_their_names():
    y, a, b, speakers = predictions(6, 0.3)
    # Every clip is tested twice, with other answers.
    names = np.array([f"/data/{i % 36}.wav#t=1,2" for i in range(72)])
    y, speakers = np.tile(y[:36], 2), np.tile(speakers[:36], 2)
    ours = Evaluation("p", y, a, speakers, EMOTIONS.tolist(), 36, 6, clips=names)
    theirs = replace(ours, prediction=b)
    expected = paired_difference(y, a, b, speakers)
    # In another order, with other folders and with other names of speakers.
    order = np.concatenate([half + np.random.default_rng(0).permutation(36) for half in (0, 36)])
    renamed = np.array([f"who{speaker}" for speaker in speakers])
    elsewhere = np.array([f"D:\\x\\{name.rpartition('/')[2]}" for name in names])
    for change in ({}, {"groups": renamed}, {"clips": elsewhere}, {"groups": None}):
        changed = replace(theirs, **change)
        moved = replace(
            changed, target=y[order], prediction=b[order], clips=changed.clips[order],
            groups=None if changed.groups is None else changed.groups[order],
        )  # fmt: skip
        assert compare(ours, moved) == expected
        assert compare(moved, ours).difference == -expected.difference
    with pytest.raises(ValueError, match="the first's speaker 0 are of several speakers in the se"):
        compare(ours, replace(theirs, groups=np.arange(72) % 36))
    with pytest.raises(ValueError, match="second's speaker x are of several speakers in the first"):
        compare(ours, replace(theirs, groups=np.full(72, "x")))
    # File names that stand in several folders say nothing without them.
    same = np.array([f"/{i % 36}/clip.wav" for i in range(72)])
    with pytest.raises(ValueError, match="72 of 72 predictions are in the first alone"):
        compare(ours, replace(theirs, clips=same))
    with pytest.raises(ValueError, match=r"36 of 72 predictions are in the first alone \(/data/0"):
        compare(ours, replace(theirs, target=y[:36], prediction=b[:36], clips=names[:36]))


def test_lengths_that_differ_are_refused():
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        paired_difference(["sad"] * 3, ["sad"] * 2, ["sad"] * 3, [1, 2, 3])


@pytest.mark.parametrize("other", ["predictions.csv", pd.DataFrame({"clip": []}), None])
def test_what_is_no_evaluation_is_refused(other):
    y, a, _, speakers = predictions(6, 0.3)
    evaluation = Evaluation("p", y, a, speakers, EMOTIONS.tolist(), 72, 6)
    for pair in ((evaluation, other), (other, evaluation)):
        with pytest.raises(TypeError, match=f"evaluations, found {type(other).__name__}. Pass"):
            compare(*pair)
