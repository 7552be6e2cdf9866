"""Saving fitted models, and loading them without running code that they bring along."""

from __future__ import annotations

import json
import math
import os
import platform
import tempfile
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import joblib
import numpy as np
from sklearn.base import BaseEstimator
from sklearn.exceptions import InconsistentVersionWarning
from sklearn.model_selection import (
    GroupKFold,
    KFold,
    LeaveOneGroupOut,
    StratifiedGroupKFold,
    StratifiedKFold,
)
from sklearn.utils.validation import check_is_fitted

from .. import __version__
from ..audio import (
    AudioAugmenter,
    AudioFeatures,
    AudioLoader,
    ONNXAudioBackbone,
    OpenSMILE,
    SpeechFunctionals,
)
from ..classification import FrameVotingClassifier, TrajectoryCNNClassifier, TrajectoryRNNClassifier
from ..decomposition import BSplineProjector, PartialTucker, TrajectoryStatistics
from ..model_selection import WithinGroupShuffleSplit
from ..pipeline import ClipPipeline
from ..pipeline._running import ClipError
from ..video import HOG3D, FaceCrop, FrameHOG, ONNXBackbone, VideoLoader
from ._model_archive import (
    ABOUT,
    GIVE_A_MODEL,
    damage_named,
    existing,
    read_description,
    refusal,
)

# What another version of a package may change in a loaded model's answers.
_DIFFERENCES = {
    "skemotion": "descriptors may differ, or a stage lack a parameter that is new",
    "scikit-learn": "the classifier may decide otherwise or fail",
    "numpy": "last digits may differ",
    "scipy": "last digits may differ",
    "av": "decoded pictures and sound may differ",
    "opencv-python-headless": "shrunk pictures and spectra may differ",
    "librosa": "sound features may differ",
    "soxr": "resampled sound may differ",
}
# Noted as well, where they are installed.
_FURTHER = ("numba", "onnxruntime", "opensmile", "scikit-image", "skops", "torch")

# skops trusts scikit-learn's public estimators by itself. Beside them these alone are trusted, by
# name and not by package: a file may have anything that it names called, and both packages hold
# functions that write or delete files.
_STAGES = (
    VideoLoader,
    HOG3D,
    FrameHOG,
    FaceCrop,
    ONNXBackbone,
    AudioLoader,
    AudioAugmenter,
    AudioFeatures,
    SpeechFunctionals,
    ONNXAudioBackbone,
    OpenSMILE,
    BSplineProjector,
    TrajectoryStatistics,
    PartialTucker,
    ClipPipeline,
    FrameVotingClassifier,
    TrajectoryCNNClassifier,
    TrajectoryRNNClassifier,
)
# What searches hold beside estimators.
_SPLITTERS = (GroupKFold, KFold, LeaveOneGroupOut, StratifiedGroupKFold, StratifiedKFold,
              WithinGroupShuffleSplit)  # fmt: skip
_TRUSTED = [
    *(f"{known.__module__}.{known.__qualname__}" for known in (*_STAGES, *_SPLITTERS)),
    f"{ClipError.__module__}.ClipError",
    "sklearn.utils._bunch.Bunch",
    "sklearn.metrics._scorer._PassthroughScorer",
    "sklearn.calibration._CalibratedClassifier",
    "sklearn.calibration._SigmoidCalibration",
    # What a fitted MLPClassifier holds.
    "sklearn.neural_network._stochastic_optimizers.AdamOptimizer",
    "sklearn.neural_network._stochastic_optimizers.SGDOptimizer",
]


