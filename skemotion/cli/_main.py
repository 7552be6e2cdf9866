"""The command line: ``skemotion demo | evaluate | train | predict``."""

from __future__ import annotations

import argparse
import os
import sys
import time
import warnings
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from sklearn.base import clone
from sklearn.pipeline import Pipeline
from sklearn.utils import Bunch

from .. import __version__
from ..datasets import NAMINGS, load_corpus, make_ravdess
from ..io import MediaError
from ..model_selection import PROTOCOLS, Evaluation, evaluate
from ..persistence import load_model, save_model
from ..pipeline import (
    UnusableClipWarning,
    join_clip_stages,
    make_emotion_pipeline,
    run_clip_stages,
)
from ..video import decode_clip

_DESCRIPTION = "Recognise emotion in video and audio clips."
_STATUS = """\
exit status:
  0  done
  1  a clip, a corpus or a model could not be used; one line per cause on standard error
  2  the command line is wrong
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line.

    Parameters
    ----------
    arguments : sequence of str, default=None
        Words behind ``skemotion``; those of the process by default.

    Returns
    -------
    status : int
        Exit status.
    """
    options = _parser().parse_args(arguments)
    try:
        return int(options.run(options))
    except (ValueError, OSError, ImportError) as error:
        _complain(error)
        return 1
    except KeyboardInterrupt:
        print("skemotion: interrupted; nothing half-written is left.", file=sys.stderr, flush=True)
        # Workers may be deep in a decoder, and are not waited for.
        os._exit(130)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="skemotion",
        description=_DESCRIPTION,
        epilog=_STATUS,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"skemotion {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    jobs = argparse.ArgumentParser(add_help=False)
    jobs.add_argument("--jobs", type=_number_of_workers, default=-1, metavar="N",
                      help="workers; -1 (default) is one per core")  # fmt: skip
    corpus = argparse.ArgumentParser(add_help=False, parents=[jobs])
    corpus.add_argument("corpus", metavar="CORPUS", help="folder (or zip archive) of clips")
    corpus.add_argument("--naming", choices=NAMINGS, default="ravdess", help="how files are named")
    corpus.add_argument("--modality", choices=("both", "video", "audio"), default="both")
    corpus.add_argument("--max-unusable", type=_share, default=0.1, metavar="SHARE",
                        help="clips that cannot be used are left out, up to this share of all "
                        "(default: %(default)s)")  # fmt: skip
    corpus.add_argument("--cache", type=Path, metavar="FOLDER",
                        help="keep what is made of each clip there, for later runs")  # fmt: skip

    demo = commands.add_parser(
        "demo", parents=[jobs], help="make a synthetic corpus and do everything on it"
    )
    demo.add_argument("--out", type=Path, default=Path("skemotion-demo"), metavar="FOLDER",
                      help="for corpus, model and pictures (default: %(default)s)")  # fmt: skip
    demo.add_argument(
        "--actors", type=_number_of_actors, default=4, metavar="N", help="default: %(default)s"
    )
    demo.set_defaults(run=_demo)

    test = commands.add_parser(
        "evaluate", parents=[corpus], help="say how well emotion is recognised"
    )
    test.add_argument("--protocol", choices=(*PROTOCOLS, "both"), default="both",
                      help="test on actors seen in training, on others, or both")  # fmt: skip
    test.add_argument("--out", type=Path, metavar="FOLDER", help="save confusion matrices as PNG")
    test.set_defaults(run=_evaluate)

    train = commands.add_parser("train", parents=[corpus], help="fit a model on all clips")
    train.add_argument(
        "-o", "--out", type=Path, required=True, metavar="MODEL", help="file to write"
    )
    train.set_defaults(run=_train)

    predict = commands.add_parser("predict", help="say the emotion of clips")
    predict.add_argument("model", metavar="MODEL", help="file that train wrote")
    predict.add_argument("clips", metavar="CLIP", nargs="+", help="video or sound file")
    predict.set_defaults(run=_predict)
    return parser


def _number_of_workers(word: str) -> int:
    n_jobs = int(word)
    if n_jobs == 0:
        raise argparse.ArgumentTypeError("0 workers do nothing: give 1 or more, or -1")
    return n_jobs


def _share(word: str) -> float:
    share = float(word)
    if not 0 <= share <= 1:
        raise argparse.ArgumentTypeError("a share lies between 0 and 1")
    return share


def _number_of_actors(word: str) -> int:
    n_actors = int(word)
    if n_actors < 2:
        raise argparse.ArgumentTypeError("at least 2 actors are needed, to test on others")
    return n_actors


