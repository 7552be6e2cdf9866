"""Emotion recognition in video and audio clips, as scikit-learn estimators."""

from ._media import MediaError

__all__ = ["MediaError"]
__version__ = "0.1.0.dev0"
