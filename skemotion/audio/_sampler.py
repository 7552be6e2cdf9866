"""Variants of clips as further rows to train on."""

from __future__ import annotations

from numbers import Integral
from typing import Any, Self

import librosa
import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, OneToOneFeatureMixin, _fit_context, clone
from sklearn.utils import Tags, _safe_indexing, check_consistent_length
from sklearn.utils._param_validation import Interval
from sklearn.utils.validation import validate_data

from ..base import check_clips, clip_column, object_array, one_column, plural, remember_column
from ._augmenter import AudioAugmenter
from ._loader import AudioLoader


class AudioAugmentationSampler(OneToOneFeatureMixin, BaseEstimator):
    """Add the variants of each clip as further rows, for training only.

    A sampler in the convention of imbalanced-learn [1]_: as a step of `imblearn.pipeline.Pipeline`
    it adds rows when the model is fitted and does nothing when it predicts. So in cross-validation
    test clips have no variants, and no variant of a test clip is in training.
    `sklearn.pipeline.Pipeline` refuses samplers.

    Parameters
    ----------
    augmenter : AudioAugmenter, default=None
        Makes the variants, one row each; None for ``AudioAugmenter()``, which makes eight.
    sample_rate : int, default=22050
        Samples per second (Hz) of the variants, which are ``(rate, waveform)`` pairs, so that an
        `AudioLoader` after the sampler knows it. The augmenter gets it, too.
    column : str, default="audio"
        The column of clips, if X is a DataFrame of several columns.

    Attributes
    ----------
    sample_indices_ : ndarray of int, shape (n_new_rows,)
        The row of X that each row of the result comes from, so that
        ``groups[sampler.sample_indices_]`` are the groups of the result.
    n_features_in_ : int
        Second axis of X; 1 for a column of clips.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Column names of X, if it had any.
    clip_shape_ : tuple of int
        Shape of a clip, if X is numbers; empty for a column of clips.

    See Also
    --------
    AudioAugmenter : Makes the variants; on its own, columns of the same row.
    skemotion.model_selection.audit_split : Finds copies in both training and test.

    Notes
    -----
    Variants are held in memory, at `sample_rate`, in float32: the eight of ``AudioAugmenter()``
    take 8.4 times the clip's own waveform, which is 2.7 MB for 3.7 s, or 2.6 GB for 960 clips.
    Fewer variants take less. They are made again for every fold; a `ClipPipeline` with `memory`
    after the sampler recognises them, so they are described only once. imbalanced-learn's pipeline
    refuses another pipeline as an intermediate step: put the `ClipPipeline` into a
    `ColumnTransformer`, or make the whole model after the sampler the last step.

    References
    ----------
    .. [1] G. Lemaitre, F. Nogueira, C. K. Aridas, "Imbalanced-learn: A Python toolbox to tackle
       the curse of imbalanced datasets in machine learning", Journal of Machine Learning Research
       18(17), 2017.

    Examples
    --------
    >>> import numpy as np
    >>> import pandas as pd
    >>> from skemotion.audio import AudioAugmentationSampler, AudioAugmenter
    >>> clips = [(22050, np.sin(np.arange(2000) * 0.1)), (22050, np.zeros(2000))]
    >>> X = pd.DataFrame({"audio": clips, "actor": [7, 9]})
    >>> sampler = AudioAugmentationSampler(AudioAugmenter(pitch_steps=(4,), speed_rates=(2.0,)))
    >>> more, emotions = sampler.fit_resample(X, ["angry", "calm"])
    >>> [len(waveform) for rate, waveform in more["audio"]]
    [2000, 2000, 2000, 2000, 1000, 2000, 2000, 1000]
    >>> more["actor"].tolist(), emotions[2:5]
    ([7, 9, 7, 7, 7, 9, 9, 9], ['angry', 'angry', 'angry'])
    >>> sampler.sample_indices_
    array([0, 1, 0, 0, 0, 1, 1, 1])
    """

    _parameter_constraints = {
        "augmenter": [AudioAugmenter, None],
        "sample_rate": [Interval(Integral, 1, None, closed="left")],
        "column": [str],
    }

    def __init__(
        self,
        augmenter: AudioAugmenter | None = None,
        *,
        sample_rate: int = 22050,
        column: str = "audio",
    ) -> None:
        self.augmenter = augmenter
        self.sample_rate = sample_rate
        self.column = column

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: Any, y: Any = None) -> Self:
        """Check X; nothing is opened and nothing learnt. Rows are added by `fit_resample`.

        Parameters
        ----------
        X : DataFrame, column of clips, or array-like of numbers
            See `fit_resample`.
        y : Any
            Ignored.

        Returns
        -------
        self : AudioAugmentationSampler
        """
        self._clips(_pandas(X))
        return self

    @_fit_context(prefer_skip_nested_validation=True)
    def fit_resample(self, X: Any, y: Any = None) -> tuple[Any, Any]:
        """Return the rows of X, and after them the variants of the first, the second and so on.

        Parameters
        ----------
        X : DataFrame, column of clips, or array-like of numbers
            A DataFrame with a column of clips, whose other columns are repeated for the variants;
            or only a column of clips, as for `AudioLoader`; or an array of shape
            (n_clips, n_samples, ...), any further axes being channels. The variants in an array
            are cut, or padded with zeros, to its number of samples.
        y : array-like of length n_clips, default=None
            Targets of any kind, which are repeated for the variants.

        Returns
        -------
        X_resampled : of the kind of X
            n_clips * (1 + n_variants) rows. DataFrames become pandas DataFrames with a new index
            from 0. Variants in a column of clips are pairs of `sample_rate` and a waveform
            of shape (n_samples,).
        y_resampled : of the kind of y

        Raises
        ------
        MediaError
            If a clip is missing, damaged or without sound.
        ValueError
            If there is no column of clips, or a waveform is empty or not finite.
        """
        X = _pandas(X)
        clips = self._clips(X)
        check_consistent_length(clips, y)
        augmenter = AudioAugmenter() if self.augmenter is None else clone(self.augmenter)
        augmenter.set_params(sample_rate=self.sample_rate)
        if clips.dtype == object:
            waveforms = AudioLoader(self.sample_rate).transform(clips)
            table = augmenter.fit_transform(waveforms)
            pairs = object_array([(self.sample_rate, variant) for variant in table.flat])
            variants = pairs.reshape(table.shape)
        else:
            variants = _equal_variants(augmenter, clips)
        n_clips, n_variants = variants.shape[:2]
        rows = np.arange(n_clips)
        self.sample_indices_ = np.concatenate([rows, np.repeat(rows, n_variants)])
        variants = variants.reshape(n_clips * n_variants, *variants.shape[2:])
        X = self._like(X, np.concatenate([clips, variants]))
        return X, None if y is None else _numbered_anew(_safe_indexing(y, self.sample_indices_))

    def _clips(self, X: Any) -> NDArray[Any]:
        """Return the clips as an array of objects or of numbers, and note what X was."""
        if not isinstance(X, pd.DataFrame):
            clips = clip_column(X)
            if clips is None:
                return check_clips(self, X, reset=True)
            remember_column(self)
            return one_column(clips, "clips")
        if self.column not in X.columns and all(map(pd.api.types.is_numeric_dtype, X.dtypes)):
            return check_clips(self, X, reset=True)
        clips = clip_column(X[self.column]) if self.column in X.columns else None
        if clips is None:
            raise ValueError(
                f"Expected a DataFrame with clips in a column {self.column!r}, found the columns "
                f"{list(X.columns)} in {plural(len(X), 'row')}. Name the column: "
                f'{type(self).__name__}(column="...").'
            )
        remember_column(self)
        validate_data(self, X, skip_check_array=True)
        return clips

    def _like(self, X: Any, clips: NDArray[Any]) -> Any:
        """Put the clips of the result into a container such as X."""
        if isinstance(X, pd.DataFrame):
            if self.column not in X.columns:
                return pd.DataFrame(clips, columns=X.columns)
            result = _numbered_anew(X.iloc[self.sample_indices_])
            return result.assign(**{self.column: pd.Series(clips, dtype=object)})
        if isinstance(X, pd.Series):
            return pd.Series(clips, dtype=object, name=X.name)
        if isinstance(X, list | tuple):
            return clips.tolist()
        return clips.reshape(-1, 1) if clips.ndim < np.ndim(X) else clips

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.estimator_type = "sampler"
        tags.requires_fit = False
        tags.input_tags.string = True
        return tags


