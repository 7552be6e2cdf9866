"""Predicting many clips, some of which cannot be used."""

from __future__ import annotations

import copy
import os
import re
import tempfile
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from typing import Any

import joblib
import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils import _safe_indexing
from sklearn.utils.validation import _num_samples, check_is_fitted

from ..base import UnsuitableModelError, as_table_for, clip_column, is_missing, model_parts
from ..io import Limits, clip_name, enforced, limits_in_force
from ._cache import ClipCache
from ._prediction_file import ClipPrediction, PredictionFile
from ._rows import rows_of
from ._temporary_cache import clip_pipelines, is_known
from ._usable import find_unusable

# Clips per worker in a batch.
_BATCH = 4
_NAMES = ("file", "video", "audio", "landmarks")


def predict_clips(
    model: BaseEstimator,
    X: Any,
    *,
    out: str | os.PathLike[str] | None = None,
    resume: bool = False,
    memory: str | os.PathLike[str] | None = None,
    n_jobs: int | None = None,
) -> Generator[ClipPrediction]:
    """Predict clips one after the other, including clips that cannot be used.

    Clips that cannot be used get an error instead of a label; this includes clips that crash the
    decoder and those beyond the `limits` of time and memory. Memory does not grow with the number
    of clips.

    Parameters
    ----------
    model : estimator
        Fitted; not changed.
    X : table or column of clips
        As the model takes it. In place of a table with columns of clips, a column of clips alone:
        each is then in every column, as a file with picture and sound.
    out : path-like, default=None
        File to which each prediction is written at once: CSV (``.csv``) or JSON lines
        (``.jsonl``), with the columns ``file``, ``label``, ``probability_LABEL`` for each label
        if the model has probabilities, and ``error``. Or JSON (``.json``), a list of the same,
        written when all clips are done.
    resume : bool, default=False
        Whether to continue an existing `out`. It must be of the same clips and the same model; the
        model is not checked. Predictions in it are not computed again.
    memory : path-like, default=None
        Folder in which the results of the per-clip stages are kept, as `ClipPipeline` keeps them:
        clips that another run has described, such as that of another model on the same stages, are
        not described again. None for a temporary folder, or the model's own.
    n_jobs : int, default=None
        Clips processed at once; None uses the setting of each `ClipPipeline`.

    Returns
    -------
    predictions : iterator of ClipPrediction
        One per row, in order, including those already in `out`.

    Raises
    ------
    NotFittedError
        If the model is not fitted.
    UnsuitableModelError
        If the model predicts nothing.
    ValueError
        If `out` has another suffix, or contains predictions of other clips.
    FileExistsError
        If `out` exists and `resume` is False.

    See Also
    --------
    find_unusable : Reports the clips that cannot be used.
    skemotion.datasets.find_clips : Lists the clips of folders and tables.

    Notes
    -----
    A model that scales clips by those of the same speaker gets all clips at once if X has a column
    of speakers; all predictions are then made at the end.

    The `limits` in force at the call apply, wherever the predictions are taken.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.naive_bayes import GaussianNB
    >>> from sklearn.pipeline import make_pipeline
    >>> from skemotion.pipeline import ClipPipeline, predict_clips
    >>> from skemotion.video import HOG3D, VideoLoader
    >>> rng = np.random.default_rng(0)
    >>> clips = [rng.integers(0, 255, (5, 60, 72), dtype=np.uint8) for _ in range(4)]
    >>> describe = ClipPipeline([("load", VideoLoader()), ("hog3d", HOG3D())], flatten=True)
    >>> model = make_pipeline(describe, GaussianNB()).fit(clips, list("abab"))
    >>> for prediction in predict_clips(model, [clips[0], "lost.mp4"]):
    ...     print(prediction.label, prediction.error is None)
    a True
    None False
    """
    check_is_fitted(model)
    if not (hasattr(model, "predict_proba") or hasattr(model, "predict")):
        raise UnsuitableModelError(
            f"predict_clips expected a model with predict_proba or predict, got "
            f"{type(model).__name__}: put a classifier at its end."
        )
    X = X if hasattr(X, "columns") else rows_of(X)
    names = _names(X)
    X = as_table_for(model, X)
    file = None
    if out is not None:
        gives = hasattr(model, "predict_proba")
        # A model without classes gives labels of any kind.
        labels = getattr(model, "classes_", np.array([])).tolist()
        file = PredictionFile(out, names, labels, gives_probabilities=gives, resume=resume)
    return _predictions(model, X, names, file, memory, n_jobs, limits_in_force())


