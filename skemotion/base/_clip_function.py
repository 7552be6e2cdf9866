"""A stage made of a plain function."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from sklearn.utils._param_validation import StrOptions

from ._clip_transformer import ClipTransformer


class ClipFunction(ClipTransformer):
    """Make a stage of a function that turns one clip into one array.

    Parameters
    ----------
    func : callable
        Takes a clip, and the keyword arguments in `kw_args`; returns an array or a list of
        numbers. To be saved with a model or kept in a cache, it must be defined at the top level
        of a module.
    takes : {"clips", "frames", "waveforms", "trajectories", "landmarks", "arrays"}, \
            default="arrays"
        What the function takes; see `ClipTransformer`.
    ragged : bool, default=False
        Whether results differ in length from clip to clip.
    kw_args : dict, default=None
        Further arguments of the function.

    Attributes
    ----------
    n_features_in_ : int
        Second axis of X at fit; the number of columns if X was columns of clips.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Column names of X at fit, if X was numbers and had any.
    clip_shape_ : tuple of int
        Shape of a clip at fit, if X was an array of numbers; empty for columns of clips.

    See Also
    --------
    ClipTransformer : The base class, for stages with parameters of their own.

    Examples
    --------
    >>> import librosa
    >>> import numpy as np
    >>> from skemotion.base import ClipFunction
    >>> def trim(waveform, top_db):
    ...     return librosa.effects.trim(waveform, top_db=top_db)[0]
    >>> stage = ClipFunction(trim, takes="waveforms", ragged=True, kw_args={"top_db": 30})
    >>> voice = np.concatenate([np.zeros(8000), np.ones(2048), np.zeros(8000)])
    >>> [len(clip) < len(voice) for clip in stage.transform([voice])]
    [True]
    """

    _parameter_constraints = {
        "func": [callable],
        "takes": [
            StrOptions({"clips", "frames", "waveforms", "trajectories", "landmarks", "arrays"})
        ],
        "ragged": ["boolean"],
        "kw_args": [dict, None],
    }

    def __init__(
        self,
        func: Callable[..., Any],
        *,
        takes: str = "arrays",
        ragged: bool = False,
        kw_args: Mapping[str, Any] | None = None,
    ) -> None:
        self.func = func
        self.takes = takes  # type: ignore[misc]
        self.ragged = ragged  # type: ignore[misc]
        self.kw_args = kw_args

    def transform_clip(self, clip: Any) -> Any:
        """Call the function on one clip."""
        return self.func(clip, **(self.kw_args or {}))

    def _prefix(self) -> str:
        return str(getattr(self.func, "__name__", "function")).strip("<>")
