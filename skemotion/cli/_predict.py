"""``skemotion predict``: predict the emotion of clips."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from typing import Any

from ._messages import complain
from ._options import Commands, jobs_options

# Clips per worker between lines of output.
_BATCH = 4


def add(commands: Commands) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "predict", parents=[jobs_options()], help="predict the emotion of clips"
    )
    parser.add_argument("model", metavar="MODEL", help="file that train wrote")
    parser.add_argument("clips", metavar="CLIP", nargs="+", help="video or sound file")
    parser.add_argument("--speaker", metavar="NAME",
                        help="the speaker of all these clips, for a model trained with "
                        "--speaker, which then scales them by one another")  # fmt: skip
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Print a line per clip: its name, the emotion, and how probable that is."""
    import pandas as pd

    from ..persistence import load_model, read_model_info
    from ..pipeline import find_unusable
    from ._work import cache_folder, number_of_workers

    n_jobs = number_of_workers(options.jobs)
    n_failed = 0
    training = read_model_info(options.model)["training"]
    # A speaker's clips are looked at together.
    size = len(options.clips) if options.speaker else _BATCH * n_jobs
    with cache_folder() as folder:
        model = load_model(options.model, memory=folder, n_jobs=n_jobs)
        for start in range(0, len(options.clips), size):
            batch = options.clips[start : start + size]
            clips = pd.DataFrame({"video": batch, "audio": batch})
            if training.get("picture") == "landmarks":
                clips["landmarks"] = batch
            if training.get("speaker"):
                clips[training["speaker"]] = options.speaker
            bad = {error.row: error.reason for error in find_unusable(model, clips, n_jobs=n_jobs)}
            good = clips.drop(index=list(bad))
            answers = dict(zip(good.index, _answers(model, good), strict=True))
            for row, clip in enumerate(batch):
                answer = bad.get(row) or answers[row]
                if isinstance(answer, tuple):
                    print("\t".join([clip, *answer]), flush=True)
                else:
                    complain(answer)
                    n_failed += 1
    return 1 if n_failed else 0


def _answers(model: Any, clips: Any) -> Iterator[tuple[str, ...] | str]:
    """Give label and probability of each clip, or why there is none."""
    if not len(clips):
        return
    try:
        if hasattr(model, "predict_proba"):
            for shares in model.predict_proba(clips):
                yield str(model.classes_[shares.argmax()]), f"{shares.max():.2f}"
        else:
            yield from ((str(label),) for label in model.predict(clips))
    except ValueError as error:
        if len(clips) == 1:
            yield str(error)
        else:  # one of them it was
            for row in range(len(clips)):
                yield from _answers(model, clips.iloc[[row]])
