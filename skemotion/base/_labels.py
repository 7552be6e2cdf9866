"""Labels and speakers, one for each clip."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.utils.validation import column_or_1d

_N_NAMED = 5  # rows in an error


def check_labels(labels: Any, kind: str = "label", *, warn: bool = False) -> NDArray[Any]:
    """Return one label for each clip, and refuse rows that have none.

    Parameters
    ----------
    labels : array-like of shape (n_clips,) or (n_clips, 1)
        Labels, or speakers.
    kind : str, default="label"
        What they are called in an error.
    warn : bool, default=False
        Whether to warn of a column of shape (n_clips, 1), as scikit-learn's classifiers do.

    Returns
    -------
    labels : ndarray of shape (n_clips,)

    Raises
    ------
    ValueError
        If some are None, NaN or NA, with their rows; or if there is more than one column.

    Examples
    --------
    >>> from skemotion.base import check_labels
    >>> check_labels(["calm", "angry"])
    array(['calm', 'angry'], dtype='<U5')
    >>> check_labels(["calm", None])
    Traceback (most recent call last):
        ...
    ValueError: Expected a label for every clip, found none in row 1. Add it, or leave the clip out.
    """
    # Before NumPy makes one type of them: NaN among texts would become the text "nan".
    cells = column_or_1d(np.asarray(labels, dtype=object), warn=warn)
    empty = np.flatnonzero(pd.isna(cells)).tolist()
    if empty:
        some = ", ".join(map(str, empty[:_N_NAMED])) + (", ..." if len(empty) > _N_NAMED else "")
        one = len(empty) == 1
        rows = f"row {some}" if one else f"{len(empty)} rows ({some})"
        remedy = "Add it, or leave the clip out." if one else "Add them, or leave the clips out."
        raise ValueError(f"Expected a {kind} for every clip, found none in {rows}. {remedy}")
    return column_or_1d(np.asarray(labels))
