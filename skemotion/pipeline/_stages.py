"""Taking a model's clip stages off, to run them once, and putting them back."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, clone
from sklearn.compose import ColumnTransformer
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.utils import _safe_indexing

from .._validation import object_array
from ._clips import ClipPipeline
from ._running import ClipError


def run_clip_stages(model: BaseEstimator, X: Any) -> tuple[BaseEstimator, Any, list[ClipError]]:
    """Do what a model does clip by clip, once, and give the rest of the model for the rest.

    A `ClipPipeline` learns nothing, so that its results may be shared by all splits of a
    cross-validation. This serves one evaluation in memory; ``ClipPipeline(memory=...)`` serves
    searches, several workers and later runs.

    Parameters
    ----------
    model : estimator
        A `Pipeline` that starts with a `ClipPipeline`, or whose first step is a
        `ColumnTransformer` over columns of clips, each with such a `Pipeline`. Any other is given
        back as it is, and so is one that lets further columns through.
    X : DataFrame or column of clips
        Clips.

    Returns
    -------
    rest : estimator
        An unfitted copy that takes the results where the model ran its clip stages.
    results : DataFrame or ndarray
        X, and beside it what each branch's clip stages give, a clip a row; of a model without
        branches, what its clip stages give.
    errors : list of ClipError
        The clips that could not be used, of all branches, where those say ``on_error="nan"``.

    See Also
    --------
    join_clip_stages : Makes one model again of the clip stages and the fitted rest.

    Examples
    --------
    >>> import numpy as np
    >>> import pandas as pd
    >>> from skemotion.pipeline import make_emotion_pipeline, run_clip_stages
    >>> clips = [np.zeros((9, 120, 160), dtype=np.uint8) for _ in range(2)]
    >>> rest, results, errors = run_clip_stages(
    ...     make_emotion_pipeline("video"), pd.DataFrame({"video": clips})
    ... )
    >>> results["video__clips"][0].shape
    (10, 8, 8, 9, 2)
    """
    model = clone(model)
    features = model[0] if isinstance(model, Pipeline) else None
    if isinstance(features, ClipPipeline) and len(model) > 1:
        made = features.fit_transform(X)
        return model[1:], made, features.errors_
    if not isinstance(features, ColumnTransformer) or features.remainder != "drop":
        return model, X, []
    results, transformers, errors = {}, [], []
    for name, branch, column in features.transformers:
        if isinstance(branch, Pipeline) and isinstance(branch[0], ClipPipeline):
            chosen = column(X) if callable(column) else column
            made = branch[0].fit_transform(_safe_indexing(X, chosen, axis=1))
            errors += branch[0].errors_
            # A column of its own, as other branches may start from the same clips.
            step = branch.steps[0][0]
            column = f"{name}__{step}"
            results[column] = object_array(list(made))
            unpack = FunctionTransformer(_unpack, kw_args={"stacked": made.ndim > 1})
            branch.set_params(**{step: unpack})
        transformers.append((name, branch, column))
    features.set_params(transformers=transformers)
    return model, pd.DataFrame(X).rename(columns=str).assign(**results), errors


def join_clip_stages(model: Pipeline, rest: Pipeline, X: Any) -> Pipeline:
    """Put a model's clip stages in front of the rest, which has been fitted without them.

    Parameters
    ----------
    model : Pipeline
        What `run_clip_stages` was given.
    rest : Pipeline
        What it gave, fitted.
    X : DataFrame or column of clips
        A clip, to learn the shape of what the clip stages give.

    Returns
    -------
    joined : Pipeline
        Fitted, and the same as the model had become, had it been fitted on the clips themselves.

    Examples
    --------
    >>> import numpy as np
    >>> import pandas as pd
    >>> from skemotion.pipeline import (
    ...     join_clip_stages, make_emotion_pipeline, run_clip_stages
    ... )
    >>> noise = np.random.default_rng(0).integers(0, 256, (4, 9, 120, 160), dtype=np.uint8)
    >>> X = pd.DataFrame({"video": list(noise)})
    >>> model = make_emotion_pipeline("video").set_params(
    ...     features__video__tucker__ranks=(3, 4, 4, None, 1)
    ... )
    >>> rest, results, _ = run_clip_stages(model, X)
    >>> rest.fit(results, ["calm", "angry"] * 2)
    Pipeline(...)
    >>> join_clip_stages(model, rest, X[:1]).predict(X).tolist()
    ['calm', 'angry', 'calm', 'angry']
    """
    if isinstance(model[0], ClipPipeline) and len(rest) < len(model):
        return Pipeline([(model.steps[0][0], clone(model[0]).fit(X)), *rest.steps])
    fitted = {} if not isinstance(rest[0], ColumnTransformer) else rest[0].named_transformers_
    taken = [name for name, branch in fitted.items() if _starts_with_unpacking(branch)]
    if not taken:
        return rest
    features = clone(model[0])
    # Frozen while the clip stages are fitted, which is all that is left to do.
    frozen = [
        (name, _with_clip_stages(branch, fitted[name], freeze=True), column)
        for name, branch, column in features.transformers
    ]
    features.set_params(transformers=frozen).fit(X)
    features.transformers_ = [
        (name, _with_clip_stages(branch, fitted[name], freeze=False), column)
        for name, branch, column in features.transformers_
    ]
    features.set_params(transformers=clone(model[0]).transformers)
    return Pipeline([(model.steps[0][0], features), *rest.steps[1:]])


def _starts_with_unpacking(branch: Any) -> bool:
    return isinstance(branch, Pipeline) and getattr(branch[0], "func", None) is _unpack


def _with_clip_stages(branch: Any, fitted: Any, *, freeze: bool) -> Any:
    """Put what was fitted behind a branch's first step, or in place of a branch without one."""
    if _starts_with_unpacking(fitted):
        behind = [(name, FrozenEstimator(s) if freeze else s) for name, s in fitted.steps[1:]]
        return Pipeline([branch.steps[0], *behind])
    return FrozenEstimator(fitted) if freeze and not isinstance(fitted, str) else fitted


def _unpack(column: pd.Series[Any], stacked: bool) -> NDArray[Any]:
    """Give what a ClipPipeline gave, from a column of its rows."""
    rows = object_array(list(column))
    return np.stack(list(rows)) if stacked else rows
