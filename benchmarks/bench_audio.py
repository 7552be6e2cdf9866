"""The audio branch, from file to splines of 8 variants' features, against librosa call by call.

On one core: ``python benchmarks/bench_audio.py [--data FOLDER_OR_ZIP_OF_WAV] [--clips 20]``;
without it on the clips of RAVDESS in ``../shared/data``, or else on synthetic ones.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import cv2
import librosa
import numpy as np
import soundfile
from corpus import SHARED_DATA
from measure import Aim, Outcome, Row, conclude, duration, peak_memory
from scipy.interpolate import BSpline
from threadpoolctl import threadpool_limits

from skemotion.audio import AudioAugmenter, AudioFeatures, AudioLoader, audio_features, augment
from skemotion.decomposition import BSplineProjector, bspline_project

RAVDESS = SHARED_DATA / "ravdess" / "Audio_Speech_Actors_01-12.zip"
RATE = 22050
STEPS = (4, -6, 3)
RATES = (1.5, 2.0, 0.8, 0.5)


def plain_variants(y: np.ndarray) -> list[np.ndarray]:
    return [
        y + np.float32(0.005) * np.random.default_rng(0).standard_normal(len(y), dtype=np.float32),
        *(librosa.effects.pitch_shift(y, sr=RATE, n_steps=steps) for steps in STEPS),
        *(librosa.effects.time_stretch(y, rate=rate) for rate in RATES),
    ]


def plain_features(y: np.ndarray) -> np.ndarray:
    feature = librosa.feature
    return np.vstack(
        [
            feature.mfcc(y=y, sr=RATE, n_mfcc=13),
            feature.zero_crossing_rate(y),
            feature.rms(y=y),
            feature.chroma_stft(y=y, sr=RATE),
            feature.spectral_contrast(y=y, sr=RATE),
        ]
    ).T


def plain_splines(curves: np.ndarray) -> np.ndarray:
    knots = np.r_[[0] * 3, np.linspace(0, 1, 12), [1] * 3]
    basis = BSpline.design_matrix(np.linspace(0, 1, len(curves)), knots, 3).toarray()
    return np.linalg.lstsq(basis, curves)[0]


def plain(path: str) -> np.ndarray:
    y, _ = librosa.load(path, sr=RATE)
    return np.hstack([plain_splines(plain_features(variant)) for variant in plain_variants(y)])


def ours(path: str) -> np.ndarray:
    variants = AudioAugmenter().transform(AudioLoader().transform([path]))
    return BSplineProjector().transform(AudioFeatures().transform(variants))[0]


WAYS: dict[str, Callable[[str], np.ndarray]] = {"plain": plain, "ours": ours}


def synthetic_clips(folder: Path, n_clips: int) -> list[str]:
    """Make wav files as long as RAVDESS' that have what speech has: pitch, pauses, breath."""
    rng, rate, paths = np.random.default_rng(0), 48_000, []
    for number in range(n_clips):
        t = np.arange(int(rng.uniform(3, 4.5) * rate)) / rate
        pitch = rng.uniform(90, 250) * (1 + 0.2 * np.sin(2 * np.pi * rng.uniform(0.3, 1) * t))
        phase = 2 * np.pi * np.cumsum(pitch) / rate
        voice = sum(np.sin(k * phase) / k for k in range(1, 40))
        loudness = np.clip(np.sin(2 * np.pi * rng.uniform(1, 3) * t), 0, None) * (t > 0.5)
        breath = rng.standard_normal(len(t))
        paths.append(str(folder / f"{number}.wav"))
        soundfile.write(paths[-1], 0.1 * loudness * (voice + 0.1 * breath) + 1e-4 * breath, rate)
    return paths


