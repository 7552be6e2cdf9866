"""An answer as HTML, without anything that is loaded from elsewhere."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from html import escape

import pandas as pd

from ..inspection import timeline_spans
from ._answer import Answer

WAITING = """\
<div class="sk-empty">
<p class="sk-empty-title">The answer appears here.</p>
<p>Record or upload a few seconds of one person who looks into the camera and speaks.</p>
</div>"""


def answer_html(answer: Answer) -> str:
    """Write an answer.

    Parameters
    ----------
    answer : Answer

    Returns
    -------
    html : str
    """
    label, share = escape(answer.label), answer.probabilities[answer.label]
    what = "mean probability over the recording" if answer.timeline is not None else "probability"
    parts = [
        f'<div class="sk-verdict" data-label="{label}">',
        f'<p class="sk-label">{label}</p>',
        f'<p class="sk-share"><b>{_percent(share)}</b> {what}, '
        f"{answer.seconds:.1f}&nbsp;s</p></div>",
        _bars(answer),
        *(f'<p class="sk-note">{escape(note)}</p>' for note in answer.notes),
    ]
    if answer.timeline is not None and answer.timeline_picture is not None:
        parts += [
            "<h2>Over time</h2>",
            picture(answer.timeline_picture, "png", "Probabilities over time, listed below"),
            _spans(answer.timeline),
        ]
    if answer.faces:
        parts.append("<h2>The face, with the landmarks that are measured</h2>")
        parts.append('<div class="sk-faces">')
        parts += [
            picture(face, "jpeg", f"The face with its landmarks, moment {i} of {len(answer.faces)}")
            for i, face in enumerate(answer.faces, 1)
        ]
        parts.append("</div>")
    parts.append('<p class="sk-kept">The recording has been deleted.</p>')
    return "\n".join(parts)


def problem_html(words: str) -> str:
    """Write why there is no answer."""
    return f'<div class="sk-problem"><p>{escape(words)}</p></div>'


def note_html(words: str) -> str:
    """Write a sentence."""
    return f'<p class="sk-note">{escape(words)}</p>'


def head_html(classes: Sequence[str], max_seconds: float) -> str:
    """Write the top of the page."""
    names = ", ".join(escape(name) for name in classes)
    return f"""\
<header class="sk-head" data-max-seconds="{max_seconds:g}">
<h1>Which emotion is it?</h1>
<p>Record yourself with camera and microphone, or upload a clip of up to {max_seconds:g} s. The
model knows {len(classes)} emotions: {names}.</p>
</header>"""


FOOT = """\
<footer class="sk-foot"><p>Recordings are analysed on the computer that serves this page, and
deleted when the answer is there. The answer is what a model learnt from acted clips; it does not
say what a person feels.</p></footer>"""


def picture(content: bytes, kind: str, words: str) -> str:
    """Write a picture with its content."""
    encoded = base64.b64encode(content).decode()
    return f'<img src="data:image/{kind};base64,{encoded}" alt="{escape(words)}">'


def _bars(answer: Answer) -> str:
    rows = []
    for name, share in sorted(answer.probabilities.items(), key=lambda item: -item[1]):
        kind = ' class="sk-first"' if name == answer.label else ""
        rows.append(
            f'<tr{kind}><th scope="row">{escape(name)}</th><td class="sk-bar"><span '
            f'style="width:{100 * share:.1f}%"></span></td><td>{_percent(share)}</td></tr>'
        )
    head = '<caption class="sk-unseen">Probability of each emotion</caption>'
    return f'<table class="sk-bars">{head}<tbody>{"".join(rows)}</tbody></table>'


def _spans(timeline: pd.DataFrame) -> str:
    rows = "".join(
        f"<tr><td>{span.start:.1f} to {span.end:.1f}&nbsp;s</td><td>{escape(span.label)}</td>"
        f"<td>{_percent(span.probability)}</td></tr>"
        for span in timeline_spans(timeline)
    )
    head = "<thead><tr><th>time</th><th>emotion</th><th>probability</th></tr></thead>"
    return (
        f'<details class="sk-more"><summary>As a table</summary><table class="sk-spans">{head}'
        f"<tbody>{rows}</tbody></table></details>"
    )


def _percent(share: float) -> str:
    return f"{100 * share:.0f}&nbsp;%"
