"""Decoding clips into arrays of small frames."""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, TransformerMixin, _fit_context
from sklearn.utils import Tags
from sklearn.utils._param_validation import Interval, StrOptions

from .._media import MediaError, Source, clip_name
from .._validation import (
    FLOATS,
    check_clips,
    check_input_names,
    frames_only_tables,
    is_missing,
    object_array,
    remember_column,
    source_column,
)
from ._decoding import decode_clip, interpolate, shrink_clip


@frames_only_tables
class VideoLoader(TransformerMixin, BaseEstimator):
    """Decode each clip into a fixed number of small frames.

    Every frame is shrunk by area averaging; then the frames are interpolated linearly in time
    at ``linspace(0, N - 1, n_frames)``, N being the clip's own number of frames. A clip's
    frames depend on nothing but the clip.

    Parameters
    ----------
    n_frames : int, default=50
        Frames per clip in the result.
    scale : float, default=1/3
        Height and width in the result, as a share of the clip's own, rounded down. Ignored where
        `size` is given.
    size : tuple of 2 int, default=None
        Height and width in the result. Needed where clips come in different sizes.
    color : {"gray", "rgb"}, default="gray"
        Luma alone, or red, green and blue.
    step : int, default=None
        Keep every `step`-th frame as it is, from the first on, in place of `n_frames`. Clips in
        files then come as a column of arrays, each as long as its clip is.

    Attributes
    ----------
    n_features_in_ : int
        Second axis of X at fit; 1 for a column of clips.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Column names of X at fit, where X was numbers and had any.
    clip_shape_ : tuple of int
        Shape of a clip at fit; empty for a column of clips.

    See Also
    --------
    HOG3D : Describes what this stage returns.
    skemotion.audio.AudioLoader : The same for sound.
    skemotion.limits : How large a clip may be, and whether addresses elsewhere are opened.

    Notes
    -----
    Pictures are turned upright where a camera wrote how it was held; pixels that are not square
    are left as they are stored. Frames are counted, also where their rate varies. Of several video
    streams the first that is marked as default is taken, or else the first; cover pictures are
    none.

    Examples
    --------
    >>> import numpy as np
    >>> from skemotion.video import VideoLoader
    >>> clip = np.zeros((90, 60, 80), dtype=np.uint8)  # a path does as well
    >>> VideoLoader(n_frames=10, scale=1 / 2).transform([clip]).shape
    (1, 10, 30, 40)
    """

    _parameter_constraints = {
        "n_frames": [Interval(Integral, 1, None, closed="left")],
        "scale": [Interval(Real, 0, 1, closed="right")],
        "size": [tuple, list, None],
        "color": [StrOptions({"gray", "rgb"})],
        "step": [Interval(Integral, 1, None, closed="left"), None],
    }

    def __init__(
        self,
        n_frames: int = 50,
        scale: float = 1 / 3,
        size: tuple[int, int] | None = None,
        color: str = "gray",
        step: int | None = None,
    ) -> None:
        self.n_frames = n_frames
        self.scale = scale
        self.size = size
        self.color = color
        self.step = step

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: Any, y: Any = None) -> Self:
        """Check X; nothing is opened and nothing learnt.

        Parameters
        ----------
        X : sequence of path, address, bytes or array, or array-like of numbers
            See `transform`.
        y : None
            Ignored.

        Returns
        -------
        self : VideoLoader
        """
        _check_size(self.size)
        if source_column(X) is not None:
            remember_column(self)
        else:
            check_clips(self, X, reset=True, ndim=(4, 5), dtype=(*FLOATS, np.uint8), axes=_AXES)
        return self

    def transform(self, X: Any) -> NDArray[Any]:
        """Load each clip.

        Parameters
        ----------
        X : sequence of path, address, bytes or array, or array-like of numbers
            A column of clips: paths, addresses in fsspec's notation
            (``zip://Actor_01/x.mp4::/data/Video.zip``), encoded bytes, or arrays of shape
            (n_frames, height, width[, channel]). An array of shape (n_clips, n_frames, height,
            width[, channel]) is a column of clips as well; a row of a table is one pixel through
            time, and is only interpolated.

        Returns
        -------
        clips : ndarray of shape (n_clips, n_frames, height, width[, channel])
            uint8, but for arrays of floats, which stay floats; (n_clips, n_frames) for a table.
            With `step`, an object array of (n_frames, height, width[, channel]) arrays for a
            column of clips.

        Raises
        ------
        MediaError
            If a clip is missing, damaged, without a picture or beyond `skemotion.limits`.
        ValueError
            If the clips come out in different sizes.
        """
        self._validate_params()
        _check_size(self.size)
        sources = source_column(X)
        if sources is None:
            X = check_clips(
                self, X, reset=False, ndim=(4, 5), dtype=(*FLOATS, np.uint8), axes=_AXES
            )
            if X.ndim == 2:
                if self.step is not None:
                    return X[:, :: self.step]
                return np.stack([interpolate(row, self.n_frames) for row in X])
            return np.stack([self._load(clip) for clip in X])
        clips = [self._load(source) for source in sources]
        if self.step is not None:
            return object_array(clips)
        for source, clip in zip(sources, clips, strict=True):
            if clip.shape != clips[0].shape:
                raise ValueError(
                    f"Clips come in different sizes: {clip_name(sources[0])} gives "
                    f"{clips[0].shape}, {clip_name(source)} {clip.shape}. Give VideoLoader one "
                    "size=(height, width) for all."
                )
        return np.stack(clips)

    def get_feature_names_out(self, input_features: Any = None) -> NDArray[Any]:
        """Name the result's columns: frames of a table's pixel, or the one column of clips.

        Parameters
        ----------
        input_features : array-like of str or None, default=None
            Checked against the columns of a table, and otherwise ignored.

        Returns
        -------
        names : ndarray of str
        """
        check_input_names(self, input_features)
        if not self.clip_shape_:
            return np.array(["video"], dtype=object)
        frames = range(self.n_frames)
        if self.step is not None:
            frames = range(0, self.clip_shape_[0], self.step)
        return np.array([f"frame{t:03d}" for t in frames], dtype=object)

    def _load(self, source: Source | NDArray[Any] | None) -> NDArray[Any]:
        if source is None or is_missing(source):
            raise MediaError("A clip is missing: expected a path, found an empty cell.")
        asked = self.n_frames, self.scale, self.size, self.color, self.step
        if isinstance(source, np.ndarray):
            return shrink_clip(source, *asked)
        return decode_clip(source, *asked)

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.requires_fit = False
        tags.input_tags.string = True
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags


_AXES = "(n_clips, n_frames, height, width[, channel])"


def _check_size(size: Any) -> None:
    if size is not None and (
        len(size) != 2 or not all(isinstance(n, int | np.integer) and n > 0 for n in size)
    ):
        raise ValueError(f"size must be (height, width) in whole pixels, got {size!r}.")
