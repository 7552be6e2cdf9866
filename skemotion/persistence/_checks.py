"""What the parts of a loaded model may be and ask for, where their classes rely on it."""

from __future__ import annotations

import numbers
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.ensemble import StackingClassifier
from sklearn.feature_selection import SelectFromModel
from sklearn.model_selection import FixedThresholdClassifier
from sklearn.preprocessing import FunctionTransformer
from sklearn.tree._tree import Tree

from ..base import ClipFunction
from ._composition import parts_of

_PACKAGE = __name__.partition(".")[0]
# Fitted attributes with one value for each column or class: with another axis, what is computed of
# them and a clip would be as large as a file chooses.
_OF_ONE_AXIS = {
    "center_", "class_log_prior_", "class_prior_", "classes_", "data_max_", "data_min_",
    "intercept_", "lambdas_", "max_abs_", "mean_", "min_", "priors_", "scale_", "statistics_",
    "xbar_",
}  # fmt: skip
_LARGEST = 2**20  # of the numbers that are parameters of a stage, such as samples per second
_METHODS = ("decision_function", "predict", "predict_proba")
# What universal functions take besides values: where to write, and as what.
_PLACES = {"casting", "dtype", "out", "sig", "signature", "subok", "where"}


def check_parts(model: BaseEstimator) -> None:
    """Check what the parts of a model are trusted with, and make their parameters plain numbers.

    Raises
    ------
    ValueError
        If a part replaces a method of its class or the constraints of its parameters, on which
        compiled code relies; if it names methods that are called of others, or has functions write
        to a place; if it asks for memory out of all proportion; or if a generator of random numbers
        is in a state that does not exist, and would read its next number from elsewhere.
    """
    for part in list(parts_of(model)):
        # Functions are imported, and not from the file.
        if hasattr(part, "__dict__") and not hasattr(part, "__qualname__"):
            _check_attributes(part)
        if isinstance(part, BaseEstimator):
            _check_calls(part)
            _check_sizes(part)
        if isinstance(part, np.random.RandomState):
            state = part.get_state(legacy=False)["state"]
            if not 0 <= state.get("pos", 0) <= len(state.get("key", ())):
                raise ValueError("a generator of random numbers in a state that does not exist")


def _check_attributes(part: Any) -> None:
    if isinstance(part, dict):
        return
    replaced = {name for name in vars(part) if _is_of_class(type(part), name)}
    if isinstance(part, BaseEstimator):
        replaced -= set(part._get_param_names())
    if replaced:
        raise ValueError(f"a {type(part).__name__} with its own {', '.join(sorted(replaced))}")


def _is_of_class(known: type, name: str) -> bool:
    """Return whether an attribute is the class's to set, and not its instances'."""
    for base in known.__mro__:
        if name in vars(base):
            value = vars(base)[name]
            own = base.__module__.partition(".")[0] == _PACKAGE
            return own or name == "_parameter_constraints" or hasattr(value, "__get__")
    return False


def _check_calls(part: BaseEstimator) -> None:
    """Check what is called by a name, or with arguments, that the file chooses."""
    held = vars(part)
    if isinstance(part, FunctionTransformer | ClipFunction):
        for function in ("func", "inverse_func"):
            if isinstance(held.get(function), type):
                raise ValueError("a type in place of a function")
        for arguments in ("kw_args", "inv_kw_args"):
            if _PLACES & set(held.get(arguments) or ()):
                raise ValueError("a function that is told where to write")
    if isinstance(part, StackingClassifier):
        methods, members = held.get("stack_method_", ()), held.get("estimators_", ())
        if not set(methods) <= set(_METHODS):
            raise ValueError(f"members of which {methods} is called")
        if not all(isinstance(member, BaseEstimator) for member in members):
            raise ValueError("members that are no estimators")
    if isinstance(part, FixedThresholdClassifier) and part.response_method not in (
        "auto", *_METHODS
    ):  # fmt: skip
        raise ValueError(f"a classifier of which {part.response_method} is called")
    if isinstance(part, SelectFromModel) and not isinstance(part.importance_getter, str):
        raise ValueError("a selection that calls what is no name")


def _check_sizes(part: BaseEstimator) -> None:
    """Check what multiplies with the size of a clip."""
    name, held = type(part).__name__, vars(part)
    for attribute, value in held.items():
        if isinstance(value, np.ndarray) and attribute in _OF_ONE_AXIS and value.ndim > 1:
            raise ValueError(f"a {name} whose {attribute} has {value.ndim} axes")
    if "n_classes_" in held:
        n_classes = held["n_classes_"]
        if not isinstance(n_classes, numbers.Integral) or n_classes != np.size(held["classes_"]):
            raise ValueError(f"a {name} of {n_classes} classes with other names of them")
    if "tree_" in held and not isinstance(held["tree_"], Tree):
        raise ValueError(f"a {name} without a tree")
    if type(part).__module__.partition(".")[0] == _PACKAGE:
        for parameter in part._get_param_names():
            if parameter != "random_state" and parameter in held:
                held[parameter] = _plain(held[parameter], f"a {name} of {parameter}")


def _plain(value: Any, what: str) -> Any:
    """Return a parameter with Python's numbers, which do not overflow in what is computed."""
    if type(value) in (list, tuple):
        return type(value)(_plain(part, what) for part in value)
    if isinstance(value, np.number | np.bool_):
        value = value.item()
    if isinstance(value, int) and value > _LARGEST:
        raise ValueError(f"{what}={value}")
    return value
