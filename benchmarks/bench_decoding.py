"""From a 720p file to descriptors, against decoding alone and against the plain way.

``python benchmarks/bench_decoding.py [CLIP]``; without a clip, one is made.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import av
import cv2
import numpy as np
from measure import in_turns, report
from numpy.typing import NDArray

from skemotion.datasets import make_ravdess
from skemotion.video import decode_clip, hog3d


def decode_only(path: Path) -> int:
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        stream.thread_type = "AUTO"
        return sum(1 for _ in container.decode(stream))


def plain(path: Path) -> NDArray:
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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("clip", type=Path, nargs="?")
    parser.add_argument("--repeats", type=int, default=7)
    args = parser.parse_args()
    with TemporaryDirectory() as folder:
        if args.clip is None:
            make_ravdess(folder, n_actors=1, emotions=["calm"], intensities=["normal"],
                         n_statements=1, modalities=["full"], duration=3.7)  # fmt: skip
            args.clip = next(Path(folder).rglob("*.mp4"))
        frames = decode_clip(args.clip)
        hog3d(frames)
        ways = {
            "decoding alone": lambda: decode_only(args.clip),
            "plain: OpenCV, frames only": lambda: plain(args.clip),
            "skemotion, frames only": lambda: decode_clip(args.clip),
            "skemotion, frames and HOG3D": lambda: hog3d(decode_clip(args.clip)),
        }
        times = in_turns(ways, args.repeats)
        n_frames = decode_only(args.clip)
        report(f"{n_frames} frames of {args.clip.name} to {frames.shape}", times, ways)
        share = times["skemotion, frames and HOG3D"] / times["decoding alone"]
        print(f"  file to descriptors costs {share:.2f} times decoding alone")
        difference = np.abs(plain(args.clip).astype(int) - frames).mean()
        print(f"  mean difference of grey levels from the plain way: {difference:.2f}")
    if difference > 3:
        sys.exit("The two ways give different pictures.")


if __name__ == "__main__":
    main()
