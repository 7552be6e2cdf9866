"""The engine that sends clips through per-clip stages, one clip after the other."""

from __future__ import annotations

import math
import mmap
import os
import sys
import tempfile
from collections.abc import Iterable, Iterator
from numbers import Integral
from typing import Any, Self

import numpy as np
from joblib import Parallel, delayed
from numpy.typing import NDArray
from sklearn import config_context
from sklearn.base import TransformerMixin, _fit_context, clone
from sklearn.pipeline import Pipeline
from sklearn.utils import Tags, _safe_indexing, get_tags
from sklearn.utils.validation import _num_samples, check_is_fitted
from tqdm.auto import tqdm

from .._media import MediaError, clip_name
from .._validation import clip_column, frames_only_tables, object_array
from ._cache import ClipCache

Step = tuple[str, Any]

# Results from this size on are mapped from disk where there is a folder to put them.
_MAPPED_BYTES = 2**26


@frames_only_tables
class ClipPipeline(TransformerMixin, Pipeline):
    """Send each clip through all steps before the next clip is touched.

    A `Pipeline` of stages that work on one clip at a time, such as loaders and descriptors. Where
    a plain `Pipeline` would hold all decoded clips before it describes the first, this one holds
    one clip per worker, whatever the number of clips.

    Parameters
    ----------
    steps : list of (str, transformer)
        Stages that need no fit, in order; ``"passthrough"`` or None skips a step.
    memory : path-like, default=None
        Folder in which each step's result for each clip is kept, for other folds, settings,
        workers and later runs; see `ClipCache`. Large results then come as memory maps.
    n_jobs : int, default=None
        Clips worked on at once; None means 1 unless in a `joblib.parallel_config` context,
        -1 means one per core.
    verbose : bool, default=False
        Show progress, with the time that remains.

    Attributes
    ----------
    named_steps : Bunch
        The steps by name.
    steps_ : list of (str, transformer)
        Fitted copies of the steps that are run.
    n_features_in_ : int
        Second axis of X at fit; 1 for a column of clips.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Column names of X at fit, where it had any.

    See Also
    --------
    make_emotion_pipeline : Uses one of these per modality.
    sklearn.pipeline.Pipeline : Takes what comes behind: stages that learn, and a classifier.

    Examples
    --------
    >>> import numpy as np
    >>> from skemotion.pipeline import ClipPipeline
    >>> from skemotion.video import HOG3D, VideoLoader
    >>> clips = [np.zeros((8, 60, 72), dtype=np.uint8), np.ones((12, 60, 72), dtype=np.uint8)]
    >>> describe = ClipPipeline([("load", VideoLoader(n_frames=10)), ("hog3d", HOG3D())])
    >>> describe.fit_transform(clips).shape
    (2, 2, 4, 4, 9, 2)
    """

    _parameter_constraints = {
        "steps": [list],
        "memory": [str, os.PathLike, None],
        "n_jobs": [Integral, None],
        "verbose": ["boolean"],
    }

    def __init__(
        self,
        steps: list[Step],
        *,
        memory: str | os.PathLike[str] | None = None,
        n_jobs: int | None = None,
        verbose: bool = False,
    ) -> None:
        self.steps = steps
        self.memory = memory
        self.n_jobs = n_jobs
        self.verbose = verbose

    # Each stage validates its own parameters when it is run.
    @_fit_context(prefer_skip_nested_validation=False)
    def fit(self, X: Any, y: Any = None) -> Self:
        """Show the first clip to a copy of every step, to learn its shape and nothing else.

        Parameters
        ----------
        X : column of clips, or array-like of shape (n_clips, ...)
            As the first step takes it.
        y : None
            Ignored.

        Returns
        -------
        self : ClipPipeline
        """
        steps = [(name, clone(step)) for name, step in self._per_clip_steps()]
        steps[0][1].fit(X)
        X = _rows(X)
        batch, name, cache = _safe_indexing(X, [0]), _row_name(X, 0), self._cache()
        keys = _keys(cache, steps, batch)
        for position, (_, following) in enumerate(steps[1:]):
            here = slice(position, position + 1)
            batch = _run_steps(steps[here], keys[here], batch, name, cache)
            following.fit(batch)
        self.steps_ = steps
        return self

    def transform(self, X: Any) -> NDArray[Any]:
        """Send the clips through the steps.

        Parameters
        ----------
        X : column of clips, or array-like of shape (n_clips, ...)
            As the first step takes it.

        Returns
        -------
        result : ndarray of shape (n_clips, ...)
            What the last step makes of each clip; an object array where it makes trajectories of
            different lengths.

        Raises
        ------
        MediaError
            If a clip cannot be read.
        ValueError
            If a step refuses a clip, or the clips come out in different shapes; the message
            names the clip.
        """
        self._validate_params()
        steps = getattr(self, "steps_", None) or self._per_clip_steps()
        X = _rows(X)
        n_clips = _num_samples(X)
        if not n_clips:
            raise ValueError("Found array with 0 sample(s), while at least 1 clip is required.")
        names = [_row_name(X, row) for row in range(n_clips)]
        cache = self._cache()
        stop: list[Exception] = []
        # Decoders and kernels let go of the interpreter, so that threads do, and start at once.
        results = Parallel(n_jobs=self.n_jobs, prefer="threads", return_as="generator")(
            delayed(_try_clip)(steps, _safe_indexing(X, [row]), names[row], cache)
            for row in range(n_clips)
            if not stop
        )
        progress = tqdm(
            results,
            total=n_clips,
            unit="clip",
            disable=not self.verbose,
            # A bar that is written into a log should not fill it.
            mininterval=0.1 if sys.stderr.isatty() else 10,
        )
        return _stack(_until_failure(progress, stop), names, self.memory)

    def fit_transform(self, X: Any, y: Any = None) -> NDArray[Any]:
        """Fit, then transform.

        Parameters
        ----------
        X : column of clips, or array-like of shape (n_clips, ...)
            As the first step takes it.
        y : None
            Ignored.

        Returns
        -------
        result : ndarray of shape (n_clips, ...)
            As from `transform`.
        """
        return self.fit(X).transform(X)

    def get_feature_names_out(self, input_features: Any = None) -> NDArray[Any]:
        """Name the values of a flattened result.

        Parameters
        ----------
        input_features : array-like of str or None, default=None
            Names of the input's columns.

        Returns
        -------
        names : ndarray of str
        """
        check_is_fitted(self, "steps_")
        names = input_features
        for _, step in self.steps_:
            names = step.get_feature_names_out(names)
        return names

    @property
    def n_features_in_(self) -> int:
        """Second axis of X at fit; 1 for a column of clips."""
        return self._first_fitted_step.n_features_in_

    @property
    def feature_names_in_(self) -> NDArray[Any]:
        """Column names of X at fit, where it had any."""
        return self._first_fitted_step.feature_names_in_

    @property
    def _first_fitted_step(self) -> Any:
        if not hasattr(self, "steps_"):
            raise AttributeError(f"This {type(self).__name__} is not fitted yet.")
        return self.steps_[0][1]

    def __getitem__(self, index: int | str | slice) -> Any:
        """Give a step, or a pipeline of several."""
        if isinstance(index, slice):
            return type(self)(
                self.steps[index], memory=self.memory, n_jobs=self.n_jobs, verbose=self.verbose
            )
        return super().__getitem__(index)

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "steps_")

    def _cache(self) -> ClipCache | None:
        return None if self.memory is None else ClipCache(self.memory)

    def _per_clip_steps(self) -> list[Step]:
        self._validate_names([name for name, _ in self.steps])
        steps = [(name, step) for name, step in self.steps if step not in (None, "passthrough")]
        if not steps:
            raise ValueError("ClipPipeline needs at least one step.")
        for name, step in steps:
            if not hasattr(step, "transform"):
                raise TypeError(
                    f"Step {name!r} of ClipPipeline has no transform: {step!r}. Put a classifier "
                    "behind the ClipPipeline, in a Pipeline."
                )
            if get_tags(step).requires_fit:
                raise ValueError(
                    f"Step {name!r} of ClipPipeline learns from the data "
                    f"({type(step).__name__}), but each clip passes through on its own. Put it "
                    f"behind: make_pipeline(ClipPipeline([...]), {type(step).__name__}(...))."
                )
        return steps

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.requires_fit = False
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags


