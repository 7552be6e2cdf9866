"""What the parts of the recipes are worth: each is left out or changed, on folds of new speakers.

    python examples/ablations.py                      # a synthetic corpus, sound alone
    python examples/ablations.py sound RAVDESS
    python examples/ablations.py divisions RAVDESS    # by how much the choice of folds moves it
    python examples/ablations.py speakers RAVDESS --landmarks FacialTracking_Actors_01-12.zip
    python examples/ablations.py landmarks RAVDESS --landmarks FacialTracking_Actors_01-12.zip
    python examples/ablations.py fusion RAVDESS --landmarks FacialTracking_Actors_01-12.zip
    python examples/ablations.py fusion java-sed --naming java-sed
    python examples/ablations.py hog3d java-sed --naming java-sed

Prints a table: unweighted average recall (UAR) with its 95 % interval over speakers, and the
difference to the recipe, paired over speakers. Of many differences some look large by chance: the
recipes do not follow the highest figure. With `--cache`, clips are described once for all runs.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, GroupKFold
from sklearn.pipeline import Pipeline
from sklearn.utils import Bunch

from skemotion.audio import functional_names
from skemotion.base import model_parts
from skemotion.classification import FusionClassifier
from skemotion.datasets import NAMINGS, load_corpus, load_ravdess, make_ravdess
from skemotion.model_selection import Evaluation, compare, evaluate
from skemotion.pipeline import ClipPipeline, make_emotion_pipeline
from skemotion.preprocessing import SpeakerScaler
from skemotion.video import HOG3D, FaceCrop, FaceLandmarks, VideoLoader

# Bands of what is seen, by words in the names of measures; the first that fits.
REGIONS = {
    "mouth": ("mouth", "lip"),
    "jaw": ("jaw", "chin"),
    "brows": ("brow",),
    "eyes": ("lid",),
    "nose": ("nose", "nostril"),
}


class Variant(NamedTuple):
    """A model and its input; the recipe itself is the first of a table."""

    title: str
    model: Any
    X: Any


def main(arguments: list[str] | None = None) -> list[tuple[str, Evaluation]]:
    options = parse(arguments)
    with TemporaryDirectory() as folder:
        corpus = load(options, Path(folder))
        options.cache = options.cache or Path(folder) / "cache"
        n_speakers = len(np.unique(corpus.groups))
        folds = GroupKFold(min(options.folds, n_speakers))
        print(f"{len(corpus.target)} clips of {n_speakers} speakers, {folds.n_splits} folds\n")
        found = []
        if options.part == "divisions":
            return divisions(corpus, options, folds.n_splits)
        if options.part == "speakers":
            return speakers(corpus, options)
        variants = {"sound": sound, "landmarks": landmarks, "fusion": fusion, "hog3d": hog3d}
        for table in variants[options.part](corpus, options):
            # Without the temperature of a fusion, the probabilities of one modality are raw.
            last = ["ECE"] if options.part == "fusion" else []
            print_row("what", "UAR", "difference", *last)
            print_row("---", "---", "---", *("---:" for _ in last))
            recipe = None
            for title, model, X in table:
                splits = list(folds.split(corpus.target, groups=corpus.groups))
                if isinstance(X, Missing):
                    result = X.evaluate(model, corpus, splits)
                else:
                    result = evaluate(model, X, corpus.target, corpus.groups, cv=splits)
                recipe = recipe or result
                cells = figures(result, recipe)
                print_row(title, *cells[: 2 + len(last)])
                found.append((title, result))
            print()
        return found


def parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parts = ("sound", "landmarks", "fusion", "hog3d", "divisions", "speakers")
    parser.add_argument("part", nargs="?", choices=parts, default="sound")
    parser.add_argument("corpus", nargs="?", help="folder of clips; a synthetic corpus by default")
    parser.add_argument("--naming", choices=NAMINGS, default="ravdess")
    parser.add_argument("--landmarks", help="RAVDESS' published landmarks, zip or folder")
    parser.add_argument("--model", help="path of face_landmarker.task, if it was not fetched")
    parser.add_argument("--folds", type=int, default=6)
    parser.add_argument("--cache", type=Path, help="keep what is made of each clip there")
    parser.add_argument("--jobs", type=int, default=2)
    return parser.parse_args(arguments)


def load(options: argparse.Namespace, folder: Path) -> Bunch:
    if options.corpus is None:
        emotions = ["neutral", "happy", "sad"]
        make_ravdess(folder / "corpus", n_actors=3, emotions=emotions, duration=0.5)
        return load_corpus(folder / "corpus")
    if options.landmarks is not None:
        return load_ravdess(options.corpus, landmarks=options.landmarks)
    return load_corpus(options.corpus, naming=options.naming)


def print_row(*cells: str) -> None:
    print("| " + " | ".join(cells) + " |", flush=True)


def figures(result: Evaluation, recipe: Evaluation) -> tuple[str, str, str]:
    low, high = (100 * bound for bound in result.uar_interval)
    change = ""
    if result is not recipe:
        paired = compare(recipe, result)
        # Adding 0 makes -0.0 positive.
        points = [round(100 * x, 1) + 0 for x in (paired.difference, *paired.interval)]
        change = "{:+.1f} [{:+.1f}, {:+.1f}]".format(*points)
    error = result.calibration_error
    return f"{100 * result.uar:.1f} % [{low:.1f}, {high:.1f}]", change, f"{error:.3f}"


def described(modality: str, corpus: Bunch, options: argparse.Namespace) -> tuple[Any, Any]:
    """Describe the clips by a recipe's stages; give its other steps, and the descriptions."""
    picture = "landmarks" if "landmarks" in corpus.data else "face"
    model = make_emotion_pipeline(modality, picture=picture)
    (_, branch, column), *_ = model.estimators
    clips = branch[0].set_params(memory=options.cache, n_jobs=options.jobs)
    X = clips.fit_transform(corpus.data[column])
    return Pipeline(branch.steps[1:]), pd.DataFrame(X, columns=clips.get_feature_names_out())


