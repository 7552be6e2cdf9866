"""Asking a model about one clip with parts of its description replaced."""

from __future__ import annotations

import os
import warnings
from copy import deepcopy
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.calibration import CalibratedClassifierCV
from sklearn.utils import Tags

from ..base import (
    UnsuitableModelError,
    as_table_for,
    is_missing,
    model_parts,
    object_array,
    speaker_columns,
)
from ..classification import FusionClassifier
from ..io import MediaError, without_workers
from ..pipeline import ClipPipeline, UnusableClipWarning
from ..preprocessing import SpeakerScaler, enroll_speakers
from ._typical import find_described, unwrapped

# Descriptions that are held at once.
_BYTES = 2**27
# Next to nothing, yet its logarithm is a number.
LEAST_PROBABILITY = 1e-300


class Description(NamedTuple):
    """What one `ClipPipeline` of a model makes of a clip.

    Attributes
    ----------
    modality : str
        Name of the branch.
    clip : object
        What the pipeline was given.
    result : ndarray
        In the shape of the last step's result.
    typical : ndarray of shape (n_values,) or None
        The same of the average training clip.
    names : list of str, length n_values
    stages : list of (stage, result)
        Each stage of the pipeline, and what it made of the clip.
    """

    modality: str
    clip: Any
    result: NDArray[Any]
    typical: NDArray[Any] | None
    names: list[str]
    stages: list[tuple[Any, Any]]


