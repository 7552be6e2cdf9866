"""The base class of all stages that work on one clip at a time."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, TransformerMixin, _fit_context
from sklearn.utils import Tags

from ..io import MediaError
from ._checks import check_clips, check_input_names, remember_column
from ._columns import clip_column, object_array, one_column
from ._kinds import check_clip, check_result, first_row, kind_of, refuse_one_in_color
from ._output import TableOutputMixin


class ClipTransformer(TableOutputMixin, TransformerMixin, BaseEstimator):
    """Base class of stages that work on one clip at a time.

    A subclass declares what it takes and implements `transform_clip`, which turns one clip into one
    array. The base class does the rest: columns, tables and arrays of clips, checks, errors that
    name the row, feature names, `set_output`, tags. A stage needs no `fit`, and its result for a
    clip depends only on the clip and the parameters, so it can be a step of a `ClipPipeline`, with
    workers and a cache.

    Attributes
    ----------
    takes : {"clips", "frames", "waveforms", "trajectories", "landmarks", "arrays"}
        Class attribute: what `transform_clip` gets.

        - "clips": the content of the cell, for the stage to open: a path, an address, bytes, an
          array, or a ``(rate, waveform)`` pair;
        - "frames": an array of shape (n_frames, height, width[, channel]), uint8 or float;
        - "waveforms": a float array of shape (n_samples,);
        - "trajectories": a float array of shape (n_points, n_features);
        - "landmarks": a float array of shape (n_frames, n_points, 2 or 3), in pixels;
        - "arrays" (default): a finite array of any shape.
    ragged : bool
        Class attribute: whether results differ in length from clip to clip. A column of clips then
        stays a column of arrays; otherwise (default) the results are stacked.
    n_features_in_ : int
        Second axis of X at fit; the number of columns if X was columns of clips.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Column names of X at fit, if X was numbers and had any.
    clip_shape_ : tuple of int
        Shape of a clip at fit, if X was an array of numbers; empty for columns of clips.

    See Also
    --------
    ClipFunction : Makes a stage of a plain function.
    skemotion.pipeline.ClipPipeline : Sends each clip through several stages.

    Examples
    --------
    >>> import numpy as np
    >>> from skemotion.base import ClipTransformer
    >>> class Loudness(ClipTransformer):
    ...     '''Root mean square of blocks of a waveform.'''
    ...
    ...     takes = "waveforms"
    ...
    ...     def __init__(self, n_blocks=2):
    ...         self.n_blocks = n_blocks
    ...
    ...     def transform_clip(self, clip):
    ...         return [np.sqrt(np.mean(b**2)) for b in np.array_split(clip, self.n_blocks)]
    >>> Loudness().fit_transform([np.ones(5), np.array([3.0, 0.0])])
    array([[1., 1.],
           [3., 0.]])
    >>> Loudness().set_output(transform="pandas").fit_transform([np.ones(5)])
       loudness0  loudness1
    0        1.0        1.0
    """

    takes: ClassVar[str] = "arrays"
    ragged: ClassVar[bool] = False
    # Whether arrays must have the same shape as at fit.
    _keeps_shape: ClassVar[bool] = True
    # What arrays in memory mean to a stage that takes "clips".
    _in_memory: ClassVar[str] = "arrays"
    _parameter_constraints: ClassVar[dict[str, Any]] = {}

    def transform_clip(self, clip: Any) -> Any:
        """Turn one clip into one array; to be implemented by a subclass.

        Parameters
        ----------
        clip : ndarray, or the content of the cell if `takes` is "clips"
            Checked: it has the axes that `takes` requires, is finite and not empty.

        Returns
        -------
        result : ndarray or list
            If the stage is `ragged`, the arrays of a list become further columns of the clip.
        """
        raise NotImplementedError(f"{type(self).__name__} has no transform_clip: implement it.")

    def name_values(self, input_features: Sequence[str] | None) -> Sequence[str]:
        """Name the values of a clip's flattened result; a subclass may give better names.

        Parameters
        ----------
        input_features : sequence of str or None
            Names of the stage's input.

        Returns
        -------
        names : sequence of str
        """
        prefix = self._prefix()
        if self.takes == "clips" or (self.ragged and not self.clip_shape_):
            return [prefix]
        n_values = int(np.prod(self._result_shape))
        return [f"{prefix}{i:0{len(str(n_values - 1))}d}" for i in range(n_values)]

    def cache_identity(self) -> Any:
        """Return what results depend on besides parameters and code, such as files and versions.

        Returns
        -------
        identity : str, number, or tuple of these
            Part of the key under which a `ClipCache` keeps results.
        """
        return None

    def check_parameters(self) -> None:
        """Refuse invalid parameters that `_parameter_constraints` cannot express.

        Raises
        ------
        ValueError
        """

    def remember_clip(self, cells: list[NDArray[Any]]) -> None:
        """Store at fit what names and checks need to know of a clip; nothing is learnt from it.

        Parameters
        ----------
        cells : list of ndarray
            The first clip, as passed to `transform_clip`; one array per column.
        """
        if type(self).name_values is ClipTransformer.name_values:
            results = [self._run_array(cell, 0) for cell in cells]
            joined = results[0] if self.ragged else self._side_by_side(results)
            self._result_shape = joined.shape

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: Any, y: Any = None) -> Self:
        """Check X and remember its shape; nothing is learnt from it.

        Parameters
        ----------
        X : column(s) of clips, or array-like of shape (n_clips, ...)
            See `transform`.
        y : None
            Ignored.

        Returns
        -------
        self : object
        """
        self.check_parameters()
        column = clip_column(X)
        if column is None:
            X = self._check_array(X, reset=True)
            cells = [self.lift_row(X[0]) if X.ndim == 2 else X[0]]
        else:
            table = self._table(column)
            remember_column(self, table.shape[1])
            cells = (
                [] if self.takes == "clips" else [check_clip(self, cell, 0) for cell in table[0]]
            )
        if self.takes != "clips":
            self.remember_clip(cells)
        return self

    def transform(self, X: Any) -> Any:
        """Transform each clip.

        Parameters
        ----------
        X : column(s) of clips, or array-like of shape (n_clips, ...)
            A list, Series or object array of clips, which may differ in length; a table of them,
            one column per variant of a clip; an array of clips of one shape; or plain 2-d numbers,
            each row of which is a clip.

        Returns
        -------
        result : ndarray of shape (n_clips, ...)
            An object array of arrays if results differ in length. 2-d numbers become 2-d numbers.

        Raises
        ------
        ValueError
            If the stage does not take a clip; the message names its row.
        """
        self._validate_params()
        self.check_parameters()
        column = clip_column(X)
        if column is not None:
            return self._transform_column(self._table(column))
        X = self._check_array(X, reset=False)
        if X.ndim == 2:
            rows = [np.ravel(self._run_array(self.lift_row(x), i)) for i, x in enumerate(X)]
            return self._stacked(rows)
        return self._stacked([self._run_array(clip, row) for row, clip in enumerate(X)])

    def get_feature_names_out(self, input_features: Any = None) -> NDArray[Any]:
        """Name the values of a clip's flattened result.

        Parameters
        ----------
        input_features : array-like of str or None, default=None
            Names of the stage's input; for a table, checked against its columns.

        Returns
        -------
        names : ndarray of str
        """
        check_input_names(self, input_features)
        return np.array(self.name_values(input_features), dtype=object)

    def lift_row(self, row: NDArray[Any]) -> NDArray[Any]:
        """Turn a row of plain numbers into a clip, by default of one pixel, curve or point.

        Parameters
        ----------
        row : ndarray of shape (n_features,)

        Returns
        -------
        clip : ndarray
        """
        n_axes = {"frames": 3, "trajectories": 2, "landmarks": 3}.get(self._array_kind, 1)
        return row.reshape(-1, *[1] * (n_axes - 1))

    @property
    def _array_kind(self) -> str:
        return self._in_memory if self.takes == "clips" else self.takes

    def _prefix(self) -> str:
        return type(self).__name__.lower()

    def _check_array(self, X: Any, *, reset: bool) -> NDArray[Any]:
        kind = kind_of(self, self._array_kind)
        if self._array_kind == "frames":
            refuse_one_in_color(self, getattr(X, "shape", ()))
        X = check_clips(
            self,
            X,
            reset=reset,
            ndim=kind.array_ndim,
            dtype=kind.dtype,
            axes=f"(n_clips, {kind.axes[1:]}",
            same_shape=self._keeps_shape,
        )
        if not X.size:
            raise ValueError(
                f"{type(self).__name__} expected clips, got an empty array of shape {X.shape}."
            )
        return X

    def _table(self, column: NDArray[Any]) -> NDArray[Any]:
        if self.takes == "clips":
            column = one_column(column, "clips")
        return column.reshape(len(column), -1)

    def _transform_column(self, table: NDArray[Any]) -> NDArray[Any]:
        rows = [
            [self._run(check_clip(self, cell, row), row) for cell in cells]
            for row, cells in enumerate(table)
        ]
        if not self.ragged:
            return self._stacked([self._side_by_side(results) for results in rows])
        if table.shape[1] == 1 and not isinstance(rows[0][0], list):
            return object_array([results[0] for results in rows])
        # A list of arrays is further columns of the clip.
        return np.stack(
            [
                object_array([a for r in results for a in (r if isinstance(r, list) else [r])])
                for results in rows
            ]
        )

    def _run(self, clip: Any, row: int) -> Any:
        """Transform one clip, and name its row in errors."""
        try:
            result = self.transform_clip(clip)
        except MediaError as error:
            if isinstance(clip, str | os.PathLike):  # named already
                raise
            raise MediaError(f"row {row + first_row()}: {error}") from error
        except ValueError as error:
            raise ValueError(
                f"{type(self).__name__} cannot use the clip in row {row + first_row()}: {error}"
            ) from error
        except Exception as error:
            error.add_note(f"In {type(self).__name__}, row {row + first_row()}.")
            raise
        is_columns = self.ragged and isinstance(result, list) and bool(result)
        if is_columns and all(isinstance(array, np.ndarray) for array in result):
            return result
        result = check_result(self, result, row)
        # Single precision is kept, even if NumPy computes in double.
        is_single = getattr(clip, "dtype", None) == np.float32
        return result.astype(np.float32) if is_single and result.dtype == np.float64 else result

    def _run_array(self, clip: NDArray[Any], row: int) -> NDArray[Any]:
        """Transform a clip of an array; of a waveform, each channel (the last axes)."""
        if self.takes != "waveforms" or clip.ndim == 1:
            return _end_to_end(self._run(clip, row))
        channels = clip.reshape(len(clip), -1).T
        results = [_end_to_end(self._run(np.ascontiguousarray(c), row)) for c in channels]
        return np.stack(results, axis=-1).reshape(*results[0].shape, *clip.shape[1:])

    def _side_by_side(self, results: list[NDArray[Any]]) -> NDArray[Any]:
        """Join the results of a clip's columns on the last axis."""
        return results[0] if len(results) == 1 else np.concatenate(results, axis=-1)

    def _stacked(self, results: list[NDArray[Any]]) -> NDArray[Any]:
        """Stack the clips' results, or return a column of them if their lengths differ."""
        for row, result in enumerate(results):
            if result.shape == results[0].shape:
                continue
            if self.ragged:
                return object_array(results)
            raise ValueError(
                f"{type(self).__name__} gives results of different shapes: {results[0].shape} in "
                f"row {first_row()}, {result.shape} in row {row + first_row()}. Bring the clips to "
                "one shape first, for example with VideoLoader(size=(height, width)) or "
                "BSplineProjector; a stage with results of different lengths declares "
                "`ragged = True`."
            )
        return np.stack(results)

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.requires_fit = False
        tags.input_tags.string = self.takes == "clips"
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags


def _end_to_end(result: Any) -> NDArray[Any]:
    return np.concatenate(result) if isinstance(result, list) else result