def _rows(X: Any) -> Any:
    """Make sure that X can be indexed row by row."""
    column = clip_column(X)
    if column is not None:
        return column
    return X if hasattr(X, "__getitem__") else np.asarray(X)


def _row_name(X: Any, row: int) -> str:
    if isinstance(X, np.ndarray) and X.dtype == object and X.ndim == 1:
        return f"clip {row} ({clip_name(X[row])})"
    return f"clip {row}"


def _keys(cache: ClipCache | None, steps: list[Step], batch: Any) -> list[str]:
    if cache is None:
        return [""] * len(steps)
    if not (isinstance(batch, np.ndarray) and batch.dtype == object):
        return cache.keys(np.asarray(batch), steps)
    # A row of a column is a clip, a row of a table all its variants.
    return cache.keys(batch[0] if batch.ndim == 1 else list(batch[0]), steps)


def _try_clip(steps: list[Step], batch: Any, name: str, cache: ClipCache | None) -> Any:
    """Send a batch of one clip through the steps; give the error where there is one."""
    try:
        return _run_steps(steps, _keys(cache, steps, batch), batch, name, cache)
    except Exception as error:
        return error


def _until_failure(results: Iterable[Any], stop: list[Exception]) -> Iterator[Any]:
    """Give results up to the first error, which is raised once all workers are done.

    Nothing more is handed out after it. A worker that were left behind in a decoder could bring
    down the interpreter at its end.
    """
    for result in results:
        if isinstance(result, Exception):
            stop.append(result)
        elif not stop:
            yield result
    if stop:
        raise stop[0]


