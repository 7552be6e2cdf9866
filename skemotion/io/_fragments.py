"""Parts of clips by their times, as addresses write them: ``clip.mp4#t=10,12.5``."""

from __future__ import annotations

import os
import re
from fractions import Fraction
from pathlib import Path
from typing import Any, NamedTuple

from ._addresses import local_path
from ._errors import MediaError

_MARK = "#t="
_TIME = r"(?:(?:[0-9]{1,6}:)?[0-5]?[0-9]:[0-5][0-9]|[0-9]{1,9})(?:\.[0-9]{0,12})?"
_TIMES = re.compile(rf"(?:npt:)?(?P<start>{_TIME})?(?:,(?P<end>{_TIME}))?")


class Segment(NamedTuple):
    """A part of a clip, from `start` on and up to `end`, in seconds after the clip's start."""

    start: Fraction
    end: Fraction | None  # None for the clip's end


def split_fragment(source: Any) -> tuple[Any, Segment | None]:
    """Part a clip's address from the times at its end.

    These are temporal Media Fragments as W3C defines them [1]_: ``#t=10,12.5``, ``#t=10``,
    ``#t=,12.5``, each with ``npt:`` before the times or without, in seconds, ``mm:ss`` or
    ``hh:mm:ss``. They stand at the end of the whole address, that of a member of an archive
    included: ``zip://a.wav::/data/b.zip#t=1,2``. A file that has such an ending in its own name is
    taken for itself where it exists.

    Parameters
    ----------
    source : path, address, bytes or array
        The clip.

    Returns
    -------
    source : path, address, bytes or array
        The whole clip.
    segment : Segment or None
        Its part; None for all of it.

    Raises
    ------
    MediaError
        If the times cannot be read, or the start is not before the end.

    References
    ----------
    .. [1] W3C, "Media Fragments URI 1.0 (basic)", 2012, section 4.2.1.
           https://www.w3.org/TR/media-frags/

    Examples
    --------
    >>> from skemotion.io import split_fragment
    >>> split_fragment("clip.mp4#t=10,1:02.5")
    ('clip.mp4', Segment(start=Fraction(10, 1), end=Fraction(125, 2)))
    >>> split_fragment("clip.mp4")
    ('clip.mp4', None)
    """
    if not isinstance(source, str | os.PathLike):
        return source, None
    address = os.fspath(source)
    whole, mark, times = address.rpartition(_MARK)
    if not mark or not whole or re.search(r"[/\\]|::", times) or _is_there(address):
        return source, None
    match = _TIMES.fullmatch(times)
    if match is None or not any(match.groups()):
        raise MediaError(
            f"{address}: expected times such as {_MARK}10,12.5 (start and end in seconds or "
            f"hh:mm:ss, none of them negative, one may be left out), found {_MARK}{times}. Correct "
            "it, or rename the file if that is its name."
        )
    start, end = _seconds(match["start"] or "0"), _seconds(match["end"]) if match["end"] else None
    if end is not None and start >= end:
        raise MediaError(
            f"{address}: expected a start before the end, found {float(start):g} s and "
            f"{float(end):g} s. Correct the times."
        )
    return whole, Segment(start, end)


def starting_at(source: Any, seconds: float) -> Any:
    """Leave out the beginning of a clip, or of its segment.

    Parameters
    ----------
    source : path or address
        The clip, with its times if it is a segment.
    seconds : float
        How much to leave out.

    Returns
    -------
    address : path or address
        That of the rest; `source` itself where nothing is left out.

    Examples
    --------
    >>> from skemotion.io import starting_at
    >>> starting_at("clip.mp4#t=10,12.5", 2), starting_at("clip.mp4", 0.5)
    ('clip.mp4#t=12,12.5', 'clip.mp4#t=0.5')
    """
    if not seconds:
        return source
    whole, segment = split_fragment(source)
    start, end = segment or Segment(Fraction(0), None)
    times = [decimal(start + Fraction(seconds)), *([] if end is None else [decimal(end)])]
    return f"{os.fspath(whole)}{_MARK}{','.join(times)}"


def decimal(seconds: float | Fraction) -> str:
    """Write a time as addresses have it, to the nanosecond."""
    return f"{float(seconds):.9f}".rstrip("0").rstrip(".")


def _seconds(time: str) -> Fraction:
    seconds = Fraction(0)
    for part in time.split(":"):
        seconds = 60 * seconds + Fraction(part.removesuffix("."))
    return seconds


def _is_there(address: str) -> bool:
    path = local_path(address.rpartition("::")[2])
    try:
        return path is not None and Path(path).exists()
    except (OSError, ValueError):  # what opening it will explain
        return False
