"""What holds for recordings of one's own, and takes minutes to see.

``python benchmarks/check_recordings.py`` makes hour-long recordings in several containers and cuts
a second out of the last minute of each; and predicts 2,000 clips, 40 of them bad, on the command
line with two workers, kills that run half-way, and resumes it. It ends with an error where
something does not hold. ``--only seeking`` or ``--only clips`` does one of the two.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import av
import numpy as np
import pandas as pd
import soundfile

HOUR = 3600
# Where a second is cut out, and what that may cost, in seconds of processor time.
WANTED, MOST_SECONDS = 3550, 1.0
# Between samples: lossy sound depends on what came before, and some decoders add noise.
MOST_DIFFERENCE, EDGE = 1e-3, 500
CONTAINERS = {
    "hour.mp4": ("libx264", "aac"),
    "hour.mkv": ("libx264", "libopus"),
    "hour.webm": ("libvpx", "libopus"),
    "hour.avi": ("mpeg4", "mp2"),
    "hour.mpg": ("mpeg2video", "mp2"),
    "hour.ts": ("libx264", "mp2"),
    "hour.flv": ("libx264", "libmp3lame"),
    "hour.wav": (None, "pcm_s16le"),
    "hour.flac": (None, "flac"),
    "hour.mp3": (None, "libmp3lame"),
    "hour.ogg": (None, "libopus"),
}
FORMATS = {"mkv": "matroska", "mpg": "mpeg", "ts": "mpegts"}
HEIGHT, WIDTH, FRAME_RATE = 360, 480, 25
PERIOD = Fraction(96, 5)  # seconds, whole frames of every codec
N_CLIPS, N_BAD = 2000, 40


def pictures() -> Iterator[av.VideoFrame]:
    """Give some seconds of a pattern that moves."""
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    for i in range(int(PERIOD * FRAME_RATE)):
        picture = 128 + 60 * np.sin(x / 25 + i / 7) + 40 * np.cos(y / 20 - i / 11)
        yield av.VideoFrame.from_ndarray(picture.astype(np.uint8), format="gray")


def encode(path: Path, video: str | None, audio: str) -> None:
    """Encode some seconds, once."""
    suffix = path.suffix[1:]
    with av.open(str(path), "w", format=FORMATS.get(suffix, suffix)) as output:
        if video is not None:
            fast = {"preset": "ultrafast", "g": "250", "deadline": "realtime", "cpu-used": "8"}
            fast["bf"] = "2"
            kept = {
                "libx264": ("preset", "g"),
                "libvpx": ("g", "deadline", "cpu-used"),
                "mpeg2video": ("bf",),
            }
            options = {name: fast[name] for name in kept.get(video, ())}
            stream: Any = output.add_stream(video, rate=FRAME_RATE, options=options)
            stream.height, stream.width, stream.pix_fmt = HEIGHT, WIDTH, "yuv420p"
        rate = 44100 if suffix == "flv" else 48000
        packets: list[Any] = []
        sound: Any = output.add_stream(audio, rate, layout="mono")
        if video is not None:
            for number, frame in enumerate(pictures()):
                frame.pts, frame.time_base = number, Fraction(1, FRAME_RATE)
                packets += stream.encode(frame)
            packets += stream.encode()
        t = np.arange(int(PERIOD * rate)) / rate
        wave = (0.3 * np.sin(2 * np.pi * (200 + 20 * t) * t)).astype(np.float32)
        whole = av.AudioFrame.from_ndarray(wave[np.newaxis], "fltp", "mono")
        whole.sample_rate, whole.pts = rate, 0
        size = sound.codec_context.frame_size or 1024
        parts = av.AudioResampler(sound.format, "mono", rate, frame_size=size)
        for part in [*parts.resample(whole), *parts.resample(None)]:
            packets += sound.encode(part)
        packets += sound.encode()
        for packet in _side_by_side(packets):
            output.mux(packet)


def _side_by_side(packets: list[Any]) -> list[Any]:
    return sorted(packets, key=lambda packet: packet.dts * packet.time_base)


def _is_inside(packet: Any) -> bool:
    # What encoders add at the start and the end would overlap the next copy.
    if not packet.size or packet.pts is None:
        return False
    stream = packet.stream
    # MPEG's streams begin later than at 0, to leave time for decoding.
    origin = stream.start_time if stream.container.format.name.startswith("mpeg") else 0
    return 0 <= (packet.pts - origin) * packet.time_base < PERIOD


def repeat(source: Path, path: Path) -> None:
    """Copy a recording again and again, until it lasts an hour, streams side by side."""
    suffix = path.suffix[1:]
    with (
        av.open(str(path), "w", format=FORMATS.get(suffix, suffix)) as output,
        av.open(str(source)) as first,
    ):
        streams = {s.index: output.add_stream_from_template(s) for s in first.streams}
        for number in range(round(HOUR / PERIOD)):
            with av.open(str(source)) as container:
                packets = [p for p in container.demux() if _is_inside(p)]
                for packet in _side_by_side(packets):
                    shift = round(number * PERIOD / packet.time_base)
                    # The bytes alone: the last packet of Opus says that its end is padding.
                    copy: Any = av.Packet(bytes(packet))
                    copy.pts, copy.dts = packet.pts + shift, packet.dts + shift
                    copy.time_base, copy.duration = packet.time_base, packet.duration
                    copy.is_keyframe = packet.is_keyframe
                    copy.stream = streams[packet.stream_index]
                    output.mux(copy)


def check_seeking(folder: Path, names: Sequence[str]) -> list[str]:
    """Cut a second out of the last minute of an hour.

    It is compared to the same second of the second copy of what was repeated, cut out of all that
    is decoded up to its end.
    """
    import skemotion
    from skemotion.audio import AudioLoader
    from skemotion.video import VideoLoader

    failed = []
    for name in names:
        video, audio = CONTAINERS[name]
        short, path = folder / f"short-{name}", folder / name
        encode(short, video, audio)
        if path.suffix == ".flac":  # which says in front how many samples there are
            samples, rate = soundfile.read(short, dtype="float32")
            with soundfile.SoundFile(path, "w", rate, 1) as output:
                for _ in range(round(HOUR / PERIOD)):
                    output.write(samples)
        else:
            repeat(short, path)
        loaders = [AudioLoader()] + ([] if video is None else [VideoLoader(stride=1)])
        spent, differs = [], False
        early = WANTED % PERIOD + PERIOD
        with skemotion.limits(max_seconds=2 * HOUR, max_frames=10**6):
            for loader in loaders:
                [whole] = loader.transform([f"{path}#t=0,{float(early + 1)}"])
                start = time.process_time()
                [found] = loader.transform([f"{path}#t={WANTED},{WANTED + 1}"])
                spent.append(time.process_time() - start)
                expected = whole[len(whole) - len(found) :]
                if found.dtype == np.uint8:
                    differs = differs or not np.array_equal(found, expected)
                else:  # what was not cut before resampling differs at the edge
                    inside = slice(EDGE, len(found) - EDGE)
                    away = float(np.abs(found - expected)[inside].max())
                    differs = differs or away > MOST_DIFFERENCE
        late = max(spent) > MOST_SECONDS
        if differs:
            failed.append(f"{name}: not what decoding everything gives")
        if late:
            failed.append(f"{name}: {max(spent):.2f} s")
        kinds = ", ".join(
            f"{kind} {cost:.3f} s" for kind, cost in zip(("sound", "picture"), spent, strict=False)
        )
        verdict = "   LATE" * late + "   DIFFERS" * differs
        size = path.stat().st_size / 1e6
        print(f"{name:9} {size:6.0f} MB   {kinds}{verdict}", flush=True)
        path.unlink()
    return failed


def write_clips(folder: Path) -> None:
    """Write short clips, some of which are bad in different ways."""
    rng = np.random.default_rng(0)
    bad = set(rng.choice(N_CLIPS, N_BAD, replace=False).tolist())
    t = np.arange(8000) / 16000
    for number in range(N_CLIPS):
        path = folder / f"{number:04d}.wav"
        pitch = (150, 300)[number % 2] * rng.uniform(0.9, 1.1)
        soundfile.write(path, 0.3 * np.sin(2 * np.pi * pitch * t) * (1 + np.sin(9 * t)) / 2, 16000)
        if number in bad:
            content = path.read_bytes()
            ways = [b"", b"no sound", content[:40], content[:44]]
            path.write_bytes(ways[number % len(ways)])


def check_clips(folder: Path) -> list[str]:
    """Predict many clips, some bad; kill the run and resume it."""
    from skemotion import save_model
    from skemotion.pipeline import make_emotion_pipeline

    clips = folder / "clips"
    clips.mkdir()
    write_clips(clips)
    good = [path for path in sorted(clips.iterdir()) if path.stat().st_size > 100][:24]
    emotions = ["sad" if int(path.stem) % 2 else "happy" for path in good]
    model = make_emotion_pipeline("audio").fit([str(path) for path in good], emotions)
    save_model(model, folder / "model.skops")
    out = folder / "out.csv"
    words = ["-m", "skemotion", "predict", str(folder / "model.skops"), str(clips), "-o", str(out)]
    command = [sys.executable, *words, "--jobs", "2"]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    process = subprocess.Popen(command, start_new_session=True, **quiet)
    while process.poll() is None and (
        not out.exists() or out.read_bytes().count(b"\n") < N_CLIPS // 2
    ):
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    before = out.read_bytes()
    start = time.perf_counter()
    done = subprocess.run([*command, "--resume"], check=False, capture_output=True, text=True)
    table = pd.read_csv(out)
    whole = before[: before.rfind(b"\n") + 1]
    facts = {
        "exit status 1": done.returncode == 1,
        "what was written stays": out.read_bytes().startswith(whole) and whole.count(b"\n") > 100,
        f"{N_CLIPS} rows, in order": table["file"].tolist() == sorted(map(str, clips.iterdir())),
        f"{N_BAD} errors, each of its file": table["error"].notna().sum() == N_BAD
        and all(e.startswith(f) for e, f in table.dropna(subset="error")[["error", "file"]].values),  # noqa: PD011
        "a label for every other": table["label"].isna().equals(table["error"].notna()),
        "a line for each": len(done.stdout.splitlines()) == N_CLIPS - N_BAD,
    }
    n_kept = whole.count(b"\n") - 1
    print(
        f"killed after {n_kept} of {N_CLIPS} clips; "
        f"the rest took {time.perf_counter() - start:.0f} s"
    )
    for fact, holds in facts.items():
        print(f"  {fact}: {'yes' if holds else 'NO'}")
    return [fact for fact, holds in facts.items() if not holds]


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", choices=("seeking", "clips"))
    parser.add_argument("--containers", nargs="+", choices=CONTAINERS, default=list(CONTAINERS))
    options = parser.parse_args(arguments)
    failed = []
    with TemporaryDirectory() as folder:
        if options.only != "clips":
            failed += check_seeking(Path(folder), options.containers)
        if options.only != "seeking":
            failed += check_clips(Path(folder))
    if failed:
        sys.exit(f"Does not hold: {'; '.join(failed)}")


if __name__ == "__main__":
    main()
