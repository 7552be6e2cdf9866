"""Sending clips through steps with any number of workers, which may die."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import joblib
import numpy as np
from joblib import Parallel, delayed
from joblib.externals.loky.process_executor import ProcessPoolExecutor, TerminatedWorkerError
from numpy.typing import NDArray
from sklearn import config_context
from sklearn.utils import _safe_indexing

from ..base import clip_column, rows_from
from ..io import Limits, MediaError, decoding_threads, enforced, limits_in_force
from ._cache import ClipCache
from ._step_identity import step_identity

Step = tuple[str, Any]


class Failure(NamedTuple):
    """A clip that a step could not process."""

    step: str
    error: Exception


class Job(NamedTuple):
    """The work for each clip: all that a worker needs besides the clip."""

    steps: list[Step]
    identities: list[str]
    cache: ClipCache | None
    n_threads: int
    limits: Limits
    folder: str  # that relative paths start from

    @classmethod
    def of(cls, steps: list[Step], cache: ClipCache | None, n_workers: int) -> Job:
        """Make a job for workers that share the cores."""
        # The same for all clips: computed once.
        identities = [step_identity(step) for _, step in steps] if cache is not None else []
        n_threads = max(1, joblib.cpu_count() // n_workers)
        return cls(steps, identities, cache, n_threads, limits_in_force(), _here())

    def run(self, batch: Any, name: str, row: int) -> Any:
        """Send a batch of one clip through the steps after the last cached result.

        Parameters
        ----------
        batch : ndarray or list
            One row.
        name : str
            What to call it in an error.
        row : int
            Its number.

        Returns
        -------
        result : ndarray or Failure
            Of one row. With a cache, the result of each step is kept.
        """
        self._come_along()
        with enforced(self.limits), rows_from(row):  # a worker does not know its caller's
            try:
                keys = self._keys(batch)
            except MediaError as error:
                return Failure(self.steps[0][0], error)
            start = 0
            for position in reversed(range(len(self.steps))):
                kept = self._kept(keys[position])
                if kept is not None:
                    batch, start = kept, position + 1
                    break
            for position in range(start, len(self.steps)):
                batch = self._run_step(position, batch, name, keys[position])
                if isinstance(batch, Failure):
                    break
            return batch

    def each(self, batch: Any, name: str, row: int) -> list[Any]:
        """Return the result of each step for a batch of one clip, up to a failure."""
        results: list[Any] = []
        self._come_along()
        with enforced(self.limits), rows_from(row):
            try:
                keys = self._keys(batch)
            except MediaError as error:
                return [Failure(self.steps[0][0], error)] if self.steps else []
            for position, key in enumerate(keys):
                kept = self._kept(key)
                batch = self._run_step(position, batch, name, key) if kept is None else kept
                results.append(batch)
                if isinstance(batch, Failure):
                    break
        return results

    def _come_along(self) -> None:
        """Go to the caller's folder: workers are kept, and may have been started in another."""
        if self.folder and _here() != self.folder and Path(self.folder).is_dir():
            os.chdir(self.folder)

    def _run_step(self, position: int, batch: Any, name: str, key: str) -> Any:
        step, stage = self.steps[position]
        try:
            # Between steps there are arrays; only the end has the user's containers.
            with config_context(transform_output="default"), decoding_threads(self.n_threads):
                result = _as_array(stage.transform(batch), step)
        except MediaError as error:  # names the file already
            return Failure(step, error)
        except ValueError as error:
            failure = ValueError(f"{name}: step {step!r} failed: {error}")
            failure.__cause__ = error
            return Failure(step, failure)
        except Exception as error:
            error.add_note(f"In step {step!r} for {name}.")
            return Failure(step, error)
        if self.cache is not None:
            self.cache.put(key, result)
        return result

    def _kept(self, key: str) -> Any:
        return None if self.cache is None else self.cache.get(key)

    def _keys(self, batch: Any) -> list[str]:
        if self.cache is None:
            return [""] * len(self.steps)
        if not (isinstance(batch, np.ndarray) and batch.dtype == object):
            return self.cache.keys(np.asarray(batch), self.identities)
        # A row of a column is a clip, a row of a table all its variants.
        clip = batch[0] if batch.ndim == 1 else list(batch[0])
        return self.cache.keys(clip, self.identities)


