"""What a model's clip stages cost, measured on some clips."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from sklearn.base import BaseEstimator, clone
from sklearn.utils.validation import _num_samples

from ..io import without_workers
from ._rows import one_row
from ._temporary_cache import clip_pipelines
from ._usable import find_unusable


class ClipCosts(NamedTuple):
    """Time and memory of opening and describing clips.

    Attributes
    ----------
    seconds : list of float
        By the clock, for each clip measured.
    cpu_seconds : float
        Mean processor time of a clip, of all threads.
    peak_bytes : int or None
        The most memory that this process has had since it started, imported packages included;
        None where the system does not say.
    """

    seconds: list[float]
    cpu_seconds: float
    peak_bytes: int | None


def measure_costs(model: BaseEstimator, X: Any, *, n_clips: int = 5) -> ClipCosts:
    """Measure what opening and describing a clip costs, in this process and without a cache.

    The first clip is described once before, as compiling functions and loading networks takes
    place once.

    Parameters
    ----------
    model : estimator
        Not changed, and not fitted. All its `ClipPipeline` are measured; what learns is not.
    X : table or column of clips
        As the model takes it; clips that it can use.
    n_clips : int, default=5
        Clips to measure, spread evenly over X.

    Returns
    -------
    costs : ClipCosts

    Raises
    ------
    ValueError
        If there are no clips, or one of those measured cannot be used.

    See Also
    --------
    skemotion.inspection.write_report : Shows these figures.

    Examples
    --------
    >>> import numpy as np
    >>> from skemotion.pipeline import ClipPipeline, measure_costs
    >>> from skemotion.video import HOG3D
    >>> describe = ClipPipeline([("hog3d", HOG3D())])
    >>> costs = measure_costs(describe, np.zeros((9, 5, 10, 12)), n_clips=3)
    >>> len(costs.seconds)
    3
    """
    n_rows = _num_samples(X)
    if not n_rows or n_clips < 1:
        raise ValueError(f"Expected clips to measure, found {n_rows}, and n_clips={n_clips}.")
    model = clone(model)
    for pipeline in clip_pipelines(model):
        pipeline.set_params(memory=None, n_jobs=1, verbose=False)
    rows = np.linspace(0, n_rows - 1, min(n_clips, n_rows)).astype(np.intp)
    clips = [one_row(X, row) for row in rows]
    seconds = []
    # What other processes use would be missing in the figures.
    with without_workers():
        _describe(model, clips[0])
        cpu = time.process_time()
        for clip in clips:
            start = time.perf_counter()
            _describe(model, clip)
            seconds.append(time.perf_counter() - start)
        cpu = time.process_time() - cpu
    return ClipCosts(seconds, cpu / len(clips), _peak_bytes())


def _describe(model: BaseEstimator, clip: Any) -> None:
    for error in find_unusable(model, clip):
        raise ValueError(f"Expected clips that can be used: {error.reason}")


def _peak_bytes() -> int | None:
    status = Path("/proc/self/status")
    if status.exists():  # where getrusage gives a new process its parent's
        for line in status.read_text(encoding="ascii", errors="replace").splitlines():
            if line.startswith("VmHWM:"):
                return 1024 * int(line.split()[1])
    try:
        import resource
    except ImportError:  # as on Windows
        return None
    used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return used if sys.platform == "darwin" else 1024 * used
