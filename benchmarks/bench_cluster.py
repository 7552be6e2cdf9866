"""What two dask workers on this machine send: arrays, keys of a shared cache, or Tucker's cores.

``python benchmarks/bench_cluster.py [--clips 24]``; needs Linux, whose count of bytes on the
loopback device it reads: everything between client, scheduler and workers.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import joblib
import numpy as np
from corpus import make_clips
from distributed import Client, LocalCluster
from sklearn.frozen import FrozenEstimator

from skemotion.decomposition import PartialTucker
from skemotion.pipeline import ClipPipeline
from skemotion.video import HOG3D, VideoLoader

STEPS = [("load", VideoLoader()), ("hog3d", HOG3D())]


def n_bytes_sent() -> int:
    lines = Path("/proc/net/dev").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.strip().startswith("lo:"))


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clips", type=int, default=24)
    n_clips = parser.parse_args(arguments).clips
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        videos, _ = make_clips(folder / "corpus", 2)
        clips = [
            shutil.copy(videos[i % 2], folder / f"{i}{Path(videos[0]).suffix}")
            for i in range(n_clips)
        ]
        expected = ClipPipeline(STEPS).fit_transform(clips[:2])
        tucker = PartialTucker((3, 8, 8, None, 1)).fit(expected)
        ways = {
            "arrays": ClipPipeline(STEPS),
            "keys, shared cache": ClipPipeline(STEPS, memory=folder / "cache"),
            "keys, all in the cache": ClipPipeline(STEPS, memory=folder / "cache"),
            "frozen Tucker": ClipPipeline([*STEPS, ("tucker", FrozenEstimator(tucker))]),
        }
        print(f"{n_clips} clips of 720p, two dask workers; kB sent per clip, seconds in all")
        with (
            LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster,
            Client(cluster),
            joblib.parallel_config(backend="dask"),
        ):
            ClipPipeline(STEPS).fit_transform(clips[:2])  # workers import
            for name, way in ways.items():
                way.fit(clips[:1])
                before, start = n_bytes_sent(), time.perf_counter()
                result = way.transform(clips)
                sent, taken = n_bytes_sent() - before, time.perf_counter() - start
                same = expected if "Tucker" not in name else tucker.transform(expected)
                if not all(np.array_equal(result[i], same[i % 2]) for i in range(n_clips)):
                    raise SystemExit(f"{name}: not the numbers that one process gives")
                print(f"  {name:24}{sent / n_clips / 1e3:10.1f} kB {taken:8.1f} s", flush=True)


if __name__ == "__main__":
    main()
