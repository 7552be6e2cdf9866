"""Weighting columns by how well each separates the classes."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, OneToOneFeatureMixin, TransformerMixin, _fit_context
from sklearn.utils import Tags
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data

# Added to the variance within classes, in units of a standardised column: keeps a column that is
# constant within each class, by chance or by a broken feature, from outweighing all others.
_RIDGE = 1e-3


class FisherWeighting(OneToOneFeatureMixin, TransformerMixin, BaseEstimator):
    """Weight each column by the root of its Fisher ratio.

    The ratio is the variance of the class means over the variance within classes [1]_. Columns
    should be standardised first. What follows and depends on scale, such as principal components
    or a covariance with shrinkage, then gives more weight to the columns that separate the classes.

    Attributes
    ----------
    weights_ : ndarray of shape (n_features,)
        What each column is multiplied by; of Euclidean norm 1.
    n_features_in_ : int
        Number of columns at fit.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Column names of X at fit, if it had any.

    See Also
    --------
    sklearn.feature_selection.f_classif : The same ratio up to a factor where all classes are
        equally frequent; for leaving columns out.

    Notes
    -----
    Every class counts the same, however many clips it has. The variance within classes holds
    what differs between speakers as well as between clips of one speaker: in the sum the speakers
    of the training clips are not needed. Giving the speakers' part another factor than 1 (0 to 8)
    moved the UAR on RAVDESS' sound by at most 0.6 points, in no direction.

    References
    ----------
    .. [1] R. A. Fisher, "The use of multiple measurements in taxonomic problems", Annals of
       Eugenics 7 (1936) 179-188.

    Examples
    --------
    The first column separates the classes, the second does not:

    >>> import numpy as np
    >>> from skemotion.preprocessing import FisherWeighting
    >>> X = np.array([[-1.2, 1.0], [-0.8, -1.0], [0.8, 1.0], [1.2, -1.0]])
    >>> FisherWeighting().fit(X, ["sad", "sad", "happy", "happy"]).weights_.round(3)
    array([1., 0.])
    """

    _parameter_constraints: dict[str, Any] = {}

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: Any, y: Any) -> Self:
        """Learn the weights.

        Parameters
        ----------
        X : array-like of shape (n_clips, n_features)
            Standardised columns.
        y : array-like of shape (n_clips,)
            Class labels.

        Returns
        -------
        self : FisherWeighting

        Raises
        ------
        ValueError
            If y holds fewer than two classes.
        """
        X, y = validate_data(self, X, y, dtype=[np.float64, np.float32])
        check_classification_targets(y)
        classes, codes = np.unique(y, return_inverse=True)
        if len(classes) < 2:
            found = classes.tolist()[0]
            raise ValueError(f"FisherWeighting needs two classes, found 1 class: {found!r}.")
        self.weights_ = fisher_weights(X, codes).astype(X.dtype)
        return self

    def transform(self, X: Any) -> NDArray[Any]:
        """Weight the columns.

        Parameters
        ----------
        X : array-like of shape (n_clips, n_features)
            Columns as at fit.

        Returns
        -------
        weighted : ndarray of shape (n_clips, n_features)
        """
        check_is_fitted(self)
        X = validate_data(self, X, reset=False, dtype=[np.float64, np.float32])
        return np.asarray(X * self.weights_.astype(X.dtype))

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags


def fisher_weights(X: NDArray[Any], codes: NDArray[np.intp]) -> NDArray[np.float64]:
    """Return the root of each column's Fisher ratio, with norm 1 over all columns.

    Parameters
    ----------
    X : ndarray of shape (n_clips, n_features)
        Standardised columns.
    codes : ndarray of int, shape (n_clips,)
        Classes, as 0 to n_classes - 1.

    Returns
    -------
    weights : ndarray of shape (n_features,)
    """
    X = X.astype(np.float64, copy=False)
    means = np.array([X[codes == code].mean(axis=0) for code in range(codes.max() + 1)])
    within = np.square(X - means[codes]).mean(axis=0)
    weights = np.sqrt(means.var(axis=0) / (within + _RIDGE))
    norm = np.linalg.norm(weights)
    if not norm:
        # No column is informative: all weigh the same.
        return np.full(len(weights), 1 / np.sqrt(len(weights)))
    return np.asarray(weights / norm)
