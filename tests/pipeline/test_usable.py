"""Clips that cannot be used are found and left out, whatever the shape of the model."""

import sys
from pathlib import Path

import cloudpickle
import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.model_selection import GridSearchCV
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import Pipeline, make_pipeline

from skemotion import MediaError
from skemotion.base import ClipTransformer
from skemotion.pipeline import (
    ClipColumnTransformer,
    ClipPipeline,
    find_unusable,
    fit_usable,
    usable_rows,
)
from skemotion.video import FaceCrop, VideoLoader

# Workers cannot import this module where pytest alone knows it.
cloudpickle.register_pickle_by_value(sys.modules[__name__])

N_CLIPS = 8


class Length(ClipTransformer):
    takes = "clips"

    def transform_clip(self, clip):
        if b"bad" in clip:
            raise MediaError(f"{clip.decode()}: expected a good clip.")
        return [len(clip), clip[1]]


class Mistaken(ClipTransformer):
    takes = "clips"

    def transform_clip(self, clip):
        return clip.no_such_method()


class Fused(ClassifierMixin, BaseEstimator):
    """Has the attributes by which a fusion is known."""

    tolerates_missing_branches = True

    def __init__(self, estimators):
        self.estimators = estimators


def stages(**settings):
    return ClipPipeline([("length", Length())], **settings)


def columns(**settings):
    branches = [(name, stages(**settings), name) for name in ("video", "audio")]
    return ColumnTransformer(branches)


def table():
    X = pd.DataFrame({name: [f"{name[0]}{row}".encode() for row in range(N_CLIPS)] for name in
                      ("video", "audio")}, index=range(50, 50 + N_CLIPS))  # fmt: skip
    X.loc[52, "video"] = b"bad video"
    X.loc[55] = [b"bad picture", b"bad sound"]
    X.loc[57, "audio"] = None
    return X


