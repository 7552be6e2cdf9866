"""A whole corpus from end to end, killed twice: time, memory and disk space, and what is redone.

    python benchmarks/scale_run.py --clips 1440 [--landmarker face_landmarker.task]

A corpus of 24 drawn speakers is made; ``skemotion evaluate`` and then ``train`` run on it, by the
default and by the reference recipe, with one ``--cache``. Each ``evaluate`` is killed once, with
all its processes, when a random share of the results is in the cache, and started again. Then some
clips are described anew, without the cache, and compared; with ``--unbroken``, everything is, and
the figures as well. Accuracy on drawn faces says nothing about people. "Own memory" is no file's;
what processes share counts in each of them. Linux only.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
from scaling import size_of, time_of

from skemotion.base import model_parts
from skemotion.datasets import load_ravdess, make_ravdess
from skemotion.pipeline import ClipCache, ClipPipeline, make_emotion_pipeline
from skemotion.video import VideoLoader, common_frame_size

EMOTIONS = ("calm", "happy", "sad", "angry", "fearful", "disgust", "surprised")
N_SPEAKERS = 24
RECIPES = ["functionals", "reference"]
FOUND_IN = Path("skemotion", "face_landmarker.task")  # of the user's cache folder
TICKS = os.sysconf("SC_CLK_TCK")
PROC = Path("/proc")


def make_corpus(folder: Path, n_clips: int, seconds: float, n_jobs: int) -> None:
    """Make so many clips, about: as many of each speaker, and of each emotion and intensity."""
    n_actors = min(N_SPEAKERS, max(2, n_clips // 4))
    each = n_clips // n_actors
    n_statements, n_repetitions = 1 + (each >= 20), 1 + (each >= 60)
    n_pairs = max(2, min(each // (n_statements * n_repetitions), 15))
    neutral = ["neutral"] if n_pairs % 2 else []  # of one intensity
    make_ravdess(
        folder,
        n_actors=n_actors,
        emotions=[*neutral, *EMOTIONS[: n_pairs // 2]],
        n_statements=n_statements,
        n_repetitions=n_repetitions,
        modalities=["full"],
        duration=seconds,
        n_jobs=n_jobs,
    )


def family(pid: int) -> list[int]:
    """List a process and all that it and they started, first to last."""
    with suppress(OSError):
        children = (PROC / f"{pid}/task/{pid}/children").read_text().split()
        return [pid, *(one for child in children for one in family(int(child)))]
    return [pid]


def memory_and_ticks(pid: int) -> tuple[float, int]:
    """Give a process's memory that is no file's, in MB, and the time on the CPU so far."""
    with suppress(OSError, IndexError):
        status = (PROC / str(pid) / "status").read_text()
        times = (PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
        own = int(status.split("RssAnon:")[1].split()[0]) * 1024 / 1e6
        return own, int(times[11]) + int(times[12])
    return 0.0, 0


@dataclass
class Watched:
    """A command that was run, and what it took; memory that processes share counts in each."""

    seconds: float = 0.0
    cpu: float = 0.0
    parent: float = 0.0
    worker: float = 0.0
    together: float = 0.0
    killed: bool = False
    survivors: list[int] = field(default_factory=list)
    output: str = ""

    def __str__(self) -> str:
        return (
            f"{time_of(self.seconds)} ({time_of(self.cpu)} of CPU), own memory at most "
            f"{self.parent:.0f} MB, of a worker {self.worker:.0f} MB, of all at a time "
            f"{self.together:.0f} MB"
        )


def watch(words: list[str], environment: dict[str, str], kill: Callable[[], bool]) -> Watched:
    """Run a command, sample its processes, and kill all of them as soon as they are to be."""
    found, ticks, start = Watched(), {}, time.perf_counter()
    with tempfile.TemporaryFile("w+") as output:
        child = subprocess.Popen(
            words, env=environment, stdout=output, stderr=subprocess.STDOUT, start_new_session=True
        )
        while child.poll() is None:
            pids = family(child.pid)
            sampled = {pid: memory_and_ticks(pid) for pid in pids}
            ticks.update({pid: used for pid, (_, used) in sampled.items() if used})
            own = [memory for memory, _ in sampled.values()]
            found.parent = max(found.parent, own[0])
            found.worker = max(found.worker, *own[1:], 0.0)
            found.together = max(found.together, sum(own))
            if kill():
                os.killpg(child.pid, signal.SIGKILL)
                child.wait()
                found.killed = True
                time.sleep(1)
                found.survivors = [pid for pid in pids if memory_and_ticks(pid)[0]]
                break
            time.sleep(0.5)
        output.seek(0)
        found.output = output.read()
    if child.returncode and not found.killed:
        sys.exit(f"{' '.join(words)}\nended with {child.returncode}:\n{found.output}")
    found.seconds, found.cpu = time.perf_counter() - start, sum(ticks.values()) / TICKS
    return found


def entries(cache: Path) -> dict[str, tuple[int, int]]:
    """Name the entries of a cache, each with what changes if it is written again."""
    found = {}
    for path in cache.glob("??/*.clip"):
        status = path.stat()
        found[path.name] = status.st_ino, status.st_mtime_ns
    return found


def compare(before: dict[str, Any], after: dict[str, Any]) -> tuple[int, int]:
    """Count the entries that were written again or are gone, and those that are new."""
    again = sum(after.get(name) != stamp for name, stamp in before.items())
    return again, len(after.keys() - before.keys())


def clip_stages(recipe: str, picture: str, column: Any) -> dict[str, ClipPipeline]:
    """Make a recipe's stages that describe clips, by what they read, as the command line does."""
    stages = {}
    for modality in ("video", "audio"):
        model = make_emotion_pipeline(modality, recipe=recipe, picture=picture)
        stages[modality] = next(p for p in model_parts(model) if isinstance(p, ClipPipeline))
        for part in model_parts(model):
            if isinstance(part, VideoLoader) and recipe == "reference":
                part.set_params(size=common_frame_size(column))
    return stages


