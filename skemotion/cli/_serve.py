"""``skemotion serve``: show a model's page in the browser."""

from __future__ import annotations

import argparse
from pathlib import Path

from ._messages import complain, naming_model
from ._options import Commands, positive, whole_number

_THIS_MACHINE = ("127.0.0.1", "localhost", "::1")


def add(commands: Commands) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser("serve", help="record and recognise in the browser")
    parser.add_argument("model", metavar="MODEL", type=Path, help="file that train wrote")
    parser.add_argument("--host", default="127.0.0.1", metavar="ADDRESS",
                        help="interface to listen on; by default this machine only, 0.0.0.0 for "
                        "all")  # fmt: skip
    parser.add_argument("--port", type=_port, metavar="N",
                        help="default: a free one from 7860 on")  # fmt: skip
    parser.add_argument("--auth", type=_user_and_password, metavar="USER:PASSWORD",
                        help="ask for these before the page is shown")  # fmt: skip
    parser.add_argument("--max-seconds", type=positive, default=60.0, metavar="N",
                        help="length of a recording (default: %(default)g)")  # fmt: skip
    closed = "the page is closed; nothing of the recordings is left."
    parser.set_defaults(run=run, interrupted=closed)


def run(options: argparse.Namespace) -> int:
    """Show the page until interrupted."""
    from ..app import serve
    from ..persistence import load_model

    model = load_model(options.model)
    if options.host not in _THIS_MACHINE:
        if options.auth is None:
            complain(
                f"warning: everybody who can reach {options.host} can use the page; "
                "--auth USER:PASSWORD asks for a password"
            )
        complain(
            "warning: browsers give the camera to https:// only; see docs/serving.md for a proxy"
        )
    complain("starting the page; its address follows")
    with naming_model(options.model):
        serve(model, options.host, options.port, auth=options.auth, max_seconds=options.max_seconds)
    return 0


def _port(word: str) -> int:
    port = whole_number(word)
    if not 1 <= port <= 65_535:
        raise argparse.ArgumentTypeError("a port lies between 1 and 65535")
    return port


def _user_and_password(word: str) -> tuple[str, str]:
    user, colon, password = word.partition(":")
    if not (user and colon and password):
        raise argparse.ArgumentTypeError("expected USER:PASSWORD, both not empty")
    return user, password
