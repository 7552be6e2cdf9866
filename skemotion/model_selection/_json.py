"""An evaluation as JSON."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import sklearn

from .. import __version__
from ._figures import FIGURES

if TYPE_CHECKING:
    from ._evaluation import Evaluation


def lay_out_json(result: Evaluation) -> str:
    """Write all figures as a JSON object; NaN is null.

    Parameters
    ----------
    result : Evaluation

    Returns
    -------
    text : str
    """
    figures = {}
    for name in FIGURES:
        figures[name] = getattr(result, name)
        figures[f"{name}_interval"] = list(getattr(result, f"{name}_interval"))
    content = {
        "protocol": result.protocol,
        "splitter": result.splitter,
        "uses_speaker_clips": result.uses_speaker_clips,
        "n_clips": result.n_clips,
        "n_speakers": result.n_groups,
        "n_splits": result.n_splits,
        "n_predictions": len(result.target),
        **figures,
        "calibration_error": result.calibration_error,
        "scores": {name: values.tolist() for name, values in result.scores.items()},
        "labels": result.labels,
        "confusion_matrix": result.confusion_matrix.tolist(),
        "leaks": [
            {"kind": leak.kind, "is_note": leak.is_note, "message": leak.message}
            for leak in result.leaks
        ],
        "not_audited": result.not_audited,
        "unusable": [error._asdict() for error in result.unusable],
        "seconds": None if result.seconds is None else result.seconds.to_dict("list"),
        "versions": {"skemotion": __version__, "scikit-learn": sklearn.__version__},
    }
    for name, known in (("fold", result.folds), ("speaker", result.groups)):
        if known is not None:
            table = getattr(result, f"per_{name}").rename_axis(name).reset_index()
            content[f"per_{name}"] = table.to_dict("records")
    return json.dumps(_plain(content), indent=2, ensure_ascii=False, allow_nan=False)


def _plain(value: Any) -> Any:
    """Convert values to numbers, texts, lists and dicts, for JSON."""
    if isinstance(value, dict):
        return {str(name): _plain(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not np.isfinite(value):
        return None
    return value if value is None or isinstance(value, bool | int | float | str) else str(value)
