"""Loading clips that a table lists."""

from __future__ import annotations

import os
from itertools import chain
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.utils import Bunch

from ..io import limits_in_force, local_path, split_fragment
from ._files import SOUND
from ._own import check_files, make_own_bunch, rows_named, warn_of_repeats, warn_of_spellings
from ._table_files import read_table
from ._table_times import cut_clips, read_times

_MODALITIES = ("video", "audio", "landmarks")
# What the command line calls the parameters that name columns.
_OPTIONS = {name: f"--{name}" for name in _MODALITIES} | {
    "target": "--label",
    "groups": "--speaker",
}


def load_table(
    source: str | os.PathLike[str] | pd.DataFrame,
    *,
    video: str | None = None,
    audio: str | None = None,
    landmarks: str | None = None,
    target: str | None = "emotion",
    groups: str | None = None,
    start: str | None = None,
    end: str | None = None,
    must_exist: bool = True,
    storage_options: dict[str, Any] | None = None,
) -> Bunch:
    r"""Load clips from a table with a row for each.

    Clips are listed, not opened. That their files are there is checked, for all of them at once.
    Tables of audformat [1]_ load as they are, with their index of ``file``, ``start`` and ``end``.

    Parameters
    ----------
    source : str, path-like or DataFrame
        The table: CSV (``.csv``; separated by commas, tabs, or semicolons, where commas are
        decimal), TSV (``.tsv``, ``.tab``) or
        Parquet (``.parquet``, ``.pq``; needs pyarrow), in a file or at an address of fsspec; or a
        DataFrame, with its index where that has names.
    video, audio, landmarks : str, default=None
        Columns of paths or addresses of the clips to see, to hear, and of files of landmarks.
        Relative paths start from the table's folder; those of a DataFrame from the current one.
        None takes the column of that name, if there is one. Where there is none of video and
        audio, the column ``file`` serves for both, but for files of sound alone (by their
        suffix), which serve as audio.
    target : str or None, default="emotion"
        Column of the emotions. None for clips without.
    groups : str, default=None
        Column of what must not be both in training and in test, usually who speaks. None takes
        ``speaker``, if there is such a column.
    start, end : str, default=None
        Columns of times (numbers in seconds, timedeltas, ``mm:ss`` or ``hh:mm:ss``), where a row is
        a part of a clip; an empty cell stands for the clip's start or end. None takes ``start`` and
        ``end``, if there are such columns. The parts become addresses such as
        ``clip.mp4#t=10,12.5``, which every loader decodes by seeking; landmark files need a column
        of time stamps.
    must_exist : bool, default=True
        Whether missing files are an error here, all of them in one, rather than when they are
        opened.
    storage_options : dict, default=None
        For fsspec, where the table itself lies elsewhere. Its clips are opened later on, when
        these are gone: where they lie elsewhere as well, use
        ``skemotion.limits(allow_urls=True, storage_options=...)`` for both.

    Returns
    -------
    corpus : :class:`~sklearn.utils.Bunch`
        One row per row of the table, in its order, with attributes

        data : pandas.DataFrame
            Columns ``video`` and ``audio``: absolute paths or addresses, None where there is no
            such clip; ``landmarks``, if there are any; and ``speaker``, if known: the column of
            that name, or else that of `groups`.
        target : numpy.ndarray of shape (n_rows,) or None
            Emotions: texts, or numbers where all are.
        groups : numpy.ndarray of shape (n_rows,) or None
            Texts, or numbers where all are.
        metadata : pandas.DataFrame
            The columns of emotions, groups and times, but for ``speaker``, and all others that
            are no clips.
        target_names : list or None
            Emotions, sorted.
        DESCR : str
            Where the table is from, and how many clips there are of each emotion.

    Raises
    ------
    ValueError
        If a column is not there, or there twice; if the table has no rows; if a row has no clip,
        no emotion or no group, or times that are none; if clips lie elsewhere and
        `storage_options` would not reach them.
    MediaError
        If files are missing.
    FileNotFoundError
        If the table is.
    ImportError
        If pyarrow, or what an address needs, is not installed.
    TypeError
        If `source` is neither path nor DataFrame.

    Warns
    -----
    UserWarning
        If emotions differ in nothing but upper and lower case, or rows list the same clip.

    See Also
    --------
    load_folders : Clips in a folder for each emotion.
    load_annotations : Times and labels from ELAN and Praat, for a table.
    concat_corpora : Several data sets as one.

    References
    ----------
    .. [1] J. Wagner et al., "audformat: format to store media files and annotations",
       https://audeering.github.io/audformat/

    Examples
    --------
    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> from skemotion.datasets import load_table
    >>> with TemporaryDirectory() as folder:
    ...     Path(folder, "interview.mp4").touch()
    ...     Path(folder, "labels.csv").write_text(
    ...         "file,start,end,emotion,speaker\n"
    ...         "interview.mp4,0,2.5,happy,ann\n"
    ...         "interview.mp4,2.5,4,sad,ben\n"
    ...     )
    ...     corpus = load_table(Path(folder, "labels.csv"))
    89
    >>> corpus.target.tolist(), corpus.groups.tolist()
    (['happy', 'sad'], ['ann', 'ben'])
    >>> [Path(clip).name for clip in corpus.data["video"]]
    ['interview.mp4#t=0,2.5', 'interview.mp4#t=2.5,4']
    """
    asked = {
        "video": video, "audio": audio, "landmarks": landmarks, "groups": groups, "start": start,
        "end": end, "target": target,
    }  # fmt: skip
    table, found, clips, name = table_clips(source, asked, storage_options)
    if must_exist:
        check_files(clips, name)
    labels = _labels(table, found.get("target"), name, "target=None where clips have no emotions")
    if labels is not None:
        warn_of_spellings(labels, name)
    warn_of_repeats(clips, labels, name)
    parts = _labels(table, found.get("groups"), name, "another column of groups (--speaker)")
    used = {*(found.get(key) for key in (*_MODALITIES, "file")), "speaker"} - {None}
    return make_own_bunch(
        clips,
        labels,
        parts,
        table_speakers(table, found),
        table.drop(columns=[column for column in table if column in used | {*_MODALITIES}]),
        f"Clips listed in {name}",
    )


