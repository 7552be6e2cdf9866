"""Leakage between training and test."""

from __future__ import annotations

import os
import warnings
from collections import defaultdict
from collections.abc import Hashable, Iterator, Sequence
from numbers import Real
from pathlib import PurePath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..base import is_missing, plural
from ..datasets import SCHEMES
from ..io import clip_name, identity, split_fragment
from ._copies import content_keys
from ._leaks import Leak, LeakageWarning, SplitAudit
from ._overlaps import shared_recordings

CLIP_COLUMNS = ("video", "audio", "path", "file")
_SENTENCES = ("statement", "sentence")
_SPEAKERS = ("speaker", "actor")
# Where the columns of several schemes are there, the one with most columns identifies.
_SCHEMES = sorted(SCHEMES, key=lambda naming: -len(naming.identifiers))

# What is found, and what to do about it.
_TEXTS = {
    "row": ("The same rows are", "Make training and test disjoint."),
    "file": (
        "The same files, or byte-identical copies of them, are",
        "Leave out all but one of them, or give them one group.",
    ),
    "overlap": (
        "Overlapping segments of the same recordings are",
        "Give all segments of a recording one group.",
    ),
    "augmented copy": (
        "Augmented copies of the same clips are",
        "Split first and augment the training rows alone, as AudioAugmentationSampler does in a "
        "pipeline of imbalanced-learn, or split with groups[sampler.sample_indices_].",
    ),
    "recording": (
        "The same recordings are",
        "Put the forms of a recording into one row, as load_ravdess does, or give them one group.",
    ),
    "speaker": (
        "The same speakers are",
        "Figures then say little about other people; split with groups=speakers, for example by "
        "GroupKFold.",
    ),
    "segment": (
        "Other segments of the same recordings are",
        "Figures then say little about other recordings, rooms and microphones; split with "
        "groups=the recordings.",
    ),
    "sentence": (
        "The same sentences are",
        "Figures then say little about other sentences; with few sentences that cannot be avoided.",
    ),
}

_NOTES = ("segment", "sentence")

_Keys = list[set[Hashable]]


