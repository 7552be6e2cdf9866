"""``skemotion evaluate``: test how well emotion is recognised."""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ._options import PROTOCOLS, Commands, check_folder, corpus_options

if TYPE_CHECKING:
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
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Evaluate the recipe on a corpus."""
    if options.out is not None:
        options.out.mkdir(parents=True, exist_ok=True)
        check_folder(options.out)
    from ._work import Work

    protocols = PROTOCOLS if options.protocol == "both" else (options.protocol,)
    with Work.on_corpus(options) as work:
        report(work, protocols, options.out)
    return 0


def report(work: Work, protocols: Sequence[str], out: Path | None) -> None:
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
        return
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


def check_pictures() -> None:
    """Check that pictures can be drawn, before all the work."""
    try:
        import matplotlib  # noqa: F401
    except ImportError as error:
        raise ImportError(
            'Pictures need matplotlib: python -m pip install "skemotion[plot]"'
        ) from error
