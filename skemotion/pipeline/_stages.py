"""Running a model's clip stages ahead of everything that learns."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, clone
from sklearn.compose import ColumnTransformer
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.utils import _safe_indexing

from .._validation import object_array
from ._clips import ClipPipeline


def run_clip_stages(model: BaseEstimator, X: Any) -> tuple[BaseEstimator, Any]:
    """Do what a model does clip by clip, once, and give the rest of the model for the rest.

    A `ClipPipeline` learns nothing, so that its results may be shared by all splits of a
    cross-validation. This serves one evaluation in memory; ``ClipPipeline(memory=...)`` serves
    searches, several workers and later runs.

    Parameters
    ----------
    model : estimator
        A model whose first step is a `ColumnTransformer` over columns of clips, each with a
        `Pipeline` that starts with a `ClipPipeline`. Any other is given back as it is, and so is
        one that lets further columns through.
    X : DataFrame
        Clips.

    Returns
    -------
    rest : estimator
        An unfitted copy that takes the results where the model ran its clip stages.
    results : DataFrame
        X, and beside it what each branch's clip stages give, a clip a row.

    Examples
    --------
    >>> import numpy as np
    >>> import pandas as pd
    >>> from skemotion.pipeline import make_emotion_pipeline, run_clip_stages
    >>> clips = [np.zeros((9, 120, 160), dtype=np.uint8) for _ in range(2)]
    >>> model, results = run_clip_stages(
    ...     make_emotion_pipeline("video"), pd.DataFrame({"video": clips})
    ... )
    >>> results["video__clips"][0].shape
    (10, 8, 8, 9, 2)
    """
    model = clone(model)
    features = model[0] if isinstance(model, Pipeline) else None
    if not isinstance(features, ColumnTransformer) or features.remainder != "drop":
        return model, X
    results, transformers = {}, []
    for name, branch, column in features.transformers:
        if isinstance(branch, Pipeline) and isinstance(branch[0], ClipPipeline):
            chosen = column(X) if callable(column) else column
            made = branch[0].fit_transform(_safe_indexing(X, chosen, axis=1))
            # A column of its own, as other branches may start from the same clips.
            step = branch.steps[0][0]
            column = f"{name}__{step}"
            results[column] = object_array(list(made))
            unpack = FunctionTransformer(_unpack, kw_args={"stacked": made.ndim > 1})
            branch.set_params(**{step: unpack})
        transformers.append((name, branch, column))
    features.set_params(transformers=transformers)
    return model, pd.DataFrame(X).rename(columns=str).assign(**results)


def _unpack(column: pd.Series[Any], stacked: bool) -> NDArray[Any]:
    """Give what a ClipPipeline gave, from a column of its rows."""
    rows = object_array(list(column))
    return np.stack(list(rows)) if stacked else rows
