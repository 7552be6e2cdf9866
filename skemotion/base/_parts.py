"""What a model is made of."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.frozen import FrozenEstimator


def model_parts(model: Any, *, skip_frozen: bool = False) -> list[Any]:
    """Find every estimator in a model, the model itself among them.

    The search covers parameters and fitted attributes, with the lists, tuples, dicts and object
    arrays in them.

    Parameters
    ----------
    model : estimator
        Fitted or not.
    skip_frozen : bool, default=False
        Whether to skip the content of a `FrozenEstimator`, which `clone` does not copy.

    Returns
    -------
    estimators : list of estimator
        Each once.

    Examples
    --------
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn.model_selection import GridSearchCV
    >>> from sklearn.pipeline import make_pipeline
    >>> from skemotion.base import model_parts
    >>> search = GridSearchCV(make_pipeline("passthrough", LogisticRegression()), {})
    >>> [type(part).__name__ for part in model_parts(search)]
    ['GridSearchCV', 'Pipeline', 'LogisticRegression']
    """
    found: dict[int, Any] = {}
    seen: dict[int, Any] = {}
    waiting = [model]
    while waiting:
        value = waiting.pop()
        if id(value) in seen:
            continue
        if isinstance(value, BaseEstimator):
            found[id(value)] = value
            if not (skip_frozen and isinstance(value, FrozenEstimator)):
                waiting += vars(value).values()
        elif isinstance(value, dict):
            waiting += value.values()
        elif isinstance(value, list | tuple | set | frozenset):
            waiting += value
        elif isinstance(value, np.ndarray) and value.dtype == object:
            waiting += value.ravel().tolist()
        else:
            continue
        seen[id(value)] = value  # kept, so that no other object gets its id
    return list(found.values())
