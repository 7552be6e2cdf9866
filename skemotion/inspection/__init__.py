"""Inspection: pictures of what a model does, reports, and files that other programs open."""

from ._evaluation_display import EvaluationDisplay
from ._evaluation_html import evaluation_html
from ._explain import explain
from ._explanation import Explanation
from ._explanation_display import ExplanationDisplay
from ._explanation_files import EXPLANATION_FORMATS, write_explanation
from ._hog3d_display import HOG3DDisplay
from ._report import check_report_path, write_report
from ._spline_display import SplineDisplay
from ._timeline_display import TimelineDisplay
from ._timeline_files import TIMELINE_FORMATS, timeline_spans, write_timeline
from ._tucker_display import TuckerDisplay

__all__ = [
    "EXPLANATION_FORMATS",
    "TIMELINE_FORMATS",
    "EvaluationDisplay",
    "Explanation",
    "ExplanationDisplay",
    "HOG3DDisplay",
    "SplineDisplay",
    "TimelineDisplay",
    "TuckerDisplay",
    "check_report_path",
    "evaluation_html",
    "explain",
    "timeline_spans",
    "write_explanation",
    "write_report",
    "write_timeline",
]
