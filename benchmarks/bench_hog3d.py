"""HOG3D of one clip of the reference size, against histograms of angles cell by cell.

On one core: ``python benchmarks/bench_hog3d.py``.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from measure import Aim, Outcome, Row, conclude, duration, in_turns, report
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from skemotion.video import hog3d

# The descriptor as it is defined, which the tests compare with as well.
sys.path.append(str(Path(__file__).parents[1] / "tests"))
from references.hog3d import angles, cell_by_cell


def whole_arrays(frames: NDArray) -> NDArray:
    """Describe a clip by one weighted bincount per angle: what NumPy can do at its best."""
    magnitude, both = angles(frames)
    sides = [n // size for n, size in zip(frames.shape, (5, 5, 6), strict=True)]
    inside = tuple(slice(n * size) for n, size in zip(sides, (5, 5, 6), strict=True))
    t, y, x = np.ogrid[inside]
    cell = ((t // 5) * sides[1] + y // 5) * sides[2] + x // 6
    histograms = []
    for angle, (low, high) in both:
        bins = np.minimum(((angle[inside] - low) / (high - low) * 9).astype(int), 8)
        counts = np.bincount((cell * 9 + bins).ravel(), magnitude[inside].ravel(),
                             minlength=int(np.prod(sides)) * 9)  # fmt: skip
        histogram = counts.reshape(*sides, 9)
        norm = np.linalg.norm(histogram, axis=-1, keepdims=True)
        histograms.append(histogram / (norm + 1e-6))
    return np.stack(histograms, axis=-1)


def compile_time() -> float:
    """Time the first call in a process without compiled functions."""
    code = (
        "import time, numpy as np; from skemotion.video import hog3d; start = time.perf_counter();"
        "hog3d(np.zeros((5, 5, 6), np.uint8)); print(time.perf_counter() - start)"
    )
    with tempfile.TemporaryDirectory() as cache:
        env = os.environ | {"NUMBA_CACHE_DIR": cache}
        done = subprocess.run([sys.executable, "-c", code], env=env, check=True,
                              capture_output=True)  # fmt: skip
    return float(done.stdout)


def main(arguments: Sequence[str] | None = None) -> Outcome:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=3)
    args = parser.parse_args(arguments)
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    noise = np.random.default_rng(0).normal(size=(50, 240, 426))
    smooth = gaussian_filter(noise, (1, 3, 3))
    frames = (128 + 40 * smooth / smooth.std()).clip(0, 255).astype(np.uint8)
    hog3d(frames)
    ways = {
        "np.histogram cell by cell": lambda: cell_by_cell(frames),
        "NumPy, whole arrays": lambda: whole_arrays(frames),
        "skemotion": lambda: hog3d(frames),
    }
    times = in_turns(ways, args.repeats)
    peaks = report("HOG3D of a clip of 50 x 240 x 426, one core", times, ways)
    compiling = compile_time()
    print(f"  compiling, once: {compiling:.1f} s")
    difference = np.abs(hog3d(frames) - cell_by_cell(frames)).max()
    print(f"  largest difference: {difference:.1e}")
    plain, peer, ours = times.values()
    return Outcome(
        [
            Row(
                "HOG3D of one clip of 50 x 240 x 426, one core (`bench_hog3d.py`)",
                f"`np.histogram` cell by cell: {duration(plain)}",
                f"NumPy on whole arrays: {duration(peer)}",
                f"{duration(ours)}; compiling {compiling:.1f} s once",
                [Aim(plain / ours, 100)],
                f"{difference:.0e}",
                bool(difference <= 1e-5),
                f"{peaks['np.histogram cell by cell']:.0f} MB, ours {peaks['skemotion']:.1f} MB",
            )
        ]
    )


if __name__ == "__main__":
    conclude(main())
