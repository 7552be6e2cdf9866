"""``skemotion train``: fit a model on all clips of a corpus."""

from __future__ import annotations

import argparse
import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ._messages import complain
from ._options import Commands, corpus_options, kind_of, recipe_of

if TYPE_CHECKING:
    from ._work import Work

# With fewer, nothing can be learnt that applies to other clips.
_FEWEST_CLIPS, _FEWEST_OF_AN_EMOTION, _FEWEST_SPEAKERS = 20, 5, 2
# Enough to know how long clips are.
_SOME_CLIPS = 50


def add(commands: Commands) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "train", parents=[corpus_options()], help="fit a model on all clips"
    )
    parser.add_argument("-o", "--out", type=Path, required=True, metavar="MODEL",
                        help="file to write, such as model.skops")  # fmt: skip
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Fit a model, and save it."""
    from ..persistence import check_model_path

    check_model_path(options.out.absolute())
    from ._work import Work

    with Work.on_corpus(options) as work:
        fit_and_save(work, options.out, corpus=kind_of(options), **recipe_of(options))
    return 0


def fit_and_save(work: Work, path: Path, **training: Any) -> None:
    """Fit on the clips that can be used, and save the model with what it was trained on."""
    from ..base import plural
    from ..persistence import save_model
    from ..pipeline import fit_usable

    rows = work.usable
    target, groups = work.corpus.target[rows], work.corpus.groups
    groups = None if groups is None else groups[rows]
    n_clips_per_class = dict(sorted(Counter(target.tolist()).items()))
    speakers = None if groups is None else sorted(set(groups.tolist()))
    print(f"Training on {plural(len(target), 'clip')}{work.left_out}", flush=True)
    for warning in _too_few(n_clips_per_class, speakers):
        complain(f"warning: {warning}")
    clips = work.corpus.data.iloc[rows]
    fitted, _ = fit_usable(work.model, clips, target, groups, max_unusable=0.0, n_jobs=work.n_jobs)
    saved = save_model(
        work.for_others(fitted),
        path,
        **training,
        n_clips=len(target),
        seconds=_usual_seconds(clips),
        n_unusable=len(work.errors),
        n_clips_per_class=n_clips_per_class,
        speakers=speakers,
    )
    print(f"Saved {saved}")


def _usual_seconds(clips: Any) -> float | None:
    """Give the median duration of some of the clips, by their headers."""
    from statistics import median

    from ..io import claimed_seconds

    some = clips.iloc[:: -(-len(clips) // _SOME_CLIPS)]
    columns = [name for name in ("audio", "video") if name in some]
    cells = [
        next((cell for cell in row if isinstance(cell, str | os.PathLike)), None)
        for row in some[columns].itertuples(index=False)
    ]
    known = [s for s in (claimed_seconds(cell) for cell in cells if cell is not None) if s]
    return round(median(known), 2) if known else None


def _too_few(n_clips_per_class: dict[str, int], speakers: list[Any] | None) -> Iterator[str]:
    from ..base import plural

    n_clips = sum(n_clips_per_class.values())
    if n_clips < _FEWEST_CLIPS:
        yield (
            f"{plural(n_clips, 'clip')} in all, fewer than {_FEWEST_CLIPS}: predictions of this "
            "model for other clips mean little. Add clips."
        )
    few = [f"{n} of {name}" for name, n in n_clips_per_class.items() if n < _FEWEST_OF_AN_EMOTION]
    if few:
        yield (
            f"{', '.join(few)}, fewer than {_FEWEST_OF_AN_EMOTION} clips of an emotion: too few to "
            "learn it from. Add clips."
        )
    if speakers is not None and len(speakers) < _FEWEST_SPEAKERS:
        yield (
            "one speaker: the model may learn this voice and face rather than emotion. Add clips "
            "of others."
        )
