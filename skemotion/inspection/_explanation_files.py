"""Explanations as files: one page of HTML, a picture, a table."""

from __future__ import annotations

import base64
import io
import os
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

from ._evaluation_html import STYLE

if TYPE_CHECKING:
    import pandas as pd

    from ._explanation import Explanation

EXPLANATION_FORMATS = (".html", ".png", ".svg", ".pdf", ".csv")
# Rows of details in a page; the others are small.
_MOST_DETAILS = 40
_PAGE_STYLE = """\
body { max-width: 62rem; margin: 0 auto; padding: 0.5rem 1rem 3rem; color: #16191d; \
background: #fff; overflow-wrap: break-word; }
h1 { font-size: 1.7rem; line-height: 1.25; }
h2 { font-size: 1.3rem; margin-top: 2.2rem; }
img { max-width: 100%; height: auto; }
.tables { display: flex; flex-wrap: wrap; gap: 0 2.5rem; align-items: flex-start; }
@media (max-width: 40rem) {
  .skemotion th, .skemotion td { padding: 0.25em 0.3em; }
  .skemotion table { font-size: 0.85rem; }
  /* Its words stay readable, and it scrolls. */
  .picture img { max-width: none; width: 44rem; }
}
"""
# Whatever a name in the page is, a browser loads and runs nothing.
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"


def write_explanation(explanation: Explanation, path: str | os.PathLike[str]) -> Path:
    """Save an explanation as a page, a picture or a table.

    Parameters
    ----------
    explanation : Explanation
        From `explain`.
    path : path-like
        Where to; the ending says what: ``.html``, one file with the picture and tables that opens
        in any browser without a network; ``.png``, ``.svg`` or ``.pdf``, the picture; ``.csv``, the
        details, with labels as the model has them: a spreadsheet would compute one that begins with
        ``=``, ``+``, ``-`` or ``@``. An existing file is replaced.

    Returns
    -------
    path : Path

    Raises
    ------
    ValueError
        If the name ends otherwise.
    ImportError
        If matplotlib is not installed, except for ``.csv``.

    Examples
    --------
    >>> from skemotion.inspection import explain, write_explanation
    >>> write_explanation(explain(model, "me.mp4"), "me.html")  # doctest: +SKIP
    """
    path = Path(path)
    suffix = path.suffix.lower()
    if suffix == ".csv":
        explanation.to_frame().to_csv(path, index=False)
    elif suffix == ".html":
        path.write_text(explanation_page(explanation), encoding="utf-8")
    elif suffix in EXPLANATION_FORMATS:
        path.write_bytes(explanation_picture(explanation, suffix.removeprefix(".")))
    else:
        raise ValueError(f"{path}: expected a name that ends in {', '.join(EXPLANATION_FORMATS)}.")
    return path


def explanation_picture(explanation: Explanation, kind: str = "png") -> bytes:
    """Draw an explanation, without pyplot: any thread may do this.

    Parameters
    ----------
    explanation : Explanation
    kind : str, default="png"
        Format, as matplotlib knows it.

    Returns
    -------
    picture : bytes
    """
    from ._explanation_display import ExplanationDisplay, figure_size

    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ImportError(
            'Pictures need matplotlib: python -m pip install "skemotion[plot]"'
        ) from error
    display = ExplanationDisplay(explanation)
    figure = Figure(figsize=figure_size(explanation), layout="constrained")
    file = io.BytesIO()
    display.plot(figure=figure).figure_.savefig(file, format=kind, dpi=110)
    return file.getvalue()


def explanation_page(explanation: Explanation) -> str:
    """Lay out an explanation as one page of HTML.

    Parameters
    ----------
    explanation : Explanation

    Returns
    -------
    html : str
        A whole page with the picture in it; nothing is loaded from elsewhere.
    """
    title = escape(f"{explanation.name}: {explanation.target}")
    picture = base64.b64encode(explanation_picture(explanation)).decode("ascii")
    body = [
        f"<h1>Why {escape(str(explanation.target))}?</h1>",
        f"<p><strong>{escape(explanation.headline)}</strong><br>{escape(explanation.clip)}</p>",
        '<div class="wide picture" role="group" tabindex="0" aria-label="Picture">'
        f'<img alt="Effects of the parts, listed below" src="data:image/png;base64,{picture}">'
        "</div>",
        f"<p>{_words(explanation)}</p>",
        '<div class="tables">',
        _table("Modalities", explanation.modalities.reset_index(), explanation.unit),
        _table("Parts", explanation.parts, explanation.unit),
        _table("Details", explanation.details.head(_MOST_DETAILS), explanation.unit),
        "</div>",
    ]
    return "\n".join(
        [
            '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">',
            f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f"<title>{title}</title><style>{STYLE}{_PAGE_STYLE}</style></head>",
            f'<body class="skemotion"><main>{"".join(body)}</main></body></html>\n',
        ]
    )


def explanation_table(explanation: Explanation) -> str:
    """Lay out the parts of an explanation as HTML, as notebooks show it.

    Parameters
    ----------
    explanation : Explanation

    Returns
    -------
    html : str
    """
    return (
        f'<div class="skemotion"><style>{STYLE}</style><p><strong>'
        f"{escape(explanation.headline)}</strong><br>{escape(explanation.clip)}</p>"
        f"{_table('Parts', explanation.parts, explanation.unit)}</div>"
    )


def _words(explanation: Explanation) -> str:
    effect = (
        "the logarithm of p / (1 - p): 0.7 doubles the odds, and effects add up"
        if explanation.unit == "log-odds"
        else "the model's decision function, in which effects add up"
    )
    if explanation.softened > 1:
        effect += (
            ". The model is certain beyond one in a million, and was made less certain by a factor "
            f"of {explanation.softened:.3g} to be explained"
        )
    return (
        f"Effects are differences in {effect}. They lead from {explanation.average_score:.2f} "
        f"for the average clip to {explanation.score:.2f} for this one, and say where the model's "
        "answer comes from, which need not be what the person feels. A part of many values can "
        "have a large effect although each of them has a small one."
    )


def _table(caption: str, table: pd.DataFrame, unit: str) -> str:
    words = [name for name in table.columns if name not in ("n_values", "effect")]
    head = "".join(f'<th class="text" scope="col">{escape(str(name))}</th>' for name in words)
    has_sizes = "n_values" in table
    head += '<th scope="col">values</th>' if has_sizes else ""
    lines = []
    for row in table.to_dict("records"):
        cells = "".join(f'<td class="text">{escape(str(row[name]))}</td>' for name in words)
        cells += f"<td>{row['n_values']}</td>" if has_sizes else ""
        lines.append(f"<tr>{cells}<td>{signed(row['effect'])}</td></tr>")
    return (
        f"<table><caption>{caption}</caption><thead><tr>{head}"
        f'<th scope="col">effect, {escape(unit)}</th></tr></thead>'
        f"<tbody>{''.join(lines)}</tbody></table>"
    )


def signed(effect: float) -> str:
    """Write an effect with its sign; none for what is rounded to nothing.

    Parameters
    ----------
    effect : float

    Returns
    -------
    words : str
        Such as "+0.71".
    """
    words = f"{effect:+.2f}"
    return "0.00" if float(words) == 0 else words
