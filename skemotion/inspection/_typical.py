"""What a fitted model takes for the description of an average training clip."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import _is_fitted

from ..base import UnsuitableModelError, model_parts
from ..classification import FusionClassifier
from ..decomposition import MiniRocket, MultiRocket
from ..pipeline import ClipPipeline
from ..preprocessing import SpeakerScaler

Values = NDArray[np.float64]


class Described:
    """A `ClipPipeline` in a model, and what follows it.

    Parameters
    ----------
    pipeline : ClipPipeline
        Of the model.
    modality : str
        Name of its branch of the model.
    typical : ndarray or None
        Flattened description of the average training clip, None where the model does not keep it.
    """

    def __init__(self, pipeline: ClipPipeline, modality: str, typical: Values | None) -> None:
        self.pipeline = pipeline
        self.modality = modality
        self.typical = typical


def find_described(model: Any, speaker: Any = None) -> list[Described]:
    """Find what describes clips in a fitted model, with the average description.

    Parameters
    ----------
    model : estimator
        Fitted.
    speaker : object, default=None
        Who speaks: an enrolled speaker's own average counts.

    Returns
    -------
    found : list of Described
        In the order of the model; empty for a model without a `ClipPipeline`.

    Raises
    ------
    TypeError
        If the model is an ensemble of several, each of which describes clips.
    """
    found: list[Described] = []
    _visit(model, None, (), speaker, found)
    taken = [one.modality for one in found]
    for number, one in enumerate(found):
        if taken.count(one.modality) > 1:
            one.modality = f"{one.modality} {1 + taken[:number].count(one.modality)}"
    return found


def unwrapped(model: Any) -> Any:
    """Return the fitted model within searches and other wrappers of one model."""
    while True:
        for name in ("best_estimator_", "estimator_"):
            if hasattr(model, name):
                model = getattr(model, name)
                break
        else:
            calibrated: Any = getattr(model, "calibrated_classifiers_", ())
            if isinstance(model, FrozenEstimator):
                model = model.estimator
            elif len(calibrated) == 1:
                model = calibrated[0].estimator
            else:
                return model


def _visit(
    model: Any, typical: Values | None, path: tuple[str, ...], speaker: Any, found: list[Described]
) -> None:
    """Walk from the model's end to each `ClipPipeline`, with the average that its result has."""
    model = unwrapped(model)
    if isinstance(model, ClipPipeline):
        found.append(Described(model, path[0] if path else "clip", typical))
    elif isinstance(model, Pipeline):
        inputs: list[Values | None] = []
        for _, step in reversed(model.steps):
            inputs.append(typical)
            typical = _typical_input(step, typical, speaker)
        for (_, step), after in zip(model.steps, reversed(inputs), strict=True):
            _visit(step, after, path, speaker, found)
    elif isinstance(model, FusionClassifier):
        for name, branch in model.named_estimators_.items():
            _visit(branch, None, (*path, name), speaker, found)
    elif isinstance(model, CalibratedClassifierCV):
        one = model.calibrated_classifiers_[0].estimator
        if any(isinstance(part, ClipPipeline) for part in model_parts(one)):
            raise UnsuitableModelError(
                f"explain expected one model, got a CalibratedClassifierCV of "
                f"{len(model.calibrated_classifiers_)}: fit it with ensemble=False."
            )
    elif isinstance(model, ColumnTransformer):
        for name, part, _ in model.transformers_:
            own = None if typical is None else typical[model.output_indices_[name]]
            _visit(part, own, (*path, name), speaker, found)


def _typical_input(step: Any, output: Values | None, speaker: Any) -> Values | None:
    """Return the input of a step that the average training clip has; None if it cannot say."""
    step = unwrapped(step)
    if step is None or isinstance(step, str):
        return output
    if isinstance(step, CalibratedClassifierCV):  # of several, which are much the same
        return _typical_input(step.calibrated_classifiers_[0].estimator, None, speaker)
    if isinstance(step, Pipeline):
        for _, part in reversed(step.steps):
            output = _typical_input(part, output, speaker)
        return output
    if isinstance(step, FusionClassifier):
        return _typical_of_members(step, speaker)
    if isinstance(step, SpeakerScaler):
        return _typical_of_speaker(step, speaker)
    if isinstance(step, MiniRocket | MultiRocket):
        if len(step.clip_shape_) != 1:
            return None
        return np.tile(step.means_[0], step.clip_shape_[0] // step.n_channels_)
    mean = getattr(step, "mean_", None)
    if isinstance(mean, np.ndarray) and mean.ndim == 1:
        return mean
    if output is not None and hasattr(step, "inverse_transform") and _is_fitted(step):
        return np.ravel(step.inverse_transform(output[np.newaxis]))
    for means, shares in (("means_", "priors_"), ("theta_", "class_prior_")):
        if hasattr(step, means) and hasattr(step, shares):
            return np.asarray(getattr(step, shares) @ getattr(step, means))
    # What replaces missing values leaves the others as they are.
    return output if hasattr(step, "statistics_") else None


def _typical_of_members(fusion: FusionClassifier, speaker: Any) -> Values | None:
    """Put together what the members of a fusion take for the average."""
    typical = np.full(fusion.n_features_in_, np.nan)
    for name, _, columns in fusion.estimators or []:
        if name not in fusion.named_estimators_:
            continue
        own = _typical_input(fusion.named_estimators_[name], None, speaker)
        if own is not None and not isinstance(columns, str):
            typical[columns] = own
    return None if np.isnan(typical).any() else typical


def _typical_of_speaker(scaler: SpeakerScaler, speaker: Any) -> Values:
    """Return what is scaled to zeros, with NaN in the place of the speaker's name."""
    mean = scaler.mean_
    if scaler.speaker is None:
        return mean
    if speaker in scaler.enrolled_:
        n_clips, own, _ = scaler.enrolled_[speaker]
        weight = n_clips / (n_clips + scaler.shrinkage)
        mean = weight * own + (1 - weight) * mean
    place = scaler.speaker
    if isinstance(place, str):
        place = scaler.feature_names_in_.tolist().index(place)
    return np.insert(mean, place % scaler.n_features_in_, np.nan)
