"""From a 720p file to descriptors, against decoding alone and against the plain way.

``python benchmarks/bench_decoding.py [CLIP]``; without a clip, two are made: one that is easy to
decode, as `make_ravdess` draws it, and one at the bit rate of RAVDESS.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import av
import cv2
import joblib
import numpy as np
from corpus import make_clips, make_heavy
from measure import Aim, Outcome, Row, conclude, duration, first_cores, in_turns, pinned, report
from numpy.typing import NDArray

from skemotion.io import decoding_threads
from skemotion.video import decode_clip, hog3d


def decode_only(path: str | Path, n_threads: int) -> int:
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        stream.thread_type = "AUTO"
        stream.codec_context.thread_count = n_threads
        return sum(1 for _ in container.decode(stream))


def plain(path: str | Path) -> NDArray:
    """Hold every full-size colour frame, then shrink, turn grey and interpolate, with OpenCV."""
    capture, frames = cv2.VideoCapture(str(path)), []
    while True:
        found, frame = capture.read()
        if not found:
            break
        frames.append(frame)
    height, width = frames[0].shape[0] // 3, frames[0].shape[1] // 3
    small = [cv2.resize(f, (width, height), interpolation=cv2.INTER_AREA) for f in frames]
    grey = np.array([cv2.cvtColor(f, cv2.COLOR_BGR2GRAY) for f in small], dtype=float)
    at = np.linspace(0, len(grey) - 1, 50)
    left = np.floor(at).astype(int)
    right = np.minimum(left + 1, len(grey) - 1)
    share = (at - left)[:, np.newaxis, np.newaxis]
    return (grey[left] + share * (grey[right] - grey[left])).astype(np.uint8)


def compare(path: str | Path, kind: str, n_threads: int, repeats: int, bound: float | None) -> Row:
    ways = {
        "plain: OpenCV, frames only": lambda: plain(path),
        "decoding alone": lambda: decode_only(path, n_threads),
        "skemotion, frames only": lambda: decode_clip(path),
        "skemotion, frames and HOG3D": lambda: hog3d(decode_clip(path)),
    }
    before = cv2.getNumThreads()
    cv2.setNumThreads(n_threads)
    # On as many cores as there are threads: no way has more than another.
    with decoding_threads(n_threads), pinned(first_cores(n_threads)):
        frames, n_frames = decode_clip(path), decode_only(path, n_threads)
        hog3d(frames)
        times = in_turns(ways, repeats)
        size = Path(path).stat().st_size / 1e6
        on = f"{n_threads} thread{'s' if n_threads > 1 else ''}"
        title = f"{n_frames} frames of 720p ({kind}, {size:.1f} MB), {on}"
        peaks = report(title, times, ways)
        difference = np.abs(plain(path).astype(int) - frames).mean()
    cv2.setNumThreads(before)
    alone, both = times["decoding alone"], times["skemotion, frames and HOG3D"]
    print(f"  file to descriptors costs {both / alone:.2f} times decoding alone")
    print(f"  mean difference of grey levels from the plain way: {difference:.2f}")
    return Row(
        f"{title}: file to HOG3D (`bench_decoding.py`)",
        f"OpenCV, all frames in colour, no HOG3D: {duration(times['plain: OpenCV, frames only'])}",
        f"PyAV, decoding alone: {duration(alone)}",
        f"{duration(both)}; frames only {duration(times['skemotion, frames only'])}",
        [Aim(both / alone, bound, at_most=True, label="of decoding alone")],
        f"{difference:.1f} grey levels (luma, not RGB)",
        bool(difference <= 3),
        f"{peaks['plain: OpenCV, frames only']:.0f} MB, "
        f"ours {peaks['skemotion, frames and HOG3D']:.0f} MB",
    )


def main(arguments: Sequence[str] | None = None) -> Outcome:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("clip", type=Path, nargs="?")
    parser.add_argument("--repeats", type=int, default=7)
    args = parser.parse_args(arguments)
    threads = sorted({1, joblib.cpu_count()})
    with TemporaryDirectory() as folder:
        if args.clip is not None:
            kinds = [("given", args.clip, 1.3)]
        else:
            easy = Path(make_clips(Path(folder, "clips"))[0][0])
            heavy = make_heavy(easy, Path(folder, "heavy.mp4"))
            # Of the easy one there is so little to decode that the rest outweighs it.
            kinds = [("at RAVDESS' bit rate", heavy, 1.3), ("drawn, easy", easy, None)]
        rows = [
            compare(clip, kind, n_threads, args.repeats, bound)
            for kind, clip, bound in kinds
            for n_threads in threads
        ]
    return Outcome(rows)


if __name__ == "__main__":
    conclude(main())
