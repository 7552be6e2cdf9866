"""Damaged clips: each must become an array, or a `MediaError` that names the file."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
import numpy as np

import skemotion
from skemotion import MediaError
from skemotion.audio import AudioLoader
from skemotion.datasets import make_ravdess
from skemotion.pipeline import ClipPipeline
from skemotion.video import HOG3D, VideoLoader

from . import containers
from .damage import RAW, Mutant, choice, damaged

# Container: encoders of picture and sound.
CONTAINERS = {
    "mp4": ("libx264", "aac"),
    "avi": ("mpeg4", "libmp3lame"),
    "webm": ("libvpx", "libopus"),
    "flv": ("flv", "libmp3lame"),
    "asf": ("msmpeg4", "wmav2"),
    "mpg": ("mpeg1video", "mp2"),
    "ts": ("mpeg2video", "aac"),
    "wav": (None, "pcm_s16le"),
    "flac": (None, "flac"),
    "mp3": (None, "libmp3lame"),
    "ogg": (None, "libopus"),
}
DAMAGES = (*RAW, *containers.DAMAGES, "segment")
# Scaled down like the clips, so that whatever is within them ends in seconds.
_CONTAINED_SECONDS = 10
LIMITS = {"max_pixels": 2**22, "max_frames": 3000, "max_seconds": 120, "max_bytes": 2**28,
          "max_decoded_pixels": 2**33}  # fmt: skip


def make_seeds(folder: Path) -> dict[str, bytes]:
    """Encode a synthetic clip into every container, and a smaller one for its sizes."""
    make_ravdess(folder, n_actors=1, emotions=["happy"], intensities=["normal"], n_statements=1,
                 modalities=["full"], duration=1.0, frame_size=(120, 160))  # fmt: skip
    source = next(folder.rglob("*.mp4"))
    seeds = {}
    for ending, (video, audio) in CONTAINERS.items():
        seeds[ending] = _encode(source, folder / f"seed.{ending}", video, audio, (160, 120))
        if video:
            small = _encode(source, folder / f"small.{ending}", video, audio, (64, 48))
            seeds[f"small.{ending}"] = small
    return seeds


def _encode(
    source: Path, path: Path, video: str | None, audio: str, size: tuple[int, int]
) -> bytes:
    with av.open(str(source)) as given, av.open(str(path), "w") as made:
        streams: dict[str, Any] = {}
        if video:
            streams["video"] = made.add_stream(video, rate=25)
            streams["video"].width, streams["video"].height = size
            streams["video"].pix_fmt = "yuv420p"
        streams["audio"] = made.add_stream(audio, rate=48_000 if audio == "libopus" else 44_100)
        if audio == "wmav2":  # has no default
            streams["audio"].bit_rate = 64_000
        resampler = av.AudioResampler(
            streams["audio"].format.name, streams["audio"].layout.name, streams["audio"].rate
        )
        for frame in given.decode():
            kind = "video" if isinstance(frame, av.VideoFrame) else "audio"
            if kind not in streams:
                continue
            if kind == "video":  # without the time stamps and types of the source
                picture = frame.reformat(*size, format="rgb24").to_ndarray()
                parts = [av.VideoFrame.from_ndarray(picture)]
            else:
                parts = resampler.resample(frame)
            for part in parts:
                made.mux(streams[kind].encode(part))
        for stream in streams.values():
            made.mux(stream.encode())
    return path.read_bytes()


def mutants(folder: Path, rng: np.random.Generator) -> Iterator[Mutant]:
    """Give damaged clips without end."""
    seeds = make_seeds(folder)
    while True:
        # One of each damage in turn, in a container that can have it.
        for damage in DAMAGES:
            ending = choice(rng, containers.POSSIBLE.get(damage, CONTAINERS))
            content, times = seeds[ending], None
            if damage == "segment":
                times = fragment(rng)
                if rng.random() < 0.5:
                    content = damaged(choice(rng, RAW), content, content, rng)
            elif damage in RAW:
                content = damaged(damage, content, seeds[choice(rng, seeds)], rng)
            else:
                content = containers.damaged_container(damage, ending, seeds, rng)
            # Some under another's name.
            named = ending if rng.random() < 0.9 else choice(rng, CONTAINERS)
            yield Mutant("media", damage, f"clip.{named}", content, times)


def fragment(rng: np.random.Generator) -> str:
    """Draw the times of a segment, possible and impossible ones."""
    words = ["", "0", "0.2", "0.5", "0.999", "1", "1.2", "7", "-1", "nan", "1e3", "npt:0.1",
             "0:0.5", "9" * 30, "0." + "3" * 60, "1/3", "00:00:00.25", "\u0663"]  # fmt: skip
    start, end = sorted(rng.uniform(-0.1, 1.3, 2).round(int(rng.integers(7))))
    drawn = [choice(rng, words) if rng.random() < 0.2 else str(time) for time in (start, end)]
    return f"#t={','.join(drawn[: 1 + (rng.random() < 0.9)])}"


def prepare() -> None:
    """Compile and import what loading needs."""
    VideoLoader(n_frames=2, size=(2, 2)).transform([np.zeros((2, 4, 4), np.uint8)])
    AudioLoader().transform([(22050, np.zeros(100, np.float32))])


def attempt_contained(path: Path, times: str | None) -> str:
    """Send a mutant that ended the process, or did not end itself, through a `ClipPipeline`.

    There it must end alone, and be named: the clip next to it is loaded.
    """
    video = [("load", VideoLoader(n_frames=8, size=(48, 64))), ("hog3d", HOG3D((4, 12, 16)))]
    frames = np.zeros((9, 48, 64), np.uint8)
    for steps, whole in (
        ([("load", AudioLoader())], (22050, np.ones(100))),
        (video, frames),
    ):
        pipeline = ClipPipeline(steps, on_error="nan")
        with skemotion.limits(**LIMITS, max_decode_seconds=_CONTAINED_SECONDS):
            got = pipeline.fit_transform([f"{path}{times or ''}", whole])
        if np.isnan(got[1]).any():
            return "bare: the clip next to it was lost, too"
        if any(str(path) not in str(error) for error in pipeline.errors_):
            return f"nameless: {pipeline.errors_}"
    return "contained"


def attempt(path: Path, times: str | None) -> str:
    """Load a mutant by both loaders, and say what came of it."""
    outcomes = []
    clip = f"{path}{times or ''}"
    with skemotion.limits(**LIMITS):
        for loader in (VideoLoader(n_frames=8, size=(48, 64)), AudioLoader()):
            try:
                (loaded,) = loader.transform([clip])
            except MediaError as error:
                outcomes.append("refused" if str(path) in str(error) else f"nameless: {error}")
            except BaseException as error:
                outcomes.append(f"bare: {type(error).__name__}: {error}")
            else:
                whole = isinstance(loaded, np.ndarray) and loaded.size
                finite = whole and np.isfinite(loaded).all()
                outcomes.append("used" if finite else "bare: no finite array")
    bad = [outcome for outcome in outcomes if outcome not in ("used", "refused")]
    return bad[0] if bad else "used" if "used" in outcomes else "refused"
