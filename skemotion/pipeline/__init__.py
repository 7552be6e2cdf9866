"""Pipelines: from raw clips to emotion."""

from ._cache import ClipCache
from ._clips import ClipPipeline, UnusableClipWarning
from ._recipes import make_emotion_pipeline
from ._stages import join_clip_stages, run_clip_stages

__all__ = [
    "ClipCache",
    "ClipPipeline",
    "UnusableClipWarning",
    "join_clip_stages",
    "make_emotion_pipeline",
    "run_clip_stages",
]