def _demo(options: argparse.Namespace) -> int:
    corpus_path = options.out / "corpus"
    if options.out.exists() and any(options.out.iterdir()) and not corpus_path.is_dir():
        raise FileExistsError(
            f"{options.out}: this folder holds other things. Give an empty or a new one with --out."
        )
    print(f"Making a synthetic corpus of {options.actors} actors in {corpus_path}", flush=True)
    make_ravdess(corpus_path, n_actors=options.actors, n_jobs=options.jobs, verbose=True)
    corpus = load_corpus(corpus_path)
    print("Drawn faces and synthetic voices: the figures below say nothing about people.\n")
    described = _describe(corpus, "both", options.jobs, max_unusable=0)
    _report(described, PROTOCOLS, options.jobs, options.out)
    model_path = options.out / "model.skops"
    _fit_and_save(described, "synthetic", "both", model_path)
    clip = corpus.data["video"].iloc[0]
    print(f"\nTry it:\n  skemotion predict {model_path} {clip}")
    return 0


def _evaluate(options: argparse.Namespace) -> int:
    corpus = _load(options)
    if options.out is not None:  # better now than after all the work
        options.out.mkdir(parents=True, exist_ok=True)
        _check_folder(options.out)
        _import_figure()
    protocols = PROTOCOLS if options.protocol == "both" else (options.protocol,)
    described = _describe(corpus, options.modality, options.jobs, options.max_unusable,
                          options.cache)  # fmt: skip
    _report(described, protocols, options.jobs, options.out)
    return 0


def _train(options: argparse.Namespace) -> int:
    # Better now than after all the work.
    if options.out.is_dir():
        raise IsADirectoryError(f"{options.out}: is a folder. Give the name of the file to write.")
    _check_folder(options.out.absolute().parent)
    corpus = _load(options)
    described = _describe(corpus, options.modality, options.jobs, options.max_unusable,
                          options.cache)  # fmt: skip
    _fit_and_save(described, options.naming, options.modality, options.out)
    return 0


def _predict(options: argparse.Namespace) -> int:
    model = load_model(options.model)
    failed = 0
    for clip in options.clips:
        try:
            shares = model.predict_proba(pd.DataFrame({"video": [clip], "audio": [clip]}))[0]
        except ValueError as error:
            _complain(error)
            failed += 1
        else:
            print(f"{clip}\t{model.classes_[shares.argmax()]}\t{shares.max():.2f}", flush=True)
    return 1 if failed else 0


def _check_folder(folder: Path) -> None:
    if not folder.is_dir():
        raise NotADirectoryError(f"{folder}: no such folder to save in. Create it.")
    if not os.access(folder, os.W_OK):
        raise PermissionError(f"{folder}: may not be written to. Give another folder.")


def _load(options: argparse.Namespace) -> Bunch:
    corpus = load_corpus(options.corpus, naming=options.naming)
    wanted = ("video", "audio") if options.modality == "both" else (options.modality,)
    for column in wanted:
        missing = int(corpus.data[column].isna().sum())
        if missing > options.max_unusable * len(corpus.data):
            raise MediaError(
                f"{options.corpus}: expected {column} for every recording, found none for "
                f"{missing} of {len(corpus.data)}. Add the files, or use --modality with what is "
                "there."
            )
    if len(corpus.target_names) < 2:
        raise ValueError(
            f"{options.corpus}: expected clips of at least two emotions, found only "
            f"{corpus.target_names[0]}: there is nothing to tell apart. Add clips."
        )
    return corpus


class _Described(NamedTuple):
    """A corpus of which the clip stages have been run."""

    model: Pipeline  # the whole one, not fitted
    rest: Pipeline  # what comes behind the clip stages, not fitted
    results: pd.DataFrame  # of the usable clips
    corpus: Bunch  # the usable clips
    n_unusable: int


