"""Classification: what turns a clip's descriptors into an emotion."""

from ._frame_voting import FrameVotingClassifier
from ._fusion import FusionClassifier
from ._mfcc_cnn import MFCCCNNClassifier
from ._mfcc_rnn import MFCCRNNClassifier

__all__ = [
    "FrameVotingClassifier",
    "FusionClassifier",
    "MFCCCNNClassifier",
    "MFCCRNNClassifier",
]
