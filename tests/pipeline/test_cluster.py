import os
import signal
import socket
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from distributed import Client, LocalCluster
from joblib import effective_n_jobs, parallel_config
from sklearn.compose import ColumnTransformer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline

from skemotion import MediaError, cli
from skemotion.base import ClipFunction
from skemotion.cli import _work
from skemotion.datasets import load_ravdess, make_ravdess
from skemotion.decomposition import PartialTucker
from skemotion.pipeline import ClipCache, ClipPipeline, UnusableClipWarning, _running
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
        LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=":0") as cluster,
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


def deadly_if(brightness):
    """Make a step that dies of clips of one brightness; workers cannot import this module."""

    def step(frames):
        if frames[0, 0, 0] == brightness:
            os.kill(os.getpid(), signal.SIGSEGV)
        return frames / 2

    return ClipFunction(step, takes="frames")


@pytest.mark.usefixtures("cluster")
def test_a_clip_that_crashes_ends_no_worker_of_a_cluster():
    pids = Client.current().run(os.getpid)
    frames = [np.full((5, 30, 40), value, dtype=np.uint8) for value in range(4)]
    pipeline = ClipPipeline([("step", deadly_if(2))], on_error="nan")
    with pytest.warns(UnusableClipWarning, match=r"clip 2.*crashes.*SIGSEGV"):
        got = pipeline.transform(frames)
    assert [error.row for error in pipeline.errors_] == [2]
    np.testing.assert_array_equal(got[:, 0, 0, 0], [0, 0.5, np.nan, 1.5])
    assert Client.current().run(os.getpid) == pids


def test_commands_send_clips_to_a_cluster(cluster, clips, tmp_path, monkeypatch, capsys):
    def make(*, memory=None, **_):
        see = describe(memory=memory, flatten=True)
        return make_pipeline(ColumnTransformer([("video", see, "video")]), GaussianNB())

    monkeypatch.setattr(_work, "make_emotion_pipeline", make)
    X, _ = clips
    corpus, model = Path(X.iloc[0]).parents[1], tmp_path / "model.skops"
    there = ["--backend", "dask", "--address", cluster.scheduler_address]
    on_corpus = [str(corpus), "--modality", "video", "--cache", str(tmp_path / "cache")]
    tables = []
    with parallel_config(backend="threading"):  # rather than what `cluster` has set
        for place in (there, ["--jobs", "1"]):
            tables.append(tmp_path / f"{len(tables)}.csv")
            for words in (
                ["train", *on_corpus, "-o", str(model)],
                ["evaluate", *on_corpus, "--protocol", "speaker-independent"],
                ["predict", str(model), str(corpus), "-o", str(tables[-1])],
            ):
                before = cluster.scheduler.transition_counter
                assert cli.main([*words, *place]) == 0, capsys.readouterr().err
                n_steps = cluster.scheduler.transition_counter - before
                assert n_steps > 2 * len(X) if place is there else n_steps == 0
    pd.testing.assert_frame_equal(*map(pd.read_csv, tables))


def test_a_cluster_that_is_not_there_is_named(tmp_path, capsys):
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))  # and does not listen
        port = nobody.getsockname()[1]
        for words, message in (
            (["--backend", "dask"], "A cluster needs both --backend dask and --address tcp:"),
            (["--address", f"tcp://127.0.0.1:{port}"], "A cluster needs both"),
            (["--backend", "dask", "--address", f"tcp://127.0.0.1:{port}"], "Start one with `dask"),
            (["--backend", "dask", "--address", "scheduler"], "scheduler: expected the address"),
        ):
            assert cli.main(["predict", str(tmp_path / "model"), str(tmp_path), *words]) == 1
            assert message in capsys.readouterr().err
    train = ["train", str(tmp_path), "-o", str(tmp_path / "model")]
    assert cli.main([*train, "--backend", "dask", "--address", "tcp://scheduler:8786"]) == 1
    assert "A cluster needs --cache FOLDER" in capsys.readouterr().err