def _pandas(X: Any) -> Any:
    """Convert other DataFrames to pandas, whose columns may hold both paths and waveforms."""
    if not hasattr(X, "columns") or isinstance(X, pd.DataFrame):
        return X
    return pd.DataFrame({name: X[name].to_numpy() for name in X.columns})


def _numbered_anew(rows: Any) -> Any:
    """Drop the labels of rows, which would be there many times over."""
    return rows.reset_index(drop=True) if isinstance(rows, pd.DataFrame | pd.Series) else rows


def _equal_variants(augmenter: AudioAugmenter, X: NDArray[Any]) -> NDArray[Any]:
    """Make variants as long as the waveforms: (n_clips, n_variants, n_samples, ...)."""
    n_clips, n_samples = X.shape[:2]
    channels = np.moveaxis(X.reshape(n_clips, n_samples, -1), 2, 1)
    waveforms = object_array(list(channels.reshape(-1, n_samples)))
    variants = np.array(
        [
            [librosa.util.fix_length(variant, size=n_samples) for variant in row]
            for row in augmenter.fit_transform(waveforms)
        ]
    )
    variants = variants.reshape(n_clips, -1, *variants.shape[1:])
    return np.moveaxis(variants, 1, 3).reshape(n_clips, -1, *X.shape[1:])
