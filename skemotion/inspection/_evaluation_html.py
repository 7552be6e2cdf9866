"""An evaluation as HTML, for notebooks and reports: no picture, script or font is loaded."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from typing import Any

import numpy as np

from ..base import plural
from ..model_selection import Evaluation
from ._colors import readable_on

FIGURES = {
    "uar": "UAR (unweighted average recall)",
    "accuracy": "accuracy",
    "macro_f1": "macro F1",
}
# A dark blue of ColorBrewer's "Blues"; cells are mixed from white and it.
_DARKEST = np.array([8, 81, 156]) / 255
_INDEPENDENT = (
    "Each clip was predicted by a model that had not seen its speaker: these figures show what to "
    "expect for other people."
)
STYLE = """\
.skemotion { font: 15px/1.5 system-ui, "Segoe UI", Roboto, Helvetica, Arial, sans-serif; }
.skemotion table { border-collapse: collapse; margin: 0.5em 0 1em; font-variant-numeric: \
tabular-nums; }
.skemotion caption { text-align: left; font-weight: 600; padding: 0.3em 0; }
.skemotion th, .skemotion td { padding: 0.25em 0.7em; border-bottom: 1px solid #b8bec6; \
text-align: right; vertical-align: top; }
.skemotion tbody td:not(.text) { white-space: nowrap; }
.skemotion thead th, .skemotion thead td { border-bottom: 2px solid #6b7480; }
.skemotion th { font-weight: 600; }
.skemotion .text, .skemotion tbody th { text-align: left; }
.skemotion .shaded td { text-align: center; border: 1px solid #fff; }
.skemotion td.shade { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
.skemotion .wide { overflow-x: auto; }
"""


def evaluation_html(evaluation: Evaluation) -> str:
    """Lay out an evaluation as HTML, as notebooks show it.

    Parameters
    ----------
    evaluation : Evaluation

    Returns
    -------
    html : str
        A ``<div>`` with the protocol, the figures, the confusion matrix, and what has to be known
        about them. Names of emotions, clips and speakers are escaped.

    See Also
    --------
    write_report : A whole page, with more.

    Examples
    --------
    >>> import numpy as np
    >>> from skemotion.inspection import evaluation_html
    >>> from skemotion.model_selection import Evaluation
    >>> truth, guess = np.array(["sad", "<sad>"]), np.array(["sad", "sad"])
    >>> labels = ["sad", "<sad>"]
    >>> result = Evaluation("speaker-independent", truth, guess, np.arange(2), labels, 2, 2)
    >>> html = evaluation_html(result)
    >>> "&lt;sad&gt;" in html, "<sad>" in html
    (True, False)
    """
    notes = [*evaluation.notes, *(leak_words(leak) for leak in told_leaks(evaluation))]
    return "\n".join(
        [
            f'<div class="skemotion"><style>{STYLE}</style>',
            f"<p><strong>{escape(evaluation.protocol)}</strong>: {size_words(evaluation)}.</p>",
            figures_table(evaluation),
            confusion_table(evaluation),
            *([unordered(notes)] if notes else []),
            "</div>",
        ]
    )


def size_words(evaluation: Evaluation) -> str:
    """Say how many clips, speakers and splits there were; HTML."""
    n_predictions, n_clips = len(evaluation.target), evaluation.n_clips
    words = [plural(n_clips, "clip")]
    words += [plural(evaluation.n_groups, "speaker")] if evaluation.n_groups else []
    words += [plural(evaluation.n_splits, "split")]
    words += [plural(n_predictions, "prediction")] if n_predictions != n_clips else []
    return ", ".join(words)


def protocol_words(evaluation: Evaluation) -> list[str]:
    """Say what the protocol means for the figures; texts."""
    words = [note[:1].upper() + note[1:] for note in evaluation.notes]
    return [_INDEPENDENT, *words] if evaluation.protocol == "speaker-independent" else words


def told_leaks(evaluation: Evaluation) -> list[Any]:
    """Give the findings of the audit, but for what the protocol says already."""
    return [leak for leak in evaluation.leaks if not (leak.kind == "speaker" and leak.is_note)]


def leak_words(leak: Any) -> str:
    """Say what an audit found; text."""
    return f"{'Note' if leak.is_note else 'LEAK'}: {leak.message}"


def figures_table(evaluation: Evaluation) -> str:
    """Lay out the figures with their intervals."""
    rows = [
        [words, percent(getattr(evaluation, name)), _interval(evaluation, name)]
        for name, words in FIGURES.items()
    ]
    rows += [
        [name, f"{values.mean():.3f}", f"standard deviation over splits {values.std():.3f}"]
        for name, values in evaluation.scores.items()
    ]
    if not np.isnan(evaluation.calibration_error):
        rows.append(["expected calibration error", f"{evaluation.calibration_error:.3f}", ""])
    head = ["", "figure", "95 % interval over speakers"]
    return table("Figures", head, rows)


def _interval(evaluation: Evaluation, name: str) -> str:
    low, high = getattr(evaluation, f"{name}_interval")
    if np.isnan(low):
        return "none: too few speakers" if evaluation.n_groups else "none: speakers unknown"
    return f"{100 * low:.1f} to {100 * high:.1f} %"


def confusion_table(evaluation: Evaluation) -> str:
    """Lay out the confusion matrix, with cells shaded by their share of the row."""
    counts = evaluation.confusion_matrix
    totals = counts.sum(axis=1)
    words = [escape(str(label)) for label in evaluation.labels]
    head = "".join(f'<th scope="col"><span>{word}</span></th>' for word in words)
    lines = [
        '<div class="wide" role="group" tabindex="0" '
        f'aria-label="Confusion matrix, {escape(evaluation.protocol)}">'
        '<table class="shaded"><caption>Confusion matrix: clips by true (rows) and predicted '
        f'emotion (columns)</caption><thead><tr><th class="text" scope="col">true</th>{head}'
        '<th scope="col"><span>recall</span></th></tr></thead><tbody>'
    ]
    for word, row, total, hit in zip(words, counts, totals, counts.diagonal(), strict=True):
        cells = "".join(_shaded(n, n / total if total else 0.0) for n in row.tolist())
        recall = percent(hit / total) if total else "no clips"
        lines.append(f'<tr><th scope="row">{word}</th>{cells}<td>{recall}</td></tr>')
    return "".join([*lines, "</tbody></table></div>"])


def _shaded(n: int, share: float) -> str:
    color = 1 - share * (1 - _DARKEST)
    background = "#" + "".join(f"{round(255 * part):02x}" for part in color)
    text = "#fff" if readable_on(color) == "white" else "#000"
    return f'<td class="shade" style="background: {background}; color: {text}">{n}</td>'


def table(
    caption: str, head: Sequence[str], rows: Iterable[Sequence[Any]], *, texts: int | None = None
) -> str:
    """Lay out a table of texts, which are escaped; the first column names the rows.

    Parameters
    ----------
    caption : str
        Its title.
    head : sequence of str
        Names of the columns.
    rows : iterable of sequence
        Cells.
    texts : int, default=None
        Column from which on cells are long texts and not numbers.

    Returns
    -------
    html : str
    """
    kinds = ["text" if i == 0 or (texts and i >= texts) else "" for i in range(len(head))]
    classes = [f' class="{kind}"' if kind else "" for kind in kinds]
    lines = [f"<table><caption>{escape(caption)}</caption><thead><tr>"]
    for name, kind in zip(head, classes, strict=True):
        lines.append(
            f'<th{kind} scope="col">{escape(name)}</th>' if name else "<td></td>"
        )  # an empty header would be one without a name
    lines.append("</tr></thead><tbody>")
    for first, *cells in rows:
        others = zip(cells, classes[1:], strict=True)
        lines.append(
            f'<tr><th scope="row">{escape(str(first))}</th>'
            + "".join(f"<td{kind}>{escape(str(cell))}</td>" for cell, kind in others)
            + "</tr>"
        )
    return "".join([*lines, "</tbody></table>"])


def all_evaluations(evaluations: Any) -> list[Evaluation]:
    """Make a list of one evaluation or several, and refuse what is none."""
    is_one = isinstance(evaluations, Evaluation | str) or not isinstance(evaluations, Iterable)
    several = [evaluations] if is_one else list(evaluations)
    for other in several:
        if not isinstance(other, Evaluation):
            raise TypeError(
                f"Expected an Evaluation, or several, to report, got {other!r} of type "
                f"{type(other).__name__}: pass what evaluate returns."
            )
    if not several:
        raise ValueError("Expected an evaluation to report, found none.")
    return several


def unordered(texts: Iterable[str]) -> str:
    """Lay out a list of texts, which are escaped."""
    return "<ul>" + "".join(f"<li>{escape(text)}</li>" for text in texts) + "</ul>"


def percent(share: float) -> str:
    """Give a share in percent."""
    return "none" if np.isnan(share) else f"{100 * share:.1f} %"