def save_model(model: BaseEstimator, path: str | os.PathLike[str], **training: Any) -> Path:
    """Write a fitted model to a file, whole or not at all.

    The file is an archive in the format of skops: no pickle, and nothing in it runs by itself.
    Beside the model it holds ``about.json``, see `read_model_info`.

    Parameters
    ----------
    model : estimator
        Fitted. Functions and classes of your own in it must stand at the top level of a module;
        whoever loads the model needs that module, and has to trust them by name.
    path : path-like
        Where to; its folder must exist.
    **training : Any
        What to say of the data it was trained on: numbers, strings, and lists and dicts of them.

    Returns
    -------
    path : Path

    Raises
    ------
    TypeError
        If it is no estimator.
    ValueError
        If it is not fitted, or holds something that could not be loaded again.
    FileNotFoundError
        If there is no such folder.

    Notes
    -----
    The folder of a cache (`memory`) stays behind: it belongs to this machine.

    Examples
    --------
    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> from sklearn.linear_model import LogisticRegression
    >>> from skemotion import load_model, read_model_info, save_model
    >>> model = LogisticRegression().fit([[0.0], [1.0]], ["calm", "angry"])
    >>> with TemporaryDirectory() as folder:
    ...     path = save_model(model, Path(folder, "model.skops"), corpus="two numbers", n_clips=2)
    ...     about, loaded = read_model_info(path), load_model(path)
    >>> loaded.predict([[0.9]])
    array(['angry'], dtype='<U5')
    >>> about["training"], about["classes"], about["parameters"]["C"]
    ({'corpus': 'two numbers', 'n_clips': 2}, ['angry', 'calm'], 1.0)
    """
    path = Path(path)
    if not isinstance(model, BaseEstimator):
        raise TypeError(f"Expected an estimator to save, got {type(model).__name__}.")
    check_is_fitted(model)
    if not path.parent.is_dir():
        raise FileNotFoundError(f"{path.parent}: no such folder to save the model in. Create it.")
    with (
        tempfile.TemporaryDirectory(dir=path.parent, prefix=f".{path.name}.") as folder,
        _without_caches(model),
    ):
        part = Path(folder) / path.name
        _dump(model, part, path)
        with ZipFile(part, "a") as archive:
            archive.writestr(ABOUT, json.dumps(_describe(model, training), indent=2))
        part.replace(path)
    return path


def load_model(
    path: str | os.PathLike[str],
    *,
    trusted: Sequence[str] = (),
    memory: str | os.PathLike[str] | None = None,
) -> BaseEstimator:
    """Read a model that `save_model` wrote, unless it holds anything that is not trusted.

    scikit-learn's public estimators and skemotion's stages are trusted. Whatever else a file
    names is refused, by name, before any of it is imported.

    Parameters
    ----------
    path : path-like
        The file.
    trusted : sequence of str, default=()
        Further classes and functions to trust, such as ``["my_stages.Loudness"]``. A file may
        have them called with arguments of its choosing: trust what you know, not what an error
        message lists.
    memory : path-like, default=None
        Folder in which each `ClipPipeline` of the model keeps results. Folders that the file
        names are never used.

    Returns
    -------
    model : estimator
        Fitted; it predicts what the saved one did, to the bit, with the same versions of the
        packages on the same kind of processor.

    Raises
    ------
    FileNotFoundError, IsADirectoryError
        If there is no such file.
    ValueError
        If it is damaged or no model, or holds what is not trusted.

    Warns
    -----
    UserWarning
        If it was saved with other versions of the packages that decode and compute.

    See Also
    --------
    save_model : Writes such files; has an example.
    read_model_info : Tells what a file holds without loading it.
    """
    import skops.io  # brings in every optional package that scikit-learn knows of

    path = existing(path)
    if isinstance(trusted, str):
        raise TypeError(f"trusted must be a list of names, got {trusted!r}: write [{trusted!r}].")
    known = [*_TRUSTED, *trusted]
    with path.open("rb") as file:
        about = read_description(path, file)
        with damage_named(path):
            foreign = sorted(set(skops.io.get_untrusted_types(file=file)) - set(known))
        if foreign:
            raise ValueError(
                f"{path}: the model holds what is not trusted, and is not loaded: {foreign}. If "
                "you know what each of these does, and who made the file: "
                f"load_model(..., trusted={[*trusted, *foreign]})."
            )
        other = _other_versions(about["versions"])
        with damage_named(path, other), warnings.catch_warnings():
            # One warning for the whole model follows, in place of one per estimator.
            warnings.simplefilter("ignore", InconsistentVersionWarning)
            model = skops.io.load(file, trusted=known)
    if not isinstance(model, BaseEstimator):
        raise refusal(path, f"a {type(model).__name__}", GIVE_A_MODEL)
    for estimator in _estimators(model):
        if _has_cache(estimator):
            estimator.memory = None
        if isinstance(estimator, ClipPipeline):
            estimator.memory = memory
    if other:
        warnings.warn(
            f"{path} was saved with other versions: {'; '.join(other)}. Train it anew, or install "
            "these versions if it must answer as before.",
            UserWarning,
            stacklevel=2,
        )
    return model


