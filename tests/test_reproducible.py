"""The same seed gives the same numbers, in any process.

The later cases are processes of their own; this file is also the script that they run.
"""

import json
import os
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
from joblib import parallel_config
from sklearn.exceptions import ConvergenceWarning
from threadpoolctl import threadpool_limits

from skemotion.datasets import load_ravdess, make_ravdess
from skemotion.model_selection import PROTOCOLS, WithinGroupShuffleSplit, evaluate
from skemotion.pipeline import make_emotion_pipeline

CASES = {
    "plain": {},
    # The cache is empty here, and full in the next case.
    "threads": {"backend": "threading", "n_jobs": 2, "order": 1, "memory": True},
    "processes": {"backend": "loky", "n_jobs": 2, "order": 2, "memory": True},
    "blas": {"blas": 2},
}
MODALITIES = ("video", "audio")


def work(case, corpus_path, memory, result_path):
    """Do everything once, and keep the numbers in the order of the corpus."""
    corpus = load_ravdess(corpus_path)
    settings = {"classifier__max_iter": 40}
    if case.get("memory"):
        settings |= {f"features__{name}__clips__memory": memory for name in MODALITIES}
    model = make_emotion_pipeline(recipe="reference").set_params(
        features__video__clips__load__size=(40, 48),
        features__video__tucker__ranks=(3, 4, 4, None, 1),
        features__audio__tucker__ranks=(6, 20),
        **settings,
    )
    warnings.simplefilter("ignore", ConvergenceWarning)
    backend, n_jobs = case.get("backend", "loky"), case.get("n_jobs", 1)
    with parallel_config(backend, n_jobs=n_jobs):
        model.fit(corpus.data, corpus.target)
        # What is asked of the fitted model comes in another order, and goes back into this one.
        order = np.arange(len(corpus.data))
        if case.get("order"):
            order = np.random.default_rng(case["order"]).permutation(order)
        back, shuffled = np.argsort(order), corpus.data.iloc[order]
        result = {}
        for name in MODALITIES:
            branch = model["features"].named_transformers_[name]
            result[name] = branch["clips"].transform(shuffled[name])[back]
            result[f"{name}_core"] = branch.transform(shuffled[name])[back]
        result["shares"] = model.predict_proba(corpus.data)
        result["prediction"] = model.predict(shuffled)[back]
        result["shuffled_shares"] = model.predict_proba(shuffled)[back]
        result["lone_shares"] = np.concatenate(
            [model.predict_proba(corpus.data.iloc[[row]]) for row in range(3)]
        )
        evaluations = evaluate(
            model, corpus.data, corpus.target, corpus.groups, protocol=PROTOCOLS, n_jobs=n_jobs
        )
    for evaluation in evaluations:
        result[evaluation.protocol] = evaluation.prediction
        figures = (evaluation.uar, *evaluation.uar_interval)
        result[f"{evaluation.protocol}_figures"] = np.array(figures)
    splitter = WithinGroupShuffleSplit(random_state=3)
    for number, split in enumerate(splitter.split(corpus.data, groups=corpus.groups)):
        result[f"split_{number}"] = np.concatenate([*split, [len(split[0])]])
    np.savez(result_path, **result)


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    folder = tmp_path_factory.mktemp("reproducible")
    corpus = make_ravdess(
        folder / "corpus", n_actors=3, emotions=["happy", "sad"], n_statements=1,
        duration=0.5, frame_size=(120, 144),
    )  # fmt: skip

    def run(name):
        n_threads = str(CASES[name].get("blas", 1))
        environment = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
            "PYTHONHASHSEED": str(list(CASES).index(name)),
            "OMP_NUM_THREADS": n_threads,
            "OPENBLAS_NUM_THREADS": n_threads,
            "MKL_NUM_THREADS": n_threads,
        }
        words = [json.dumps(CASES[name]), corpus, folder / "cache", folder / f"{name}.npz"]
        command = [sys.executable, __file__, *map(str, words)]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr

    made, n_entries = {}, []
    for name, case in CASES.items():
        if name in ("plain", "threads"):
            # Here, which compiles what processes find compiled, and has its own seed of hashes.
            with threadpool_limits(1), warnings.catch_warnings():
                work(case, corpus, folder / "cache", folder / f"{name}.npz")
        else:
            run(name)
        with np.load(folder / f"{name}.npz") as result:
            made[name] = dict(result)
        n_entries.append(len(list((folder / "cache").rglob("*.clip"))))
    return made, n_entries


def assert_same(results, name, *keys):
    for key in keys:
        np.testing.assert_array_equal(results[name][key], results["plain"][key], err_msg=key)


@pytest.mark.parametrize("name", ["threads", "processes", "blas"])
def test_descriptors_cores_and_splits_are_the_same_to_the_bit(results, name):
    """Whatever the workers, the order, the cache and the threads of BLAS."""
    results, _ = results
    for modality in MODALITIES:
        assert np.ptp(results[name][modality]) > 0
        assert_same(results, name, modality, f"{modality}_core")
    assert_same(results, name, *(f"split_{number}" for number in range(5)))


@pytest.mark.parametrize("name", ["threads", "processes"])
def test_predictions_and_figures_are_the_same_to_the_bit(results, name):
    results, _ = results
    assert_same(results, name, "shares", "prediction", *PROTOCOLS)
    assert_same(results, name, *(f"{protocol}_figures" for protocol in PROTOCOLS))
    assert np.ptp(results[name]["shares"]) > 0.01


def test_threads_of_blas_change_last_digits_of_the_perceptron_only(results):
    """They add in another order, and training carries the difference on."""
    results, _ = results
    np.testing.assert_allclose(
        results["blas"]["shares"], results["plain"]["shares"], rtol=0, atol=1e-6
    )
    assert_same(results, "blas", "prediction", *PROTOCOLS)


@pytest.mark.parametrize("name", CASES)
def test_neighbours_in_a_batch_change_last_digits_of_the_perceptron_only(results, name):
    results, _ = results
    shares = results[name]["shares"]
    for key in ("shuffled_shares", "lone_shares"):
        np.testing.assert_allclose(results[name][key], shares[: len(results[name][key])],
                                   rtol=0, atol=1e-6, err_msg=key)  # fmt: skip


def test_processes_share_a_cache(results):
    """Keys are the same in each, whatever its seed of hashes."""
    _, (_, after_threads, after_processes, _) = results
    assert after_threads == after_processes > 0


if __name__ == "__main__":
    work(json.loads(sys.argv[1]), *map(Path, sys.argv[2:]))
