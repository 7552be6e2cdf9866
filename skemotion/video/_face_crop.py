"""Cropping clips to the face."""

from __future__ import annotations

import os
from numbers import Real
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, TransformerMixin, _fit_context
from sklearn.utils import Tags
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import _check_feature_names_in, validate_data

from .._media import identity
from .._validation import (
    FLOATS,
    check_cell,
    check_input_names,
    clip_column,
    frames_only_tables,
    object_array,
    one_column,
    remember_column,
)
from ._face_track import check_model_file, crop_face, track_face


@frames_only_tables
class FaceCrop(TransformerMixin, BaseEstimator):
    """Find the face in each clip, follow it, and crop every frame to it.

    The crops of a clip have one size about one face whose box moves smoothly, so that what moves
    in them is the face and not the box. Clips of different sizes come out in one. A clip's crops
    depend on nothing but the clip.

    Parameters
    ----------
    size : tuple of 2 int, default=(96, 96)
        Height and width of the crops.
    margin : float, default=0.2
        Added to the face's box on every side, as a share of its side.
    on_missing : {"whole", "raise"}, default="whole"
        What to do with a clip in which no face is found: bring its whole frames to `size`, or
        raise an error.
    detector : {"cascade"} or path-like, default="cascade"
        scikit-image's cascade of local binary patterns, which comes with it, or the path of a
        YuNet model [2]_, an ONNX file, for OpenCV's ``FaceDetectorYN``.

    Attributes
    ----------
    n_features_in_ : int
        Second axis of X at fit: frames per clip, or columns of a table; 1 for a column of clips.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Column names of X at fit, where X was numbers and had any.
    clip_shape_ : tuple of int
        Shape of a clip at fit; empty for a column of clips. Height and width may be others later.

    See Also
    --------
    VideoLoader : Gives clips as arrays; load them with ``scale=1`` for a sharp face.
    HOG3D : Describes what this stage returns.

    Notes
    -----
    About every fifth frame is shown to the detector, the cascade of [1]_ on luma. Boxes of
    about one size and place make chains from look to look; the chain with most detections behind
    it is the face, if it is surely seen in at least a third of the looks. Its box is as large as
    in the median look, and its centre goes along a smoothing spline, also through frames in which
    the face was missed.
    The cascade finds faces that look into the camera and measure at least a fifth of the shorter
    side of the frame. A frame with a side under 24 pixels has no face.

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

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: Any, y: Any = None) -> Self:
        """Remember the shape of the clips; nothing is learnt from them.

        Parameters
        ----------
        X : column of clips or array-like of numbers
            See `transform`.
        y : None
            Ignored.

        Returns
        -------
        self : FaceCrop
        """
        self._check_parameters()
        if clip_column(X) is None:
            self.clip_shape_ = self._check_array(X, reset=True).shape[1:]
        else:
            remember_column(self)
        return self

    def transform(self, X: Any) -> NDArray[Any]:
        """Crop each clip to its face.

        Parameters
        ----------
        X : column of clips or array-like of numbers
            An array of shape (n_clips, n_frames, height, width[, channel]), as `VideoLoader`
            returns it; or a list or object array of shape (n_clips,) of arrays of shape (n_frames,
            height, width[, channel]), each with its own size. A row of a table is one pixel
            through time, which is a whole frame without a face: it stays as it is.

        Returns
        -------
        crops : ndarray of shape (n_clips, n_frames, size_y, size_x[, channel])
            Of the clips' dtype. For a column of clips, an object array of (n_frames, size_y,
            size_x[, channel]) arrays; (n_clips, n_frames) for a table.

        Raises
        ------
        ValueError
            If no face is found in a clip and `on_missing` is "raise".
        FileNotFoundError
            If `detector` is the path of no file.
        ImportError
            If scikit-image is missing.
        """
        self._validate_params()
        self._check_parameters()
        column = clip_column(X)
        if column is None:
            X = self._check_array(X, reset=False)
            if X.ndim == 2:
                if self.on_missing == "raise":
                    raise ValueError(self._missing(0, "a table's row is one pixel"))
                return X
            return np.stack([self._crop(clip, row) for row, clip in enumerate(X)])
        crops = [
            self._crop(self._check_clip(clip, row), row)
            for row, clip in enumerate(one_column(column, "clips"))
        ]
        return object_array(crops)

    def get_feature_names_out(self, input_features: Any = None) -> NDArray[Any]:
        """Name the result's columns: a table's own, a clip's pixels, or the one column of clips.

        Parameters
        ----------
        input_features : array-like of str or None, default=None
            Checked against the columns of a table, and otherwise ignored.

        Returns
        -------
        names : ndarray of str
            Such as ``face_t03_y12_x40``, with ``_channel2`` behind it for clips in colour;
            ``face`` for a column of clips.
        """
        check_input_names(self, input_features)
        if not self.clip_shape_:
            return np.array(["face"], dtype=object)
        if len(self.clip_shape_) == 1:
            return np.asarray(_check_feature_names_in(self, input_features))
        channels = [f"_channel{c}" for n in self.clip_shape_[3:] for c in range(n)] or [""]
        return np.array(
            [
                f"face_t{t:02d}_y{y:02d}_x{x:02d}{channel}"
                for t in range(self.clip_shape_[0])
                for y in range(self.size[0])
                for x in range(self.size[1])
                for channel in channels
            ],
            dtype=object,
        )

    def _identity(self) -> tuple[str, ...]:
        """Tell a cache of another network under the same path."""
        return () if self.detector == "cascade" else identity(self.detector)

    def _crop(self, clip: NDArray[Any], row: int) -> NDArray[Any]:
        track = track_face(clip, self.detector)
        if track is None and self.on_missing == "raise":
            raise ValueError(self._missing(row, f"{clip.shape[1]} x {clip.shape[2]} pixels"))
        return crop_face(clip, track, self.size, self.margin)

    def _missing(self, row: int, found: str) -> str:
        return (
            f"FaceCrop found no face in row {row} ({found}). Look at the clip: load it larger, for "
            'example with VideoLoader(scale=1), leave it out, or take FaceCrop(on_missing="whole").'
        )

    def _check_parameters(self) -> None:
        if len(self.size) != 2 or not all(
            isinstance(n, int | np.integer) and n > 0 for n in self.size
        ):
            raise ValueError(f"size must be (height, width) in whole pixels, got {self.size!r}.")
        check_model_file(self.detector)

    def _check_array(self, X: Any, *, reset: bool) -> NDArray[Any]:
        # Unlike other stages this one takes clips of another height and width than at fit.
        X = validate_data(self, X, reset=reset, dtype=[*FLOATS, np.uint8], allow_nd=True)
        if X.ndim not in (2, 4, 5):
            raise ValueError(
                f"FaceCrop expected clips of shape (n_clips, {_AXES}), or one row of numbers per "
                f"clip, got an array of shape {X.shape}."
            )
        return X

    def _check_clip(self, clip: Any, row: int) -> NDArray[Any]:
        if getattr(clip, "dtype", None) == np.uint8 and clip.ndim in (3, 4) and clip.size:
            return clip  # as it is: floats would take eight times the memory
        expected = f"frames of shape ({_AXES}), such as VideoLoader makes"
        return check_cell(self, clip, row, ndim=(3, 4), expected=expected)

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.requires_fit = False
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags


_AXES = "n_frames, height, width[, channel]"
