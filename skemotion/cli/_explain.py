"""``skemotion explain``: say which parts of picture and sound made an answer."""

from __future__ import annotations

import argparse
from pathlib import Path

from ._messages import naming_model, print_line
from ._options import Commands, check_folder

# As in skemotion.inspection, which takes seconds to import.
FORMATS = (".html", ".png", ".svg", ".pdf", ".csv")


def add(commands: Commands) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser("explain", help="say which parts of a clip made the answer")
    parser.add_argument("model", metavar="MODEL", help="file that train wrote")
    parser.add_argument("clip", metavar="CLIP", help="video or sound file")
    parser.add_argument("-o", "--out", type=Path, metavar="FILE",
                        help=f"save as {', '.join(FORMATS)} by the ending, in place of lines on "
                        "standard output")  # fmt: skip
    parser.add_argument("--target", metavar="EMOTION",
                        help="explain this emotion (default: the answer)")  # fmt: skip
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Print or save an explanation."""
    if options.out is not None:
        _check_output(options.out, options.clip)
    from ..inspection import explain, write_explanation
    from ..persistence import load_model

    model = load_model(options.model)
    with naming_model(options.model):
        explanation = explain(model, options.clip, target=options.target)
    if options.out is None:
        for line in str(explanation).split("\n"):
            print_line([line])
    else:
        print_line([f"Saved {write_explanation(explanation, options.out)}"])
    return 0


def _check_output(output: Path, clip: str) -> None:
    """Refuse what cannot be written before the work."""
    if output.suffix.lower() not in FORMATS:
        raise ValueError(f"{output}: expected a name that ends in {', '.join(FORMATS)}.")
    check_folder(output.parent)
    if output == Path(clip):
        raise ValueError(f"{output}: is the clip itself. Give another name.")
    if output.suffix.lower() != ".csv":
        from ._evaluate import check_pictures

        check_pictures()
