"""Fitting and testing a model, split by split."""

from __future__ import annotations

import time
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, clone
from sklearn.metrics import check_scoring
from sklearn.utils import _safe_indexing
from sklearn.utils.parallel import Parallel, delayed
from threadpoolctl import threadpool_limits

from ..base import group_params, model_parts
from ..io import Limits, enforced, limits_in_force
from ..pipeline import ClipPipeline
from ._protocols import Splits, make_splits, splitter_of


class Data(NamedTuple):
    """Clips to split, and the row of each in what the user gave."""

    X: Any
    y: NDArray[Any]
    groups: NDArray[Any] | None
    rows: NDArray[np.intp]

    def take(self, rows: NDArray[np.intp]) -> Data:
        groups = None if self.groups is None else self.groups[rows]
        return Data(_safe_indexing(self.X, rows), self.y[rows], groups, self.rows[rows])

    @property
    def labels(self) -> list[Any]:
        return list(dict.fromkeys(self.y.tolist()))

    def plan(self, protocols: list[str], cv: Any, random_state: int) -> list[tuple[Splits, str]]:
        """Split for each protocol, or by cv."""
        if len(self.labels) < 2:
            raise ValueError(
                f"Expected clips of at least two classes, found only {self.labels}: there is "
                "nothing to learn. Add clips."
            )
        splitters = (
            [splitter_of(name, self.groups, random_state) for name in protocols]
            if cv is None
            else [cv]
        )
        return [make_splits(splitter, self.X, self.y, self.groups) for splitter in splitters]


class Found(NamedTuple):
    """What a split gave."""

    prediction: NDArray[Any]
    probabilities: NDArray[np.float64] | None
    scores: dict[str, float]
    fit_seconds: float
    predict_seconds: float


def run_splits(
    model: BaseEstimator, data: Data, splits: Splits, scorer: Any, n_jobs: int | None
) -> list[Found]:
    model = clone(model)
    pipelines = [
        part for part in model_parts(model, skip_frozen=True) if isinstance(part, ClipPipeline)
    ]
    alone = splits[:1] if pipelines else []
    # Threads share the descriptors, which may be gigabytes. BLAS gets one within each, whatever
    # their number: several add in another order, and figures would depend on n_jobs.
    with threadpool_limits(1, user_api="blas"):
        # Threads do not inherit limits.
        work = partial(_run_split, limits_in_force(), model, data, scorer)
        found = [work(*split) for split in alone]
        # From here on there is nothing to wait for but what learns.
        for pipeline in pipelines:
            pipeline.verbose = False
        found += Parallel(n_jobs=n_jobs, prefer="threads")(
            delayed(work)(train, test) for train, test in splits[len(alone) :]
        )
    return found


def _run_split(
    limits: Limits,
    model: BaseEstimator,
    data: Data,
    scorer: Any,
    train: NDArray[np.intp],
    test: NDArray[np.intp],
) -> Found:
    known = None if data.groups is None else data.groups[train]
    with enforced(limits):
        X = _safe_indexing(data.X, train)
        start = time.perf_counter()
        fitted = clone(model).fit(X, data.y[train], **group_params(model, known))
        fit_seconds = time.perf_counter() - start
        X = _safe_indexing(data.X, test)
        start = time.perf_counter()
        prediction = np.asarray(fitted.predict(X))
        predict_seconds = time.perf_counter() - start
        scores = {} if scorer is None else scorer(fitted, X, data.y[test])
        probabilities = _probabilities(fitted, X, data.labels)
    return Found(prediction, probabilities, scores, fit_seconds, predict_seconds)


def _probabilities(fitted: Any, X: Any, labels: list[Any]) -> NDArray[np.float64] | None:
    if not (hasattr(fitted, "predict_proba") and hasattr(fitted, "classes_")):
        return None
    given = np.asarray(fitted.predict_proba(X))
    # Training clips may lack a label, and it then has no column.
    columns = [labels.index(label) for label in np.asarray(fitted.classes_).tolist()]
    probabilities = np.zeros((len(given), len(labels)))
    probabilities[:, columns] = given
    return probabilities


def join_probabilities(found: list[Found]) -> NDArray[np.float64] | None:
    tables = [result.probabilities for result in found if result.probabilities is not None]
    return np.concatenate(tables) if len(tables) == len(found) else None


def join_scores(found: list[Found]) -> dict[str, NDArray[np.float64]]:
    return {name: np.array([result.scores[name] for result in found]) for name in found[0].scores}


def join_seconds(found: list[Found]) -> pd.DataFrame:
    seconds = [(result.fit_seconds, result.predict_seconds) for result in found]
    return pd.DataFrame(seconds, columns=["fit", "predict"])


def make_scorer(model: BaseEstimator, scoring: Any) -> Any:
    """Return a function of a fitted model, X and y that gives a dict of figures."""
    if scoring is None:
        return None
    if not callable(scoring):
        return check_scoring(model, [scoring] if isinstance(scoring, str) else scoring)
    name = getattr(scoring, "__name__", "score")

    def score(fitted: Any, X: Any, y: Any) -> dict[str, float]:
        figures = scoring(fitted, X, y)
        return figures if isinstance(figures, dict) else {name: figures}

    return score
