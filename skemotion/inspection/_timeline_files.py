"""Timelines as files: tables, subtitles, tiers of annotation programs, pictures."""

from __future__ import annotations

import json
import os
import unicodedata
from collections.abc import Callable
from html import escape
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from ._timeline_display import ABOUT_WINDOWS, TimelineDisplay


class Span(NamedTuple):
    """A stretch of a recording with one label, and its mean probability."""

    start: float
    end: float
    label: str
    probability: float


def write_timeline(timeline: pd.DataFrame, path: str | os.PathLike[str]) -> Path:
    """Save a timeline in the format that the file's ending names.

    Parameters
    ----------
    timeline : DataFrame
        From `predict_timeline`.
    path : path-like
        Where to; its folder must exist. The file is written whole or not at all. The endings are
        those of `TIMELINE_FORMATS`:

        - ``.csv``: the table;
        - ``.json``: a list of windows, each with its ``probabilities`` by emotion;
        - ``.srt``, ``.vtt``: subtitles that players show;
        - ``.TextGrid``: a tier of intervals, for Praat and ELAN;
        - ``.png``: a `TimelineDisplay`.

    Returns
    -------
    path : Path

    Raises
    ------
    ValueError
        If the ending is another one.
    ImportError
        If matplotlib is not installed, for a picture.

    Notes
    -----
    Windows overlap, where subtitles and intervals must not. There each window stands for the time
    that is nearer to its middle than to its neighbours', and equal labels that follow each other
    become one. Line breaks in labels become spaces there.

    Labels in a ``.csv`` file are as the model has them: of a model that you do not trust, read it
    with pandas, since a spreadsheet would compute a label that begins with ``=``, ``+``, ``-`` or
    ``@``.

    Examples
    --------
    >>> import pandas as pd
    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> from skemotion.inspection import write_timeline
    >>> timeline = pd.DataFrame(
    ...     {"start": [0, 1], "end": [3, 4], "label": ["calm", "calm"],
    ...      "modalities": ["audio", "audio"], "angry": [0.2, 0.4], "calm": [0.8, 0.6]}
    ... )
    >>> with TemporaryDirectory() as folder:
    ...     print(write_timeline(timeline, Path(folder, "clip.srt")).read_text())
    1
    00:00:00,000 --> 00:00:04,000
    calm (70%)
    <BLANKLINE>
    """  # fmt: skip
    path = Path(path)
    known = {name.lower(): write for name, write in TIMELINE_FORMATS.items()}
    write = known.get(path.suffix.lower())
    if write is None:
        raise ValueError(
            f"{path}: expected a name that ends in {', '.join(TIMELINE_FORMATS)}, found "
            f"{path.suffix or 'none'}."
        )
    # Whole or not at all.
    part = path.with_name(f".{os.getpid()}.{path.name}")
    try:
        write(timeline, part)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
    return path


def timeline_spans(timeline: pd.DataFrame) -> list[Span]:
    """Join the windows of a timeline to stretches that do not overlap.

    Parameters
    ----------
    timeline : DataFrame
        From `predict_timeline`.

    Returns
    -------
    spans : list of Span
        In order. There is none where windows have no label.

    Examples
    --------
    >>> import pandas as pd
    >>> from skemotion.inspection import timeline_spans
    >>> timeline = pd.DataFrame(
    ...     {"start": [0, 1, 2], "end": [3, 4, 5], "label": ["calm", "calm", "angry"],
    ...      "modalities": ["audio"] * 3, "angry": [0.2, 0.4, 0.9], "calm": [0.8, 0.6, 0.1]}
    ... )
    >>> [(span.start, span.end, span.label) for span in timeline_spans(timeline)]
    [(0.0, 3.0, 'calm'), (3.0, 5.0, 'angry')]
    """  # fmt: skip
    if not len(timeline):
        return []
    starts, ends = timeline["start"].to_numpy(float), timeline["end"].to_numpy(float)
    middles = (starts + ends) / 2
    borders = (middles[1:] + middles[:-1]) / 2
    # Where windows do not meet, each has its own time only.
    begins = np.maximum(starts, np.concatenate([starts[:1], borders]))
    finishes = np.minimum(ends, np.concatenate([borders, ends[-1:]]))
    spans: list[list[Any]] = []
    for row, label in enumerate(timeline["label"]):
        if pd.isna(label):
            continue
        share = float(timeline[str(label)].iloc[row])
        if spans and spans[-1][2] == str(label) and spans[-1][1] == begins[row]:
            spans[-1][1] = finishes[row]
            spans[-1][3].append(share)
        else:
            spans.append([begins[row], finishes[row], str(label), [share]])
    return [
        Span(float(begin), float(finish), label, float(np.mean(shares)))
        for begin, finish, label, shares in spans
    ]


