"""Face landmarks against the mediapipe package: agreement, time, memory; effect of size and rate.

``python benchmarks/bench_landmarks.py CLIP ... --model face_landmarker.task`` measures what the
size and the rate of frames do to landmarks, and in how many frames the face is found.
``--mediapipe PYTHON`` adds the comparison: the interpreter of an environment apart that has the
`mediapipe` package, since that brings an OpenCV of its own, and libEGL and libGLESv2. It gets the
frames that skemotion decodes, so that both look at the same pixels.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import cv2
import numpy as np
from measure import first_cores, pinned
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from skemotion.io import decoding_threads
from skemotion.video import LandmarkTrack, face_landmarks
from skemotion.video._face_detection import detect_faces
from skemotion.video._face_mesh import find_blendshapes, find_points
from skemotion.video._face_networks import face_networks
from skemotion.video._face_points import EYE_CORNERS, IBUG68
from skemotion.video._frame_stream import Frame, file_frames

# Runs in the other environment: frames come in as raw bytes, results go to a file.
_THEIRS = """
import json, re, sys, time
import mediapipe as mp, numpy as np
from mediapipe.tasks.python import BaseOptions, vision
model, mode, shape, out = sys.argv[1], sys.argv[2], json.loads(sys.argv[3]), sys.argv[4]
options = vision.FaceLandmarkerOptions(
    base_options=BaseOptions(model_asset_path=model),
    running_mode=getattr(vision.RunningMode, mode), output_face_blendshapes=True,
    output_facial_transformation_matrixes=True)
points, shapes, poses, seconds, n = [], [], [], 0.0, 0
with vision.FaceLandmarker.create_from_options(options) as landmarker:
    while data := sys.stdin.buffer.read(shape[0] * shape[1] * 3):
        picture = np.frombuffer(data, np.uint8).reshape(*shape, 3)
        start = time.process_time()
        image = mp.Image(image_format=mp.ImageFormat.SRGB, data=picture)
        found = (landmarker.detect(image) if mode == "IMAGE"
                 else landmarker.detect_for_video(image, 33 * n))
        seconds, n = seconds + time.process_time() - start, n + 1
        if found.face_landmarks:
            points.append([(p.x * shape[1], p.y * shape[0]) for p in found.face_landmarks[0]])
            shapes.append([b.score for b in found.face_blendshapes[0]][1:])
            poses.append(found.facial_transformation_matrixes[0][:3, :3])
        else:
            points.append(np.full((478, 2), np.nan)); shapes.append(np.full(51, np.nan))
            poses.append(np.full((3, 3), np.nan))
np.savez(out, points=points, shapes=shapes, poses=poses, seconds=seconds,
         peak=int(re.search(r"VmHWM:\\s*(\\d+)", open("/proc/self/status").read())[1]) / 1e3)
"""
# Runs in a process of its own, so that its memory is that of one clip.
_OURS = """
import re, sys
from skemotion.io import decoding_threads
from skemotion.video import face_landmarks
def peak():  # getrusage would count what the process it was started from held
    return int(re.search(r"VmHWM:\\s*(\\d+)", open("/proc/self/status").read())[1]) / 1e3
before = peak()
with decoding_threads(1):
    face_landmarks(sys.argv[1], sys.argv[2], None)
print(before, peak())
"""


def theirs(python: Path, model: str, mode: str, frames: Iterable[Frame]) -> Any:
    """Send frames through mediapipe."""
    frames = iter(frames)
    first = next(frames)
    with TemporaryDirectory() as folder:
        out = Path(folder, "out.npz")
        shape = json.dumps(first.picture.shape[:2])
        command = [python, "-c", _THEIRS, model, mode, shape, out]
        with subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**os.environ, "GLOG_minloglevel": "3"},
        ) as process:
            # A thread for what it says would be needed if that were more than a pipe holds.
            process.stdin.write(first.picture.tobytes())
            for frame in frames:
                process.stdin.write(frame.picture.tobytes())
            process.stdin.close()
            said = process.stderr.read().decode()
        if not out.exists():
            sys.exit(said)
        return dict(np.load(out))


def each_for_itself(model: str, frames: Iterable[Frame]) -> tuple[NDArray, NDArray, float]:
    """Do what mediapipe's image mode does."""
    points, shapes, seconds = [], [], 0.0
    with face_networks(model) as networks:
        for frame in frames:
            start = time.process_time()
            found = detect_faces(frame.picture, networks)
            mesh = find_points(frame.picture, found[0].region, networks) if found else None
            missing = mesh is None
            points.append(np.full((478, 2), np.nan) if missing else mesh[:, :2])
            shapes.append(np.full(51, np.nan) if missing else find_blendshapes(mesh, networks))
            seconds += time.process_time() - start
    return np.array(points), np.array(shapes), seconds


