"""Fusion of several modalities."""

from __future__ import annotations

from numbers import Integral
from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.base import ClassifierMixin, _fit_context, clone
from sklearn.pipeline import Pipeline
from sklearn.utils import _safe_indexing
from sklearn.utils._param_validation import HasMethods, Interval
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import (
    _num_samples,
    check_array,
    check_consistent_length,
    check_is_fitted,
    validate_data,
)

from ..base import as_table, check_labels, column_names, group_params, speaker_codes
from ..io import MediaError
from ..preprocessing import enroll_speakers, uses_speaker_clips
from ._branches import describe_rows, split_branch
from ._composition import BranchComposition, Branches
from ._temperature import LEAST_PROBABILITY, fit_calibrated, product_of_experts, temperature_of


class FusionClassifier(ClassifierMixin, BranchComposition):
    """Classify by several modalities, each by a pipeline of its own.

    The probabilities of each branch are calibrated by one temperature [1]_, fitted on clips of
    speakers not used to train the branch, then multiplied over the branches and normalised [2]_.
    If a clip lacks a modality, or its file cannot be used, the other branches decide; nothing is
    imputed.

    Parameters
    ----------
    estimators : list of (str, estimator, columns), default=None
        The branches: name, pipeline and columns of X, as in `ColumnTransformer`: the name of a
        column (passed as a Series), a list of names (a DataFrame), positions, or a slice. Leading
        steps that learn nothing, such as a `ClipPipeline`, are run once and not in every inner
        fold. "drop" instead of a pipeline leaves the branch out. None for one branch,
        ``LogisticRegression()`` on all columns.
    calibrate : bool, default=True
        Whether to fit temperatures. If not, each branch needs `predict_proba`; otherwise
        `decision_function` suffices.
    cv : int or splitter, default=3
        Inner folds for the temperatures. With a number, folds are by speaker if `fit` knows the
        speakers, and there are fewer of them if there are fewer speakers, or fewer clips of an
        emotion. With two speakers each fold trains on one, which gives too high a temperature, and
        folds by clip too low a one: it is their geometric mean. With one speaker folds are by clip,
        and with one or two clips of an emotion there may be none, so that the temperature is 1;
        both with a warning.
    speaker : str or None, default="speaker"
        Column of X with the speakers, if it exists: they are used as `groups` if `fit` gets none.
        In a branch's columns it does not count as a modality.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        Class labels.
    named_estimators_ : dict
        Each branch, fitted on all clips that have it. Its classes are positions in `classes_`.
    temperatures_ : dict
        Each branch's temperature; above 1 for an overconfident branch, 1 without calibration.
    n_features_in_ : int
        Number of columns that are read.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Their names, if columns are selected by name.

    See Also
    --------
    sklearn.ensemble.VotingClassifier : Averages classifiers that all get the same columns.
    sklearn.calibration.CalibratedClassifierCV : Fits the temperatures.

    Notes
    -----
    If columns are selected by name, X may also be a list of clips, or one clip: each clip then is
    in all columns, as a file with picture and sound. A table may lack columns, as long as every row
    has one modality; a `Mapping` of columns is a table.

    Members of one modality are a branch that ends in a fusion: ``Pipeline([("clips", ...),
    ("members", FusionClassifier([("lda", lda, slice(None)), ("lr", lr, slice(None))]))])``
    multiplies two calibrated classifiers of the same description before the modalities.

    Temperatures matter most if a branch has few speakers to learn from: on new speakers of Java-SED
    they raise the unweighted average recall of sound and face together by 8 points, on RAVDESS by
    one, where the expected calibration error falls from 0.14 to 0.04. Weights for modalities made
    no significant difference, and stacking was worse.

    `groups` given to `fit` are passed to every step of a branch whose `fit` takes them; with
    scikit-learn's metadata routing enabled, to those that request them.

    References
    ----------
    .. [1] C. Guo, G. Pleiss, Y. Sun, K. Q. Weinberger, "On calibration of modern neural
       networks", ICML 2017.
    .. [2] G. E. Hinton, "Training products of experts by minimizing contrastive divergence",
       Neural Computation 14 (2002) 1771-1800.

    Examples
    --------
    >>> import numpy as np
    >>> import pandas as pd
    >>> from sklearn.linear_model import LogisticRegression
    >>> from skemotion.classification import FusionClassifier
    >>> rng = np.random.default_rng(0)
    >>> y = np.repeat(["calm", "angry"], 20)
    >>> X = pd.DataFrame({"smile": rng.normal(y == "calm"), "loudness": rng.normal(y == "angry")})
    >>> model = FusionClassifier(
    ...     [
    ...         ("face", LogisticRegression(), ["smile"]),
    ...         ("voice", LogisticRegression(), ["loudness"]),
    ...     ]
    ... ).fit(X, y)
    >>> model.predict({"smile": [2.0, 2.0], "loudness": [None, 9.0]})
    array(['calm', 'angry'], dtype='<U5')
    """

    _parameter_constraints = {
        "estimators": [list, None],
        "calibrate": ["boolean"],
        "cv": [Interval(Integral, 2, None, closed="left"), HasMethods(["split"])],
        "speaker": [str, None],
    }

    # For whoever looks for clips that cannot be used: one branch that can use a row is enough.
    tolerates_missing_branches = True
    # What a branch's smaller probabilities count for in the product. Explanations set it lower, to
    # see what moves a branch that is certain.
    least_probability = LEAST_PROBABILITY
    # Where scikit-learn routes metadata, speakers come without being asked for.
    __metadata_request__fit = {"groups": True}

    def __init__(
        self,
        estimators: Branches | None = None,
        *,
        calibrate: bool = True,
        cv: Any = 3,
        speaker: str | None = "speaker",
    ) -> None:
        self.estimators = estimators
        self.calibrate = calibrate
        self.cv = cv
        self.speaker = speaker

    # The branches validate their own parameters.
    @_fit_context(prefer_skip_nested_validation=False)
    def fit(self, X: Any, y: Any, groups: Any = None) -> Self:
        """Fit each branch on the clips that have it, and its temperature.

        Parameters
        ----------
        X : table, or column of clips
            See the notes.
        y : array-like of shape (n_clips,)
            Class labels.
        groups : array-like of shape (n_clips,), default=None
            Speakers.

        Returns
        -------
        self : FusionClassifier

        Raises
        ------
        ValueError
            If a branch has no clip of some class; the message names the branch.

        Warns
        -----
        UserWarning
            If there are too few speakers or clips to calibrate a branch well, or at all.
        """
        branches = self._checked_branches()
        # Before X: it would forget the names of the columns.
        y = validate_data(self, y=y if y is None else check_labels(y, warn=True))
        X = self._table(X, [columns for _, _, columns in branches], reset=True)
        check_classification_targets(y)
        groups = self._groups(X, groups)
        check_consistent_length(X, y, groups)
        self.classes_, codes = np.unique(y, return_inverse=True)
        if len(self.classes_) < 2:
            raise ValueError(
                f"FusionClassifier needs two classes or more, found 1 class: "
                f"{self.classes_.tolist()[0]!r}. Add clips of others."
            )
        self._fitted: dict[str, tuple[Any, Any, Any]] = {}
        self.named_estimators_: dict[str, Any] = {}
        self.temperatures_: dict[str, float] = {}
        for name, branch, columns in branches:
            describe, rest = split_branch(clone(branch))
            part = _safe_indexing(X, columns, axis=1)
            described, rows, _ = describe_rows(name, describe, part, self.speaker, fit=True)
            absent = np.setdiff1d(np.arange(len(self.classes_)), codes[rows])
            if len(absent):
                label = self.classes_.tolist()[absent[0]]
                raise ValueError(
                    f"Branch {name!r} has no clip of class {label!r} that it could be trained on: "
                    "give it some, or leave the branch or the class out."
                )
            known = None if groups is None else groups[rows]
            if self.calibrate:
                model = fit_calibrated(name, rest, described, codes[rows], known, self.cv)
                rest = model.calibrated_classifiers_[0].estimator
                temperature = temperature_of(model)
            else:
                model = rest.fit(described, codes[rows], **group_params(rest, known))
                temperature = 1.0
            self._fitted[name] = (describe, model, columns)
            self.temperatures_[name] = temperature
            self.named_estimators_[name] = (
                rest if describe is None else Pipeline([*describe.steps, *rest.steps])
            )
        return self

    def predict_proba(self, X: Any) -> NDArray[np.float64]:
        """Return the probability of each class.

        Parameters
        ----------
        X : table, or column of clips
            See the notes.

        Returns
        -------
        probabilities : ndarray of shape (n_clips, n_classes)
            In the order of `classes_`.

        Raises
        ------
        MediaError
            If a row has no modality that can be used; the message says which row, and why.
        """
        verdicts, reasons = self._verdicts(X)
        stacked = np.array(list(verdicts.values()))
        lost = np.isnan(stacked[:, :, 0]).all(axis=0)
        if lost.any():
            row = int(np.flatnonzero(lost)[0])
            why = "; ".join(f"{name}: {reasons[name][row]}" for name in verdicts)
            raise MediaError(f"Row {row} has no modality that can be used. {why}")
        return product_of_experts(stacked, self.least_probability)

    def predict_proba_by_branch(self, X: Any) -> dict[str, NDArray[np.float64]]:
        """Return each branch's own probabilities, calibrated.

        Parameters
        ----------
        X : table, or column of clips
            See the notes.

        Returns
        -------
        probabilities : dict of str to ndarray of shape (n_clips, n_classes)
            By name of branch; NaN where a row lacks the modality.
        """
        return self._verdicts(X)[0]

    def predict(self, X: Any) -> NDArray[Any]:
        """Return the most probable class.

        Parameters
        ----------
        X : table, or column of clips
            See the notes.

        Returns
        -------
        labels : ndarray of shape (n_clips,)
        """
        probabilities = self.predict_proba(X)
        return np.asarray(self.classes_[probabilities.argmax(axis=1)])

    def enroll(self, X: Any) -> Self:
        """Return each branch's `SpeakerScaler` clips of speakers it will be asked about.

        Parameters
        ----------
        X : table
            Unlabelled clips with the column that names the speakers. A branch learns from those
            that have its modality.

        Returns
        -------
        self : FusionClassifier

        Raises
        ------
        ValueError
            If no branch has a `SpeakerScaler` with a column of speakers.
        """
        check_is_fitted(self)
        if not uses_speaker_clips(self):
            raise ValueError(
                "No branch of this FusionClassifier scales by speaker: nobody can be enrolled."
            )
        X = self._table(X, [columns for _, _, columns in self._fitted.values()], reset=False)
        for name, (describe, _, columns) in self._fitted.items():
            _, rest = split_branch(self.named_estimators_[name])
            part = _safe_indexing(X, columns, axis=1)
            described, rows, _ = describe_rows(name, describe, part, self.speaker, fit=False)
            if len(rows) and uses_speaker_clips(rest):
                enroll_speakers(rest, described)
        return self

    def _verdicts(self, X: Any) -> tuple[dict[str, NDArray[np.float64]], dict[str, dict[int, str]]]:
        check_is_fitted(self)
        X = self._table(X, [columns for _, _, columns in self._fitted.values()], reset=False)
        verdicts, reasons = {}, {}
        for name, (describe, model, columns) in self._fitted.items():
            part = _safe_indexing(X, columns, axis=1)
            described, rows, reasons[name] = describe_rows(
                name, describe, part, self.speaker, fit=False
            )
            verdicts[name] = np.full((_num_samples(X), len(self.classes_)), np.nan)
            if len(rows):
                verdicts[name][rows] = model.predict_proba(described)
        return verdicts, reasons

    def _table(self, X: Any, selections: list[Any], *, reset: bool) -> Any:
        """Make of X what the branches' columns select from."""
        names = column_names(selections)
        if names is None:
            if not isinstance(X, pd.DataFrame):
                X = check_array(X, dtype=None, ensure_all_finite=False, estimator=self)
            validate_data(self, X, reset=reset, skip_check_array=True)
            return X
        clips = [name for name in names if name != self.speaker]
        extra = [] if self.speaker is None else [self.speaker]
        X = as_table(X, clips, extra)
        if reset:
            self.n_features_in_ = len(names)
            self.feature_names_in_ = np.array(names, dtype=object)
        return X

    def _groups(self, X: Any, groups: Any) -> NDArray[Any] | None:
        """Take the speakers that X names for groups where none are given."""
        if groups is not None:
            return np.asarray(groups)
        if self.speaker is None or self.speaker not in getattr(X, "columns", ()):
            return None
        return speaker_codes(X[self.speaker])