def _here() -> str:
    """Return the folder that relative paths start from; None if it has been removed."""
    try:
        return str(Path.cwd())
    except FileNotFoundError:
        return ""


def _as_array(result: Any, step: str) -> NDArray[Any]:
    """Convert a step's result, such as a list or a DataFrame, to an array."""
    if isinstance(result, np.ndarray):
        return result
    column = clip_column(result)
    array = np.asarray(result) if column is None else column
    if array.ndim == 0 or len(array) != 1:
        raise TypeError(
            f"step {step!r} was given one clip and returned {type(result).__name__} of "
            f"{array.shape[:1] or 'no'} rows: transform must return one row per clip."
        )
    return array


def run_each(job: Job, batch: Any, name: str, row: int, n_jobs: int) -> list[Any]:
    """Return each step's result for one clip; with two or more workers, a crash is a failure.

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
    n_jobs : int
        Workers; one is this process itself.

    Returns
    -------
    results : list of ndarray or Failure
    """
    if n_jobs == 1:
        return job.each(batch, name, row)
    try:
        # The workers stay, and then process all clips.
        return list(
            Parallel(n_jobs=n_jobs, prefer="processes")([delayed(job.each)(batch, name, row)])[0]
        )
    except TerminatedWorkerError as death:
        return [_crashed(name, death)]


def run_clips(
    job: Job, X: Any, names: list[str], n_jobs: int | None, *, prefer: str, stop: list[Any]
) -> Iterator[Any]:
    """Yield the result of each clip, in order.

    If a worker process dies, for example by a decoder crash, the results of all workers are lost.
    The clips that may have been in progress are then retried one by one, each in its own process,
    until the one that crashes is found.

    Parameters
    ----------
    job : Job
        What to do.
    X : ndarray or list
        Clips, row by row.
    names : list of str
        What to call them in errors.
    n_jobs : int or None
        Workers.
    prefer : {"threads", "processes"}
        Kind of workers, unless set by the user's `joblib.parallel_config`.
    stop : list
        Once it is not empty, no more clips are dispatched.

    Yields
    ------
    result : ndarray or Failure
    """
    done = 0
    n_workers = joblib.effective_n_jobs(n_jobs)
    while done < len(names) and not stop:
        parallel = Parallel(n_jobs=n_jobs, prefer=prefer, return_as="generator")
        tasks = (
            delayed(job.run)(_safe_indexing(X, [row]), names[row], row)
            for row in range(done, len(names))
            if not stop
        )
        try:
            for result in parallel(tasks):
                done += 1
                yield result
            return
        except TerminatedWorkerError:
            # joblib dispatches up to two clips per worker, and then one for each that is done.
            for row in range(done, min(done + 2 * n_workers, len(names))):
                result = _run_alone(job, _safe_indexing(X, [row]), names[row], row)
                done += 1
                yield result
                if isinstance(result, Failure) and result.step == CRASHED:
                    break


CRASHED = "(crashed)"


def _run_alone(job: Job, batch: Any, name: str, row: int) -> Any:
    """Run one clip in its own process, whose death is the clip's failure."""
    with ProcessPoolExecutor(max_workers=1) as executor:
        try:
            return executor.submit(job.run, batch, name, row).result()
        except TerminatedWorkerError as death:
            return _crashed(name, death)


def _crashed(name: str, death: Exception) -> Failure:
    error = MediaError(
        f"{name}: expected a clip, found one in which the decoder or a step crashes and takes its "
        "process along. Leave the clip out, or make or download it again."
    )
    error.__cause__ = death
    return Failure(CRASHED, error)


class ClipError(NamedTuple):
    """A clip that could not be used."""

    row: int
    clip: str
    step: str
    reason: str


# Errors that no clip can cause: a mistake in a step, or a missing package.
_MISTAKES = (TypeError, AttributeError, NameError, ImportError)


def sift(
    results: Iterable[Any],
    clips: list[str],
    on_error: str,
    errors: list[ClipError],
    stop: list[Any],
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

    Yields
    ------
    result : ndarray or Failure
    """
    for row, result in enumerate(results):
        if isinstance(result, Failure):
            if on_error == "raise" or isinstance(result.error, _MISTAKES):
                stop.append(result)
            else:
                reason = str(result.error) or type(result.error).__name__
                errors.append(ClipError(row, clips[row], result.step, reason))
        if not stop:
            yield result
    if stop:
        raise stop[0].error
