"""Predict and train on a folder of clips, one in twenty of them bad: some crash, hang, fill memory.

    python benchmarks/check_isolation.py --clips 1000

Both must finish, name the bad ones, and take at most 1.5 times as long as for the good clips alone,
besides the time limits of the clips that hang.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import soundfile

# What a decoder may do, by the clip's name; run by every process of Python at its start.
MISBEHAVES = """
import ctypes, os, signal
import numpy as np
import skemotion.audio._loader as loader
as_it_is = loader.AudioLoader.transform_clip
def transform_clip(self, clip):
    name = os.path.basename(str(clip))
    if "crash" in name:
        os.kill(os.getpid(), signal.SIGSEGV)
    if "hang" in name:
        ctypes.PyDLL(None).sleep(3600)
    kept = []
    while "fill" in name:
        kept.append(np.ones(2**22))
    return as_it_is(self, clip)
loader.AudioLoader.transform_clip = transform_clip
"""
SECONDS, GIGABYTES = 5, 0.5


def make_clips(folder: Path, n_clips: int) -> None:
    """Write clips of two emotions, in a folder each; the first one is among the bad."""
    rng = np.random.default_rng(0)
    n_bad = n_clips // 20
    rows = [0, *(1 + rng.permutation(n_clips - 1)[: n_bad - 1]).tolist()]
    deeds = ["crash", "hang", "fill"] * max(n_bad // 10, 1)
    bad = dict(zip(rows, [*deeds, *["torn"] * n_clips], strict=False))
    for row in range(n_clips):
        emotion = ("calm", "angry")[row % 2]
        path = folder / emotion / f"speaker{row % 10}" / f"{row:04d}-{bad.get(row, 'good')}.wav"
        path.parent.mkdir(parents=True, exist_ok=True)
        t = np.arange(8000) / 16000
        pitch = (120 + 100 * (row % 2)) * (1 + 0.02 * rng.standard_normal())
        wave = sum(np.sin(2 * np.pi * pitch * k * t) / k for k in range(1, 10))
        wave = 0.1 * wave * (1 + np.sin(9 * t)) + 0.01 * rng.standard_normal(len(t))
        soundfile.write(path, wave, 16000)
        if bad.get(row) == "torn":
            path.write_bytes(path.read_bytes()[:30])


def run(name: str, *words: str | Path, site: Path) -> tuple[float, float, str, str]:
    """Run the command line; give wall-clock and CPU seconds, output and errors."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(site), *sys.path])}
    before, start = os.times(), time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", "skemotion", *map(str, words)],
        env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    seconds, after = time.perf_counter() - start, os.times()
    cpu = sum(after[2:4]) - sum(before[2:4])
    if done.returncode > 1:
        sys.exit(done.stderr)
    told = len(set(re.findall(r"(?m)^skemotion: (?!warning).*?/(\d{4})-\w+\.wav", done.stderr)))
    print(f"{name}: {seconds:.0f} s, {cpu:.0f} s of CPU, {told} named, status {done.returncode}")
    return seconds, cpu, done.stdout, done.stderr


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clips", type=int, default=1000)
    parser.add_argument("--jobs", type=int, default=2)
    options = parser.parse_args()
    failed = []
    with tempfile.TemporaryDirectory() as scratch:
        folder, site = Path(scratch, "clips"), Path(scratch, "site")
        make_clips(folder, options.clips)
        site.mkdir()
        (site / "sitecustomize.py").write_text(MISBEHAVES)
        bad = sorted(path.name for path in folder.rglob("*.wav") if "good" not in path.name)
        n_hang = sum("hang" in name for name in bad)
        model = Path(scratch, "model.skops")
        jobs = ["--jobs", str(options.jobs), "--max-decode-seconds", str(SECONDS),
                "--max-memory", str(GIGABYTES)]  # fmt: skip
        good = Path(scratch, "good")
        for path in folder.rglob("*-good.wav"):
            link = good / path.relative_to(folder)
            link.parent.mkdir(parents=True, exist_ok=True)
            link.hardlink_to(path)
        found = {}
        # The good ones first, which compile the kernels of a new environment.
        for kind, place in (("good", good), ("all", folder)):
            train = ["train", place, "--naming", "folders", "--modality", "audio", *jobs]
            words = {"train": [*train, "-o", model], "predict": ["predict", model, place, *jobs]}
            for command in words:
                title = f"{command}, {kind} clips"
                found[kind, command] = run(title, *words[command], site=site)
    for command in ("train", "predict"):
        seconds, cpu, out, errors = found["all", command]
        missing = [name for name in bad if name not in errors]
        if missing:
            failed.append(f"{command} does not name {missing}")
        if command == "predict" and len(out.splitlines()) != options.clips - len(bad):
            failed.append(f"predict gives {len(out.splitlines())} emotions")
        limit = 1.5 * found["good", command][0] + n_hang * SECONDS
        cpu_ratio = cpu / found["good", command][1]
        print(f"{command}: {seconds:.0f} s where {limit:.0f} s are the most; {cpu_ratio:.2f}x CPU")
        if seconds > limit:
            failed.append(f"{command} takes {seconds:.0f} s")
    sys.exit("\n".join(failed) or None)


if __name__ == "__main__":
    main()
