"""``skemotion predict``: predict the emotion of clips."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ._cluster import cluster_options
from ._messages import complain, naming_model, print_line
from ._options import Commands, check_folder, column_options, jobs_options

if TYPE_CHECKING:
    from ..pipeline import ClipPrediction

# Times the duration of a training clip.
_MUCH_LONGER = 5


def add(commands: Commands) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "predict",
        parents=[jobs_options(), cluster_options(), column_options()],
        help="say the emotion of clips",
    )
    parser.add_argument("model", metavar="MODEL", help="file that train wrote")
    parser.add_argument("paths", metavar="PATH", nargs="+",
                        help="video or sound file, folder of them, or table (.csv, .tsv, "
                        ".parquet)")  # fmt: skip
    parser.add_argument("-o", "--out", type=Path, metavar="FILE",
                        help="write predictions to this file as well: .csv or .jsonl, a row at a "
                        "time, or .json at the end")  # fmt: skip
    parser.add_argument("--resume", action="store_true",
                        help="go on with FILE where the same command was ended")  # fmt: skip
    # Absent where it is not given: on a cluster the other commands need one, and this does not.
    parser.add_argument("--cache", type=Path, metavar="FOLDER", default=argparse.SUPPRESS,
                        help="keep the results for each clip there, for later runs")  # fmt: skip
    parser.add_argument("--speaker", metavar="NAME",
                        help="who speaks in all of these clips, for a model trained with "
                        "--per-speaker: it then scales them by one another; a table may have a "
                        "column speaker instead")  # fmt: skip
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Print a line per clip: its name, the emotion, and how probable that is."""
    if options.out is not None:
        check_folder(options.out.absolute().parent)
    elif sys.stdout is None:
        raise ValueError("Standard output is closed: open it, or write to a file by --out.")
    elif options.resume:
        raise ValueError("--resume goes on with a file: give one by --out.")
    from ..base import plural
    from ..datasets import find_clips
    from ..persistence import load_model, read_model_info
    from ..pipeline import predict_clips

    model = load_model(options.model)
    about = read_model_info(options.model)
    training = about["training"]
    clips = find_clips(
        options.paths, video=options.video, audio=options.audio, landmarks=options.landmarks
    )
    column = training.get("speaker")
    if not (column and isinstance(column, str)):  # the file may say anything
        column = "speaker"
    if options.speaker is not None:
        clips[column] = options.speaker
    nameless = len(clips) if column not in clips else int(clips[column].isna().sum())
    if about["uses_speaker_clips"] and nameless:
        complain(
            "warning: this model scales each speaker's clips by that speaker's own, and "
            f"of {nameless} of {plural(len(clips), 'clip')} the speaker is not known: those of "
            "training stand in, and figures found with --per-speaker do not apply. Say who speaks, "
            "by --speaker or in a table."
        )
    n_failed = 0
    with naming_model(options.model):
        predictions = predict_clips(
            model,
            clips,
            out=options.out,
            resume=options.resume,
            memory=getattr(options, "cache", None),
            n_jobs=options.jobs,
        )
    # Closed also where the reader of what is printed has gone, or the run is interrupted.
    with closing(predictions):
        for prediction in _asked(options.model, predictions):
            if prediction.error is not None:
                complain(prediction.error)
                n_failed += 1
                continue
            words = [prediction.clip, str(prediction.label)]
            if prediction.probabilities:
                words.append(f"{max(prediction.probabilities.values()):.2f}")
            print_line(words)
            _warn_of_length(prediction.clip, training.get("seconds"))
    return 1 if n_failed else 0


def _asked(model: str, predictions: Iterator[ClipPrediction]) -> Iterator[ClipPrediction]:
    """Yield predictions; what fails in between, and not where they are printed, is the model's."""
    with naming_model(model):
        yield from predictions


def _warn_of_length(clip: str, usual: Any) -> None:
    """Say so where a clip is of a length that the model knows nothing of."""
    from ..io import claimed_seconds

    if not isinstance(usual, int | float):  # nobody has said, or the file says anything
        return
    seconds = claimed_seconds(clip)
    if seconds is not None and seconds > _MUCH_LONGER * usual:
        complain(
            f"warning: {clip}: {seconds:.0f} s, where the model was trained on clips of about "
            f"{usual:.1f} s: one emotion for all of it means little. skemotion timeline gives them "
            "over time."
        )
