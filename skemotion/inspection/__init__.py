"""Inspection: pictures of what a model does, and files that other programs open."""

from ._evaluation_display import EvaluationDisplay
from ._explain import explain
from ._explanation import Explanation
from ._explanation_display import ExplanationDisplay
from ._timeline_display import TimelineDisplay
from ._timeline_files import TIMELINE_FORMATS, timeline_spans, write_timeline

__all__ = [
    "TIMELINE_FORMATS",
    "EvaluationDisplay",
    "Explanation",
    "ExplanationDisplay",
    "TimelineDisplay",
    "explain",
    "timeline_spans",
    "write_timeline",
]
