"""Measuring, shared by the benchmarks: in turns, in one run, with the memory that arrays take."""

from __future__ import annotations

import time
import tracemalloc
from collections.abc import Callable
from typing import Any


def in_turns(ways: dict[str, Callable[[], Any]], repeats: int) -> dict[str, float]:
    """Time each way by the clock, in turns, so that a busier moment of the machine meets all."""
    fastest = dict.fromkeys(ways, float("inf"))
    for _ in range(repeats):
        for name, way in ways.items():
            start = time.perf_counter()
            way()
            fastest[name] = min(fastest[name], time.perf_counter() - start)
    return fastest


def peak_memory(way: Callable[[], Any]) -> float:
    """Give the most memory that is held in arrays at a time beyond what was before, in MB."""
    tracemalloc.start()
    way()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak / 1e6


def report(title: str, times: dict[str, float], ways: dict[str, Callable[[], Any]]) -> None:
    """Print a table; the last way is ours, and ratios tell how much faster it is."""
    ours = list(times.values())[-1]
    print(f"\n{title}")
    for name, seconds in times.items():
        print(f"  {name:34} {seconds * 1000:10.1f} ms   x{seconds / ours:6.1f}   "
              f"peak {peak_memory(ways[name]):7.1f} MB", flush=True)  # fmt: skip
