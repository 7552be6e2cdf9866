"""A small recurrent network over acoustic features."""

from __future__ import annotations

from collections.abc import Mapping
from numbers import Integral
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin, _fit_context
from sklearn.utils._param_validation import Interval, StrOptions

from ._training import TRAINING_CONSTRAINTS, fit_network, predict_probabilities


class TrajectoryRNNClassifier(ClassifierMixin, BaseEstimator):
    """Classify clips by a recurrent network over the frames of their MFCC.

    A layer of GRU or LSTM cells reads a clip's trajectory in both directions; the mean of its
    states goes to one linear layer. Clips may differ in length; none is cut, and what pads the
    shorter ones in a batch has no influence. Needs torch and skorch, the extra ``torch``.

    Parameters
    ----------
    cell : {"gru", "lstm"}, default="gru"
        Kind of the cells: gated recurrent units [1]_ or long short-term memory [2]_.
    hidden_size : int, default=64
        Cells in each direction.
    frames_per_step : int, default=4
        Consecutive frames that are joined to one step [3]_, which divides the number of steps
        and with it the time; 1 reads frame by frame.
    dropout : float, default=0.5
        Share of the linear layer's inputs left out at random while training.
    max_epochs : int, default=100
        Passes over the training clips, at most.
    learning_rate : float, default=0.001
        Of the AdamW optimiser.
    batch_size : int, default=32
        Trajectories per step of the optimiser, and per batch when predicting.
    class_weight : dict, "balanced" or None, default=None
        Weight of each class in the loss, None being one for all; "balanced" weighs classes
        inversely to their number of training clips.
    validation_fraction : float or None, default=0.2
        Share of the groups (of the clips of each class, where `fit` is given no groups) that is
        held out for early stopping; None trains `max_epochs` epochs on all clips.
    patience : int, default=10
        Epochs without a lower validation loss after which training stops.
    random_state : int, RandomState or None, default=None
        Seeds the initial weights, the order of the clips, dropout and the hold-out.
    device : str, default="cpu"
        Where to train, in torch's words, such as "cuda". Prediction runs on the processor.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        Class labels.
    weights_ : dict of str to ndarray
        The network's weights, from the epoch of the lowest validation loss; from the last one
        where nothing was held out.
    mean_, scale_ : ndarray of shape (n_trajectory_features,)
        Mean and standard deviation of each feature over the frames trained on.
    validation_indices_ : ndarray of int
        Clips that were held out.
    history_ : dict of str to list of float
        ``"train_loss"`` and, with a hold-out, ``"valid_loss"``, of each epoch.
    n_iter_ : int
        Epochs that were run.
    n_features_in_ : int
        Second axis of X at fit; the number of columns if X was columns of trajectories.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Column names of X at fit, if X was numbers and had any.
    clip_shape_ : tuple of int
        Shape of a clip at fit; empty for columns of trajectories.

    See Also
    --------
    TrajectoryCNNClassifier : The same with a convolutional network.
    skemotion.audio.AudioFeatures : Gives trajectories.

    Notes
    -----
    Features are standardised by the clips trained on. A clip's variants (columns beyond the
    first) are trained on as further examples; its probabilities are the mean over its variants.
    Pass the speakers as `groups`, so that early stopping uses speakers not in training: directly,
    or through a pipeline by scikit-learn's metadata routing, ``set_fit_request(groups=True)``.

    The same `random_state` gives the same weights on the same machine; another number of threads
    or another processor may change last digits, which training can amplify.

    References
    ----------
    .. [1] K. Cho et al., "Learning phrase representations using RNN encoder-decoder for
       statistical machine translation", EMNLP 2014, section 2.3.
    .. [2] S. Hochreiter and J. Schmidhuber, "Long short-term memory", Neural Computation 9(8),
       1997.
    .. [3] H. Sak, A. Senior, K. Rao and F. Beaufays, "Fast and accurate recurrent neural network
       acoustic models for speech recognition", Interspeech 2015.

    Examples
    --------
    >>> import numpy as np
    >>> from skemotion.classification import TrajectoryRNNClassifier
    >>> rng = np.random.default_rng(0)
    >>> y = np.tile(["angry", "calm"], 20)
    >>> clips = [rng.normal(label == "angry", 0.5, (rng.integers(20, 30), 13)) for label in y]
    >>> rnn = TrajectoryRNNClassifier(hidden_size=8, random_state=0).fit(clips, y)
    >>> rnn.predict(clips[:4])
    array(['angry', 'calm', 'angry', 'calm'], dtype='<U5')
    """

    _parameter_constraints = {
        "cell": [StrOptions({"gru", "lstm"})],
        "hidden_size": [Interval(Integral, 1, None, closed="left")],
        "frames_per_step": [Interval(Integral, 1, None, closed="left")],
        **TRAINING_CONSTRAINTS,
    }

    def __init__(
        self,
        cell: str = "gru",
        hidden_size: int = 64,
        *,
        frames_per_step: int = 4,
        dropout: float = 0.5,
        max_epochs: int = 100,
        learning_rate: float = 0.001,
        batch_size: int = 32,
        class_weight: Mapping[Any, float] | str | None = None,
        validation_fraction: float | None = 0.2,
        patience: int = 10,
        random_state: int | np.random.RandomState | None = None,
        device: str = "cpu",
    ) -> None:
        self.cell = cell
        self.hidden_size = hidden_size
        self.frames_per_step = frames_per_step
        self.dropout = dropout
        self.max_epochs = max_epochs
        self.learning_rate = learning_rate
        self.batch_size = batch_size
        self.class_weight = class_weight
        self.validation_fraction = validation_fraction
        self.patience = patience
        self.random_state = random_state
        self.device = device

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: Any, y: Any, groups: Any = None) -> Self:
        """Train the network.

        Parameters
        ----------
        X : column(s) of trajectories or array-like of numbers
            A list or object array of shape (n_clips,) of arrays of shape (n_frames, n_features),
            each with its own number of frames, as `AudioFeatures` makes them; or a table of them,
            shape (n_clips, n_variants). Or an array of shape (n_clips, n_frames, n_features); a
            row of a table is the trajectory of one feature.
        y : array-like of shape (n_clips,)
            Class labels.
        groups : array-like of shape (n_clips,), default=None
            Speakers. Whole groups are then held out for early stopping; without, random clips of
            each class, or none if every class has too few clips.

        Returns
        -------
        self : TrajectoryRNNClassifier

        Raises
        ------
        ImportError
            If torch or skorch is not installed.
        ValueError
            If clips differ in their number of features, or values are not finite (the message
            says which row), or `groups` cannot be parted, or training diverges.
        """
        fit_network(self, X, y, groups)
        return self

    def predict_proba(self, X: Any) -> NDArray[np.float64]:
        """Return the probability of each class.

        Parameters
        ----------
        X : column(s) of trajectories or array-like of numbers
            Clips as at fit; clips in columns may have another number of variants.

        Returns
        -------
        probabilities : ndarray of shape (n_clips, n_classes)
            In the order of `classes_`.
        """
        return predict_probabilities(self, X)

    def predict(self, X: Any) -> NDArray[Any]:
        """Return the most probable class.

        Parameters
        ----------
        X : column(s) of trajectories or array-like of numbers
            Clips as for `predict_proba`.

        Returns
        -------
        labels : ndarray of shape (n_clips,)
        """
        labels = self.predict_proba(X).argmax(axis=1)
        return np.asarray(self.classes_[labels])

    def _network(self, n_features: int, n_classes: int, generator: Any) -> Any:
        from ._networks import RecurrentNetwork

        return RecurrentNetwork(
            n_features,
            n_classes,
            self.cell,
            self.hidden_size,
            self.frames_per_step,
            self.dropout,
            generator,
        )