def _describe(
    corpus: Bunch,
    modality: str,
    n_jobs: int,
    max_unusable: float,
    cache: Path | None = None,
) -> _Described:
    model = make_emotion_pipeline(modality, memory=cache, n_jobs=n_jobs, verbose=True)
    if modality != "audio":
        # The first clip's size goes for all, so that the model takes clips of any size.
        model.set_params(features__video__clips__load__size=_first_size(corpus.data["video"]))
    tolerant = clone(model)
    for name, _, _ in tolerant[0].transformers:
        tolerant.set_params(**{f"features__{name}__clips__on_error": "nan"})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UnusableClipWarning)  # told below
        rest, results, errors = run_clip_stages(tolerant, corpus.data)
    for error in errors:
        _complain(ValueError(f"left out: {error.reason}"))
    n_clips = len(corpus.data)
    usable = np.setdiff1d(np.arange(n_clips), [error.row for error in errors])
    n_unusable = n_clips - len(usable)
    if n_unusable > max_unusable * n_clips:
        raise ValueError(
            f"{n_unusable} of {n_clips} clips cannot be used, and at most {max_unusable:.0%} may "
            "be left out. Mend or remove them, or allow for more with --max-unusable."
        )
    kept = Bunch(
        data=corpus.data.iloc[usable],
        target=corpus.target[usable],
        groups=corpus.groups[usable],
        metadata=corpus.metadata.iloc[usable],
    )
    return _Described(model, rest, results.iloc[usable], kept, n_unusable)


def _first_size(clips: pd.Series[Any]) -> tuple[int, ...]:
    """Give height and width of the first clip that can be read, shrunk."""
    reason = "no clip"
    for clip in clips.dropna():
        try:
            return decode_clip(clip, n_frames=1).shape[1:]
        except MediaError as error:
            reason = str(error)
    raise MediaError(f"None of the clips can be read. The last: {reason}")


def _report(described: _Described, protocols: Sequence[str], n_jobs: int, out: Path | None) -> None:
    start = time.perf_counter()
    results = evaluate(
        described.rest,
        described.results,
        described.corpus.target,
        described.corpus.groups,
        metadata=described.corpus.data.join(described.corpus.metadata),
        protocols=tuple(protocols),
        n_jobs=n_jobs,
    )
    for result in results:
        print(result, end="\n\n")
    seconds = time.perf_counter() - start
    print(f"Evaluated in {seconds:.0f} s{_left_out(described)}.")
    if out is not None:
        for result in results:
            print(f"Saved {_save_picture(result, out)}")


def _import_figure() -> Any:
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ImportError(
            'Pictures need matplotlib: python -m pip install "skemotion[plot]"'
        ) from error
    return Figure


def _save_picture(result: Evaluation, folder: Path) -> Path:
    from sklearn.metrics import ConfusionMatrixDisplay

    figure = _import_figure()(figsize=(7, 6), layout="constrained")
    axes = figure.add_subplot()
    totals = result.confusion_matrix.sum(axis=1, keepdims=True)
    recall = result.confusion_matrix / np.maximum(totals, 1)  # an emotion may go untested
    ConfusionMatrixDisplay(recall, display_labels=result.labels).plot(
        ax=axes, cmap="Blues", values_format=".0%", xticks_rotation=45
    )
    axes.set_title(
        f"{result.protocol}: accuracy {result.accuracy:.1%}, mean recall {result.uar:.1%}\n"
        f"{result.n_clips} clips, {result.n_groups} actors, {result.n_splits} splits"
    )
    path = folder / f"confusion-{result.protocol}.png"
    figure.savefig(path, dpi=120)
    return path


def _fit_and_save(described: _Described, naming: str, modality: str, path: Path) -> None:
    corpus = described.corpus
    print(f"Training on {len(corpus.data)} clips{_left_out(described)}", flush=True)
    rest = described.rest.fit(described.results, corpus.target)
    # What is saved works on a clip at a time, on whatever machine.
    model = clone(described.model)
    for name, _, _ in model[0].transformers:
        clips = f"features__{name}__clips__"
        model.set_params(
            **{f"{clips}memory": None, f"{clips}n_jobs": None, f"{clips}verbose": False}
        )
    model = join_clip_stages(model, rest, corpus.data.iloc[:1])
    training: dict[str, Any] = {
        "corpus": naming,
        "modality": modality,
        "n_clips": len(corpus.data),
        "n_unusable": described.n_unusable,
        "n_clips_per_class": dict(sorted(Counter(corpus.target.tolist()).items())),
        "actors": sorted(set(corpus.groups.tolist())),
    }
    print(f"Saved {save_model(model, path, **training)}")


def _left_out(described: _Described) -> str:
    if not described.n_unusable:
        return ""
    n_clips = len(described.corpus.data) + described.n_unusable
    return f"; {described.n_unusable} of {n_clips} clips could not be used and were left out"


def _complain(error: Exception) -> None:
    message = " ".join(str(error).splitlines()) or type(error).__name__
    print(f"skemotion: {message}", file=sys.stderr, flush=True)
