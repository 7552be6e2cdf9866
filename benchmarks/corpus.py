"""Clips shared by the benchmarks: as `make_ravdess` makes them, and as heavy as RAVDESS' own."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np

from skemotion.datasets import load_ravdess, make_ravdess

SHARED_DATA = Path(__file__).parents[2] / "shared" / "data"
EMOTIONS = ("calm", "happy", "sad", "angry")

# RAVDESS is 24.8 GB of video in 4,904 clips of 3.7 s on average.
_BITS_PER_SECOND = 10_000_000
_GRAIN = 2.0  # grey levels, about what a studio camera's sensor adds


def make_clips(folder: Path, n_clips: int = 1) -> tuple[list[str], list[str]]:
    """Make up to four 720p clips of about 3.7 s, pictures and sound; give videos and sounds."""
    make_ravdess(folder, n_actors=1, emotions=EMOTIONS[:n_clips], intensities=["normal"],
                 n_statements=1, duration=3.7)  # fmt: skip
    clips = load_ravdess(folder).data
    return clips["video"].tolist(), clips["audio"].tolist()


def make_heavy(clip: str | Path, path: Path) -> Path:
    """Encode a clip's pictures again, with grain, at the bit rate of RAVDESS.

    A drawn face is smooth, and so decoded in a fraction of the time that a recorded one takes.
    """
    rng = np.random.default_rng(0)
    with av.open(str(clip)) as source, av.open(str(path), "w") as container:
        pictures = source.streams.video[0]
        stream = container.add_stream("libx264", rate=pictures.average_rate,
                                      options={"preset": "veryfast"})  # fmt: skip
        stream.width, stream.height, stream.pix_fmt = pictures.width, pictures.height, "yuv420p"
        stream.bit_rate = _BITS_PER_SECOND
        for frame in source.decode(pictures):
            planes = frame.to_ndarray(format="yuv420p").astype(np.float32)
            luma = planes[: frame.height]
            luma += _GRAIN * rng.standard_normal(luma.shape, dtype=np.float32)
            planes = planes.clip(0, 255).astype(np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(planes, format="yuv420p")))
        container.mux(stream.encode(None))
    return path
