"""``skemotion demo``: everything, on a synthetic corpus."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from ._evaluate import check_pictures, report
from ._options import PROTOCOLS, Commands, jobs_options, whole_number
from ._train import fit_and_save

# The face landmarker's networks may not be there, so that functionals are those of sound.
_RECIPES: tuple[tuple[str, str, dict[str, Any]], ...] = (
    (
        "Reference recipe, picture and sound",
        "reference",
        {"modality": "both", "recipe": "reference"},
    ),
    ("Functionals of speech", "functionals", {"modality": "audio", "recipe": "functionals"}),
)


def add(commands: Commands) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "demo", parents=[jobs_options()], help="make a synthetic corpus and do everything on it"
    )
    parser.add_argument("--out", type=Path, default=Path("skemotion-demo"), metavar="FOLDER",
                        help="for corpus, model and pictures (default: %(default)s)")  # fmt: skip
    parser.add_argument(
        "--actors", type=_number_of_actors, default=4, metavar="N", help="default: %(default)s"
    )
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Make a corpus; evaluate, train and save a model by each recipe."""
    corpus_path = options.out / "corpus"
    if options.out.exists() and any(options.out.iterdir()) and not corpus_path.is_dir():
        raise FileExistsError(
            f"{options.out}: this folder holds other things. Give an empty or a new one with --out."
        )
    check_pictures()
    from ..datasets import load_corpus, make_ravdess
    from ._work import Work

    print(f"Making a synthetic corpus of {options.actors} actors in {corpus_path}", flush=True)
    make_ravdess(corpus_path, n_actors=options.actors, n_jobs=options.jobs, verbose=True)
    corpus = load_corpus(corpus_path)
    print("Drawn faces and synthetic voices: the figures below say nothing about people.\n")
    clip = corpus.data["video"].iloc[0]
    for title, folder, recipe in _RECIPES:
        print(f"{title}\n", flush=True)
        out = options.out / folder
        out.mkdir(exist_ok=True)
        model_path = out / "model.skops"
        with Work.on(corpus, n_jobs=options.jobs, max_unusable=0.0, **recipe) as work:
            report(work, PROTOCOLS, out)
            fit_and_save(work, model_path, corpus="synthetic", **recipe)
        print(f"\nTry it:\n  skemotion predict {model_path} {clip}\n", flush=True)
    return 0


def _number_of_actors(word: str) -> int:
    n_actors = whole_number(word)
    if n_actors < 2:
        raise argparse.ArgumentTypeError("at least 2 actors are needed, to test on others")
    return n_actors
