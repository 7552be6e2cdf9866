"""What an audit of a split finds."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


class LeakageWarning(UserWarning):
    """Something is in training and in test that makes figures look better than they are."""


# Arrays have no single answer to whether they are equal.
@dataclass(frozen=True, eq=False)
class Leak:
    """One way in which training says something about test rows.

    Attributes
    ----------
    kind : str
        What is on both sides: "row", "file", "overlap", "augmented copy", "recording", "speaker",
        "segment" or "sentence"; see `audit_split`.
    train, test : ndarray of int
        The rows concerned.
    example : str
        A row of training and one of test, with their clips.
    message : str
        The finding, with the example and what to do about it.
    is_note : bool, default=False
        Whether it is worth knowing, and no reason for a warning: a sentence, other segments of a
        recording; and, in an evaluation, a speaker where that is the protocol.
    """

    kind: str
    train: NDArray[np.intp]
    test: NDArray[np.intp]
    example: str
    message: str
    is_note: bool = False


@dataclass(frozen=True)
class SplitAudit:
    """Findings about a split; iterating gives them, its length is their number.

    Attributes
    ----------
    findings : tuple of Leak
        Gravest first; notes last.
    not_audited : dict of str to str
        What could not be audited, or not for all rows, and why.
    n_train, n_test : int
        Rows on either side.
    """

    findings: tuple[Leak, ...]
    not_audited: dict[str, str]
    n_train: int
    n_test: int

    def __len__(self) -> int:
        """Count the findings."""
        return len(self.findings)

    def __iter__(self) -> Iterator[Leak]:
        """Return the findings."""
        return iter(self.findings)

    def __str__(self) -> str:
        """Lay out the findings as text."""
        return "\n".join(
            [
                f"split of {self.n_train} training and {self.n_test} test rows: "
                f"{'nothing' if not self.findings else len(self.findings)} found",
                *(f"  {'note' if leak.is_note else 'LEAK'}  {leak.message}" for leak in self),
                *(f"  not audited: {kind} ({why})" for kind, why in self.not_audited.items()),
            ]
        )
