"""Loading landmarks from files as a stage."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..base import ClipTransformer, check_cell, is_sound
from ..io import MediaError, Source
from ._landmark_files import read_landmarks


class LandmarkLoader(ClipTransformer):
    r"""Load the facial landmarks of clips from files, as OpenFace writes them.

    Attributes
    ----------
    n_features_in_ : int
        Second axis of X at fit; 1 for a column of clips.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Column names of X at fit, if X was numbers and had any.
    clip_shape_ : tuple of int
        Shape of a clip at fit, if X was an array; empty for a column of clips.

    See Also
    --------
    read_landmarks : The same for one clip, with the details.
    FaceMeasures : Measures of 68 landmarks.
    skemotion.datasets.load_ravdess : Gives a column of such files.

    Examples
    --------
    >>> from skemotion.video import LandmarkLoader
    >>> file = b"frame,x_0,x_1,y_0,y_1\n1,10,20,5,5\n2,12,24,5,7\n"
    >>> [clip.shape for clip in LandmarkLoader().transform([file])]
    [(2, 2, 2)]
    """

    takes = "clips"
    ragged = True
    _in_memory = "landmarks"
    _keeps_shape = False

    def transform_clip(self, clip: Source | NDArray[Any]) -> NDArray[Any]:
        """Load one clip's landmarks.

        Parameters
        ----------
        clip : path, address, bytes or array
            A file as `read_landmarks` takes it, or its segment (``clip.csv#t=10,12.5``, which needs
            a column of time stamps), or landmarks of shape (n_frames, n_points, 2 or 3).

        Returns
        -------
        landmarks : ndarray of shape (n_frames, n_points, 2)
            In pixels, x then y. An array stays as it is.

        Raises
        ------
        MediaError
            If the file is missing, damaged, without landmarks or exceeds `skemotion.limits`.
        """
        if isinstance(clip, np.ndarray):
            expected = "landmarks of shape (n_frames, n_points, 2 or 3)"
            return check_cell(self, clip, 0, ndim=(3,), expected=expected)
        if is_sound(clip):
            raise MediaError(
                f"expected landmarks, found sound at {clip[0]} Hz. Pass it in the audio column."
            )
        return read_landmarks(clip)

    def name_values(self, input_features: Sequence[str] | None) -> list[str]:
        """Name the one column of clips; of a table, its columns."""
        if not self.clip_shape_:
            return ["landmarks"]
        return [f"landmarks{i:04d}" for i in range(int(np.prod(self.clip_shape_)))]
