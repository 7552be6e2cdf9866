"""Saving fitted models, and loading them without running code that they bring along."""

from __future__ import annotations

import os
import platform
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

import skops.io
from sklearn.base import BaseEstimator

from . import __version__
from .audio import AudioAugmenter, AudioFeatures, AudioLoader
from .decomposition import BSplineProjector, PartialTucker
from .pipeline import ClipPipeline
from .video import HOG3D, VideoLoader

_PACKAGES = ("scikit-learn", "numpy", "scipy", "librosa", "av")

# skops trusts scikit-learn's public estimators by itself. Beside them these alone are trusted, by
# name and not by package: a file may have anything that it names called, and both packages hold
# functions that write or delete files.
_STAGES = (
    VideoLoader,
    HOG3D,
    AudioLoader,
    AudioAugmenter,
    AudioFeatures,
    BSplineProjector,
    PartialTucker,
    ClipPipeline,
)
_TRUSTED = [
    *(f"{stage.__module__}.{stage.__qualname__}" for stage in _STAGES),
    # What a fitted MLPClassifier holds.
    "sklearn.neural_network._stochastic_optimizers.AdamOptimizer",
    "sklearn.neural_network._stochastic_optimizers.SGDOptimizer",
]


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
        If there is no such file, or it is no model, or it holds anything but scikit-learn's
        estimators and skemotion's stages.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such model file. Train one with `skemotion train`.")
    with _damage_named(path):
        foreign = sorted(set(skops.io.get_untrusted_types(file=path)) - set(_TRUSTED))
    if foreign:
        raise ValueError(
            f"{path}: the model holds types that are not trusted ({', '.join(foreign)}); it is "
            "not loaded. Load it with skops.io if you know where it comes from."
        )
    with _damage_named(path):
        content = skops.io.load(path, trusted=_TRUSTED)
        model, about, saved = content["model"], content["about"], content["versions"]
        if not isinstance(model, BaseEstimator):
            raise TypeError(f"a {type(model).__name__}")
    _warn_of_other_versions(path, saved)
    return model, about


@contextmanager
def _damage_named(path: Path) -> Iterator[None]:
    """Say which file it was, whatever the reader stumbles over in it."""
    try:
        yield
    except OSError:
        raise  # names the file already
    except Exception as error:
        raise ValueError(
            f"{path}: expected a model saved by skemotion, found something else or a damaged file "
            f"({type(error).__name__}: {error})."
        ) from error


def _versions() -> dict[str, str]:
    # skemotion's own number does not hang on its being installed: a checkout runs as well.
    return {
        "python": platform.python_version(),
        "skemotion": __version__,
        **{name: version(name) for name in _PACKAGES},
    }


def _warn_of_other_versions(path: Path, saved: dict[str, str]) -> None:
    here = _versions()
    other = [
        f"{name} {saved.get(name, 'unknown')} (here {here[name]})"
        for name in ("skemotion", *_PACKAGES)
        if saved.get(name) != here[name]
    ]
    if other:
        warnings.warn(
            f"{path} was saved with {', '.join(other)}: its predictions may differ.",
            UserWarning,
            stacklevel=3,
        )
