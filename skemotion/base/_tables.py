"""Tables of clips: one row per clip, one column per modality."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ._columns import clip_column, is_missing, is_sound
from ._parts import model_parts


def as_table(X: Any, columns: Sequence[str], extra: Sequence[str] = ()) -> pd.DataFrame:
    """Make a table of clips from the input of a model.

    Parameters
    ----------
    X : DataFrame, mapping, or column of clips
        A table, in which columns may be missing; or only clips, each of which then is in all of
        `columns`, as a file with picture and sound.
    columns : sequence of str
        Columns from which the model reads clips, such as ``["video", "audio"]``.
    extra : sequence of str, default=()
        Further columns that the model reads, such as ``["speaker"]``.

    Returns
    -------
    table : DataFrame of shape (n_clips, len(columns) + len(extra))
        With the requested columns, in that order; those that X lacks hold None.

    Raises
    ------
    ValueError
        If X is a table with none of `columns`, one with two of a name, a single row of a table, or
        numbers without names.

    Examples
    --------
    >>> from skemotion.base import as_table
    >>> as_table(["a.mp4"], ["video", "audio"], ["speaker"])
       video  audio speaker
    0  a.mp4  a.mp4    None
    """
    if isinstance(X, Mapping):
        X = pd.DataFrame(dict(X))
    elif hasattr(X, "columns") and not isinstance(X, pd.DataFrame):
        # Other libraries' tables.
        X = pd.DataFrame({name: list(X[name]) for name in X.columns})
    if not isinstance(X, pd.DataFrame):
        X = _table_of_clips(X, columns)
    if not set(columns) & set(X.columns):
        raise ValueError(
            f"Expected a table with {_listed(columns)}, found the columns {list(X.columns)}: "
            "rename them, or pass a list of clips."
        )
    wanted = list(dict.fromkeys([*columns, *extra]))
    twice = sorted(set(X.columns[X.columns.duplicated()]) & set(wanted))
    if twice:
        raise ValueError(f"Expected a table with one column of each name, found {twice} twice.")
    empty = pd.Series([None] * len(X), X.index, dtype=object)
    missing = {name: empty for name in wanted if name not in X}
    return X.assign(**missing)[wanted]


def as_table_for(model: Any, X: Any) -> Any:
    """Make of a table of clips, or of clips, what a fitted model reads.

    Parameters
    ----------
    model : estimator
        Fitted.
    X : table, column of clips, or anything else
        As for `as_table`.

    Returns
    -------
    table : DataFrame of shape (n_clips, n_columns), list of n_clips, or X itself
        With the columns of `feature_names_in_`, and those of speakers that X has; columns of
        speakers that X lacks hold None. For a model that reads no columns by name, the clip of each
        row of a table of video and audio, and anything else as it is; as also what is neither a
        table nor a column of clips.

    Raises
    ------
    ValueError
        As for `as_table`; or if the model takes one clip, and a row has two.

    Examples
    --------
    >>> import pandas as pd
    >>> from sklearn.preprocessing import FunctionTransformer
    >>> from skemotion.base import as_table_for
    >>> model = FunctionTransformer().fit(pd.DataFrame({"video": ["a.mp4"]}))
    >>> as_table_for(model, ["b.mp4"])
       video
    0  b.mp4
    """
    names = getattr(model, "feature_names_in_", None)
    if names is None and {"video", "audio"} <= set(getattr(X, "columns", ())):
        return _one_clip_a_row(X)
    if names is None or not (hasattr(X, "columns") or clip_column(X) is not None):
        return X
    names = list(names)
    speakers = speaker_columns(model)
    extra = sorted(speakers & {*names, *getattr(X, "columns", ())})
    table = as_table(X, [name for name in names if name not in speakers], extra)
    # Columns may be selected by position.
    return table[[*names, *(name for name in extra if name not in names)]]


def _one_clip_a_row(X: Any) -> list[Any]:
    table = as_table(X, [name for name in ("video", "audio", "landmarks") if name in X.columns])
    clips = []
    for row, cells in enumerate(table.itertuples(index=False)):
        found: list[Any] = []
        for cell in cells:
            if not is_missing(cell) and not any(
                cell is clip or _same(cell, clip) for clip in found
            ):
                found.append(cell)
        if len(found) > 1:
            raise ValueError(
                f"Row {row} has {len(found)} clips ({', '.join(map(str, found))}), and the model "
                "takes one. Give files of one kind, or one column of the table."
            )
        clips.append(found[0] if found else None)
    return clips


def _same(one: Any, other: Any) -> bool:
    paths = (str, os.PathLike)
    return isinstance(one, paths) and isinstance(other, paths) and str(one) == str(other)


def speaker_columns(model: Any) -> set[str]:
    """Return the columns from which the parts of a model read speakers, if these are there.

    Parameters
    ----------
    model : estimator

    Returns
    -------
    names : set of str

    Examples
    --------
    >>> from skemotion.base import speaker_columns
    >>> from skemotion.preprocessing import SpeakerScaler
    >>> speaker_columns(SpeakerScaler("actor"))
    {'actor'}
    """
    named = (getattr(part, "speaker", None) for part in model_parts(model))
    return {name for name in named if isinstance(name, str)}


def _table_of_clips(X: Any, columns: Sequence[str]) -> pd.DataFrame:
    if isinstance(X, str | bytes | bytearray | os.PathLike) or (
        isinstance(X, tuple) and is_sound(X)
    ):
        X = [X]
    if isinstance(X, np.ndarray) and X.ndim == 1 and X.dtype.kind in "biuf":
        raise ValueError(
            f"Expected a table with {_listed(columns)}, or a list of clips, found an array of "
            "numbers: pass the samples of a clip as [(rate, waveform)]."
        )
    if getattr(X, "ndim", 1) != 1:
        raise ValueError(
            f"Expected a table with {_listed(columns)}, or a list of clips, found an array of "
            f"shape {X.shape}, which has no names: make it a DataFrame."
        )
    if isinstance(X, pd.Series) and set(columns) & set(X.index):
        raise ValueError(
            f"Expected a table with {_listed(columns)}, or a list of clips, found one row of a "
            "table: pass table.iloc[[row]], which keeps its columns."
        )
    clips = pd.Series([*X], dtype=object)
    return pd.DataFrame(dict.fromkeys(columns, clips))


def _listed(columns: Sequence[str]) -> str:
    names = [repr(name) for name in columns]
    return f"a column {names[0]}" if len(names) == 1 else f"columns {' or '.join(names)}"


def column_names(selections: Iterable[Any]) -> list[str] | None:
    """Return the names of all selected columns, each once.

    Parameters
    ----------
    selections : iterable of str, sequence of str, or positions
        As `ColumnTransformer` takes them.

    Returns
    -------
    names : list of str or None
        None if columns are selected by position.

    Raises
    ------
    ValueError
        If some are selected by name and others by position.
    """
    names: list[Any] = []
    for columns in selections:
        if isinstance(columns, str):
            names.append(columns)
        elif isinstance(columns, Sequence) and all(isinstance(name, str) for name in columns):
            names.extend(columns)
        else:
            names.append(None)
    by_name = [name is not None for name in names]
    if any(by_name) and not all(by_name):
        raise ValueError("Select columns by name for all branches or for none, not mixed.")
    return list(dict.fromkeys(names)) if all(by_name) else None


def speaker_codes(speakers: pd.Series) -> NDArray[np.intp] | None:
    """Return a number for each speaker; a row without a name is a speaker of its own.

    Parameters
    ----------
    speakers : Series of length n_clips
        Names; None or NaN for unknown speakers.

    Returns
    -------
    codes : ndarray of int, shape (n_clips,), or None
        None if no speaker is known.
    """
    codes, names = pd.factorize(speakers)
    if not len(names):
        return None
    return np.where(codes < 0, len(codes) + np.arange(len(codes)), codes)
