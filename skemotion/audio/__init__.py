"""Audio: loading waveforms, making variants of them and describing them."""

from ._augmenter import AudioAugmenter, augment
from ._features import AudioFeatures, audio_features
from ._loader import AudioLoader
from ._sampler import AudioAugmentationSampler

__all__ = [
    "AudioAugmentationSampler",
    "AudioAugmenter",
    "AudioFeatures",
    "AudioLoader",
    "audio_features",
    "augment",
]
