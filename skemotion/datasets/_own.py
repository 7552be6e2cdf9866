"""The data set of recordings of one's own, and the checks that tables and folders share."""

from __future__ import annotations

import os
import warnings
import zipfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.utils import Bunch

from ..base import plural
from ..io import UNREADABLE, MediaError, local_path, split_fragment
from ._files import column

_N_NAMED = 5  # of the rows that an error is about


def make_own_bunch(
    clips: dict[str, list[str | None]],
    target: NDArray[Any] | None,
    groups: NDArray[Any] | None,
    speaker: Sequence[Any] | None,
    metadata: pd.DataFrame,
    title: str,
) -> Bunch:
    """Build the data set of clips that no published naming describes.

    Parameters
    ----------
    clips : dict of str to list of str or None
        The address of each clip, by modality.
    target, groups : ndarray of shape (n_clips,) or None
        Emotions, and who or what clips are split by.
    speaker : sequence of length n_clips or None
        Who speaks.
    metadata : DataFrame of n_clips rows
        What else is known.
    title : str
        The first line of the description.

    Returns
    -------
    corpus : Bunch
        As :func:`load_corpus` returns it; ``target``, ``groups`` and ``target_names`` may be None.
    """
    data = pd.DataFrame({name: column(cells) for name, cells in clips.items()})
    if speaker is not None:
        data["speaker"] = column(list(speaker))
    names = None if target is None or target.dtype.kind == "f" else np.unique(target).tolist()
    lines = [title, "", f"Clips: {len(data)}"]
    if groups is not None:
        lines.append(f"Speakers: {len(np.unique(groups))}")
    if target is not None and names is not None:
        counts = Counter(target.tolist())
        lines.append(f"Emotions: {', '.join(f'{name} ({counts[name]})' for name in names)}")
    return Bunch(
        data=data,
        target=target,
        groups=groups,
        metadata=metadata,
        target_names=names,
        DESCR="\n".join(lines) + "\n",
    )


def rows_named(rows: Sequence[int]) -> str:
    """Name rows in an error: how many, and the first few."""
    some = ", ".join(map(str, rows[:_N_NAMED])) + (", ..." if len(rows) > _N_NAMED else "")
    return f"row {some}" if len(rows) == 1 else f"{len(rows)} rows ({some})"


def check_files(clips: dict[str, list[str | None]], name: str) -> None:
    """Refuse clips of which some are not there, all of them in one error.

    Parameters
    ----------
    clips : dict of str to list of str or None
        The address of each clip, by modality. What lies elsewhere is not looked for.
    name : str
        What to call their table in the error.

    Raises
    ------
    MediaError
    """
    missing: dict[str, int] = {}
    archives: dict[str, set[str]] = {}
    for cells in clips.values():
        for row, cell in enumerate(cells):
            if cell is not None and cell not in missing and not _is_there(cell, archives):
                missing[cell] = row
    if missing:
        some = [f"{cell} (row {row})" for cell, row in list(missing.items())[:_N_NAMED]]
        more = ", ..." if len(missing) > _N_NAMED else ""
        windows = " Here, / parts folders, not \\." if os.sep == "/" and "\\" in some[0] else ""
        raise MediaError(
            f"{name}: expected every clip to be there, found no such file for {len(missing)} of "
            f"them: {', '.join(some)}{more}. Correct the paths, which are relative to the table's "
            f"folder, or leave these rows out.{windows}"
        )


def _is_there(address: str, archives: dict[str, set[str]]) -> bool:
    whole, _ = split_fragment(address)
    member, _, place = os.fspath(whole).rpartition("::")
    path = local_path(place)
    if path is None or (member and not member.startswith("zip://")):
        return True  # the loader will see
    if not member:
        return Path(path).is_file()
    if not Path(path).is_file():  # opening a pipe would wait
        return False
    if path not in archives:
        try:
            with zipfile.ZipFile(path) as archive:
                archives[path] = set(archive.namelist())
        except UNREADABLE:
            archives[path] = set()
    return member.removeprefix("zip://") in archives[path]


def warn_of_spellings(labels: NDArray[Any], name: str) -> None:
    """Warn of emotions that differ in nothing but upper and lower case.

    Parameters
    ----------
    labels : ndarray of shape (n_clips,)
        Emotions.
    name : str
        What to call the table.
    """
    spellings: dict[str, list[str]] = {}
    for label in np.unique(labels).tolist():
        spellings.setdefault(str(label).casefold().strip(), []).append(str(label))
    for several in spellings.values():
        if len(several) > 1:
            warnings.warn(
                f"{name}: {' and '.join(map(repr, several))} count as different emotions. Write "
                "them alike if they are the same.",
                stacklevel=3,
            )


def warn_of_repeats(
    clips: dict[str, list[str | None]], labels: NDArray[Any] | None, name: str
) -> None:
    """Warn of rows that list the same clip.

    Parameters
    ----------
    clips : dict of str to list of str or None
        Addresses by modality.
    labels : ndarray of shape (n_clips,) or None
        Emotions.
    name : str
        What to call the table.
    """
    rows: dict[tuple[str | None, ...], list[int]] = {}
    for row, cells in enumerate(zip(*clips.values(), strict=True)):
        rows.setdefault(cells, []).append(row)
    repeated = [several for several in rows.values() if len(several) > 1]
    if not repeated:
        return
    conflicting = [] if labels is None else [r for r in repeated if len(set(labels[r])) > 1]
    first = (conflicting or repeated)[0]
    how = f", of {len(conflicting)} with different emotions" if conflicting else ""
    warnings.warn(
        f"{name}: {plural(len(repeated), 'clip')} listed more than once{how}, for example in rows "
        f"{first[0]} and {first[1]}. They count several times; leave out all but one row of each.",
        stacklevel=3,
    )
