"""Compare all recipes and companion methods: same clips, same speaker-independent folds.

    python examples/compare_methods.py                          # a synthetic corpus
    python examples/compare_methods.py --data corpora            # its java-sed and ravdess
    python examples/compare_methods.py --corpus RAVDESS --landmarks FacialTracking.zip
    python examples/compare_methods.py --corpus FOLDER --naming crema-d --methods "statistics-*"

The recipes of sound are always among them, those with pictures where there are landmarks
(`--landmarks`) or the networks that find them (`--landmarker`). `compare_recipes.py` tests the
recipes further: with each speaker's own clips, and on halves of the speakers.

Each method is an estimator that takes clips, built in a few lines of `build_methods`: take from
there what you need. What is made of each clip is kept in a folder, for all methods and later runs.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from fnmatch import fnmatch
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import sklearn
from sklearn.base import BaseEstimator, clone
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import GaussianNB
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC
from sklearn.utils import Bunch
from threadpoolctl import threadpool_limits

from skemotion.audio import AudioAugmentationSampler, AudioAugmenter, AudioFeatures, AudioLoader
from skemotion.base import group_params, model_parts
from skemotion.classification import (
    FrameVotingClassifier,
    FusionClassifier,
    TrajectoryCNNClassifier,
    TrajectoryRNNClassifier,
)
from skemotion.datasets import (
    NAMINGS,
    concat_corpora,
    load_corpus,
    load_ravdess,
    make_ravdess,
)
from skemotion.decomposition import PartialTucker, TrajectoryStatistics
from skemotion.model_selection import evaluate
from skemotion.pipeline import ClipPipeline, make_emotion_pipeline
from skemotion.video import (
    HOG3D,
    FaceCrop,
    FaceLandmarks,
    FrameHOG,
    ONNXBackbone,
    VideoLoader,
    common_frame_size,
)


class Method(NamedTuple):
    """A way from clips to emotion."""

    title: str
    columns: str | list[str]  # as scikit-learn's ColumnTransformer has it
    build: Callable[[], Pipeline]
    emotions: tuple[str, ...] = ()  # all there are


class Row(NamedTuple):
    """A line of the table; figures are missing where there is a note."""

    method: str
    columns: str = ""
    uar: str = ""
    accuracy: str = ""
    seconds: str = ""
    note: str = ""


def build_methods(
    corpus: Bunch, options: argparse.Namespace, pixels: dict[str, Any]
) -> dict[str, Method]:
    """Give the methods by their names; none is built yet, as its extra may not be installed."""
    cache, jobs, networks = options.cache, options.jobs, options.onnx
    picture = "landmarks" if "landmarks" in corpus.data else "face"

    def clips(*stages: BaseEstimator) -> ClipPipeline:
        steps = [(type(stage).__name__.lower(), stage) for stage in stages]
        return ClipPipeline(steps, memory=cache, n_jobs=jobs, verbose=True)

    def reference(modality: str) -> Pipeline:
        model = make_emotion_pipeline(
            modality, recipe="reference", memory=cache, n_jobs=jobs, verbose=True
        )
        if modality != "audio":
            size = common_frame_size(corpus.data["video"])
            model.set_params(features__video__clips__load__size=size)
        return model

    def recipe(name: str, modality: str) -> FusionClassifier:
        model = make_emotion_pipeline(
            modality, recipe=name, picture=picture, memory=cache, n_jobs=jobs, verbose=True
        )
        for part in model_parts(model):
            if isinstance(part, FaceLandmarks):
                part.set_params(model_path=options.landmarker)
        return model

    def frame_hog(classifier: BaseEstimator, *stages: BaseEstimator) -> Pipeline:
        return make_pipeline(clips(*stages, FrameHOG()), FrameVotingClassifier(classifier))

    def sound(classifier: BaseEstimator, *stages: BaseEstimator) -> Pipeline:
        describe = clips(AudioLoader(), *stages).set_params(flatten=True)
        return make_pipeline(describe, StandardScaler(), classifier)

    def with_augmented_rows(model: Pipeline) -> Pipeline:
        # This kind adds rows in training alone; scikit-learn's takes no samplers. It may hold
        # another pipeline as its last step only.
        from imblearn.pipeline import make_pipeline

        augmenter = AudioAugmenter(pitch_steps=(-2, 2), speed_rates=())
        return make_pipeline(AudioAugmentationSampler(augmenter), model)

    def boosted_trees(*stages: BaseEstimator) -> Pipeline:
        from xgboost import XGBClassifier

        trees = XGBClassifier(n_estimators=200, max_depth=4, learning_rate=0.1, n_jobs=1)
        return sound(trees, *stages)

    def network(classifier: BaseEstimator) -> Pipeline:
        with suppress(ImportError):  # without it, the classifier says what to install
            import torch

            torch.set_num_threads(1)  # folds are worked on side by side
        # It stops by actors it has not heard, whom `evaluate` hands to it.
        classifier.set_fit_request(groups=True)
        return make_pipeline(clips(AudioLoader(), AudioFeatures()), classifier)

    def face_hog3d() -> Pipeline:
        stages = clips(VideoLoader(scale=1), FaceCrop(), HOG3D())
        tucker = PartialTucker((3, 8, 8, None, 1))
        return make_pipeline(stages, tucker, StandardScaler(), perceptron)

    def backbone(path: str | None) -> Pipeline:
        path = save_random_network(cache) if path is None else path
        loader, face = VideoLoader(n_frames=5, scale=1, color="rgb"), FaceCrop((224, 224))
        stages = clips(loader, face, ONNXBackbone(path, **pixels))
        classifier = MLPClassifier((250,), max_iter=1000, random_state=42)
        return make_pipeline(stages, StandardScaler(), classifier)

    perceptron = make_emotion_pipeline(recipe="reference")[-1]  # the reference's classifier
    methods = {}

    def add(
        name: str,
        title: str,
        columns: str | list[str],
        build: Callable[..., Pipeline],
        *arguments: Any,
        emotions: tuple[str, ...] = (),
    ) -> None:
        methods[name] = Method(title, columns, partial(build, *arguments), emotions)

    add("reference", "reference, both", ["video", "audio"], reference, "both")
    add("reference-video", "reference, video", ["video"], reference, "video")
    add("reference-audio", "reference, audio", ["audio"], reference, "audio")

    sees = "landmarks" if picture == "landmarks" else "video"
    for name in ("functionals", "rockets"):
        add(f"{name}-audio", f"{name}, audio", ["audio"], recipe, name, "audio")
        if picture == "landmarks" or options.landmarker is not None:
            add(f"{name}-video", f"{name}, {picture}", [sees], recipe, name, "video")
            add(name, f"{name}, {picture} and audio", [sees, "audio"], recipe, name, "both")

    classifiers = {
        "nb": ("GaussianNB", GaussianNB()),
        "lda": ("LDA", LinearDiscriminantAnalysis()),
        "linear-svm": ("linear SVM", SVC(kernel="linear")),
        "rbf-svm": ("RBF SVM", SVC()),
    }
    many, every_20th = "HOG of every 20th frame", VideoLoader(stride=20, size=(256, 256))
    one, first = "HOG of the first frame", VideoLoader(n_frames=1, size=(224, 224))
    for name, (words, classifier) in classifiers.items():
        add(f"hog-{name}", f"{many}, {words}", "video", frame_hog, classifier, every_20th)
    for name, (words, classifier) in classifiers.items():
        add(f"one-hog-{name}", f"{one}, {words}", "video", frame_hog, classifier, first)
    words, linear = classifiers["linear-svm"]
    pair = ("neutral", "angry")
    title = f"{many}, {words}: neutral or angry"
    add("hog-pair", title, "video", frame_hog, linear, every_20th, emotions=pair)
    faces = VideoLoader(stride=20, scale=1), FaceCrop((256, 256))
    add("face-hog", f"face, {many}, {words}", "video", frame_hog, linear, *faces)
    add("face-hog3d", "face, HOG3D, Tucker, MLP", "video", face_hog3d)

    mean_mfcc = AudioFeatures(("mfcc",)), TrajectoryStatistics(("mean",))
    logistic = LogisticRegression(max_iter=1000)
    add("mfcc-means", "mean MFCC, logistic regression", "audio", sound, logistic, *mean_mfcc)
    statistics = AudioFeatures(), TrajectoryStatistics()
    add("statistics-mlp", "statistics, MLP", "audio", sound, perceptron, *statistics)
    add("statistics-svm", "statistics, RBF SVM", "audio", sound, SVC(), *statistics)
    title = "statistics, RBF SVM, augmented rows"
    add("augmented-svm", title, "audio", with_augmented_rows, sound(SVC(), *statistics))
    names = ("mfcc", "zcr", "rms", "chroma", "contrast", "centroid", "rolloff", "bandwidth")
    all_features = AudioFeatures((*names, "flatness", "f0", "voicing"), deltas=1)
    everything = all_features, TrajectoryStatistics()
    title = "statistics of all features"
    add("statistics-all", f"{title}, RBF SVM", "audio", sound, SVC(), *everything)
    add("statistics-xgboost", f"{title}, XGBoost", "audio", boosted_trees, *everything)
    add("cnn", "CNN", "audio", network, TrajectoryCNNClassifier(random_state=0))
    add("rnn", "RNN (GRU)", "audio", network, TrajectoryRNNClassifier(random_state=0))

    for path in networks:
        title = f"face, {Path(path).name}, MLP"
        add(f"onnx-{Path(path).stem}", title, "video", backbone, path)
    if not networks:
        title = "face, network of random weights (shows that it runs), MLP"
        add("onnx-random", title, "video", backbone, None)
    return methods


def save_random_network(folder: Path) -> str:
    """Save a small image network that has learnt nothing, to run where there is no other."""
    path = folder / "random_weights.onnx"
    if not path.exists():
        from onnx import TensorProto, helper, numpy_helper, save

        rng, nodes, kernels, name = np.random.default_rng(0), [], [], "picture"
        for i, (n_in, n_out) in enumerate([(3, 16), (16, 32), (32, 64)]):
            kernel = rng.normal(scale=(2 / (9 * n_in)) ** 0.5, size=(n_out, n_in, 3, 3))
            kernels.append(numpy_helper.from_array(kernel.astype(np.float32), f"kernel{i}"))
            conv = helper.make_node("Conv", [name, f"kernel{i}"], [f"conv{i}"], strides=[2, 2])
            nodes += [conv, helper.make_node("Relu", [f"conv{i}"], [f"maps{i}"])]
            name = f"maps{i}"
        ends = [
            [helper.make_tensor_value_info(end, TensorProto.FLOAT, shape)]
            for end, shape in (("picture", ["n", 3, 112, 112]), (name, None))
        ]
        graph = helper.make_graph(nodes, "random", *ends, kernels)
        opset = [helper.make_opsetid("", 17)]
        folder.mkdir(parents=True, exist_ok=True)
        save(helper.make_model(graph, opset_imports=opset, ir_version=8), str(path))
    return str(path)


def run_method(method: Method, corpus: Bunch, jobs: int) -> Row:
    """Train and test one method."""
    rows = np.isin(corpus.target, method.emotions or corpus.target)
    X, actors = corpus.data.loc[rows, method.columns], corpus.groups[rows]
    # XGBoost wants emotions as numbers.
    y = np.unique(corpus.target[rows], return_inverse=True)[1]
    model = method.build()
    result = evaluate(model, X, y, actors, n_jobs=jobs)
    start = time.perf_counter()
    # What the clip stages make is in the cache by now: this is the time of what learns.
    with threadpool_limits(1):  # as in each fold
        classifier = clone(model).fit(X, y, **group_params(model, actors))
    seconds = time.perf_counter() - start
    return Row(
        method.title,
        _count_columns(classifier),
        _percent(result.uar, result.uar_interval),
        _percent(result.accuracy, result.accuracy_interval),
        f"{seconds:.1f}",
    )


def _count_columns(classifier: Any) -> str:
    if isinstance(classifier, FusionClassifier):
        branches = classifier.named_estimators_.values()
        # The first step describes clips, the second gets the descriptions.
        return f"{sum(branch[1].n_features_in_ for branch in branches):,}"
    if isinstance(classifier, Pipeline):
        return _count_columns(classifier[-1])
    if isinstance(classifier, FrameVotingClassifier):
        return f"{classifier.n_values_:,} a frame"
    if isinstance(classifier, TrajectoryCNNClassifier | TrajectoryRNNClassifier):
        return f"{len(classifier.mean_)} a frame"
    return f"{classifier.n_features_in_:,}"


def _percent(value: float, interval: tuple[float, float]) -> str:
    low, high = (100 * x for x in interval)
    return f"{100 * value:.1f} %" + ("" if np.isnan(low) else f" ({low:.1f} to {high:.1f})")


def compare(corpus: Bunch, methods: dict[str, Method], jobs: int) -> list[Row]:
    """Run methods one after the other; one that cannot be run says why in its row."""
    rows = []
    for name, method in methods.items():
        print(f"{name}: {method.title} ...", flush=True)
        try:
            row = run_method(method, corpus, jobs)
        except ImportError as error:
            # A stage says what to install; Python, only which module is missing.
            package = {"imblearn": "imbalanced-learn"}.get(error.name, error.name)
            note = f"needs {package}: python -m pip install {package}" if package else str(error)
            row = Row(method.title, note=note)
        except ValueError as error:  # which names the clip, where one is the reason
            row = Row(method.title, note=" ".join(f"failed: {error}".split()))
        rows.append(row)
        print(f"{name}: {row.note or row.uar}", flush=True)
    return rows


def print_table(title: str, corpus: Bunch, rows: list[Row]) -> None:
    n_emotions = len(set(corpus.target))
    print(
        f"\n## {title}\n\n{len(corpus.target)} clips of {len(set(corpus.groups))} actors, "
        f"{n_emotions} emotions; guessing gives {100 / n_emotions:.1f} % UAR.\n"
    )
    print("| method | columns | UAR | accuracy | fit, s |")
    print("| --- | ---: | --- | --- | ---: |")
    for row in rows:
        cells = [row.columns, row.uar, row.accuracy, row.seconds]
        print("|", " | ".join([row.method, *([row.note, "", "", ""] if row.note else cells)]), "|")
    print(flush=True)


def load_corpora(options: argparse.Namespace) -> dict[str, Bunch]:
    """Load what is asked for, or make the synthetic corpus."""

    def load_one(folder: Path, naming: str) -> Bunch:
        if naming == "ravdess" and options.landmarks:
            return load_ravdess(folder, landmarks=options.landmarks)
        return load_corpus(folder, naming=naming)

    if options.corpus:
        return {options.corpus.name: load_one(options.corpus, options.naming)}
    if options.data:
        namings = ("java-sed", "ravdess")
        corpora = {name: load_one(options.data / name, name) for name in namings}
        return {" and ".join(namings): concat_corpora(corpora)} if options.merge else corpora
    folder = options.cache / "synthetic"
    if not folder.is_dir():
        print(f"Making a synthetic corpus in {folder}", flush=True)
        make_ravdess(folder, n_statements=1, frame_size=(360, 640), n_jobs=options.jobs)
    return {"synthetic corpus, which says nothing about people": load_corpus(folder)}


def main(arguments: list[str] | None = None) -> list[Row]:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--corpus", type=Path, metavar="FOLDER", help="of clips")
    parser.add_argument("--naming", choices=NAMINGS, default="ravdess", help="of its files")
    where.add_argument("--data", type=Path, metavar="FOLDER", help="that has java-sed and ravdess")
    parser.add_argument("--merge", action="store_true", help="make one corpus of these two")
    names = 'such as rnn or "hog-*"; a wrong one lists all'
    parser.add_argument("--methods", nargs="+", default=["*"], metavar="NAME", help=names)
    parser.add_argument("--landmarks", metavar="PATH", help="RAVDESS' landmarks, zip or folder")
    path = "of face_landmarker.task, for recipes that look at faces"
    parser.add_argument("--landmarker", metavar="PATH", help=path)
    path = "image network to describe frames; may be given several times"
    parser.add_argument("--onnx", action="append", default=[], metavar="PATH", help=path)
    parser.add_argument("--onnx-color", choices=("rgb", "bgr", "gray"), default="rgb")
    numbers = "it gets (pixel - mean) / std: a number, or one per channel"
    parser.add_argument("--onnx-mean", type=float, nargs="+", default=[0.0], help=numbers)
    parser.add_argument("--onnx-std", type=float, nargs="+", default=[255.0])
    parser.add_argument("--cache", type=Path, default=Path("skemotion-cache"), metavar="FOLDER")
    parser.add_argument("--jobs", type=int, default=-1, metavar="N")
    options = parser.parse_args(arguments)
    mean, std = (x[0] if len(x) == 1 else tuple(x) for x in (options.onnx_mean, options.onnx_std))
    pixels = {"color": options.onnx_color, "mean": mean, "std": std}

    tables = {}
    # A network gets the actors through its pipeline.
    with sklearn.config_context(enable_metadata_routing=True):
        for title, corpus in load_corpora(options).items():
            methods = build_methods(corpus, options, pixels)
            known = corpus.data.columns[corpus.data.notna().all()]
            chosen = {
                name: method
                for name, method in methods.items()
                if any(fnmatch(name, pattern) for pattern in options.methods)
                and set(np.atleast_1d(method.columns)) <= set(known)
                and set(method.emotions) <= set(corpus.target)
            }
            if not chosen:
                parser.error(f"none of {', '.join(methods)} fits {options.methods} and {title}")
            tables[title] = corpus, compare(corpus, chosen, options.jobs)
    for title, (corpus, rows) in tables.items():
        print_table(title, corpus, rows)
    return [row for _, rows in tables.values() for row in rows]


if __name__ == "__main__":
    sys.exit(any(row.note.startswith("failed") for row in main()))