def _predictions(
    model: Any,
    X: Any,
    names: list[str],
    file: PredictionFile | None,
    memory: str | os.PathLike[str] | None,
    n_jobs: int | None,
    limits: Limits,
) -> Generator[ClipPrediction]:
    try:
        kept = [] if file is None else file.kept
        yield from kept
        if len(kept) < len(names):
            for prediction in _computed(model, X, names, len(kept), memory, n_jobs, limits):
                if file is not None:
                    file.write(prediction)
                yield prediction
        if file is not None:
            file.finish()
    finally:
        if file is not None:
            file.close()


def _computed(
    model: Any,
    X: Any,
    names: list[str],
    start: int,
    memory: str | os.PathLike[str] | None,
    n_jobs: int | None,
    limits: Limits,
) -> Generator[ClipPrediction]:
    """Predict the rows from one on, batch by batch."""
    n_clips = len(names)
    together = _looks_at_speakers(model, X)
    with _cached(model, memory, n_jobs) as (own, cache):
        size = n_clips if together else _BATCH * joblib.effective_n_jobs(_n_jobs(own))
        for first in range(0 if together else start, n_clips, size):
            rows = np.arange(first, min(first + size, n_clips))
            part = _safe_indexing(X, rows)
            with enforced(limits):  # not while the caller has a prediction
                bad = {
                    error.row: _renumbered(error.reason, error.row, error.row + first)
                    for error in find_unusable(own, part)
                }
                good = np.setdiff1d(np.arange(len(rows)), list(bad)).astype(np.intp)
                found = dict(zip(good.tolist(), _verdicts(own, part, good), strict=True))
            for position, row in enumerate(rows.tolist()):
                verdict = found.get(position)
                if row >= start:
                    if verdict is None or isinstance(verdict, str):
                        reason = bad[position] if verdict is None else _renumbered(verdict, 0, row)
                        yield ClipPrediction(row, names[row], None, {}, " ".join(reason.split()))
                    else:
                        label, shares = verdict
                        yield ClipPrediction(row, names[row], label, shares, None)
            # No clip comes again.
            if cache is not None:
                cache.clear()


def _verdicts(model: Any, X: Any, rows: Any) -> list[Any]:
    """Return label and probabilities of each row, or why there are none."""
    if not len(rows):
        return []
    part = _safe_indexing(X, rows)
    try:
        if hasattr(model, "predict_proba"):
            classes = model.classes_.tolist()
            shares = model.predict_proba(part)
            return [
                (classes[row.argmax()], dict(zip(classes, row.tolist(), strict=True)))
                for row in shares
            ]
        return [(label, {}) for label in np.asarray(model.predict(part)).tolist()]
    except ValueError as error:
        if len(rows) == 1:
            return [str(error)]
        # One of them it was.
        return [verdict for row in rows for verdict in _verdicts(model, X, [row])]


def _renumbered(reason: str, position: int, row: int) -> str:
    """Put the number of a row of all clips in place of that in its batch."""
    return re.sub(rf"(^|; )([Rr]ow|clip) {position}\b", rf"\1\2 {row}", reason)


@contextmanager
def _cached(
    model: Any, memory: str | os.PathLike[str] | None, n_jobs: int | None
) -> Iterator[tuple[Any, ClipCache | None]]:
    """Return a copy of a model that opens each clip once, and the cache to empty on the way."""
    own = copy.deepcopy(model)
    pipelines = clip_pipelines(own)
    with tempfile.TemporaryDirectory(prefix="skemotion-", ignore_cleanup_errors=True) as folder:
        bare = [part for part in pipelines if part.memory is None and is_known(part)]
        for part in pipelines:
            part.n_jobs = part.n_jobs if n_jobs is None else n_jobs
            part.verbose = False
        for part in bare:
            part.memory = folder if memory is None else memory
        yield own, ClipCache(folder) if bare and memory is None else None


def _n_jobs(model: Any) -> int | None:
    return next((part.n_jobs for part in clip_pipelines(model)), 1)


def _looks_at_speakers(model: Any, X: Any) -> bool:
    """Return whether the prediction for a clip depends on other clips of its speaker."""
    for part in model_parts(model):
        if getattr(part, "uses_speaker_clips", False) is True:
            if not isinstance(part.speaker, str) or not hasattr(X, "columns"):
                return not isinstance(part.speaker, str)
            if part.speaker in X.columns and not all(map(is_missing, X[part.speaker])):
                return True
    return False


def _names(X: Any) -> list[str]:
    """Name each row by its first clip."""
    if not hasattr(X, "columns"):
        column = clip_column(X)
        if column is None or column.ndim > 1:
            return [f"row {row}" for row in range(_num_samples(X))]
        return [clip_name(clip) for clip in column]
    columns = [list(X[name]) for name in _NAMES if name in X.columns]
    rows = zip(*columns, strict=True) if columns else [()] * len(X)
    return [
        next((clip_name(clip) for clip in clips if not is_missing(clip)), f"row {row}")
        for row, clips in enumerate(rows)
    ]
