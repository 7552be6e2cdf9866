"""Partial Tucker decomposition at the reference ranks, against TensorLy.

``python benchmarks/bench_tucker.py [--clips 120]``.
"""

from __future__ import annotations

import argparse
import sys
import warnings

import numpy as np
from measure import in_turns, report

from skemotion.decomposition import PartialTucker

RANKS = (3, 8, 8, None, 1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clips", type=int, default=60)
    args = parser.parse_args()
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
    ways = {
        "tensorly partial_tucker": lambda: partial_tucker(
            clips, rank=list(ranks), modes=list(modes), tol=1e-4, init="svd"
        ),
        "skemotion": lambda: PartialTucker(RANKS).fit(clips),
    }
    title = f"Tucker of {args.clips} clips of 10 x 48 x 71 x 9 x 2 ({clips.nbytes / 1e6:.0f} MB)"
    times = in_turns(ways, 1)
    report(title, times, ways)
    theirs = float(ways["tensorly partial_tucker"]()[1][-1])
    ours = ways["skemotion"]().reconstruction_error_
    print(f"  reconstruction errors: TensorLy {theirs:.7f}, skemotion {ours:.7f}")
    if abs(theirs - ours) > 1e-6:
        sys.exit("The reconstruction errors differ.")


if __name__ == "__main__":
    main()
