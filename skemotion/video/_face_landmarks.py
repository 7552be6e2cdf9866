"""Faces as landmarks, blendshapes and head pose over time."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils._param_validation import Interval, StrOptions

from ..base import ClipTransformer, ClipWindow, check_cell, is_sound
from ..io import MediaError, clip_name
from ._face_networks import file_stamp, litert_version, model_file
from ._face_points import BLENDSHAPES, IBUG68
from ._head_pose import HEAD_POSE
from ._landmark_track import LandmarkTrack, face_landmarks
from ._landmark_windows import landmark_windows

_OUTPUTS = ("landmarks", "blendshapes", "pose", "found")


class FaceLandmarks(ClipTransformer):
    """Track the largest face of each clip by its landmarks.

    Clips are decoded frame by frame, so memory does not grow with their length and size. The face
    is detected once, then tracked by its landmarks, and detected again when it is lost. Needs
    ai-edge-litert, the extra ``face``, and the networks of MediaPipe's face landmarker [1]_, which
    ``skemotion fetch face-landmarker`` downloads once.

    Parameters
    ----------
    output : {"landmarks", "blendshapes", "pose", "found"} or tuple of these, default="landmarks"
        Values of every frame:

        - "landmarks": the points, as (n_frames, n_points, 2 or 3), in pixels;
        - "blendshapes": strengths of 51 movements of the face, from 0 to 1, such as
          ``mouthSmileLeft`` (the person's left) or ``jawOpen``;
        - "pose": yaw (the nose to the picture's right), pitch (the nose up) and roll (the crown to
          the picture's left) of the head, in degrees;
        - "found": 1, or 0 where the face was lost and all values are interpolated.

        Several outputs are joined into one trajectory, with landmarks flattened, from one run of
        the networks.
    points : {"ibug68", "mesh478"}, default="ibug68"
        The 68 points of iBUG's scheme, x and y, as OpenFace and dlib give them; or the whole mesh
        of 478 points, x, y and depth (smaller towards the camera).
    fps : float, default=30.0
        Maximum number of frames per second. Of clips with more, frames are dropped evenly; nothing
        is interpolated. None uses all frames, as do arrays in memory, which have no rate.
    on_missing : {"raise", "nan"}, default="raise"
        What to do about a clip in which no face is found: raise an error, or return one frame of
        NaN.
    model_path : str, default=None
        MediaPipe's ``face_landmarker.task``; None for the place where
        `skemotion.datasets.fetch_face_landmarker` stores it. The estimator keeps only the path,
        never the networks.

    Attributes
    ----------
    n_features_in_ : int
        Second axis of X at fit; 1 for a column of clips.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Column names of X at fit, if X was numbers and had any.
    clip_shape_ : tuple of int
        Shape of a clip at fit; empty for a column of clips.

    See Also
    --------
    face_landmarks : The same for one clip, with all outputs.
    FaceCrop : Pictures of the face.
    skemotion.limits : How large a clip may be, and whether remote addresses are opened.

    Notes
    -----
    A result begins with the first frame in which the face is found and ends with the last, so a
    black or empty beginning is left out. In between, values of frames in which it was lost are
    interpolated linearly. Of several faces, the one with the largest area around its landmarks,
    summed over frames, is returned. Up to three faces are tracked at once, and the detector looks
    for more once a second. Points are not smoothed.

    The code around the networks (anchors, suppression, regions) follows the description of [1]_;
    single frames agree with the image mode of the ``mediapipe`` package, as
    ``benchmarks/bench_landmarks.py`` shows.

    Faces are cut out of frames in full size: 1,920 x 1,080 pixels take no longer than 360 x 270.

    A row of a table of numbers is one pixel over time, which has no face: its result is zeros.

    References
    ----------
    .. [1] MediaPipe Face Landmarker (Apache-2.0),
       https://ai.google.dev/edge/mediapipe/solutions/vision/face_landmarker; Y. Kartynnik,
       A. Ablavatski, I. Grishchenko and M. Grundmann, "Real-time facial surface geometry from
       monocular video on mobile GPUs", CVPR Workshop on Computer Vision for AR/VR, 2019;
       V. Bazarevsky et al., "BlazeFace: sub-millisecond neural face detection on mobile GPUs",
       the same workshop.

    Examples
    --------
    >>> from skemotion.video import FaceLandmarks
    >>> stage = FaceLandmarks(output=("blendshapes", "pose"))
    >>> stage.fit(["clip.mp4"]).get_feature_names_out()[[0, 43, -1]]
    array(['browDownLeft', 'mouthSmileLeft', 'head-roll'], dtype=object)
    >>> [trajectory] = stage.transform(["clip.mp4"])  # doctest: +SKIP
    >>> trajectory.shape  # doctest: +SKIP
    (113, 54)
    """

    takes = "clips"
    ragged = True
    _in_memory = "frames"
    _keeps_shape = False
    _parameter_constraints = {
        "output": [StrOptions(set(_OUTPUTS)), tuple, list],
        "points": [StrOptions({"ibug68", "mesh478"})],
        "fps": [Interval(Real, 0, None, closed="neither"), None],
        "on_missing": [StrOptions({"raise", "nan"})],
        # A Path would be saved by the class of one system, which no other could load.
        "model_path": [str, None],
    }

    def __init__(
        self,
        output: str | Sequence[str] = "landmarks",
        points: str = "ibug68",
        fps: float | None = 30.0,
        on_missing: str = "raise",
        model_path: str | None = None,
    ) -> None:
        self.output = output
        self.points = points
        self.fps = fps
        self.on_missing = on_missing
        self.model_path = model_path

    def transform_clip(self, clip: Any) -> NDArray[Any]:
        """Track the face of one clip.

        Parameters
        ----------
        clip : path, address, bytes or array
            A clip to open, or frames of shape (n_frames, height, width[, channel]), grey or RGB,
            from 0 to 255.

        Returns
        -------
        values : ndarray of shape (n_frames, n_points, 2 or 3) or (n_frames, n_values)
            float64 for a float64 array, else float32.

        Raises
        ------
        FileNotFoundError, ImportError
            If the networks or ai-edge-litert are missing; the message gives the command to run.
        MediaError
            If the clip is missing, damaged, without a picture or exceeds `skemotion.limits`; if
            there is no face in it and `on_missing` is "raise".
        """
        if is_sound(clip):
            raise MediaError(
                f"expected a picture, found sound at {clip[0]} Hz. Pass it in the audio column."
            )
        dtype: type[np.floating[Any]] = np.float32
        if isinstance(clip, np.ndarray):
            if clip.dtype != np.uint8 or clip.ndim not in (3, 4) or not clip.size:
                expected = "frames of shape (n_frames, height, width[, channel])"
                clip = check_cell(self, clip, 0, ndim=(3, 4), expected=expected)
            dtype = np.float64 if clip.dtype == np.float64 else np.float32
            if clip.shape[1:3] == (1, 1):
                return np.zeros((len(clip), *self._frame_shape()), dtype=dtype)
        track = face_landmarks(clip, self.model_path, self.fps)
        if track is None and self.on_missing == "raise":
            raise _no_face(clip_name(clip))
        return self._values(track).astype(dtype, copy=False)

    def transform_windows(
        self,
        clip: str | os.PathLike[str] | bytes,
        window: float,
        hop: float,
        first: int = 0,
        fps: float | None = None,
    ) -> Iterator[ClipWindow]:
        """Follow faces through a recording once, and give the largest one's track by windows.

        What is held is the landmarks of one window, and one frame.

        Parameters
        ----------
        clip : path, address or bytes
            A recording of any length within `skemotion.limits`.
        window, hop : float
            Length of a window, and from the beginning of one to that of the next, in seconds.
        first : int, default=0
            Number of the first window to give. Decoding begins shortly before it, so that the face
            is followed by then.
        fps : float, default=None
            Frames per second in which faces are looked for, where that is to be fewer than those
            of the tracks: what is between is interpolated. Half as many take half as long.

        Yields
        ------
        window : ClipWindow
            With the values of the frames shown from its start on and before its end, as
            `transform_clip` gives them of a clip, or the `MediaError` that it raises where there
            is no face. In each window it is the face that fills most of that window; it was
            followed from before the window on, where a clip cut there begins with a detection.

        Raises
        ------
        FileNotFoundError, ImportError, MediaError
            As `transform_clip`; of what is damaged later on, after the windows before.
        """
        tracks = landmark_windows(
            clip,
            window,
            hop,
            first=first,
            model_path=self.model_path,
            fps=self.fps,
            look_fps=fps,
        )
        for start, end, track in tracks:
            values: NDArray[Any] | MediaError
            if track is None and self.on_missing == "raise":
                values = _no_face(f"{clip_name(clip)}, {start:g} to {end:g} s")
            else:
                values = self._values(track)
            yield ClipWindow(start, end, values)

    def name_values(self, input_features: Sequence[str] | None) -> list[str]:
        """Name the values of a frame, such as ``point36-x``, ``mouthSmileLeft``, ``head-yaw``.

        Of a table, ``_frame003`` follows.
        """
        names = [name for output in self._outputs() for name in self._names(output)]
        if not self.clip_shape_:
            return names
        return [f"{name}_frame{t:03d}" for t in range(self.clip_shape_[0]) for name in names]

    def cache_identity(self) -> tuple[Any, ...]:
        """Return the identity of the networks' file, and the version of ai-edge-litert."""
        return (*file_stamp(model_file(self.model_path)), litert_version())

    def check_parameters(self) -> None:
        """Refuse unknown and duplicate outputs, and an empty list."""
        outputs = self._outputs()
        if not outputs or len(set(outputs)) < len(outputs) or not set(outputs) <= set(_OUTPUTS):
            raise ValueError(f"output must be one or several of {_OUTPUTS}, got {self.output!r}.")

    def _outputs(self) -> tuple[str, ...]:
        return (self.output,) if isinstance(self.output, str) else tuple(self.output)

    def _names(self, output: str) -> Sequence[str]:
        if output == "landmarks":
            n_points, n_axes = self._points_shape()
            return [f"point{i:02d}-{axis}" for i in range(n_points) for axis in "xyz"[:n_axes]]
        if output == "blendshapes":
            return BLENDSHAPES
        return [f"head-{angle}" for angle in HEAD_POSE] if output == "pose" else ["face-found"]

    def _points_shape(self) -> tuple[int, int]:
        return (68, 2) if self.points == "ibug68" else (478, 3)

    def _frame_shape(self) -> tuple[int, ...]:
        if self.output == "landmarks":
            return self._points_shape()
        return (sum(len(self._names(output)) for output in self._outputs()),)

    def _values(self, track: LandmarkTrack | None) -> NDArray[np.float32]:
        if track is None:
            return np.full((1, *self._frame_shape()), np.nan, dtype=np.float32)
        points = track.points if self.points == "mesh478" else track.points[:, IBUG68, :2]
        values = {
            "landmarks": points,
            "blendshapes": track.blendshapes,
            "pose": track.pose,
            "found": track.found.astype(np.float32),
        }
        if self.output == "landmarks":
            return points
        rows = [values[output].reshape(len(points), -1) for output in self._outputs()]
        return np.concatenate(rows, axis=1)


def _no_face(name: str) -> MediaError:
    return MediaError(
        f"{name}: expected a face, found none. Look at the clip; leave it out, or take "
        'FaceLandmarks(on_missing="nan").'
    )
