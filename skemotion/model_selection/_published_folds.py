"""The folds that published figures were measured on."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import BaseCrossValidator
from sklearn.utils import indexable
from sklearn.utils._param_validation import StrOptions, validate_params
from sklearn.utils.validation import check_array

# Which speakers each fold tests.
_FOLDS: dict[str, tuple[tuple[int, ...], ...]] = {
    "luna-jimenez-2021": (
        (2, 5, 14, 15, 16),
        (3, 6, 7, 13, 18),
        (10, 11, 12, 19, 20),
        (8, 17, 21, 23, 24),
        (1, 4, 9, 22),
    ),
    "emobox-2024": (
        (1, 11, 20, 21),
        (4, 10, 12, 14),
        (8, 9, 19, 23),
        (3, 5, 7, 24),
        (2, 15, 16, 18),
        (6, 13, 17, 22),
    ),
}


class PublishedFolds(BaseCrossValidator):
    """Split RAVDESS by speakers as in the literature, so that figures can be compared.

    Each speaker is tested once, by a model that was not trained on this speaker. Folds without any
    of the given speakers are left out, so a part of the corpus suffices.

    Parameters
    ----------
    name : {"luna-jimenez-2021", "emobox-2024"}
        The five folds of Luna-Jiménez et al. [1]_ [2]_, or the six of EmoBox [3]_.

    See Also
    --------
    sklearn.model_selection.GroupKFold : Divides any speakers into folds.

    Notes
    -----
    Luna-Jiménez et al. list the speakers of each fold in section 3.1 of [1]_. EmoBox drew its
    folds at random, and publishes them as lists of files (``data/ravdess/fold_1`` to ``fold_6``).
    Both give speech alone, eight emotions, 1,440 clips.

    References
    ----------
    .. [1] C. Luna-Jiménez, D. Griol, Z. Callejas, R. Kleinlein, J. M. Montero, F.
       Fernández-Martínez, "Multimodal emotion recognition on RAVDESS dataset using transfer
       learning", Sensors 21 (2021) 7665.
    .. [2] C. Luna-Jiménez, R. Kleinlein, D. Griol, Z. Callejas, J. M. Montero, F.
       Fernández-Martínez, "A proposal for multimodal emotion recognition using aural transformers
       and action units on RAVDESS dataset", Applied Sciences 12 (2022) 327.
    .. [3] Z. Ma et al., "EmoBox: Multilingual multi-corpus speech emotion recognition toolkit
       and benchmark", Interspeech 2024; https://github.com/emo-box/EmoBox.

    Examples
    --------
    >>> import numpy as np
    >>> from skemotion.model_selection import PublishedFolds
    >>> speakers = np.array([1, 1, 2, 3])
    >>> for train, test in PublishedFolds("luna-jimenez-2021").split(speakers, groups=speakers):
    ...     print(speakers[train], speakers[test])
    [1 1 3] [2]
    [1 1 2] [3]
    [2 3] [1 1]
    """

    # Where scikit-learn routes metadata, speakers come without being asked for.
    __metadata_request__split = {"groups": True}

    @validate_params({"name": [StrOptions(set(_FOLDS))]}, prefer_skip_nested_validation=True)
    def __init__(self, name: str) -> None:
        self.name = name

    def get_n_splits(self, X: Any = None, y: Any = None, groups: Any = None) -> int:
        """Return the number of folds.

        Parameters
        ----------
        X, y : Any
            Ignored.
        groups : array-like of length n_clips, default=None
            Each clip's speaker; without, all speakers count as there.

        Returns
        -------
        n_splits : int
        """
        if groups is None:
            return len(_FOLDS[self.name])
        return len(np.unique(self._fold_of_each(groups)))

    def split(
        self, X: Any, y: Any = None, groups: Any = None
    ) -> Iterator[tuple[NDArray[np.intp], NDArray[np.intp]]]:
        """Return the indices of each fold.

        Parameters
        ----------
        X : array-like of length n_clips
            Clips.
        y : array-like of length n_clips, default=None
            Ignored.
        groups : array-like of length n_clips
            Each clip's speaker, as a number or a name that ends in one: 7, ``"07"``,
            ``"Actor_07"``.

        Yields
        ------
        train, test : ndarray of int

        Raises
        ------
        ValueError
            If speakers are not given, or one is not among the 24, or all are of one fold.
        """
        X, y, groups = indexable(X, y, groups)
        folds = self._fold_of_each(groups)
        present = np.unique(folds)
        if len(present) < 2:
            raise ValueError(
                f"All speakers are of one fold of {self.name!r}: nobody is left to train on."
            )
        for fold in present:
            yield np.flatnonzero(folds != fold), np.flatnonzero(folds == fold)

    def _fold_of_each(self, groups: Any) -> NDArray[np.intp]:
        if groups is None:
            raise ValueError("The 'groups' parameter should not be None: give each clip's speaker.")
        groups = check_array(groups, ensure_2d=False, dtype=None)
        fold_of = {
            speaker: fold for fold, speakers in enumerate(_FOLDS[self.name]) for speaker in speakers
        }
        names, codes = np.unique(groups, return_inverse=True)
        numbers = [re.search(r"(\d+)$", str(name)) for name in names.tolist()]
        folds = [number and fold_of.get(int(number[1])) for number in numbers]
        for name, fold in zip(names.tolist(), folds, strict=True):
            if fold is None:
                raise ValueError(
                    f"{self.name!r} are folds of RAVDESS' speakers 1 to 24, found {name!r}."
                )
        return np.array(folds, dtype=np.intp)[codes]

    def __repr__(self) -> str:
        """Show the parameter."""
        return f"{type(self).__name__}({self.name!r})"
