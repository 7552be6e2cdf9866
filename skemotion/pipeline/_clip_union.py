"""Several descriptions of one clip in one row."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn import config_context
from sklearn.base import clone
from sklearn.utils.metaestimators import _BaseComposition

from ..base import ClipTransformer, object_array


class ClipUnion(ClipTransformer, _BaseComposition):
    """Describe each clip by several stages, and put the results into one row.

    Like scikit-learn's `FeatureUnion` for tables: as a step of a `ClipPipeline`, its stages share
    the result of the steps before, for example one waveform for functionals and trajectories.

    Parameters
    ----------
    transformer_list : list of (str, transformer)
        Stages that need no fit; each takes the same clip. A `ClipPipeline` holds several stages in
        sequence. The results must have the same shape for all clips.

    Attributes
    ----------
    transformer_list_ : list of (str, transformer)
        Copies fitted on the first clip.
    n_features_in_ : int
        Second axis of X at fit; the number of columns if X was columns of clips.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Column names of X at fit, if X was numbers and had any.
    clip_shape_ : tuple of int
        Shape of a clip at fit, if X was an array of numbers; empty for columns of clips.

    See Also
    --------
    ClipPipeline : Stages one after the other.

    Examples
    --------
    >>> import numpy as np
    >>> from skemotion.decomposition import TrajectoryResampler, TrajectoryStatistics
    >>> from skemotion.pipeline import ClipUnion
    >>> stages = [("s", TrajectoryStatistics(("mean",))), ("c", TrajectoryResampler(3))]
    >>> union = ClipUnion(stages)
    >>> union.fit_transform([np.array([0.0, 1.0, 2.0, 3.0])])
    array([[1.5, 0. , 1.5, 3. ]])
    >>> union.get_feature_names_out().tolist()
    ['s__curve00_mean', 'c__curve00_point0', 'c__curve00_point1', 'c__curve00_point2']
    """

    _parameter_constraints = {"transformer_list": [list]}

    def __init__(self, transformer_list: list[tuple[str, Any]]) -> None:
        self.transformer_list = transformer_list

    def transform_clip(self, clip: NDArray[Any]) -> NDArray[Any]:
        """Describe one clip by every stage.

        Parameters
        ----------
        clip : ndarray
            As the stages take it.

        Returns
        -------
        values : ndarray of shape (n_values,)
        """
        batch = object_array([clip])
        stages = getattr(self, "transformer_list_", self.transformer_list)
        # Between stages there are arrays, whatever containers the user wants at the end.
        with config_context(transform_output="default"):
            return np.concatenate([np.ravel(stage.transform(batch)[0]) for _, stage in stages])

    def name_values(self, input_features: Sequence[str] | None) -> list[str]:
        """Name the values of each stage, such as ``functionals__pitch_mean_voiced``."""
        names: list[str] = []
        for (name, stage), n_values in zip(self.transformer_list_, self._n_values, strict=True):
            values = [str(value) for value in stage.get_feature_names_out(input_features)]
            if len(values) != n_values:  # names of curves, of which there are several points
                n_points = n_values // len(values)
                values = [f"{value}_point{i}" for i in range(n_points) for value in values]
            names += [f"{name}__{value}" for value in values]
        return names

    def check_parameters(self) -> None:
        """Refuse duplicate names and names that conflict with parameters."""
        self._validate_names([name for name, _ in self.transformer_list])

    def remember_clip(self, cells: list[NDArray[Any]]) -> None:
        """Fit a copy of every stage on the first clip, to learn only its shape."""
        batch = object_array(cells[:1])
        self.transformer_list_ = [
            (name, clone(stage).fit(batch)) for name, stage in self.transformer_list
        ]
        with config_context(transform_output="default"):
            results = [stage.transform(batch)[0] for _, stage in self.transformer_list_]
        self._n_values = [np.size(result) for result in results]

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Get the parameters, those of the stages included.

        Parameters
        ----------
        deep : bool, default=True
            Whether to include those of the stages, as ``name__parameter``.

        Returns
        -------
        params : dict of str to value
        """
        params: dict[str, Any] = self._get_params("transformer_list", deep=deep)
        return params

    def set_params(self, **params: Any) -> Self:
        """Set parameters, those of the stages included.

        Parameters
        ----------
        **params : dict of str to value
            ``name__parameter`` sets a stage's, ``name`` replaces a stage.

        Returns
        -------
        self : ClipUnion
        """
        self._set_params("transformer_list", **params)
        return self