def without(model: Pipeline, *names: str) -> Pipeline:
    return clone(model).set_params(**dict.fromkeys(names, "passthrough"))


def sound(corpus: Bunch, options: argparse.Namespace) -> Iterator[list[Variant]]:
    """Leave blocks of functionals out, and steps of the classifier."""
    model, X = described("audio", corpus, options)
    X = X.to_numpy()
    blocks = ("mfcc", "mel", "prosody", "formants", "spectrum", "modulation", "timing", "contour",
              "thirds")  # fmt: skip
    numbers = np.repeat(np.arange(len(blocks)), [len(functional_names((b,))) for b in blocks])
    own = {name: numbers == number for number, name in enumerate(blocks)}
    recipe = Variant("the recipe", model, X)
    yield [
        recipe,
        *(Variant(f"without {name}", model, X[:, ~mask]) for name, mask in own.items()),
        *(Variant(f"{name} alone", model, X[:, mask]) for name, mask in own.items()),
    ]
    yield [
        recipe,
        Variant("without weighting", without(model, "weight"), X),
        Variant("without clipping", without(model, "clip"), X),
        *(
            Variant(f"shrinkage {share}", clone(model).set_params(lda__shrinkage=share), X)
            for share in (0.1, 0.3, 0.7, 0.9, "auto")
        ),
    ]


