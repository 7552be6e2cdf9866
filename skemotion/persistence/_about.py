"""The description of a model in its file, for people and other programs."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator

from ..base import package_versions
from ..preprocessing import uses_speaker_clips

# What another version of a package may change in a loaded model's answers.
_DIFFERENCES = {
    "skemotion": "descriptors may differ, or a stage lack a parameter that is new",
    "scikit-learn": "the classifier may decide differently or fail",
    "numpy": "last digits may differ",
    "scipy": "last digits may differ",
    "av": "decoded pictures and sound may differ",
    "opencv-python-headless": "shrunk pictures and spectra may differ",
    "librosa": "sound features may differ",
    "soxr": "resampled sound may differ",
}


def describe(model: BaseEstimator, training: dict[str, Any]) -> dict[str, Any]:
    """Describe a model and its training data as JSON values."""
    return {
        "saved": datetime.now(UTC).isoformat(timespec="seconds"),
        "versions": package_versions(),
        "classes": _plain(getattr(model, "classes_", None)),
        "parameters": _plain(model.get_params()),
        "uses_speaker_clips": uses_speaker_clips(model),
        "training": _plain(training),
    }


def _plain(value: Any) -> Any:
    """Convert a value to JSON values."""
    if isinstance(value, np.ndarray | np.generic):
        value = value.tolist()
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(item) for item in value]
    if isinstance(value, BaseEstimator):
        return type(value).__name__
    if hasattr(value, "__qualname__"):
        return f"{value.__module__}.{value.__qualname__}"
    return str(value)


def other_versions(saved: dict[str, Any]) -> list[str]:
    """List the packages that have another version here, and what that may change."""
    here = package_versions()
    return [
        f"{name} {_short(saved.get(name, 'unknown'))} (here {here.get(name, 'none')}): {difference}"
        for name, difference in _DIFFERENCES.items()
        if saved.get(name) != here.get(name)
    ]


def _short(version: str) -> str:
    """Show what a file says as text of one line, whatever it says."""
    return version if version.isprintable() and len(version) < 40 else repr(version[:40])
