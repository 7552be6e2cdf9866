"""Saving fitted models, and loading them without running code that they bring along."""

from __future__ import annotations

import json
import os
import tempfile
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from zipfile import ZipFile

from sklearn.base import BaseEstimator
from sklearn.exceptions import InconsistentVersionWarning
from sklearn.utils.validation import check_is_fitted

from ..base import check_target
from ._about import describe, other_versions
from ._checks import check_parts
from ._composition import suit_here, without_caches
from ._contents import check_contents
from ._model_archive import (
    ABOUT,
    GIVE_A_MODEL,
    damage_named,
    existing,
    read_description,
    refusal,
)
from ._names import dump_publicly, known_names
from ._skops import import_skops

# What others read by the name.
_OTHER_FORMATS = (
    ".csv", ".dill", ".h5", ".hdf5", ".html", ".joblib", ".json", ".keras", ".npy", ".npz", ".onnx",
    ".pickle", ".pkl", ".pmml", ".pt", ".pth", ".safetensors", ".tflite", ".txt",
)  # fmt: skip


def save_model(model: BaseEstimator, path: str | os.PathLike[str], **training: Any) -> Path:
    """Write a fitted model to a file, whole or not at all.

    The file is an archive in the format of skops: no pickle, and nothing in it runs by itself.
    It uses the public names of skemotion's classes, such as ``skemotion.video.HOG3D``. Besides the
    model it contains ``about.json``, see `read_model_info`.

    Parameters
    ----------
    model : estimator
        Fitted. Functions and classes of your own in it must be defined at the top level of a
        module; whoever loads the model needs that module, and has to trust them by name.
    path : path-like
        The file to write, such as ``model.skops``; its folder must exist.
    **training : Any
        Description of the training data: numbers, strings, and lists and dicts of them.

    Returns
    -------
    path : Path

    Raises
    ------
    TypeError
        If it is not an estimator.
    ValueError
        If it is not fitted, or contains something that could not be loaded again; or the name ends
        like that of another format, such as ``.pkl``.
    IsADirectoryError, FileNotFoundError, NotADirectoryError, PermissionError
        If `path` is a folder, or its folder does not exist, is none, or takes no files.

    See Also
    --------
    check_model_path : Checks where to, before the work.

    Notes
    -----
    The folder of a cache (`memory`) is not saved.

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
    check_model_path(path)
    with (
        tempfile.TemporaryDirectory(dir=path.parent, prefix=f".{path.name}.") as folder,
        without_caches(model),
    ):
        part = Path(folder) / path.name
        _dump(model, part, path)
        with ZipFile(part, "a") as archive:
            archive.writestr(ABOUT, json.dumps(describe(model, training), indent=2))
        part.replace(path)
    return path


def check_model_path(path: str | os.PathLike[str]) -> Path:
    """Check that a model can be saved, before the work of fitting it.

    Parameters
    ----------
    path : path-like
        As for `save_model`, with the same errors.

    Returns
    -------
    path : Path

    Examples
    --------
    >>> from skemotion.persistence import check_model_path
    >>> check_model_path("m.pkl")
    Traceback (most recent call last):
        ...
    ValueError: m.pkl: a model is saved as an archive of skops, not as .pkl: name it m.skops.
    """
    path = Path(path)
    suffix = path.suffix.lower()
    if suffix in _OTHER_FORMATS:
        raise ValueError(
            f"{path}: a model is saved as an archive of skops, not as {suffix}: name it "
            f"{path.stem}.skops."
        )
    return check_target(path, "model")


def load_model(
    path: str | os.PathLike[str],
    *,
    trusted: Sequence[str] = (),
    memory: str | os.PathLike[str] | None = None,
    n_jobs: int | None = None,
) -> BaseEstimator:
    """Read a model that `save_model` wrote, unless it holds anything that is not trusted.

    Trusted are the public estimators and splitters of skemotion, and those of scikit-learn that
    predict by checked NumPy operations alone: linear models, discriminant analysis, naive Bayes,
    the multi-layer perceptron, scalers, PCA, selections, searches and committees. Not trusted is
    what compiled code follows unchecked: nodes of trees, sparse matrices, `SVC`, boosting, nearest
    neighbours, clusters. Models with these load if `trusted` contains the names listed by the
    error. Anything else in a file, such as functions, is refused by name, too, before any of it is
    imported.

    Parameters
    ----------
    path : path-like
        The file.
    trusted : sequence of str, default=()
        Further classes and functions to trust, such as ``["my_stages.Loudness"]``. They are called
        with arguments from the file, which may crash the process: trust what you know, not what an
        error message lists.
    memory : path-like, default=None
        Folder in which each `ClipPipeline` of the model keeps results. Folders named in the file
        are never used.
    n_jobs : int, default=None
        Clips that each `ClipPipeline` of the model processes at once; None means 1 unless in a
        `joblib.parallel_config` context, -1 means one per core. What the file says of workers is
        never used: `n_jobs` of all other estimators is None.

    Returns
    -------
    model : estimator
        Fitted. Its predictions equal those of the saved one to the bit, with the same versions of
        the packages on the same kind of processor.

    Raises
    ------
    FileNotFoundError, IsADirectoryError
        If there is no such file.
    ValueError
        If it is damaged or not a model, or contains anything that is not trusted.

    Warns
    -----
    UserWarning
        If it was saved with other versions of the packages that decode and compute.

    See Also
    --------
    save_model : Writes such files; has an example.
    read_model_info : Reads the description of a model without loading it.
    """
    path = existing(path)
    if isinstance(trusted, str):
        raise TypeError(f"trusted must be a list of names, got {trusted!r}: write [{trusted!r}].")
    skops_io = import_skops()

    known = known_names()
    names = [name for listed in known.values() for name in listed]
    with path.open("rb") as file:
        about = read_description(path, file)
        with damage_named(path):
            unproven = check_contents(file, known, trusted)
            untrusted = skops_io.get_untrusted_types(file=file)
            foreign = sorted(unproven | set(untrusted).difference(names, trusted))
        if foreign:
            raise ValueError(
                f"{path}: the model holds what is not trusted, and is not loaded: {foreign}. If "
                "you know what each of these does, and who made the file: "
                f"load_model(..., trusted={[*trusted, *foreign]})."
            )
        other = other_versions(about["versions"])
        with damage_named(path, other), warnings.catch_warnings():
            # One warning for the whole model follows, in place of one per estimator.
            warnings.simplefilter("ignore", InconsistentVersionWarning)
            model = skops_io.load(file, trusted=[*names, *trusted])
            check_parts(model)
    if not isinstance(model, BaseEstimator):
        raise refusal(path, f"a {type(model).__name__}", GIVE_A_MODEL)
    with damage_named(path, other):
        suit_here(model, memory, n_jobs)
    if other:
        warnings.warn(
            f"{path} was saved with other versions: {'; '.join(other)}. Train it again, or "
            "install these versions if it must predict as before.",
            UserWarning,
            stacklevel=2,
        )
    return model


def read_model_info(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Read the description of a saved model, without loading it.

    Other programs can read it as ``about.json`` in the archive.

    Parameters
    ----------
    path : path-like
        The file.

    Returns
    -------
    about : dict
        As written by whoever saved it:

        - ``"saved"``: date and time (ISO 8601, UTC).
        - ``"versions"``: of Python and the packages, by name.
        - ``"classes"``: the emotions, in the order of ``predict_proba``; None without classes.
        - ``"parameters"``: as of ``get_params``; functions and estimators by name.
        - ``"uses_speaker_clips"``: whether predictions use other unlabelled clips of the same
          speaker.
        - ``"training"``: the description of the training data given to `save_model`.

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
    """Write the model, and check that it can be loaded."""
    skops_io = import_skops()

    try:
        dump_publicly(model, part)
        foreign = skops_io.get_untrusted_types(file=part)
        lost = [name for name in foreign if name.startswith("__main__.")]
        if lost:
            raise AttributeError(f"{', '.join(lost)} is known to this program only")
        skops_io.load(part, trusted=foreign)
    except (OSError, MemoryError):
        raise
    except Exception as error:
        raise ValueError(
            f"{path}: this {type(model).__name__} cannot be saved so that it loads again "
            f"({error}). Functions and classes of your own must stand at the top level of a "
            "module that can be imported: no lambda, no function within a function, nothing of "
            "a script or notebook itself."
        ) from error