def divisions(
    corpus: Bunch, options: argparse.Namespace, n_folds: int, n_divisions: int = 10
) -> list[tuple[str, Evaluation]]:
    """Divide the speakers into folds at random, again and again: the recipe of sound."""
    model, X = described("audio", corpus, options)
    found = []
    for seed in range(n_divisions):
        cv = GroupKFold(n_folds, shuffle=True, random_state=seed)
        result = evaluate(model, X.to_numpy(), corpus.target, corpus.groups, cv=cv)
        print(f"division {seed}: UAR {100 * result.uar:.1f} %", flush=True)
        found.append((f"division {seed}", result))
    uars = [100 * result.uar for _, result in found]
    print(f"mean {np.mean(uars):.1f} %, standard deviation {np.std(uars):.1f}")
    return found


def speakers(
    corpus: Bunch, options: argparse.Namespace, n_divisions: int = 5
) -> list[tuple[str, Evaluation]]:
    """Train on few speakers chosen at random, test on all others: sound and picture."""
    (audio, A), (video, V) = (described(name, corpus, options) for name in ("audio", "video"))
    X = np.hstack([A, V])
    parts = (slice(0, A.shape[1]), slice(A.shape[1], None))
    model = FusionClassifier([("audio", audio, parts[0]), ("video", video, parts[1])])
    everyone = np.unique(corpus.groups)
    print_row("training speakers", "UAR", "ECE")
    print_row("---:", "---", "---:")
    found = []
    for n_speakers in (2, 3, 4, 6, 8, 10):
        if n_speakers >= len(everyone):
            break
        results = []
        for seed in range(n_divisions):
            chosen = np.random.default_rng(seed).permutation(everyone)[:n_speakers]
            known = np.isin(corpus.groups, chosen)
            split = [(np.flatnonzero(known), np.flatnonzero(~known))]
            results.append(evaluate(model, X, corpus.target, corpus.groups, cv=split))
        uars = [100 * result.uar for result in results]
        error = np.mean([result.calibration_error for result in results])
        print_row(str(n_speakers), f"{np.mean(uars):.1f} % (sd {np.std(uars):.1f})", f"{error:.3f}")
        found += [(f"{n_speakers} speakers", result) for result in results]
    return found


def landmarks(corpus: Bunch, options: argparse.Namespace) -> Iterator[list[Variant]]:
    """Leave out parts of the face, statistics, and one of two classifiers."""
    model, X = described("video", corpus, options)
    part_of, kind_of = map(np.array, zip(*map(_part_and_kind, X.columns), strict=True))
    X = X.to_numpy()
    recipe = Variant("the recipe", model, X)
    percentiles = np.char.startswith(kind_of, "p")
    velocities = np.char.startswith(kind_of, "velocity")
    yield [
        recipe,
        *(Variant(f"without {name}", model, X[:, part_of != name]) for name in REGIONS),
        *(Variant(f"{name} alone", model, X[:, part_of == name]) for name in REGIONS),
        Variant("without percentiles", model, X[:, ~percentiles]),
        Variant("without velocities", model, X[:, ~velocities]),
        Variant("without slopes", model, X[:, kind_of != "slope"]),
        Variant("means alone", model, X[:, kind_of == "mean"]),
        Variant("LDA alone", clone(model).set_params(members__logistic="drop"), X),
        Variant("logistic regression alone", clone(model).set_params(members__lda="drop"), X),
        Variant("without temperatures", clone(model).set_params(members__calibrate=False), X),
    ]


def _part_and_kind(name: str) -> tuple[str, str]:
    """Split a name such as brow-gap_velocity_p95."""
    measure, _, statistic = name.partition("_")
    part = next(part for part, words in REGIONS.items() if any(word in measure for word in words))
    return part, statistic


