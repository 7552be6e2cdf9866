"""Clips that cannot be used: finding them, and fitting a model without them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, clone
from sklearn.compose import ColumnTransformer
from sklearn.pipeline import FeatureUnion, Pipeline
from sklearn.utils import _safe_indexing
from sklearn.utils.validation import _num_samples, check_consistent_length

from .._threads import one_blas_thread
from ..base import as_table, ended_by_interrupts, group_params, plural
from ..io import Limits, Outcome
from ._clip_pipeline import ClipPipeline
from ._column_transformer import ClipColumnTransformer
from ._failure import Failure
from ._jobs import Job
from ._rows import progress, row_name, rows_of
from ._running import ClipError, ended_early, row_and_reason, run_clips, sift
from ._temporary_cache import clip_pipelines, forget_temporary, temporary_cache

_Errors = dict[int, ClipError]


def find_unusable(
    model: BaseEstimator, X: Any, *, n_jobs: int | None = None, verbose: bool = False
) -> list[ClipError]:
    """Send clips through a model's clip stages, and report those that cannot be used.

    Parameters
    ----------
    model : estimator
        Not changed, and not fitted. Clip stages are found in the first step of a `Pipeline`; in
        the branches of a `ColumnTransformer`, a `FeatureUnion` or a `FusionClassifier`; and in the
        estimator of a search or another meta-estimator. For other models, no clip is reported.
    X : table or column of clips
        As the model takes it.
    n_jobs : int, default=None
        Clips processed at once; None uses the setting of each `ClipPipeline`. They run in worker
        processes: a clip that crashes the decoder, or exceeds `limits` of time or memory, is
        reported like any other.
    verbose : bool, default=False
        Show progress, with the time that remains.

    Returns
    -------
    errors : list of ClipError
        One per row that cannot be used, in the order of rows. With several branches, a row cannot
        be used if one of them fails; in a `FusionClassifier`, for which one branch suffices, if all
        fail. A `ClipPipeline` with ``on_error="nan"`` does not count: there, the model handles such
        clips itself.

    See Also
    --------
    fit_usable : Fits a model on the other rows.
    temporary_cache : Keeps the results, for a fit that follows.

    Examples
    --------
    >>> from sklearn.naive_bayes import GaussianNB
    >>> from sklearn.pipeline import make_pipeline
    >>> from skemotion.pipeline import ClipPipeline, find_unusable
    >>> from skemotion.video import HOG3D, VideoLoader
    >>> describe = ClipPipeline([("load", VideoLoader()), ("hog3d", HOG3D())], flatten=True)
    >>> for error in find_unusable(make_pipeline(describe, GaussianNB()), ["lost.mp4"]):
    ...     print(error.row, error.step, error.reason)
    0 load lost.mp4: expected a media file, found no such file. Check the path.
    """
    for part in clip_pipelines(model):
        if part.memory is not None:
            part._job()  # raises before the work what is no fault of clips: a missing package
    errors = _failures(model, X, _Settings(n_jobs, verbose))
    return [errors[row] for row in sorted(errors)]


def usable_rows(errors: Sequence[ClipError], n_clips: int, max_unusable: float) -> NDArray[np.intp]:
    """Return the rows that can be used; refuse too many unusable ones.

    Parameters
    ----------
    errors : sequence of ClipError
        From `find_unusable`.
    n_clips : int
        Number of rows.
    max_unusable : float
        Share of rows that may be left out, 0 to 1.

    Returns
    -------
    rows : ndarray of int
        In order.

    Raises
    ------
    ValueError
        If there are more errors; the message names the first clips.

    Examples
    --------
    >>> from skemotion.pipeline import ClipError, usable_rows
    >>> usable_rows([ClipError(1, "clip 1 (b.wav)", "load", "b.wav: empty.")], 4, 0.25)
    array([0, 2, 3])
    """
    if not 0 <= max_unusable <= 1:
        raise ValueError(f"max_unusable must be a share from 0 to 1, got {max_unusable!r}.")
    bad = {error.row for error in errors}
    if len(bad) > max_unusable * n_clips or len(bad) == n_clips:
        shown = [row_and_reason(error) for error in errors[:5]]
        more = [f"and {len(bad) - 5} more"] if len(bad) > 5 else []
        head = f"{len(bad)} of {plural(n_clips, 'clip')} cannot be used"
        head += (
            f", and at most {max_unusable:.0%} may be left out. Replace or remove them, or raise "
            "max_unusable:"
            if len(bad) < n_clips
            else ". Replace them:"
        )
        raise ValueError("\n  ".join([head, *shown, *more]))
    return np.setdiff1d(np.arange(n_clips), list(bad)).astype(np.intp)


def fit_usable(
    model: BaseEstimator,
    X: Any,
    y: Any,
    groups: Any = None,
    *,
    max_unusable: float = 0.1,
    n_jobs: int | None = None,
    verbose: bool = False,
) -> tuple[Any, list[ClipError]]:
    """Fit a model on the clips that can be used.

    Parameters
    ----------
    model : estimator
        Not changed; see `find_unusable`. Each clip is opened once, using a `temporary_cache` if
        the model has no `memory`.
    X : table or column of clips, of length n_clips
        As the model takes it.
    y : array-like of shape (n_clips,)
        Labels.
    groups : array-like of shape (n_clips,), default=None
        Speakers, for a model whose ``fit`` takes or requests ``groups``.
    max_unusable : float, default=0.1
        Share of clips that may be left out, 0 to 1.
    n_jobs : int, default=None
        Clips processed at once; None uses the setting of each `ClipPipeline`.
    verbose : bool, default=False
        Show progress, with the time that remains.

    Returns
    -------
    fitted : estimator
        Fitted clone of the model.
    errors : list of ClipError
        The clips that were left out.

    Raises
    ------
    ValueError
        If more clips cannot be used, or the lengths differ.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.naive_bayes import GaussianNB
    >>> from sklearn.pipeline import make_pipeline
    >>> from skemotion.pipeline import ClipPipeline, fit_usable
    >>> from skemotion.video import HOG3D, VideoLoader
    >>> rng = np.random.default_rng(0)
    >>> clips = [rng.integers(0, 255, (5, 60, 72), dtype=np.uint8) for _ in range(4)]
    >>> describe = ClipPipeline([("load", VideoLoader()), ("hog3d", HOG3D())], flatten=True)
    >>> model, errors = fit_usable(
    ...     make_pipeline(describe, GaussianNB()),
    ...     [*clips, "lost.mp4"],
    ...     list("ababa"),
    ...     max_unusable=0.5,
    ... )
    >>> [error.row for error in errors]
    [4]
    >>> model.predict(clips)
    array(['a', 'b', 'a', 'b'], dtype='<U1')
    """
    check_consistent_length(X, y, groups)
    with temporary_cache(model) as cached:
        errors = find_unusable(cached, X, n_jobs=n_jobs, verbose=verbose)
        rows = usable_rows(errors, _num_samples(X), max_unusable)
        X, y = _safe_indexing(X, rows), np.asarray(y)[rows]
        known = None if groups is None else np.asarray(groups)[rows]
        with ended_by_interrupts():
            fitted = clone(cached).fit(X, y, **group_params(cached, known))
    forget_temporary(fitted)
    return fitted, errors


class _Settings(NamedTuple):
    n_jobs: int | None
    verbose: bool
    # Whether a clip counts where ``on_error`` is "nan".
    count_nan: bool = False
    # Rows that are not to be tried: another branch, without which there is no result, has failed.
    skipped: frozenset[int] = frozenset()


def _failures(model: Any, X: Any, settings: _Settings) -> _Errors:
    """Return the rows that a part of a model cannot use, where it gets X."""
    if isinstance(model, ClipPipeline):
        counts = model.on_error == "raise" or settings.count_nan
        return _run(model, X, settings) if counts else {}
    if isinstance(model, Pipeline):
        steps = [step for _, step in model.steps if step not in (None, "passthrough")]
        return _failures(steps[0], X, settings) if steps else {}
    if isinstance(model, ColumnTransformer):
        X = model._table(X) if isinstance(model, ClipColumnTransformer) else X
        branches = [(branch, columns) for _, branch, columns in model.transformers]
        return _in_any(branches, X, settings)
    if getattr(model, "tolerates_missing_branches", False):
        return _tolerated(model, X, settings._replace(count_nan=True))
    if isinstance(model, FeatureUnion):
        return _in_any([(part, None) for _, part in model.transformer_list], X, settings)
    if isinstance(getattr(model, "estimator", None), BaseEstimator):
        return _failures(model.estimator, X, settings)
    return {}


def _tolerated(model: Any, X: Any, settings: _Settings) -> _Errors:
    """Return the rows that none of the branches of a `FusionClassifier` can use."""
    branches = [
        (branch, columns)
        for _, branch, columns in model.estimators or []
        if not isinstance(branch, str)
    ]
    # A branch that opens no clips may yet have something to say of any row.
    if not branches or not all(clip_pipelines(branch) for branch, _ in branches):
        return {}
    names = [name for _, columns in branches for name in np.ravel(columns) if isinstance(name, str)]
    if names:
        X = as_table(X, names)
    return _in_all(
        [_failures(branch, _select(X, columns), settings) for branch, columns in branches]
    )


def _select(X: Any, columns: Any) -> Any:
    return _safe_indexing(X, columns(X) if callable(columns) else columns, axis=1)


def _in_any(branches: Sequence[tuple[Any, Any]], X: Any, settings: _Settings) -> _Errors:
    """Return the rows that a branch cannot use, each of which is tried once.

    A clip that hangs takes all the time that there is for it.
    """
    found: _Errors = {}
    for branch, columns in branches:
        clips = X if columns is None else _select(X, columns)
        skipped = settings.skipped | found.keys()
        found |= _failures(branch, clips, settings._replace(skipped=skipped))
    return found


def _in_all(found: list[_Errors]) -> _Errors:
    shared = set.intersection(*map(set, found))
    return {
        row: found[0][row]._replace(reason="; ".join(errors[row].reason for errors in found))
        for row in shared
    }


class _Trial(NamedTuple):
    """A job that only fills the cache: its results are not returned."""

    job: Job
    skipped: frozenset[int]

    def run(self, batch: Any, name: str, row: int) -> Failure | None:
        if row in self.skipped:
            return None
        result = self.job.run(batch, name, row)
        return result if isinstance(result, Failure) else None

    def look_up(self, batch: Any) -> Outcome | None:
        return None if self.job.look_up(batch) is None else Outcome()

    @property
    def limits(self) -> Limits:
        return self.job.limits


def _run(pipeline: ClipPipeline, X: Any, settings: _Settings) -> _Errors:
    proven = hasattr(pipeline, "steps_")
    if settings.n_jobs is not None:
        pipeline = clone(pipeline).set_params(n_jobs=settings.n_jobs)
    job = pipeline._job()
    X = rows_of(X, job.steps[0][1])
    names = [row_name(X, row) for row in range(_num_samples(X))]
    trial: Any = _Trial(job, settings.skipped)
    errors: list[ClipError] = []
    stop: list[Failure] = []
    running = run_clips(trial, X, names, pipeline.n_jobs, isolated=True, stop=stop)
    results = progress(running, len(names), verbose=settings.verbose or pipeline.verbose)
    with one_blas_thread(), ended_early(running, stop):
        for _ in sift(results, names, "nan", errors, stop, proven=proven):
            pass
    return {error.row: error for error in errors}
