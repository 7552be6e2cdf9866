"""Audio: loading waveforms, making variants of them and describing them."""

from ._augmenter import AudioAugmenter, augment
from ._features import AudioFeatures, audio_features
from ._functionals import SpeechFunctionals
from ._loader import AudioLoader
from ._onnx_backbone import ONNXAudioBackbone
from ._opensmile import OpenSMILE
from ._sampler import AudioAugmentationSampler
from ._speech_functionals import functional_names, speech_functionals
from ._speech_trajectories import SpeechTrajectories

__all__ = [
    "AudioAugmentationSampler",
    "AudioAugmenter",
    "AudioFeatures",
    "AudioLoader",
    "ONNXAudioBackbone",
    "OpenSMILE",
    "SpeechFunctionals",
    "SpeechTrajectories",
    "audio_features",
    "augment",
    "functional_names",
    "speech_functionals",
]
