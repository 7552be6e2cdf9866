"""Names, parameters and replacement of a fusion's branches."""

from __future__ import annotations

from typing import Any, Self

from sklearn.linear_model import LogisticRegression
from sklearn.utils.metaestimators import _BaseComposition

# Name, estimator and columns of each.
Branches = list[tuple[str, Any, Any]]


class BranchComposition(_BaseComposition):
    """An estimator whose `estimators` are triples, as those of `ColumnTransformer`."""

    estimators: Branches | None

    @property
    def _named(self) -> Any:
        try:
            return [(name, branch) for name, branch, _ in self.estimators or []]
        except (TypeError, ValueError):
            return self.estimators

    @_named.setter
    def _named(self, named: list[tuple[str, Any]]) -> None:
        self.estimators = [
            (name, branch, columns)
            for (name, branch), (_, _, columns) in zip(named, self.estimators or [], strict=True)
        ]

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Return the parameters, those of the branches included.

        Parameters
        ----------
        deep : bool, default=True
            Whether to include the branches and their parameters.

        Returns
        -------
        params : dict
        """
        return self._get_params("_named", deep=deep)

    def set_params(self, **params: Any) -> Self:
        """Set parameters, as ``sound__pca__n_components=50``; a branch's name replaces it.

        Parameters
        ----------
        **params : dict
            Parameters by name.

        Returns
        -------
        self : estimator
        """
        self._set_params("_named", **params)
        return self

    def _checked_branches(self) -> Branches:
        branches: Branches = self.estimators or [("all", LogisticRegression(), slice(None))]
        for branch in branches:
            if not isinstance(branch, tuple | list) or len(branch) != 3:
                raise ValueError(
                    "estimators must be a list of (name, estimator, columns), such as "
                    f"('audio', make_pipeline(...), 'audio'), found {branch!r}."
                )
        self._validate_names([name for name, _, _ in branches])
        branches = [branch for branch in branches if not isinstance(branch[1], str)]
        if not branches:
            raise ValueError("All branches are dropped: leave one at least.")
        return branches
