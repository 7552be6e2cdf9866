"""Inspection: pictures of what a model does, reports, and files that other programs open."""

from ._evaluation_display import EvaluationDisplay
from ._evaluation_html import evaluation_html
from ._explain import explain
from ._explanation import Explanation
from ._report import check_report_path, write_report
from ._timeline_display import TimelineDisplay
from ._timeline_files import TIMELINE_FORMATS, timeline_spans, write_timeline

__all__ = [
    "TIMELINE_FORMATS",
    "EvaluationDisplay",
    "Explanation",
    "TimelineDisplay",
    "check_report_path",
    "evaluation_html",
    "explain",
    "timeline_spans",
    "write_report",
    "write_timeline",
]