def real_clips(data: Path, folder: Path, n_clips: int) -> list[str]:
    """Choose wav files of a folder, or unpack members of an archive."""
    if data.is_dir():
        paths = sorted(map(str, data.rglob("*.wav")))
        return paths[:: max(len(paths) // n_clips, 1)][:n_clips]
    with zipfile.ZipFile(data) as archive:
        names = sorted(name for name in archive.namelist() if name.endswith(".wav"))
        names = names[:: max(len(names) // n_clips, 1)][:n_clips]
        return [archive.extract(name, folder) for name in names]


def seconds(way: Callable[[str], np.ndarray], path: str) -> float:
    # The processor's time of this one thread: what else runs on the machine disturbs it less.
    start = time.process_time()
    way(path)
    return time.process_time() - start


def check_agreement(path: str) -> tuple[float, float, float, float]:
    """Give the largest differences of waveforms, variants, features and splines.

    Each from equal input. Waveforms and variants as shares of the clip's peak, variants from
    librosa in double precision: its phases in single precision are off by up to 0.1 radians.
    Features as shares of each feature's largest value.
    """
    (y,), (loaded, _) = AudioLoader().transform([path]), librosa.load(path, sr=RATE)
    of_waveforms = np.abs(y - loaded).max() / np.abs(y).max()
    variants = augment(y)
    exact = plain_variants(y.astype(np.float64))
    pairs = list(zip(variants[1:], exact[1:], strict=True))
    of_variants = max(np.abs(a - b).max() for a, b in pairs) / np.abs(y).max()
    of_features = of_splines = 0.0
    for variant in variants:
        a, b = audio_features(variant), plain_features(variant)
        of_features = max(of_features, (np.abs(a - b) / np.abs(b).max(axis=0)).max())
        difference = np.abs(bspline_project(a) - plain_splines(a))
        of_splines = max(of_splines, (difference / np.abs(a).max(axis=0)).max())
    return float(of_waveforms), float(of_variants), float(of_features), float(of_splines)


def compile_time() -> float:
    """Time what the first call of all takes longer, in a process without compiled functions."""
    with tempfile.TemporaryDirectory() as cache:
        command = [sys.executable, __file__, "--compile-only"]
        env = os.environ | {"NUMBA_CACHE_DIR": cache}
        return float(subprocess.run(command, env=env, check=True, capture_output=True).stdout)


def print_compile_time() -> None:
    with tempfile.TemporaryDirectory() as folder:
        (path,) = synthetic_clips(Path(folder), 1)
        plain(path)  # librosa compiles functions of its own
        first, second = (seconds(ours, path) for _ in range(2))
    print(first - second)


def main(arguments: Sequence[str] | None = None) -> Outcome:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=RAVDESS if RAVDESS.exists() else None,
                        help="folder or zip of wav files; else synthetic")  # fmt: skip
    parser.add_argument("--clips", type=int, default=20, help="number of clips")
    parser.add_argument("--repeats", type=int, default=3, help="the fastest of them counts")
    parser.add_argument("--compile-only", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args(arguments)
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    cv2.setNumThreads(1)
    with threadpool_limits(1), tempfile.TemporaryDirectory() as made:
        if args.compile_only:
            print_compile_time()
            return Outcome([])
        folder = Path(made)
        clips = (
            real_clips(args.data, folder, args.clips)
            if args.data
            else synthetic_clips(folder, args.clips)
        )
        length = sum(librosa.get_duration(path=path) for path in clips) / len(clips)
        for way in WAYS.values():
            way(clips[0])
        # Clip after clip, as a corpus is; in turns, so that a busier moment meets both.
        rounds = [
            {name: [seconds(way, path) for path in clips] for name, way in WAYS.items()}
            for _ in range(args.repeats)
        ]
        times = {
            name: float(np.min([each[name] for each in rounds], axis=0).mean()) for name in WAYS
        }
        differences = np.max([check_agreement(path) for path in clips], axis=0)
        memory = {name: peak_memory(partial(WAYS[name], clips[0])) for name in WAYS}

    kind = f"clips of {args.data.name}" if args.data else "synthetic clips"
    print(
        f"\n{len(clips)} {kind}, {length:.1f} s on average; "
        "loaded, 8 variants, 34 features, splines"
    )
    for name, label in (("plain", "librosa call by call"), ("ours", "skemotion")):
        print(f"  {label:22s}{times[name] * 1000:8.1f} ms per clip, one core; "
              f"peak {memory[name]:5.1f} MB")  # fmt: skip
    ratio, compiling = times["plain"] / times["ours"], compile_time()
    print(f"  ratio {ratio:.1f}; compiling, once: {compiling:.1f} s")
    print("  largest differences from librosa: loading {:.1e}, variants {:.1e}, "
          "features {:.1e}, splines {:.1e}"
          .format(*differences))  # fmt: skip
    clip = "a RAVDESS clip" if args.data == RAVDESS else "a clip"
    return Outcome(
        [
            Row(
                f"Loading, 8 variants, features and splines of {clip}, one core (`bench_audio.py`)",
                f"librosa call by call: {duration(times['plain'])}",
                "",
                f"{duration(times['ours'])}; compiling {compiling:.1f} s once",
                [Aim(ratio, 8)],
                f"{differences.max():.0e}",
                bool(differences.max() <= 1e-5),
                f"{memory['plain']:.0f} MB, ours {memory['ours']:.0f} MB",
            )
        ]
    )


if __name__ == "__main__":
    conclude(main())