def read_model_info(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Tell what a saved model is, without loading it.

    Any program can read the same: it is ``about.json`` in the archive.

    Parameters
    ----------
    path : path-like
        The file.

    Returns
    -------
    about : dict
        As its maker wrote it:

        - ``"saved"``: date and time (ISO 8601, UTC).
        - ``"versions"``: of Python and the packages, by name.
        - ``"classes"``: the emotions, in the order of ``predict_proba``; None without classes.
        - ``"parameters"``: as of ``get_params``; functions and estimators by name.
        - ``"training"``: what `save_model` was told of the training data.

    Raises
    ------
    FileNotFoundError, IsADirectoryError
        If there is no such file.
    ValueError
        If it is damaged or no model.

    See Also
    --------
    save_model : Has an example.
    """
    path = existing(path)
    with path.open("rb") as file:
        return read_description(path, file)


def _dump(model: BaseEstimator, part: Path, path: Path) -> None:
    """Write the model, and make sure that it can be loaded: later is too late."""
    import skops.io

    try:
        skops.io.dump(model, part)
        foreign = skops.io.get_untrusted_types(file=part)
        lost = [name for name in foreign if name.startswith("__main__.")]
        if lost:
            raise AttributeError(f"{', '.join(lost)} is known to this program only")
        skops.io.load(part, trusted=foreign)
    except (OSError, MemoryError):
        raise
    except Exception as error:
        raise ValueError(
            f"{path}: this {type(model).__name__} cannot be saved so that it loads again "
            f"({error}). Functions and classes of your own must stand at the top level of a "
            "module that can be imported: no lambda, no function within a function, nothing of "
            "a script or notebook itself."
        ) from error


def _describe(model: BaseEstimator, training: dict[str, Any]) -> dict[str, Any]:
    return {
        "saved": datetime.now(UTC).isoformat(timespec="seconds"),
        "versions": _versions(),
        "classes": _plain(getattr(model, "classes_", None)),
        "parameters": _plain(model.get_params()),
        "training": _plain(training),
    }


def _plain(value: Any) -> Any:
    """Put a value into the words of JSON."""
    if isinstance(value, np.ndarray | np.generic):
        value = value.tolist()
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(item) for item in value]
    if isinstance(value, BaseEstimator):
        return type(value).__name__
    if hasattr(value, "__qualname__"):
        return f"{value.__module__}.{value.__qualname__}"
    return str(value)


@contextmanager
def _without_caches(model: BaseEstimator) -> Iterator[None]:
    """Take the folders of caches out of a model for a while."""
    folders = [(found, found.memory) for found in _estimators(model) if _has_cache(found)]
    try:
        for estimator, _ in folders:
            estimator.memory = None
        yield
    finally:
        for estimator, folder in folders:
            estimator.memory = folder


def _has_cache(estimator: Any) -> bool:
    folder = getattr(estimator, "memory", None)
    return isinstance(folder, str | os.PathLike | joblib.Memory)


def _estimators(model: BaseEstimator) -> Iterator[Any]:
    """Find every estimator in a model: parameters, their fitted copies, and any other."""
    todo: list[Any] = [model]
    seen: set[int] = set()
    while todo:
        part = todo.pop()
        if id(part) in seen:
            continue
        seen.add(id(part))
        if isinstance(part, BaseEstimator):
            yield part
        if isinstance(part, dict):
            todo.extend(part.values())
        elif isinstance(part, list | tuple | set | frozenset):
            todo.extend(part)
        elif isinstance(part, np.ndarray):
            todo.extend(part.flat if part.dtype == object else ())
        elif hasattr(part, "__dict__") and not isinstance(part, type):
            todo.extend(vars(part).values())


def _versions() -> dict[str, str]:
    # skemotion's own number does not hang on its being installed: a checkout runs as well.
    versions = {"python": platform.python_version(), "skemotion": __version__}
    for name in (*_DIFFERENCES, *_FURTHER):
        with suppress(PackageNotFoundError):
            versions.setdefault(name, version(name))
    return versions


def _other_versions(saved: dict[str, Any]) -> list[str]:
    here = _versions()
    return [
        f"{name} {saved.get(name, 'unknown')} (here {here.get(name, 'none')}): {difference}"
        for name, difference in _DIFFERENCES.items()
        if saved.get(name) != here.get(name)
    ]
