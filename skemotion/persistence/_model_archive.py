"""Files of models: recognising them, and refusing damaged and harmful ones."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from zipfile import ZIP_STORED, BadZipFile, ZipFile

ABOUT = "about.json"
SCHEMA = "schema.json"  # skops' own
GIVE_A_MODEL = "Give a file that save_model or `skemotion train` wrote."
_START = b"PK\x03\x04"  # of a member
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
    start = file.read(4)
    if start[:2] != b"PK":
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
            if start != _START:
                raise ValueError("something before the first member")
            _check_members(archive, file.seek(0, os.SEEK_END))
            about = json.loads(archive.read(ABOUT))
            _check_about(about)
    return about


def _check_members(archive: ZipFile, n_bytes: int) -> None:
    """Check that members are as large as they say, before any is read.

    Models are saved unpacked. What is packed is unpacked as a whole before a size that lies is
    noticed.
    """
    members = archive.infolist()
    if any(
        member.compress_type != ZIP_STORED or member.compress_size != member.file_size
        for member in members
    ):
        raise ValueError("packed members")
    # Otherwise one would be part of another.
    if sum(member.file_size for member in members) > n_bytes:
        raise ValueError("members that are more than the file")
    if len({member.filename for member in members}) < len(members):
        raise ValueError("two members of one name")
    # What stands before them could be a file of another kind at the same time, such as a network.
    if min(member.header_offset for member in members):
        raise ValueError("something before the first member")


def _check_about(about: dict[str, Any]) -> None:
    expected = {"versions": dict, "parameters": dict, "training": dict, "uses_speaker_clips": bool}
    for part, kind in expected.items():
        if not isinstance(about[part], kind):
            raise TypeError(f"{part} of another form")
    if not all(isinstance(version, str) for version in about["versions"].values()):
        raise TypeError("versions of another form")


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
