"""Speech functionals of a clip, against the same recipe in NumPy, SciPy and librosa; on one core.

``python benchmarks/bench_functionals.py`` measures on clips of RAVDESS in ``../shared/data``, or
else on synthetic ones. The plain way is the one that the tests compare with.
"""

from __future__ import annotations

import argparse
import io
import os
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

import cv2
import librosa
import numpy as np
import soundfile
from corpus import SHARED_DATA
from measure import Aim, Outcome, Row, conclude, duration, peak_memory
from threadpoolctl import threadpool_limits

from skemotion.audio import speech_functionals

sys.path.append(str(Path(__file__).parents[1] / "tests"))
from references.functionals import functionals as plain

RAVDESS = SHARED_DATA / "ravdess" / "Audio_Speech_Actors_01-12.zip"
RATE = 16000
WAYS: dict[str, Callable[[np.ndarray], np.ndarray]] = {"plain": plain, "ours": speech_functionals}


def real_clips(data: Path, n_clips: int) -> Iterator[np.ndarray]:
    with zipfile.ZipFile(data) as archive:
        names = sorted(name for name in archive.namelist() if name.endswith(".wav"))
        for name in names[:: max(len(names) // n_clips, 1)][:n_clips]:
            samples, rate = soundfile.read(io.BytesIO(archive.read(name)), dtype="float32")
            yield librosa.resample(librosa.to_mono(samples.T), orig_sr=rate, target_sr=RATE)


def synthetic_clips(n_clips: int) -> Iterator[np.ndarray]:
    """Make clips as long as RAVDESS' that have what speech has: pitch, pauses, breath, silence."""
    rng = np.random.default_rng(0)
    for _ in range(n_clips):
        t = np.arange(int(rng.uniform(3, 4.5) * RATE)) / RATE
        pitch = rng.uniform(90, 250) * (1 + 0.2 * np.sin(2 * np.pi * rng.uniform(0.3, 1) * t))
        phase = 2 * np.pi * np.cumsum(pitch) / RATE
        voice = sum(np.sin(k * phase) / k for k in range(1, 30))
        loudness = np.clip(np.sin(2 * np.pi * rng.uniform(1, 3) * t), 0, None) * (abs(t - 2) < 1)
        breath = rng.standard_normal(len(t))
        yield (0.1 * loudness * (voice + 0.1 * breath) + 1e-4 * breath).astype(np.float32)


def seconds(way: Callable[[np.ndarray], np.ndarray], y: np.ndarray) -> float:
    # The processor's time of this one thread: what else runs on the machine disturbs it less.
    start = time.process_time()
    way(y)
    return time.process_time() - start


def disagreement(y: np.ndarray) -> float:
    """Give the largest relative difference; of the plain way in double precision."""
    expected = plain(y.astype(np.float64))
    return float((np.abs(speech_functionals(y) - expected) / (1 + np.abs(expected))).max())


def compile_time() -> float:
    """Time what the first call of all takes longer, in a process without compiled functions."""
    with tempfile.TemporaryDirectory() as cache:
        command = [sys.executable, __file__, "--compile-only"]
        env = os.environ | {"NUMBA_CACHE_DIR": cache}
        return float(subprocess.run(command, env=env, check=True, capture_output=True).stdout)


def print_compile_time() -> None:
    y = next(synthetic_clips(1))
    first, second = (seconds(speech_functionals, y) for _ in range(2))
    print(first - second)


def main(arguments: Sequence[str] | None = None) -> Outcome:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=RAVDESS if RAVDESS.exists() else None,
                        help="zip of wav files; else synthetic")  # fmt: skip
    parser.add_argument("--clips", type=int, default=20, help="number of clips")
    parser.add_argument("--repeats", type=int, default=5, help="the fastest of them counts")
    parser.add_argument("--compile-only", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args(arguments)
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    cv2.setNumThreads(1)
    with threadpool_limits(1):
        if args.compile_only:
            print_compile_time()
            return Outcome([])
        clips = list(
            real_clips(args.data, args.clips) if args.data else synthetic_clips(args.clips)
        )
        for way in WAYS.values():
            way(clips[0])
        times = dict.fromkeys(WAYS, 0.0)
        for y in clips:
            # In turns, so that a busier moment of the machine meets both.
            rounds = [
                {name: seconds(way, y) for name, way in WAYS.items()} for _ in range(args.repeats)
            ]
            for name in WAYS:
                times[name] += min(each[name] for each in rounds) / len(clips)
        difference = max(disagreement(y) for y in clips)

    length = sum(map(len, clips)) / len(clips) / RATE
    kind = f"clips of {args.data.name}" if args.data else "synthetic clips"
    print(f"\n{len(clips)} {kind}, {length:.1f} s on average; 4,340 functionals")
    memory = {}
    for name, label in (("plain", "NumPy, SciPy and librosa"), ("ours", "skemotion")):
        memory[name] = peak_memory(partial(WAYS[name], clips[0]))
        print(f"  {label:26s}{times[name] * 1000:8.1f} ms per clip, one core; "
              f"peak {memory[name]:5.1f} MB")  # fmt: skip
    ratio, compiling = times["plain"] / times["ours"], compile_time()
    print(f"  ratio {ratio:.1f}; compiling, once: {compiling:.1f} s; difference {difference:.1e}")
    clip = "a RAVDESS clip" if args.data == RAVDESS else "a clip"
    return Outcome(
        [
            Row(
                f"4,340 functionals of {clip}'s speech, one core (`bench_functionals.py`)",
                f"NumPy, SciPy and librosa: {duration(times['plain'])}",
                "",
                f"{duration(times['ours'])}; compiling {compiling:.1f} s once",
                [Aim(ratio, 4)],
                f"{difference:.0e}",
                bool(difference <= 1e-8),
                f"{memory['plain']:.1f} MB, ours {memory['ours']:.1f} MB",
            )
        ]
    )


if __name__ == "__main__":
    conclude(main())
