"""Splits of a corpus of clips."""

from __future__ import annotations

from collections.abc import Iterator
from numbers import Integral, Real
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection._split import GroupsConsumerMixin
from sklearn.utils import check_random_state, indexable
from sklearn.utils._param_validation import Interval, validate_params


class WithinGroupShuffleSplit(GroupsConsumerMixin):
    """Split each group's clips at random, so that every group is in training and in test.

    With speakers as groups this is the protocol of many published figures on acted corpora. A model
    then knows the people it is tested on, and its figures say little about other people; for those,
    split by `sklearn.model_selection.GroupKFold`.

    Like scikit-learn's group splitters, it asks for ``groups`` under metadata routing.

    Parameters
    ----------
    n_splits : int, default=5
        Number of random splits.
    train_size : float, default=2/3
        Share of each group's clips to train on, rounded to leave at least one clip on either
        side; 2/3 is 40 of the 60 clips of an actor of RAVDESS. A lone clip is trained on.
    random_state : int, RandomState instance or None, default=None
        Seed of the shuffling.

    See Also
    --------
    evaluate : Uses this split as ``"speaker-dependent"``.

    Examples
    --------
    >>> import numpy as np
    >>> from skemotion.model_selection import WithinGroupShuffleSplit
    >>> groups = np.repeat([1, 2], 6)
    >>> train, test = next(WithinGroupShuffleSplit(random_state=0).split(groups, groups=groups))
    >>> groups[train], groups[test]
    (array([1, 1, 1, 1, 2, 2, 2, 2]), array([1, 1, 2, 2]))
    """

    @validate_params(
        {
            "n_splits": [Interval(Integral, 1, None, closed="left")],
            "train_size": [Interval(Real, 0, 1, closed="neither")],
            "random_state": ["random_state"],
        },
        prefer_skip_nested_validation=True,
    )
    def __init__(
        self,
        n_splits: int = 5,
        *,
        train_size: float = 2 / 3,
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        self.n_splits = n_splits
        self.train_size = train_size
        self.random_state = random_state

    def get_n_splits(self, X: Any = None, y: Any = None, groups: Any = None) -> int:
        """Return the number of splits.

        Parameters
        ----------
        X, y, groups : Any
            Ignored.

        Returns
        -------
        n_splits : int
        """
        return self.n_splits

    def split(
        self, X: Any, y: Any = None, groups: Any = None
    ) -> Iterator[tuple[NDArray[np.intp], NDArray[np.intp]]]:
        """Return the indices of each split.

        Parameters
        ----------
        X : array-like of length n_clips
            Clips.
        y : array-like of length n_clips, default=None
            Ignored.
        groups : array-like of length n_clips
            Each clip's group.

        Yields
        ------
        train, test : ndarray of int
            Sorted.
        """
        if groups is None:
            raise ValueError("groups is needed: give each clip's group, such as its speaker.")
        X, y, groups = indexable(X, y, groups)
        groups = np.asarray(groups)
        rng = check_random_state(self.random_state)
        members = [np.flatnonzero(groups == group) for group in np.unique(groups)]
        if all(len(rows) < 2 for rows in members):
            raise ValueError("No group has two clips, of which one could be tested: nothing left.")
        for _ in range(self.n_splits):
            train, test = [], []
            for rows in members:
                shuffled = rng.permutation(rows)
                # Two clips are one for each side; a lone one is trained on.
                n_train = round(self.train_size * len(rows))
                n_train = max(min(n_train, len(rows) - 1), 1)
                train.append(shuffled[:n_train])
                test.append(shuffled[n_train:])
            yield np.sort(np.concatenate(train)), np.sort(np.concatenate(test))

    def __repr__(self) -> str:
        """Show the parameters."""
        return (
            f"{type(self).__name__}(n_splits={self.n_splits}, train_size={self.train_size:.3g}, "
            f"random_state={self.random_state})"
        )
