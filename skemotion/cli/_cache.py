"""``skemotion cache``: see and prune a cache."""

from __future__ import annotations

import argparse
import re
from pathlib import Path

from ._options import Commands

_SIZES = {"": 1, "kb": 10**3, "mb": 10**6, "gb": 10**9, "tb": 10**12}
_TIMES = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 7 * 86400}


def add(commands: Commands) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser("cache", help="see what --cache keeps, and remove some of it")
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="that --cache was given")
    parser.add_argument("--prune", action="store_true",
                        help="remove entries by --older-than, then by --max-bytes")  # fmt: skip
    parser.add_argument("--older-than", type=_seconds, metavar="AGE",
                        help="entries written longer ago, such as 30d (s, m, h, d, w)")  # fmt: skip
    parser.add_argument("--max-bytes", type=_bytes, metavar="SIZE",
                        help="what may stay in all, such as 20GB: the newest entries")  # fmt: skip
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Print number and size of the entries, and prune them where that is asked for."""
    if options.prune != (options.max_bytes is not None or options.older_than is not None):
        raise ValueError(
            "Give --prune together with --older-than or --max-bytes, which say what to remove."
        )
    from ..base import plural
    from ..pipeline import ClipCache

    cache = ClipCache(options.folder)
    if not options.folder.is_dir():
        raise NotADirectoryError(f"{options.folder}: no such folder. Check the path.")
    if options.prune:
        n_removed, n_bytes = cache.prune(max_bytes=options.max_bytes, older_than=options.older_than)
        print(f"Removed {plural(n_removed, 'entry', 'entries')}, {n_bytes / 1e6:.1f} MB")
    entries = plural(cache.n_entries, "entry", "entries")
    print(f"{options.folder}: {entries}, {cache.n_bytes / 1e6:.1f} MB")
    return 0


def _bytes(word: str) -> int:
    match = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?) *([kmgt]?b)?", word.strip().lower())
    if match is None:
        raise argparse.ArgumentTypeError(f"{word!r} is no size, such as 500MB or 20GB")
    return int(float(match[1]) * _SIZES[match[2] or ""])


def _seconds(word: str) -> float:
    match = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?) *([smhdw])", word.strip().lower())
    if match is None:
        raise argparse.ArgumentTypeError(f"{word!r} is no age, such as 12h or 30d")
    return float(match[1]) * _TIMES[match[2]]