def audit_split(metadata: Any, train: Any, test: Any, *, source: Any = None) -> SplitAudit:
    """Detect leakage between training and test.

    Parameters
    ----------
    metadata : DataFrame
        A row per clip, such as ``corpus.data.join(corpus.metadata)`` of a corpus, with any of these
        columns: ``speaker`` or ``actor``; ``statement`` or ``sentence``;
        ``video``, ``audio``, ``path`` or ``file`` with clips; the identifiers of a recording, such
        as RAVDESS has; ``source``, as the parameter; and ``corpus``, which distinguishes the
        speakers and recordings of several corpora. Missing columns are not audited.
    train, test : array-like of int or of bool
        Numbers of rows, from 0, or a mask over all of them.
    source : array-like of int of length n_rows, default=None
        The row that each row was made from, its own for originals, such as `sample_indices_` of
        `AudioAugmentationSampler`; None for the column ``source``, if there is one.

    Returns
    -------
    audit : SplitAudit
        These findings, of which a row may be in several:

        - ``row``: the same row in training and test;
        - ``file``: the same file in two rows, or two files of the same bytes;
        - ``overlap``: segments of the same file whose times overlap, or a segment and the file;
        - ``augmented copy``: rows made from the same row;
        - ``recording``: the same recording in two rows, also in other formats, such as audio-only
          and full; recognised by the identifiers, or by the names of the files;
        - ``speaker``: the same speaker;
        - ``segment``: other segments of the same file, as a note;
        - ``sentence``: the same sentence, as a note.

    Raises
    ------
    ValueError
        If `train`, `test` or `source` do not fit the metadata.

    Warns
    -----
    LeakageWarning
        For each finding that is not only a note.

    See Also
    --------
    evaluate : Tests a model under a split that keeps speakers apart.

    Notes
    -----
    Files are compared by size, then by checksum and then by content; remote files are compared by
    address only. For ``file``, a segment is another clip than its file and other segments of it.

    Examples
    --------
    >>> import pandas as pd
    >>> from skemotion.model_selection import audit_split
    >>> metadata = pd.DataFrame({"actor": [1, 1, 2, 2], "sentence": [1, 2, 1, 2]})
    >>> audit = audit_split(metadata, [0, 1], [2])
    >>> [leak.kind for leak in audit]
    ['sentence']
    >>> audit.findings[0].example
    'row 0 (actor 1, sentence 1) in training and row 2 (actor 2, sentence 1) in test'
    >>> audit.not_audited["file"]
    'no column of clips: video, audio, path, file'
    """
    n_rows = len(metadata)
    sides = _positions(train, n_rows, "train"), _positions(test, n_rows, "test")
    table = {
        str(name): np.asarray(metadata[name], dtype=object)
        for name in metadata.columns
        if not {str(name)}.isdisjoint(_COLUMNS)
    }
    used = np.union1d(*sides)
    not_audited: dict[str, str] = {}
    keys: dict[str, _Keys] = {
        "file": _file_keys(table, used, n_rows, not_audited),
        "augmented copy": _source_keys(table.get("source"), source, n_rows, not_audited),
        "recording": _recording_keys(table, n_rows),
        "speaker": _cell_keys(table, _SPEAKERS, n_rows),
        "sentence": _cell_keys(table, _SENTENCES, n_rows),
    }
    missing = {
        "file": f"no column of clips: {', '.join(CLIP_COLUMNS)}",
        "recording": "no columns that identify one, and no file name of a known corpus",
        "speaker": f"no column {' or '.join(_SPEAKERS)}",
        "sentence": f"no column {' or '.join(_SENTENCES)}",
    }
    for kind, reason in missing.items():
        without = sum(not keys[kind][row] for row in used)
        if without:
            not_audited[kind] = (
                reason if without == len(used) else f"{plural(without, 'row')} without one"
            )
    both = np.intersect1d(*sides)
    findings = [_leak("row", both, both, both[:1].repeat(2), sides, table)] if len(both) else []
    overlapping, apart = shared_recordings(_addresses(table, used), *sides)
    for kind, of_rows in keys.items():
        before, sharing = {
            "augmented copy": ("overlap", overlapping), "sentence": ("segment", apart)
        }.get(kind, ("", None))  # fmt: skip
        if sharing is not None:
            findings.append(_leak(before, *sharing, sides, table))
        in_train, in_test = (_known(of_rows, sides[i], sides[1 - i]) for i in (0, 1))
        if in_test:
            row, other = next(iter(in_test.items()))
            known_train, known_test = (np.array(list(rows)) for rows in (in_train, in_test))
            findings.append(_leak(kind, known_train, known_test, (other, row), sides, table))
    for leak in findings:
        if not leak.is_note:
            warnings.warn(leak.message, LeakageWarning, stacklevel=2)
    return SplitAudit(tuple(findings), not_audited, *map(len, sides))


_COLUMNS = {
    *CLIP_COLUMNS, *_SENTENCES, *_SPEAKERS, "corpus", "source",
    *(name for naming in _SCHEMES for name in naming.identifiers),
}  # fmt: skip


def _positions(selection: Any, n_rows: int, name: str) -> NDArray[np.intp]:
    rows = np.asarray(selection)
    if rows.dtype == bool and rows.shape == (n_rows,):
        return np.flatnonzero(rows)
    if not rows.size and rows.ndim == 1:
        return np.empty(0, dtype=np.intp)
    if rows.ndim != 1 or rows.dtype.kind not in "iu" or rows.min() < 0 or rows.max() >= n_rows:
        raise ValueError(
            f"{name} must be numbers of rows from 0 to {n_rows - 1}, or a mask of {n_rows} rows, "
            f"got {selection!r}."
        )
    return np.unique(rows).astype(np.intp)


def _known(keys: _Keys, rows: NDArray[np.intp], others: NDArray[np.intp]) -> dict[int, int]:
    """Find the rows that share a key with another row of the other side, and the first such."""
    by_key = defaultdict(list)
    for other in others.tolist():
        for key in keys[other]:
            by_key[key].append(other)
    known = {}
    for row in rows.tolist():
        shared = [o for key in keys[row] for o in by_key.get(key, [])[:2] if o != row]
        if shared:
            known[row] = min(shared)
    return known


def _leak(
    kind: str,
    train: NDArray[np.intp],
    test: NDArray[np.intp],
    pair: Sequence[int] | NDArray[np.intp],
    sides: tuple[NDArray[np.intp], NDArray[np.intp]],
    table: dict[str, NDArray[Any]],
) -> Leak:
    subject, advice = _TEXTS[kind]
    example = f"{_describe(table, pair[0])} in training and {_describe(table, pair[1])} in test"
    message = (
        f"{subject} in training ({len(train)} of {plural(len(sides[0]), 'row')}) and in test "
        f"({len(test)} of {plural(len(sides[1]), 'row')}), for example {example}. {advice}"
    )
    return Leak(kind, train, test, example, message, is_note=kind in _NOTES)