class OccludedClip:
    """A clip that is described once, and a model that is asked about parts of the description.

    Parameters
    ----------
    model : estimator
        Fitted; not changed.
    X : table of one row, or list of one clip
        As the model takes it.

    Attributes
    ----------
    descriptions : list of Description
        Of the modalities that the clip has.
    answer : ndarray of shape (1, n_classes) or (1,)
        Probabilities or decisions of the model for the whole clip.
    gives_probabilities : bool
        Whether the model gives probabilities, or else decisions.

    Raises
    ------
    TypeError
        If the model has no `ClipPipeline`, or gives neither probabilities nor decisions.
    """

    def __init__(self, model: Any, X: Any) -> None:
        self.gives_probabilities = hasattr(model, "predict_proba")
        self._method = "predict_proba" if self.gives_probabilities else "decision_function"
        if not hasattr(model, self._method):
            raise UnsuitableModelError(
                f"explain expected a classifier with predict_proba or decision_function, got "
                f"{type(model).__name__}."
            )
        self._model = deepcopy(model)
        self._speaker_columns = speaker_columns(self._model)
        self._X = X = as_table_for(self._model, X)
        self._speaker = self._speaker_of(X)
        found = find_described(self._model, self._speaker)
        if not found:
            raise UnsuitableModelError(
                f"explain expected a model with a ClipPipeline, such as make_emotion_pipeline "
                f"gives, got {type(model).__name__} without one."
            )
        names = [_names_of(one.pipeline) for one in found]
        spies = [_watch(one.pipeline) for one in found]
        self.answer = self._ask(X)
        self.descriptions: list[Description] = []
        self._stands: list[tuple[_Standing, int | None]] = []
        self._cells = []
        for one, own_names, own in zip(found, names, spies, strict=True):
            results = [spy.seen[-1] for spy in own if spy.seen]
            position = None
            if len(results) == len(own):
                position = len(self.descriptions)
                steps = one.pipeline.steps_
                stages = [step for _, step in steps if not isinstance(step, _Spy)]
                self._cells.append(results[0])
                self.descriptions.append(
                    Description(
                        one.modality,
                        results[0],
                        np.asarray(results[-1]),
                        one.typical,
                        own_names,
                        list(zip(stages, results[1:], strict=True)),
                    )
                )
            stand = _Standing(own_names)
            one.pipeline.steps_ = [("standing", stand)]
            self._stands.append((stand, position))
        for part in model_parts(self._model):
            if isinstance(part, FusionClassifier):
                # What moves a branch that is certain would not be seen.
                part.least_probability = LEAST_PROBABILITY
        if self._speaker is not None:
            # As the clip on its own would be scaled, whatever is replaced in it.
            self._enroll()

    def scores(
        self,
        shown: NDArray[np.bool_],
        regions: list[NDArray[np.intp]],
        typical: list[NDArray[Any]],
    ) -> NDArray[Any]:
        """Ask about the clip with some regions of its descriptions replaced.

        Parameters
        ----------
        shown : ndarray of bool, shape (n_questions, n_regions)
            Which regions are the clip's own.
        regions : list of ndarray of int, shape (n_values,)
            For each description, the region of each value.
        typical : list of ndarray of shape (n_values,)
            For each description, what the others are.

        Returns
        -------
        scores : ndarray of shape (n_questions, n_classes) or (n_questions,)
            Probabilities or decisions, as the model gives them.
        """
        size = sum(description.result.nbytes for description in self.descriptions)
        batch = max(1, _BYTES // max(size, 1))
        answers = []
        for first in range(0, len(shown), batch):
            questions = shown[first : first + batch]
            for stand, position in self._stands:
                if position is None:
                    continue
                result = self.descriptions[position].result
                own = questions[:, regions[position]]
                occluded = np.where(own, result.ravel(), typical[position].astype(result.dtype))
                stand.results = {
                    _question(number): row.reshape(result.shape)
                    for number, row in enumerate(occluded)
                }
            answers.append(self._ask(self._named(len(questions))))
        return np.concatenate(answers)

    def soften(self, factor: float) -> bool:
        """Make the model less certain: divide the logits of every classifier in it by a factor.

        Where branches are certain beyond what numbers hold, nothing moves them; less certain, they
        weigh against each other as before, and log-odds are smaller by that factor.

        Parameters
        ----------
        factor : float
            Of the temperatures.

        Returns
        -------
        done : bool
            Whether the model is made of calibrated branches, so that this can be done.
        """
        parts = model_parts(self._model)
        fusions = [part for part in parts if isinstance(part, FusionClassifier)]
        if not fusions or not all(fusion.calibrate for fusion in fusions):
            return False
        leaves = []
        for part in parts:
            if isinstance(part, CalibratedClassifierCV) and hasattr(
                part, "calibrated_classifiers_"
            ):
                [calibrated] = part.calibrated_classifiers_
                # Logits of what is calibrated further are softened within.
                within = model_parts(calibrated.estimator)
                if not any(isinstance(other, FusionClassifier) for other in within):
                    leaves.append(calibrated.calibrators[0])
        for calibrator in leaves:
            calibrator.beta_ = calibrator.beta_ / factor
        return bool(leaves)

    def use_decisions(self) -> bool:
        """Give decisions in place of probabilities from now on.

        Returns
        -------
        done : bool
            Whether the model has a decision function.
        """
        if not hasattr(self._model, "decision_function"):
            return False
        self._method = "decision_function"
        return True

    def _named(self, n_questions: int) -> Any:
        """Give names of questions in place of the clip."""
        names = object_array([_question(number) for number in range(n_questions)])
        if not hasattr(self._X, "columns"):
            return names
        table = {}
        for column in self._X.columns:
            cell = self._X[column].iloc[0]
            if column in self._speaker_columns or not self._is_used(cell):
                keep = column in self._speaker_columns
                table[column] = object_array([cell if keep else None] * n_questions)
            else:
                table[column] = names
        return pd.DataFrame({name: pd.Series(cells, dtype=object) for name, cells in table.items()})

    def _is_used(self, cell: Any) -> bool:
        if isinstance(cell, str | bytes | os.PathLike):  # which a table may copy
            return any(type(cell) is type(used) and cell == used for used in self._cells)
        return any(cell is used for used in self._cells)

    def _ask(self, X: Any) -> Any:
        # What passes between stages is kept in this process, and later on there are only numbers.
        with warnings.catch_warnings(), without_workers():
            # Of a modality that the clip lacks, once for each question.
            warnings.simplefilter("ignore", UnusableClipWarning)
            warnings.filterwarnings("ignore", message=".* cannot be used by branch")
            return np.asarray(getattr(self._model, self._method)(X))

    def _speaker_of(self, X: Any) -> Any:
        for column in self._speaker_columns & set(getattr(X, "columns", ())):
            speaker = X[column].iloc[0]
            if not is_missing(speaker):
                return speaker
        return None

    def _enroll(self) -> None:
        scalers = [
            part
            for part in model_parts(self._model)
            if isinstance(part, SpeakerScaler) and hasattr(part, "enrolled_")
        ]
        if all(self._speaker in part.enrolled_ for part in scalers):
            return
        for stand, position in self._stands:
            if position is not None:
                result = self.descriptions[position].result
                stand.results = {_question(0): result}
        model, X = unwrapped(self._model), self._named(1)
        if hasattr(model, "enroll"):
            model.enroll(X)
        elif scalers:
            enroll_speakers(model, X)


def _watch(pipeline: ClipPipeline) -> list[_Spy]:
    """Put something between the stages of a pipeline that keeps what passes."""
    pipeline.memory, pipeline.n_jobs, pipeline.verbose = None, 1, False
    spies = [_Spy() for _ in range(len(pipeline.steps_) + 1)]
    steps = [("spy", spies[0])]
    for step, spy in zip(pipeline.steps_, spies[1:], strict=True):
        steps += [step, ("spy", spy)]
    pipeline.steps_ = steps
    return spies


def _question(number: int) -> str:
    return f"occlusion {number}"


def _names_of(pipeline: ClipPipeline) -> list[str]:
    return [str(name) for name in pipeline.get_feature_names_out()]


class _Stage(TransformerMixin, BaseEstimator):
    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.requires_fit = False
        return tags


class _Spy(_Stage):
    """Stage that keeps what passes through it."""

    def __init__(self) -> None:
        self.seen: list[Any] = []

    def transform(self, X: Any) -> Any:
        """Keep the clip."""
        self.seen.append(X[0])
        return X

    def get_feature_names_out(self, input_features: Any = None) -> Any:
        """Leave names as they are."""
        return input_features


class _Standing(_Stage):
    """Stage that gives descriptions for names."""

    def __init__(self, names: list[str]) -> None:
        self.names = names
        self.results: dict[str, NDArray[Any]] = {}

    def transform(self, X: Any) -> Any:
        """Give the description."""
        if X[0] not in self.results:
            raise MediaError("The clip has no such modality.")
        result = self.results[X[0]]
        if result.dtype != object:
            return result[np.newaxis]
        batch = np.empty((1, *result.shape), dtype=object)
        batch[0] = result
        return batch

    def get_feature_names_out(self, input_features: Any = None) -> NDArray[Any]:
        """Name the values."""
        return np.array(self.names, dtype=object)
