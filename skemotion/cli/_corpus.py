"""Loading what CORPUS stands for: a corpus by its naming, folders of emotions, or a table."""

from __future__ import annotations

import argparse

from sklearn.utils import Bunch

from ..datasets import load_corpus, load_folders, load_ravdess, load_table
from ..io import MediaError
from ._options import FOLDERS, kind_of

_OF_TABLES = ("label", "speaker", "video", "audio")


def load(options: argparse.Namespace) -> Bunch:
    """Load CORPUS, and check that it has what the other options ask for."""
    kind = kind_of(options)
    _check_options(options, kind)
    if kind == "table":
        corpus = load_table(
            options.corpus,
            target=options.label or "emotion",
            groups=options.speaker,
            **{name: getattr(options, name) for name in ("video", "audio", "landmarks")},
        )
        if options.speaker is not None:
            corpus.data["speaker"] = corpus.groups
    elif kind == FOLDERS:
        corpus = load_folders(options.corpus, speaker=options.speaker_pattern)
    elif kind == "ravdess":
        corpus = load_ravdess(options.corpus, landmarks=options.landmarks)
    else:
        corpus = load_corpus(options.corpus, naming=kind)
    _check_corpus(corpus, options)
    return corpus


def _check_options(options: argparse.Namespace, kind: str) -> None:
    """Refuse options that would have no effect."""
    idle = {name: "tables" for name in _OF_TABLES if kind != "table"}
    if kind not in ("table", "ravdess"):
        idle["landmarks"] = "tables and RAVDESS"
    if kind != FOLDERS:
        idle["speaker_pattern"] = f"--naming {FOLDERS}"
    if kind == "table":
        idle["naming"] = "folders and archives"
    for name, place in idle.items():
        if getattr(options, name) is not None:
            raise ValueError(
                f"--{name.replace('_', '-')} is for {place}, and {options.corpus} is none: leave "
                "it out."
                if name != "speaker_pattern"
                else f"--speaker-pattern is for {place}: add that, or leave the pattern out."
            )


def _check_corpus(corpus: Bunch, options: argparse.Namespace) -> None:
    picture = "video"
    if options.picture == "landmarks" and options.recipe != "reference":
        picture = "landmarks"
    wanted = {"both": (picture, "audio"), "video": (picture,), "audio": ("audio",)}
    n_clips = len(corpus.data)
    # The reference recipe needs both of each recording, the other one what there is.
    share = options.max_unusable if options.recipe == "reference" else 1 - 1 / n_clips
    for column in wanted[options.modality]:
        known = corpus.data[column].notna().sum() if column in corpus.data else 0
        missing = n_clips - int(known)
        if missing > share * n_clips:
            remedy = "Add the files, or use --modality with what is there."
            if column == "landmarks":
                remedy = "Say by --landmarks where they are."
            raise MediaError(
                f"{options.corpus}: expected {column} for every recording, found none for "
                f"{missing} of {n_clips}. {remedy}"
            )
    if corpus.target_names is None:
        raise ValueError(
            f"{options.corpus}: expected names of emotions, found numbers with decimals. Name "
            "another column by --label."
        )
    if len(corpus.target_names) < 2:
        raise ValueError(
            f"{options.corpus}: expected clips of at least two emotions, found only "
            f"{corpus.target_names[0]}: there is nothing to tell apart. Add clips."
        )
    if options.per_speaker and "speaker" not in corpus.data:
        raise ValueError(f"--per-speaker needs speakers, and {speakers_unknown(options)}")


def speakers_unknown(options: argparse.Namespace) -> str:
    """Say that CORPUS names no speakers, and how it may."""
    option = "--speaker" if kind_of(options) == "table" else "--speaker-pattern"
    where = "the column that names them" if option == "--speaker" else "what finds them in a path"
    return f"{options.corpus} names none: give {where}, by {option}."
