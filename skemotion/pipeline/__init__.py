"""Pipelines: from raw clips to emotion."""

from ._cache import ClipCache
from ._clip_pipeline import ClipPipeline, UnusableClipWarning
from ._clip_union import ClipUnion
from ._column_transformer import ClipColumnTransformer
from ._costs import ClipCosts, measure_costs
from ._predicting import predict_clips
from ._prediction_file import ClipPrediction
from ._recipes import make_emotion_pipeline
from ._running import ClipError
from ._temporary_cache import temporary_cache
from ._usable import find_unusable, fit_usable, usable_rows

__all__ = [
    "ClipCache",
    "ClipColumnTransformer",
    "ClipCosts",
    "ClipError",
    "ClipPipeline",
    "ClipPrediction",
    "ClipUnion",
    "UnusableClipWarning",
    "find_unusable",
    "fit_usable",
    "make_emotion_pipeline",
    "measure_costs",
    "predict_clips",
    "temporary_cache",
    "usable_rows",
]
