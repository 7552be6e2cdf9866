"""A sound file to a waveform, against `librosa.load` where that can read it; members of an archive.

On one core, by the processor's time: ``python benchmarks/bench_loading.py [--members 100000]``.
"""

from __future__ import annotations

import argparse
import tempfile
import time
import warnings
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import av
import librosa
import numpy as np
import soundfile
from audioread.exceptions import NoBackendError
from bench_audio import RAVDESS, real_clips, synthetic_clips
from threadpoolctl import threadpool_limits

from skemotion.audio import AudioLoader

CODECS = {
    "mp3": ("libmp3lame", 44_100),
    "m4a": ("aac", 48_000),
    "ogg": ("libopus", 48_000),
    "webm": ("libopus", 48_000),
}


def encode(samples: np.ndarray, rate: int, path: Path) -> None:
    codec, new_rate = CODECS[path.suffix[1:]]
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=new_rate, layout="mono")
        frame = av.AudioFrame.from_ndarray(samples[np.newaxis], format="s16", layout="mono")
        frame.sample_rate = rate
        to_codec = av.AudioResampler(stream.format.name, "mono", new_rate, stream.frame_size)
        for part in [*to_codec.resample(frame), *to_codec.resample(None)]:
            container.mux(stream.encode(part))
        container.mux(stream.encode(None))


def fastest(way: Callable[[], Any], repeats: int = 30) -> float:
    times = []
    for _ in range(repeats):
        start = time.process_time()
        way()
        times.append(time.process_time() - start)
    return min(times) * 1000


def time_members(folder: Path, content: bytes, n_members: int) -> None:
    path, loader, n_read = folder / "many.zip", AudioLoader(), min(n_members, 1000)
    with zipfile.ZipFile(path, "w") as archive:
        for number in range(n_members):
            archive.writestr(f"{number:06}.wav", content)
    time.sleep(3)  # what has just been written is not trusted to stay as it is
    start = time.process_time()
    loader.transform_clip(f"zip://000000.wav::{path}")
    first = time.process_time() - start
    start = time.process_time()
    for number in range(n_read):
        loader.transform_clip(f"zip://{number:06}.wav::{path}")
    each = (time.process_time() - start) / n_read
    print(f"archive of {n_members:,} members: the first {first:.2f} s, then {each * 1000:.2f} ms")


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--members", type=int, default=100_000)
    args = parser.parse_args(arguments)
    loader = AudioLoader()
    with tempfile.TemporaryDirectory() as made, threadpool_limits(1), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # librosa's, where it tries another library
        folder = Path(made)
        [path] = real_clips(RAVDESS, folder, 1) if RAVDESS.exists() else synthetic_clips(folder, 1)
        samples, rate = soundfile.read(path, dtype="int16", always_2d=True)
        samples = np.ascontiguousarray(samples[:, 0])
        print(f"{len(samples) / rate:.1f} s of sound; ms per file")
        for ending in ("wav", "flac", *CODECS):
            file = folder / f"a.{ending}"
            if ending in CODECS:
                encode(samples, rate, file)
            else:
                soundfile.write(file, samples, rate)
            ours = fastest(lambda: loader.transform_clip(str(file)))  # noqa: B023
            try:
                theirs = fastest(lambda: librosa.load(file))  # noqa: B023
            except NoBackendError:
                print(f"  {ending:5}{ours:6.2f}   librosa.load cannot read it")
                continue
            print(f"  {ending:5}{ours:6.2f}   librosa.load {theirs:6.2f}   x{theirs / ours:.2f}")
        soundfile.write(folder / "short.wav", samples[:2000], rate)
        time_members(folder, (folder / "short.wav").read_bytes(), args.members)


if __name__ == "__main__":
    main()