Y = np.tile(["a", "b"], N_CLIPS // 2)


class Counted(Length):
    """Notes each clip that it is given, in a file that workers share."""

    def __init__(self, notes):
        self.notes = notes

    def transform_clip(self, clip):
        with Path(self.notes).open("ab") as file:
            file.write(clip + b"\n")
        return super().transform_clip(clip)


def test_what_one_branch_cannot_use_is_not_tried_by_the_next(tmp_path):
    """A clip that hangs would cost its time once per branch."""
    notes = tmp_path / "notes"
    stage = ClipPipeline([("length", Counted(str(notes)))])
    branches = [(name, stage, name) for name in ("video", "audio")]
    _, errors = fit_usable(
        make_pipeline(ColumnTransformer(branches), GaussianNB()), table(), Y, max_unusable=3 / 8
    )
    assert [error.row for error in errors] == [2, 5, 7]
    # Good ones are opened once as well: what they give is kept for the fit.
    good = [f"{letter}{row}" for letter in "va" for row in (0, 1, 3, 4, 6)]
    tried = sorted(notes.read_text().splitlines())
    assert tried == sorted([*good, "v7", "bad video", "bad picture"])


def test_a_missing_package_is_found_before_any_clip_is_opened(tmp_path, monkeypatch):
    notes = tmp_path / "notes"
    heard = ClipPipeline([("length", Counted(str(notes)))], memory=tmp_path / "cache")
    seen = ClipPipeline([("load", VideoLoader()), ("crop", FaceCrop())], memory=tmp_path / "cache")
    model = ColumnTransformer([("audio", heard, "audio"), ("video", seen, "video")])
    monkeypatch.setitem(sys.modules, "skimage.feature", None)
    with pytest.raises(ImportError, match=r'^FaceCrop needs scikit-image: .*"skemotion\[image\]"'):
        find_unusable(model, table())
    assert not notes.exists()


@pytest.mark.parametrize("n_jobs", [None, 2])
def test_any_branch_of_columns(n_jobs):
    model = GridSearchCV(make_pipeline("passthrough", columns(), GaussianNB()), {})
    errors = find_unusable(model, table(), n_jobs=n_jobs)
    assert [(error.row, error.step) for error in errors] == [(2, "length"), (5, "length"),
                                                             (7, "length")]  # fmt: skip
    assert errors[0].reason.endswith("bad video: expected a good clip.")
    assert errors[1].clip.startswith("clip 5 (")


def test_a_list_is_in_every_column():
    branches = [(name, stages(), name) for name in ("video", "audio")]
    model = make_pipeline(ClipColumnTransformer(branches), GaussianNB())
    [error] = find_unusable(model, [b"v1", b"bad", b"v2"])
    assert (error.row, error.reason) == (1, "row 1: bad: expected a good clip.")


def test_all_branches_of_a_fusion():
    def branch(**settings):
        return make_pipeline(stages(**settings), GaussianNB())

    # Its branches may make NaN of what they cannot use: it is the row that counts.
    fusion = Fused([("face", branch(), "video"), ("voice", branch(on_error="nan"), ["audio"]),
                    ("none", "drop", "audio")])  # fmt: skip
    [error] = find_unusable(make_pipeline(fusion), table())
    assert error.row == 5
    assert error.reason.replace("row 5: ", "") == (
        "bad picture: expected a good clip.; bad sound: expected a good clip."
    )
    # A column that is not there has no clip in any row.
    assert [e.row for e in find_unusable(fusion, table()[["video"]])] == [2, 5]
    assert [e.row for e in find_unusable(fusion, list(table()["video"]))] == [2, 5]
    # Whoever opens no clips may have something to say of any row.
    fusion.set_params(estimators=[("face", branch(), "video"), ("rest", GaussianNB(), ["age"])])
    assert not find_unusable(fusion, table().assign(age=30))


def test_what_the_model_deals_with_itself():
    model = make_pipeline(columns(on_error="nan"), SimpleImputer(), GaussianNB())
    assert not find_unusable(model, table())
    assert not find_unusable(GaussianNB(), np.zeros((3, 2)))
    assert not find_unusable(Pipeline([("nothing", None)]), table())


def test_fit_leaves_them_out():
    model = make_pipeline(columns(), GaussianNB())
    before = repr(model)
    fitted, errors = fit_usable(model, table(), Y, max_unusable=3 / 8)
    assert [error.row for error in errors] == [2, 5, 7]
    rows = [0, 1, 3, 4, 6]
    expected = clone(model).fit(table().iloc[rows], Y[rows])
    np.testing.assert_array_equal(fitted[-1].theta_, expected[-1].theta_)
    assert repr(model) == before
    assert all(branch.memory is None for _, branch, _ in fitted[0].transformers_)


def test_too_many():
    with pytest.raises(
        ValueError, match="3 of 8 clips cannot be used, and at most 25% may be"
    ) as e:
        fit_usable(make_pipeline(columns(), GaussianNB()), table(), Y, max_unusable=0.25)
    assert "\n  row 2: bad video: expected a good clip.\n" in str(e.value)
    with pytest.raises(ValueError, match=r"8 of 8 clips cannot be used\. Replace"):
        usable_rows(find_unusable(stages(), [b"bad"] * 8), 8, 1.0)
    with pytest.raises(ValueError, match="max_unusable must be a share"):
        usable_rows([], 8, 10)
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        fit_usable(stages(), [b"a", b"b"], ["a"])


def test_mistakes_are_not_taken_for_bad_clips():
    with pytest.raises(AttributeError, match="no_such_method"):
        find_unusable(ClipPipeline([("own", Mistaken())]), [b"a", b"b"])


class Asks(GaussianNB):
    def fit(self, X, y, groups=None):
        self.groups_ = groups
        return super().fit(X, y)


def test_speakers_reach_the_step_that_takes_them():
    fitted, _ = fit_usable(
        make_pipeline(columns(), make_pipeline(Asks())), table(), Y, range(8), max_unusable=0.5
    )
    np.testing.assert_array_equal(fitted[-1][-1].groups_, [0, 1, 3, 4, 6])
