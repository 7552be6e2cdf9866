"""A temporary cache for models without one."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sklearn.base import BaseEstimator, clone

from ..base import model_parts
from ._clip_pipeline import ClipPipeline
from ._step_identity import step_identity


class _TemporaryFolder(str):
    """Path of a folder that will be removed; no model should remember it."""

    __slots__ = ()


@contextmanager
def temporary_cache(model: BaseEstimator) -> Iterator[Any]:
    """Keep the results of clip stages in a folder that is removed at the end.

    Inside the ``with`` block each clip is opened and described once, however often the model is
    fitted, cloned and searched. Every `ClipPipeline` without `memory` gets the folder, anywhere in
    the model: in a pipeline, a column transformer, a grid search or another meta-estimator. A
    `ClipPipeline` with a step whose code cannot be read, such as a function typed into a shell,
    gets none.

    Parameters
    ----------
    model : estimator
        Not changed.

    Yields
    ------
    cached : estimator
        Clone of the model. After the block it has no `memory` again, and if it was fitted, it can
        still be used.

    See Also
    --------
    ClipCache : A permanent cache, by ``ClipPipeline(memory=folder)``.
    evaluate : Uses this.
    fit_usable : Uses this.

    Notes
    -----
    The folder holds the result of *each* step for each clip: with the reference recipe about 11 MB
    per clip with picture and sound, or 15 GB for RAVDESS. It is created by `tempfile`: set the
    environment variable ``TMPDIR`` to a disk with space, in particular if ``/tmp`` is in memory.

    Examples
    --------
    >>> import numpy as np
    >>> from skemotion.pipeline import ClipCache, ClipPipeline, temporary_cache
    >>> from skemotion.video import HOG3D
    >>> describe = ClipPipeline([("hog3d", HOG3D())])
    >>> with temporary_cache(describe) as cached:
    ...     result = cached.fit_transform(np.arange(1200.0).reshape(2, 5, 10, 12))
    ...     print(ClipCache(cached.memory))
    ClipCache: 2 entries, 0.0 MB
    >>> print(cached.memory)
    None
    """
    cached = clone(model)
    bare = [part for part in clip_pipelines(cached) if part.memory is None and is_known(part)]
    if not bare:
        yield cached
        return
    # Where a memory map is still open, some systems keep the file a little longer.
    with tempfile.TemporaryDirectory(prefix="skemotion-", ignore_cleanup_errors=True) as folder:
        for pipeline in bare:
            pipeline.memory = _TemporaryFolder(folder)
        try:
            yield cached
        finally:
            forget_temporary(cached)


def forget_temporary(model: Any) -> None:
    """Remove the temporary folder from every part of a model, fitted or not.

    Parameters
    ----------
    model : estimator
        Changed in place.
    """
    for pipeline in clip_pipelines(model):
        if isinstance(pipeline.memory, _TemporaryFolder):
            pipeline.memory = None


def clip_pipelines(model: Any) -> list[ClipPipeline]:
    """Find every `ClipPipeline` in a model, in parameters and fitted attributes.

    Parameters
    ----------
    model : estimator
        Frozen models in it are skipped, as they belong to someone else.

    Returns
    -------
    pipelines : list of ClipPipeline
    """
    return [part for part in model_parts(model, skip_frozen=True) if isinstance(part, ClipPipeline)]


def is_known(pipeline: ClipPipeline) -> bool:
    """Return whether a cache can say what the steps of a pipeline do.

    Parameters
    ----------
    pipeline : ClipPipeline

    Returns
    -------
    is_known : bool
    """
    try:
        for _, step in pipeline.steps:
            if step not in (None, "passthrough"):
                step_identity(step)
    except (ValueError, AttributeError):  # the second: no step at all, which fit will refuse
        return False
    return True
