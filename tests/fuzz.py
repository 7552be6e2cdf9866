"""Push damaged and hostile files through the package: ``python tests/fuzz.py [--mutants 2000]``.

Clips, models, cache entries and archives are mutated: bits flipped, cut off, spliced, headers made
to lie; and, knowing the format, edit lists, indexes, sizes, metadata, parts of models, arrays and
members of archives forged. Each must be used, or refused by an error that names the file, in
bounded time and memory. Mutants are tried in kept processes, so that one that brings down a process
is counted and the run goes on; those that break a rule are kept for a closer look, and make the
command fail. ``--report docs/reliability.md`` writes the outcomes into the page.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from importlib import import_module
from itertools import cycle
from multiprocessing.connection import wait
from pathlib import Path

import numpy as np
from fuzzing.damage import Mutant
from fuzzing.report import GOOD, table, write_block
from fuzzing.workers import KINDS, MOST_SECONDS, Worker


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--mutants", type=int, default=2000, help="of all kinds together")
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=list(KINDS))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--keep", type=Path, default=Path(tempfile.gettempdir(), "skemotion-fuzz"))
    parser.add_argument("--report", type=Path, help="page to write the outcomes into")
    args = parser.parse_args()
    if not sys.platform.startswith("linux"):
        sys.exit("The limits of memory are those of Linux: run this there.")
    run = Run(args.kinds, args.mutants, args.seed, args.keep)
    run.work(args.jobs)
    print(run.summary)
    print(table(run.counts))
    for line in run.broken:
        print(line)
    if args.report:
        write_block(args.report, "fuzz", f"{run.summary}\n\n{table(run.counts)}")
    if run.broken:
        sys.exit("Some mutants were neither used nor refused by name.")


class Run:
    """One run over mutants of some kinds, in turn."""

    def __init__(self, kinds: list[str], n_mutants: int, seed: int, keep: Path) -> None:
        self.kinds, self.n_mutants, self.seed, self.keep = kinds, n_mutants, seed, keep
        self.counts: Counter[tuple[str, str, str]] = Counter()  # kind, damage, outcome
        self.broken: list[str] = []
        self.slowest = 0.0
        self.most_memory = 0
        self.n_tried = 0
        self.seconds = 0.0

    @property
    def summary(self) -> str:
        """What was run, and what it took."""
        command = f"python tests/fuzz.py --mutants {self.n_mutants} --seed {self.seed}"
        today = datetime.now(UTC).date().isoformat()
        return (
            f"`{command}` on {today}: {self.n_tried:,} mutants in {self.seconds:.0f} s. "
            f"{len(self.broken)} broke a rule. The slowest took {self.slowest:.1f} s of computing; "
            f"no process held more than {self.most_memory / 1e6:.0f} MB."
        )

    def work(self, n_jobs: int) -> None:
        """Try all mutants."""
        start = time.monotonic()
        with tempfile.TemporaryDirectory(prefix="skemotion-fuzz-") as name:
            folder = Path(name)
            given = self._mutants(folder)
            workers = [Worker(self.kinds, folder) for _ in range(n_jobs)]
            tried: dict[int, Mutant] = {}
            idle = list(range(n_jobs))
            for place in idle:
                (folder / f"worker{place}").mkdir()
            while idle or tried:
                for place in idle:
                    mutant = next(given, None)
                    if mutant is None:
                        continue
                    path = folder / f"worker{place}" / mutant.name
                    path.write_bytes(mutant.content)
                    workers[place].start((mutant.kind, str(path), mutant.extra, False))
                    tried[place] = mutant
                idle = []
                wait([workers[place].pipe for place in tried], timeout=0.2)
                for place in list(tried):
                    outcome = workers[place].outcome()
                    if outcome is None:
                        continue
                    if outcome[0].startswith(("crash", "hang")):
                        *task, contained = workers[place].task
                        workers[place] = Worker(self.kinds, folder)
                        if tried[place].kind == "media" and not contained:
                            # Once more, as in a run that no clip may end.
                            workers[place].start((*task, True))
                            continue
                    self._note(tried.pop(place), *outcome)
                    if self.n_tried + len(tried) < self.n_mutants:
                        idle.append(place)
            for worker in workers:
                worker.stop()
        self.seconds = time.monotonic() - start

    def _mutants(self, folder: Path) -> Iterator[Mutant]:
        """Give mutants of all kinds in turn."""
        streams = []
        for number, kind in enumerate(self.kinds):
            (folder / kind).mkdir()
            rng = np.random.default_rng([self.seed, number])
            streams.append(import_module(KINDS[kind]).mutants(folder / kind, rng))
        for _, stream in zip(range(self.n_mutants), cycle(streams), strict=False):
            yield next(stream)

    def _note(self, mutant: Mutant, text: str, memory: int, seconds: float) -> None:
        self.n_tried += 1
        self.slowest = max(self.slowest, seconds)
        self.most_memory = max(self.most_memory, memory)
        what = text.partition(":")[0]
        self.counts[mutant.kind, mutant.damage, what] += 1
        if what in GOOD and seconds <= MOST_SECONDS:
            return
        self.keep.mkdir(parents=True, exist_ok=True)
        kept = self.keep / f"{self.seed}-{self.n_tried:06d}-{mutant.name}"
        kept.write_bytes(mutant.content)
        kept.with_name(f"{kept.name}.json").write_text(json.dumps(mutant[:3] + mutant[4:]))
        self.broken.append(f"{mutant.kind} {mutant.damage} {kept}: {text[:300]}")


if __name__ == "__main__":
    main()
