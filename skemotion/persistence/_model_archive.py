"""Files of models: recognising them, and refusing damaged and harmful ones."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from zipfile import BadZipFile, ZipFile

ABOUT = "about.json"
SCHEMA = "schema.json"  # skops' own
GIVE_A_MODEL = "Give a file that save_model or `skemotion train` wrote."
_GET_IT_AGAIN = "Copy or download the file again, or train the model again."


def existing(path: str | os.PathLike[str]) -> Path:
    """Make sure that there is a file."""
    if not os.fspath(path):
        raise FileNotFoundError("'': expected the name of a model file, found an empty name.")
    path = Path(path)
    if path.is_dir():
        raise IsADirectoryError(f"{path}: no such model file, but a folder. {GIVE_A_MODEL}")
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such model file. {GIVE_A_MODEL}")
    return path


def read_description(path: Path, file: Any) -> dict[str, Any]:
    """Read the description in a model file; check that it is one, and not a compression bomb."""
    start = file.read(2)
    if start != b"PK":
        is_pickle = start[:1] == b"\x80"
        found = "a pickle" if is_pickle else "no archive" if start else "an empty file"
        raise refusal(path, found, GIVE_A_MODEL)
    try:
        archive = ZipFile(file)
    # What zipfile raises on altered bytes; names that do not decode are a ValueError.
    except (BadZipFile, NotImplementedError, ValueError):
        raise refusal(path, "a damaged archive, or the beginning of one", _GET_IT_AGAIN) from None
    with archive:
        names = archive.namelist()
        if SCHEMA not in names:
            found = f"an archive of other things (such as {names[0]!r})" if names else "no files"
            raise refusal(path, found, GIVE_A_MODEL)
        if ABOUT not in names:
            raise refusal(
                path,
                "a file of skops that save_model did not write",
                "Read it with skops.io, and save what it holds with save_model.",
            )
        with damage_named(path):
            n_bytes = sum(member.file_size for member in archive.infolist())
            if n_bytes > file.seek(0, os.SEEK_END):  # models are saved unpacked
                raise ValueError("members that unpack to more than the file")
            _weigh(json.loads(archive.read(SCHEMA)), {})
            about = json.loads(archive.read(ABOUT))
            if not all(isinstance(about[part], dict) for part in ("versions", "parameters")):
                raise TypeError("versions or parameters of another form")
    return about


def _weigh(node: Any, weights: dict[int, int]) -> int:
    """Count the parts of a description.

    Parts that only refer to others by number could expand without limit when read; files that are
    really saved repeat each part in full.
    """
    if not isinstance(node, dict | list):
        return 1
    parts = node.values() if isinstance(node, dict) else node
    weight = 1 + sum(_weigh(part, weights) for part in parts)
    number = node.get("__id__") if isinstance(node, dict) else None
    if number is not None and weights.setdefault(number, weight) != weight:
        raise ValueError("two parts of one number")
    return weight


@contextmanager
def damage_named(path: Path, other_versions: Sequence[str] = ()) -> Iterator[None]:
    """Turn errors of the reader into one that names the file and says what to do."""
    try:
        yield
    except Exception as error:
        if isinstance(error, OSError) and error.filename is not None:
            raise  # names the file already; others come of false places in the archive
        if other_versions:
            raise refusal(
                path,
                f"one that the packages here cannot rebuild: {'; '.join(other_versions)}",
                "Install the versions that it was saved with, or train the model again.",
            ) from error
        raise refusal(path, "a damaged or altered one", _GET_IT_AGAIN) from error


def refusal(path: Path, found: str, remedy: str) -> ValueError:
    """Return the error for a file that is not a model."""
    return ValueError(f"{path}: expected a model saved by skemotion, found {found}. {remedy}")
