"""Partial Tucker decomposition at the reference ranks, against TensorLy.

``python benchmarks/bench_tucker.py [--clips 120]``.
"""

from __future__ import annotations

import argparse
import time
import warnings
from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
from measure import Aim, Outcome, Row, conclude, duration, in_turns, peak_memory, report
from threadpoolctl import threadpool_limits

from skemotion.decomposition import PartialTucker

RANKS = (3, 8, 8, None, 1)


def main(arguments: Sequence[str] | None = None) -> Outcome:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clips", type=int, default=120)
    args = parser.parse_args(arguments)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # TensorLy's, on import
        from tensorly.decomposition import partial_tucker

    # Descriptors have a common part, parts by which clips differ, and noise; never negative.
    rng = np.random.default_rng(0)
    parts = rng.random((6, 10, 48, 71, 9, 2), dtype=np.float32)
    clips = np.tensordot(rng.random((args.clips, 6), dtype=np.float32), parts, 1)
    clips += rng.random(clips.shape, dtype=np.float32)
    clips /= np.linalg.norm(clips, axis=4, keepdims=True)

    ranks, modes = zip(*[(r, i + 1) for i, r in enumerate(RANKS) if r is not None], strict=True)
    errors: dict[str, Any] = {}

    def theirs() -> None:
        _, each = partial_tucker(clips, rank=list(ranks), modes=list(modes), tol=1e-4, init="svd")
        errors["TensorLy"] = float(each[-1])

    def ours(n_jobs: int | None = None) -> None:
        tucker = PartialTucker(RANKS, n_jobs=n_jobs).fit(clips)
        errors["skemotion"] = tucker.reconstruction_error_

    ways = {"tensorly partial_tucker": theirs, "skemotion": ours}
    megabytes = clips.nbytes / 1e6
    title = f"Tucker on one core of {args.clips} clips of 10 x 48 x 71 x 9 x 2 ({megabytes:.0f} MB)"
    with threadpool_limits(1):  # the processor's time, which other processes disturb less
        times = in_turns({"tensorly partial_tucker": theirs}, 1, time.process_time)
        times |= in_turns({"skemotion": ours}, 3, time.process_time)
    peaks = report(title, times, ways)
    print("  reconstruction errors: TensorLy {TensorLy:.7f}, skemotion {skemotion:.7f}"
          .format(**errors))  # fmt: skip
    with threadpool_limits(1):
        two = in_turns({"one": ours, "two": partial(ours, 2)}, 3)
    print(f"  n_jobs=2: {two['one'] / two['two']:.2f}x as fast, by the clock")
    # Beside blocks, whatever their number, it holds clips that are projected: these outweigh the
    # blocks once there are some hundreds of clips, which may as well be one and the same.
    same = {n: np.broadcast_to(clips[0], (n, *clips.shape[1:])) for n in (200, 400)}
    with threadpool_limits(1):
        few, many = (peak_memory(partial(PartialTucker(RANKS).fit, each)) for each in same.values())
    per_clip = (many - few) / 200
    print(f"  each further clip adds {per_clip:.2f} MB to what skemotion holds")
    difference = abs(errors["TensorLy"] - errors["skemotion"])
    return Outcome(
        [
            Row(
                f"{title} (`bench_tucker.py`)",
                "",
                f"TensorLy: {duration(times['tensorly partial_tucker'])}",
                f"{duration(times['skemotion'])}; n_jobs=2 {two['one'] / two['two']:.2f}x as fast",
                [
                    Aim(times["tensorly partial_tucker"] / times["skemotion"], 30),
                    Aim(1 + peaks["skemotion"] / megabytes, 1.3, at_most=True, label="memory"),
                ],
                f"errors differ by {difference:.0e}",
                difference <= 1e-6,
                f"besides the input: {peaks['tensorly partial_tucker']:,.0f} MB, "
                f"ours {peaks['skemotion']:.0f} MB",
            )
        ],
        {"tucker_seconds": times["skemotion"] / args.clips, "tucker_memory": per_clip},
    )


if __name__ == "__main__":
    conclude(main())
