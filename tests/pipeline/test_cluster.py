import numpy as np
import pytest
from distributed import Client, LocalCluster
from joblib import effective_n_jobs, parallel_config
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline

from skemotion import MediaError
from skemotion.datasets import load_ravdess, make_ravdess
from skemotion.decomposition import PartialTucker
from skemotion.pipeline import ClipCache, ClipPipeline, _running
from skemotion.pipeline._jobs import Key
from skemotion.video import HOG3D, VideoLoader


@pytest.fixture(scope="module")
def clips(tmp_path_factory):
    folder = tmp_path_factory.mktemp("corpus")
    make_ravdess(
        folder, n_actors=2, emotions=["calm", "angry"], n_statements=1, modalities=["video-only"],
        duration=0.5, frame_size=(90, 160),
    )  # fmt: skip
    corpus = load_ravdess(folder)
    return corpus.data["video"], corpus.target


@pytest.fixture(scope="module")
def cluster():
    """Two workers, each a process."""
    with (
        LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster,
        Client(cluster),
        parallel_config(backend="dask"),
    ):
        yield cluster


def describe(**parameters):
    steps = [
        ("load", VideoLoader(n_frames=5, scale=1)),
        ("hog3d", HOG3D(cell_size=(5, 15, 20))),
    ]
    return ClipPipeline(steps, **parameters)


def search(memory):
    model = make_pipeline(
        describe(memory=memory), PartialTucker((1, 2, 2, None, 1)), LogisticRegression()
    )
    grid = {"clippipeline__hog3d__n_bins": [5, 9], "partialtucker__tol": [1e-4]}
    return GridSearchCV(model, grid, cv=2)


def test_a_cluster_gives_the_same_numbers(clips, tmp_path, request):
    X, y = clips
    alone = describe().fit_transform(X)
    scores = search(tmp_path / "alone").fit(X, y).cv_results_["mean_test_score"]
    request.getfixturevalue("cluster")
    assert effective_n_jobs(None) == 2
    np.testing.assert_array_equal(describe().fit_transform(X), alone)
    for memory in (None, tmp_path / "shared"):
        found = search(memory).fit(X, y).cv_results_["mean_test_score"]
        np.testing.assert_array_equal(found, scores)
    # The workers share the cache: a clip's pictures, and two descriptors of it.
    assert ClipCache(tmp_path / "shared").n_entries == 3 * len(X)


@pytest.mark.usefixtures("cluster")
def test_a_clip_that_is_not_there_is_named_by_a_cluster(clips, tmp_path):
    with pytest.raises(MediaError, match=r"gone\.mp4: .*no such file"):
        describe().transform([*clips[0], tmp_path / "gone.mp4"])


@pytest.mark.usefixtures("cluster")
def test_workers_that_share_the_cache_send_keys(clips, tmp_path, monkeypatch):
    X, _ = clips
    sent = []
    fetched = _running._fetched

    def noted(result, *arguments):
        sent.append(type(result))
        return fetched(result, *arguments)

    monkeypatch.setattr(_running, "_fetched", noted)
    steps = [("load", VideoLoader(n_frames=5, scale=1))]
    expected = ClipPipeline(steps).fit_transform(X)
    for _ in range(2):  # the second time from the cache
        pipeline = ClipPipeline(steps, memory=tmp_path / "cache")
        np.testing.assert_array_equal(pipeline.fit_transform(X), expected)
    assert sent == [Key] * 2 * len(X)
    # The mark that told the workers so is gone.
    assert ClipCache(tmp_path / "cache").n_entries == len(X)
    # Whoever sees another folder of that name sends the arrays; a lost entry is made again.
    monkeypatch.setattr(ClipCache, "mark", lambda cache: "0" * 32)
    np.testing.assert_array_equal(pipeline.transform(X), expected)
    assert sent[2 * len(X) :] == [np.ndarray] * len(X)
    monkeypatch.setattr(_running, "_DELAYS", (0.0,))
    job, cache = pipeline._job(), ClipCache(tmp_path / "cache")
    lost = fetched(Key("1" * 32), job, cache, np.array([X.iloc[0]], dtype=object), "clip 0", 0)
    np.testing.assert_array_equal(lost[0], expected[0])
