"""Decoding clips into arrays of small frames."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from numbers import Integral, Real
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils._param_validation import Interval, StrOptions

from ..base import ClipTransformer, ClipWindow, check_cell, is_sound, sliding_windows
from ..io import MediaError, clip_name
from ._decoding import Orientation, decode_clip, interpolate, shrink_clip, small_picture
from ._frame_stream import file_frames, nearest
from ._luma import bright_span


class VideoLoader(ClipTransformer):
    """Decode each clip into a fixed number of small frames.

    Every frame is shrunk by area averaging; then the frames are interpolated linearly in time
    at ``linspace(0, N - 1, n_frames)``, N being the clip's own number of frames. A clip's
    frames depend only on the clip.

    Parameters
    ----------
    n_frames : int, default=50
        Frames per clip in the result.
    scale : float, default=1/3
        Height and width in the result, as a share of the clip's own, rounded down. Ignored if
        `size` is given.
    size : tuple of 2 int, default=None
        Height and width in the result. Needed if clips differ in size.
    color : {"gray", "rgb"}, default="gray"
        Luma, or red, green and blue.
    stride : int, default=None
        Keep every `stride`-th frame unchanged, from the first on, instead of `n_frames`. The
        result for clips in files is then a column of arrays, which may differ in length.
    fps : float, default=None
        Keep `fps` frames per second for any rate of the clip, constant or not: those nearest to 0,
        ``1 / fps``, ``2 / fps`` seconds and so on, instead of `n_frames`. The result is a column
        of arrays. Arrays in memory have no times and are refused.
    trim_dark : bool, default=False
        Leave out frames at both ends of a clip whose mean luma is below half the median over the
        frames, for example a black beginning. With `n_frames`, files are then decoded twice. Rows
        of a table, which are single pixels, are not changed.

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
    HOG3D : Describes what this stage returns.
    skemotion.audio.AudioLoader : The same for sound.
    skemotion.limits : How large a clip may be, and whether remote addresses are opened.

    Notes
    -----
    Rotation metadata of cameras is applied; pixels that are not square are left as they are.
    `n_frames` and `stride` count frames, even if their rate varies. Of several video streams, the
    first marked as default is used, or else the first; cover pictures are ignored.

    A segment is ``clip.mp4#t=10,12.5``, with times in seconds after the first frame (W3C Media
    Fragments): it has the frames shown from 10 s until before 12.5 s, and only what is near is
    decoded if the container allows it. Times outside the clip are refused, except an end up to
    half a second after the clip's.

    Examples
    --------
    >>> import numpy as np
    >>> from skemotion.video import VideoLoader
    >>> clip = np.zeros((90, 60, 80), dtype=np.uint8)  # a path does as well
    >>> VideoLoader(n_frames=10, scale=1 / 2).transform([clip]).shape
    (1, 10, 30, 40)
    """

    takes = "clips"
    _in_memory = "frames"
    _parameter_constraints = {
        "n_frames": [Interval(Integral, 1, None, closed="left")],
        "scale": [Interval(Real, 0, 1, closed="right")],
        "size": [tuple, list, None],
        "color": [StrOptions({"gray", "rgb"})],
        "stride": [Interval(Integral, 1, None, closed="left"), None],
        "fps": [Interval(Real, 0, None, closed="neither"), None],
        "trim_dark": ["boolean"],
    }

    def __init__(
        self,
        n_frames: int = 50,
        scale: float = 1 / 3,
        size: tuple[int, int] | None = None,
        color: str = "gray",
        stride: int | None = None,
        fps: float | None = None,
        trim_dark: bool = False,
    ) -> None:
        self.n_frames = n_frames
        self.scale = scale
        self.size = size
        self.color = color
        self.stride = stride
        self.fps = fps
        self.trim_dark = trim_dark

    @property
    def ragged(self) -> bool:  # type: ignore[override]
        """Whether clips keep lengths of their own."""
        return self.stride is not None or self.fps is not None

    def transform_clip(self, clip: Any) -> NDArray[Any]:
        """Load one clip.

        Parameters
        ----------
        clip : path, address, bytes or array
            A path, an address in fsspec's notation (``zip://Actor_01/x.mp4::/data/Video.zip``),
            an encoded file, or frames of shape (n_clip_frames, height, width[, channel]).

        Returns
        -------
        frames : ndarray of shape (n_frames, height, width[, channel])
            uint8; floats stay floats.

        Raises
        ------
        MediaError
            If the clip is missing, damaged, without a picture or exceeds `skemotion.limits`.
        """
        asked = self.n_frames, self.scale, self.size, self.color, self.stride
        if not isinstance(clip, np.ndarray):
            if is_sound(clip):
                raise MediaError(
                    f"expected a picture, found sound at {clip[0]} Hz. Pass it in the audio column."
                )
            return decode_clip(clip, *asked, self.fps, self.trim_dark)
        if self.fps is not None:
            raise MediaError(
                f"{clip_name(clip)}: expected a clip with times, as fps={self.fps:g} needs, found "
                "frames in memory. Pass files, or VideoLoader(stride=...)."
            )
        if clip.dtype != np.uint8 or clip.ndim not in (3, 4) or not clip.size:
            expected = "frames of shape (n_frames, height, width[, channel])"
            clip = check_cell(self, clip, None, ndim=(3, 4), expected=expected)
        return shrink_clip(clip, *asked, self.trim_dark)

    def transform_windows(
        self, clip: str | os.PathLike[str] | bytes, window: float, hop: float, first: int = 0
    ) -> Iterator[ClipWindow]:
        """Load a recording window by window, decoding it once.

        What is held is the shrunk frames of one window.

        Parameters
        ----------
        clip : path, address or bytes
            A recording of any length within `skemotion.limits`.
        window, hop : float
            Length of a window, and from the beginning of one to that of the next, in seconds.
        first : int, default=0
            Number of the first window to give. Decoding begins shortly before it.

        Yields
        ------
        window : ClipWindow
            With what `transform_clip` makes of the frames that are shown from its start on and
            before its end; with a `MediaError` where there is none.

        Raises
        ------
        MediaError
            As `transform_clip`; of what is damaged later on, after the windows before.
        """

        def picture(frame: Any, orientation: Orientation) -> NDArray[np.uint8]:
            return small_picture(frame, orientation, self.scale, self.size, self.color)

        frames = file_frames(clip, picture=picture, start=first * hop)
        timed = ((frame.seconds, frame) for frame in frames)
        for start, end, shown in sliding_windows(timed, window, hop, first):
            content: NDArray[np.uint8] | MediaError
            small = [frame.picture for frame in shown]
            if not small:
                content = MediaError(
                    f"{clip_name(clip)}, {start:g} to {end:g} s: expected frames, found none."
                )
            else:
                if self.fps is not None:
                    times = np.array([frame.seconds for frame in shown]) - start
                    small = [small[i] for i in nearest(times, self.fps, end - start)]
                content = np.stack(small[:: self.stride])
                if self.trim_dark:
                    content = content[slice(*bright_span(content))]
                if self.fps is None and self.stride is None:
                    content = interpolate(content, self.n_frames)
            yield ClipWindow(start, end, content)

    def name_values(self, input_features: Sequence[str] | None) -> list[str]:
        """Name the one column of clips; for a table of pixels, its frames."""
        if not self.clip_shape_:
            return ["video"]
        frames = range(self.n_frames)
        if self.stride is not None:
            frames = range(0, self.clip_shape_[0], self.stride)
        return [f"frame{t:03d}" for t in frames]

    def lift_row(self, row: NDArray[Any]) -> NDArray[Any]:
        """Leave a row of a table as it is: one pixel through time, which has no size or colour."""
        return row

    def _run_array(self, clip: NDArray[Any], row: int) -> NDArray[Any]:
        if clip.ndim > 1 or self.fps is not None:
            return super()._run_array(clip, row)
        return interpolate(clip, self.n_frames) if self.stride is None else clip[:: self.stride]

    def check_parameters(self) -> None:
        """Refuse a size that is not two positive whole numbers, and two ways to choose frames."""
        if self.stride is not None and self.fps is not None:
            raise ValueError(
                f"Give stride or fps, not both: got stride={self.stride}, fps={self.fps:g}."
            )
        if self.size is not None and (
            len(self.size) != 2
            or not all(isinstance(n, int | np.integer) and n > 0 for n in self.size)
        ):
            raise ValueError(f"size must be (height, width) in whole pixels, got {self.size!r}.")
