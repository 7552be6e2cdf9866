"""``skemotion fetch``: download what is published elsewhere."""

from __future__ import annotations

import argparse
from pathlib import Path

from ._options import Commands, whole_number


def add(commands: Commands) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser("fetch", help="download a corpus or a model from its publisher")
    things = parser.add_subparsers(required=True, metavar="WHAT")

    ravdess = things.add_parser("ravdess", help="RAVDESS speech (CC BY-NC-SA 4.0, non-commercial)")
    ravdess.add_argument("--modality", choices=("audio", "video", "both"), default="audio",
                         help="0.2 GB of sound (default), 12 GB of video, or both")  # fmt: skip
    ravdess.add_argument("--actors", type=whole_number, nargs="+", metavar="N",
                         help="whose video, 1 to 24 (default: all)")  # fmt: skip
    ravdess.add_argument("--landmarks", action="store_true",
                         help="the published facial landmarks as well")  # fmt: skip
    ravdess.add_argument("--out", type=Path, metavar="FOLDER",
                         help="folder for data sets (default: $SKEMOTION_DATA, else "
                         "~/skemotion_data)")  # fmt: skip
    ravdess.set_defaults(run=_run_ravdess)

    face = things.add_parser(
        "face-landmarker", help="MediaPipe's networks for landmarks of faces (Apache-2.0), 4 MB"
    )
    face.add_argument("--out", type=Path, metavar="FOLDER",
                      help="where to put the file (default: the user's cache)")  # fmt: skip
    face.set_defaults(run=_run_face_landmarker)


def _run_ravdess(options: argparse.Namespace) -> int:
    from ..base import plural
    from ..datasets import fetch_ravdess

    corpus = fetch_ravdess(
        options.modality,
        actors=options.actors,
        landmarks=options.landmarks,
        data_home=options.out,
    )
    n_actors = len(set(corpus.groups.tolist()))
    print(f"{plural(len(corpus.data), 'recording')} of {plural(n_actors, 'actor')}")
    return 0


def _run_face_landmarker(options: argparse.Namespace) -> int:
    from ..datasets import fetch_face_landmarker

    print(fetch_face_landmarker(folder=options.out))
    return 0
