"""Walking through all that a model is composed of."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import joblib
import numpy as np
from sklearn.base import BaseEstimator

from ..pipeline import ClipPipeline

_PACKAGE = __name__.partition(".")[0]
# Fitted attributes with one value for each column or class: with another axis, what is computed of
# them and a clip would be as large as a file chooses.
_OF_ONE_AXIS = {
    "center_", "class_log_prior_", "class_prior_", "classes_", "data_max_", "data_min_", "lambdas_",
    "max_abs_", "mean_", "min_", "priors_", "scale_", "statistics_", "xbar_",
}  # fmt: skip
_LARGEST = 2**20  # of the numbers that are parameters of a stage, such as samples per second


@contextmanager
def without_caches(model: BaseEstimator) -> Iterator[None]:
    """Take the folders of caches out of a model for a while."""
    folders = [(found, found.memory) for found in estimators(model) if _has_cache(found)]
    try:
        for estimator, _ in folders:
            estimator.memory = None
        yield
    finally:
        for estimator, folder in folders:
            estimator.memory = folder


def suit_here(
    model: BaseEstimator, memory: str | os.PathLike[str] | None, n_jobs: int | None
) -> None:
    """Give every `ClipPipeline` in a model this cache and workers, and everything else neither."""
    for estimator in estimators(model):
        for setting in {"memory", "n_jobs"} & set(vars(estimator)):
            setattr(estimator, setting, None)
        if isinstance(estimator, ClipPipeline):
            estimator.set_params(memory=memory, n_jobs=n_jobs)


def _has_cache(estimator: Any) -> bool:
    folder = getattr(estimator, "memory", None)
    return isinstance(folder, str | os.PathLike | joblib.Memory)


def check_parts(model: BaseEstimator) -> None:
    """Check what the parts of a model are trusted with.

    Raises
    ------
    ValueError
        If a part replaces a method of its class or the constraints of its parameters, on which
        compiled code relies; if it asks for memory out of all proportion; or if a generator of
        random numbers is in a state that does not exist, and would read its next number from
        elsewhere.
    """
    for part in _parts(model):
        if hasattr(part, "__dict__") and not isinstance(part, type | dict):
            replaced = {name for name in vars(part) if _is_of_class(type(part), name)}
            if isinstance(part, BaseEstimator):
                replaced -= set(part._get_param_names())
            if replaced:
                raise ValueError(
                    f"a {type(part).__name__} with its own {', '.join(sorted(replaced))}"
                )
        if isinstance(part, BaseEstimator):
            _check_sizes(part)
        if isinstance(part, np.random.RandomState):
            state = part.get_state(legacy=False)["state"]
            if not 0 <= state.get("pos", 0) <= len(state.get("key", ())):
                raise ValueError("a generator of random numbers in a state that does not exist")


def _check_sizes(part: BaseEstimator) -> None:
    """Check what multiplies with the size of a clip."""
    name = type(part).__name__
    for attribute, value in vars(part).items():
        if isinstance(value, np.ndarray) and attribute in _OF_ONE_AXIS and value.ndim > 1:
            raise ValueError(f"a {name} whose {attribute} has {value.ndim} axes")
    n_classes, classes = getattr(part, "n_classes_", None), getattr(part, "classes_", ())
    if isinstance(n_classes, int | np.integer) and np.size(classes) != n_classes:
        raise ValueError(f"a {name} of {n_classes} classes with other names of them")
    if type(part).__module__.partition(".")[0] == _PACKAGE:
        for parameter in set(part._get_param_names()) - {"random_state"}:
            value = getattr(part, parameter, None)
            if isinstance(value, int) and value > _LARGEST:
                raise ValueError(f"a {name} of {parameter}={value}")


def _is_of_class(known: type, name: str) -> bool:
    """Return whether an attribute is the class's to set, and not its instances'."""
    for base in known.__mro__:
        if name in vars(base):
            value = vars(base)[name]
            own = base.__module__.partition(".")[0] == _PACKAGE
            return own or name == "_parameter_constraints" or hasattr(value, "__get__")
    return False


def estimators(model: BaseEstimator) -> Iterator[Any]:
    """Find every estimator in a model: parameters, their fitted copies, and any other."""
    return (part for part in _parts(model) if isinstance(part, BaseEstimator))


def _parts(model: BaseEstimator) -> Iterator[Any]:
    todo: list[Any] = [model]
    seen: set[int] = set()
    while todo:
        part = todo.pop()
        if id(part) in seen:
            continue
        seen.add(id(part))
        yield part
        if isinstance(part, dict):
            todo.extend(part.values())
        elif isinstance(part, list | tuple | set | frozenset):
            todo.extend(part)
        elif isinstance(part, np.ndarray):
            todo.extend(part.flat if part.dtype == object else ())
        elif hasattr(part, "__dict__") and not isinstance(part, type):
            todo.extend(vars(part).values())
