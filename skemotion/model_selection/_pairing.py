"""Which predictions of two evaluations are of the same clips."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..base import plural

if TYPE_CHECKING:
    from ._evaluation import Evaluation

_SHOWN = 3


def pair_predictions(a: Evaluation, b: Evaluation) -> tuple[NDArray[np.intp], NDArray[np.str_]]:
    """Find each prediction's partner in another evaluation.

    Clips are known by their names, in full or, where files were moved, without folders. Where an
    evaluation has no names, they are known by the rows of X, or else by their order. A clip that
    was tested several times has as many partners, in the order of the tests.

    Parameters
    ----------
    a, b : Evaluation
        Of the same clips; speakers may have other names.

    Returns
    -------
    order : ndarray of int, shape (n_predictions,)
        For each prediction of `a`, that of `b`.
    speakers : ndarray of str, shape (n_predictions,)
        Of the predictions of `a`; as `b` calls them where `a` does not know them.

    Raises
    ------
    ValueError
        If the clips, their labels or what belongs to one speaker differ.
    """
    order = None
    for one, other in _identities(a, b):
        order = _order(one, other)
        if order is not None:
            break
    if order is None:
        _check_protocols(a, b)
        raise ValueError(_difference(*next(_identities(a, b))))
    names = next(_identities(a, b))[0]
    target, others = _texts(a.target), _texts(b.target)[order]
    for i in np.flatnonzero(target != others)[:1]:
        _check_protocols(a, b)
        raise ValueError(
            f"The evaluations differ in 'target': {names[i]} is '{target[i]}' in the first and "
            f"'{others[i]}' in the second. Evaluate both with the same labels."
        )
    return order, _speakers(a, b, order)


def _check_protocols(a: Evaluation, b: Evaluation) -> None:
    """Say so where predictions differ because protocols do."""
    if a.protocol != b.protocol:
        raise ValueError(
            f"The evaluations are of different protocols, {a.protocol!r} and {b.protocol!r}, which "
            "test other clips, or in another order. Evaluate both by the same protocol."
        )


def _identities(a: Evaluation, b: Evaluation) -> Iterator[tuple[list[Any], list[Any]]]:
    """Give what clips may be known by, the surest first."""
    clips, others = getattr(a, "clips", None), getattr(b, "clips", None)
    if clips is not None and others is not None:
        full = [list(map(str, column)) for column in (clips, others)]
        yield full[0], full[1]
        bare = [[PurePath(name.replace("\\", "/")).name for name in names] for names in full]
        if all(len(set(one)) == len(set(two)) for one, two in zip(bare, full, strict=True)):
            yield bare[0], bare[1]
    elif a.rows is not None and b.rows is not None:
        yield [f"row {row}" for row in a.rows], [f"row {row}" for row in b.rows]
    else:
        first, second = ([f"prediction {i}" for i in range(len(e.target))] for e in (a, b))
        yield first, second


def _order(names: list[Any], others: list[Any]) -> NDArray[np.intp] | None:
    """Find each name among others, its second time where it stands a second time."""
    place = {key: i for i, key in enumerate(_numbered(others))}
    keys = _numbered(names)
    if set(keys) != set(place):
        return None
    return np.array([place[key] for key in keys], dtype=np.intp)


def _numbered(names: list[Any]) -> list[tuple[Any, int]]:
    column = pd.Series(names, dtype=object)
    return list(zip(names, column.groupby(column).cumcount().tolist(), strict=True))


def _difference(names: list[Any], others: list[Any]) -> str:
    alone = []
    for which, one, two in (("first", names, others), ("second", others, names)):
        found = [key[0] for key in sorted(set(_numbered(one)) - set(_numbered(two)))]
        shown = f" ({', '.join(found[:_SHOWN])}{', ...' * (len(found) > _SHOWN)})" * bool(found)
        are = "is" if len(found) == 1 else "are"
        of = plural(len(one), "prediction")
        alone.append(f"{len(found)} of {of} {are} in the {which} alone{shown}")
    return (
        f"The evaluations are not of the same clips: {', '.join(alone)}. Clips are known by their "
        "file names. Evaluate both on the same table or corpus, with the same protocol and "
        "random_state."
    )


def _speakers(a: Evaluation, b: Evaluation, order: NDArray[np.intp]) -> NDArray[np.str_]:
    if a.groups is None or b.groups is None:
        if a.groups is not None:
            return _texts(a.groups)
        return np.full(len(order), "") if b.groups is None else _texts(b.groups)[order]
    one, two = _texts(a.groups), _texts(b.groups)[order]
    pairs = pd.DataFrame({"first": one, "second": two}).drop_duplicates()
    for known, other in (("first", "second"), ("second", "first")):
        for name, rows in pairs.groupby(known):
            if len(rows) > 1:
                raise ValueError(
                    f"The evaluations differ in 'groups': clips of the {known}'s speaker {name} "
                    f"are of several speakers in the {other} ({', '.join(rows[other][:_SHOWN])}). "
                    "Speakers may have other names, but not other clips: correct the column of "
                    "speakers."
                )
    return one


def _texts(column: Any) -> NDArray[np.str_]:
    return np.array([str(cell) for cell in np.asarray(column).ravel().tolist()])