def table_clips(
    source: Any, asked: dict[str, str | None], storage_options: dict[str, Any] | None = None
) -> tuple[pd.DataFrame, dict[str, str], dict[str, list[str | None]], str]:
    """Read a table, and the addresses of its clips.

    Parameters
    ----------
    source : str, path-like or DataFrame
        The table.
    asked : dict of str to str or None
        Columns, by the parameter of `load_table` that names them.
    storage_options : dict, default=None
        For fsspec.

    Returns
    -------
    table : DataFrame
    found : dict of str to str
        Columns that are there, by parameter.
    clips : dict of str to list of str or None
        Addresses by modality; parts of recordings have their times.
    name : str
        What to call the table in an error.
    """
    table, folder, name = read_table(source, storage_options)
    found = _find_columns(table, asked, name)
    clips = _clips(table, found, folder, name)
    if storage_options:
        _check_reachable(clips, name)
    starts, ends = (read_times(table, found.get(key), name) for key in ("start", "end"))
    cut_clips(clips, starts, ends, name)
    return table, found, clips, name


def table_speakers(table: pd.DataFrame, found: dict[str, str]) -> list[Any] | None:
    """Return who speaks in each row, None where that is not said; or None without a column."""
    who = "speaker" if "speaker" in table else found.get("groups")
    return None if who is None else _plain(table[who])


def _find_columns(table: pd.DataFrame, asked: dict[str, str | None], name: str) -> dict[str, str]:
    """Find which column stands for what."""
    there = f"There are: {', '.join(table.columns)}."
    for parameter, column in asked.items():
        if column is not None and column not in table:
            option = _OPTIONS.get(parameter)
            hint = f"Pass {parameter}=... {f'({option}) ' if option else ''}with one of them"
            hint += (
                ", or target=None where clips have no emotions." if parameter == "target" else "."
            )
            raise ValueError(f"{name}: expected a column {column!r}, found none. {there} {hint}")
    usual = dict(zip(asked, (*_MODALITIES, "speaker", "start", "end", None), strict=True))
    found = {
        parameter: column if column is not None else usual[parameter]
        for parameter, column in asked.items()
        if column is not None or usual[parameter] in table
    }
    if not {"video", "audio"} & set(found) and "file" in table:
        found["file"] = "file"
    if not {"file", *_MODALITIES} & set(found):
        raise ValueError(
            f"{name}: expected a column of clips (file, video, audio or landmarks), found none. "
            f"{there} Pass video=..., audio=... or both (--video, --audio) with one of them."
        )
    return {key: column for key, column in found.items() if column is not None}


