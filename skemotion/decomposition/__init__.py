"""Decomposition: from curves and tensors to few numbers per clip."""

from ._bspline import BSplineProjector, bspline_basis, evaluate, project
from ._tucker import PartialTucker, partial_tucker

__all__ = [
    "BSplineProjector",
    "PartialTucker",
    "bspline_basis",
    "evaluate",
    "partial_tucker",
    "project",
]
