"""Explaining what a model says of a clip."""

from __future__ import annotations

from numbers import Integral
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval, validate_params
from sklearn.utils.validation import _num_samples, check_is_fitted

from ..base import is_missing, object_array
from ..io import clip_name
from ._explained_frames import find_frames
from ._explanation import Explanation
from ._occlusion import LEAST_PROBABILITY, Description, OccludedClip
from ._regions import Regions, find_regions
from ._shapley import owen_values

_MOST_PAIRS_OF_ORDERS = 16
# Log-odds of one in a million, beyond which a model is made less certain to be explained.
_CERTAIN = 13.8
_MOST_SOFTENED = 1e12


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
        If no modality of the clip can be used.

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

    The clip is described in this process, whatever `on_error` is: with a clip that nobody has
    looked at, predict it first, as a decoder that crashes or hangs would take this process along.

    An explanation is about the model, not about the person: it says what the model's answer came
    from. A part of many values has a large effect where the model reads a little from each: of the
    functionals of speech, four in five are of the spectrum, which moves with pitch, too. What
    stands out for its size is seen in ``effect / n_values``.

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
    occluded = OccludedClip(model, X)
    others = [] if background is None else [OccludedClip(model, row) for row in _rows(background)]
    found = [find_regions(_all_names(one)) for one in occluded.descriptions]
    typical = [_typical(one, others) for one in occluded.descriptions]
    ends = np.cumsum([len(own.regions) for own in found])
    offsets = ends - [len(own.regions) for own in found]
    index = [own.of_values + offset for own, offset in zip(found, offsets, strict=True)]
    n_regions = int(ends[-1])

    classes = np.asarray(model.classes_)
    position = _winner(occluded.answer) if target is None else _position(classes, target)
    is_probability = has_probabilities = occluded.gives_probabilities

    def ask(shown: NDArray[np.bool_]) -> NDArray[np.float64]:
        answers = occluded.scores(shown, index, typical)
        return _evidence(answers, position, least if is_probability else None)

    ends_of_the_way = np.array([[False], [True]]).repeat(n_regions, axis=1)
    at_ends = occluded.scores(ends_of_the_way, index, typical)
    average, least, softened = at_ends[0], LEAST_PROBABILITY, 1.0
    if is_probability and not occluded.soften(1.0):
        if (at_ends == 0).any() and occluded.use_decisions():
            is_probability = False
        else:
            least = min(float(at_ends[at_ends > 0].min()), np.exp(-_CERTAIN))
    while is_probability and softened < _MOST_SOFTENED:
        factor = np.abs(ask(ends_of_the_way)).max() / _CERTAIN
        if factor <= 1 or not occluded.soften(1.01 * factor):
            break
        softened *= 1.01 * factor
    evidence = ask(ends_of_the_way)
    effects = np.split(
        owen_values(
            ask,
            [number for number, own in enumerate(found) for _ in own.regions],
            2 * int(np.clip(n_occlusions // (2 * n_regions), 1, _MOST_PAIRS_OF_ORDERS)),
            check_random_state(random_state),
        ),
        ends[:-1],
    )
    tables = [_details(*one) for one in zip(occluded.descriptions, found, effects, strict=True)]
    names = [one.modality for one in occluded.descriptions]
    shown = map(find_frames, occluded.descriptions, found, typical, tables)
    return Explanation(
        clip=_name(X),
        target=classes.tolist()[position],
        label=classes.tolist()[_winner(occluded.answer)],
        unit="log-odds" if is_probability else "decision",
        softened=float(softened),
        score=float(evidence[1]),
        average_score=float(evidence[0]),
        probabilities=pd.Series(occluded.answer[0], classes) if has_probabilities else None,
        average_probabilities=pd.Series(average, classes) if has_probabilities else None,
        details=pd.concat(tables, ignore_index=True),
        maps={
            name: _grid(own, part)
            for name, own, part in zip(names, found, effects, strict=True)
            if own.shape
        },
        frames={name: frames for name, frames in zip(names, shown, strict=True) if frames},
    )


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


def _rows(background: Any) -> list[Any]:
    """Take a table or a column of clips apart."""
    if hasattr(background, "columns"):
        return [background.iloc[[row]] for row in range(len(background))]
    return [object_array([clip]) for clip in background]


def _all_names(description: Description) -> list[str]:
    """Name every value, also of trajectories, which are named once for all points."""
    names, n_values = description.names, description.result.size
    if len(names) == n_values or not names or n_values % len(names):
        return names[:n_values] + ["value"] * (n_values - len(names))
    return [f"{name}_point{point}" for point in range(n_values // len(names)) for name in names]


def _typical(description: Description, background: list[OccludedClip]) -> NDArray[np.float64]:
    """Return what replaces the values of a description."""
    result = description.result
    if background:
        found = [
            _as_long(one.result, result)
            for clip in background
            for one in clip.descriptions
            if one.modality == description.modality
        ]
        if found:
            return np.mean(found, axis=0)
        raise ValueError(f"No clip of the background has the modality {description.modality!r}.")
    if description.typical is None or len(description.typical) != result.size:
        raise ValueError(
            f"The model has not kept the average training clip of {description.modality!r}: pass "
            "clips as background, or put a StandardScaler after the ClipPipeline."
        )
    return description.typical


def _as_long(values: NDArray[Any], like: NDArray[Any]) -> NDArray[np.float64]:
    """Flatten a description; of trajectories of another length, the mean over time."""
    if values.shape == like.shape:
        return values.ravel().astype(np.float64)
    return np.broadcast_to(values.mean(axis=0), like.shape).ravel().astype(np.float64)


def _evidence(
    scores: NDArray[Any], position: int, least: float | None
) -> NDArray[np.float64]:
    """Return log-odds of a class, of probabilities not below the least, or the decision for it."""
    scores = scores.astype(np.float64)
    if least is not None:
        own = np.maximum(scores[:, position], least)
        others = np.delete(scores, position, axis=1).sum(axis=1)
        return np.asarray(np.log(own) - np.log(np.maximum(others, least)))
    if scores.ndim == 1:
        return scores if position else -scores
    return np.asarray(scores[:, position])


def _winner(scores: NDArray[Any]) -> int:
    return int(scores[0] > 0) if scores.ndim == 1 else int(scores[0].argmax())


def _position(classes: NDArray[Any], target: Any) -> int:
    found = np.flatnonzero(classes == target)
    if not len(found):
        raise ValueError(f"target must be one of {classes.tolist()}, got {target!r}.")
    return int(found[0])


def _details(
    description: Description, regions: Regions, effects: NDArray[np.float64]
) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "modality": description.modality,
            "part": [region.part for region in regions.regions],
            "measure": [
                region.measure + (f", time {region.place[0] + 1}" if len(region.place) == 1 else "")
                for region in regions.regions
            ],
            "n_values": np.bincount(regions.of_values, minlength=len(regions.regions)),
            "effect": effects,
        }
    )


def _grid(regions: Regions, effects: NDArray[np.float64]) -> Any:
    """Lay out effects by place: an array of pictures' regions, a table of curves'."""
    places = [region.place for region in regions.regions]
    if len(regions.shape) > 1:
        grid = np.zeros(regions.shape)
        for place, effect in zip(places, effects, strict=True):
            grid[place] = effect
        return grid
    measures = list(dict.fromkeys(region.measure for region in regions.regions if region.place))
    grid = np.zeros((len(measures), *regions.shape))
    for region, effect in zip(regions.regions, effects, strict=True):
        if region.place:
            grid[(measures.index(region.measure), *region.place)] += effect
    starts = np.arange(regions.shape[0]) / regions.shape[0]
    return pd.DataFrame(grid, index=measures, columns=starts)


def _name(X: Any) -> str:
    cells = X if not hasattr(X, "columns") else [
        X[name].iloc[0] for name in ("video", "audio", "landmarks") if name in X.columns
    ]  # fmt: skip
    return next((clip_name(cell) for cell in cells if not is_missing(cell)), "clip")
