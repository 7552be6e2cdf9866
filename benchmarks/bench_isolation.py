"""What it costs a healthy run that each clip is processed in a worker process.

``python benchmarks/bench_isolation.py [--clips 12] [--rounds 3]``: the reference recipe's stages on
720p clips, in this process and in one worker; CPU time, as others may use the machine as well.
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
from measure import Aim, Outcome, Row, conclude

from skemotion.io import run_isolated

MOST = 1.05


def main(arguments: Sequence[str] | None = None) -> Outcome:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clips", type=int, default=12)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args(arguments)
    before = sum(os.times()[:4])
    [_] = run_isolated(time.process_time, [()])
    start = sum(os.times()[:4]) - before  # without that of the other process, which is not over
    with TemporaryDirectory() as folder:
        videos, sounds = make_clips(Path(folder))
        heavy = str(make_heavy(videos[0], Path(folder, "heavy.mp4")))
        columns = {"video": [heavy] * options.clips, "audio": sounds * (4 * options.clips)}
        rows, figures = [], {}
        for name, clips in columns.items():
            alone, isolated = compare(name, clips, options.rounds)
            ratio = isolated / alone
            print(f"{name}: {1000 * alone / len(clips):.1f} ms of CPU a clip in this process, "
                  f"{1000 * isolated / len(clips):.1f} ms in a worker ({ratio:.3f}x)")  # fmt: skip
            figures[f"isolation_{name}"] = ratio
            aim = Aim(ratio, MOST, at_most=True, label="of the plain")
            rows.append(
                Row(
                    f"Reference {name} branch of a clip, CPU time (`bench_isolation.py`)",
                    plain=f"in the calling process: {1000 * alone / len(clips):.0f} ms",
                    ours=f"in a worker that a clip may end: {1000 * isolated / len(clips):.0f} ms",
                    aims=[aim],
                )
            )
    print(f"start: {start:.2f} s of CPU in this process, besides what the other imports")
    return Outcome(rows, figures)


def compare(name: str, clips: list[str], rounds: int) -> tuple[float, float]:
    """Give the least CPU seconds of the clips here and in a worker, and compare the results."""
    alone = branch(name).set_params(on_error="raise", n_jobs=1)
    isolated = branch(name).set_params(on_error="nan", n_jobs=1)
    np.testing.assert_equal(alone.transform(clips[:1]), isolated.transform(clips[:1]))
    seconds = []
    for _ in range(rounds):
        here = time.process_time()
        alone.transform(clips)
        middle, there = time.process_time(), cpu_of_worker()
        isolated.transform(clips)
        end = time.process_time() - middle + cpu_of_worker() - there
        seconds.append((middle - here, end))
    return tuple(map(min, zip(*seconds, strict=True)))


def cpu_of_worker() -> float:
    """Give the CPU seconds of the one worker."""
    [outcome] = run_isolated(time.process_time, [()])
    return outcome.value


if __name__ == "__main__":
    conclude(main())
