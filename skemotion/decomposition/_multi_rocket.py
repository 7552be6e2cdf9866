"""MultiRocket."""

from __future__ import annotations

import numpy as np

from ._rocket import Rocket


class MultiRocket(Rocket):
    """Describe trajectories and their differences by four numbers of each convolution.

    The convolutions are those of `MiniRocket`, of the trajectories and of their differences from
    point to point. The features describe the points above a few biases: their share, the longest
    run, the mean, and the mean position in time.

    Parameters
    ----------
    n_kernels : int, default=6_250
        Number of biases for trajectories and for differences, rounded to a multiple of 84, at
        least 84. There are eight times as many features.
    n_points : int, default=96
        Points to which trajectories are brought by linear interpolation.
    n_channels : int, default=1
        How many trajectories a row of plain numbers holds, point after point, as a flattened
        array of shape (n_points, n_channels).
    random_state : int, RandomState instance or None, default=None
        Determines the channels of each kernel and the training clips for the biases.

    Attributes
    ----------
    kernels_ : list of two RocketKernels
        Dilations, channels and biases for trajectories and for differences.
    means_, scales_ : list of two ndarray of shape (n_channels,)
        Mean and standard deviation of each channel over all training clips, and of its
        differences.
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
    MiniRocket : An eighth of the features, in half the time.

    Notes
    -----
    The transform of [1]_, except that channels are standardised by the training clips, see
    `MiniRocket`, and that differences have kernels of their own: the authors' code convolves them
    with the channels drawn for the trajectories, shifted by a point, with biases learnt from
    other channels. The longest stretch is that between two points below the bias, counted in steps.
    Where no point is above a bias, the mean is 0 and the place -1.

    References
    ----------
    .. [1] C. W. Tan, A. Dempster, C. Bergmeir and G. I. Webb, "MultiRocket: multiple pooling
       operators and transformations for fast and effective time series classification", Data
       Mining and Knowledge Discovery 36, 2022.

    Examples
    --------
    >>> import numpy as np
    >>> from skemotion.decomposition import MultiRocket
    >>> rng = np.random.default_rng(0)
    >>> clips = [rng.normal(size=(n, 41)) for n in (110, 95, 130)]
    >>> MultiRocket(n_kernels=1000, random_state=0).fit_transform(clips).shape
    (3, 7392)
    """

    pooling = "all"
    orders = (0, 1)

    def __init__(
        self,
        n_kernels: int = 6_250,
        n_points: int = 96,
        n_channels: int = 1,
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        self.n_kernels = n_kernels
        self.n_points = n_points
        self.n_channels = n_channels
        self.random_state = random_state
