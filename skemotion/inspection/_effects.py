"""The effects of the parts of one clip's description."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.utils import check_random_state

from ..base import object_array
from ..io import Limits, enforced
from ._explained_frames import find_frames
from ._explanation import Explanation
from ._occlusion import LEAST_PROBABILITY, Description, OccludedClip
from ._regions import Regions, find_regions
from ._shapley import owen_values

_MOST_PAIRS_OF_ORDERS = 16
# Log-odds of one in a million, beyond which a model is made less certain to be explained.
_CERTAIN = 13.8
_MOST_SOFTENED = 1e12


def explain_row(
    limits: Limits,
    model: Any,
    X: Any,
    name: str,
    target: Any,
    background: Any,
    n_occlusions: int,
    seed: int,
) -> Explanation:
    """Explain what a model says of one clip; see `explain`.

    Parameters
    ----------
    limits : Limits
        Those in force where `explain` was called.
    model : estimator
    X : table of one row, or list of one clip
    name : str
        Of the clip.
    target, background, n_occlusions
        As for `explain`.
    seed : int
        Determines the combinations.

    Returns
    -------
    explanation : Explanation
    """
    with enforced(limits):
        return _explained(model, X, name, target, background, n_occlusions, seed)


def _explained(
    model: Any, X: Any, name: str, target: Any, background: Any, n_occlusions: int, seed: int
) -> Explanation:
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
            check_random_state(seed),
        ),
        ends[:-1],
    )
    tables = [_details(*one) for one in zip(occluded.descriptions, found, effects, strict=True)]
    names = [one.modality for one in occluded.descriptions]
    shown = map(find_frames, occluded.descriptions, found, typical, tables)
    return Explanation(
        clip=name,
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


def _evidence(scores: NDArray[Any], position: int, least: float | None) -> NDArray[np.float64]:
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
