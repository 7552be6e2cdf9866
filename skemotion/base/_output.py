"""What `set_output` does with the results of stages."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

import numpy as np
from sklearn.utils._set_output import _wrap_data_with_container


class TableOutputMixin:
    """Let `set_output` make DataFrames of 2-d numbers, and leave all other results arrays.

    scikit-learn would try to make a DataFrame of every result, which fails for more than two axes,
    and so for every pipeline with pandas output. Objects, such as waveforms in one column per
    variant, are input of the next stage. This also works in a subclass that overrides
    ``transform`` or ``fit_transform``.
    """

    fit: Callable[..., Any]

    def fit_transform(self, X: Any, y: Any = None, **fit_params: Any) -> Any:
        """Fit to X and transform it.

        Parameters
        ----------
        X : column(s) of clips, or array-like of shape (n_clips, ...)
            As for `transform`.
        y : array-like of shape (n_clips,), default=None
            Ignored by stages that do not use it.
        **fit_params : Any
            Passed to `fit`.

        Returns
        -------
        result : ndarray of shape (n_clips, ...)
            As from `transform`.
        """
        # TransformerMixin's own would wrap all results.
        return self.fit(X, y, **fit_params).transform(X)

    def __init_subclass__(cls, **kwargs: Any) -> None:
        # Without keys, scikit-learn does not wrap the methods as well.
        super().__init_subclass__(auto_wrap_output_keys=None, **kwargs)  # type: ignore[call-arg]
        cls._sklearn_auto_wrap_output_keys = {"transform"}  # type: ignore[attr-defined]
        for name in ("transform", "fit_transform"):
            if name in vars(cls):
                setattr(cls, name, _framing(vars(cls)[name]))


def _framing(method: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(method)
    def framed(self: Any, X: Any, *args: Any, **kwargs: Any) -> Any:
        result = method(self, X, *args, **kwargs)
        # `fit_transform` gets a result from `transform` that may be a DataFrame already.
        if not isinstance(result, np.ndarray) or result.ndim != 2 or result.dtype == object:
            return result
        return _wrap_data_with_container("transform", result, X, self)

    return framed
