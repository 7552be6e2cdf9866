"""Find the clips of a corpus in folders and zip archives, and read their names."""

import os
import re
import warnings
import zipfile
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple, NoReturn

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.utils import Bunch

from ..io import MediaError, local_path

SOUND = {
    ".aac", ".aif", ".aiff", ".amr", ".au", ".caf", ".flac", ".m4a", ".mka", ".mp3", ".oga", ".ogg",
    ".opus", ".wav", ".weba", ".wma",
}  # fmt: skip
PICTURE = {
    ".3g2", ".3gp", ".asf", ".avi", ".flv", ".m2ts", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg",
    ".mpg", ".mts", ".mxf", ".ogv", ".ts", ".vob", ".webm", ".wmv",
}  # fmt: skip


@dataclass(frozen=True)
class Naming:
    """How a corpus names its files.

    Parameters
    ----------
    corpus : str
        Name of the corpus, for messages.
    pattern : re.Pattern
        Matches a file name without its suffix; each named group is one field of the name. All
        fields but ``modality`` together identify a recording; ``actor`` and ``emotion`` are
        among them.
    words : mapping of str to mapping of str to str
        Per coded field, the word for each code, in published order. A field without a table is
        a number, or else a text.
    example : str
        A clip as published, with its folder.
    archive : str
        The name of an archive of the corpus.
    descr : str
        Description of the corpus: what it is, source, licence, names.
    misnamed : mapping of str to str
        Published names that break the scheme, without suffix, and what they should be.
    """

    corpus: str
    pattern: re.Pattern[str]
    words: Mapping[str, Mapping[str, str]]
    example: str
    archive: str
    descr: str
    misnamed: Mapping[str, str] = field(default_factory=dict)

    @property
    def identifiers(self) -> tuple[str, ...]:
        """Fields that identify a recording, in the order of the name."""
        return tuple(name for name in self.pattern.groupindex if name != "modality")

    def parse(self, stem: str) -> dict[str, str] | None:
        """Return the code of each field, or None where the name does not follow the scheme."""
        match = self.pattern.fullmatch(self.misnamed.get(stem, stem))
        if match is None:
            return None
        codes = match.groupdict()
        known = all(codes[name] in table for name, table in self.words.items())
        return codes if known else None

    def value(self, name: str, code: str) -> str | int:
        """Return what the code of a field stands for: the word, the number or the text."""
        if name in self.words:
            return self.words[name][code]
        return int(code) if code.isdecimal() else code


class File(NamedTuple):
    """A file or zip member; sorts unzipped first, then by address."""

    zipped: bool
    address: str
    name: str  # relative to the folder searched, for messages

    @property
    def suffix(self) -> str:
        return PurePosixPath(self.name).suffix.lower()


class Clip(NamedTuple):
    """A file whose name follows the scheme."""

    address: str
    has_picture: bool
    codes: dict[str, str]


Recordings = dict[tuple[str, ...], list[Clip]]


def find_recordings(
    path: str | os.PathLike[str], naming: Naming, suffixes: Collection[str] = SOUND | PICTURE
) -> Recordings:
    """Collect the clips of each recording of a corpus.

    Parameters
    ----------
    path : str or path-like
        Folder, searched at any depth, or zip archive.
    naming : Naming
        The scheme of the file names.
    suffixes : collection of str, default=SOUND | PICTURE
        How the names of clips end, in lower case.

    Returns
    -------
    recordings : dict of tuple of str to list of Clip
        The clips of each recording by the codes of its identifiers, sorted by actor and then
        identifiers. Of the clips of one recording, unzipped files come first.

    Raises
    ------
    FileNotFoundError
        If `path` does not exist.
    MediaError
        If `path` is neither folder nor zip archive, holds no clip of the corpus, or an archive
        is damaged.
    """
    expected = (
        f"expected a folder with the archives of {naming.corpus} (such as {naming.archive}) or "
        f"its unpacked clips (such as {naming.example}), or one such archive"
    )
    root = local_root(path, expected)
    if not root.exists():
        raise FileNotFoundError(
            f"{root}: {expected}, found no such file or folder. Check the path."
        )
    if root.is_dir():
        files = sorted(folder_files(root))
    elif root.suffix.lower() == ".zip":
        files = sorted(_archive_files(root, ""))
    else:
        raise MediaError(f"{root}: {expected}, found another file. Give the folder it is in.")

    found: Recordings = {}
    strangers = []
    for file in files:
        # Archives are listed by their members: what still ends in .zip lies inside another one.
        if file.suffix not in {*suffixes, ".zip"}:
            continue
        codes = naming.parse(PurePosixPath(file.name).stem)
        if codes is None:
            strangers.append(file.name)
            continue
        if file.address.count("::") != file.zipped:
            raise MediaError(
                f"{file.address}: expected a path without '::', which parts the member of an "
                "archive from the archive. Rename the folder."
            )
        key = tuple(codes[name] for name in naming.identifiers)
        found.setdefault(key, []).append(Clip(file.address, file.suffix in PICTURE, codes))

    if not found:
        raise MediaError(
            f"{root}: {expected}, found {_some([file.name for file in files])} and no such clip. "
            "Give another folder, say how its files are named (load_corpus(path, naming=...), on "
            "the command line --naming), or unpack archives that lie inside an archive."
        )
    if strangers:
        warnings.warn(
            f"{root}: left out {_some(strangers)}, since the names are not those of "
            f"{naming.corpus}, such as {PurePosixPath(naming.example).name}.",
            stacklevel=3,
        )
    actor = naming.identifiers.index("actor")
    return {key: found[key] for key in sorted(found, key=lambda key: (key[actor], key))}


