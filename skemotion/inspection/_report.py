"""Reports of evaluations: one HTML file that opens anywhere."""

from __future__ import annotations

import os
import platform
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime
from html import escape
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

import numpy as np

from ..base import check_target, package_versions, plural
from ..model_selection import Evaluation
from ._evaluation_html import (
    FIGURES,
    STYLE,
    all_evaluations,
    confusion_table,
    figures_table,
    leak_words,
    percent,
    protocol_words,
    size_words,
    table,
    told_leaks,
    unordered,
)
from ._reliability import reliability_diagram, reliability_table

if TYPE_CHECKING:
    import pandas as pd

    from ..pipeline import ClipCosts

SUFFIXES = (".html", ".htm")
# In the order of audit_split, with what each is, in full.
_AUDITED = {
    "row": "the same row",
    "file": "the same file, or overlapping segments of one",
    "augmented copy": "variants of the same clip",
    "recording": "the same recording in another format",
    "speaker": "the same speaker",
    "sentence": "the same sentence",
}
_MOST_UNUSABLE = 100
# Whatever a name in the page is, a browser loads and runs nothing.
_POLICY = "default-src 'none'; style-src 'unsafe-inline'"
_PAGE_STYLE = """\
body { max-width: 62rem; margin: 0 auto; padding: 0.5rem 1rem 3rem; color: #16191d; \
background: #fff; overflow-wrap: break-word; }
h1 { font-size: 1.7rem; line-height: 1.25; }
h2 { font-size: 1.3rem; margin-top: 2.2rem; border-bottom: 2px solid #08306b; }
h3 { font-size: 1.05rem; margin-bottom: 0.2rem; }
pre { background: #f2f4f6; padding: 0.7rem; white-space: pre-wrap; overflow-wrap: anywhere; }
svg { max-width: 100%; height: auto; }
.pair { display: flex; flex-wrap: wrap; gap: 0 2.5rem; align-items: flex-start; }
.leak { border-left: 5px solid #b30000; padding-left: 0.8rem; }
@media (max-width: 640px) {
  .skemotion table { font-size: 13px; }
  .skemotion th, .skemotion td { padding: 0.25em 0.35em; }
  .skemotion .shaded thead th span { writing-mode: vertical-rl; }
}
@media print {
  body { max-width: none; padding: 0; }
  .skemotion { font-size: 10pt; }
  .skemotion .shaded { font-size: 8.5pt; }
  .skemotion .shaded th, .skemotion .shaded td { padding: 0.25em 0.35em; }
  table, svg, pre, li { break-inside: avoid; }
  h2, h3, caption { break-after: avoid; }
  .skemotion .wide { overflow: visible; }
}
"""


def write_report(
    evaluations: Evaluation | Sequence[Evaluation],
    path: str | os.PathLike[str],
    *,
    title: str = "Emotion recognition: evaluation",
    command: str | None = None,
    costs: ClipCosts | None = None,
) -> Path:
    """Write a report of evaluations as one HTML file, whole or not at all.

    The file holds the protocol in words, the figures with their intervals over speakers, the
    confusion matrix, a table of speakers, what the audit of the splits found, the calibration of
    the probabilities, time and memory, and versions. It opens in any browser and prints well:
    pictures are part of it, and nothing is loaded from elsewhere.

    Parameters
    ----------
    evaluations : Evaluation or sequence of Evaluation
        From `evaluate`, such as one per protocol.
    path : path-like
        Where to: a name that ends in .html or .htm, in a folder that exists. An existing file is
        replaced once the new one is complete.
    title : str, default="Emotion recognition: evaluation"
        Title of the page.
    command : str, default=None
        The command that made the evaluations, to be shown.
    costs : ClipCosts, default=None
        From `measure_costs`: what a clip costs.

    Returns
    -------
    path : Path

    Raises
    ------
    TypeError
        If something else than evaluations is passed.
    ValueError
        If there is no evaluation, or the name ends otherwise.
    FileNotFoundError, NotADirectoryError
        If there is no such folder.
    IsADirectoryError
        If `path` is a folder.

    See Also
    --------
    evaluation_html : What a notebook shows.

    Examples
    --------
    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> import numpy as np
    >>> from skemotion.inspection import write_report
    >>> from skemotion.model_selection import Evaluation
    >>> truth, guess = np.array(["sad", "calm"]), np.array(["sad", "sad"])
    >>> labels = ["calm", "sad"]
    >>> result = Evaluation("speaker-independent", truth, guess, np.arange(2), labels, 2, 2)
    >>> with TemporaryDirectory() as folder:
    ...     page = write_report(result, Path(folder, "report.html")).read_text()
    >>> "UAR (unweighted average recall)</th><td>50.0 %</td>" in page
    True
    """
    path = check_report_path(path)
    several = all_evaluations(evaluations)
    page = _page(several, title, command, costs)
    # Next to the file, as what is complete can only be moved into place within one file system.
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=f".{path.name}.") as folder:
        part = Path(folder) / path.name
        part.write_text(page, encoding="utf-8", errors="replace")
        part.replace(path)
    return path


