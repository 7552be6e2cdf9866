"""Pipelines: from raw clips to emotion."""

from ._cache import ClipCache
from ._clip_pipeline import ClipPipeline, UnusableClipWarning
from ._recipes import make_emotion_pipeline
from ._running import ClipError

__all__ = [
    "ClipCache",
    "ClipError",
    "ClipPipeline",
    "UnusableClipWarning",
    "make_emotion_pipeline",
]
