"""Times and labels that people wrote in ELAN and Praat."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from math import isnan
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from ..io import MediaError

_INSTALL = 'pip install "skemotion[annotation]"'


class _Segment(NamedTuple):
    start: float
    end: float
    label: str
    tier: str


def load_annotations(
    path: str | os.PathLike[str], tier: str | Sequence[str] | None = None
) -> pd.DataFrame:
    """Load the segments of a recording that were annotated with ELAN [1]_ or Praat [2]_.

    With the recording's path in a column ``file``, the result is a table for :func:`load_table`.

    Parameters
    ----------
    path : str or path-like
        ELAN's file (``.eaf``) or Praat's (``.TextGrid``, long or short, in UTF-8 or UTF-16).
        Needs the extra ``annotation``.
    tier : str or sequence of str, default=None
        The tiers to load. None means all that have segments.

    Returns
    -------
    segments : DataFrame
        A row for each segment with a label, sorted by time: ``start`` and ``end`` (s, from the
        start of the recording), ``label``, and ``tier``, which often says who speaks.

    Raises
    ------
    ImportError
        If the extra is not installed.
    FileNotFoundError
        If there is no such file.
    ValueError
        If the suffix is another, or a tier is not there or has points in place of segments.
    MediaError
        If the file is damaged, or has no segment with a label.

    See Also
    --------
    load_table : Takes the result.

    References
    ----------
    .. [1] H. Sloetjes and P. Wittenburg, "Annotation by category: ELAN and ISO DCR", LREC 2008.
       https://archive.mpi.nl/tla/elan
    .. [2] P. Boersma and D. Weenink, "Praat: doing phonetics by computer".
       https://www.praat.org

    Examples
    --------
    >>> from skemotion.datasets import load_annotations, load_table
    >>> segments = load_annotations("talk.eaf", tier="emotion")  # doctest: +SKIP
    >>> corpus = load_table(segments.assign(file="talk.mp4"), target="label")  # doctest: +SKIP
    """
    file = Path(path).expanduser()
    readers = {".eaf": _elan_tiers, ".textgrid": _praat_tiers}
    suffix = file.suffix.lower()
    if suffix not in readers:
        raise ValueError(
            f"{file}: expected annotations of ELAN (.eaf) or Praat (.TextGrid), found the suffix "
            f"{file.suffix!r}."
        )
    if not file.is_file():
        raise FileNotFoundError(
            f"{file}: expected annotations, found no such file. Check the path."
        )
    tiers = readers[suffix](file)
    wanted = [tier] if isinstance(tier, str) else list(tiers) if tier is None else list(tier)
    for name in wanted:
        if name not in tiers:
            raise ValueError(
                f"{file}: expected a tier {name!r}, found none. There are: {', '.join(tiers)}."
            )
        if tiers[name] is None and tier is not None:
            raise ValueError(
                f"{file}: expected segments in the tier {name!r}, found points, which have no "
                "duration. Name another tier."
            )
    found = [
        _Segment(float(start), float(end), label.strip(), name)
        for name in dict.fromkeys(wanted)
        for start, end, label in tiers[name] or []
        if label.strip()
    ]
    if not found:
        raise MediaError(
            f"{file}: expected segments with a label, found none in the tiers "
            f"{', '.join(wanted) or '(there are none)'}. Name another tier."
        )
    untimed = [segment for segment in found if isnan(segment.start) or isnan(segment.end)]
    if untimed:
        raise MediaError(
            f"{file}: expected times for every segment, found {len(untimed)} without, such as "
            f"{untimed[0].label!r} in the tier {untimed[0].tier!r}. Align them in ELAN, or name "
            "another tier."
        )
    found.sort(key=lambda segment: segment[:2])
    return pd.DataFrame(found)


_Tiers = dict[str, Iterable[tuple[float, float, str]] | None]


def _elan_tiers(file: Path) -> _Tiers:
    try:
        from pympi.Elan import Eaf
    except ImportError as error:
        raise ImportError(f"Reading ELAN's files needs pympi-ling: {_INSTALL}") from error
    try:
        content: Any = Eaf(os.fspath(file), suppress_version_warning=True)
        return {
            name: [
                (_seconds(start), _seconds(end), label or "")
                for start, end, label, *_ in content.get_annotation_data_for_tier(name)
            ]
            for name in content.get_tier_names()
        }
    except Exception as error:  # whatever a parser stumbles over
        raise _damaged(file, "ELAN", error) from error


def _seconds(milliseconds: int | None) -> float:
    return float("nan") if milliseconds is None else milliseconds / 1000


def _praat_tiers(file: Path) -> _Tiers:
    try:
        from praatio import textgrid
    except ImportError as error:
        raise ImportError(f"Reading Praat's files needs praatio: {_INSTALL}") from error
    try:
        content: Any = textgrid.openTextgrid(
            os.fspath(file),
            includeEmptyIntervals=False,
            reportingMode="silence",
            duplicateNamesMode="rename",
        )
        tiers = {name: content.getTier(name) for name in content.tierNames}
        return {
            name: list(tier.entries) if isinstance(tier, textgrid.IntervalTier) else None
            for name, tier in tiers.items()
        }
    except Exception as error:  # whatever a parser stumbles over
        raise _damaged(file, "Praat", error) from error


def _damaged(file: Path, program: str, error: Exception) -> MediaError:
    return MediaError(
        f"{file}: expected a file of {program}, found damaged or foreign data "
        f"({type(error).__name__}: {str(error).strip()[:200]}). Save it again from {program}."
    )
