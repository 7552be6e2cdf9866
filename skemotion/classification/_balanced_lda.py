"""Linear discriminant analysis in which every class counts the same."""

from __future__ import annotations

from numbers import Real
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax
from sklearn.base import BaseEstimator, ClassifierMixin, _fit_context
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.linear_model._base import LinearClassifierMixin
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import validate_data


class BalancedLDA(LinearClassifierMixin, ClassifierMixin, BaseEstimator):
    """Linear discriminant analysis with equal priors and a shrunk covariance.

    Every class counts the same in the covariance within classes and in the decision, however many
    clips it has, as unweighted average recall asks for. The covariance is shrunk towards a multiple
    of the identity [1]_ by a fixed share: what is estimated from a corpus' clips is too small for
    people who are not in it.

    Parameters
    ----------
    shrinkage : float or "auto", default=0.5
        Share of the identity in the covariance, from 0 to 1; "auto" estimates it [2]_.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        Class labels.
    coef_ : ndarray of shape (n_classes, n_features)
        Weights; of two classes one row.
    intercept_ : ndarray of shape (n_classes,)
        Intercepts.
    means_ : ndarray of shape (n_classes, n_features)
        Mean of each class.
    priors_ : ndarray of shape (n_classes,)
        Equal shares.
    n_features_in_ : int
        Number of columns at fit.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Column names of X at fit, if it had any.

    See Also
    --------
    sklearn.discriminant_analysis.LinearDiscriminantAnalysis : With priors from the clips.

    References
    ----------
    .. [1] J. H. Friedman, "Regularized discriminant analysis", Journal of the American Statistical
       Association 84 (1989) 165-175, eq. 18.
    .. [2] O. Ledoit, M. Wolf, "Honey, I shrunk the sample covariance matrix", The Journal of
       Portfolio Management 30 (2004) 110-119.

    Examples
    --------
    >>> import numpy as np
    >>> from skemotion.classification import BalancedLDA
    >>> X = np.array([[-1.0], [-1.2], [-0.8], [-1.1], [1.0], [1.2]])
    >>> model = BalancedLDA().fit(X, ["calm", "calm", "calm", "calm", "angry", "angry"])
    >>> model.priors_
    array([0.5, 0.5])
    """

    _parameter_constraints = {
        "shrinkage": [Interval(Real, 0, 1, closed="both"), StrOptions({"auto"})]
    }

    def __init__(self, shrinkage: float | str = 0.5) -> None:
        self.shrinkage = shrinkage

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: Any, y: Any) -> Self:
        """Learn the means and the covariance.

        Parameters
        ----------
        X : array-like of shape (n_clips, n_features)
            Numbers.
        y : array-like of shape (n_clips,)
            Class labels.

        Returns
        -------
        self : BalancedLDA

        Raises
        ------
        ValueError
            If y holds fewer than two classes, or a clip of each and no more.
        """
        X, y = validate_data(self, X, y, dtype=[np.float64, np.float32])
        check_classification_targets(y)
        self.classes_ = np.unique(y)
        n_classes = len(self.classes_)
        if n_classes < 2:
            raise ValueError(
                f"BalancedLDA needs two classes or more, found 1 class: "
                f"{self.classes_.tolist()[0]!r}."
            )
        if len(X) <= n_classes:
            raise ValueError(
                f"BalancedLDA needs more clips than classes, found {len(X)} clips of {n_classes} "
                "classes: how clips of one class differ cannot be learnt from one. Add clips, 2 or "
                "more of each class."
            )
        lda = LinearDiscriminantAnalysis(
            solver="lsqr", shrinkage=self.shrinkage, priors=np.full(n_classes, 1 / n_classes)
        )
        # Twice the same clip has no covariance, just as one has, and does not make it warn.
        _, first, counts = np.unique(y, return_index=True, return_counts=True)
        alone = first[counts == 1]
        lda.fit(np.concatenate([X, X[alone]]), np.concatenate([y, y[alone]]))
        self.coef_, self.intercept_ = lda.coef_, lda.intercept_
        self.means_, self.priors_ = lda.means_, lda.priors_
        return self

    def predict_proba(self, X: Any) -> NDArray[Any]:
        """Return the probability of each class.

        Parameters
        ----------
        X : array-like of shape (n_clips, n_features)
            Columns as at fit.

        Returns
        -------
        probabilities : ndarray of shape (n_clips, n_classes)
            In the order of `classes_`.
        """
        scores = self.decision_function(X)
        if scores.ndim == 1:
            scores = np.column_stack([np.zeros_like(scores), scores])
        return np.asarray(softmax(scores, axis=1))
