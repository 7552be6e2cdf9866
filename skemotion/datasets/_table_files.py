"""Reading tables of clips from files, with their columns as they were meant."""

from __future__ import annotations

import os
from pathlib import Path, PurePosixPath
from typing import Any

import pandas as pd

from ..io import check_allowed, limits_in_force, local_path

_SUFFIXES = {".csv": ",", ".tsv": "\t", ".tab": "\t", ".parquet": "", ".pq": ""}
# How the names of tables end.
TABLES = tuple(_SUFFIXES)
# Tables, too, which are to be saved in another form.
SPREADSHEETS = (".xlsx", ".xls", ".ods")


def read_table(
    source: Any, storage_options: dict[str, Any] | None
) -> tuple[pd.DataFrame, str, str]:
    """Read a table, its index included.

    Parameters
    ----------
    source : str, path-like or DataFrame
        The table.
    storage_options : dict or None
        For fsspec, where the table lies elsewhere.

    Returns
    -------
    table : DataFrame
        Rows numbered from 0. Columns of a file are texts, or what Parquet says they are.
    folder : str
        What relative paths start from: the table's folder, or that of the process.
    name : str
        What to call the table in an error.
    """
    if hasattr(source, "columns"):
        if not isinstance(source, pd.DataFrame):
            source = pd.DataFrame({name: list(source[name]) for name in source.columns})
        if any(name is not None for name in source.index.names):
            repeated = set(source.index.names) & set(source.columns)
            if repeated:
                raise ValueError(
                    f"Expected a table in which each name stands for one column, found "
                    f"{sorted(repeated)} both in the index and in the columns. Drop one."
                )
            source = source.reset_index()
        table, folder, name = source.reset_index(drop=True), os.fspath(Path.cwd()), "the table"
    elif isinstance(source, str | os.PathLike):
        table, folder, name = _read_file(os.fspath(source), storage_options)
    else:
        raise TypeError(
            f"source must be a path or a DataFrame, got {type(source).__name__}. Clips alone need "
            "no table: pass them to a model as they are."
        )
    names = [str(column) for column in table.columns]
    repeated = {column for column in names if names.count(column) > 1}
    if repeated:
        raise ValueError(
            f"{name}: expected one column of each name, found {sorted(repeated)} twice."
        )
    if not len(table):
        raise ValueError(
            f"{name}: expected a row for each clip, found none (columns: {', '.join(names)})."
        )
    return table.set_axis(names, axis=1), folder, name


def _read_file(
    address: str, storage_options: dict[str, Any] | None
) -> tuple[pd.DataFrame, str, str]:
    path = local_path(address)
    suffix = PurePosixPath(address).suffix.lower()
    if suffix not in _SUFFIXES:
        raise ValueError(
            f"{address or repr(address)}: expected a table ({', '.join(_SUFFIXES)}), found "
            f"the suffix {suffix!r}. Save it as CSV, or read it yourself and pass the DataFrame; "
            "load_folders loads folders."
        )
    if path is None:
        check_allowed(address)
        file, folder = address, address.rpartition("/")[0]
    else:
        file = os.fspath(Path(path).expanduser().absolute())
        folder = os.fspath(Path(file).parent)
        if not Path(file).is_file():
            raise FileNotFoundError(
                f"{file}: expected a table, found no such file. Check the path."
            )
    options: dict[str, Any] = {}
    if path is None:
        known = limits_in_force().storage_options
        options["storage_options"] = known if storage_options is None else storage_options
    try:
        if not _SUFFIXES[suffix]:
            return pd.read_parquet(file, **options).pipe(_with_index), folder, address
        return _read_text(file, _SUFFIXES[suffix], options), folder, address
    except ImportError as error:
        package = "pyarrow" if not _SUFFIXES[suffix] else str(error)
        raise ImportError(
            f"{address}: reading it needs another package, {package}: pip install pyarrow for "
            'Parquet, pip install "skemotion[remote]" for addresses elsewhere.'
        ) from error
    except pd.errors.EmptyDataError:
        raise ValueError(f"{address}: expected a table, found an empty file.") from None
    except UnicodeDecodeError as error:
        raise ValueError(
            f"{address}: expected a table in UTF-8, found another encoding ({error.reason}). Save "
            'it again in UTF-8: spreadsheets call that "CSV UTF-8", or ask for a character set.'
        ) from error
    except pd.errors.ParserError as error:
        raise ValueError(
            f"{address}: expected a table with as many cells in each row as in the first, found "
            f"another form ({str(error).strip()}). Correct the row, or save it again as CSV."
        ) from error


def _read_text(file: str, separator: str, options: dict[str, Any]) -> pd.DataFrame:
    # All of it as texts, and without a header to pandas, which would number columns of one name.
    reading = {"dtype": str, "encoding": "utf-8-sig", "header": None, **options}
    header = pd.read_csv(file, sep=separator, nrows=1, **reading).iloc[0]
    if header.astype(str).str.contains("\0").any():  # two bytes a letter, without a mark
        raise UnicodeDecodeError("utf-8", b"\0", 0, 1, "null characters, as in UTF-16")
    if len(header) == 1:
        others = (other for other in ";\t" if other in str(header[0]))
        separator = next(others, separator)
    table = pd.read_csv(file, sep=separator, **reading).apply(_stripped)
    # Spreadsheets save what surrounds a table as empty cells.
    table = table.dropna(how="all").dropna(how="all", axis=1)
    if table.empty:
        raise pd.errors.EmptyDataError
    names = table.iloc[0].fillna("").tolist()
    table = table.iloc[1:].set_axis(names, axis=1).reset_index(drop=True)
    if len(set(names)) < len(names):
        return table
    if separator == ";":  # of spreadsheets where commas are decimal
        table = table.apply(_with_points)
    return table.apply(_numbers)


def _stripped(cells: pd.Series[Any]) -> pd.Series[Any]:
    texts = cells.str.strip()
    return texts.mask(texts == "")


def _with_points(cells: pd.Series[Any]) -> pd.Series[Any]:
    """Write numbers with points, where all are numbers and some have commas."""
    known = cells.dropna()
    if known.empty or not known.str.fullmatch("-?[0-9]+(?:,[0-9]+)?").all():
        return cells
    return cells.str.replace(",", ".")


def _numbers(cells: pd.Series[Any]) -> pd.Series[Any]:
    """Make texts numbers where all are; 007 is none, as it names a speaker."""
    known = cells.dropna()
    numbers = pd.to_numeric(cells, errors="coerce")
    if known.empty or numbers[known.index].isna().any() or known.str.match("0[0-9]").any():
        return cells
    return numbers


def _with_index(table: pd.DataFrame) -> pd.DataFrame:
    named = any(name is not None for name in table.index.names)
    return table.reset_index(drop=not named)
