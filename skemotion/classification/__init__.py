"""Classification: what turns a clip's descriptors into an emotion."""

from ._frame_voting import FrameVotingClassifier
from ._mfcc_cnn import MFCCCNNClassifier
from ._mfcc_rnn import MFCCRNNClassifier

__all__ = ["FrameVotingClassifier", "MFCCCNNClassifier", "MFCCRNNClassifier"]