def check_report_path(path: str | os.PathLike[str]) -> Path:
    """Check that a report can be written, before the work that it is about.

    Parameters
    ----------
    path : path-like
        As for `write_report`, with the same errors.

    Returns
    -------
    path : Path

    Examples
    --------
    >>> from skemotion.inspection import check_report_path
    >>> check_report_path("report.pdf")
    Traceback (most recent call last):
        ...
    ValueError: report.pdf: expected a name that ends in .html or .htm, found .pdf.
    """
    path = Path(path)
    if path.suffix.lower() not in SUFFIXES:
        raise ValueError(
            f"{path}: expected a name that ends in {' or '.join(SUFFIXES)}, found "
            f"{path.suffix or 'none'}."
        )
    return check_target(path, "report")


def _page(
    evaluations: list[Evaluation], title: str, command: str | None, costs: ClipCosts | None
) -> str:
    written = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
    parts = [
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">',
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>{escape(title)}</title><style>{STYLE}{_PAGE_STYLE}</style></head>",
        f'<body class="skemotion"><main><h1>{escape(title)}</h1>',
        f"<p>Written {written} by skemotion {escape(package_versions()['skemotion'])}.</p>",
        *([_summary(evaluations)] if len(evaluations) > 1 else []),
        *map(_section, evaluations),
        _time_and_memory(evaluations, costs),
        "<section><h2>Versions</h2>",
        table("Packages", ["package", "version"], package_versions().items()),
        f"<p>{escape(platform.platform())}</p></section>",
    ]
    if command is not None:
        parts.append(
            f"<section><h2>Command</h2><pre><code>{escape(command)}</code></pre></section>"
        )
    return "\n".join([*parts, "</main></body></html>\n"])


def _summary(evaluations: list[Evaluation]) -> str:
    rows = []
    for evaluation in evaluations:
        low, high = evaluation.uar_interval
        rows.append(
            [
                evaluation.protocol,
                percent(evaluation.uar),
                "none" if np.isnan(low) else f"{100 * low:.1f} to {100 * high:.1f} %",
                percent(evaluation.accuracy),
            ]
        )
    head = ["protocol", "UAR", "95 % interval", "accuracy"]
    return table("In short", head, rows)


def _section(evaluation: Evaluation) -> str:
    splitter = f" The clips were split by {evaluation.splitter}." if evaluation.splitter else ""
    parts = [
        f"<section><h2>Protocol: {escape(evaluation.protocol)}</h2>",
        f"<p>{size_words(evaluation)}.{escape(splitter)}</p>",
        *(f"<p>{escape(words)}</p>" for words in protocol_words(evaluation)),
        figures_table(evaluation),
        confusion_table(evaluation),
        "<h3>Speakers</h3>",
        _speakers(evaluation),
        "<h3>What leaked</h3>",
        *_leaks(evaluation),
        "<h3>Calibration</h3>",
        *_calibration(evaluation),
    ]
    if evaluation.unusable:
        reasons = [error.reason for error in evaluation.unusable]
        more = len(reasons) - _MOST_UNUSABLE
        parts += [
            "<h3>Clips that were left out</h3>",
            f"<p>{plural(len(reasons), 'clip')} could not be used.</p>",
            unordered(reasons[:_MOST_UNUSABLE] + ([f"and {more} more"] if more > 0 else [])),
        ]
    return "\n".join([*parts, "</section>"])


