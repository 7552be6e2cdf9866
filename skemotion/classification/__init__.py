"""Classification: what turns a clip's descriptors into an emotion."""

from ._frame_voting import FrameVotingClassifier
from ._trajectory_cnn import TrajectoryCNNClassifier
from ._trajectory_rnn import TrajectoryRNNClassifier

__all__ = ["FrameVotingClassifier", "TrajectoryCNNClassifier", "TrajectoryRNNClassifier"]
