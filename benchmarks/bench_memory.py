"""Memory that is the process's own, as descriptors of ten times as many clips are extracted.

``python benchmarks/bench_memory.py [--clips 50 500]``. Linux only.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event, Thread

from bench_path import branch
from corpus import EMOTIONS, make_clips
from measure import Aim, Outcome, Row, conclude, process

from skemotion.decomposition import PartialTucker
from skemotion.pipeline import ClipCache, ClipPipeline

STATUS = Path("/proc/self/status")


def own_memory() -> float:
    """Give the resident memory that is no file's, in MB: what the system cannot drop."""
    for line in STATUS.read_text().splitlines():
        if line.startswith("RssAnon:"):
            return int(line.split()[1]) * 1024 / 1e6
    raise RuntimeError(f"{STATUS} has no RssAnon: run this on Linux 4.5 or later.")


@contextmanager
def peak_sampled() -> Iterator[list[float]]:
    """Sample the process's own memory; the one item of the list is its peak."""
    peak, done = [own_memory()], Event()

    def sample() -> None:
        while not done.wait(0.01):
            peak[0] = max(peak[0], own_memory())

    thread = Thread(target=sample)
    thread.start()
    try:
        yield peak
    finally:
        done.set()
        thread.join()
        peak[0] = max(peak[0], own_memory())


def extract(clips: list[str], memory: str, n_jobs: int) -> dict[str, float]:
    """Describe clips with two workers, then decompose what is mapped from disk."""
    figures = {"before": own_memory()}
    start = time.perf_counter()
    with peak_sampled() as peak:
        pipeline = branch("video").set_params(memory=memory, n_jobs=n_jobs)
        descriptors = pipeline.fit_transform(clips)
    figures |= {"seconds": time.perf_counter() - start, "extracting": peak[0]}
    figures["result"] = descriptors.nbytes / 1e6
    with peak_sampled() as peak:
        PartialTucker((3, 8, 8, None, 1)).fit(descriptors)
    return figures | {"decomposing": peak[0]}


def link_clips(folder: Path, n_clips: int) -> list[str]:
    """Give a few clips so many names, each of which is another clip to the cache."""
    originals, _ = make_clips(folder / "originals", len(EMOTIONS))
    clips = [folder / f"{i:06d}.mp4" for i in range(n_clips)]
    for i, clip in enumerate(clips):
        os.link(originals[i % len(originals)], clip)
    return [str(clip) for clip in clips]


def bytes_per_step(folder: Path) -> dict[str, float]:
    """Measure what the cache holds of a clip, in MB, step by step."""
    videos, sounds = make_clips(folder / "clips", len(EMOTIONS))
    sizes = {}
    for name, clips in (("video", videos), ("audio", sounds)):
        steps, before = branch(name).steps, 0
        for i, (step, _) in enumerate(steps):
            cache = folder / "steps"
            ClipPipeline(steps[: i + 1], memory=cache).transform(clips)
            size = ClipCache(cache).n_bytes
            sizes[f"{name} {step}"] = (size - before) / len(clips) / 1e6
            before = size
        ClipCache(cache).clear()
    return sizes


def main(arguments: Sequence[str] | None = None) -> Outcome:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clips", type=int, nargs=2, default=[50, 500], metavar="N")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--folder", type=Path, help="on a disk with 4 GB to spare for 500 clips")
    args = parser.parse_args(arguments)
    if not STATUS.exists():
        print("\nOnly Linux reports a process's own memory (/proc/self/status): not measured.")
        return Outcome([])
    print(f"\nThe process's own memory (RssAnon), {args.jobs} workers, HOG3D and then Tucker")
    found: dict[int, dict[str, float]] = {}
    # What a heap holds differs by tens of megabytes from run to run; the largest short run counts.
    for n_clips in [args.clips[0]] * 3 + [args.clips[1]]:
        with TemporaryDirectory(dir=args.folder) as name, process() as call:
            folder = Path(name)
            clips = link_clips(folder, n_clips)
            # Compiled functions and decoders are there before the first clip counts.
            call(extract, clips[:2], str(folder / "first"), args.jobs)
            run = call(extract, clips, str(folder / "cache"), args.jobs)
            print(f"  {n_clips} clips in {run['seconds']:.0f} s: "
                  "before {before:.0f} MB, extracting {extracting:.0f} MB, then decomposing "
                  "{decomposing:.0f} MB; result of {result:.0f} MB on disk, ".format(**run)
                  + repr(ClipCache(folder / "cache")), flush=True)  # fmt: skip
        if n_clips not in found or run["extracting"] > found[n_clips]["extracting"]:
            found[n_clips] = run
    with TemporaryDirectory(dir=args.folder) as name:
        sizes = bytes_per_step(Path(name))
    print("  of a clip the cache holds: "
          + ", ".join(f"{step} {size:.2f} MB" for step, size in sizes.items()))  # fmt: skip
    few, many = args.clips
    growth = found[many]["extracting"] / found[few]["extracting"]
    largest = max(found[many]["extracting"], found[many]["decomposing"])
    print(f"  extracting, {many} clips against {few}: {growth:.3f} times")
    flat, small = growth <= 1.1, largest <= 1500
    row = Row(
        f"Own memory of extracting descriptors, {args.jobs} workers, {many} clips against {few} "
        "(`bench_memory.py`)",
        ours=f"{found[many]['extracting']:.0f} MB against {found[few]['extracting']:.0f} MB",
        aims=[Aim(growth, 1.1, at_most=True)],
        agreement="flat, and under 1.5 GB" if flat and small else "grows, or over 1.5 GB",
        agrees=flat and small,
        memory=f"{largest:.0f} MB with Tucker on {found[many]['result']:,.0f} MB of descriptors",
    )
    figures = {f"cache {step}": size for step, size in sizes.items()}
    figures |= {
        "own_memory": max(run["extracting"] for run in found.values()),
        "result": found[many]["result"] / many,
    }
    return Outcome([row], figures)


if __name__ == "__main__":
    conclude(main())
