"""Cropping clips to the face."""

from __future__ import annotations

import os
from collections.abc import Sequence
from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils._param_validation import Interval, StrOptions

from ..base import ClipTransformer
from ..io import MediaError, clip_name
from ._face_boxes import check_model_file, detector_identity
from ._face_track import crop_face, track_face


class FaceCrop(ClipTransformer):
    """Find the face in each clip, track it, and crop every frame to it.

    The crops of a clip have one size, and the box of the face moves smoothly, so the motion in the
    crops is that of the face. Clips of different sizes get crops of the same size. A clip's crops
    depend only on the clip.

    Parameters
    ----------
    size : tuple of 2 int, default=(96, 96)
        Height and width of the crops.
    margin : float, default=0.2
        Added to the face's box on every side, as a share of its side.
    on_missing : {"whole", "raise"}, default="whole"
        What to do about a clip in which no face is found: resize whole frames to `size`, or raise
        an error.
    detector : {"cascade"} or path-like, default="cascade"
        scikit-image's cascade of local binary patterns, which comes with it, or the path of a
        YuNet model [2]_, an ONNX file, for OpenCV's ``FaceDetectorYN``.

    Attributes
    ----------
    n_features_in_ : int
        Second axis of X at fit: frames per clip, or columns of a table; 1 for a column of clips.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Column names of X at fit, if X was numbers and had any.
    clip_shape_ : tuple of int
        Shape of a clip at fit; empty for a column of clips. Height and width may be others later.

    See Also
    --------
    VideoLoader : Gives clips as arrays; load them with ``scale=1`` for a sharp face.
    HOG3D : Describes what this stage returns.

    Notes
    -----
    The detector, the cascade of [1]_ on luma, runs on about every fifth frame. Boxes of similar
    size and place are linked to tracks; the track with the most detections is the face, if it is
    detected with confidence in at least a third of these frames. Its box has the median size, and
    its centre follows a smoothing spline, also through frames in which the face was missed.
    The cascade finds frontal faces of at least a fifth of the shorter side of the frame. A frame
    with a side under 24 pixels has no face.

    References
    ----------
    .. [1] S. Liao, X. Zhu, Z. Lei, L. Zhang and S. Z. Li, "Learning multi-scale block local
       binary patterns for face recognition", ICB 2007.
    .. [2] W. Wu, H. Peng and S. Yu, "YuNet: a tiny millisecond-level face detector", Machine
       Intelligence Research 20, 2023.

    Examples
    --------
    >>> import numpy as np
    >>> from skemotion.video import FaceCrop
    >>> clips = [np.zeros((10, 90, 120), np.uint8), np.zeros((10, 60, 80), np.uint8)]
    >>> [crop.shape for crop in FaceCrop(size=(64, 64)).transform(clips)]  # no face: whole frames
    [(10, 64, 64), (10, 64, 64)]
    """

    takes = "frames"
    ragged = True
    _keeps_shape = False
    _parameter_constraints = {
        "size": [tuple, list],
        "margin": [Interval(Real, 0, None, closed="left")],
        "on_missing": [StrOptions({"whole", "raise"})],
        "detector": [str, os.PathLike],
    }

    def __init__(
        self,
        size: tuple[int, int] = (96, 96),
        margin: float = 0.2,
        on_missing: str = "whole",
        detector: str | os.PathLike[str] = "cascade",
    ) -> None:
        self.size = size
        self.margin = margin
        self.on_missing = on_missing
        self.detector = detector

    def transform_clip(self, clip: NDArray[Any]) -> NDArray[Any]:
        """Crop one clip to its face.

        Parameters
        ----------
        clip : ndarray of shape (n_frames, height, width[, channel])
            Frames as `VideoLoader` returns them.

        Returns
        -------
        crops : ndarray of shape (n_frames, size_y, size_x[, channel])
            Of the clip's dtype.

        Raises
        ------
        MediaError
            If no face is found and `on_missing` is "raise".
        FileNotFoundError
            If `detector` is the path of no file.
        ImportError
            If scikit-image is missing.
        """
        track = track_face(clip, self.detector)
        if track is None and self.on_missing == "raise":
            raise MediaError(
                f"{clip_name(clip)}: expected a face, found none. Look at the clip: load it "
                "larger, for example with VideoLoader(scale=1), leave it out, or take "
                'FaceCrop(on_missing="whole").'
            )
        return crop_face(clip, track, self.size, self.margin)

    def name_values(self, input_features: Sequence[str] | None) -> list[str]:
        """Name a clip's pixels, such as ``face_t03_y12_x40``, or the one column of clips.

        Of clips in colour, ``_channel2`` follows. ``frame012`` for a table.
        """
        if not self.clip_shape_:
            return ["face"]
        if len(self.clip_shape_) == 1:
            return [f"frame{t:03d}" for t in range(self.clip_shape_[0])]
        channels = [f"_channel{c}" for n in self.clip_shape_[3:] for c in range(n)] or [""]
        return [
            f"face_t{t:02d}_y{y:02d}_x{x:02d}{channel}"
            for t in range(self.clip_shape_[0])
            for y in range(self.size[0])
            for x in range(self.size[1])
            for channel in channels
        ]

    def lift_row(self, row: NDArray[Any]) -> NDArray[Any]:
        """Leave a row of a table as it is: one pixel through time, in which no face is."""
        if self.on_missing == "raise":
            raise MediaError(
                "FaceCrop expected clips, found a table, each row of which is one pixel through "
                'time: it has no face. Pass clips, or take FaceCrop(on_missing="whole").'
            )
        return row

    def _run_array(self, clip: NDArray[Any], row: int) -> NDArray[Any]:
        return super()._run_array(clip, row) if clip.ndim > 1 else clip

    def cache_identity(self) -> tuple[str, ...]:
        """Return the identity of the detector."""
        return detector_identity(self.detector)

    def check_parameters(self) -> None:
        """Refuse a size that is not two positive whole numbers, and a missing detector."""
        if len(self.size) != 2 or not all(
            isinstance(n, int | np.integer) and n > 0 for n in self.size
        ):
            raise ValueError(f"size must be (height, width) in whole pixels, got {self.size!r}.")
        check_model_file(self.detector)
