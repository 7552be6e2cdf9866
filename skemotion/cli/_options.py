"""Options that several commands share, and their values."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ._cluster import cluster_options

# Choices as in skemotion.datasets, pipeline and model_selection, which take seconds to import.
NAMINGS = ("ravdess", "java-sed", "tess", "crema-d")
FOLDERS = "folders"
RECIPES = ("functionals", "rockets", "reference")
PROTOCOLS = ("speaker-dependent", "speaker-independent")

Commands = Any  # what add_subparsers gives; argparse has no public name for it


def jobs_options() -> argparse.ArgumentParser:
    """Make the option of all commands that work on clips."""
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument(
        "--jobs",
        type=_number_of_workers,
        default=-1,
        metavar="N",
        help="workers; -1 (default) is one per core",
    )
    limits = parser.add_argument_group(
        "limits", "a clip that exceeds them cannot be used, like one that crashes the decoder"
    )
    limits.add_argument("--max-decode-seconds", type=positive, metavar="SECONDS",
                        help="time for a clip (default: 600)")  # fmt: skip
    limits.add_argument("--max-memory", type=_gigabytes, metavar="GB",
                        help="memory for a clip (default: half of the machine's)")  # fmt: skip
    return parser


@contextmanager
def limits_given(options: argparse.Namespace) -> Iterator[None]:
    """Apply the limits of `jobs_options`."""
    given = {name: getattr(options, name, None) for name in ("max_decode_seconds", "max_memory")}
    if all(value is None for value in given.values()):
        yield
        return
    from .. import limits

    with limits(**given):
        yield


def column_options(landmarks: str = "column of files of landmarks") -> argparse.ArgumentParser:
    """Make what says where the clips of a table are."""
    parser = argparse.ArgumentParser(add_help=False)
    tables = parser.add_argument_group("tables", "which columns to take")
    for name, text in (
        ("video", "column of clips to see (default: video, else file)"),
        ("audio", "column of clips to hear (default: audio, else file)"),
        ("landmarks", landmarks),
    ):
        tables.add_argument(f"--{name}", metavar="COLUMN", help=text)
    return parser


def corpus_options() -> argparse.ArgumentParser:
    """Make what says which clips there are, and what is made of them."""
    columns = column_options("column of files of landmarks; their folder or archive for RAVDESS")
    parents = [jobs_options(), cluster_options(), columns]
    parser = argparse.ArgumentParser(add_help=False, parents=parents)
    parser.add_argument("corpus", metavar="CORPUS",
                        help="folder (or zip archive) of clips, or a table of them (.csv, .tsv, "
                        ".parquet)")  # fmt: skip
    parser.add_argument("--naming", choices=(*NAMINGS, FOLDERS),
                        help="how files are named (default: ravdess), or a folder for each "
                        "emotion")  # fmt: skip
    parser.add_argument("--speaker-pattern", metavar="REGEX",
                        help="what finds the speaker in a path, for --naming folders")  # fmt: skip
    parser.add_argument("--label", metavar="COLUMN",
                        help="column of a table with emotions (default: emotion)")  # fmt: skip
    parser.add_argument("--speaker", metavar="COLUMN",
                        help="column of a table with speakers (default: speaker)")  # fmt: skip
    parser.add_argument("--modality", choices=("both", "video", "audio"), default="both")
    parser.add_argument("--recipe", choices=RECIPES, default="functionals",
                        help="functionals of speech and measures of the face (default), these "
                        "and convolutions, or the pipeline of the published article")  # fmt: skip
    parser.add_argument("--picture", choices=("face", "landmarks", "hog3d"), default="face",
                        help="what functionals make of the picture")  # fmt: skip
    parser.add_argument("--per-speaker", action="store_true",
                        help="scale each speaker's clips by that speaker's own")  # fmt: skip
    parser.add_argument("--max-unusable", type=_share, default=0.1, metavar="SHARE",
                        help="clips that cannot be used are left out, up to this share of all "
                        "(default: %(default)s)")  # fmt: skip
    parser.add_argument("--cache", type=Path, metavar="FOLDER",
                        help="keep the results for each clip there, for later runs")  # fmt: skip
    return parser


def recipe_of(options: argparse.Namespace) -> dict[str, Any]:
    """Return the arguments of `make_emotion_pipeline`."""
    return {
        "modality": options.modality,
        "recipe": options.recipe,
        "picture": options.picture,
        "speaker": "speaker" if options.per_speaker else None,
    }


def kind_of(options: argparse.Namespace) -> str:
    """Return where emotions and speakers come from: a table, folders, or a naming."""
    from ..datasets import SPREADSHEETS, TABLES

    is_table = Path(options.corpus).suffix.lower() in (*TABLES, *SPREADSHEETS)
    return "table" if is_table else str(options.naming or NAMINGS[0])


def check_folder(folder: Path) -> None:
    """Check that files can be saved in a folder, before all the work."""
    from ..base import check_writable

    if not folder.is_dir():
        raise NotADirectoryError(f"{folder}: no such folder to save in. Create it.")
    check_writable(folder)


def whole_number(word: str) -> int:
    """Read a whole number."""
    try:
        return int(word)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{word!r} is no whole number") from None


def positive(word: str) -> float:
    """Read a number above 0."""
    number = _number(word)
    if not number > 0:
        raise argparse.ArgumentTypeError("must be above 0")
    return number


def _number(word: str) -> float:
    try:
        return float(word)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{word!r} is no number") from None


def _number_of_workers(word: str) -> int:
    n_jobs = whole_number(word)
    if n_jobs == 0:
        raise argparse.ArgumentTypeError("0 workers do nothing: give 1 or more, or -1")
    return n_jobs


def _gigabytes(word: str) -> int:
    return int(positive(word) * 1e9)


def _share(word: str) -> float:
    share = _number(word)
    if not 0 <= share <= 1:
        raise argparse.ArgumentTypeError("a share lies between 0 and 1")
    return share
