"""Run the benchmarks one after the other, and write what they found into the documentation.

``python benchmarks/run_all.py`` runs all and rewrites the tables in ``docs/performance.md`` and
``docs/scaling.md``; ``python benchmarks/run_all.py hog3d audio`` runs two and writes nothing.
"""

from __future__ import annotations

import argparse
import datetime
import importlib
import platform
import re
import sys
import time
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

import joblib
from measure import Outcome, Row, conclude, process
from scaling import scaling

NAMES = ("hog3d", "decoding", "loading", "audio", "functionals", "tucker", "path", "isolation",
         "memory", "search")  # fmt: skip
DOCS = Path(__file__).parents[1] / "docs"
PACKAGES = ("numpy", "scipy", "scikit-learn", "joblib", "av", "opencv-python-headless", "librosa",
            "numba", "tensorly")  # fmt: skip


def run(name: str) -> Outcome:
    outcome: Outcome = importlib.import_module(f"bench_{name}").main([])
    sys.stdout.flush()
    return outcome


def machine() -> str:
    """Name the machine and the versions of what computes."""
    info = Path("/proc/cpuinfo")
    models = re.findall(r"model name\s*: (.*)", info.read_text()) if info.exists() else []
    model = models[0] if models else platform.processor() or platform.machine()
    versions = ", ".join(f"{package} {version(package)}" for package in PACKAGES)
    return (
        f"Measured on {datetime.date.today()} on {joblib.cpu_count()} cores of {model} "
        f"({platform.system()}, {platform.machine()}), Python {platform.python_version()}, "
        f"{versions}."
    )


def table(rows: Sequence[Row]) -> str:
    head = ("work (script)", "plain way", "peer", "skemotion", "ratio", "required", "agreement",
            "memory")  # fmt: skip
    lines = [head, ("---",) * len(head)]
    for row in rows:
        ratios, required = [], []
        for aim in row.aims:
            ratios.append(aim.measured if aim.met else f"{aim.measured} (**below the aim**)")
            if aim.required and aim.required not in required:
                required.append(aim.required)
        lines.append((row.work, row.plain, row.peer, row.ours, "; ".join(ratios),
                      "; ".join(required), row.agreement, row.memory))  # fmt: skip
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def rewrite(path: Path, text: str) -> None:
    """Replace what stands between the two marks of a page."""
    page = path.read_text()
    pattern = r"(<!-- figures: begin[^>]*-->\n).*?(<!-- figures: end -->)"
    page, n = re.subn(
        pattern, lambda marks: f"{marks[1]}\n{text}\n\n{marks[2]}", page, flags=re.DOTALL
    )
    if n != 1:
        sys.exit(f"{path}: expected one pair of marks 'figures: begin' and 'figures: end'.")
    path.write_text(page)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"some of {', '.join(NAMES)}")
    names = parser.parse_args().names
    if not set(names) <= set(NAMES):
        parser.error(f"expected some of {', '.join(NAMES)}, got {', '.join(names)}")
    rows: list[Row] = []
    figures: dict[str, float] = {}
    start = time.perf_counter()
    for name in names or NAMES:
        # In a process of its own: some choose their cores, and memory is measured.
        with process() as call:
            outcome = call(run, name)
        rows += outcome.rows
        figures |= outcome.figures
    print(f"\nAll of it took {(time.perf_counter() - start) / 60:.0f} minutes.")
    if not names:
        rewrite(DOCS / "performance.md", f"{machine()}\n\n{table(rows)}")
        rewrite(DOCS / "scaling.md", f"{machine()}\n\n{scaling(figures)}")
    conclude(Outcome(rows))


if __name__ == "__main__":
    main()