class Run:
    """One recipe on one corpus, into one cache."""

    def __init__(self, recipe: str, picture: str, options: argparse.Namespace, where: Path) -> None:
        self.recipe, self.picture, self.jobs = recipe, picture, options.jobs
        self.corpus, self.cache = where / "corpus", where / "cache"
        self.out = where / recipe
        self.data = load_ravdess(self.corpus).data
        self.stages = clip_stages(recipe, picture, self.data["video"])
        self.n_expected = len(self.data) * sum(len(part.steps) for part in self.stages.values())
        self.environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
        self.failed: list[str] = []

    def command(self, name: str, cache: Path, *words: str | Path, share: float = 2.0) -> Watched:
        """Run a command of skemotion; kill it when a share of the entries is there."""
        known = len(entries(cache))
        line = [name, self.corpus, "--recipe", self.recipe, "--cache", cache, "--jobs", self.jobs]
        line += ["--picture", self.picture] if self.recipe == "functionals" else []
        return watch(
            [sys.executable, "-m", "skemotion", *map(str, [*line, *words])],
            self.environment,
            lambda: share < 1 and ClipCache(cache).n_entries - known >= share * self.n_expected,
        )

    def say(self, line: str, *, good: bool = True) -> None:
        """Print a line, and remember it if it is not as it must be."""
        print(f"  {line}{'' if good else '   NOT AS IT MUST BE'}", flush=True)
        if not good:
            self.failed.append(f"{self.recipe}: {line}")

    def broken_and_resumed(self, share: float) -> None:
        """Evaluate, killed once; evaluate to the end; train."""
        before, size = entries(self.cache), ClipCache(self.cache).n_bytes
        first = self.command("evaluate", self.cache, share=share)
        kept = entries(self.cache)
        n_kept = len(kept) - len(before)
        self.say(f"evaluate, killed with {n_kept:,} of {self.n_expected:,} results in the cache: "
                 f"{first}")  # fmt: skip
        n_parts = len(list(self.cache.glob("??/*.part")))
        self.say(f"  left behind: {len(first.survivors)} processes, {n_parts} unfinished files",
                 good=first.killed and not first.survivors)  # fmt: skip
        second = self.command("evaluate", self.cache, "--out", self.out)
        n_again, n_new = compare(kept, entries(self.cache))
        self.say(f"evaluate, resumed: {second}")
        self.say(f"  of {n_kept:,} kept results {n_again} computed again; {n_new:,} new ones",
                 good=n_again == 0)  # fmt: skip
        n_left_out = second.output.count("left out: ")
        figures = [json.loads(page.read_text()) for page in sorted(self.out.glob("metrics-*.json"))]
        uars = [f"{page['protocol']} UAR {page['uar']:.1%}" for page in figures]
        self.say(f"  {n_left_out} clips left out; drawn faces: {', '.join(uars)}")
        described = entries(self.cache)
        third = self.command("train", self.cache, "-o", self.out / "model.skops")
        n_again, n_new = compare(described, entries(self.cache))
        self.say(f"train: {third}")
        self.say(f"  {n_again} results computed again, {n_new} new ones",
                 good=n_again == n_new == 0)  # fmt: skip
        grown = ClipCache(self.cache).n_bytes - size
        n_clips = len(self.data)
        self.say(f"cache {size_of(grown / 1e6)}, {grown / n_clips / 1e6:.2f} MB a clip; model "
                 f"{size_of((self.out / 'model.skops').stat().st_size / 1e6)}")  # fmt: skip

    def described_anew(self, n_clips: int, rng: random.Random) -> None:
        """Describe some clips without the cache, and compare with what it holds, bit by bit."""
        rows = sorted(rng.sample(range(len(self.data)), min(n_clips, len(self.data))))
        known, n_equal, n_values = entries(self.cache), 0, 0
        for modality, stages in self.stages.items():
            clips = self.data[modality].iloc[rows]
            settings = {"n_jobs": self.jobs, "on_error": "nan"}
            fresh = stages.set_params(memory=None, **settings).fit_transform(clips)
            cached = stages.set_params(memory=self.cache, **settings).fit_transform(clips)
            n_equal += sum(
                np.array_equal(a, b, equal_nan=True) for a, b in zip(fresh, cached, strict=True)
            )
            n_values += fresh.size
        n_again, n_new = compare(known, entries(self.cache))
        self.say(f"{len(rows)} clips described anew, picture and sound: {n_equal} of "
                 f"{2 * len(rows)} results equal to the cache's in all bits ({n_values:,} values)",
                 good=n_equal == 2 * len(rows) and n_again == n_new == 0)  # fmt: skip

    def faces(self) -> None:
        """Say in how many frames the landmarker found the drawn faces."""
        load = ClipPipeline(self.stages["video"].steps[:1], memory=self.cache, n_jobs=self.jobs)
        tracks = load.set_params(on_error="nan").fit_transform(self.data["video"])
        lengths = [0 if np.isnan(track).all() else len(track) for track in tracks]
        n_faces = np.count_nonzero(lengths)
        half = "" if n_faces else ": the picture's half of the recipe has nothing to say"
        self.say(f"face landmarker: faces in {n_faces:,} of {len(lengths):,} clips, followed over "
                 f"{sum(lengths):,} frames{half}")  # fmt: skip

    def unbroken(self, cache: Path) -> None:
        """Evaluate once more, from nothing and without a break; compare all predictions."""
        out = cache / "figures"
        found = self.command("evaluate", cache, "--out", out)
        pages = sorted(self.out.glob("predictions-*.csv"))
        tables = [(pd.read_csv(page), pd.read_csv(out / page.name)) for page in pages]
        equal = [broken.equals(whole) for broken, whole in tables]
        self.say(f"evaluate, unbroken, from an empty cache: {found}")
        self.say(f"  predictions with probabilities equal to those of the resumed run: "
                 f"{sum(equal)} of {len(equal)} protocols, "
                 f"{sum(len(table) for table, _ in tables):,} rows",
                 good=len(equal) == 2 and all(equal))  # fmt: skip


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--clips", type=int, default=1440)
    parser.add_argument("--seconds", type=float, default=3.7, help="of a clip, on average")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--recipe", nargs="+", choices=RECIPES, default=RECIPES)
    parser.add_argument("--landmarker", type=Path, help="default: where `skemotion fetch` puts it")
    parser.add_argument("--anew", type=int, default=24, help="clips to describe without the cache")
    parser.add_argument("--unbroken", action="store_true", help="do everything a second time")
    parser.add_argument("--seed", type=int, default=0, help="of the moments of the kills")
    parser.add_argument("--folder", type=Path, help="on a disk with room; a corpus in it is used")
    options = parser.parse_args(arguments)
    if not (PROC / "self/status").exists():
        sys.exit("Only Linux reports the memory of processes (/proc): nothing was run.")
    with tempfile.TemporaryDirectory(dir=options.folder, prefix="scale-") as scratch:
        where = options.folder or Path(scratch)
        if options.landmarker is not None:
            link = Path(scratch, FOUND_IN)
            link.parent.mkdir()
            link.symlink_to(options.landmarker.resolve(strict=True))
            os.environ["XDG_CACHE_HOME"] = scratch
        failed = run(options, where, Path(scratch))
    sys.exit("\n".join(["Not as it must be:", *failed]) if failed else None)