def spread(values: NDArray, digits: int) -> str:
    middle, most, last = np.percentile(values, [50, 95, 100])
    return f"{middle:.{digits}f} / {most:.{digits}f} / {last:.{digits}f}"


def apart(one: NDArray, other: NDArray) -> NDArray:
    """Give the distances of points, in frames in which both have them."""
    both = ~np.isnan(one[:, 0, 0]) & ~np.isnan(other[:, 0, 0])
    return np.linalg.norm(one[both] - other[both], axis=2).ravel()


def eyes(points: NDArray) -> float:
    left, right = (points[:, corner, :2] for corner in EYE_CORNERS)
    return float(np.nanmedian(np.linalg.norm(left - right, axis=1)))


def compare(clips: Sequence[Path], model: str, python: Path) -> None:
    print("\nEach frame for itself, against mediapipe's image mode: median / 95 % / most.")
    print(f"{'clip':34} frames  eyes px  {'points, px':24} {'blendshapes':26} "
          f"{'video mode, px':24} pose, deg  CPU ms: image video, ours: image video")  # fmt: skip
    points_apart, shapes_apart, n_other = [], [], 0
    for clip in clips:
        image = theirs(python, model, "IMAGE", file_frames(clip))
        video = theirs(python, model, "VIDEO", file_frames(clip))
        points, shapes, seconds = each_for_itself(model, file_frames(clip))
        frames = stacked(file_frames(clip))
        start = time.process_time()
        track = face_landmarks(frames, model)
        tracking = time.process_time() - start
        is_found = ~np.isnan(points[:, 0, 0])
        differs = is_found != ~np.isnan(image["points"][:, 0, 0])
        n_other += differs.sum()
        milliseconds = (
            1000 / len(points) * np.array([image["seconds"], video["seconds"], seconds, tracking])
        )
        times = " ".join(f"{value:.1f}" for value in milliseconds)
        if track is None or not is_found.any():
            print(f"{clip.name:34} {len(points):6}  no face{' ' * 83} {times}")
            continue
        far = apart(points, image["points"])
        both = is_found & ~differs
        other = np.abs(shapes - image["shapes"])[both].ravel()
        points_apart.append(far)
        shapes_apart.append(other)
        followed = np.full_like(points, np.nan)
        followed[track.frames[track.found]] = track.points[track.found, :, :2]
        poses = Rotation.from_matrix(np.nan_to_num(image["poses"][track.frames]) + 1e-9 * np.eye(3))
        turned = poses.as_euler("YXZ", degrees=True) * (1, -1, 1) - track.pose
        turned = np.abs(turned - np.median(turned, axis=0))[
            ~np.isnan(image["points"][track.frames, 0, 0])
        ]
        print(
            f"{clip.name:34} {len(points):6} {eyes(points):8.0f}  {spread(far, 3):24} "
            f"{spread(other, 4):26} {spread(apart(followed, video['points']), 2):24} "
            f"{np.percentile(turned, 95):13.1f}  {times}",
            flush=True,
        )
    far, other = np.concatenate(points_apart), np.concatenate(shapes_apart)
    print(f"all: points {spread(far, 3)} px (99.9 %: {np.percentile(far, 99.9):.2f}), blendshapes "
          f"{spread(other, 4)}; one of both finds no face in {n_other} frames")  # fmt: skip
    print("poses are compared after taking out the median: mediapipe assumes a camera, ours none.")


def found(clips: Sequence[Path], model: str) -> None:
    print("\nFrames in which the face is found, of those that are not black")
    shares, n_missing = {}, 0
    for clip in clips:
        bright = [f.number for f in file_frames(clip) if f.picture[::4, ::4].max() >= 32]
        track = face_landmarks(clip, model, fps=None)
        seen = [] if track is None else track.frames[track.found]
        shares[clip.name] = np.isin(bright, seen).mean()
        n_missing += len(bright) - np.isin(bright, seen).sum()
    least = sorted(shares, key=lambda name: shares[name])[:5]
    print(f"{len(clips)} clips: {np.mean(list(shares.values())):.1%}, missed {n_missing} frames; "
          + ", ".join(f"{name} {shares[name]:.1%}" for name in least))  # fmt: skip


def shrunk(frames: Iterable[Frame], share: float) -> Iterator[Frame]:
    for frame in frames:
        small = cv2.resize(frame.picture, None, fx=share, fy=share, interpolation=cv2.INTER_AREA)
        yield frame._replace(picture=small)


