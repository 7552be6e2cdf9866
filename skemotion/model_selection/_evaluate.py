"""Evaluating a model on known speakers, on new speakers, or by any split."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterable
from dataclasses import replace
from typing import Any, overload

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_consistent_length

from ..base import check_labels, clip_column, ended_by_interrupts
from ..io import clip_name
from ..pipeline import ClipError, find_unusable, temporary_cache, usable_rows
from ..preprocessing import uses_speaker_clips
from ._audit import CLIP_COLUMNS, audit_split
from ._evaluation import Evaluation
from ._leaks import Leak, LeakageWarning
from ._protocols import Splits, check_protocols, protocol_of
from ._testing import Data, join_probabilities, join_scores, join_seconds, make_scorer, run_splits


@overload
def evaluate(
    model: BaseEstimator,
    X: Any,
    y: Any,
    groups: Any = None,
    *,
    protocol: str = ...,
    cv: Any = ...,
    scoring: Any = ...,
    metadata: Any = ...,
    max_unusable: float = ...,
    n_jobs: int | None = ...,
    random_state: int = ...,
) -> Evaluation: ...


@overload
def evaluate(
    model: BaseEstimator,
    X: Any,
    y: Any,
    groups: Any = None,
    *,
    protocol: Iterable[str],
    cv: None = ...,
    scoring: Any = ...,
    metadata: Any = ...,
    max_unusable: float = ...,
    n_jobs: int | None = ...,
    random_state: int = ...,
) -> list[Evaluation]: ...


def evaluate(
    model: BaseEstimator,
    X: Any,
    y: Any,
    groups: Any = None,
    *,
    protocol: str | Iterable[str] = "speaker-independent",
    cv: Any = None,
    scoring: Any = None,
    metadata: Any = None,
    max_unusable: float = 0.0,
    n_jobs: int | None = None,
    random_state: int = 0,
) -> Evaluation | list[Evaluation]:
    """Evaluate a model by a protocol or by any splits.

    Under ``"speaker-independent"``, speakers are divided into folds (leave-one-speaker-out up to 12
    speakers, else 12 folds), and each fold is tested by a model that was not trained on its
    speakers. Under ``"speaker-dependent"``, a model is trained on two thirds of the clips of each
    speaker and tested on the rest, in five random splits. Only the first shows what to expect for
    new people.

    Parameters
    ----------
    model : estimator
        For example from `make_emotion_pipeline`; not changed. Each clip is opened and described
        once for all splits, using a `temporary_cache` if the model has no `memory`. A model whose
        ``fit`` takes ``groups``, or requests them by metadata routing, gets the training clips'
        speakers, as does a search whose splitter needs groups.
    X : table or column of clips, of length n_clips
        Clips.
    y : array-like of shape (n_clips,)
        Labels of any type.
    groups : array-like of shape (n_clips,), default=None
        Speakers. Both protocols need them.
    protocol : {"speaker-independent", "speaker-dependent"} or iterable of these, \
            default="speaker-independent"
        The protocol, or several in this order.
    cv : int, splitter or iterable of (train, test), default=None
        Splits to use instead of a protocol's; an int is a number of stratified folds. If the
        speakers are known, the protocol that the splits amount to is reported. To split by
        something other than speakers, pass the splits:
        ``cv=list(GroupKFold().split(X, y, sentences))``.
    scoring : str, callable, list of str or dict, default=None
        Further figures of each split, as in `sklearn.model_selection.cross_validate`.
    metadata : DataFrame of length n_clips, default=None
        Metadata of the clips, as for `audit_split`; the splits are then audited, and the findings
        reported with the figures.
    max_unusable : float, default=0.0
        Share of unusable clips that may be left out; see `find_unusable`. With 0, the first such
        clip raises its error.
    n_jobs : int, default=None
        Splits processed at once, after the first; None means 1 unless in a
        `joblib.parallel_config` context. The number of clips opened at once is set by the `n_jobs`
        of each `ClipPipeline`.
    random_state : int, default=0
        Seed of the speaker-dependent splits.

    Returns
    -------
    evaluation : Evaluation, or list of Evaluation
        A list if several protocols were given.

    Raises
    ------
    ValueError
        Before any clip is opened: if lengths differ, a row has no label or no speaker, a protocol
        or scorer is unknown, both `cv` and another protocol than the default are given, or there
        are too few clips for the splits. Later, if too many clips cannot be used.
    MediaError
        If a clip cannot be used and `max_unusable` is 0.

    See Also
    --------
    audit_split : Looks for leaks between training and test.
    compare : Compares two evaluations on the same clips.

    Notes
    -----
    The first split is processed alone, so that the others find the clips in the cache. The
    temporary cache takes disk space: see `temporary_cache`.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.linear_model import LogisticRegression
    >>> from skemotion.model_selection import evaluate
    >>> X = np.tile(np.arange(12.0)[:, np.newaxis] % 2, 3)
    >>> y, speakers = np.tile(["calm", "angry"], 6), np.repeat([1, 2, 3], 4)
    >>> result = evaluate(LogisticRegression(), X, y, speakers)
    >>> result.protocol, result.uar, result.n_splits
    ('speaker-independent', 1.0, 3)
    >>> both = ("speaker-dependent", "speaker-independent")
    >>> results = evaluate(LogisticRegression(), X, y, speakers, protocol=both)
    >>> [result.n_splits for result in results]
    [5, 3]
    >>> evaluate(LogisticRegression(), X, y, cv=4, scoring="neg_log_loss").protocol
    'speakers unknown'
    """
    protocols = check_protocols(protocol, cv)
    y = check_labels(y)
    groups = None if groups is None else check_labels(groups, "speaker")
    check_consistent_length(X, y, groups, metadata)
    scorer = make_scorer(model, scoring)
    # Splits can be iterators, which are gone once they are read.
    cv = list(cv) if isinstance(cv, Iterable) and not hasattr(cv, "split") else cv
    data = Data(X, y, groups, np.arange(len(y)))
    plans = data.plan(protocols, cv, random_state)
    with temporary_cache(model) as cached, ended_by_interrupts():
        errors: list[ClipError] = []
        if max_unusable:
            errors = find_unusable(cached, X)
            rows = usable_rows(errors, len(y), max_unusable)
            if errors:
                cv = _kept_splits(cv, rows, len(y)) if isinstance(cv, list) else cv
                data = data.take(rows)
                plans = data.plan(protocols, cv, random_state)
        names = _clip_names(X, metadata)
        evaluations = []
        for splits, name in plans:
            found = run_splits(cached, data, splits, scorer, n_jobs)
            tested = np.concatenate([test for _, test in splits])
            rows = data.rows[tested]
            kind = protocol_of(splits, data.groups)
            leaks, not_audited = _audit(metadata, splits, data.rows, kind)
            evaluations.append(
                Evaluation(
                    protocol=kind,
                    target=y[rows],
                    prediction=np.concatenate([result.prediction for result in found]),
                    groups=None if groups is None else groups[rows],
                    labels=data.labels,
                    n_clips=len(data.y),
                    n_splits=len(splits),
                    leaks=leaks,
                    rows=rows,
                    folds=np.repeat(np.arange(len(splits)), [len(test) for _, test in splits]),
                    probabilities=join_probabilities(found),
                    clips=None if names is None else names[rows],
                    scores=join_scores(found),
                    unusable=tuple(errors),
                    uses_speaker_clips=uses_speaker_clips(model),
                    splitter=name,
                    not_audited=not_audited,
                    seconds=join_seconds(found),
                )
            )
    return evaluations if cv is None and not isinstance(protocol, str) else evaluations[0]


def _kept_splits(splits: list[Any], rows: NDArray[np.intp], n_clips: int) -> list[Any]:
    """Return the splits without the clips left out, with new row numbers."""
    number = np.full(n_clips, -1)
    number[rows] = np.arange(len(rows))
    sides = [[number[np.arange(n_clips)[side]] for side in split] for split in splits]
    return [tuple(side[side >= 0] for side in split) for split in sides]


def _audit(
    metadata: Any, splits: Splits, rows: NDArray[np.intp], protocol: str
) -> tuple[tuple[Leak, ...], dict[str, str] | None]:
    """Return the first leak of each kind, and what was not looked for.

    Leaks are reported with the figures, not as warnings.
    """
    if metadata is None:
        return (), None
    found: dict[str, Leak] = {}
    not_audited: dict[str, str] = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", LeakageWarning)
        for train, test in splits:
            audit = audit_split(metadata, rows[train], rows[test])
            not_audited = {**audit.not_audited, **not_audited}
            for leak in audit:
                found.setdefault(leak.kind, leak)
    if "speaker" in found and protocol == "speaker-dependent":
        found["speaker"] = replace(found["speaker"], is_note=True)
    return tuple(found.values()), not_audited


def _clip_names(X: Any, metadata: Any) -> NDArray[Any] | None:
    """Return the file of each row, if any."""
    tables = [table for table in (X, metadata) if hasattr(table, "columns")]
    columns = [table[name] for table in tables for name in CLIP_COLUMNS if name in table.columns]
    if not hasattr(X, "columns"):
        own = clip_column(X)
        columns += [] if own is None or own.ndim > 1 else [own]
    names = np.full(len(columns[0]) if columns else 0, None, dtype=object)
    for column in columns:
        for row, clip in enumerate(pd.Series(np.asarray(column, dtype=object)).tolist()):
            if names[row] is None and isinstance(clip, str | os.PathLike):
                names[row] = clip_name(clip)
    return names if any(name is not None for name in names) else None
