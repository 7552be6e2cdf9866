"""The command line: ``skemotion`` and the name of a command."""

from __future__ import annotations

import argparse
import multiprocessing
import os
import shlex
import signal
import sys
import warnings
from collections.abc import Sequence
from contextlib import suppress
from types import FrameType
from typing import Any, NoReturn

from .. import __version__
from . import _cache, _demo, _evaluate, _explain, _fetch, _predict, _serve, _timeline, _train
from ._cluster import cluster_given
from ._messages import complain
from ._options import limits_given

# Commands import what they need when they run: help should not wait for decoders.
_COMMANDS = (_demo, _evaluate, _train, _predict, _timeline, _explain, _serve, _cache, _fetch)
_STATUS = """\
exit status:
  0    done
  1    a clip, a corpus or a model could not be used; one line per cause on standard error
  2    the command line has an option or a value that it does not know
  130  interrupted (143 if terminated, 129 if the terminal is gone)
"""
_INTERRUPTED = (
    "interrupted. A model is saved whole or not at all; what --cache or fetch has so far is used "
    "next time; predict and timeline go on with a file by --resume."
)


class _EndError(BaseException):
    """Asked to end, by Ctrl-C or by the system; clears up in either case.

    No `KeyboardInterrupt`, which scikit-learn's perceptrons take for the end of training.
    """


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line.

    Parameters
    ----------
    arguments : sequence of str, default=None
        Words after ``skemotion``; those of the process by default.

    Returns
    -------
    status : int
        Exit status.
    """
    words = sys.argv[1:] if arguments is None else list(arguments)
    options = _parser().parse_args(words)
    options.command = shlex.join(["skemotion", *words])
    before = {number: signal.signal(number, _terminate) for number in _endings()}
    try:
        with warnings.catch_warnings():
            warnings.showwarning = _Warnings()
            with limits_given(options), cluster_given(options):
                return int(options.run(options))
    except (Exception, _EndError, KeyboardInterrupt) as error:
        end = _end_at(error)
        if end is not None:
            _end(end, getattr(options, "interrupted", _INTERRUPTED))
        if isinstance(error, BrokenPipeError):
            # The reader, such as `head`, has what it wants. Python writes once more at its end.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return 141
        if not isinstance(error, ValueError | OSError | ImportError):
            raise
        complain(error)
        return 1
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="skemotion",
        description="Recognise emotion in video and audio clips.",
        epilog=_STATUS,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"skemotion {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for command in _COMMANDS:
        command.add(commands)
    return parser


def _end_at(error: BaseException | None) -> _EndError | KeyboardInterrupt | None:
    """Return what ended a run, also where clearing up failed, as on a terminal that is gone."""
    while error is not None and not isinstance(error, _EndError | KeyboardInterrupt):
        error = error.__context__
    return error


def _end(end: _EndError | KeyboardInterrupt, words: str) -> NoReturn:
    """End this process and its children."""
    # Those of joblib, which may be deep in a decoder; the others end with this process.
    for child in multiprocessing.active_children():
        if child.pid:
            with suppress(OSError):  # it has ended; joblib's have no working kill()
                os.kill(child.pid, getattr(signal, "SIGKILL", signal.SIGTERM))
    with suppress(OSError):  # the terminal may be gone
        complain(words)
    os._exit(128 + (end.args[0] if isinstance(end, _EndError) else signal.SIGINT))


def _terminate(number: int, frame: FrameType | None) -> NoReturn:
    # A second one would end the clearing up.
    for ending in _endings():
        signal.signal(ending, signal.SIG_IGN)
    raise _EndError(number)


def _endings() -> list[signal.Signals]:
    """Return the signals that ask a process to end, but those it is to ignore (nohup, &)."""
    names = [name for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]
    numbers = [signal.Signals[name] for name in names]
    return [number for number in numbers if signal.getsignal(number) != signal.SIG_IGN]


class _Warnings:
    """Shows each warning once: every split of an evaluation may give the same."""

    def __init__(self) -> None:
        self._shown: set[str] = set()

    def __call__(self, message: Warning | str, *_: Any, **__: Any) -> None:
        text = str(message)
        if text not in self._shown:
            self._shown.add(text)
            complain(f"warning: {text}")
