"""Decomposition: from curves and tensors to few numbers per clip."""

from ._bspline import BSplineProjector, bspline_basis, bspline_evaluate, bspline_project
from ._mini_rocket import MiniRocket
from ._multi_rocket import MultiRocket
from ._resampler import TrajectoryResampler
from ._rocket_kernels import RocketKernels
from ._statistics import TrajectoryStatistics, trajectory_statistics
from ._tucker import PartialTucker
from ._tucker_numerics import partial_tucker

__all__ = [
    "BSplineProjector",
    "MiniRocket",
    "MultiRocket",
    "PartialTucker",
    "RocketKernels",
    "TrajectoryResampler",
    "TrajectoryStatistics",
    "bspline_basis",
    "bspline_evaluate",
    "bspline_project",
    "partial_tucker",
    "trajectory_statistics",
]
