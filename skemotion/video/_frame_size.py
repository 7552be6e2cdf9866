"""A common frame size for the clips of a corpus."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..base import clip_column, is_missing
from ..io import (
    Limits,
    MediaError,
    Source,
    call_isolated,
    clip_name,
    enforced,
    limits_in_force,
)
from ._decoding import decode_clip, shrink_clip


def common_frame_size(clips: Any, scale: float = 1 / 3) -> tuple[int, int]:
    """Return the size of the first clip that can be read, shrunk.

    As the `size` of a `VideoLoader`, it gives all clips the same size, so a model also takes clips
    from other cameras. Clips are opened in a worker process: one that crashes the decoder or hangs
    is skipped like any other that cannot be read.

    Parameters
    ----------
    clips : column of clips
        As for a `VideoLoader`; empty cells are skipped.
    scale : float, default=1/3
        Share of the clip's own height and width.

    Returns
    -------
    size : tuple of 2 int
        Height and width in pixels, upright.

    Raises
    ------
    MediaError
        If none of the clips can be read; the message gives the last one's reason.
    ValueError
        If this is no column of clips.

    Examples
    --------
    >>> import numpy as np
    >>> from skemotion.video import VideoLoader, common_frame_size
    >>> clips = [np.zeros((3, 240, 426)), np.zeros((3, 480, 640))]
    >>> common_frame_size(clips)
    (80, 142)
    >>> VideoLoader(size=common_frame_size(clips)).fit_transform(clips).shape
    (2, 50, 80, 142)
    """
    column = clip_column(clips)
    if column is None:
        raise ValueError(
            f"Expected a column of clips, such as paths, found {type(clips).__name__}."
        )
    reason = "there is no clip."
    for clip in column.ravel():
        if is_missing(clip):
            continue
        if isinstance(clip, np.ndarray):
            return _size_of(shrink_clip(clip[:1], n_frames=1, scale=scale))
        try:
            # The first clip may crash the decoder like any other.
            return call_isolated(
                _decoded_size, limits_in_force(), clip, scale, name=clip_name(clip)
            )
        except MediaError as error:
            reason = str(error)
    raise MediaError(f"None of the clips can be read. The last: {reason}")


def _decoded_size(limits: Limits, clip: Source, scale: float) -> tuple[int, int]:
    with enforced(limits):  # a worker does not know its caller's
        return _size_of(decode_clip(clip, n_frames=1, scale=scale))


def _size_of(frames: NDArray[Any]) -> tuple[int, int]:
    _, height, width = frames.shape[:3]
    return int(height), int(width)
