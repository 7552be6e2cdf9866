"""Model files: saving, loading and reading what a model is."""

from ._model_file import check_model_path, load_model, read_model_info, save_model

__all__ = ["check_model_path", "load_model", "read_model_info", "save_model"]