class Missing(NamedTuple):
    """Clips of which a quarter lacks each modality, never both; at test, or at training as well."""

    X: pd.DataFrame
    columns: tuple[str, str]
    in_training: bool

    def evaluate(self, model: Any, corpus: Bunch, splits: Any) -> Evaluation:
        """Train and test on the splits."""
        gone = np.random.default_rng(0).permutation(len(self.X)) * 4 // len(self.X)
        X = self.X.astype(object)
        for number, column in enumerate(self.columns):
            X[column] = X[column].mask(gone == number, None)
        if self.in_training:
            return evaluate(model, X, corpus.target, corpus.groups, cv=splits)
        tables = []
        for train, test in splits:
            fitted = clone(model).fit(
                self.X.iloc[train], corpus.target[train], groups=corpus.groups[train]
            )
            known = {"row": test, "speaker": corpus.groups[test], "target": corpus.target[test]}
            shares = fitted.predict_proba(X.iloc[test])
            named = {f"probability_{c}": shares[:, i] for i, c in enumerate(fitted.classes_)}
            prediction = fitted.classes_[shares.argmax(axis=1)]
            tables.append(pd.DataFrame({**known, "prediction": prediction, **named}))
        return Evaluation.from_frame(pd.concat(tables, ignore_index=True), "speaker-independent")


def fusion(corpus: Bunch, options: argparse.Namespace) -> Iterator[list[Variant]]:
    """Both modalities: without temperatures, and with some of them missing."""
    picture = "landmarks" if "landmarks" in corpus.data else "face"
    model = make_emotion_pipeline(picture=picture, memory=options.cache, n_jobs=options.jobs)
    for part in model_parts(model):
        if isinstance(part, FaceLandmarks):
            part.set_params(model_path=options.model)
    bare = clone(model)
    for part in model_parts(bare):
        if isinstance(part, FusionClassifier):
            part.set_params(calibrate=False)
    columns = ("landmarks" if picture == "landmarks" else "video", "audio")
    X = corpus.data[list(columns)]
    yield [
        Variant("the recipe", model, X),
        Variant("without temperatures", bare, X),
        Variant("a quarter of each missing at test", model, Missing(X, columns, False)),
        Variant("and at training", model, Missing(X, columns, True)),
    ]


def hog3d(corpus: Bunch, options: argparse.Namespace) -> Iterator[list[Variant]]:
    """Pictures without landmarks: how the face is cropped, and how much the ridge shrinks.

    Two tables: raw, and with each speaker's clips scaled by that speaker's own.
    """

    def describe(margin: float = 0.2, trim_dark: bool = True, smoothing: bool = False) -> Any:
        load = VideoLoader(n_frames=60, scale=1, trim_dark=trim_dark)
        # As one step, so that the cache holds faces and not whole frames.
        faces = ClipPipeline([("load", load), ("crop", FaceCrop(margin=margin))])
        cells = HOG3D(cell_size=(15, 16, 16), smoothing=smoothing)
        steps = [("faces", faces), ("hog3d", cells)]
        clips = ClipPipeline(steps, memory=options.cache, n_jobs=options.jobs, flatten=True)
        return pd.DataFrame(clips.fit_transform(corpus.data["video"])).add_prefix("v")

    recipe = make_emotion_pipeline("video", picture="hog3d").estimators[0][1]
    inputs = {
        "the recipe": describe(),
        "margin 0": describe(margin=0.0),
        "with dark ends": describe(trim_dark=False),
        "smoothed": describe(smoothing=True),
    }
    for own in (False, True):
        steps = recipe.steps[1:]
        if own:
            steps = [("own", SpeakerScaler("speaker")), *steps]
            inputs = {name: X.assign(speaker=corpus.groups) for name, X in inputs.items()}
        model = Pipeline(steps)
        X = inputs["the recipe"]
        alphas = [10.0**power for power in range(1, 6)]
        search = GridSearchCV(
            model, {"ridge__alpha": alphas}, scoring="balanced_accuracy", cv=GroupKFold(4)
        )
        yield [
            *(Variant(name, model, X) for name, X in inputs.items()),
            *(
                Variant(f"alpha {alpha:,.0f}", clone(model).set_params(ridge__alpha=alpha), X)
                for alpha in alphas
                if alpha != model[-1].alpha
            ),
            Variant("alpha chosen on inner folds", search, X),
        ]


if __name__ == "__main__":
    main()
