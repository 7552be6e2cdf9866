"""A column transformer that also takes lists of clips."""

from __future__ import annotations

from typing import Any

from sklearn.compose import ColumnTransformer

from ..base import as_table, column_names


class ClipColumnTransformer(ColumnTransformer):
    """Send the column of each modality through its own steps, and join the results.

    scikit-learn's `ColumnTransformer`, which also takes a list of clips, a Series of them, or one:
    each clip is then in every column, as a file with picture and sound. Columns are selected by
    name; a column that a table lacks counts as missing clips.

    See Also
    --------
    sklearn.compose.ColumnTransformer : Has the parameters and attributes.
    skemotion.classification.FusionClassifier : Gives each modality a classifier of its own.

    Examples
    --------
    >>> import numpy as np
    >>> from skemotion.audio import AudioFeatures, AudioLoader
    >>> from skemotion.decomposition import TrajectoryStatistics
    >>> from skemotion.pipeline import ClipColumnTransformer, ClipPipeline
    >>> steps = [("load", AudioLoader()), ("mfcc", AudioFeatures(("mfcc",)))]
    >>> steps.append(("means", TrajectoryStatistics(("mean",))))
    >>> features = ClipColumnTransformer([("audio", ClipPipeline(steps), "audio")])
    >>> features.fit_transform([(22050, np.sin(0.1 * np.arange(9000)))]).shape
    (1, 13)
    """

    def fit_transform(self, X: Any, y: Any = None, **params: Any) -> Any:
        """Fit the branches, and transform with them.

        Parameters
        ----------
        X : table, column of clips, or one clip
            With a row per clip.
        y : array-like of shape (n_clips,), default=None
            Passed on.
        **params : dict
            Metadata to route.

        Returns
        -------
        features : ndarray of shape (n_clips, n_features)
        """
        return super().fit_transform(self._table(X), y, **params)

    def transform(self, X: Any, **params: Any) -> Any:
        """Transform with the fitted branches.

        Parameters
        ----------
        X : table, column of clips, or one clip
            With a row per clip.
        **params : dict
            Metadata to route.

        Returns
        -------
        features : ndarray of shape (n_clips, n_features)
        """
        return super().transform(self._table(X), **params)

    def _table(self, X: Any) -> Any:
        names = column_names(columns for _, _, columns in self.transformers)
        return X if names is None else as_table(X, names)
