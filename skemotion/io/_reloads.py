"""Whether the user's own modules are still those that this process imported before."""

from __future__ import annotations

import sys
import sysconfig
from functools import cache
from typing import Any


class ImportedModules:
    """The user's own modules that this process has imported, such as those of stages.

    A reload, as by ``importlib.reload`` or IPython's ``%autoreload``, gives a module a new
    ``__spec__``. What has changed in its file only does not count: this process goes on with what
    it has read, too.
    """

    def __init__(self) -> None:
        self._specs: dict[str, Any] = {}
        self._seen: set[str] = set()
        self._latest: tuple[int, str] = 0, ""
        self._look_at_new_ones()

    def have_changed(self) -> bool:
        """Return whether any has been reloaded since it was first seen."""
        for name, spec in self._specs.items():
            now = _spec(sys.modules.get(name))
            if now is not spec and now is not None:
                return True
        self._look_at_new_ones()
        return False

    def _look_at_new_ones(self) -> None:
        latest = len(sys.modules), next(reversed(sys.modules))
        if latest == self._latest:  # there are thousands, and calls are short
            return
        self._latest = latest
        for name, module in sys.modules.copy().items():
            if name not in self._seen:
                self._seen.add(name)
                spec = _spec(module)
                if not _is_of_a_library(getattr(spec, "origin", None)):
                    self._specs[name] = spec


def _spec(module: Any) -> Any:
    # Not by `getattr`, at which some modules import others.
    return getattr(module, "__dict__", {}).get("__spec__")


@cache
def _folders() -> tuple[str, ...]:
    names = ("stdlib", "platstdlib", "purelib", "platlib")
    return tuple({f"{sysconfig.get_path(name)}/" for name in names})


def _is_of_a_library(file: str | None) -> bool:
    """Return whether a file, or something without one, is none of the user's."""
    return file is None or file in ("built-in", "frozen") or file.startswith(_folders())
