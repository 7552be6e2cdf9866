"""Emotion recognition in video and audio clips, as scikit-learn estimators."""

from typing import TYPE_CHECKING, Any

from ._limits import limits
from ._media import MediaError

if TYPE_CHECKING:
    from ._model_file import load_model, read_about, save_model

__all__ = ["MediaError", "limits", "load_model", "read_about", "save_model"]
__version__ = "0.1.0.dev0"


def __getattr__(name: str) -> Any:
    # Models bring in every stage, and seconds of imports with them: only when asked for.
    if name in ("load_model", "read_about", "save_model"):
        from . import _model_file

        return getattr(_model_file, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
