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
from measure import Aim, Outcome, Row, conclude, duration
from threadpoolctl import threadpool_limits

from skemotion.audio import AudioLoader

# Level with it, but for what clocks differ by.
LEVEL = 0.9
LOSSLESS = (".wav", ".flac")
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
    return min(times)


def time_members(folder: Path, content: bytes, n_members: int) -> Row:
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
    print(f"archive of {n_members:,} members: the first {duration(first)}, then {duration(each)}")
    return Row(
        f"A member of a zip archive of {n_members:,} (`bench_loading.py`)",
        ours=f"{duration(each)}; the first {duration(first)}",
    )


def time_file(file: Path, seconds: float) -> Row:
    """Time loading a file here and by librosa, and compare the waveforms."""
    loader = AudioLoader()
    ours = fastest(lambda: loader.transform_clip(str(file)))
    row = Row(f"{file.suffix[1:]} of {seconds:.1f} s to a waveform, CPU time (`bench_loading.py`)",
              ours=duration(ours))  # fmt: skip
    try:
        theirs = fastest(lambda: librosa.load(file))
    except NoBackendError:
        row.peer = "`librosa.load` cannot read it"
        print(f"  {file.suffix[1:]:5}{duration(ours)}   librosa.load cannot read it")
        return row
    row.peer = f"`librosa.load`: {duration(theirs)}"
    row.aims = [Aim(theirs / ours, LEVEL)]
    one, other = loader.transform_clip(str(file)), librosa.load(file)[0]
    n = min(len(one), len(other))
    difference = float(np.abs(one[:n] - other[:n]).max())
    row.agreement = f"{difference:.0e}"
    if file.suffix in LOSSLESS:
        row.agrees = len(one) == len(other) and difference <= 1e-6
    elif file.suffix == ".ogg":
        # Opus may be decoded in more than one right way.
        row.agreement = "another decoder"
    print(f"  {file.suffix[1:]:5}{duration(ours)}   librosa.load {duration(theirs)}   "
          f"x{theirs / ours:.2f}   {row.agreement}")  # fmt: skip
    return row


def main(arguments: Sequence[str] | None = None) -> Outcome:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--members", type=int, default=100_000)
    args = parser.parse_args(arguments)
    rows = []
    with tempfile.TemporaryDirectory() as made, threadpool_limits(1), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # librosa's, where it tries another library
        folder = Path(made)
        [path] = real_clips(RAVDESS, folder, 1) if RAVDESS.exists() else synthetic_clips(folder, 1)
        samples, rate = soundfile.read(path, dtype="int16", always_2d=True)
        samples = np.ascontiguousarray(samples[:, 0])
        print(f"{len(samples) / rate:.1f} s of sound")
        for ending in ("wav", "flac", *CODECS):
            file = folder / f"a.{ending}"
            if ending in CODECS:
                encode(samples, rate, file)
            else:
                soundfile.write(file, samples, rate)
            rows.append(time_file(file, len(samples) / rate))
        soundfile.write(folder / "short.wav", samples[:2000], rate)
        rows.append(time_members(folder, (folder / "short.wav").read_bytes(), args.members))
    return Outcome(rows)


if __name__ == "__main__":
    conclude(main())
