"""Explaining what a model says of a clip."""

from __future__ import annotations

from numbers import Integral
from typing import Any

import numpy as np
import pandas as pd
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval, validate_params
from sklearn.utils.validation import _num_samples, check_is_fitted

from ..base import is_missing, object_array
from ..io import call_isolated, clip_name, limits_in_force
from ._effects import explain_row
from ._explanation import Explanation


@validate_params(
    {
        "model": [object],
        "clip": [object],
        "target": [object],
        "background": [object],
        "n_occlusions": [Interval(Integral, 1, None, closed="left")],
        "random_state": ["random_state"],
    },
    prefer_skip_nested_validation=True,
)
def explain(
    model: Any,
    clip: Any,
    *,
    target: Any = None,
    background: Any = None,
    n_occlusions: int = 1000,
    random_state: int | np.random.RandomState | None = 0,
) -> Explanation:
    """Say which parts of picture and sound made a model's answer.

    The clip is described once. Then parts of its description are replaced by those of the average
    training clip, in many combinations, and the model classifies all of these in one go. What a
    part contributes is the change of the answer when it is shown, averaged over what else is shown
    [1]_ [2]_.

    Parameters
    ----------
    model : estimator
        Fitted classifier with a `ClipPipeline`, such as from `make_emotion_pipeline`. Not changed.
    clip : path, clip in memory, or table of one row
        As ``model.predict`` takes it: a single clip, or a DataFrame with one row.
    target : label, default=None
        Which class to explain; None for the predicted one.
    background : table or column of clips, default=None
        Clips whose average description replaces that of the clip. None for the average training
        clip, as far as the model has kept it.
    n_occlusions : int, default=1000
        About how many combinations to classify: the more, the more precise. At least two orders of
        showing all parts are tried.
    random_state : int, RandomState instance or None, default=0
        Determines the combinations.

    Returns
    -------
    explanation : Explanation

    Raises
    ------
    NotFittedError
        If the model is not fitted.
    TypeError
        If the model is no classifier of clips.
    ValueError
        If `clip` is several clips, `target` is no class of the model, or the model has not kept
        the average training clip and there is no `background`.
    MediaError
        If no modality of the clip can be used, or it ends the process that looks at it.

    See Also
    --------
    ExplanationDisplay : Draws it.

    Notes
    -----
    Effects are in log-odds of the target class, the logarithm of p / (1 - p): parts with effects of
    0.7 and 0.7 together make the odds four times as high. They add up exactly, from the average
    clip's log-odds to the clip's. Models without probabilities are explained by their decision
    function.

    Where calibrated branches are certain beyond one in a million, as if a handful of training clips
    is told apart without any doubt, nothing would move them. Their logits are then divided by a
    common factor, `softened`, so that log-odds are 13.8 at most. The least probability of a
    `FusionClassifier`, which keeps a branch from ruling a class out, is not applied. Another model
    that rules classes out is explained by its decision function if it has one, and else, such as
    a forest, as if nothing were less probable than one in a million.

    All of this happens in a worker process: a clip that crashes a decoder, or takes more time or
    memory than `skemotion.limits` allow, is an error that names it.

    An explanation is about the model, not about the person: it says what the model's answer came
    from. A part of many values has a large effect where the model reads a little from each: of the
    functionals of speech, four in five are mel bands, cepstrum and spectral shape, which move with
    pitch, too. What stands out for its size is seen in ``effect / n_values``.

    The average is what the classifier's first step with a mean, such as a `StandardScaler` or a
    `SpeakerScaler`, has as its mean; before a `PartialTucker`, the clip rebuilt from the average
    core. For a clip with a speaker, it is the average of the speaker as the model has it.

    References
    ----------
    .. [1] M. D. Zeiler and R. Fergus, "Visualizing and understanding convolutional networks",
       ECCV 2014 (occlusion).
    .. [2] S. M. Lundberg and S.-I. Lee, "A unified approach to interpreting model predictions",
       NeurIPS 2017 (Shapley values).

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> from skemotion.inspection import explain
    >>> from skemotion.pipeline import ClipPipeline
    >>> from skemotion.video import HOG3D, VideoLoader
    >>> clips = [np.zeros((5, 30, 36), np.uint8) for _ in range(4)]
    >>> for clip in clips[:2]:
    ...     clip[:, 24:, :12] = 255  # the angry ones are bright in one corner
    >>> describe = ClipPipeline([("load", VideoLoader()), ("hog3d", HOG3D())], flatten=True)
    >>> model = make_pipeline(describe, StandardScaler(), LogisticRegression())
    >>> explanation = explain(model.fit(clips, ["angry", "angry", "calm", "calm"]), clips[0])
    >>> explanation.label_
    'angry'
    >>> explanation.parts.loc[0, "part"]
    'lower third'
    """
    check_is_fitted(model)
    X = _one_row(clip)
    name = _name(X)
    seed = random_state
    if not isinstance(seed, Integral):  # which stays here
        seed = check_random_state(seed).randint(np.iinfo(np.int32).max)
    settings = (target, background, n_occlusions, int(seed))
    explanation: Explanation = call_isolated(
        explain_row, limits_in_force(), model, X, name, *settings, name=name
    )
    return explanation


def _one_row(clip: Any) -> Any:
    """Make a table of one row, or a list of one clip."""
    if isinstance(clip, pd.Series):
        clip = clip.to_frame().T
    if isinstance(clip, dict):
        clip = pd.DataFrame({name: object_array([cell]) for name, cell in clip.items()})
    if not hasattr(clip, "columns"):
        return object_array([clip])
    if _num_samples(clip) != 1:
        raise ValueError(
            f"explain expected one clip, got a table of {_num_samples(clip)} rows: pass one of "
            "them, such as table.iloc[[0]]."
        )
    return clip


def _name(X: Any) -> str:
    cells = X if not hasattr(X, "columns") else [
        X[name].iloc[0] for name in ("video", "audio", "landmarks") if name in X.columns
    ]  # fmt: skip
    return next((clip_name(cell) for cell in cells if not is_missing(cell)), "clip")
