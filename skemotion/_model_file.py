"""Saving fitted models, and loading them without running code that they bring along."""

from __future__ import annotations

import os
import platform
import tempfile
import warnings
import zipfile
from importlib.metadata import version
from pathlib import Path
from typing import Any

import skops.io
from sklearn.base import BaseEstimator

_PACKAGES = ("skemotion", "scikit-learn", "numpy", "scipy", "librosa", "av")


def save_model(model: BaseEstimator, path: str | os.PathLike[str], **about: Any) -> Path:
    """Write a fitted model to a file, whole or not at all.

    Parameters
    ----------
    model : estimator
        Fitted.
    path : path-like
        Where to; its folder must exist.
    **about : Any
        Numbers, strings and lists to keep beside the model, such as what it was trained on.

    Returns
    -------
    path : Path
    """
    path = Path(path)
    if not path.parent.is_dir():
        raise FileNotFoundError(f"{path.parent}: no such folder to save the model in. Create it.")
    content = {"model": model, "versions": _versions(), "about": about}
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=f".{path.name}.") as folder:
        part = Path(folder) / path.name
        skops.io.dump(content, part)
        part.replace(path)
    return path


def load_model(path: str | os.PathLike[str]) -> tuple[BaseEstimator, dict[str, Any]]:
    """Read a model that `save_model` wrote.

    Parameters
    ----------
    path : path-like
        The file.

    Returns
    -------
    model : estimator
        Fitted.
    about : dict
        What was kept beside it.

    Raises
    ------
    FileNotFoundError, ValueError
        If there is no such file, or it is no model, or it holds types from outside scikit-learn
        and skemotion.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such model file. Train one with `skemotion train`.")
    try:
        named = skops.io.get_untrusted_types(file=path)
        # skops trusts scikit-learn's public estimators by itself, but not the private types that
        # some of them hold, such as the state of an optimiser.
        foreign = [name for name in named if name.split(".")[0] not in ("skemotion", "sklearn")]
        if foreign:
            raise ValueError(
                f"{path}: the model holds types that are not trusted ({', '.join(foreign)}); it is "
                "not loaded. Load it with skops.io if you know where it comes from."
            )
        content = skops.io.load(path, trusted=named)
    except (zipfile.BadZipFile, KeyError) as error:
        raise ValueError(
            f"{path}: expected a model saved by skemotion, found something else or a damaged file "
            f"({type(error).__name__}: {error})."
        ) from error
    _warn_of_other_versions(path, content["versions"])
    return content["model"], content["about"]


def _versions() -> dict[str, str]:
    return {"python": platform.python_version(), **{name: version(name) for name in _PACKAGES}}


def _warn_of_other_versions(path: Path, saved: dict[str, str]) -> None:
    here = _versions()
    other = [
        f"{name} {saved[name]} (here {here[name]})"
        for name in _PACKAGES
        if saved[name] != here[name]
    ]
    if other:
        warnings.warn(
            f"{path} was saved with {', '.join(other)}: its predictions may differ.",
            UserWarning,
            stacklevel=3,
        )