def _speakers(evaluation: Evaluation) -> str:
    if evaluation.groups is None:
        return "<p>The speakers are not known.</p>"
    known = evaluation.per_speaker
    rows = [
        [name, n_clips, *map(percent, figures)]
        for name, n_clips, *figures in known[["n_clips", *FIGURES]].itertuples()
    ]
    spread = f"UAR by speaker: from {percent(known['uar'].min())} to {percent(known['uar'].max())}."
    head = ["speaker", "predictions", "UAR", "accuracy", "macro F1"]
    return f"<p>{spread}</p>{table('Figures of each speaker', head, rows)}"


def _leaks(evaluation: Evaluation) -> list[str]:
    missing = evaluation.not_audited
    grave = [leak_words(leak) for leak in evaluation.leaks if not leak.is_note]
    notes = [leak_words(leak) for leak in told_leaks(evaluation) if leak.is_note]
    parts = [f'<div class="leak">{unordered(grave)}</div>'] if grave else []
    if missing is None:
        parts.append("<p>The splits were not audited: no metadata of the clips was given.</p>")
    else:
        shared = any(leak.kind == "speaker" and leak.is_note for leak in evaluation.leaks)
        looked = [words for kind, words in _AUDITED.items() if kind not in missing]
        besides = " other than speakers, which the protocol has on both sides" if shared else ""
        parts += [] if grave else [f"<p>No leak was found{besides}.</p>"]
        parts.append(f"<p>Looked for in training and test: {', '.join(looked) or 'nothing'}.</p>")
    parts += [unordered(notes)] if notes else []
    if missing:
        caption = "What could not be looked for, or not in all rows"
        rows = [[_AUDITED.get(kind, kind), why] for kind, why in missing.items()]
        parts.append(table(caption, ["what", "why"], rows, texts=1))
    return parts


def _calibration(evaluation: Evaluation) -> list[str]:
    if np.isnan(evaluation.calibration_error):
        return ["<p>The model gives no probabilities.</p>"]
    return [
        f"<p>Expected calibration error {evaluation.calibration_error:.3f}: the mean distance "
        "between how probable the answer was said to be and how often it was right. It is 0 if "
        "of the answers given with 80 %, 80 % are right.</p>",
        f'<div class="pair">{reliability_diagram(evaluation)}{reliability_table(evaluation)}</div>',
    ]


def _time_and_memory(evaluations: list[Evaluation], costs: ClipCosts | None) -> str:
    parts = ["<section><h2>Time and memory</h2>"]
    cores = os.cpu_count() or 1
    if costs is not None:
        memory = "not known on this system"
        if costs.peak_bytes is not None:
            memory = f"{costs.peak_bytes / 1e6:,.0f} MB"
        rows = [
            ["opening and describing a clip, median", f"{median(costs.seconds):.3g} s"],
            ["the slowest of them", f"{max(costs.seconds):.3g} s"],
            ["processor time of a clip, mean", f"{costs.cpu_seconds:.3g} s"],
            ["peak memory of the process", memory],
        ]
        parts += [
            table("A clip", ["what", "how much"], rows),
            f"<p>Measured on {plural(len(costs.seconds), 'clip')} of this corpus, one at a time, "
            f"without a cache, on this machine of {plural(cores, 'core')} and whatever else it "
            "was doing. Memory is the most that the process has had, the evaluation and imported "
            "packages included, but not that of further worker processes.</p>",
        ]
    timed = [
        [e.protocol, e.n_splits, *(f"{value:.3g} s" for value in _seconds(e, e.seconds))]
        for e in evaluations
        if e.seconds is not None
    ]
    if timed:
        head = ["protocol", "splits", "first split", "others, median", "a prediction"]
        parts += [
            table("Training and testing", head, timed),
            "<p>Seconds by the clock, for fitting and predicting. The first split includes opening "
            "clips that no cache had; <em>a prediction</em> is for a clip that is described "
            "already.</p>",
        ]
    if len(parts) == 1:
        parts.append("<p>Not measured.</p>")
    return "\n".join([*parts, "</section>"])


def _seconds(evaluation: Evaluation, seconds: pd.DataFrame) -> tuple[float, float, float]:
    """Give the seconds of the first split, of another one, and of a prediction in the others."""
    both = seconds.sum(axis=1).to_numpy()
    others = np.arange(len(both)) >= min(1, len(both) - 1)
    folds = np.zeros(len(evaluation.target), int) if evaluation.folds is None else evaluation.folds
    a_prediction = seconds["predict"].to_numpy()[others].sum() / others[folds].sum()
    return float(both[0]), float(np.median(both[others])), float(a_prediction)
