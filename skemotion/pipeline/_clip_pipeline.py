"""Sending clips through per-clip stages, one clip after the other."""

from __future__ import annotations

import os
import warnings
from numbers import Integral
from typing import Any, Self

from numpy.typing import NDArray
from sklearn.base import TransformerMixin, _fit_context, clone
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import Pipeline
from sklearn.utils import Tags
from sklearn.utils._param_validation import StrOptions
from sklearn.utils.validation import _num_samples, check_is_fitted

from .._threads import one_blas_thread
from ..base import TableOutputMixin, clip_column, plural, rows_from
from ..io import MediaError
from ._cache import ClipCache
from ._failure import Failure
from ._jobs import Job, Step
from ._rows import one_row, progress, row_name, rows_of
from ._running import (
    ClipError,
    ended_early,
    number_of_workers,
    row_and_reason,
    run_clips,
    run_each,
    sift,
)
from ._stacking import emptied, stack
from ._steps import checked_steps


class UnusableClipWarning(UserWarning):
    """Some clips could not be used; ``ClipPipeline.errors_`` says which and why."""


class ClipPipeline(TableOutputMixin, TransformerMixin, Pipeline):
    """Send each clip through all steps before the next clip is opened.

    A `Pipeline` of stages that work on one clip at a time, such as loaders and descriptors. A plain
    `Pipeline` would decode all clips before it describes the first; this one holds one clip per
    worker in memory, for any number of clips.

    Parameters
    ----------
    steps : list of (str, transformer)
        Stages that need no fit, or `FrozenEstimator` s, in order; ``"passthrough"`` or None skips a
        step.
    memory : path-like, default=None
        Folder in which each step's result for each clip is kept, for other folds, settings,
        workers and later runs; see `ClipCache`. Large results are then memory maps.
    n_jobs : int, default=None
        Clips processed at once; None means 1 unless in a `joblib.parallel_config` context,
        -1 means one per core.
    on_error : {"raise", "nan"}, default="raise"
        What to do about a clip that a step cannot process, for example a damaged file: raise the
        error, or fill the clip's row with NaN and continue. With "nan" the workers are processes,
        so a clip that crashes the decoder, hangs or takes all memory (see `limits`) is lost alone.
    flatten : bool, default=False
        Return one row of numbers per clip, for any classifier and for `set_output`, in the order
        of `get_feature_names_out`.
    verbose : bool, default=False
        Show progress, with the time that remains.

    Attributes
    ----------
    named_steps : Bunch
        The steps by name.
    steps_ : list of (str, transformer)
        Fitted copies of the steps.
    errors_ : list of ClipError
        The clips of the last `transform` that could not be used: row, clip, step and reason.
    n_features_in_ : int
        Second axis of X at fit; 1 for a column of clips.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Column names of X at fit, if it had any.

    See Also
    --------
    make_emotion_pipeline : Uses one of these per modality.
    sklearn.pipeline.Pipeline : For the steps that follow: stages that learn, and a classifier.
    skemotion.base.ClipTransformer : Base class for steps of your own.

    Examples
    --------
    >>> import numpy as np
    >>> from skemotion.pipeline import ClipPipeline
    >>> from skemotion.video import HOG3D, VideoLoader
    >>> clips = [np.zeros((8, 60, 72), dtype=np.uint8), np.ones((12, 60, 72), dtype=np.uint8)]
    >>> describe = ClipPipeline([("load", VideoLoader(n_frames=10)), ("hog3d", HOG3D())])
    >>> describe.fit_transform(clips).shape
    (2, 2, 4, 4, 9, 2)
    >>> ClipPipeline(describe.steps, flatten=True).fit_transform(clips).shape
    (2, 576)
    """

    _parameter_constraints = {
        "steps": [list],
        "memory": [str, os.PathLike, None],
        "n_jobs": [Integral, None],
        "on_error": [StrOptions({"raise", "nan"})],
        "flatten": ["boolean"],
        "verbose": ["boolean"],
    }

    def __init__(
        self,
        steps: list[Step],
        *,
        memory: str | os.PathLike[str] | None = None,
        n_jobs: int | None = None,
        on_error: str = "raise",
        flatten: bool = False,
        verbose: bool = False,
    ) -> None:
        self.steps = steps
        self.memory = memory
        self.n_jobs = n_jobs
        self.on_error = on_error
        self.flatten = flatten
        self.verbose = verbose

    # Each stage validates its own parameters when it is run.
    @_fit_context(prefer_skip_nested_validation=False)
    def fit(self, X: Any, y: Any = None) -> Self:
        """Fit a copy of every step on the first usable clip, to learn only its shape.

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
        rows = rows_of(X, steps[0][1])
        is_column = clip_column(X) is not None
        if not is_column:
            steps[0][1].fit(X)
        row = self._fit_following(steps, rows)
        if is_column:  # whose first clips may be unusable
            self._fit_first(steps[0], one_row(rows, row), row_name(rows, row), row)
        self.steps_ = steps
        self.errors_: list[ClipError] = []
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
            Results of the last step, one row of numbers per clip with `flatten`; an object array if
            they are trajectories of different lengths.

        Raises
        ------
        MediaError
            If a clip cannot be read.
        ValueError
            If a step refuses a clip, or the results differ in shape or, with `flatten`, in length;
            the message names the clip.
        """
        self._validate_params()
        job = self._job()
        X = rows_of(X, job.steps[0][1])
        n_clips = _num_samples(X)
        if not n_clips:
            raise ValueError("Found array with 0 sample(s), while at least 1 clip is required.")
        names = [row_name(X, row) for row in range(n_clips)]
        errors: list[ClipError] = []
        stop: list[Failure] = []
        # Decoders and kernels release the interpreter's lock, so threads suffice, and they start at
        # once; but no thread survives a crash of another.
        isolated = self.on_error == "nan"
        running = run_clips(job, X, names, self.n_jobs, isolated=isolated, stop=stop)
        results = progress(running, n_clips, verbose=self.verbose)
        proven = hasattr(self, "steps_")
        with one_blas_thread(), ended_early(running, stop):
            stacked = stack(
                sift(results, names, self.on_error, errors, stop, proven=proven),
                names,
                self.memory,
                getattr(self, "_example", None),
                flatten=self.flatten,
            )
        self.errors_ = errors
        if errors:
            warnings.warn(_summary(errors, n_clips), UnusableClipWarning, stacklevel=2)
        return stacked

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
        """Column names of X at fit, if it had any."""
        return self._first_fitted_step.feature_names_in_

    @property
    def _first_fitted_step(self) -> Any:
        if not hasattr(self, "steps_"):
            raise AttributeError(f"This {type(self).__name__} is not fitted yet.")
        return self.steps_[0][1]

    def __getitem__(self, index: int | str | slice) -> Any:
        """Return a step, or a pipeline of several."""
        if isinstance(index, slice):
            return type(self)(
                self.steps[index],
                memory=self.memory,
                n_jobs=self.n_jobs,
                on_error=self.on_error,
                flatten=self.flatten,
                verbose=self.verbose,
            )
        return super().__getitem__(index)

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "steps_")

    def _fit_first(self, step: Step, batch: Any, name: str, row: int) -> None:
        """Fit the first step on a clip; errors name the clip and its row."""
        try:
            with rows_from(row):
                step[1].fit(batch)
        except MediaError:
            raise
        except ValueError as error:
            raise ValueError(f"{name}: step {step[0]!r} failed: {error}") from error

    def _fit_following(self, steps: list[Step], X: Any) -> int:
        """Fit all steps but the first on the first usable clip.

        Returns its row.
        """
        job, isolated = self._job(steps, 1), self.on_error == "nan"
        if self.on_error == "raise":  # nothing follows the last step
            job = job._replace(steps=job.steps[:-1], identities=job.identities[:-1])
        results: list[Any] = []
        for row in range(_num_samples(X)):
            clip, name = one_row(X, row), row_name(X, row)
            results = run_each(job, clip, name, row, isolated=isolated)
            if not (results and isinstance(results[-1], Failure)):
                break
            if self.on_error == "raise":
                raise results[-1].error
        else:
            raise ValueError(f"None of the clips can be used. The last: {results[-1].error}")
        for result, (_, step) in zip(results, steps[1:], strict=False):
            if not isinstance(step, FrozenEstimator):
                step.fit(result)
        if self.on_error == "nan":
            self._example = emptied(results[-1])
        return row

    def _job(self, steps: list[Step] | None = None, n_workers: int | None = None) -> Job:
        cache = None if self.memory is None else ClipCache(self.memory)
        return Job.of(
            steps or getattr(self, "steps_", None) or self._per_clip_steps(),
            cache,
            n_workers or number_of_workers(self.n_jobs),
        )

    def _per_clip_steps(self) -> list[Step]:
        steps = checked_steps(self.steps)
        self._validate_names([name for name, _ in self.steps])
        return steps

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.requires_fit = False
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags


def _summary(errors: list[ClipError], n_clips: int) -> str:
    shown = [row_and_reason(error) for error in errors[:5]]
    more = [f"and {len(errors) - 5} more"] if len(errors) > 5 else []
    return "\n  ".join(
        [
            f"{len(errors)} of {plural(n_clips, 'clip')} cannot be used and "
            f"{'is' if len(errors) == 1 else 'are'} NaN (see errors_):",
            *shown,
            *more,
        ]
    )
