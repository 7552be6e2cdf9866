"""Time and memory that each recipe needs to describe a clip, of 720p at RAVDESS' bit rate.

``python benchmarks/bench_recipes.py [--clip FACE.mp4] [--model face_landmarker.task]``

What networks do with a drawn face says little, so a real clip is taken: it is enlarged to 720 rows,
repeated to 110 frames and encoded with grain at 10 Mbit/s, next to its sound. By default that is a
clip of Java-SED, where it is present. Each recipe runs in a process of its own, on one
core for the time per clip, and on all for the time that 1,440 clips would take.
"""

from __future__ import annotations

import argparse
import resource
import sys
import time
from fractions import Fraction
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import av
import joblib
import numpy as np
import pandas as pd
from corpus import SHARED_DATA
from measure import Outcome, Row, duration, process

from skemotion.base import model_parts
from skemotion.pipeline import ClipPipeline, make_emotion_pipeline
from skemotion.video import FaceLandmarks

CLIP = SHARED_DATA / "java-sed" / "01-01-03_01.mp4"
MODEL = SHARED_DATA / "models" / "face_landmarker.task"
N_FRAMES, HEIGHT, RATE = 110, 720, 30
N_CLIPS = 1440
RECIPES = {
    "functionals, sound": ("audio", "functionals"),
    "functionals, face": ("video", "functionals"),
    "rockets, face": ("video", "rockets"),
    "reference, sound": ("audio", "reference"),
    "reference, picture": ("video", "reference"),
}


def make_clip(source: Path, path: Path) -> Path:
    """Enlarge, repeat and encode a clip's pictures, and copy its sound."""
    rng = np.random.default_rng(0)
    with av.open(str(source)) as file:
        frames = [frame.to_ndarray(format="rgb24") for frame in file.decode(video=0)]
    with av.open(str(source)) as file:
        sounds = list(file.decode(audio=0))
    # Java-SED begins black.
    frames = [frame for frame in frames if frame.mean() > 20]
    scale = HEIGHT / frames[0].shape[0]
    width = round(frames[0].shape[1] * scale / 2) * 2
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=RATE, options={"preset": "veryfast"})
        stream.width, stream.height, stream.pix_fmt = width, HEIGHT, "yuv420p"
        stream.bit_rate = 10_000_000
        sound = container.add_stream("aac", rate=sounds[0].sample_rate)
        for i in range(N_FRAMES):
            # There and back again, so that the face does not jump.
            at = i % (2 * len(frames) - 2)
            picture = av.VideoFrame.from_ndarray(
                frames[min(at, 2 * len(frames) - 2 - at)], format="rgb24"
            ).reformat(width, HEIGHT, format="yuv420p")
            planes = picture.to_ndarray().astype(np.float32)
            planes[:HEIGHT] += 2 * rng.standard_normal((HEIGHT, width), dtype=np.float32)
            frame = av.VideoFrame.from_ndarray(planes.clip(0, 255).astype(np.uint8), "yuv420p")
            frame.pts, frame.time_base = i, Fraction(1, RATE)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
        for block in sounds:
            block.pts = None
            container.mux(sound.encode(block))
        container.mux(sound.encode(None))
    return path


def stages(modality: str, recipe: str, model_path: str) -> Any:
    model = make_emotion_pipeline(modality, recipe=recipe)
    for part in model_parts(model):
        if isinstance(part, FaceLandmarks):
            part.set_params(model_path=model_path)
    return next(part for part in model_parts(model) if isinstance(part, ClipPipeline))


def seconds_a_clip(modality: str, recipe: str, clip: str, model_path: str, n_jobs: int) -> float:
    """Describe a clip a few times, by so many workers; give the wall time of one, and memory."""
    pipeline = stages(modality, recipe, model_path).set_params(n_jobs=n_jobs, on_error="raise")
    pipeline.fit_transform(pd.Series([clip] * n_jobs))  # compiles, and opens the networks
    n_clips = 3 * n_jobs
    start = time.perf_counter()
    pipeline.transform(pd.Series([clip] * n_clips))
    return (time.perf_counter() - start) / n_clips


def peak() -> float:
    """Give the most memory that this process has had, in MB."""
    status = Path("/proc/self/status")
    if status.exists():  # where getrusage gives a new process its parent's
        return int(status.read_text().split("VmHWM:")[1].split()[0]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main(arguments: list[str] | None = None) -> Outcome:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--clip", type=Path, default=CLIP)
    parser.add_argument("--model", default=str(MODEL))
    options = parser.parse_args(arguments)
    if not options.clip.exists():
        print(f"{options.clip}: no such clip of a face; give one with --clip.", file=sys.stderr)
        return Outcome([])
    n_cores = joblib.cpu_count()
    rows, figures = [], {}
    with TemporaryDirectory() as folder:
        clip = str(make_clip(options.clip, Path(folder) / "talking.mp4"))
        print(f"a clip of {N_FRAMES} frames, {Path(clip).stat().st_size / 1e6:.1f} MB")
        for name, (modality, recipe) in RECIPES.items():
            settings = modality, recipe, clip, options.model
            with process(1) as call:
                alone = call(seconds_a_clip, *settings, 1)
                memory = call(peak)
            with process(n_cores) as call:
                together = call(seconds_a_clip, *settings, n_cores)
            figures[name] = together
            print(
                f"  {name:22} {duration(alone):>8} a clip on one core, "
                f"{N_CLIPS * together / 60:5.1f} min for {N_CLIPS:,} clips on {n_cores}, "
                f"process {memory:,.0f} MB",
                flush=True,
            )
            rows.append(Row(f"{name}: a clip", ours=duration(alone), memory=f"{memory:,.0f} MB"))
    return Outcome(rows, figures)


if __name__ == "__main__":
    main()
