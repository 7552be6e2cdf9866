"""``skemotion evaluate``: test how well emotion is recognised."""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ._messages import complain
from ._options import PROTOCOLS, Commands, check_folder, corpus_options

if TYPE_CHECKING:
    from ..model_selection import Evaluation
    from ._work import Work


def add(commands: Commands) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "evaluate", parents=[corpus_options()], help="test how well emotion is recognised"
    )
    parser.add_argument("--protocol", choices=(*PROTOCOLS, "both"), default="both",
                        help="test on speakers in training, on new ones, or both")  # fmt: skip
    parser.add_argument("--out", type=Path, metavar="FOLDER",
                        help="save confusion matrices (PNG), figures (JSON) and predictions "
                        "(CSV)")  # fmt: skip
    parser.add_argument("--report", type=Path, metavar="FILE",
                        help="save all of it as one page (HTML) that opens anywhere")  # fmt: skip
    parser.add_argument("--compare", type=Path, metavar="OTHER",
                        help="say by how much this is better than what evaluate --out saved: the "
                        "folder, or one file of predictions (CSV)")  # fmt: skip
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Evaluate the recipe on a corpus."""
    if options.out is not None:
        options.out.mkdir(parents=True, exist_ok=True)
        check_folder(options.out)
    from ..inspection import check_report_path, write_report
    from ..model_selection import compare
    from ..pipeline import measure_costs
    from ._work import Work

    protocols = PROTOCOLS if options.protocol == "both" else (options.protocol,)
    if options.report is not None:
        check_report_path(options.report)
    others = [] if options.compare is None else _others(options.compare, protocols)
    with Work.on_corpus(options, needs_speakers=True) as work:
        results = report(work, protocols, options.out)
        if options.report is not None:
            page = write_report(
                results,
                options.report,
                title=f"Evaluation on {options.corpus}",
                command=options.command,
                costs=measure_costs(work.model, work.corpus.data.iloc[work.usable]),
            )
            print(f"Saved {page}")
    n_failed = 0
    for result, other in zip(results, others, strict=False):
        try:
            difference = compare(other, result)
        except ValueError as error:
            complain(
                f"{result.protocol}: {options.compare} (the first) cannot be compared with this "
                f"run (the second). {error}"
            )
            n_failed += 1
        else:
            print(f"{result.protocol}, UAR compared with {options.compare}: {difference}")
    return 1 if n_failed else 0


def _others(place: Path, protocols: Sequence[str]) -> list[Evaluation]:
    """Load the evaluations to compare with: before the work, which is long."""
    import pandas as pd

    from ..model_selection import Evaluation

    if not place.is_dir() and len(protocols) > 1:
        raise ValueError(
            f"{place}: expected a folder that evaluate --out saved to, found none. Give the folder "
            "or, for a file of predictions, the one --protocol that it is of."
        )
    others = []
    for protocol in protocols:
        path = place / f"predictions-{protocol}.csv" if place.is_dir() else place
        if not path.is_file():
            raise FileNotFoundError(
                f"{path}: expected predictions under this protocol, found no such file. Save them "
                "by evaluate --out, or choose another --protocol."
            )
        try:
            table = pd.read_csv(path, dtype=str, keep_default_na=False)
            others.append(Evaluation.from_frame(table, protocol))
        except ValueError as error:
            raise ValueError(f"{path}: {error}") from error
    return others


def report(work: Work, protocols: Sequence[str], out: Path | None) -> list[Evaluation]:
    """Evaluate, print figures, and save them where a folder is given."""
    from ..model_selection import evaluate

    if out is not None:
        check_pictures()
    start = time.perf_counter()
    results = evaluate(
        work.model,
        work.corpus.data,
        work.corpus.target,
        work.corpus.groups,
        protocol=tuple(protocols),
        metadata=work.corpus.metadata.join(
            work.corpus.data.drop(columns=work.corpus.metadata.columns, errors="ignore")
        ),
        max_unusable=work.max_unusable,
        n_jobs=work.n_jobs,
    )
    for result in results:
        print(result, end="\n\n")
    seconds = time.perf_counter() - start
    print(f"Evaluated in {seconds:.0f} s.", flush=True)
    if out is None:
        return results
    for result in results:
        for kind, name in (("confusion", "png"), ("predictions", "csv"), ("metrics", "json")):
            path = out / f"{kind}-{result.protocol}.{name}"
            if name == "png":
                result.plot().figure_.savefig(path, dpi=120)
            elif name == "csv":
                result.to_frame().to_csv(path, index=False)
            else:
                path.write_text(result.to_json() + "\n", encoding="utf-8")
            print(f"Saved {path}")
    return results


def check_pictures() -> None:
    """Check that pictures can be drawn, before all the work."""
    try:
        import matplotlib  # noqa: F401
    except ImportError as error:
        raise ImportError(
            'Pictures need matplotlib: python -m pip install "skemotion[plot]"'
        ) from error
