"""skops.io, without what its import brings in by the way."""

from __future__ import annotations

import importlib
import sys
from types import ModuleType

# To list all estimators, skops has scikit-learn import all its packages, wrappers of what deals in
# arrays among them: torch and dask, where installed, take two to three seconds of every process.
_WRAPPERS = [f"sklearn.externals.array_api_compat.{name}" for name in ("torch", "dask", "cupy")]


def import_skops() -> ModuleType:
    """Import skops.io, which is slow and seldom needed.

    Returns
    -------
    io : module
    """
    if "skops.io" in sys.modules:
        return sys.modules["skops.io"]
    hidden = [name for name in _WRAPPERS if name not in sys.modules]
    # What stands there as None cannot be imported, which scikit-learn passes over.
    sys.modules.update(dict.fromkeys(hidden))  # type: ignore[arg-type]
    try:
        return importlib.import_module("skops.io")
    finally:
        for name in hidden:
            sys.modules.pop(name, None)
