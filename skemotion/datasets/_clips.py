"""Clips without labels: files, folders and tables, as a model takes them."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pandas as pd

from ..io import MediaError, split_fragment
from ._files import PICTURE, SOUND, column, folder_files
from ._own import warn_of_repeats
from ._table import table_clips, table_speakers
from ._table_files import SPREADSHEETS, TABLES

_HEADER_BYTES = 4096


def find_clips(
    sources: Iterable[str | os.PathLike[str]],
    *,
    video: str | None = None,
    audio: str | None = None,
    landmarks: str | None = None,
) -> pd.DataFrame:
    """List clips to predict: files, those in folders, and those in tables.

    Clips are listed, not opened, and it is not checked that files exist.

    Parameters
    ----------
    sources : iterable of str or path-like
        In this order:

        - folders: their files of sound and video, also in zip archives, at any depth, sorted by
          path;
        - tables (``.csv``, ``.tsv``, ``.tab``, ``.parquet``, ``.pq``), as for `load_table`;
        - files of landmarks, which are ``.csv`` files with a column ``x_0``, or members of
          archives that end in ``.csv``;
        - everything else is a clip: a path, a member of an archive, a part such as
          ``clip.mp4#t=1,2``.
    video, audio, landmarks : str, default=None
        Columns of tables; see `load_table`.

    Returns
    -------
    clips : pandas.DataFrame
        A row for each clip, with the columns ``video`` and ``audio``, which are both the file
        itself unless it is from a table, and ``landmarks``; ``speaker`` if a table has it, None in
        rows that name none.

    Raises
    ------
    MediaError
        If there is no clip in a folder.
    ValueError, FileNotFoundError
        If a table cannot be used.
    TypeError
        If `sources` is a single file or folder.

    See Also
    --------
    skemotion.pipeline.predict_clips : Predicts them, with an error for unusable clips.

    Examples
    --------
    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> from skemotion.datasets import find_clips
    >>> with TemporaryDirectory() as folder:
    ...     for name in ["b.mp4", "a.wav", "notes.txt"]:
    ...         Path(folder, name).touch()
    ...     clips = find_clips([folder, "me.mp4"])
    >>> [Path(clip).name for clip in clips["video"]]
    ['a.wav', 'b.mp4', 'me.mp4']
    """
    if isinstance(sources, str | os.PathLike):
        raise TypeError(f"sources must be a list of files, folders and tables: pass [{sources!r}].")
    rows: list[dict[str, Any]] = []
    columns = {"video": video, "audio": audio, "landmarks": landmarks}
    for given in sources:
        source, path = os.fspath(given), Path(given)
        if path.is_dir():
            rows += _in_folder(path)
        elif _is_landmarks(Path(split_fragment(source)[0])):
            rows.append({"landmarks": source})
        elif path.suffix.lower() not in (*TABLES, *SPREADSHEETS):
            rows.append({"video": source, "audio": source})
        else:
            rows += _in_table(source, columns)
    names = ["video", "audio", "landmarks"]
    names += ["speaker"] if any("speaker" in row for row in rows) else []
    return pd.DataFrame({name: column([row.get(name) for row in rows]) for name in names})


def _in_folder(folder: Path) -> list[dict[str, Any]]:
    files = sorted(file for file in folder_files(folder) if file.suffix in SOUND | PICTURE)
    if not files:
        raise MediaError(
            f"{folder}: expected a folder with files of sound or video, found none. Check the path."
        )
    return [{"video": file.address, "audio": file.address} for file in files]


def _in_table(source: str, columns: dict[str, str | None]) -> list[dict[str, Any]]:
    """List the clips of a table; unlike those to learn from, they need not have a speaker."""
    others = dict.fromkeys(["groups", "start", "end", "target"])
    table, found, clips, name = table_clips(source, {**columns, **others})
    warn_of_repeats(clips, None, name)
    speakers = table_speakers(table, found)
    cells = clips if speakers is None else {**clips, "speaker": speakers}
    return [dict(zip(cells, row, strict=True)) for row in zip(*cells.values(), strict=True)]


def _is_landmarks(path: Path) -> bool:
    """Return whether a file holds landmarks rather than a table of clips."""
    member, archive, _ = str(path).partition("::")
    if archive:
        return member.lower().endswith(".csv")
    if path.suffix.lower() != ".csv" or not path.is_file():
        return False
    with path.open("rb") as file:
        header = file.read(_HEADER_BYTES).partition(b"\n")[0]
    return b"x_0" in [name.strip() for name in header.split(b",")]
