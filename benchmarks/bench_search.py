"""A grid search from raw clips, with the cache per clip, against scikit-learn's own pipelines.

3 cell sizes x 4 Tucker ranks x 5 folds: ``python benchmarks/bench_search.py [--clips 5]``. The
clips have the bit rate of RAVDESS, and the classifier costs next to nothing: what is compared
is the work on clips.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from corpus import make_heavy
from measure import Aim, Outcome, Row, conclude, duration
from numpy.typing import NDArray
from sklearn.model_selection import GridSearchCV, KFold
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import Pipeline

from skemotion.datasets import load_ravdess, make_ravdess
from skemotion.decomposition import PartialTucker
from skemotion.pipeline import ClipCache, ClipPipeline
from skemotion.video import HOG3D, VideoLoader

CELLS = [(5, 5, 6), (5, 10, 12), (10, 10, 12)]
RANKS = [(3, 8, 8, None, 1), (2, 8, 8, None, 1), (3, 4, 4, None, 1), (3, 8, 8, None, 2)]


def search(
    steps: list[tuple[str, Any]], prefix: str, clips: list[str], target: NDArray, memory: Any = None
) -> NDArray:
    model = Pipeline(
        [*steps, ("tucker", PartialTucker()), ("classifier", GaussianNB())],
        memory=memory,
    )
    grid = {f"{prefix}hog3d__cell_size": CELLS, "tucker__ranks": RANKS}
    found = GridSearchCV(model, grid, cv=KFold(5), refit=False).fit(clips, target)
    return np.asarray(found.cv_results_["mean_test_score"])


def main(arguments: Sequence[str] | None = None) -> Outcome:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clips", type=int, default=5)
    args = parser.parse_args(arguments)
    with TemporaryDirectory() as folder:
        corpus_path = Path(folder, "corpus")
        make_ravdess(corpus_path, n_actors=1, modalities=["full"], duration=3.7,
                     n_statements=2, n_jobs=-1)  # fmt: skip
        corpus = load_ravdess(corpus_path)
        order = np.random.default_rng(0).permutation(len(corpus.data))[: args.clips]
        drawn, target = corpus.data["video"].iloc[order], corpus.target[order]
        clips = [
            str(make_heavy(clip, Path(folder, f"{row}.mp4"))) for row, clip in enumerate(drawn)
        ]
        stages = [("load", VideoLoader()), ("hog3d", HOG3D())]
        memory = Path(folder, "clips")
        cached = [("clips", ClipPipeline(stages, memory=memory))]
        ways = {
            "Pipeline": lambda: search(stages, "", clips, target),
            "Pipeline(memory=...)": lambda: search(
                stages, "", clips, target, memory=str(Path(folder, "joblib"))
            ),
            "ClipPipeline(memory=...)": lambda: search(cached, "clips__", clips, target),
            "ClipPipeline, a second run": lambda: search(cached, "clips__", clips, target),
        }
        work = (
            f"Search over 3 cell sizes x 4 ranks x 5 folds, {len(clips)} clips at RAVDESS' bit rate"
        )
        print(f"\n{work}")
        times, scores = {}, {}
        for name, way in ways.items():
            start = time.perf_counter()
            scores[name] = way()
            times[name] = time.perf_counter() - start
            print(f"  {name:34} {times[name]:8.1f} s   x{times['Pipeline'] / times[name]:6.1f}",
                  flush=True)  # fmt: skip
        print(f"  {ClipCache(memory)}")
    same = all(np.array_equal(score, scores["Pipeline"]) for score in scores.values())
    plain, peer, ours, again = times.values()
    return Outcome(
        [
            Row(
                f"{work} (`bench_search.py`)",
                f"`Pipeline`: {duration(plain)}",
                f"`Pipeline(memory=...)`: {duration(peer)}",
                f"{duration(ours)}; again {duration(again)}",
                [Aim(plain / ours, 15), Aim(peer / ours, 1, label="of the peer")],
                f"{'equal' if same else 'different'} scores",
                same,
            )
        ]
    )


if __name__ == "__main__":
    conclude(main())
