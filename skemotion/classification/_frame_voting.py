"""Classifying clips by their frames."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin, MetaEstimatorMixin, _fit_context, clone
from sklearn.naive_bayes import GaussianNB
from sklearn.utils._param_validation import HasMethods
from sklearn.utils.metaestimators import available_if
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_consistent_length, check_is_fitted, validate_data

from ..base import check_cell, check_clips, clip_column, one_column, plural, remember_column

# What frames vote by: the first of these that the estimator has.
_METHODS = ("predict_proba", "decision_function", "predict")


def _votes_by(method: str) -> Callable[[Any], bool]:
    def check(classifier: Any) -> bool:
        fitted = getattr(classifier, "estimator_", None)
        return _voting_method(classifier._unfitted() if fitted is None else fitted) == method

    return check


class FrameVotingClassifier(ClassifierMixin, MetaEstimatorMixin, BaseEstimator):
    """Classify clips by any classifier of single frames.

    The classifier is trained on all frames of all clips, each with its clip's label. A clip is
    predicted by the mean of its frames' probabilities, or else of their decision values, or else
    by their most frequent label.

    Parameters
    ----------
    estimator : classifier, default=None
        Takes frames as rows; None for ``GaussianNB()``.

    Attributes
    ----------
    estimator_ : classifier
        Copy of `estimator`, fitted on frames.
    classes_ : ndarray of shape (n_classes,)
        Class labels.
    n_values_ : int
        Values that describe a frame.
    n_features_in_ : int
        Second axis of X at fit; 1 for a column of clips.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Column names of X at fit, if X was numbers and had any.
    clip_shape_ : tuple of int
        Shape of a clip at fit; empty for a column of clips.

    See Also
    --------
    skemotion.video.FrameHOG : Describes frames.
    skemotion.video.ONNXBackbone : Describes frames, with ``pooling=None``.

    Notes
    -----
    There is no `decision_function` for a classifier that gives probabilities as well: frames of
    one clip may agree by their mean on one class and by their mean decision on another.

    Frames of a clip resemble one another. Put cross-validation and searches around this classifier,
    where they split clips, and not inside it, where they would split frames:
    ``GridSearchCV(FrameVotingClassifier(SVC()), {"estimator__C": [1, 10]})``.

    Of classes with equally many votes, the first in `classes_` is predicted.

    Examples
    --------
    Noise, every other clip blurred along the width:

    >>> import numpy as np
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.svm import SVC
    >>> from skemotion.classification import FrameVotingClassifier
    >>> from skemotion.pipeline import ClipPipeline
    >>> from skemotion.video import FrameHOG, VideoLoader
    >>> clips = list(np.random.default_rng(0).integers(0, 256, (8, 60, 32, 32)) / 255)
    >>> clips[::2] = [clip + np.roll(clip, 1, axis=2) for clip in clips[::2]]
    >>> y = ["calm", "angry"] * 4
    >>> frames = ClipPipeline([("load", VideoLoader(scale=1, stride=20)), ("hog", FrameHOG())])
    >>> model = make_pipeline(frames, FrameVotingClassifier(SVC(kernel="linear")))
    >>> model.fit(clips[:6], y[:6]).predict(clips[6:])
    array(['calm', 'angry'], dtype='<U5')
    """

    _parameter_constraints = {"estimator": [HasMethods(["fit", "predict"]), None]}

    def __init__(self, estimator: BaseEstimator | None = None) -> None:
        self.estimator = estimator

    # The frames' classifier validates its own parameters when it is fitted.
    @_fit_context(prefer_skip_nested_validation=False)
    def fit(self, X: Any, y: Any) -> Self:
        """Train the classifier on all frames.

        Parameters
        ----------
        X : column of arrays, or array-like of numbers
            A list or object array of arrays of shape (n_frames, n_values), each with its own
            number of frames, as `FrameHOG` makes them; or an array of shape (n_clips, n_frames,
            n_values). A row of a table is a clip of one frame.
        y : array-like of shape (n_clips,)
            Class labels.

        Returns
        -------
        self : FrameVotingClassifier

        Raises
        ------
        ValueError
            If frames differ in their number of values, or values are not finite; the message
            says in which row.
        """
        y = validate_data(self, y=y)
        check_classification_targets(y)
        frames, n_frames = self._frames(X, reset=True)
        check_consistent_length(n_frames, y)
        classes = np.unique(y)
        estimator = self._unfitted()
        if len(classes) > 2 and _voting_method(estimator) == "decision_function":
            _check_decides_by_class(estimator)
        self.estimator_ = estimator.fit(frames, np.repeat(y, n_frames))
        self.classes_ = classes
        return self

    @available_if(_votes_by("predict_proba"))
    def predict_proba(self, X: Any) -> NDArray[Any]:
        """Return the probability of each class, where the frames' classifier does.

        Parameters
        ----------
        X : column of arrays, or array-like of numbers
            Clips as at fit.

        Returns
        -------
        probabilities : ndarray of shape (n_clips, n_classes)
            Mean over a clip's frames, in the order of `classes_`.
        """
        return self._votes(X)

    @available_if(_votes_by("decision_function"))
    def decision_function(self, X: Any) -> NDArray[Any]:
        """Return the decision values, where the frames' classifier does, but no probabilities.

        Parameters
        ----------
        X : column of arrays, or array-like of numbers
            Clips as at fit.

        Returns
        -------
        decisions : ndarray of shape (n_clips, n_classes), or (n_clips,) for two classes
            Mean over a clip's frames.
        """
        return self._votes(X)

    def predict(self, X: Any) -> NDArray[Any]:
        """Return the class that the frames vote for.

        Parameters
        ----------
        X : column of arrays, or array-like of numbers
            Clips as at fit.

        Returns
        -------
        labels : ndarray of shape (n_clips,)
        """
        votes = self._votes(X)
        codes = votes.argmax(axis=1) if votes.ndim == 2 else (votes > 0).astype(np.intp)
        return np.asarray(self.classes_[codes])

    def _votes(self, X: Any) -> NDArray[Any]:
        """Return the mean of what a clip's frames say."""
        check_is_fitted(self)
        frames, n_frames = self._frames(X, reset=False)
        if len(self.classes_) == 1:
            # Where linear discriminant analysis decides, but has no probabilities.
            return np.ones((len(n_frames), 1))
        method = _voting_method(self.estimator_)
        votes = getattr(self.estimator_, method)(frames)
        if method == "predict":
            votes = votes[:, np.newaxis] == self.classes_
        clips = np.split(votes, np.cumsum(n_frames)[:-1])
        return np.array([clip.mean(axis=0) for clip in clips])

    def _frames(self, X: Any, *, reset: bool) -> tuple[NDArray[Any], NDArray[np.intp]]:
        """Return all frames as rows, clip by clip, and how many each clip has."""
        column = clip_column(X)
        if column is None:
            axes = "(n_clips, n_frames, n_values)"
            X = check_clips(self, X, reset=reset, ndim=(3,), axes=axes)
            frames = X.reshape(-1, X.shape[-1])
            n_frames = np.full(len(X), len(frames) // len(X))
        else:
            expected = "frames of shape (n_frames, n_values), such as FrameHOG makes"
            clips = [
                check_cell(self, clip, row, ndim=(2,), expected=expected)
                for row, clip in enumerate(one_column(column, "clips"))
            ]
            n_values = clips[0].shape[1] if reset else self.n_values_
            for row, clip in enumerate(clips):
                if clip.shape[1] != n_values:
                    raise ValueError(
                        f"FrameVotingClassifier expected {plural(n_values, 'value')} in every "
                        f"frame, found {clip.shape[1]} in row {row}: describe all clips in the "
                        "same way."
                    )
            frames = np.concatenate(clips)
            n_frames = np.array([len(clip) for clip in clips])
            if reset:
                remember_column(self)
        if reset:
            self.n_values_: int = frames.shape[1]
        return frames, n_frames

    def _unfitted(self) -> Any:
        return GaussianNB() if self.estimator is None else clone(self.estimator)


def _voting_method(estimator: Any) -> str:
    return next(method for method in _METHODS if hasattr(estimator, method))


def _check_decides_by_class(estimator: Any) -> None:
    """Refuse decisions between pairs of classes, which may be as many as there are classes."""
    for name, value in estimator.get_params().items():
        if name.endswith("decision_function_shape") and value == "ovo":
            raise ValueError(
                "FrameVotingClassifier averages the decision value of each class, but the frames' "
                f"classifier gives one for each pair of classes. Set {name}='ovr'."
            )