def sizes(clips: Sequence[Path], model: str) -> None:
    print("\nFrames shrunk to a longer side, against full size: points apart in % of the eyes' "
          "distance, blendshapes (median / 95 % / most), CPU ms a frame")  # fmt: skip
    for clip in clips:
        frames = list(file_frames(clip))
        longer = max(frames[0].picture.shape)
        full = face_landmarks(stacked(frames), model)
        if full is None:
            continue
        for side in (longer, 1280, 960, 640, 480, 360, 270, 180):
            if side > longer:
                continue
            small = stacked(shrunk(frames, side / longer))
            start = time.process_time()
            track = face_landmarks(small, model)
            milliseconds = 1000 / len(frames) * (time.process_time() - start)
            if track is None:
                print(f"{clip.name:34} {side:5}  no face")
                continue
            common = np.intersect1d(full.frames, track.frames)
            one, other = (pick(t, common) for t in (full, track))
            # The middle of a pixel stays where it is.
            points = (other.points[..., :2] + 0.5) * (longer / side) - 0.5
            far = np.linalg.norm(points - one.points[..., :2], axis=2)[:, IBUG68]
            print(
                f"{clip.name:34} {side:5} eyes {eyes(track.points):4.0f} px  "
                f"{spread(100 * far / eyes(full.points), 2):20} "
                f"{spread(np.abs(other.blendshapes - one.blendshapes), 3):22} {milliseconds:5.1f}",
                flush=True,
            )


def stacked(frames: Iterable[Frame]) -> NDArray:
    return np.stack([frame.picture for frame in frames])


def pick(track: LandmarkTrack, frames: NDArray) -> LandmarkTrack:
    rows = np.isin(track.frames, frames)
    return LandmarkTrack(*(values[rows] for values in track))


def rates(clips: Sequence[Path], model: str) -> None:
    print("\nEvery k-th frame, interpolated between, against all: points apart in % of the "
          "eyes' distance; blendshapes; deviation of these, and of velocities")  # fmt: skip
    for clip in clips:
        frames = stacked(file_frames(clip))
        full = face_landmarks(frames, model)
        if full is None:
            continue
        for k in (2, 3, 4, 6):
            track = face_landmarks(frames[::k], model)
            at = track.frames * k
            common = full.frames[(full.frames >= at[0]) & (full.frames <= at[-1])]
            one = pick(full, common)
            points, shapes = (
                np.stack([np.interp(common, at, v) for v in values.reshape(len(at), -1).T], axis=1)
                for values in (track.points[:, IBUG68, :2], track.blendshapes)
            )
            points = points.reshape(len(common), 68, 2)
            expected = one.points[:, IBUG68, :2]
            far = 100 * np.linalg.norm(points - expected, axis=2) / eyes(full.points)
            deviation = shapes.std(axis=0).mean() / one.blendshapes.std(axis=0).mean()
            velocity = [np.diff(p, axis=0).std(axis=0).mean() for p in (points, expected)]
            print(
                f"{clip.name:34} 1/{k}  {spread(far, 2):20} "
                f"{spread(np.abs(shapes - one.blendshapes), 3):22} {deviation:.2f} "
                f"{velocity[0] / velocity[1]:.2f}",
                flush=True,
            )


def memory(clips: Sequence[Path], model: str, python: Path | None) -> None:
    print("\nPeak memory of a process, MB (Linux): before, with the clip")
    for clip in clips:
        command = [sys.executable, "-c", _OURS, clip, model]
        before, after = map(
            float, subprocess.check_output(command, stderr=subprocess.DEVNULL).split()
        )
        peer = ""
        if python is not None:
            peer = f"; mediapipe {theirs(python, model, 'VIDEO', file_frames(clip))['peak']:.0f}"
        print(f"{clip.name:34} {before:.0f} {after:.0f}{peer}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("clips", type=Path, nargs="+", metavar="CLIP")
    parser.add_argument("--model", required=True, help="face_landmarker.task")
    parser.add_argument("--mediapipe", type=Path, metavar="PYTHON")
    parser.add_argument("--only", choices=["compare", "found", "sizes", "rates", "memory"])
    parser.add_argument("--cores", type=int, default=1)
    args = parser.parse_args()
    parts = {
        "compare": lambda: args.mediapipe and compare(args.clips, args.model, args.mediapipe),
        "found": lambda: found(args.clips, args.model),
        "sizes": lambda: sizes(args.clips, args.model),
        "rates": lambda: rates(args.clips, args.model),
        "memory": lambda: memory(args.clips, args.model, args.mediapipe),
    }
    with decoding_threads(args.cores), pinned(first_cores(args.cores)):
        for name, part in parts.items():
            if args.only in (None, name):
                part()


if __name__ == "__main__":
    main()
