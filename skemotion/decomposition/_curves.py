"""What the stages that turn curves into few numbers share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..base import ClipTransformer, plural


class CurveTransformer(ClipTransformer):
    """Base class of stages that turn each curve of a clip into as many numbers."""

    takes = "trajectories"

    def remember_clip(self, cells: list[NDArray[Any]]) -> None:
        """Note how many curves a clip has: features times variants."""
        self.n_curves_ = sum(int(np.prod(cell.shape[1:])) for cell in cells)

    def _side_by_side(self, results: list[NDArray[Any]]) -> NDArray[Any]:
        result = super()._side_by_side(results)
        n_curves: Any = getattr(self, "n_curves_", result.shape[1])
        if result.shape[1] != n_curves:
            raise ValueError(
                f"{type(self).__name__} expected {plural(n_curves, 'curve')} (features times "
                f"variants) in every clip, found {result.shape[1]}: give all clips the same "
                "features."
            )
        return result


def name_numbers(
    numbers: Sequence[str], input_features: Sequence[str] | None, n_curves: int
) -> list[str]:
    """Name every number of every curve: ``mfcc03_mean_pitch+4`` for ``mfcc03_pitch+4``.

    Parameters
    ----------
    numbers : sequence of str
        Names of the numbers that describe a curve.
    input_features : sequence of str or None
        Names of the curves; ``curve00``, ... by default.
    n_curves : int
        Number of curves per clip.

    Returns
    -------
    names : list of str
    """
    if input_features is None:
        input_features = [f"curve{i:02d}" for i in range(n_curves)]
    if len(input_features) != n_curves:
        raise ValueError(
            f"input_features should have length equal to the number of curves per clip "
            f"({n_curves}), got {len(input_features)}."
        )
    curves = [str(name).partition("_") for name in input_features]
    return [f"{head}_{number}{sep}{tail}" for number in numbers for head, sep, tail in curves]
