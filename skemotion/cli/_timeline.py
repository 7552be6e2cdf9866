"""``skemotion timeline``: say the emotions over the course of long recordings."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ._messages import complain, naming_model, print_line
from ._options import Commands, check_folder, positive, whole_number

# As in skemotion.inspection, which takes seconds to import.
FORMATS = (".csv", ".json", ".srt", ".vtt", ".TextGrid", ".png")
# Only a few windows are held, so that what guards memory need not stop a recording: a day of it.
_MOST_SECONDS, _MOST_FRAMES, _MOST_PIXELS = 86_400, 10_000_000, 2**45


def add(commands: Commands) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser("timeline", help="say the emotions over time in long recordings")
    parser.add_argument("model", metavar="MODEL", help="file that train wrote")
    parser.add_argument("clips", metavar="CLIP", nargs="+", help="video or sound file")
    parser.add_argument("-o", "--out", type=Path, metavar="FILE",
                        help=f"save as {', '.join(FORMATS)} by the ending, in place of lines on "
                        "standard output; only a suffix, such as .srt, saves next to each "
                        "clip")  # fmt: skip
    parser.add_argument("--window", type=positive, default=3.0, metavar="SECONDS",
                        help="length of a window (default: %(default)s)")  # fmt: skip
    parser.add_argument("--hop", type=positive, default=1.0, metavar="SECONDS",
                        help="from one window to the next (default: %(default)s)")  # fmt: skip
    parser.add_argument("--smooth", type=whole_number, metavar="N",
                        help="average over N windows, an odd number")  # fmt: skip
    parser.add_argument("--fps", type=positive, default=20.0, metavar="N",
                        help="frames a second in which faces are looked for "
                        "(default: %(default)s)")  # fmt: skip
    parser.add_argument("--resume", action="store_true",
                        help="go on where the same command was ended; needs --out")  # fmt: skip
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Print or save a timeline per clip, and say which clips cannot be used."""
    outputs = _outputs(options.clips, options.out)
    parts = [None if path is None else _part(path) for path in outputs]
    _check_parts(parts, resume=options.resume)
    from .. import limits
    from ..base import UnsuitableModelError
    from ..inspection import write_timeline
    from ..model_selection import predict_timeline
    from ..persistence import load_model

    model = load_model(options.model)
    n_failed = 0
    for clip, path, part in zip(options.clips, outputs, parts, strict=True):
        if options.resume and path and part and path.exists() and not part.exists():
            print_line([f"{path} is there already"])
            continue
        try:
            with (
                naming_model(options.model),
                limits(
                    max_seconds=_MOST_SECONDS,
                    max_frames=_MOST_FRAMES,
                    max_decoded_pixels=_MOST_PIXELS,
                ),
            ):
                timeline = predict_timeline(
                    model,
                    clip,
                    options.window,
                    options.hop,
                    smooth=options.smooth,
                    fps=options.fps,
                    checkpoint=part,
                    verbose=path is not None,
                )
        except ValueError as error:
            if isinstance(error.__cause__, UnsuitableModelError):  # for any clip
                raise
            complain(error)
            n_failed += 1
            continue
        if path is None:
            _print(timeline, clip)
        else:
            print_line([f"Saved {write_timeline(timeline, path)}"])
        if part is not None:
            part.unlink()
    return 1 if n_failed else 0


def _part(path: Path) -> Path:
    """Return where windows are kept until a timeline is complete."""
    return path.with_name(f"{path.name}.part")


def _check_parts(parts: Sequence[Path | None], *, resume: bool) -> None:
    """Refuse to resume nothing, and to throw away what an interrupted run has left."""
    if resume and None in parts:
        raise ValueError("--resume goes on with a file: give one by --out.")
    for part in parts:
        if part is not None and part.exists() and not resume:
            raise FileExistsError(
                f"{part}: an interrupted run left this. Go on with it by --resume, or remove it."
            )


def _print(timeline: Any, clip: str) -> None:
    """Print a line per window: clip, start, end, emotion, its probability, modalities."""
    for row in timeline.to_dict("records"):
        label = row["label"]
        answer = ["-", "-", "-"]
        if row["modalities"]:
            answer = [str(label), f"{row[str(label)]:.2f}", row["modalities"]]
        print_line([clip, f"{row['start']:.2f}", f"{row['end']:.2f}", *answer])


def _outputs(clips: Sequence[str], output: Path | None) -> list[Path | None]:
    """Say where each clip's timeline goes, and refuse what cannot be written before the work."""
    if output is None:
        return [None] * len(clips)
    known = {name.lower(): name for name in FORMATS}
    if output.name.lower() in known:  # an ending alone
        paths = [_next_to(clip, known[output.name.lower()]) for clip in clips]
    elif output.suffix.lower() not in known:
        raise ValueError(
            f"{output}: expected a name that ends in {', '.join(FORMATS)}, or one of these endings "
            "alone, which saves next to each clip."
        )
    elif len(clips) > 1:
        raise ValueError(
            f"{output}: expected an ending alone, such as {output.suffix}, where there are several "
            "clips: it saves a file next to each."
        )
    else:
        paths = [output]
    for path in {path for path in paths if paths.count(path) > 1}:
        both = [clip for clip, other in zip(clips, paths, strict=True) if other == path]
        raise ValueError(
            f"{path}: the timelines of {both[0]} and {both[1]} would both be saved there. Give one "
            "clip at a time, each with a name to save."
        )
    for path, clip in zip(paths, clips, strict=True):
        check_folder(path.parent)
        if path == Path(clip):
            raise ValueError(f"{path}: is the clip itself. Give another name.")
        if path.suffix == ".png":
            from ._evaluate import check_pictures

            check_pictures()
    return list(paths)


def _next_to(clip: str, ending: str) -> Path:
    """Name a file next to a clip; of a segment, with its times."""
    from ..io import split_fragment

    whole, segment = split_fragment(clip)
    times = "" if segment is None else clip[len(whole) :]
    return Path(whole).with_suffix("").with_name(f"{Path(whole).stem}{times}{ending}")
