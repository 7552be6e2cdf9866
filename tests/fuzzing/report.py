"""What the page on reliability says of tests and mutants, made from what they printed."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

# What may come of a mutant, and what must not.
GOOD = {
    "used": "used",
    "as without it": "as without it",
    "taken": "other values taken",
    "does not predict": "loaded, does not predict",
    "refused": "refused by name",
    "contained": "ended with its worker",
}
BAD = {
    "crash": "crash",
    "hang": "hang",
    "nameless": "no name",
    "bare": "bare exception",
    "acted": "ran code",
}


def table(counts: Mapping[tuple[str, str, str], int]) -> str:
    """Make a table of mutants by kind, damage and outcome."""
    known = {**GOOD, **BAD}
    # Outcomes that never came about are left out, but for those that must not.
    shown = [what for what in known if what in BAD or any(key[2] == what for key in counts)]
    rows: dict[tuple[str, str], Counter[str]] = {}
    for (kind, damage, what), n_mutants in counts.items():
        rows.setdefault((kind, damage), Counter())[what] += n_mutants
    lines = [
        " | ".join(["| file", "damage", "mutants", *(known[what] for what in shown)]) + " |",
        "| --- | --- |" + " ---: |" * (len(shown) + 1),
    ]
    for (kind, damage), row in sorted(rows.items()):
        cells = [f"{row.total():,}", *(f"{row[what]:,}" if row[what] else "" for what in shown)]
        lines.append(f"| {kind} | {damage} | {' | '.join(cells)} |")
    totals = [sum(row[what] for row in rows.values()) for what in shown]
    cells = [f"{sum(totals):,}", *(f"{total:,}" for total in totals)]
    lines.append(f"| **all** | | {' | '.join(f'**{cell}**' for cell in cells)} |")
    return "\n".join(lines)


def write_block(page: Path, name: str, content: str) -> None:
    """Replace what stands between a page's marks of a name."""
    text = page.read_text(encoding="utf-8")
    start, end = f"<!-- {name}: generated, do not edit -->", f"<!-- {name}: end -->"
    if text.count(start) != 1 or text.count(end) != 1:
        raise ValueError(f"{page}: expected the lines {start!r} and {end!r} once each.")
    pattern = re.compile(f"{re.escape(start)}.*{re.escape(end)}", re.DOTALL)
    page.write_text(pattern.sub(lambda _: f"{start}\n\n{content}\n\n{end}", text), encoding="utf-8")


def read_block(page: Path, name: str) -> str:
    """Return what stands between a page's marks of a name."""
    text = page.read_text(encoding="utf-8")
    _, _, rest = text.partition(f"<!-- {name}: generated, do not edit -->")
    return rest.partition(f"<!-- {name}: end -->")[0].strip()
