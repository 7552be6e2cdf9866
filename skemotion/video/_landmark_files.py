"""Reading files of facial landmarks: OpenFace's CSV, and others of the same columns."""

from __future__ import annotations

import io
import os
import re
from fractions import Fraction

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..io import (
    MediaError,
    Segment,
    Source,
    beyond_limit,
    check_inside,
    clip_name,
    fetch,
    limits_in_force,
    split_fragment,
)

_COORDINATE = re.compile(r"([xy])_([0-9]{1,3})")
_ADVICE = "Give a file with the columns frame, x_0, ..., y_0, ..., as OpenFace writes them."
# What OpenFace writes for no number where it was built for Windows.
_NO_NUMBER = ["-nan", "nan(ind)", "-nan(ind)"]
_LARGEST = 1e6  # pixels


def read_landmarks(source: Source) -> NDArray[np.float64]:
    r"""Read the landmarks of one clip from a file of comma-separated values.

    Parameters
    ----------
    source : str, path-like or bytes
        A path, an address in fsspec's notation (``zip://Actor_01/x.csv::/data/Landmarks.zip``) or
        the bytes of a file. It has a header and a row per frame, with columns ``x_0``, ...,
        ``y_0``, ... in pixels, as OpenFace [1]_ writes them. Optional columns are ``frame``,
        the number of the frame; ``timestamp``, when it is shown, in seconds; ``success``, 0 in
        frames without a face; and ``face_id``, the number of the face, of which the one in most
        frames is used. Other columns are ignored. A segment as ``clip.csv#t=10,12.5`` is what a
        file of those rows alone would give whose time stamps are from 10 on and before 12.5.

    Returns
    -------
    landmarks : ndarray of float64, shape (n_frames, n_points, 2)
        x, then y. Frames without a face, and frames missing between two rows, are interpolated
        from their neighbours; at the ends they repeat the nearest.

    Raises
    ------
    MediaError
        If the file is missing, damaged, exceeds `skemotion.limits` or has no such columns, if
        there is no face in any frame, or if a segment lies outside, or has no time stamps.

    References
    ----------
    .. [1] T. Baltrusaitis, A. Zadeh, Y. C. Lim and L.-P. Morency, "OpenFace 2.0: Facial behavior
       analysis toolkit", IEEE FG 2018.

    Examples
    --------
    >>> from skemotion.video import read_landmarks
    >>> read_landmarks(b"frame,x_0,x_1,y_0,y_1\n1,10,20,5,5\n3,12,24,5,7\n")[1]
    array([[11.,  5.],
           [22.,  6.]])
    """
    name = clip_name(source)
    whole, segment = split_fragment(source)
    table = _read_table(whole, name, needs_times=segment is not None)
    if segment is not None:
        table = _cut(table, segment, name)
    if len(table) > limits_in_force().max_frames:
        raise beyond_limit(name, "max_frames", f"{len(table)} rows")
    if "face_id" in table:
        table = table[table["face_id"] == table["face_id"].mode()[0]]
    points = _coordinates(table, name)
    seen = np.asarray(np.isfinite(points).all(axis=(1, 2)), dtype=np.bool_)
    if "success" in table:
        seen &= np.asarray(table["success"] > 0)
    if not seen.any():
        raise MediaError(
            f"{name}: expected the landmarks of a face, found no face in any of {len(table)} "
            "frames. Use another clip."
        )
    if np.abs(points[seen]).max() > _LARGEST:
        raise MediaError(
            f"{name}: expected landmarks in pixels, found one at {np.abs(points[seen]).max():.3g}. "
            "Make the file again."
        )
    return _interpolate(points[seen], _frame_numbers(table, name), seen)


