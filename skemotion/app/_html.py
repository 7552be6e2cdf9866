"""An answer as HTML, without anything that is loaded from elsewhere."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from html import escape

import pandas as pd

from ..inspection import Explanation, timeline_spans
from ._answer import Answer

_MODALITIES = {"audio": "sound", "video": "picture"}
_N_PARTS, _N_MEASURES = 6, 12

WAITING = """\
<div class="sk-empty">
<p class="sk-empty-title">The answer appears here.</p>
<p>Record or upload a few seconds of one person who looks into the camera and speaks.</p>
</div>"""

BUSY = """\
<div class="sk-empty sk-busy">
<p class="sk-empty-title">Looking and listening</p>
<p>The answer takes a few seconds, or longer while others are before you.</p>
</div>"""

LEARNING = """\
<div class="sk-empty sk-busy">
<p>Learning your usual face and voice. That takes up to a minute.</p>
</div>"""

LOST = "There is no answer, because too many people wait or something failed. Try again."


def answer_html(answer: Answer, *, enrolled: bool = False) -> str:
    """Write an answer.

    Parameters
    ----------
    answer : Answer
    enrolled : bool, default=False
        Whether the speaker was known.

    Returns
    -------
    html : str
    """
    label, share = escape(answer.label), answer.probabilities[answer.label]
    what = "mean probability over the recording" if answer.timeline is not None else "probability"
    relative = ", relative to your usual face and voice" if enrolled else ""
    parts = [
        f'<div class="sk-verdict" data-label="{label}">',
        f'<p class="sk-label">{label}</p>',
        f'<p class="sk-share"><b>{_percent(share)}</b> {what}, '
        f"{answer.seconds:.1f}&nbsp;s{relative}</p></div>",
        _bars(answer),
        *(f'<p class="sk-note">{escape(note)}</p>' for note in answer.notes),
    ]
    if answer.timeline is not None and answer.timeline_picture is not None:
        parts += [
            "<h2>Over time</h2>",
            picture(answer.timeline_picture, "png", "Probabilities over time, listed below"),
            _spans(answer.timeline),
        ]
    if answer.explanation is not None:
        parts += _why(answer.explanation, answer.window)
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


def _why(explanation: Explanation, window: tuple[float, float] | None) -> list[str]:
    """Write what made the answer."""
    where = "" if window is None else f" from {window[0]:.0f} to {window[1]:.0f}&nbsp;s"
    target = escape(str(explanation.target))
    sizes = explanation.modalities.abs()
    names = [_MODALITIES.get(str(name), str(name)) for name in sizes.index]
    shares = ", ".join(
        f"{escape(name)} {_percent(share)}"
        for name, share in zip(names, sizes / max(sizes.sum(), 1e-300), strict=True)
    )
    largest = max(explanation.parts["effect"].abs().max(), 1e-300)
    rows = []
    for row in explanation.parts.head(_N_PARTS).to_dict("records"):
        effect, kind = row["effect"], "for" if row["effect"] >= 0 else "against"
        part = escape(f"{_MODALITIES.get(row['modality'], row['modality'])}: {row['part']}")
        rows.append(
            f'<tr class="sk-part sk-{kind}"><th scope="row">{part}</th><td class="sk-bar"><span '
            f'style="width:{100 * abs(effect) / largest:.1f}%"></span></td>'
            f"<td>{kind} {abs(effect):.2f}</td></tr>"
        )
    measures = "".join(
        f"<tr><td>{escape(str(row['measure']))}</td><td>{escape(str(row['part']))}</td>"
        f"<td>{row['effect']:+.2f}</td></tr>"
        for row in explanation.details.head(_N_MEASURES).to_dict("records")
    )
    unit = "log-odds" if explanation.unit == "log-odds" else "the model's decision function"
    doubles = ": 0.7 doubles the odds" if explanation.unit == "log-odds" else ""
    return [
        f"<h2>What spoke for {target}{where}</h2>",
        f"<p>Compared with the average clip of the training, in {unit}{doubles}."
        f"{f' All in all: {shares}.' if len(names) > 1 else ''}</p>",
        '<table class="sk-bars"><caption class="sk-unseen">Effects of parts</caption>'
        f"<tbody>{''.join(rows)}</tbody></table>",
        '<details class="sk-more"><summary>In detail</summary><table class="sk-spans"><thead><tr>'
        "<th>measure</th><th>part</th><th>effect</th></tr></thead>"
        f"<tbody>{measures}</tbody></table></details>",
    ]


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