def local_root(path: str | os.PathLike[str], expected: str) -> Path:
    """Return the folder or archive that a path stands for, and refuse remote addresses."""
    if not os.fspath(path):
        raise FileNotFoundError(f"'': {expected}, found an empty path.")
    local = local_path(os.fspath(path))
    if local is None or "::" in local:
        raise MediaError(
            f"{os.fspath(path)}: {expected}, on this machine, found an address. Fetch it first, or "
            "list its clips in a table for load_table, which takes addresses."
        )
    return Path(local).expanduser().absolute()


def make_bunch(
    naming: Naming,
    keys: Sequence[tuple[str, ...]],
    video: Sequence[str | None],
    audio: Sequence[str | None],
) -> Bunch:
    """Build the data set of the given recordings.

    Parameters
    ----------
    naming : Naming
        The scheme of the file names.
    keys : sequence of tuple of str
        Codes of the identifiers of each recording.
    video, audio : sequence of str or None
        Address of the clip to see and of the clip to hear.

    Returns
    -------
    corpus : Bunch
        With ``data``, ``target``, ``groups``, ``metadata``, ``target_names`` and ``DESCR``.
    """
    metadata = pd.DataFrame(
        {
            name: column([naming.value(name, key[i]) for key in keys])
            for i, name in enumerate(naming.identifiers)
        }
    )
    present = set(metadata["emotion"])
    speaker = metadata["actor"].rename("speaker")
    return Bunch(
        data=pd.DataFrame({"video": column(video), "audio": column(audio), "speaker": speaker}),
        target=metadata["emotion"].to_numpy(dtype=np.str_),
        groups=np.array(metadata["actor"].tolist()),
        metadata=metadata,
        target_names=[word for word in naming.words["emotion"].values() if word in present],
        DESCR=naming.descr,
    )


def column(values: Sequence[Any]) -> "pd.Series[Any]":
    """Return a column of integers or of objects, whatever strings become in this pandas."""
    whole = all(isinstance(value, int) for value in values)
    return pd.Series(values, dtype=np.int64 if whole else object)


def take_rows(corpus: Bunch, rows: NDArray[np.bool_]) -> Bunch:
    """Return the data set of some recordings of another."""
    target = corpus.target[rows]
    return Bunch(
        data=corpus.data[rows].reset_index(drop=True),
        target=target,
        groups=corpus.groups[rows],
        metadata=corpus.metadata[rows].reset_index(drop=True),
        target_names=[word for word in corpus.target_names if word in set(target)],
        DESCR=corpus.DESCR,
    )


def folder_files(root: Path) -> Iterator[File]:
    # Linked folders are followed, each real one once; never up out of the folder, into a loop.
    seen = set(root.resolve().parents)
    for folder, subfolders, names in os.walk(root, followlinks=True, onerror=_raise):
        here = Path(folder)
        real = here.resolve()
        if real in seen:
            subfolders.clear()
            continue
        seen.add(real)
        subfolders[:] = sorted(name for name in subfolders if not _hidden(name))
        for name in names:
            if _hidden(name):
                continue
            path = here / name
            relative = path.relative_to(root).as_posix()
            if path.suffix.lower() == ".zip":
                yield from _archive_files(path, f"{relative}/")
            else:
                yield File(False, str(path), relative)


def _archive_files(path: Path, prefix: str) -> Iterator[File]:
    if path.exists() and not path.is_file():  # opening a pipe waits for someone to write into it
        raise MediaError(
            f"{path}: expected a zip archive, found a device or a pipe. Move it elsewhere."
        )
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.namelist()
    # What zipfile raises on altered bytes; names that do not decode are a ValueError.
    except (zipfile.BadZipFile, NotImplementedError, ValueError, OSError) as error:
        raise MediaError(
            f"{path}: expected a zip archive, found damaged, incomplete or foreign data ({error}). "
            "Download it again, or move it elsewhere."
        ) from error
    outside = [m for m in members if m.startswith("/") or ".." in PurePosixPath(m).parts]
    if outside:
        warnings.warn(
            f"{path}: left out {_some(outside)}, whose names lead out of the archive. Unpack it "
            "elsewhere, look at what they are, and load the folder.",
            stacklevel=2,
        )
    for member in members:
        if member in outside:
            continue
        if not member.endswith("/") and not any(map(_hidden, PurePosixPath(member).parts)):
            yield File(True, f"zip://{member}::{path.as_posix()}", f"{prefix}{member}")


def _hidden(name: str) -> bool:
    return name.startswith(".") or name == "__MACOSX"


def _raise(error: OSError) -> NoReturn:
    raise type(error)(
        f"{error.filename}: expected a folder that can be read, found one that cannot "
        f"({error.strerror}). Ask for the right to read it, or move it elsewhere."
    ) from error


def _some(names: Sequence[str]) -> str:
    """Count files and name the first few."""
    count = f"{len(names) or 'no'} file{'' if len(names) == 1 else 's'}"
    if not names:
        return count
    return f"{count} ({', '.join(names[:3])}{', ...' if len(names) > 3 else ''})"