def _read_table(source: Source, name: str, *, needs_times: bool) -> pd.DataFrame:
    """Read the columns that are needed, as float64."""
    if isinstance(source, bytes | bytearray | memoryview):
        content = io.BytesIO(source)
    else:
        content = fetch(os.fspath(source))
    try:
        # All columns: where some are left out, pandas lets rows pass that have too many numbers.
        table = pd.read_csv(content, skipinitialspace=True, na_values=_NO_NUMBER, low_memory=False)
        if not table.index.equals(pd.RangeIndex(len(table))):
            raise ValueError("rows with more numbers than the header has names")
        table.columns = table.columns.str.strip()
        needed = {"frame", "success", "face_id"} | ({"timestamp"} if needs_times else set())
        kept = [name in needed or bool(_COORDINATE.fullmatch(name)) for name in table.columns]
        table = table.loc[:, kept].astype(np.float64)
    except (ValueError, OverflowError) as error:  # pandas' own and those of encodings are such
        raise MediaError(
            f"{name}: expected a file of comma-separated numbers, found another form "
            f"({str(error).strip()}). {_ADVICE}"
        ) from error
    if not table.columns.is_unique:
        raise MediaError(f"{name}: expected every column once, found one twice. {_ADVICE}")
    if not len(table):
        raise MediaError(f"{name}: expected a row per frame, found none. {_ADVICE}")
    return table


def _cut(table: pd.DataFrame, segment: Segment, name: str) -> pd.DataFrame:
    """Return the rows of frames that are shown from the segment's start on and before its end."""
    if "timestamp" not in table:
        raise MediaError(
            f"{name}: expected a column timestamp (seconds), which a segment needs, found none. "
            "Add it, or use the whole clip."
        )
    times = table["timestamp"].to_numpy()
    steps = np.diff(np.unique(times))
    if not np.isfinite(times).all() or times.min() < 0 or (np.diff(times) < 0).any():
        raise MediaError(
            f"{name}: expected time stamps in seconds, in order, found others. Sort the rows, and "
            "correct the column timestamp."
        )
    length = times[-1] + (np.median(steps) if len(steps) else 0.0)
    check_inside(name, segment, Fraction(length))
    inside = times >= float(segment.start)
    if segment.end is not None:
        inside &= times < float(segment.end)
    if not inside.any():
        raise MediaError(
            f"{name}: expected a segment with a frame in it, found one between two frames. Make it "
            "longer."
        )
    return table[inside]


def _coordinates(table: pd.DataFrame, name: str) -> NDArray[np.float64]:
    """Return the points, of shape (n_rows, n_points, 2)."""
    numbers: dict[str, set[int]] = {"x": set(), "y": set()}
    for column in table.columns:
        if match := _COORDINATE.fullmatch(column):
            numbers[match[1]].add(int(match[2]))
    n_points = len(numbers["x"])
    if not n_points or any(found != set(range(n_points)) for found in numbers.values()):
        raise MediaError(
            f"{name}: expected the columns x_0, x_1, ... and as many y_0, y_1, ..., found "
            f"{n_points} of x and {len(numbers['y'])} of y"
            f"{', with gaps' if n_points == len(numbers['y']) > 0 else ''}. {_ADVICE}"
        )
    wanted = [f"{axis}_{i}" for i in range(n_points) for axis in "xy"]
    places = {column: place for place, column in enumerate(table.columns)}
    values = table.to_numpy()[:, [places[column] for column in wanted]]
    return values.reshape(len(table), n_points, 2)


def _frame_numbers(table: pd.DataFrame, name: str) -> NDArray[np.int64]:
    """Return each row's place in the clip, counted from the first row."""
    if "frame" not in table:
        return np.arange(len(table))
    numbers = table["frame"].to_numpy()
    if not (np.isfinite(numbers).all() and (np.diff(numbers) > 0).all()):
        raise MediaError(
            f"{name}: expected frames in the order of their numbers, found another. Sort the rows, "
            "and leave out what is there twice."
        )
    span = numbers[-1] - numbers[0]
    if span >= limits_in_force().max_frames:
        raise beyond_limit(name, "max_frames", f"frames {numbers[0]:.0f} to {numbers[-1]:.0f}")
    return np.round(numbers - numbers[0]).astype(np.int64)


def _interpolate(
    points: NDArray[np.float64], numbers: NDArray[np.int64], seen: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """Return points in every frame from the first row's to the last's."""
    n_frames = int(numbers[-1]) + 1
    if len(points) == n_frames:
        return points
    curves = points.reshape(len(points), -1).T
    frames = np.arange(n_frames)
    filled = np.stack([np.interp(frames, numbers[seen], curve) for curve in curves], axis=1)
    return filled.reshape(n_frames, *points.shape[1:])
