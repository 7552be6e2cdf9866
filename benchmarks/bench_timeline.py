"""Timelines of long recordings: how much faster than playing, in how much memory.

``python benchmarks/bench_timeline.py CLIP ... --model MODEL`` joins clips to a recording of 360
lines, repeats it to several lengths, and runs `predict_timeline` on one core, each length in a
process of its own. It prints the factor and the largest resident size. With ``--rates`` it prints
instead how often the labels at lower rates of looking for faces equal those at the full rate, and
how often those of each clip equal what `predict` says of that clip.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from fractions import Fraction
from itertools import accumulate, chain, pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import av
from measure import first_cores, pinned

HEIGHT, FRAME_RATE, SAMPLE_RATE = 360, 30, 44100
AIM = 5.0


def width_of(clip: str) -> int:
    """Give the width that keeps a clip's proportions; what is stretched looks happy."""
    with av.open(clip) as container:
        stream = container.streams.video[0]
        return 2 * round(HEIGHT * stream.width / stream.height / 2)


def pictures(clips: Sequence[str], width: int) -> Iterator[av.VideoFrame]:
    """Give the pictures of clips one after the other, 30 a second."""
    n_given, before = 0, 0.0
    for clip in clips:
        with av.open(clip) as container:
            last = 0.0
            for frame in container.decode(video=0):
                last = float(frame.time or 0)
                while n_given < (before + last) * FRAME_RATE + 0.5:
                    small = frame.reformat(width, HEIGHT, "yuv420p")
                    small.pts, small.time_base = n_given, Fraction(1, FRAME_RATE)
                    n_given += 1
                    yield small
            before += last + 1 / FRAME_RATE


def sounds(clips: Sequence[str]) -> Iterator[av.AudioFrame]:
    """Give the sound of clips one after the other."""
    resampler = av.AudioResampler(format="fltp", layout="mono", rate=SAMPLE_RATE, frame_size=1024)
    n_given = 0
    for clip in clips:
        with av.open(clip) as container:
            for frame in container.decode(audio=0):
                frame.pts = None
                for part in resampler.resample(frame):
                    part.pts, part.time_base = n_given, Fraction(1, SAMPLE_RATE)
                    n_given += part.samples
                    yield part


def join(clips: Sequence[str], path: Path) -> None:
    """Encode clips as one recording."""
    with av.open(str(path), "w") as output:
        video: Any = output.add_stream("libx264", rate=FRAME_RATE, options={"preset": "veryfast"})
        video.width, video.height, video.pix_fmt = width_of(clips[0]), HEIGHT, "yuv420p"
        audio: Any = output.add_stream("aac", rate=SAMPLE_RATE, layout="mono")
        for stream, frames in ((video, pictures(clips, video.width)), (audio, sounds(clips))):
            for frame in chain(frames, [None]):
                output.mux(stream.encode(frame))


def repeat_recording(source: Path, path: Path, seconds: float) -> float:
    """Copy a recording again and again without encoding it, and give how long it becomes."""
    with av.open(str(path), "w") as output, av.open(str(source)) as first:
        streams = {s.index: output.add_stream_from_template(s) for s in first.streams}
        length = (first.duration or 0) / av.time_base
        n_times = max(round(seconds / length), 1)
        for number in range(n_times):
            with av.open(str(source)) as container:
                for packet in container.demux():
                    if packet.dts is None or packet.pts is None:
                        continue
                    shift = round(number * length / packet.time_base)
                    packet.pts, packet.dts = packet.pts + shift, packet.dts + shift
                    packet.stream = streams[packet.stream_index]
                    output.mux(packet)
    return n_times * length


def run(model_path: str, clip: str, fps: float | None, hop: float) -> None:
    """Print the seconds that a timeline takes, and the largest resident size in MB."""
    import skemotion
    from skemotion.io import without_workers
    from skemotion.model_selection import predict_timeline

    model = skemotion.load_model(model_path)
    with skemotion.limits(max_seconds=10**6, max_frames=10**8):
        start = time.perf_counter(), time.process_time()
        with without_workers():  # so that this process's time and memory are those of the work
            timeline = predict_timeline(model, clip, hop=hop, fps=fps)
        seconds = time.perf_counter() - start[0], time.process_time() - start[1]
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(*seconds, peak, len(timeline))


def in_process(*words: str) -> list[float]:
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    command = [sys.executable, __file__, *words]
    with pinned(first_cores(1)):
        done = subprocess.run(
            command, env=environment, stdout=subprocess.PIPE, text=True, check=True
        )
    return [float(word) for word in done.stdout.split()]


def compare_rates(model_path: str, clips: Sequence[str], recording: Path) -> None:
    """Print how labels depend on the rate of looking, and whether they are those of the clips."""
    import pandas as pd

    import skemotion
    from skemotion.io import without_workers
    from skemotion.model_selection import predict_timeline

    model: Any = skemotion.load_model(model_path)
    alone = model.predict(pd.DataFrame({"video": clips, "audio": clips}))
    lengths = []
    for clip in clips:
        with av.open(clip) as container:
            lengths.append((container.duration or 0) / av.time_base)
    starts = [0.0, *accumulate(lengths)]
    full = None
    for fps in (None, 20.0, 15.0, 10.0):
        began = time.process_time()
        with without_workers():
            timeline = predict_timeline(model, os.fspath(recording), fps=fps)
        seconds = time.process_time() - began
        full = timeline if full is None else full
        parts = []
        for start, end in pairwise(starts):
            middle = (timeline["start"] + timeline["end"]) / 2
            inside = (middle >= start) & (middle < end)
            parts.append(timeline[inside].iloc[:, 4:].mean().idxmax())
        same = sum(a == b for a, b in zip(parts, alone, strict=True))
        emotions = list(full.columns[4:])
        change = (timeline[emotions] - full[emotions]).abs().to_numpy().mean()
        print(
            f"  {fps or 'all'} frames a second: labels as with all "
            f"{(timeline['label'] == full['label']).mean():.1%}, probabilities differ by "
            f"{change:.3f}; as predict of the part {same} of {len(clips)}; {seconds:.1f} s",
            flush=True,
        )


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("clips", nargs="*")
    parser.add_argument("--model", required=True)
    parser.add_argument("--minutes", type=float, nargs="+", default=[2, 10])
    parser.add_argument("--fps", type=float, default=20.0)
    parser.add_argument("--hop", type=float, default=1.0)
    parser.add_argument("--rates", action="store_true")
    parser.add_argument("--run", help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.run:
        run(options.model, options.run, options.fps, options.hop)
        return
    with TemporaryDirectory() as folder:
        joined = Path(folder, "joined.mp4")
        join(options.clips, joined)
        if options.rates:
            compare_rates(options.model, options.clips, joined)
            return
        for minutes in options.minutes:
            path = Path(folder, "long.mp4")
            length = repeat_recording(joined, path, 60 * minutes)
            wall, cpu, peak, n_windows = in_process(
                "--model", options.model, "--run", str(path), "--fps", str(options.fps),
                "--hop", str(options.hop),
            )  # fmt: skip
            print(
                f"{length / 60:5.1f} min at {HEIGHT} lines, {n_windows:.0f} windows, "
                f"{options.fps:g} frames a second: {length / wall:.1f} times as fast as playing "
                f"({length / cpu:.1f} by processor time; aim {AIM:g}), largest resident size "
                f"{peak:.0f} MB",
                flush=True,
            )


if __name__ == "__main__":
    main()
