"""What it costs a healthy run that each clip is processed in a worker process.

``python benchmarks/bench_isolation.py [--clips 3] [--rounds 20]``: the reference recipe's stages on
720p clips and on sound, in this process and in one worker, in turns; CPU time of both processes
together, and time by the clock. Ratios are medians over the rounds, each of which compares its
neighbours, as others may use the machine as well.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from bench_path import branch
from corpus import make_clips, make_heavy
from measure import Aim, Outcome, Row, conclude, duration

from skemotion.io import run_isolated

MOST = 1.05


def main(arguments: Sequence[str] | None = None) -> Outcome:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clips", type=int, default=3)
    parser.add_argument("--rounds", type=int, default=20)
    options = parser.parse_args(arguments)
    before = sum(os.times()[:4])
    [_] = run_isolated(time.process_time, [()])
    start = sum(os.times()[:4]) - before  # without that of the other process, which is not over
    with TemporaryDirectory() as folder:
        videos, sounds = make_clips(Path(folder))
        heavy = str(make_heavy(videos[0], Path(folder, "heavy.mp4")))
        # Sound takes a fortieth of the time.
        columns = {"video": [heavy] * options.clips, "audio": sounds * (8 * options.clips)}
        rows, figures = [], {}
        for name, clips in columns.items():
            times = compare(name, clips, options.rounds)
            alone, isolated, *_ = np.median(times, axis=0)
            cpu = float(np.median(times[:, 1] / times[:, 0]))
            clock = float(np.median(times[:, 3] / times[:, 2]))
            print(f"{name}: {duration(alone)} of CPU a clip in this process, "
                  f"{duration(isolated)} in a worker ({cpu:.3f}x); "
                  f"by the clock {clock:.3f}x")  # fmt: skip
            figures[f"isolation_{name}"] = cpu
            aims = [
                Aim(cpu, MOST, at_most=True, label="CPU time"),
                Aim(clock, MOST, at_most=True, label="by the clock"),
            ]
            rows.append(
                Row(
                    f"Reference {name} branch of a clip, CPU time (`bench_isolation.py`)",
                    plain=f"in the calling process: {duration(alone)}",
                    ours=f"in a worker that a clip may end: {duration(isolated)}",
                    aims=aims,
                )
            )
    print(f"start: {start:.2f} s of CPU in this process, besides what the other imports")
    return Outcome(rows, figures)


def compare(name: str, clips: list[str], rounds: int) -> np.ndarray:
    """Give seconds per clip, of shape (rounds, 4): here and in a worker, by CPU and by the clock.

    The results are compared, too.
    """
    alone = branch(name).set_params(on_error="raise", n_jobs=1)
    isolated = branch(name).set_params(on_error="nan", n_jobs=1)
    np.testing.assert_equal(alone.transform(clips[:1]), isolated.transform(clips[:1]))
    seconds = []
    for _ in range(rounds):
        start, cpu = time.perf_counter(), time.process_time()
        alone.transform(clips)
        here = [time.process_time() - cpu, time.perf_counter() - start]
        there = -cpu_of_worker()
        start, cpu = time.perf_counter(), time.process_time()
        isolated.transform(clips)
        both = [time.process_time() - cpu, time.perf_counter() - start]
        both[0] += there + cpu_of_worker()
        seconds.append([here[0], both[0], here[1], both[1]])
    return np.array(seconds) / len(clips)


def cpu_of_worker() -> float:
    """Give the CPU seconds of the one worker."""
    [outcome] = run_isolated(time.process_time, [()])
    return outcome.value


if __name__ == "__main__":
    conclude(main())
