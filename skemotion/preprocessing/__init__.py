"""Preprocessing: what is done to rows of numbers before a classifier sees them."""

from ._fisher_weighting import FisherWeighting
from ._speaker_scaler import SpeakerScaler, enroll_speakers, uses_speaker_clips

__all__ = ["FisherWeighting", "SpeakerScaler", "enroll_speakers", "uses_speaker_clips"]
