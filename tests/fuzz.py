"""Push damaged clips through loading: ``python tests/fuzz.py [--mutants 2000] [--seed 0]``.

Real encoded clips in eight containers are mutated (bits flipped, cut off, spliced with others,
headers made to lie). Each must come out as an array or as a `MediaError` that names the file,
in bounded time and memory. Mutants are loaded in worker processes, so that one that brings down a
decoder is counted and the run goes on; those that break a rule are kept for a closer look.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import resource
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from multiprocessing.connection import Connection
from pathlib import Path

import av
import numpy as np

from skemotion import MediaError
from skemotion.audio import AudioLoader
from skemotion.datasets import make_ravdess
from skemotion.video import VideoLoader

MOST_SECONDS = 20.0
MOST_BYTES = 2 * 2**30  # beyond what the worker holds before its first mutant
# Container: encoders of picture and sound.
CONTAINERS = {
    "mp4": ("libx264", "aac"),
    "avi": ("mpeg4", "libmp3lame"),
    "webm": ("libvpx", "libopus"),
    "flv": ("flv", "libmp3lame"),
    "mpg": ("mpeg1video", "mp2"),
    "wav": (None, "pcm_s16le"),
    "flac": (None, "flac"),
    "mp3": (None, "libmp3lame"),
}


def make_seeds(folder: Path) -> dict[str, bytes]:
    """Encode a synthetic clip into every container."""
    make_ravdess(folder, n_actors=1, emotions=["happy"], intensities=["normal"], n_statements=1,
                 modalities=["full"], duration=1.0, frame_size=(120, 160))  # fmt: skip
    source = next(folder.rglob("*.mp4"))
    seeds = {}
    for ending, (video, audio) in CONTAINERS.items():
        path = folder / f"seed.{ending}"
        with av.open(str(source)) as given, av.open(str(path), "w") as made:
            streams = {}
            if video:
                streams["video"] = made.add_stream(video, rate=25)
                streams["video"].width, streams["video"].height = 160, 120
                streams["video"].pix_fmt = "yuv420p"
            streams["audio"] = made.add_stream(audio, rate=48_000 if audio == "libopus" else 44_100)
            resampler = av.AudioResampler(
                streams["audio"].format.name, streams["audio"].layout.name, streams["audio"].rate
            )
            for frame in given.decode():
                kind = "video" if isinstance(frame, av.VideoFrame) else "audio"
                if kind not in streams:
                    continue
                if kind == "video":  # without the time stamps and types of the source
                    parts = [av.VideoFrame.from_ndarray(frame.to_ndarray(format="rgb24"))]
                else:
                    parts = resampler.resample(frame)
                for part in parts:
                    made.mux(streams[kind].encode(part))
            for stream in streams.values():
                made.mux(stream.encode())
        seeds[ending] = path.read_bytes()
    return seeds


def mutate(seeds: dict[str, bytes], rng: np.random.Generator) -> Iterator[tuple[str, str, bytes]]:
    """Give kind of damage, ending and content of mutants, without end."""
    endings = list(seeds)
    while True:
        for ending in endings:
            content = bytearray(seeds[ending])
            size = len(content)
            kind = str(rng.choice(["flips", "cut", "splice", "header"]))
            if kind == "flips":
                for at in rng.integers(size, size=int(2 ** rng.uniform(0, 9))):
                    content[at] ^= 1 << rng.integers(8)
            elif kind == "cut":
                start = 0 if rng.random() < 0.7 else int(rng.integers(size))
                content = content[start : start + int(rng.integers(size))]
            elif kind == "splice":
                other = seeds[str(rng.choice(endings))]
                at, n_bytes = int(rng.integers(size)), int(2 ** rng.uniform(2, 14))
                begin = int(rng.integers(len(other)))
                overwritten = int(n_bytes * (rng.random() < 0.5))
                content[at : at + overwritten] = other[begin : begin + n_bytes]
            else:
                # Sizes, rates and counts stand in the first bytes, and in mp4 in the last.
                for _ in range(int(rng.integers(1, 5))):
                    at = int(rng.integers(min(1000, size)))
                    at = size - 1 - at if rng.random() < 0.3 else at
                    lie = rng.choice(
                        [b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff", b"\0\0\0\0", b"\x01"]
                    )
                    content[at : at + len(lie)] = lie
            if kind != "cut" and rng.random() < 0.1:
                ending = str(rng.choice(endings))  # under another's name
            yield kind, ending, bytes(content)


def load(path: Path) -> str:
    """Load a mutant by both loaders, and say what came of it."""
    outcomes = []
    for loader in (VideoLoader(n_frames=8, size=(48, 64)), AudioLoader()):
        try:
            (clip,) = loader.transform([path])
        except MediaError as error:
            outcomes.append("error" if str(path) in str(error) else f"nameless: {error}")
        except BaseException as error:
            outcomes.append(f"broken: {type(error).__name__}: {error}")
        else:
            whole = isinstance(clip, np.ndarray) and clip.size and np.isfinite(clip).all()
            outcomes.append("array" if whole else "broken: not a finite array")
    bad = [outcome for outcome in outcomes if outcome not in ("array", "error")]
    return bad[0] if bad else " and ".join(outcomes)


def work(pipe: Connection) -> None:
    """Load what comes through the pipe, up to a None."""
    VideoLoader(n_frames=2, size=(2, 2)).transform([np.zeros((2, 4, 4), np.uint8)])
    AudioLoader().transform([(22050, np.zeros(100, np.float32))])
    held = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (held + MOST_BYTES, held + MOST_BYTES))
    pipe.send("ready")
    while (path := pipe.recv()) is not None:
        pipe.send((load(path), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024))


class Worker:
    """A process that loads mutants and may be lost."""

    def __init__(self) -> None:
        context = multiprocessing.get_context("spawn")
        self.pipe, theirs = context.Pipe()
        self.process = context.Process(target=work, args=(theirs,), daemon=True)
        self.process.start()
        theirs.close()
        self.pipe.recv()
        self.path: Path | None = None
        self.started = 0.0

    def stop(self) -> None:
        self.pipe.send(None)
        self.process.join()

    def start(self, path: Path) -> None:
        self.path, self.started = path, time.monotonic()
        self.pipe.send(path)

    def outcome(self) -> tuple[str, int] | None:
        """Give what came of the mutant, once it is known."""
        try:
            if self.pipe.poll(0.005):
                outcome: tuple[str, int] = self.pipe.recv()
                return outcome
        except (EOFError, ConnectionResetError):
            self.process.join()
            return f"crash: the process ended with {self.process.exitcode}", 0
        if time.monotonic() - self.started > MOST_SECONDS:
            self.process.kill()
            return f"slow: more than {MOST_SECONDS:.0f} s", 0
        return None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mutants", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--keep", type=Path, default=Path(tempfile.gettempdir(), "skemotion-fuzz"))
    args = parser.parse_args()
    if not sys.platform.startswith("linux"):
        sys.exit("The limits of memory are those of Linux: run this there.")
    start, slowest, most_memory = time.monotonic(), 0.0, 0
    counts: Counter[tuple[str, str]] = Counter()
    broken: list[str] = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        seeds = make_seeds(folder)
        mutants = mutate(seeds, np.random.default_rng(args.seed))
        workers = [Worker() for _ in range(os.cpu_count() or 1)]
        given = done = 0
        kinds: dict[Path, str] = {}
        while done < args.mutants:
            for i, worker in enumerate(workers):
                if worker.path is None:
                    if given < args.mutants:
                        kind, ending, content = next(mutants)
                        path = folder / f"mutant{given:05d}.{ending}"
                        path.write_bytes(content)
                        kinds[path] = kind
                        worker.start(path)
                        given += 1
                    continue
                outcome = worker.outcome()
                if outcome is None:
                    continue
                path, (text, memory) = worker.path, outcome
                done += 1
                slowest = max(slowest, time.monotonic() - worker.started)
                most_memory = max(most_memory, memory)
                what = text.partition(":")[0]
                counts[kinds[path], what] += 1
                if what not in ("array and array", "array and error", "error and array",
                                "error and error"):  # fmt: skip
                    args.keep.mkdir(parents=True, exist_ok=True)
                    kept = args.keep / path.name
                    kept.write_bytes(path.read_bytes())
                    broken.append(f"{kinds[path]:7} {kept}: {text}")
                path.unlink()
                worker.path = None
                if what in ("crash", "slow"):
                    workers[i] = Worker()
        for worker in workers:
            worker.stop()
    seconds = time.monotonic() - start
    print(f"{args.mutants} mutants of {len(seeds)} containers in {seconds:.0f} s; slowest "
          f"{slowest:.1f} s, most memory of a worker {most_memory / 1e6:.0f} MB")  # fmt: skip
    for (kind, what), n_mutants in sorted(counts.items()):
        print(f"  {kind:7}  {what:16} {n_mutants:5d}")
    for line in broken:
        print(line)
    if any("crash:" not in line for line in broken):
        sys.exit("Some mutants came out as neither an array nor a MediaError that names the file.")


if __name__ == "__main__":
    main()
