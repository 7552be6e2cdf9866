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


def estimators(model: BaseEstimator) -> Iterator[Any]:
    """Find every estimator in a model: parameters, their fitted copies, and any other."""
    return (part for part in parts_of(model) if isinstance(part, BaseEstimator))


def parts_of(model: BaseEstimator) -> Iterator[Any]:
    """Find everything that a model holds, each once."""
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
            todo.extend(np.ma.getdata(part).flat if part.dtype == object else ())
        elif hasattr(part, "__dict__") and not isinstance(part, type):
            todo.extend(vars(part).values())
