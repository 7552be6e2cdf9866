"""What a step's result depends on: class, parameters, code, and packages it computes with."""

from __future__ import annotations

import inspect
import sys
import sysconfig
from collections.abc import Iterator
from functools import cache, partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from types import ModuleType
from typing import Any

import joblib
import numpy as np
from sklearn.frozen import FrozenEstimator

# What decodes and computes: another version may give other numbers.
_PACKAGES = (
    "av", "librosa", "numba", "numpy", "opencv-python-headless", "pandas", "scipy", "soundfile",
    "soxr",
)  # fmt: skip
_PACKAGE = __name__.partition(".")[0]


def step_identity(step: Any) -> str:
    """Hash what a step's result depends on.

    Parameters
    ----------
    step : transformer
        A stage that needs no fit, or a frozen one.

    Returns
    -------
    identity : str

    Raises
    ------
    ValueError
        If the code of the step, or of a function among its parameters, cannot be read.
    """
    if isinstance(step, FrozenEstimator):  # what it has learnt counts as well
        frozen = step.estimator
        parameters = frozen.get_params(deep=False)
        learnt = {name: value for name, value in vars(frozen).items() if name not in parameters}
        return str(joblib.hash((step_identity(frozen), learnt)))
    parameters = {name: _described(value) for name, value in step.get_params(deep=False).items()}
    # A stage may depend on files besides, such as a network's.
    more = step.cache_identity() if hasattr(step, "cache_identity") else None
    return str(joblib.hash((_definition(type(step)), parameters, more, _versions())))


def _described(value: Any) -> Any:
    """Replace functions and steps by their code, and leave values as they are."""
    if isinstance(value, dict):
        return {key: _described(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [type(value).__name__, *(_described(item) for item in value)]
    if isinstance(value, partial):
        return [
            "partial",
            _described(value.func),
            _described(value.args),
            _described(value.keywords),
        ]
    if isinstance(value, np.ufunc):
        return ["ufunc", value.__name__]  # NumPy's and SciPy's versions are part of the key
    if callable(value) and not hasattr(value, "get_params"):
        return _definition(value)
    return step_identity(value) if hasattr(value, "get_params") else value


def _definition(definition: Any) -> list[Any]:
    """Return what identifies a class or function."""
    if not (inspect.isclass(definition) or inspect.isroutine(definition)):
        raise _unreadable(definition)
    described: list[Any] = [definition.__module__, definition.__qualname__]
    if inspect.isclass(definition):
        bases = [base for base in definition.__mro__ if base.__module__ != "builtins"]
        return [*described, [_code(base) for base in bases]]
    described.append(_code(definition))
    if not inspect.isfunction(definition):
        return [*described, _described(getattr(definition, "__self__", None))]
    # Functions of one name may stand in one file, and one function may enclose several values.
    values = list(inspect.getclosurevars(definition).nonlocals.values())
    values += [*(definition.__defaults__ or ()), *(definition.__kwdefaults__ or {}).values()]
    described.append(list(definition.__code__.co_positions()))
    return [*described, [_described(value) for value in values if value is not definition]]


@cache
def _code(definition: Any) -> str:
    """Hash the source of a class or function, and of the user's modules that it uses."""
    try:
        source = Path(_file(definition)).read_bytes()
    except (OSError, TypeError) as error:
        raise _unreadable(definition) from error
    if _is_library(_file(definition)):
        # Of a library the version would do, but not every one has a version.
        return str(joblib.hash((source, definition.__qualname__)))
    module = sys.modules.get(definition.__module__)
    sources = sorted(_sources(module).items()) if module is not None else []
    return str(joblib.hash((source, definition.__qualname__, sources)))


def _sources(module: ModuleType) -> dict[str, bytes]:
    """Return the source of a module and of every module it uses, except libraries.

    So a change in one stage's code invalidates only that stage's entries.
    """
    found: dict[str, bytes] = {}
    todo = [module]
    while todo:
        at = todo.pop()
        file = getattr(at, "__file__", None)
        if at.__name__ in found or file is None or _is_library(file):
            continue
        found[at.__name__] = Path(file).read_bytes()
        todo.extend(_used(at))
    return found


def _used(module: ModuleType) -> Iterator[ModuleType]:
    """Return the modules whose functions, classes and values a module has in its own names."""
    for value in list(vars(module).values()):
        if isinstance(value, ModuleType):
            # Of a package, what it holds would be all of its modules: names say which are used.
            if not hasattr(value, "__path__"):
                yield value
            continue
        home = sys.modules.get(getattr(value, "__module__", None) or "")
        if home is not None and home is not module:
            yield home


@cache
def _is_library(file: str) -> bool:
    """Whether a file belongs to Python or to an installed package other than this one."""
    path = Path(file).resolve()
    if path.is_relative_to(Path(__file__).resolve().parents[1]):
        return False
    roots = {sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")}
    return any(path.is_relative_to(Path(root).resolve()) for root in roots if root)


def _file(definition: Any) -> str:
    # To a worker, "__main__" is another file; methods still know where they were written.
    if inspect.isclass(definition) and definition.__module__ == "__main__":
        for method in vars(definition).values():
            if inspect.isfunction(method):
                return inspect.getfile(inspect.unwrap(method))
    return inspect.getfile(definition)


def _unreadable(definition: Any) -> ValueError:
    return ValueError(
        f"The code of {definition!r} cannot be read, so a change would go unnoticed: define "
        "it in a module, or run without memory."
    )


@cache
def _versions() -> list[str]:
    versions = []
    for name in _PACKAGES:
        try:
            versions.append(f"{name} {version(name)}")
        except PackageNotFoundError:  # such as OpenCV under another distribution's name
            versions.append(f"{name} unknown")
    return versions