def run(options: argparse.Namespace, where: Path, scratch: Path) -> list[str]:
    import pooch

    corpus, start = where / "corpus", time.perf_counter()
    known = corpus.exists()
    if not known:
        make_corpus(corpus, options.clips, options.seconds, options.jobs)
    clips = load_ravdess(corpus)
    n_bytes = sum(path.stat().st_size for path in corpus.rglob("*.mp4"))
    made = "found" if known else f"made in {time_of(time.perf_counter() - start)}"
    print(f"{len(clips.data):,} clips of 720p and sound, {len(set(clips.groups))} speakers, "
          f"{len(clips.target_names)} emotions, {size_of(n_bytes / 1e6)}, {made}; {options.jobs} "
          f"workers, {joblib.cpu_count()} cores, load {os.getloadavg()[0]:.1f} (what others ran at "
          "the same time lengthens times by the clock, not those of CPU)", flush=True)  # fmt: skip
    there = Path(pooch.os_cache(FOUND_IN.parent.name), FOUND_IN.name).exists()
    picture = "face" if there else "hog3d"
    rng, failed = random.Random(options.seed), []
    for recipe in options.recipe:
        note = f", picture={picture!r}" if recipe == "functionals" else ""
        print(f"\nRecipe {recipe!r}{note}", flush=True)
        if recipe == "functionals" and not there:
            print("  (no face_landmarker.task: the default picture='face' cannot run)")
        one = Run(recipe, picture, options, where)
        one.broken_and_resumed(rng.uniform(0.1, 0.9))
        if recipe == "functionals" and there:
            one.faces()
        one.described_anew(options.anew, rng)
        if options.unbroken:
            one.unbroken(scratch / f"unbroken-{recipe}")
        failed += one.failed
    print(f"\nAll of it took {time_of(time.perf_counter() - start)}.", flush=True)
    return failed


if __name__ == "__main__":
    main()
