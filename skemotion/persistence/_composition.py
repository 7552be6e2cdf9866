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


def check_generators(model: BaseEstimator) -> None:
    """Check that the generators of random numbers in a model are in a state that exists.

    Raises
    ------
    ValueError
        If one would read its next number from outside of its state.
    """
    for part in _parts(model):
        if isinstance(part, np.random.RandomState):
            state = part.get_state(legacy=False)["state"]
            if not 0 <= state.get("pos", 0) <= len(state.get("key", ())):
                raise ValueError("a generator of random numbers in a state that does not exist")


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
