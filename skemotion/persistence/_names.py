"""The names in a model file: which are written, and which are trusted."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any
from zipfile import ZipFile

from sklearn.base import BaseEstimator
from sklearn.model_selection import (
    GroupKFold,
    KFold,
    LeaveOneGroupOut,
    StratifiedGroupKFold,
    StratifiedKFold,
)

from ._model_archive import SCHEMA
from ._parts import nodes
from ._skops import import_skops

_PACKAGE = __name__.partition(".")[0]
# Whose classes are parts of models.
_PARTS = (
    "audio",
    "base",
    "classification",
    "decomposition",
    "model_selection",
    "pipeline",
    "preprocessing",
    "video",
)
# What searches hold besides estimators.
_SPLITTERS = (GroupKFold, KFold, LeaveOneGroupOut, StratifiedGroupKFold, StratifiedKFold)
_FURTHER = (
    *(f"{known.__module__}.{known.__qualname__}" for known in _SPLITTERS),
    "sklearn.metrics._scorer._PassthroughScorer",
    "sklearn.calibration._CalibratedClassifier",
    "sklearn.calibration._SigmoidCalibration",
    "sklearn.calibration._TemperatureScaling",
    # What a fitted MLPClassifier holds.
    "sklearn.neural_network._stochastic_optimizers.AdamOptimizer",
    "sklearn.neural_network._stochastic_optimizers.SGDOptimizer",
)
# By the loaders of skops that make them, what else is in models: text, numbers, containers, arrays.
# NumPy's numbers, types and universal functions are known without a list. All other loaders read
# indices that nobody checks, such as those of sparse matrices and trees, call what they name, or
# occur in no model: trusting a class does not mean trusting them to make it.
_FORMS = {
    "DictNode": ["builtins.dict", "collections.OrderedDict", "sklearn.utils._bunch.Bunch"],
    "DTypeNode": ["numpy.dtype"],
    # What the functionals recipe limits values by, and the measure of SelectKBest.
    "FunctionNode": ["numpy.clip", "sklearn.feature_selection._univariate_selection.f_classif"],
    "JsonNode": ["builtins.str"],
    "ListNode": ["builtins.list"],
    "MaskedArrayNode": ["numpy.ma.MaskedArray"],
    "NdArrayNode": ["numpy.ndarray"],
    "RandomStateNode": ["numpy.random.mtrand.RandomState"],
    "SliceNode": ["builtins.slice"],
    "TupleNode": [
        "builtins.tuple",
        f"{_PACKAGE}.decomposition.RocketKernels",
        f"{_PACKAGE}.pipeline.ClipError",
    ],
}


# Estimators of scikit-learn that predict by NumPy's own checked operations alone, or by what they
# hold, whose class is checked as well. Compiled code elsewhere relies on the content of a fitted
# estimator: libsvm on indices of support vectors, neighbours and clusters on the shapes of their
# arrays, sparse output on the number of its columns.
_ESTIMATORS = {
    "calibration": ["CalibratedClassifierCV"],
    "compose": ["ColumnTransformer"],
    "decomposition": ["PCA", "TruncatedSVD"],
    "discriminant_analysis": ["LinearDiscriminantAnalysis", "QuadraticDiscriminantAnalysis"],
    "dummy": ["DummyClassifier"],
    "ensemble": [
        "BaggingClassifier",
        "ExtraTreesClassifier",  # what its trees hold is not trusted
        "RandomForestClassifier",
        "StackingClassifier",
        "VotingClassifier",
    ],
    "feature_selection": [
        "RFE",
        "RFECV",
        "SelectFromModel",
        "SelectKBest",
        "SelectPercentile",
        "SequentialFeatureSelector",
        "VarianceThreshold",
    ],
    "frozen": ["FrozenEstimator"],
    "impute": ["MissingIndicator", "SimpleImputer"],
    "linear_model": [
        "LinearRegression",
        "LogisticRegression",
        "LogisticRegressionCV",
        "Ridge",
        "RidgeCV",
        "RidgeClassifier",
        "RidgeClassifierCV",
    ],
    "model_selection": [
        "FixedThresholdClassifier",
        "GridSearchCV",
        "RandomizedSearchCV",
    ],
    "naive_bayes": ["BernoulliNB", "GaussianNB", "MultinomialNB"],
    "neural_network": ["MLPClassifier"],
    "pipeline": ["FeatureUnion", "Pipeline"],
    "preprocessing": [
        "FunctionTransformer",  # functions are listed by their names
        "LabelBinarizer",
        "LabelEncoder",
        "MaxAbsScaler",
        "MinMaxScaler",
        "Normalizer",
        "PowerTransformer",
        "QuantileTransformer",
        "RobustScaler",
        "StandardScaler",
    ],
    "svm": ["LinearSVC"],
    "tree": ["DecisionTreeClassifier", "ExtraTreeClassifier"],
}


def known_names() -> dict[str, list[str]]:
    """List what is trusted, by the loader of skops that makes it.

    These are names and not packages: a file can have anything it names called with any arguments,
    and both scikit-learn and this package have functions that write or delete files. Every public
    estimator and splitter of this package is trusted: a call only stores its parameters (checked by
    scikit-learn's check suite), and none of them defines its own unpickling.
    """
    return {**_FORMS, "ObjectNode": [*_own_names(), *_sklearn_names(), *_FURTHER]}


def _sklearn_names() -> Iterator[str]:
    for part, names in _ESTIMATORS.items():
        package = import_module(f"sklearn.{part}")
        for name in names:
            known = getattr(package, name)
            yield f"{known.__module__}.{known.__qualname__}"


def _own_names() -> Iterator[str]:
    for part in _PARTS:
        package = import_module(f"{_PACKAGE}.{part}")
        for name in package.__all__:
            if _only_keeps_parameters(getattr(package, name)):
                yield f"{package.__name__}.{name}"


def _only_keeps_parameters(known: Any) -> bool:
    if not isinstance(known, type):
        return False
    is_splitter = hasattr(known, "split") and hasattr(known, "get_n_splits")
    return issubclass(known, BaseEstimator) or is_splitter


def dump_publicly(model: BaseEstimator, path: Path) -> None:
    """Write a model in the format of skops, under public names.

    skops writes the module that defines a class or function. Models must still load after files of
    this package are renamed: ``skemotion.video.HOG3D`` is written instead of
    ``skemotion.video._hog3d.HOG3D``. All descriptions of one part become the same, with numbers
    from 1 on in place of addresses in memory, so that whoever reads them can check that they are.
    """
    skops_io = import_skops()

    written = io.BytesIO(skops_io.dumps(model))
    with ZipFile(written) as source, ZipFile(path, "w") as target:
        schema = json.loads(source.read(SCHEMA))
        _name_publicly(schema)
        schema = _renumbered(schema, {})
        used = {node["file"] for node in nodes(schema) if "file" in node}
        for name in source.namelist():
            if name in used:
                target.writestr(name, source.read(name))
        target.writestr(SCHEMA, json.dumps(schema))


def _renumbered(part: Any, first: dict[int, Any]) -> Any:
    """Put the first description of each part in place of all others of its number."""
    if isinstance(part, list):
        return [_renumbered(inner, first) for inner in part]
    if not isinstance(part, dict):
        return part
    number = part.get("__id__") if "__loader__" in part else None
    if number is None:
        return {key: _renumbered(inner, first) for key, inner in part.items()}
    if number not in first:
        made = first[number] = {}
        new = len(first)
        for key, inner in part.items():
            made[key] = new if key == "__id__" else _renumbered(inner, first)
    return first[number]


def _name_publicly(node: Any) -> None:
    if isinstance(node, dict):
        module, name = node.get("__module__"), node.get("__class__")
        # In a dict of the model's own, what stands under these keys would be a node again.
        if isinstance(module, str) and isinstance(name, str):
            node["__module__"] = _public_module(module, name)
    for part in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
        _name_publicly(part)


def _public_module(module: str, name: str) -> str:
    words = module.split(".")
    private = [word.startswith("_") for word in words]
    if words[0] != _PACKAGE or True not in private:
        return module
    public = ".".join(words[: private.index(True)])
    known = getattr(sys.modules[module], name)
    if getattr(import_module(public), name, None) is not known:
        raise ValueError(f"{module}.{name} is no public name of {public}")
    return public
