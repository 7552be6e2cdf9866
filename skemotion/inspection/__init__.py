"""Inspection: pictures of what a model does."""

from ._evaluation_display import EvaluationDisplay

__all__ = ["EvaluationDisplay"]