def _write_csv(timeline: pd.DataFrame, path: Path) -> None:
    timeline.to_csv(path, index=False, float_format="%.6g")


def _write_json(timeline: pd.DataFrame, path: Path) -> None:
    emotions = [name for name in timeline.columns if name not in ABOUT_WINDOWS]
    windows = []
    for row in timeline.to_dict("records"):
        answered = not pd.isna(row["label"])
        windows.append(
            {
                "start": row["start"],
                "end": row["end"],
                "label": str(row["label"]) if answered else None,
                "modalities": [name for name in row["modalities"].split("+") if name],
                "probabilities": {name: row[name] for name in emotions} if answered else None,
            }
        )
    path.write_text(json.dumps(windows, indent=1) + "\n", encoding="utf-8")


def _write_srt(timeline: pd.DataFrame, path: Path) -> None:
    cues = [
        f"{number}\n{_clock(span.start, ',')} --> {_clock(span.end, ',')}\n{_caption(span)}\n"
        for number, span in enumerate(timeline_spans(timeline), 1)
    ]
    path.write_text("\n".join(cues), encoding="utf-8")


def _write_vtt(timeline: pd.DataFrame, path: Path) -> None:
    cues = [
        f"{_clock(span.start, '.')} --> {_clock(span.end, '.')}\n"
        # The format's own marks are < and &.
        f"{escape(_caption(span), quote=False)}\n"
        for span in timeline_spans(timeline)
    ]
    path.write_text("\n".join(["WEBVTT\n", *cues]), encoding="utf-8")


def _write_textgrid(timeline: pd.DataFrame, path: Path) -> None:
    """Write Praat's long text format, whose intervals have no gaps: there they are empty."""
    length = float(timeline["end"].max()) if len(timeline) else 0.0
    intervals: list[tuple[float, float, str]] = []
    reached = 0.0
    for span in timeline_spans(timeline):
        if span.start > reached:
            intervals.append((reached, span.start, ""))
        intervals.append((span.start, span.end, span.label))
        reached = span.end
    if reached < length:
        intervals.append((reached, length, ""))
    lines = [
        'File type = "ooTextFile"', 'Object class = "TextGrid"', "",
        "xmin = 0", f"xmax = {length:.6f}", "tiers? <exists>", "size = 1", "item []:",
        "    item [1]:", '        class = "IntervalTier"', '        name = "emotion"',
        "        xmin = 0", f"        xmax = {length:.6f}",
        f"        intervals: size = {len(intervals)}",
    ]  # fmt: skip
    for number, (start, end, label) in enumerate(intervals, 1):
        text = _in_one_line(label).replace('"', '""')
        lines += [
            f"        intervals [{number}]:",
            f"            xmin = {start:.6f}",
            f"            xmax = {end:.6f}",
            f'            text = "{text}"',
        ]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _write_png(timeline: pd.DataFrame, path: Path) -> None:
    display = TimelineDisplay.from_timeline(timeline)
    display.figure_.savefig(path, dpi=150)
    import matplotlib.pyplot as plt

    plt.close(display.figure_)


def _clock(seconds: float, point: str) -> str:
    milliseconds = round(seconds * 1000)
    hours, rest = divmod(milliseconds, 3_600_000)
    minutes, rest = divmod(rest, 60_000)
    return f"{hours:02d}:{minutes:02d}:{rest // 1000:02d}{point}{rest % 1000:03d}"


def _caption(span: Span) -> str:
    return f"{_in_one_line(span.label)} ({span.probability:.0%})"


def _in_one_line(label: str) -> str:
    """Replace line breaks, after which readers expect times, and other control characters."""
    return "".join(
        " " if unicodedata.category(char) in ("Cc", "Zl", "Zp") else char for char in label
    )


#: What writes a timeline, by the ending of the file's name.
TIMELINE_FORMATS: dict[str, Callable[[pd.DataFrame, Path], None]] = {
    ".csv": _write_csv,
    ".json": _write_json,
    ".srt": _write_srt,
    ".vtt": _write_vtt,
    ".TextGrid": _write_textgrid,
    ".png": _write_png,
}
