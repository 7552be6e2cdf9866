"""The error for a model that is of another kind than what is asked of it."""

from __future__ import annotations


class UnsuitableModelError(TypeError):
    """A model is not of the kind that a function takes: the message says what it lacks.

    Examples
    --------
    >>> from sklearn.linear_model import RidgeClassifier
    >>> from skemotion.base import UnsuitableModelError
    >>> from skemotion.model_selection import predict_timeline
    >>> try:
    ...     predict_timeline(RidgeClassifier().fit([[0], [1]], [0, 1]), "interview.mp4")
    ... except UnsuitableModelError as error:
    ...     print(str(error)[:52])
    predict_timeline expected a model with predict_proba
    """
