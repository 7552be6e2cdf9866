"""Emotion recognition in video and audio clips, as scikit-learn estimators."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .io import MediaError, limits
    from .persistence import load_model, read_model_info, save_model

__all__ = ["MediaError", "limits", "load_model", "read_model_info", "save_model"]
__version__ = "0.1.0.dev0"

_HOMES = {
    "MediaError": "io",
    "limits": "io",
    "load_model": "persistence",
    "read_model_info": "persistence",
    "save_model": "persistence",
}
_PACKAGES = (
    "audio",
    "base",
    "classification",
    "cli",
    "datasets",
    "decomposition",
    "inspection",
    "io",
    "model_selection",
    "persistence",
    "pipeline",
    "preprocessing",
    "video",
)


def __getattr__(name: str) -> Any:
    # Decoders and scikit-learn take seconds to import: only when they are asked for.
    if name in _HOMES:
        return getattr(import_module(f".{_HOMES[name]}", __name__), name)
    if name in _PACKAGES:
        return import_module(f".{name}", __name__)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOMES, *_PACKAGES])