def _clips(
    table: pd.DataFrame, found: dict[str, str], folder: str, name: str
) -> dict[str, list[str | None]]:
    clips: dict[str, list[str | None]] = {
        key: [
            _address(cell, folder, row, found[key], name)
            for row, cell in enumerate(table[found[key]])
        ]
        for key in (*_MODALITIES, "file")
        if key in found
    }
    if "file" in clips:
        files = clips.pop("file")
        clips["video"] = [None if cell is None or _is_sound(cell) else cell for cell in files]
        clips["audio"] = files
    clips = {
        key: clips.get(key, [None] * len(table))
        for key in _MODALITIES
        if key in clips or key != "landmarks"
    }
    empty = [row for row, cells in enumerate(zip(*clips.values(), strict=True)) if not any(cells)]
    if empty:
        raise ValueError(
            f"{name}: expected a clip in every row, found none in {rows_named(empty)}. Add the "
            "paths, or leave the rows out."
        )
    return clips


def _address(cell: Any, folder: str, row: int, column: str, name: str) -> str | None:
    if cell is None or (
        not isinstance(cell, str | os.PathLike) and pd.api.types.is_scalar(cell) and pd.isna(cell)
    ):
        return None
    if not isinstance(cell, str | os.PathLike):
        raise ValueError(
            f"{name}: expected paths in the column {column!r}, found {cell!r} of type "
            f"{type(cell).__name__} in row {row}. Pass another column."
        )
    text = os.fspath(cell).strip()
    if text.startswith(("~/", "~\\")):
        text = os.fspath(Path(text).expanduser())
    if not text:
        return None
    member, separator, place = text.rpartition("::")
    path = local_path(place)
    if path is None:
        return text
    if "://" in folder:
        place = path if Path(path).is_absolute() else f"{folder}/{path}"
    else:
        place = os.fspath(Path(folder, path))
    return f"{member}{separator}{place}"


def _check_reachable(clips: dict[str, list[str | None]], name: str) -> None:
    """Refuse clips that loaders could not open for lack of what the table was opened with."""
    if limits_in_force().storage_options:
        return
    for cell in chain.from_iterable(clips.values()):
        if cell is not None and local_path(cell.rpartition("::")[2]) is None:
            raise ValueError(
                f"{name}: expected clips on this machine where storage_options are for the table "
                f"alone, found {cell}. Leave them out here, and load the table and use its clips "
                "inside `with skemotion.limits(allow_urls=True, storage_options=...)`."
            )


def _is_sound(address: str) -> bool:
    whole, _ = split_fragment(address)
    return PurePosixPath(os.fspath(whole).split("::")[0]).suffix.lower() in SOUND


def _labels(table: pd.DataFrame, column: str | None, name: str, remedy: str) -> NDArray[Any] | None:
    if column is None:
        return None
    empty = np.flatnonzero(table[column].isna()).tolist()
    if empty:
        raise ValueError(
            f"{name}: expected a value in every row of the column {column!r}, found none in "
            f"{rows_named(empty)}, or a word such as NA that stands for none. Add them, or leave "
            f"the rows out, or pass {remedy}."
        )
    return np.array(_plain(table[column]))


def _plain(labels: pd.Series) -> list[Any]:
    """Return labels as numbers if all of them are, whole ones if possible, or else as text."""
    cells = [None if pd.isna(cell) else cell for cell in labels.tolist()]
    known = [cell for cell in cells if cell is not None]
    if all(isinstance(cell, int | float) and not isinstance(cell, bool) for cell in known):
        whole = all(float(cell).is_integer() for cell in known)
        return [cell if cell is None or not whole else int(cell) for cell in cells]
    return [cell if cell is None else str(cell) for cell in cells]
