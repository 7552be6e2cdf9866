"""Splits by protocol, and the protocol of given splits."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import BaseCrossValidator, GroupKFold, check_cv
from sklearn.utils.metadata_routing import get_routing_for_object

from ._split import WithinGroupShuffleSplit

PROTOCOLS = ("speaker-dependent", "speaker-independent")
_DEFAULT = PROTOCOLS[1]  # of evaluate

Splits = list[tuple[NDArray[np.intp], NDArray[np.intp]]]

_MOST_FOLDS = 12


def check_protocols(protocol: Any, cv: Any = None) -> list[str]:
    """Return the protocols as a list, and refuse unknown ones.

    Parameters
    ----------
    protocol : str or iterable of str
    cv : int, splitter or iterable of (train, test), default=None
        Splits in place of a protocol's.

    Returns
    -------
    protocols : list of str
        One without a name if there is `cv`.

    Raises
    ------
    ValueError
        If one is not known, or there is none; if there are `cv` and a protocol that was asked for;
        if `cv` is text.
    """
    if isinstance(cv, str):
        raise ValueError(
            f"cv must be an int, a splitter or an iterable of (train, test), got {cv!r}. Protocols "
            "are given by protocol=."
        )
    protocols = [protocol] if isinstance(protocol, str) else list(protocol)
    if cv is not None and protocols != [_DEFAULT]:
        raise ValueError(
            f"Both cv and protocol={protocol!r} say how to split: give one of them. With cv, the "
            "result says which protocol its splits amount to."
        )
    unknown = [name for name in protocols if name not in PROTOCOLS]
    if unknown or not protocols:
        raise ValueError(
            f"protocol must be one of {', '.join(map(repr, PROTOCOLS))}, or a tuple of them, got "
            f"{unknown[0] if unknown else protocol!r}. Other splits are given as cv."
        )
    return protocols if cv is None else [""]


def splitter_of(
    protocol: str, groups: NDArray[Any] | None, random_state: int
) -> BaseCrossValidator | WithinGroupShuffleSplit:
    """Return the splitter of a protocol.

    Parameters
    ----------
    protocol : str
        One of `PROTOCOLS`.
    groups : ndarray of shape (n_clips,) or None
        Speakers.
    random_state : int
        Seed of the speaker-dependent splits.

    Returns
    -------
    splitter : splitter

    Raises
    ------
    ValueError
        If there are no groups, or too few.
    """
    if groups is None:
        raise ValueError(
            f"The protocol {protocol!r} needs groups: pass each clip's speaker, such as "
            "corpus.groups; or, for clips of unknown speakers, give cv."
        )
    if protocol == "speaker-dependent":
        return WithinGroupShuffleSplit(5, random_state=random_state)
    n_groups = len(np.unique(groups))
    if n_groups < 2:
        raise ValueError(
            "The protocol 'speaker-independent' needs clips of at least two speakers, found one: "
            "there is nobody else to test on. Add speakers, or use protocol='speaker-dependent'."
        )
    return GroupKFold(min(n_groups, _MOST_FOLDS))


def make_splits(
    cv: Any, X: Any, y: NDArray[Any], groups: NDArray[Any] | None
) -> tuple[Splits, str]:
    """Split clips, and refuse splits that cannot be used to test a model.

    Parameters
    ----------
    cv : int, splitter or iterable of (train, test)
        An int is a number of stratified folds.
    X : table or column of clips
        Clips.
    y : ndarray of shape (n_clips,)
        Labels.
    groups : ndarray of shape (n_clips,) or None
        Speakers.

    Returns
    -------
    splits : list of (train, test)
        Row numbers.
    name : str
        The splitter, in a line.

    Raises
    ------
    ValueError
        If a split has an empty side, or training clips of one label only.
    """
    splitter = check_cv(cv, y, classifier=True)
    given = isinstance(cv, Iterable) and not hasattr(cv, "split")
    # Those of scikit-learn that have no use for groups warn about them.
    routing = get_routing_for_object(splitter)
    ignores = hasattr(splitter, "get_metadata_routing") and not routing.consumes(
        "split", ["groups"]
    )
    numbers = np.arange(len(y))
    splits = [
        (numbers[train], numbers[test])
        for train, test in splitter.split(X, y, None if ignores else groups)
    ]
    if not splits:
        raise ValueError("cv gives no split: there is nothing to test.")
    for number, (train, test) in enumerate(splits):
        if not len(test):
            raise ValueError(f"Split {number} of cv has no test clips.")
        if len(set(y[train].tolist())) < 2:
            raise ValueError(
                f"Split {number} has training clips of fewer than two classes "
                f"({sorted(set(map(str, y[train].tolist())))}): there is nothing to learn. "
                "Add clips, or use another cv."
            )
    name = f"{len(splits)} given splits" if given else " ".join(repr(splitter).split())
    return splits, name


def protocol_of(splits: Splits, groups: NDArray[Any] | None) -> str:
    """Return the protocol of splits: whether test speakers are in training.

    Parameters
    ----------
    splits : list of (train, test)
        Row numbers.
    groups : ndarray of shape (n_clips,) or None
        Speakers.

    Returns
    -------
    protocol : str
        One of `PROTOCOLS`, "speakers partly shared" or "speakers unknown".
    """
    if groups is None:
        return "speakers unknown"
    shares = [np.isin(groups[test], groups[train]) for train, test in splits]
    if not any(share.any() for share in shares):
        return "speaker-independent"
    return "speaker-dependent" if all(map(np.all, shares)) else "speakers partly shared"
