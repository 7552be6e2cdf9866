"""Passing speakers to the parts of a model that take them."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray
from sklearn import get_config
from sklearn.model_selection import check_cv
from sklearn.model_selection._search import BaseSearchCV
from sklearn.pipeline import Pipeline
from sklearn.utils.metadata_routing import get_routing_for_object
from sklearn.utils.validation import has_fit_parameter


def group_params(estimator: Any, groups: NDArray[Any] | None) -> dict[str, Any]:
    """Return the keyword arguments that pass the speakers to `fit` of a model.

    Parameters
    ----------
    estimator : estimator
        One whose ``fit`` takes ``groups``; a pipeline with such a step; a search whose splitter
        takes them; or, with metadata routing enabled, one that requests them.
    groups : ndarray of shape (n_clips,) or None
        Speakers.

    Returns
    -------
    params : dict
        Empty if the model has no use for groups.

    Notes
    -----
    With scikit-learn's metadata routing enabled, a model gets groups if it, or a part of it,
    requests them (``set_fit_request(groups=True)``). Without, steps of a `Pipeline` get them by
    name, and a search passes them only to its splitter.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn.model_selection import GridSearchCV, GroupKFold
    >>> from skemotion.base import group_params
    >>> search = GridSearchCV(LogisticRegression(), {"C": [0.1, 1]}, cv=GroupKFold(2))
    >>> group_params(search, np.array([1, 1, 2, 2]))
    {'groups': array([1, 1, 2, 2])}
    >>> group_params(LogisticRegression(), np.array([1, 1, 2, 2]))
    {}
    """
    if groups is None:
        return {}
    if get_config()["enable_metadata_routing"]:
        asked = get_routing_for_object(estimator).consumes("fit", ["groups"])
        return {"groups": groups} if asked else {}
    return dict.fromkeys(_names(estimator), groups)


def _names(estimator: Any) -> list[str]:
    if isinstance(estimator, Pipeline):
        steps = [(name, step) for name, step in estimator.steps if hasattr(step, "fit")]
        return [f"{name}__{param}" for name, step in steps for param in _names(step)]
    if isinstance(estimator, BaseSearchCV):
        # Splitters that have no use for groups warn about them.
        takes = get_routing_for_object(check_cv(estimator.cv)).consumes("split", ["groups"])
    else:
        takes = has_fit_parameter(estimator, "groups")
    return ["groups"] if takes else []