def _run_steps(
    steps: list[Step], keys: list[str], batch: Any, name: str, cache: ClipCache | None
) -> Any:
    """Run the steps behind the last one whose result is kept; keep each step's result."""
    todo = list(zip(steps, keys, strict=True))
    if cache is not None:
        for position in reversed(range(len(todo))):
            kept = cache.get(keys[position])
            if kept is not None:
                batch, todo = kept, todo[position + 1 :]
                break
    for step, key in todo:
        batch = _run_step(step, batch, name)
        if cache is not None:
            cache.put(key, batch)
    return batch


def _run_step(step: Step, batch: Any, name: str) -> Any:
    try:
        # Between steps there are arrays, whatever containers the user wants at the end.
        with config_context(transform_output="default"):
            return step[1].transform(batch)
    except MediaError:
        raise  # names the file already
    except ValueError as error:
        raise ValueError(f"{name}: step {step[0]!r} failed: {error}") from error


def _stack(
    results: Iterator[Any], names: list[str], folder: str | os.PathLike[str] | None
) -> NDArray[Any]:
    """Put the clips' results into one array, allotted once, as they come in."""
    first = next(results)
    if first.dtype == object:
        rows = [first[0], *(result[0] for result in results)]
        return np.stack(rows) if first.ndim > 1 else object_array(rows)
    stacked = _allot((len(names), *first.shape[1:]), first.dtype, folder)
    stacked[0] = first[0]
    for row, result in enumerate(results, start=1):
        if result.shape != first.shape:
            raise ValueError(
                f"Clips come out in different shapes: {names[0]} as {first.shape[1:]}, "
                f"{names[row]} as {result.shape[1:]}. Bring them to one shape, for example with "
                "VideoLoader(size=(height, width))."
            )
        stacked[row] = result[0]
    return stacked


def _allot(
    shape: tuple[int, ...], dtype: np.dtype[Any], folder: str | os.PathLike[str] | None
) -> NDArray[Any]:
    """Give an array in memory, or in a nameless file where there is a folder and it is large.

    The file is gone with the array. Its pages are the system's to drop, so that a process's own
    memory stays flat whatever the number of clips.
    """
    n_bytes = math.prod(shape) * dtype.itemsize
    if folder is None or n_bytes < _MAPPED_BYTES:
        return np.empty(shape, dtype=dtype)
    with tempfile.TemporaryFile(dir=folder) as file:
        # Taken now: with a disk that fills up later, writing to the pages would end the process.
        if hasattr(os, "posix_fallocate"):
            os.posix_fallocate(file.fileno(), 0, n_bytes)
        else:
            file.truncate(n_bytes)
        pages = mmap.mmap(file.fileno(), n_bytes)
    return np.frombuffer(pages, dtype=dtype).reshape(shape)
