"""The whole path of a clip, pictures and sound to what Tucker takes, and what two workers give.

``python benchmarks/bench_path.py [--rounds 5]``.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import cycle, islice
from pathlib import Path
from tempfile import TemporaryDirectory

import bench_audio
import bench_decoding
import joblib
import numpy as np
from bench_hog3d import cell_by_cell
from corpus import EMOTIONS, make_clips, make_heavy
from measure import (
    Aim,
    Outcome,
    Row,
    conclude,
    duration,
    first_cores,
    in_turns,
    peak_memory,
    process,
)

from skemotion.pipeline import ClipPipeline, make_emotion_pipeline
from skemotion.video import decode_clip, hog3d


def branch(name: str) -> ClipPipeline:
    """Give the stages of the reference pipeline that each clip is sent through."""
    model = make_emotion_pipeline(name, recipe="reference")
    return model.named_steps["features"].transformers[0][1].named_steps["clips"]


def describe(name: str, clips: list[str], n_jobs: int = 1, backend: str = "threading") -> None:
    with joblib.parallel_config(backend=backend, n_jobs=n_jobs):
        branch(name).transform(clips)


def describe_plainly(name: str, clips: list[str]) -> None:
    for clip in clips:
        if name == "video":
            cell_by_cell(bench_decoding.plain(clip))
        else:
            bench_audio.plain(clip)


def one_core(videos: list[str], sounds: list[str], rounds: int) -> dict[str, float]:
    """Time both branches in both ways, per clip, in this process."""
    columns = {"video": videos, "audio": sounds}
    times = {}
    for name, clips in columns.items():
        describe(name, clips)  # compiles
        times[f"skemotion, {name}"] = in_turns({name: partial(describe, name, clips)}, rounds)[name]
    describe_plainly("audio", sounds[:1])
    for name, clips in columns.items():
        way = partial(describe_plainly, name, clips)
        times[f"plain, {name}"] = in_turns({name: way}, 1 if name == "video" else rounds)[name]
    return {name: seconds / len(videos) for name, seconds in times.items()}


def peaks(video: str, sound: str) -> dict[str, float]:
    """Give the peak memory of arrays of both ways, in MB; of the branches, the larger counts."""
    ways = {"plain": describe_plainly, "skemotion": describe}
    columns = {"video": [video], "audio": [sound]}
    return {
        label: max(peak_memory(partial(way, *column)) for column in columns.items())
        for label, way in ways.items()
    }


def disagreement(video: str, sound: str) -> tuple[float, float]:
    """Give what the ways differ by, each stage given equal input: of pictures, of the rest.

    Pictures in grey levels; waveforms, descriptors, features and splines as shares.
    """
    frames = decode_clip(video)
    of_frames = np.abs(bench_decoding.plain(video).astype(int) - frames).mean()
    rest = [
        np.abs(hog3d(frames) - cell_by_cell(frames)).max(),
        *bench_audio.check_agreement(sound),
    ]
    return float(of_frames), float(max(rest))


def whole_path(videos: list[str], sounds: list[str], rounds: int) -> Row:
    with process(1) as call:
        times = call(one_core, videos, sounds, rounds)
        memory = call(peaks, videos[0], sounds[0])
        of_frames, of_rest = call(disagreement, videos[0], sounds[0])
    plain, ours = (
        sum(times[f"{way}, {name}"] for name in ("video", "audio"))
        for way in ("plain", "skemotion")
    )
    print(f"\nThe whole path, {len(videos)} clips of 720p and sound, one core, per clip")
    for name, seconds in [*times.items(), ("plain, both", plain), ("skemotion, both", ours)]:
        print(f"  {name:34} {seconds * 1000:10.1f} ms")
    print(f"  ratio {plain / ours:.1f}; peak of arrays: plain {memory['plain']:.0f} MB, "
          f"skemotion {memory['skemotion']:.0f} MB")  # fmt: skip
    print(f"  mean difference of pictures {of_frames:.2f} grey levels; "
          f"largest of what follows, from equal input: {of_rest:.0e}")  # fmt: skip
    return Row(
        "The whole path of a clip of 3.7 s, 720p and sound, one core (`bench_path.py`)",
        f"OpenCV, `np.histogram`, librosa: {duration(plain)}",
        "",
        f"{duration(ours)} (video {duration(times['skemotion, video'])}, "
        f"audio {duration(times['skemotion, audio'])})",
        [Aim(plain / ours, 10)],
        f"{of_frames:.1f} grey levels, then {of_rest:.0e}",
        of_frames <= 3 and of_rest <= 1e-5,
        f"{memory['plain']:.0f} MB, ours {memory['skemotion']:.0f} MB",
    )


def workers(
    columns: dict[str, tuple[str, list[str]]], rounds: int
) -> tuple[list[Row], dict[str, float]]:
    """Compare two workers, each on a core of its own, with one on one core.

    And with two runs that share nothing but the machine: more than they gain, its two cores cannot
    give.
    """
    rows, figures = [], {}
    # Threads and processes in processes of their own, so that neither meets what the other left.
    with (
        process(1) as one,
        process(2) as two,
        process(2) as many,
        process(cores=first_cores(2) - first_cores(1)) as other,
        ThreadPoolExecutor(2) as at_once,
    ):

        def apart(name: str, clips: list[str]) -> None:
            halves = clips[::2], clips[1::2]
            list(at_once.map(lambda call, half: call(describe, name, half), (one, other), halves))

        for label, (name, clips) in columns.items():
            ways = {
                "one worker, one core": partial(one, describe, name, clips),
                "one worker, two cores": partial(two, describe, name, clips),
                "two workers, threads": partial(two, describe, name, clips, 2, "threading"),
                "two workers, processes": partial(many, describe, name, clips, 2, "loky"),
                "two runs apart": partial(apart, name, clips),
            }
            in_turns(ways, 1)  # compiles, and starts the workers
            times = {way: seconds / len(clips) for way, seconds in in_turns(ways, rounds).items()}
            single, spread, threads, processes, ceiling = times.values()
            print(f"\n{label}, per clip")
            for way, seconds in times.items():
                print(f"  {way:34} {seconds * 1000:10.1f} ms   x{single / seconds:6.2f}",
                      flush=True)  # fmt: skip
            key = label.replace(" ", "_")
            figures |= {f"{key}_one": single, f"{key}_two": min(threads, processes)}
            rows.append(
                Row(
                    f"Two workers on two cores: {label}, per clip (`bench_path.py`)",
                    f"one worker, one core: {duration(single)}",
                    f"one worker, two cores: {duration(spread)}; two runs that share nothing: "
                    f"{duration(ceiling)} ({single / ceiling:.2f}x, all that the cores give)",
                    f"threads {duration(threads)}, processes {duration(processes)}",
                    [
                        Aim(single / threads, 1.8, label="threads"),
                        Aim(single / processes, 1.8, label="processes"),
                    ],
                )
            )
    return rows, figures


def main(arguments: Sequence[str] | None = None) -> Outcome:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clips", type=int, default=len(EMOTIONS), choices=range(1, 5))
    parser.add_argument("--rounds", type=int, default=5, help="the fastest of them counts")
    args = parser.parse_args(arguments)
    with TemporaryDirectory() as folder:
        videos, sounds = make_clips(Path(folder, "clips"), args.clips)
        rows = [whole_path(videos, sounds, args.rounds)]
        heavy = [str(make_heavy(v, Path(folder, f"{i}.mp4"))) for i, v in enumerate(videos)]
        if joblib.cpu_count() < 2:
            print("\nThere is one core only: two workers are not compared.")
            return Outcome(rows)
        # The same clips again and again: how workers start and end counts for little.
        columns = {
            "video at RAVDESS' bit rate": ("video", heavy, 16),
            "drawn video": ("video", videos, 24),
            "audio": ("audio", sounds, 64),
        }
        more, figures = workers(
            {label: (name, list(islice(cycle(clips), n))) for label, (name, clips, n)
             in columns.items()}, args.rounds
        )  # fmt: skip
    return Outcome([*rows, *more], figures)


if __name__ == "__main__":
    conclude(main())