def _describe(table: dict[str, NDArray[Any]], row: int) -> str:
    clips = [clip_name(table[name][row]) for name in CLIP_COLUMNS if _present(table, name, row)]
    words = [f"{name} {table[name][row]}" for name in table if _present(table, name, row)]
    inside = ", ".join(dict.fromkeys(clips) if clips else words)
    return f"row {row} ({inside})" if inside else f"row {row}"


def _present(table: dict[str, NDArray[Any]], name: str, row: int) -> bool:
    return name in table and not is_missing(table[name][row])


def _cell_keys(table: dict[str, NDArray[Any]], names: Sequence[str], n_rows: int) -> _Keys:
    """Return what stands in the first of some columns that has anything in this row."""
    keys: _Keys = []
    for row in range(n_rows):
        name = next((name for name in names if _present(table, name, row)), None)
        keys.append(set() if name is None else {(_corpus(table, row), table[name][row])})
    return keys


def _corpus(table: dict[str, NDArray[Any]], row: int) -> Any:
    return table["corpus"][row] if _present(table, "corpus", row) else None


def _addresses(table: dict[str, NDArray[Any]], used: NDArray[np.intp]) -> Iterator[tuple[int, str]]:
    for name in CLIP_COLUMNS:
        for row in used.tolist():
            clip = table[name][row] if name in table else None
            if isinstance(clip, str | os.PathLike) and not is_missing(clip):
                yield row, os.fspath(clip)


def _file_keys(
    table: dict[str, NDArray[Any]],
    used: NDArray[np.intp],
    n_rows: int,
    not_audited: dict[str, str],
) -> _Keys:
    clips = [
        (row, table[name][row])
        for row in used
        for name in CLIP_COLUMNS
        if _present(table, name, row)
    ]
    places, unread = content_keys(
        os.fspath(clip) for _, clip in clips if isinstance(clip, str | os.PathLike)
    )
    if unread:
        not_audited["content of files"] = (
            f"{plural(len(unread), 'file')} that cannot be read here, such as {unread[0]}"
        )
    keys: _Keys = [set() for _ in range(n_rows)]
    for row, clip in clips:
        is_file = isinstance(clip, str | os.PathLike)
        keys[row].add(places[os.fspath(clip)] if is_file else identity(clip))
    return keys


def _source_keys(
    column: NDArray[Any] | None, source: Any, n_rows: int, not_audited: dict[str, str]
) -> _Keys:
    if source is not None:
        rows = np.asarray(source)
        if rows.shape != (n_rows,) or rows.dtype.kind not in "iu":
            raise ValueError(
                f"source must be {n_rows} numbers of rows, one for each row of the metadata, got "
                f"an array of shape {rows.shape} and type {rows.dtype}."
            )
        return [{row} for row in rows.tolist()]
    if column is None:
        not_audited["augmented copy"] = "no source given, and no column source"
    # A column of that name may as well hold the names of corpora.
    elif not all(is_missing(cell) or isinstance(cell, Real) for cell in column):
        not_audited["augmented copy"] = "the column source holds no numbers of rows"
    else:
        return [{row if is_missing(cell) else cell} for row, cell in enumerate(column)]
    return [set() for _ in range(n_rows)]


def _recording_keys(table: dict[str, NDArray[Any]], n_rows: int) -> _Keys:
    keys: _Keys = []
    for row in range(n_rows):
        found: set[Hashable] = set()
        for naming in _SCHEMES:
            if all(_present(table, name, row) for name in naming.identifiers):
                cells = (table[name][row] for name in naming.identifiers)
                found.add((_corpus(table, row), naming.corpus, *cells))
                break
        for name in CLIP_COLUMNS:
            clip = table[name][row] if _present(table, name, row) else None
            if isinstance(clip, str | os.PathLike):
                found |= {(_corpus(table, row), *key) for key in _named(os.fspath(clip))}
        keys.append(found)
    return keys


def _named(address: str) -> Iterator[tuple[Hashable, ...]]:
    """Read the recording from a file name, where it follows the scheme of a corpus."""
    address, _ = split_fragment(address)
    stem = PurePath(address.split("::")[0]).stem
    for naming in _SCHEMES:
        codes = naming.parse(stem)
        if codes is not None:
            yield naming.corpus, *(naming.value(f, codes[f]) for f in naming.identifiers)
