"""Compare the recipes on one corpus: raw and per speaker, on folds of speakers and on halves.

    python examples/compare_recipes.py                      # a synthetic corpus, sound alone
    python examples/compare_recipes.py RAVDESS --landmarks FacialTracking.zip --folds 6
    python examples/compare_recipes.py java-sed --naming java-sed --folds 6

Prints a table: unweighted average recall (UAR) with its 95 % interval over speakers, expected
calibration error (ECE), and the time that all folds took once clips were described. In the rows
marked "own clips", each speaker's clips are scaled by that speaker's own unlabelled ones. "Halves"
trains on one half of the speakers and tests on the other, in the order of their names, and back.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from sklearn.model_selection import GroupKFold
from sklearn.utils import Bunch

from skemotion.base import model_parts
from skemotion.datasets import NAMINGS, load_corpus, load_ravdess, make_ravdess
from skemotion.model_selection import Evaluation, evaluate, expected_calibration_error
from skemotion.pipeline import make_emotion_pipeline
from skemotion.video import FaceLandmarks, VideoLoader, common_frame_size

RECIPES = ("functionals", "rockets", "reference")


def main(arguments: list[str] | None = None) -> list[tuple[str, ...]]:
    options = parse(arguments)
    with TemporaryDirectory() as folder:
        corpus = load(options, Path(folder))
        cache = options.cache or Path(folder) / "cache"
        print(
            f"{len(corpus.target)} clips of {len(np.unique(corpus.groups))} speakers, "
            f"{len(corpus.target_names)} emotions; guessing gives "
            f"{1 / len(corpus.target_names):.1%} UAR.\n"
        )
        print("| recipe | modality | own clips | split | UAR | ECE | fits, s |")
        print("| --- | --- | --- | --- | --- | ---: | ---: |")
        rows = []
        for title, model in models(options, corpus, cache):
            for split, cv in splits(corpus, options.folds):
                start = time.perf_counter()
                result = evaluate(model, corpus.data, corpus.target, corpus.groups, cv=cv)
                seconds = time.perf_counter() - start
                rows.append((*title, split, *figures(result), f"{seconds:.0f}"))
                print("| " + " | ".join(rows[-1]) + " |", flush=True)
        return rows


def parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("corpus", nargs="?", help="folder of clips; a synthetic corpus by default")
    parser.add_argument("--naming", choices=NAMINGS, default="ravdess")
    parser.add_argument("--landmarks", help="RAVDESS' published landmarks, zip or folder")
    parser.add_argument("--model", help="path of face_landmarker.task, if it was not fetched")
    parser.add_argument("--picture", choices=("face", "landmarks", "hog3d"))
    parser.add_argument("--recipes", nargs="+", choices=RECIPES, default=["functionals"])
    parser.add_argument("--modalities", nargs="+", default=["audio", "video", "both"])
    parser.add_argument("--folds", type=int, default=6)
    parser.add_argument("--no-own-clips", action="store_true", help="leave out these rows")
    parser.add_argument("--cache", type=Path, help="keep what is made of each clip there")
    parser.add_argument("--jobs", type=int, default=2)
    return parser.parse_args(arguments)


def load(options: argparse.Namespace, folder: Path) -> Bunch:
    if options.corpus is None:
        emotions = ["neutral", "happy", "sad"]
        make_ravdess(folder / "corpus", n_actors=4, emotions=emotions, duration=1.0)
        options.modalities = ["audio"]
        return load_corpus(folder / "corpus")
    if options.landmarks is not None:
        options.picture = options.picture or "landmarks"
        return load_ravdess(options.corpus, landmarks=options.landmarks)
    return load_corpus(options.corpus, naming=options.naming)


def models(
    options: argparse.Namespace, corpus: Bunch, cache: Path
) -> Iterator[tuple[tuple[str, str, str], Any]]:
    """Give every model, and the first cells of its rows."""
    shared = {"memory": cache, "n_jobs": options.jobs}
    for recipe in options.recipes:
        for modality in options.modalities:
            for own in (False, True):
                if own and (options.no_own_clips or recipe == "reference"):
                    continue
                if recipe == "reference":
                    model = make_emotion_pipeline(modality, recipe=recipe, **shared)
                else:
                    model = make_emotion_pipeline(
                        modality,
                        recipe=recipe,
                        picture=options.picture or "face",
                        speaker="speaker" if own else None,
                        **shared,
                    )
                fit_to_clips(model, options, corpus, recipe)
                yield (recipe, modality, "own clips" if own else ""), model


def fit_to_clips(model: Any, options: argparse.Namespace, corpus: Bunch, recipe: str) -> None:
    """Set what depends on the clips: one frame size, and where the networks are."""
    for part in model_parts(model):
        if isinstance(part, VideoLoader) and recipe == "reference":
            part.set_params(size=common_frame_size(corpus.data["video"]))
        if isinstance(part, FaceLandmarks):
            part.set_params(model_path=options.model)


def splits(corpus: Bunch, n_folds: int) -> Iterator[tuple[str, Any]]:
    """Give the folds of speakers, and the two halves."""
    speakers = np.unique(corpus.groups)
    yield f"{min(n_folds, len(speakers))} folds", GroupKFold(min(n_folds, len(speakers)))
    first = np.isin(corpus.groups, speakers[: len(speakers) // 2])
    rows = np.flatnonzero(first), np.flatnonzero(~first)
    yield "halves", [rows, rows[::-1]]


def figures(result: Evaluation) -> tuple[str, str]:
    low, high = result.uar_interval
    error = "-"
    if result.probabilities is not None:
        error = (
            f"{expected_calibration_error(result.target, result.probabilities, result.labels):.3f}"
        )
    return f"{100 * result.uar:.1f} [{100 * low:.1f}, {100 * high:.1f}]", error


if __name__ == "__main__":
    main()
