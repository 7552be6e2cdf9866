"""Classification: clips by the votes of their frames, trajectories by networks, and fusion."""

from ._balanced_lda import BalancedLDA
from ._frame_voting import FrameVotingClassifier
from ._fusion import FusionClassifier
from ._temperature import product_of_experts
from ._trajectory_cnn import TrajectoryCNNClassifier
from ._trajectory_rnn import TrajectoryRNNClassifier

__all__ = [
    "BalancedLDA",
    "FrameVotingClassifier",
    "FusionClassifier",
    "TrajectoryCNNClassifier",
    "TrajectoryRNNClassifier",
    "product_of_experts",
]
