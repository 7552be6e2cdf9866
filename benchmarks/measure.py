"""Measuring, shared by the benchmarks: in turns, in one run, with the required ratio."""

from __future__ import annotations

import multiprocessing
import os
import sys
import time
import tracemalloc
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import joblib
from joblib.externals.loky import get_reusable_executor


class Aim(NamedTuple):
    """A ratio, and what it should be at least, or at most."""

    ratio: float
    bound: float | None = None
    at_most: bool = False
    label: str = ""

    @property
    def met(self) -> bool:
        """Whether the ratio is what it should be."""
        if self.bound is None:
            return True
        return self.ratio <= self.bound if self.at_most else self.ratio >= self.bound

    @property
    def measured(self) -> str:
        """The ratio in words."""
        digits = 0 if self.ratio >= 100 else 1 if self.ratio >= 10 else 2
        return f"{self.label} {self.ratio:.{digits}f}x".strip()

    @property
    def required(self) -> str:
        """What it should be, in words."""
        if self.bound is None:
            return ""
        return f"at {'most' if self.at_most else 'least'} {self.bound:g}x"


@dataclass
class Row:
    """One line of the table: a piece of work, done in up to three ways."""

    work: str
    plain: str = ""
    peer: str = ""
    ours: str = ""
    aims: list[Aim] = field(default_factory=list)
    agreement: str = ""
    agrees: bool = True
    memory: str = ""


@dataclass
class Outcome:
    """What a benchmark found: lines of the table, and figures per clip."""

    rows: list[Row]
    figures: dict[str, float] = field(default_factory=dict)


def conclude(outcome: Outcome) -> None:
    """Say which ratios are not what they should be; end with an error if results disagree."""
    for row in outcome.rows:
        for aim in row.aims:
            if not aim.met:
                print(f"  below the aim: {aim.measured}, should be {aim.required} ({row.work})")
    wrong = [f"{row.work}: {row.agreement}" for row in outcome.rows if not row.agrees]
    if wrong:
        sys.exit("\n".join(["Not as it must be:", *wrong]))


def in_turns(
    ways: dict[str, Callable[[], Any]],
    repeats: int,
    clock: Callable[[], float] = time.perf_counter,
) -> dict[str, float]:
    """Time each way, in turns, so that a busier moment of the machine meets all."""
    fastest = dict.fromkeys(ways, float("inf"))
    for _ in range(repeats):
        for name, way in ways.items():
            start = clock()
            way()
            fastest[name] = min(fastest[name], clock() - start)
    return fastest


def peak_memory(way: Callable[[], Any]) -> float:
    """Give the most memory that is held in arrays at a time beyond what was before, in MB."""
    tracemalloc.start()
    way()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak / 1e6


def report(
    title: str, times: dict[str, float], ways: dict[str, Callable[[], Any]]
) -> dict[str, float]:
    """Print a table, and give each way's peak memory in MB; the last way is ours."""
    ours = list(times.values())[-1]
    peaks = {}
    print(f"\n{title}")
    for name, seconds in times.items():
        peaks[name] = peak_memory(ways[name])
        print(f"  {name:34} {seconds * 1000:10.1f} ms   x{seconds / ours:6.1f}   "
              f"peak {peaks[name]:7.1f} MB", flush=True)  # fmt: skip
    return peaks


def duration(seconds: float) -> str:
    """Write a duration with three digits, in a unit that suits it."""
    for size, unit in ((0.9995, "s"), (0.0009995, "ms")):
        if seconds >= size:
            value = seconds if unit == "s" else seconds * 1000
            digits = 0 if value >= 99.95 else 1 if value >= 9.995 else 2
            return f"{value:,.{digits}f} {unit}"
    return f"{seconds * 1e6:.0f} µs"


def first_cores(n_cores: int) -> set[int]:
    """Choose some of the cores that this process may use; none where that cannot be chosen."""
    if not hasattr(os, "sched_getaffinity"):
        return set()
    return set(sorted(os.sched_getaffinity(0))[:n_cores])


@contextmanager
def pinned(cores: Collection[int]) -> Iterator[None]:
    """Let what is started inside have these cores alone, where the system can do that."""
    if not cores:
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


@contextmanager
def process(
    n_cores: int | None = None, cores: set[int] | None = None
) -> Iterator[Callable[..., Any]]:
    """Start a process, on so many cores or on these, and give what calls functions in it."""
    cores = cores or first_cores(n_cores or joblib.cpu_count())
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as executor:
        # Pinned from birth on, so that libraries start no more threads than there are cores.
        with pinned(cores):
            executor.submit(os.getpid).result()

        def call(function: Callable[..., Any], *arguments: Any) -> Any:
            return executor.submit(function, *arguments).result()

        try:
            yield call
        finally:
            executor.submit(_end_workers).result()


def _end_workers() -> None:
    """End what joblib keeps waiting for more work, which would keep its parent from ending."""
    get_reusable_executor().shutdown()
