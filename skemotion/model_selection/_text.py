"""An evaluation as text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..base import plural

if TYPE_CHECKING:
    from ._evaluation import Evaluation

_NOTES = {
    "speaker-dependent": "the tested speakers are in training, too: these figures say little "
    "about other people.",
    "speakers partly shared": "some of the tested speakers are in training, too: for figures that "
    "hold for other people, split by speakers, as GroupKFold does.",
    "speakers unknown": "whether tested speakers are in training is not known: give their groups.",
}
_ADAPTED = (
    "the model adapts to each tested speaker by further, unlabelled clips of the same: figures for "
    "a single clip of somebody new may be lower."
)


def lay_out(result: Evaluation) -> str:
    """Lay out figures, confusion matrix and notes.

    Parameters
    ----------
    result : Evaluation

    Returns
    -------
    text : str
        Several lines.
    """
    speakers = f"{plural(result.n_groups, 'speaker')}, " if result.n_groups else ""
    # What the protocol is has been said.
    leaks = [leak for leak in result.leaks if not (leak.kind == "speaker" and leak.is_note)]
    lines = [
        *(f"  LEAK: {leak.message}" for leak in leaks if not leak.is_note),
        *(f"  note: {note}" for note in result.notes),
        *(f"  note: {leak.message}" for leak in leaks if leak.is_note),
        *_left_out(result),
    ]
    return "\n".join(
        [
            f"{result.protocol}: {plural(result.n_clips, 'clip')}, {speakers}"
            f"{plural(result.n_splits, 'split')}, {plural(len(result.target), 'prediction')}",
            f"  UAR       {_percent(result, 'uar')}",
            f"  accuracy  {_percent(result, 'accuracy')}",
            f"  macro F1  {_percent(result, 'macro_f1')}",
            *(_score(name, values) for name, values in result.scores.items()),
            "",
            *_table(result.confusion_matrix, [str(label) for label in result.labels]),
            *(["", *lines] if lines else []),
        ]
    )


def notes_on(result: Evaluation) -> tuple[str, ...]:
    """Return what has to be known about the protocol to understand the figures.

    Parameters
    ----------
    result : Evaluation

    Returns
    -------
    notes : tuple of str
    """
    notes = [_NOTES[result.protocol]] if result.protocol in _NOTES else []
    return (*notes, _ADAPTED) if result.uses_speaker_clips else tuple(notes)


def _percent(result: Evaluation, name: str) -> str:
    value, (low, high) = getattr(result, name), getattr(result, f"{name}_interval")
    if np.isnan(low):
        why = "too few speakers" if result.n_groups else "speakers unknown"
        return f"{value:6.1%}  (no interval: {why})"
    return f"{value:6.1%}  (95 % interval over speakers {low:.1%} to {high:.1%})"


def _score(name: str, values: NDArray[np.float64]) -> str:
    return f"  {name}  {values.mean():.3f}  (standard deviation over splits {values.std():.3f})"


def _left_out(result: Evaluation) -> list[str]:
    n_bad = len(result.unusable)
    if not n_bad:
        return []
    return [
        f"  note: {n_bad} of {plural(result.n_clips + n_bad, 'clip')} could not be used and "
        f"{'was' if n_bad == 1 else 'were'} left out."
    ]


def _table(confusion: NDArray[Any], labels: list[str]) -> list[str]:
    name = max(4, *map(len, labels))
    width = max(name, len(str(confusion.max()))) + 2
    return [
        f"  {'true':{name}} | " + "".join(f"{label:>{width}}" for label in labels) + "   predicted",
        f"  {'-' * name}-+-" + "-" * (width * len(labels)),
        *(
            f"  {label:{name}} | " + "".join(f"{n:{width}d}" for n in row)
            for label, row in zip(labels, confusion, strict=True)
        ),
    ]
