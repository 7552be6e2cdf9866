"""MiniRocket."""

from __future__ import annotations

import numpy as np

from ._rocket import Rocket


class MiniRocket(Rocket):
    """Describe trajectories by how often their convolutions exceed thresholds.

    Every trajectory is convolved with 84 fixed kernels of nine weights at many dilations, each on
    some of the channels. The features are the shares of points of each convolution above a few
    biases, which are quantiles of training clips' convolutions. They suit a linear classifier.

    Parameters
    ----------
    n_kernels : int, default=10_000
        Number of features, rounded to a multiple of 84, at least 84.
    n_points : int, default=96
        Points to which trajectories are brought by linear interpolation.
    n_channels : int, default=1
        How many trajectories a row of plain numbers holds, point after point, as a flattened
        array of shape (n_points, n_channels).
    random_state : int, RandomState instance or None, default=None
        Determines the channels of each kernel and the training clips for the biases.

    Attributes
    ----------
    kernels_ : list of one RocketKernels
        Dilations, channels and biases.
    means_, scales_ : list of one ndarray of shape (n_channels,)
        Mean and standard deviation of each channel over all training clips.
    n_channels_ : int
        Channels of a clip at fit: features times variants.
    n_features_in_ : int
        Second axis of X at fit; the number of columns if X was columns of trajectories.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Column names of X at fit, if X was numbers and had any.
    clip_shape_ : tuple of int
        Shape of a clip at fit; empty for columns of trajectories.

    See Also
    --------
    MultiRocket : Four numbers instead of one, also for differences.
    TrajectoryStatistics : Interpretable features.

    Notes
    -----
    The transform of [1]_, for several channels as in the authors' code. Channels are
    standardised beforehand by the training clips' mean and deviation, not by each clip's own, as
    an expression that lasts from beginning to end is in the level. Kernels sum to zero; the level
    is seen where they reach beyond the ends, where the standardised trajectory is taken as 0.

    References
    ----------
    .. [1] A. Dempster, D. F. Schmidt and G. I. Webb, "MiniRocket: a very fast (almost)
       deterministic transform for time series classification", KDD 2021.

    Examples
    --------
    >>> import numpy as np
    >>> from skemotion.decomposition import MiniRocket
    >>> rng = np.random.default_rng(0)
    >>> clips = [rng.normal(size=(n, 33)) for n in (110, 95, 130)]
    >>> rocket = MiniRocket(n_kernels=1000, random_state=0)
    >>> rocket.fit_transform(clips).shape
    (3, 924)
    >>> rocket.get_feature_names_out()[0]
    'ppv_012x1_0_channel17+channel00+channel12'
    """

    pooling = "ppv"
    orders = (0,)

    def __init__(
        self,
        n_kernels: int = 10_000,
        n_points: int = 96,
        n_channels: int = 1,
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        self.n_kernels = n_kernels
        self.n_points = n_points
        self.n_channels = n_channels
        self.random_state = random_state
