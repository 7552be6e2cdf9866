"""Sending clips through steps with any number of workers, which may die."""

from __future__ import annotations

import time
from collections.abc import Generator, Iterable, Iterator
from contextlib import closing, contextmanager
from functools import partial
from typing import Any, NamedTuple

import joblib
import numpy as np
from joblib import Parallel, delayed
from joblib.parallel import get_active_backend

from ..base import object_array
from ..io import (
    MediaError,
    Outcome,
    can_isolate,
    enforced,
    limits_in_force,
    own_cores,
    run_isolated,
)
from ._cache import ClipCache
from ._failure import Failure, safe_text
from ._jobs import Job, Key
from ._rows import one_row

# joblib's own, besides those of a cluster.
_LOCAL = {"LokyBackend", "MultiprocessingBackend", "SequentialBackend", "ThreadingBackend"}


def number_of_workers(n_jobs: int | None) -> int:
    """Return how many clips are processed at once.

    Parameters
    ----------
    n_jobs : int or None
        As joblib takes it.

    Returns
    -------
    n_workers : int
        At most its share of the cores, in a process that joblib has started.
    """
    n_workers = int(joblib.effective_n_jobs(n_jobs))
    return min(n_workers, own_cores()) if own_cores() < joblib.cpu_count() else n_workers


def run_clips(
    job: Any, X: Any, names: list[str], n_jobs: int | None, *, isolated: bool, stop: list[Any]
) -> Generator[Any]:
    """Yield the result of each clip, in order.

    Parameters
    ----------
    job : Job, or another object with such a `run`
        What to do.
    X : ndarray or list
        Clips, row by row.
    names : list of str
        What to call them in errors.
    n_jobs : int or None
        Clips at once.
    isolated : bool
        Whether clips run in worker processes, so that one that crashes, hangs or runs out of memory
        is a failure; otherwise in threads. In processes, too, if the user's
        `joblib.parallel_config` or `limits` ask for them; on the machines of a cluster, if it asks
        for one.
    stop : list
        Once it is not empty, no more clips are dispatched.

    Yields
    ------
    result : ndarray or Failure
    """
    backend, _ = get_active_backend(prefer="threads")
    kind, n_workers = type(backend).__name__, number_of_workers(n_jobs)
    isolated = isolated or limits_in_force().need_workers
    if kind in _LOCAL:
        chosen = kind in ("LokyBackend", "MultiprocessingBackend") and n_workers > 1
        if (isolated or chosen) and can_isolate():
            yield from _in_workers(job, X, names, n_workers, stop)
            return
        if n_workers == 1:
            for row, name in enumerate(names):
                if stop:
                    return
                yield job.run(one_row(X, row), name, row)
            return
    run = partial(_alone, job.run, job) if isolated else job.run
    if kind not in _LOCAL and isinstance(job, Job) and job.cache is not None:
        yield from _by_keys(run, job, job.cache, X, names, n_jobs, stop)
        return
    n_jobs = n_workers if kind in _LOCAL else n_jobs
    parallel = Parallel(n_jobs=n_jobs, prefer="threads", return_as="generator")
    yield from parallel(
        delayed(run)(one_row(X, row), name, row) for row, name in enumerate(names) if not stop
    )


def _by_keys(
    run: Any, job: Job, cache: ClipCache, X: Any, names: list[str], n_jobs: int | None,
    stop: list[Any],
) -> Iterator[Any]:  # fmt: skip
    """Let workers that share the cache's folder send keys, and read the results here."""
    mark = cache.mark()
    try:
        parallel = Parallel(n_jobs=n_jobs, prefer="threads", return_as="generator")
        sent = parallel(
            delayed(_sent)(run, job, mark, one_row(X, row), name, row)
            for row, name in enumerate(names)
            if not stop
        )
        for row, result in enumerate(sent):
            yield _fetched(result, job, cache, one_row(X, row), names[row], row)
    finally:
        cache.remove(mark)


def _sent(run: Any, job: Job, mark: str, batch: Any, name: str, row: int) -> Any:
    return job.key_of(run(batch, name, row), batch, mark)


# Seconds after which an entry that a worker has written should be seen on other machines, too.
_DELAYS = (0.0, 0.1, 1.0, 5.0)


def _fetched(result: Any, job: Job, cache: ClipCache, batch: Any, name: str, row: int) -> Any:
    """Read a result by its key; make it once more where it is gone."""
    if not isinstance(result, Key):
        return result
    for delay in _DELAYS:
        time.sleep(delay)
        kept = cache.get(result.key)
        if kept is not None:
            return kept
    return job.run(batch, name, row)


def _in_workers(
    job: Any, X: Any, names: list[str], n_workers: int, stop: list[Any]
) -> Iterator[Any]:
    # Where there is nothing but clips, each by itself: arrays take long to pickle.
    is_column = isinstance(X, np.ndarray) and X.dtype == object and X.ndim == 1
    run = partial(_run_clip, job.run) if is_column else job.run

    def calls() -> Iterator[Outcome | tuple[Any, str, int]]:
        for row, name in enumerate(names):
            batch = one_row(X, row)
            # A worker would only read it, too.
            yield job.look_up(batch) or (X[row] if is_column else batch, name, row)

    with closing(run_isolated(run, calls(), n_workers)) as outcomes:
        for row, outcome in enumerate(outcomes):
            yield _result(outcome, names[row])
            if stop:
                return


