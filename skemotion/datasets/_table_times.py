"""Columns of times in a table, which make its rows parts of clips."""

from __future__ import annotations

import numpy as np
import pandas as pd

from ..io import MediaError, decimal, split_fragment
from ._own import rows_named

_MINUTES = r"[0-9]{1,3}:[0-5]?[0-9](?:\.[0-9]*)?"


def read_times(table: pd.DataFrame, column: str | None, name: str) -> list[float | None] | None:
    """Read a column of times.

    Parameters
    ----------
    table : DataFrame
    column : str or None
        Its column of times: numbers in seconds, timedeltas, ``mm:ss`` or ``hh:mm:ss``.
    name : str
        What to call the table in an error.

    Returns
    -------
    seconds : list of float or None, or None
        None where a cell is empty, or if there is no column.

    Raises
    ------
    ValueError
        If a cell is no time.
    """
    if column is None:
        return None
    cells = table[column]
    seconds = pd.to_numeric(cells, errors="coerce")
    if pd.api.types.is_timedelta64_dtype(cells):
        seconds = cells.dt.total_seconds()
    else:
        texts = cells[seconds.isna() & cells.notna()]
        seconds = seconds.astype(float)
        texts = texts.astype(str).str.strip()
        # Pandas would drop the comma of "0,5", and has no "1:02".
        texts = texts.mask(texts.str.contains(","), "a comma")
        texts = texts.mask(texts.str.fullmatch(_MINUTES), "0:" + texts)
        seconds[texts.index] = pd.to_timedelta(texts, errors="coerce").dt.total_seconds()
    is_bad = (seconds.isna() & cells.notna()) | (seconds < 0) | np.isinf(seconds)
    is_bad &= ~cells.astype(str).isin(["NaT", ""])
    if is_bad.any():
        rows = np.flatnonzero(is_bad).tolist()
        raise ValueError(
            f"{name}: expected times in seconds (with a decimal point), mm:ss or hh:mm:ss in the "
            f"column {column!r}, found {cells.tolist()[rows[0]]!r} in {rows_named(rows)}. Correct "
            "them."
        )
    return [None if pd.isna(time) else float(time) for time in seconds]


def cut_clips(
    clips: dict[str, list[str | None]],
    starts: list[float | None] | None,
    ends: list[float | None] | None,
    name: str,
) -> None:
    """Give the clips the times of their rows.

    Parameters
    ----------
    clips : dict of str to list of str or None
        Addresses by modality; changed.
    starts, ends : list of float or None, or None
        From `read_times`.
    name : str
        What to call the table in an error.

    Raises
    ------
    ValueError
        If a start is not before its end.
    MediaError
        If an address has times already.
    """
    if starts is None and ends is None:
        return
    n_rows = len(next(iter(clips.values())))
    starts, ends = starts or [None] * n_rows, ends or [None] * n_rows
    bad = [
        row
        for row, (start, end) in enumerate(zip(starts, ends, strict=True))
        if end is not None and end <= (start or 0)
    ]
    if bad:
        raise ValueError(
            f"{name}: expected a start before the end, found another order in {rows_named(bad)}. "
            "Correct the times."
        )
    for cells in clips.values():
        for row, (start, end) in enumerate(zip(starts, ends, strict=True)):
            cell = cells[row]
            if cell is None or (not start and end is None):
                continue
            if split_fragment(cell)[1] is not None:
                raise MediaError(f"{cell}: expected times once, found them in row {row} as well.")
            times = decimal(start or 0.0) + ("" if end is None else f",{decimal(end)}")
            cells[row] = f"{cell}#t={times}"
