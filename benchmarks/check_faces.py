"""How often FaceCrop finds the face in real clips, and contact sheets to see whether it is one.

``python benchmarks/check_faces.py JAVA_SED [--sheet faces.png]``: the folder of Java-SED's clips,
or any with clips named ``actor-....mp4``. Every frame that is loaded is shown to the detector. The
sheet holds crops as `FaceCrop` makes them, looking at every fifth frame only: count by eye those
that are no face.
"""

from __future__ import annotations

import argparse
import time
from collections import defaultdict
from pathlib import Path

import cv2
import numpy as np
from joblib import Parallel, delayed
from numpy.typing import NDArray

from skemotion.video import FaceCrop, VideoLoader
from skemotion.video._face_track import track_face

DARK = 5  # grey values; Java-SED's clips often begin with a black picture


def check(path: Path, n_crops: int) -> tuple[NDArray, NDArray, NDArray, float]:
    """Tell which frames are dark, in which the face is found, and give crops over the clip."""
    frames = VideoLoader(scale=1).transform([path])
    dark = frames[0].std(axis=(1, 2)) < DARK
    track = track_face(frames[0], stride=1)
    seen = np.zeros(len(dark), dtype=bool)
    if track is not None:
        seen[track.looks] = track.seen
    start = time.thread_time()
    crops = FaceCrop().transform(frames)[0]
    seconds = time.thread_time() - start
    shown = np.linspace(0, len(crops) - 1, n_crops + 2).round().astype(int)[1:-1]
    return dark, seen, crops[shown], seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--sheet", type=Path, help="where to write the crops, a picture")
    parser.add_argument("--per-clip", type=int, default=1, help="crops of each clip on the sheet")
    parser.add_argument("--jobs", type=int, default=2)
    args = parser.parse_args()
    clips = sorted(args.folder.glob("*.mp4"))
    if not clips:
        parser.error(f"{args.folder} holds no .mp4 files.")
    results = Parallel(n_jobs=args.jobs, prefer="threads")(
        delayed(check)(clip, args.per_clip) for clip in clips
    )
    actors = defaultdict(list)
    for clip, result in zip(clips, results, strict=True):
        actors[clip.name.split("-")[0]].append(result)
    print(" actor  clips  frames   dark    found  of those not dark")
    for actor, of_actor in [*actors.items(), ("all", results)]:
        dark, seen = (np.concatenate([result[i] for result in of_actor]) for i in range(2))
        print(f"{actor:>6} {len(of_actor):6} {len(dark):7} {dark.sum():6} {seen.mean():8.2%} "
              f"{seen[~dark].mean():18.2%}")  # fmt: skip
    none = [clip.name for clip, result in zip(clips, results, strict=True) if not result[1].any()]
    print(f"clips without a face: {', '.join(none) or 'none'}")
    seconds = [result[3] for result in results]
    print(f"FaceCrop, processor time: {np.median(seconds) * 1000:.0f} ms per clip")
    if args.sheet:
        crops = np.concatenate([result[2] for result in results])
        columns = 12 * args.per_clip
        blank = np.zeros((-len(crops) % columns, *crops.shape[1:]), dtype=crops.dtype)
        crops = np.concatenate([crops, blank])
        rows = crops.reshape(-1, columns, *crops.shape[1:]).transpose(0, 2, 1, 3)
        cv2.imwrite(str(args.sheet), rows.reshape(-1, columns * crops.shape[2]))


if __name__ == "__main__":
    main()