def _run_clip(run: Any, clip: Any, name: str, row: int) -> Any:
    return run(object_array([clip]), name, row)


def run_each(job: Job, batch: Any, name: str, row: int, *, isolated: bool) -> list[Any]:
    """Return each step's result for one clip.

    Parameters
    ----------
    job : Job
        What to do.
    batch : ndarray or list
        One row.
    name : str
        What to call it in an error.
    row : int
        Its number.
    isolated : bool
        As for `run_clips`.

    Returns
    -------
    results : list of ndarray or Failure
    """
    if not isolated and not job.limits.need_workers:
        return job.each(batch, name, row)
    results = _alone(job.each, job, batch, name, row)
    return [results] if isinstance(results, Failure) else list(results)


def _alone(function: Any, job: Any, batch: Any, name: str, row: int) -> Any:
    """Run one clip in a worker process, whose end is the clip's failure."""
    if not can_isolate():
        return function(batch, name, row)
    with enforced(job.limits):
        [outcome] = run_isolated(function, [(batch, name, row)])
        return _result(outcome, name)


def _result(outcome: Outcome, name: str) -> Any:
    """Return a clip's result; the end of its worker is its failure, and what cannot be sent."""
    try:
        return outcome.result(name)
    except MediaError as error:
        return Failure("(worker)", error)
    except Exception as error:
        error.add_note(f"For {name}.")
        return Failure("(worker)", error)


class ClipError(NamedTuple):
    """A clip that could not be used."""

    row: int
    clip: str
    step: str
    reason: str


def row_and_reason(error: ClipError) -> str:
    """Return why a clip cannot be used, with its row and its name once each.

    Parameters
    ----------
    error : ClipError

    Returns
    -------
    text : str
    """
    row = f"row {error.row}: "
    # Of errors of a step, the reason begins with what the clip is called.
    named = error.reason.startswith((row, error.clip))
    return error.reason if named else row + error.reason


# Errors that no clip can cause: a mistake in a step, or a missing package.
_MISTAKES = (NameError, ImportError)
# Those of a step that is wrong for every clip; but decoders raise them for damaged files, too.
_LIKELY_MISTAKES = (TypeError, AttributeError)
_N_MISTAKES = 3  # clips that fail with these, before any could be used, so that no more are tried


@contextmanager
def ended_early(results: Generator[Any], stop: list[Any]) -> Iterator[None]:
    """End what `run_clips` has started, also if its results can no longer be used.

    Parameters
    ----------
    results : generator
        From `run_clips`.
    stop : list
        Given to it; added to after an error.
    """
    with closing(results):
        try:
            yield
        except Exception:
            stop.append(None)
            for _ in results:  # until threads are done, which may be deep in a decoder
                pass
            raise


def sift(
    results: Iterable[Any],
    clips: list[str],
    on_error: str,
    errors: list[ClipError],
    stop: list[Any],
    *,
    proven: bool,
) -> Iterator[Any]:
    """Yield results, and collect failures or raise the first.

    After a failure that is raised, no more clips are dispatched, and it is raised once all workers
    are done: a worker still in a decoder could crash the interpreter at its end.

    Parameters
    ----------
    results : iterable of ndarray or Failure
        From `run_clips`.
    clips : list of str
        What to call them in `errors`.
    on_error : {"raise", "nan"}
        Whether failures are raised or collected.
    errors : list of ClipError
        Added to.
    stop : list
        Added to when a failure is to be raised.
    proven : bool
        Whether the steps are known to work, as those of a fitted pipeline. Otherwise, they have to
        work for one of the clips before a TypeError or an AttributeError is taken for a clip's.

    Yields
    ------
    result : ndarray or Failure

    Raises
    ------
    RuntimeError
        If there are not as many results as clips.
    """
    n_results = 0
    mistakes: list[Failure] = []
    for row, result in enumerate(results):
        n_results += 1
        if not isinstance(result, Failure):
            proven = True
        elif on_error == "raise" or isinstance(result.error, _MISTAKES):
            stop.append(result)
        else:
            errors.append(ClipError(row, clips[row], result.step, _reason(result.error)))
            if isinstance(result.error, _LIKELY_MISTAKES):
                mistakes.append(result)
            if not proven and len(mistakes) == _N_MISTAKES:
                stop.append(mistakes[0])
        if not stop:
            yield result
    if mistakes and not proven:
        stop.append(mistakes[0])
    if stop:
        raise stop[0].error
    if n_results != len(clips):
        raise RuntimeError(
            f"{n_results} results of {len(clips)} clips have come: a mistake in skemotion. Please "
            "report it, and run again."
        )


def _reason(error: Exception) -> str:
    text, kind = safe_text(error), type(error).__name__
    if isinstance(error, _LIKELY_MISTAKES) and text:
        return f"{kind}: {text}"
    return text or kind
