"""Model files: saving, loading and reading what a model is."""

from ._model_file import load_model, read_model_info, save_model

__all__ = ["load_model", "read_model_info", "save_model"]
