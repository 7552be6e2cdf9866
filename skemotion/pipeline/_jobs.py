"""The work for each clip: its way through the steps, with a cache."""

from __future__ import annotations

import os
from typing import Any, NamedTuple, Self

import joblib
import numpy as np
from numpy.typing import NDArray
from sklearn import config_context

from ..base import clip_column, rows_from
from ..io import (
    Limits,
    Outcome,
    decoding_threads,
    enforced,
    go_to_folder,
    in_worker,
    limits_in_force,
    local_path,
    working_folder,
)
from ._cache import ClipCache
from ._failure import Failure, failure
from ._step_identity import step_identity

Step = tuple[str, Any]


class Key(NamedTuple):
    """Where a result is in the cache."""

    key: str


# Bytes of a result from which on its key is sent in place of it: reading it takes a millisecond.
_WORTH_A_KEY = 2**14


class Job(NamedTuple):
    """The work for each clip: all that a worker needs besides the clip."""

    steps: list[Step]
    identities: list[str]
    cache: ClipCache | None
    n_threads: int
    limits: Limits
    folder: str | None  # that relative paths start from

    @classmethod
    def of(cls, steps: list[Step], cache: ClipCache | None, n_workers: int) -> Self:
        """Make a job for workers that share the cores."""
        # The same for all clips: computed once.
        identities = [step_identity(step) for _, step in steps] if cache is not None else []
        n_threads = max(1, joblib.cpu_count() // n_workers)
        return cls(steps, identities, cache, n_threads, limits_in_force(), working_folder())

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
        # A worker does not know its caller's.
        go_to_folder(self.folder)
        with enforced(self.limits), rows_from(row):
            try:
                keys = self._keys(batch)
            except Exception as error:  # of the library of a storage, for example
                return failure(self.steps[0][0], error, name)
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
        go_to_folder(self.folder)
        with enforced(self.limits), rows_from(row):
            try:
                keys = self._keys(batch)
            except Exception as error:
                return [failure(self.steps[0][0], error, name)] if self.steps else []
            for position, key in enumerate(keys):
                kept = self._kept(key)
                batch = self._run_step(position, batch, name, key) if kept is None else kept
                results.append(batch)
                if isinstance(batch, Failure):
                    break
        return results

    def look_up(self, batch: Any) -> Outcome | None:
        """Return the cached result of a batch of one clip in a file, if there is one.

        Parameters
        ----------
        batch : ndarray or list
            One row.

        Returns
        -------
        outcome : Outcome or None
        """
        if self.cache is None:
            return None
        try:
            result = self._kept(self._keys(batch)[-1]) if _is_file(batch) else None
        except Exception:  # a worker will say so
            return None
        return None if result is None else Outcome(result)

    def key_of(self, result: Any, batch: Any, mark: str) -> Any:
        """Return the key of a result in place of it, if the caller can read it from the cache.

        Parameters
        ----------
        result : ndarray or Failure
            Of a batch of one clip.
        batch : ndarray or list
            One row.
        mark : str
            Key of an entry of the caller's. Who sees it shares the caller's cache.

        Returns
        -------
        result : Key, ndarray or Failure
        """
        if self.cache is None or isinstance(result, Failure) or _n_bytes(result) < _WORTH_A_KEY:
            return result
        with enforced(self.limits):
            key = self._keys(batch)[-1]
        shared = self.cache.get(mark) is not None and self.cache.get(key) is not None
        return Key(key) if shared else result

    def _run_step(self, position: int, batch: Any, name: str, key: str) -> Any:
        step, stage = self.steps[position]
        try:
            # Between steps there are arrays; only the end has the user's containers.
            with config_context(transform_output="default"), decoding_threads(self.n_threads):
                result = _as_array(stage.transform(batch), step)
        except Exception as error:
            return failure(step, error, name)
        except BaseException as error:
            # Of a decoder written in another language, or sys.exit() in a worker. Elsewhere, it may
            # be what ends the caller.
            if not in_worker() or isinstance(error, KeyboardInterrupt):
                raise
            return failure(step, error, name)
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


def _n_bytes(result: NDArray[Any]) -> int:
    if result.dtype != object:
        return result.nbytes
    return sum(np.asarray(cell).nbytes for cell in result.flat)


def _is_file(batch: Any) -> bool:
    """Return whether a batch of one clip is a file on this machine, or in an archive on it."""
    clip = batch[0] if isinstance(batch, np.ndarray) and batch.ndim == 1 else None
    if not isinstance(clip, str | os.PathLike):
        return False
    return local_path(os.fspath(clip).rpartition("::")[2]) is not None


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
