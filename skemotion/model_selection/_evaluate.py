"""Testing a model on people it knows and on people it does not."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, clone
from sklearn.model_selection import GroupKFold
from sklearn.utils import _safe_indexing
from sklearn.utils.metadata_routing import get_routing_for_object
from sklearn.utils.parallel import Parallel, delayed
from threadpoolctl import threadpool_limits

from ..pipeline import run_clip_stages
from ._audit import audit_split
from ._evaluation import Evaluation
from ._leaks import Leak, LeakageWarning
from ._split import WithinGroupShuffleSplit

PROTOCOLS = ("speaker-dependent", "speaker-independent")

_MOST_FOLDS = 12


def evaluate(
    model: BaseEstimator,
    X: Any,
    y: NDArray[Any],
    groups: NDArray[Any],
    *,
    metadata: pd.DataFrame | None = None,
    protocols: tuple[str, ...] = PROTOCOLS,
    n_jobs: int | None = None,
    random_state: int = 0,
) -> list[Evaluation]:
    """Test a model under one protocol or both.

    Under ``"speaker-dependent"``, two thirds of each actor's clips are trained on and the rest is
    tested, in five random splits. Under ``"speaker-independent"``, actors are dealt into folds (one
    each up to 12 actors, 12 folds beyond), and each fold is tested by a model that has not seen
    its actors. Only the second says what to expect for other people.

    Parameters
    ----------
    model : estimator
        Such as `make_emotion_pipeline` returns. The steps that work clip by clip are run once,
        before the splits, as they learn nothing. One whose ``fit`` asks for ``groups`` by metadata
        routing gets the training clips' actors.
    X : DataFrame or other table of length n_clips
        Clips.
    y : ndarray of shape (n_clips,)
        Emotions.
    groups : ndarray of shape (n_clips,)
        Actors.
    metadata : DataFrame, default=None
        What is known of the clips, as `audit_split` takes it; the splits are then audited, and the
        figures come with what was found.
    protocols : tuple of {"speaker-dependent", "speaker-independent"}, default=both
        The protocols, in this order.
    n_jobs : int, default=None
        Splits worked on at once; None means 1 unless in a `joblib.parallel_config` context.
    random_state : int, default=0
        Seed of the speaker-dependent splits.

    Returns
    -------
    evaluations : list of Evaluation
        One per protocol.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.linear_model import LogisticRegression
    >>> from skemotion.model_selection import evaluate
    >>> X = np.tile(np.arange(12.0)[:, np.newaxis] % 2, 3)
    >>> y, actors = np.tile(["calm", "angry"], 6), np.repeat([1, 2, 3], 4)
    >>> for result in evaluate(LogisticRegression(), X, y, actors):
    ...     print(result.protocol, result.uar, result.n_splits)
    speaker-dependent 1.0 5
    speaker-independent 1.0 3
    """
    y, groups = np.asarray(y), np.asarray(groups)
    labels = list(dict.fromkeys(y.tolist()))
    n_groups = len(np.unique(groups))
    if len(labels) < 2:
        raise ValueError(
            f"Expected clips of at least two emotions, found only {labels}: there is nothing to "
            "tell apart."
        )
    unknown = set(protocols) - set(PROTOCOLS)
    if unknown:
        raise ValueError(f"protocols must be among {PROTOCOLS}, got {sorted(unknown)}.")
    if "speaker-independent" in protocols and n_groups < 2:
        raise ValueError(
            "The speaker-independent protocol needs clips of at least two actors, found one. Add "
            "actors, or ask for the speaker-dependent protocol alone (--protocol speaker-dependent)."
        )
    model, X, _ = run_clip_stages(model, X)
    evaluations = []
    for protocol in protocols:
        splitter = (
            WithinGroupShuffleSplit(5, random_state=random_state)
            if protocol == "speaker-dependent"
            else GroupKFold(min(n_groups, _MOST_FOLDS))
        )
        splits = list(splitter.split(X, y, groups))
        # Threads share the descriptors, which may be gigabytes. BLAS gets one within each, whatever
        # their number: several add in another order, and figures would hang on n_jobs.
        with threadpool_limits(1, user_api="blas"):
            predictions = Parallel(n_jobs=n_jobs, prefer="threads")(
                delayed(_predict)(model, X, y, groups, train, test) for train, test in splits
            )
        leaks = {} if metadata is None else _audit(metadata, splits)
        tested = np.concatenate([test for _, test in splits])
        evaluations.append(
            Evaluation(
                protocol=protocol,
                target=y[tested],
                prediction=np.concatenate(predictions),
                groups=groups[tested],
                labels=labels,
                n_clips=len(y),
                n_splits=len(splits),
                leaks=tuple(leaks.values()),
            )
        )
    return evaluations


def _audit(metadata: pd.DataFrame, splits: list[tuple[Any, Any]]) -> dict[str, Leak]:
    """Give the first leak of each kind; they are told with the figures, not as warnings."""
    found: dict[str, Leak] = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", LeakageWarning)
        for train, test in splits:
            for leak in audit_split(metadata, train, test):
                found.setdefault(leak.kind, leak)
    return found


def _predict(
    model: BaseEstimator,
    X: Any,
    y: NDArray[Any],
    groups: NDArray[Any],
    train: NDArray[np.intp],
    test: NDArray[np.intp],
) -> NDArray[Any]:
    # A network that stops early on people it has not seen asks for them by metadata routing.
    asks = get_routing_for_object(model).consumes("fit", ["groups"])
    routed = {"groups": groups[train]} if asks else {}
    fitted = clone(model).fit(_safe_indexing(X, train), y[train], **routed)
    return np.asarray(fitted.predict(_safe_indexing(X, test)))
