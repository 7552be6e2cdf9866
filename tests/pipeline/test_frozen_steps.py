import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from skemotion import load_model, save_model
from skemotion.decomposition import PartialTucker
from skemotion.pipeline import ClipCache, ClipPipeline
from skemotion.video import HOG3D, VideoLoader

RANKS = (2, 3, 3, None, 1)
STEPS = [("load", VideoLoader(n_frames=10, scale=1)), ("hog3d", HOG3D())]


@pytest.fixture(scope="module")
def clips():
    rng = np.random.default_rng(0)
    return [rng.integers(0, 256, (10, 30, 36), dtype=np.uint8) for _ in range(8)]


@pytest.fixture(scope="module")
def tucker(clips):
    """Fitted on a share of the clips."""
    return PartialTucker(RANKS).fit(ClipPipeline(STEPS).fit_transform(clips[:5]))


def compress(tucker, **parameters):
    return ClipPipeline([*STEPS, ("tucker", FrozenEstimator(tucker))], **parameters)


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_clips_become_the_cores_that_they_become_in_a_stack(clips, tucker, n_jobs, tmp_path):
    expected = tucker.transform(ClipPipeline(STEPS).fit_transform(clips))
    pipeline = compress(tucker, n_jobs=n_jobs, memory=tmp_path)
    for _ in range(2):  # the second time from the cache
        np.testing.assert_array_equal(pipeline.fit_transform(clips), expected)
    np.testing.assert_array_equal(clone(pipeline).fit(clips[6:]).transform(clips), expected)
    assert pipeline.get_feature_names_out()[1] == tucker.get_feature_names_out()[1]
    assert (
        compress(tucker, flatten=True, on_error="nan").fit_transform(clips).shape == expected.shape
    )


def test_other_factors_are_other_entries_of_the_cache(clips, tucker, tmp_path):
    first = compress(tucker, memory=tmp_path).fit_transform(clips)
    n_entries = ClipCache(tmp_path).n_entries
    other = PartialTucker(RANKS).fit(ClipPipeline(STEPS).fit_transform(clips[3:]))
    second = compress(other, memory=tmp_path).fit_transform(clips)
    assert np.abs(first - second).max() > 1e-3
    # Pictures and descriptors are the same, the cores are not.
    assert ClipCache(tmp_path).n_entries == n_entries + len(clips)
    again = PartialTucker(RANKS).fit(ClipPipeline(STEPS).fit_transform(clips[3:]))
    np.testing.assert_array_equal(compress(again, memory=tmp_path).fit_transform(clips), second)
    assert ClipCache(tmp_path).n_entries == n_entries + len(clips)


def test_what_is_not_fitted_is_refused(clips, tucker):
    with pytest.raises(NotFittedError, match="PartialTucker instance is not fitted"):
        compress(PartialTucker(RANKS)).fit(clips)
    with pytest.raises(ValueError, match=r"may learn .* or put it in fitted, as sklearn\.frozen"):
        ClipPipeline([*STEPS, ("tucker", tucker)]).fit(clips)


def test_models_with_frozen_steps_are_saved(clips, tucker, tmp_path):
    model = make_pipeline(compress(tucker), LogisticRegression()).fit(clips, [0, 1] * 4)
    save_model(model, tmp_path / "model.skops")
    loaded = load_model(tmp_path / "model.skops")
    np.testing.assert_array_equal(loaded.predict_proba(clips), model.predict_proba(clips))
