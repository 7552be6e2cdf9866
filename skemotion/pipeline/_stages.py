"""Running a model's clip stages ahead of everything that learns."""

from __future__ import annotations

from typing import Any

import pandas as pd
from sklearn.base import BaseEstimator, clone
from sklearn.compose import ColumnTransformer
from sklearn.pipeline import Pipeline

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
        `Pipeline` that starts with a `ClipPipeline`. Any other is given back as it is.
    X : DataFrame
        Clips.

    Returns
    -------
    rest : estimator
        An unfitted copy, its clip stages replaced by ``"passthrough"``.
    results : DataFrame
        X, each such column replaced by what its clip stages give.

    Examples
    --------
    >>> import numpy as np
    >>> import pandas as pd
    >>> from skemotion.pipeline import make_emotion_pipeline, run_clip_stages
    >>> clips = [np.zeros((9, 120, 160), dtype=np.uint8) for _ in range(2)]
    >>> model, results = run_clip_stages(
    ...     make_emotion_pipeline("video"), pd.DataFrame({"video": clips})
    ... )
    >>> results["video"][0].shape
    (10, 8, 8, 9, 2)
    """
    model = clone(model)
    features = model[0] if isinstance(model, Pipeline) else None
    if not isinstance(features, ColumnTransformer):
        return model, X
    results = {}
    for name, branch, column in features.transformers:
        clips = branch[0] if isinstance(branch, Pipeline) else None
        if isinstance(clips, ClipPipeline):
            results[column] = object_array(list(clips.fit_transform(X[column])))
            model.set_params(
                **{f"{model.steps[0][0]}__{name}__{branch.steps[0][0]}": "passthrough"}
            )
    return model, pd.DataFrame(X).assign(**results)
