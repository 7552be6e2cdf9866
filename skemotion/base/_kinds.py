"""The kinds of clips that stages take, and the check of a cell of each."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import DTypeLike, NDArray

from ..io import MediaError
from ._checks import FLOATS, check_cell
from ._columns import is_missing, is_sound, is_swapped_sound


class Kind(NamedTuple):
    """What a stage takes."""

    ndim: tuple[int, ...] | None  # of a clip in a column; None for any
    array_ndim: tuple[int, ...] | None  # of an array of clips
    axes: str
    maker: str  # stage that returns such clips
    dtype: tuple[DTypeLike, ...] = FLOATS


_FRAMES = (*FLOATS, np.uint8)
KINDS = {
    "arrays": Kind(None, None, "(...)", "another stage", _FRAMES),
    "frames": Kind((3, 4), (4, 5), "(n_frames, height, width[, channel])", "VideoLoader", _FRAMES),
    # Further axes of an array are channels of the waveform, and further curves.
    "waveforms": Kind((1,), None, "(n_samples,)", "AudioLoader"),
    # As in files, for a stage that opens clips.
    "sound": Kind(
        (1, 2),
        None,
        "(n_samples[, n_channels])",
        "AudioLoader",
        (*FLOATS, np.int16, np.int32, np.uint8),
    ),
    "trajectories": Kind((1, 2), None, "(n_points, n_features)", "AudioFeatures"),
    "landmarks": Kind((3,), (4,), "(n_frames, n_points, 2 or 3)", "LandmarkLoader"),
}


def kind_of(stage: Any, takes: str) -> Kind:
    """Return what a stage takes, by its name, and refuse names that mean nothing."""
    if takes not in KINDS:
        known = ", ".join(repr(name) for name in ("clips", *KINDS) if name != "sound")
        raise TypeError(f"{type(stage).__name__}.takes must be one of {known}, got {takes!r}.")
    return KINDS[takes]


def check_result(stage: Any, result: Any, row: int) -> NDArray[Any]:
    """Return what `transform_clip` gave as an array, and refuse what is none of numbers."""
    found = type(result).__name__
    try:
        array = np.asarray(result)
        if array.dtype.kind in "biufc":
            return array
        found = f"{found} of type {array.dtype}" if isinstance(result, np.ndarray) else found
    except ValueError:
        found += " with rows of different lengths"
    raise TypeError(
        f"{type(stage).__name__} gives no array of numbers for the clip in row "
        f"{row + first_row()}, but {found}: see what it returns."
    )


def check_clip(stage: Any, cell: Any, row: int) -> Any:
    """Check a cell of a column of clips against what a stage takes.

    Parameters
    ----------
    stage : ClipTransformer
        The stage.
    cell : Any
        Its content.
    row : int
        Its row, counted from `first_row`.

    Returns
    -------
    clip : ndarray, or the cell itself if the stage opens clips

    Raises
    ------
    MediaError, ValueError
        If the stage does not take it; the message names the row.
    """
    row += first_row()
    if stage.takes == "clips":
        return _check_source(cell, row)
    kind = kind_of(stage, stage.takes)
    if (
        np.uint8 in kind.dtype
        and getattr(cell, "dtype", None) == np.uint8
        and (kind.ndim is None or cell.ndim in kind.ndim)
        and cell.size
    ):
        return cell  # as floats it would be eight times as large
    expected = f"{stage.takes} of shape {kind.axes}, such as {kind.maker} makes"
    clip: NDArray[Any] = check_cell(stage, cell, row, ndim=kind.ndim, expected=expected)
    return clip[:, np.newaxis] if stage.takes == "trajectories" and clip.ndim == 1 else clip


def refuse_one_in_color(stage: Any, shape: tuple[int, ...]) -> None:
    """Refuse an array that would be read as many grey clips, but looks like one in colour."""
    if len(shape) == 4 and shape[-1] == 3:
        raise ValueError(
            f"{type(stage).__name__} expected clips of shape (n_clips, n_frames, height, width[, "
            f"channel]), got an array of shape {shape}, which looks like a single clip in colour: "
            "pass [clip]."
        )


def _check_source(cell: Any, row: int) -> Any:
    """Refuse what cannot be opened, by its row."""
    if is_missing(cell):
        raise MediaError(f"row {row}: expected a clip, found an empty cell. Add the clip's path.")
    if isinstance(cell, str | os.PathLike) and not os.fspath(cell):
        raise MediaError(f"row {row}: expected a clip, found an empty path. Add the clip's path.")
    if isinstance(cell, str | bytes | os.PathLike | np.ndarray) or is_sound(cell):
        return cell
    if is_swapped_sound(cell):
        raise MediaError(
            f"row {row}: expected (rate, waveform), found (waveform, rate), which is the order of "
            "librosa.load. Swap them."
        )
    raise MediaError(
        f"row {row}: expected a path, an address, bytes, an array or a (rate, waveform) pair, "
        f"found {cell!r} of type {type(cell).__name__}."
    )


_first_row: ContextVar[int] = ContextVar("_first_row", default=0)


def first_row() -> int:
    """Return the number, in the caller's table, of the first row that stages get here."""
    return _first_row.get()


@contextmanager
def rows_from(row: int) -> Iterator[None]:
    """Count rows in errors from here, for clips that are sent through one by one."""
    token = _first_row.set(row)
    try:
        yield
    finally:
        _first_row.reset(token)
