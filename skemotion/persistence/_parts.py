"""What the parts of a model file may be: a grammar of the description that skops rebuilds.

The loaders of skops make what a file says, of whatever it names: an object with any attributes,
NumPy's memory of any address among them. So each part must be of one of the forms that saved models
have, with a name that is known to be harmless in that form. All others are listed, or refused.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

import numpy as np

# Where a part stands, if that matters: in an array of objects of several axes, which NumPy makes of
# what it finds in the parts; among the results of a search.
_CELL = "cell"
_RESULTS = "cv_results_"
_TYPES = {f"builtins.{name}" for name in ("bool", "dict", "float", "int", "list", "str", "tuple")}
# Of keys that are no text: whoever chooses them can have all of them collide.
_MOST_NUMBERED = 1000
_LARGEST_NUMBER = 2**32  # of a part: larger ones could be chosen to collide
_Node = dict[str, Any]


class Parts:
    """The parts of a model, read from their description.

    Parameters
    ----------
    schema : Any
        The description.
    known : mapping of str to collection of str
        Names that are harmless, whatever the file says of their content, by the loader that makes
        them.
    trusted : collection of str
        Names that the user trusts, in any form.

    Attributes
    ----------
    unproven : set of str
        Names that are neither.
    arrays, scalars : set of str
        Members that hold arrays, and single numbers.
    masks : list of tuple
        Of each masked array, the member with its values or the number of them, and that with its
        mask.

    Raises
    ------
    ValueError, KeyError, TypeError
        If a part has a form that no saved model has.
    """

    def __init__(
        self, schema: Any, known: Mapping[str, Collection[str]], trusted: Collection[str]
    ) -> None:
        self.unproven: set[str] = set()
        self.arrays: set[str] = set()
        self.scalars: set[str] = set()
        self.masks: list[tuple[str | int, str]] = []
        self._known = known
        self._trusted = set(trusted)
        self._numbered: dict[Any, int | str] = {}
        self._forms: dict[Any, int] = {}
        self._known_forms: dict[int, int | str] = {}
        self._read: set[tuple[Any, str]] = set()
        if schema["protocol"] < 1:  # of which skops still has other loaders
            raise ValueError("a description of an old form")
        self._node(schema)

    def _node(self, node: _Node, place: str = "") -> None:
        number, name = node.get("__id__"), name_of(node)
        if number is not None:
            if type(number) is not int or not 0 < number < _LARGEST_NUMBER:
                raise ValueError("a part of another number than models have")
            # skops makes the first of a number, and takes it for all the others, whose own parts it
            # never sees. So they must be the same to the last number.
            if self._numbered.setdefault(number, self._form(node)) != self._form(node):
                raise ValueError("two parts of one number")
            if (number, place) in self._read:
                return
            self._read.add((number, place))
        if name in self._trusted:
            self._others(node)
        elif self._is_known(node, name, place):
            self._of_known_form(node, place)
        else:
            self.unproven.add(name)
            self._others(node)

    def _form(self, part: Any) -> int | str:
        """Return one number for all parts that are the same."""
        if not isinstance(part, dict | list):
            return repr(part)
        form = self._known_forms.get(id(part))
        if form is None:
            items = part.items() if isinstance(part, dict) else enumerate(part)
            parts = tuple((key, self._form(inner)) for key, inner in items)
            form = self._forms.setdefault(parts, len(self._forms))
            self._known_forms[id(part)] = form
        return form

    def _is_known(self, node: _Node, name: str, place: str) -> bool:
        loader = node["__loader__"]
        if loader == "FunctionNode" and isinstance(_of_numpy(name), np.ufunc):
            return True
        if loader == "NdArrayNode" and name != "numpy.ndarray":
            return _is_scalar_type(name)
        if loader == "TypeNode":
            return name in _TYPES or _is_scalar_type(name)
        if loader == "MaskedArrayNode" and place != _RESULTS:
            return False  # what is masked passes checks of values, and is read all the same
        if place == _CELL and (loader == "ObjectNode" or name == "numpy.ndarray"):
            return False  # of whose values NumPy would make further axes
        return name in self._known.get(loader, ())

    def _of_known_form(self, node: _Node, place: str) -> None:
        content: Any = node.get("content")
        loader = node["__loader__"]
        if loader == "DictNode":
            self._mapping(node, place)
        elif loader in ("ListNode", "TupleNode"):
            for part in content or ():
                self._node(part, place if place == _CELL else "")
        elif loader == "NdArrayNode":
            self._array(node)
        elif loader == "MaskedArrayNode":
            data, mask = (
                _of_loader(node["content"][part], "NdArrayNode") for part in ("data", "mask")
            )
            self._node(data)
            self._node(mask)
            values = data["file"] if data["type"] == "numpy" else len(data["content"])
            self.masks.append((values, mask["file"]))
        elif loader == "DTypeNode":
            self._node(_of_loader(content, "NdArrayNode"))
        elif loader == "RandomStateNode":
            self._node(_of_loader(content, "DictNode"))
        elif loader == "ObjectNode":
            # What else holds names could set attributes that are not looked at here.
            if content is not None:
                self._node(content)
                is_none = content["__loader__"] == "JsonNode" and content["content"] == "null"
                if not is_none and name_of(_of_loader(content, "DictNode")) != "builtins.dict":
                    raise ValueError("attributes that are no dict")
        elif loader == "SliceNode":
            if not all(part is None or isinstance(part, int | str) for part in content.values()):
                raise ValueError("a slice of other than numbers")
        elif loader == "JsonNode" and not isinstance(content, str):
            raise ValueError("a value that is no text")

    def _mapping(self, node: _Node, place: str) -> None:
        types = _of_loader(node["key_types"], "ListNode")
        self._node(types)
        names = [name_of(_of_loader(part, "TypeNode")) for part in types["content"]]
        if len(names) - names.count("builtins.str") > _MOST_NUMBERED:
            raise ValueError("more keys that are no text than any model has")
        for key, part in node["content"].items():
            # Python, NumPy and copy ask objects for these, and do what they say.
            if key.startswith("__") and key.endswith("__"):
                raise ValueError(f"a part with {key}")
            self._node(part, _RESULTS if _RESULTS in (key, place) else "")

    def _array(self, node: _Node) -> None:
        if node["type"] == "numpy":
            is_array = name_of(node) == "numpy.ndarray"
            (self.arrays if is_array else self.scalars).add(node["file"])
            return
        if name_of(node) != "numpy.ndarray":
            raise ValueError("a single number of several parts")
        shape = _of_loader(node["shape"], "TupleNode")
        for part in node["content"]:
            self._node(part, "" if len(shape["content"]) == 1 else _CELL)
        self._node(shape)

    def _others(self, part: Any) -> None:
        """Read all parts in one of a form that is not known."""
        for inner in part.values() if isinstance(part, dict) else part:
            if isinstance(inner, dict) and "__loader__" in inner:
                self._node(inner)
            elif isinstance(inner, dict | list):
                self._others(inner)


def name_of(node: _Node) -> str:
    """Return the name of what a part is made of."""
    return f"{node['__module__']}.{node['__class__']}"


def nodes(schema: Any) -> Iterator[_Node]:
    """Give everything that looks like a part, as often as it stands there."""
    todo = [schema]
    while todo:
        node = todo.pop()
        if isinstance(node, dict):
            # In a dict of the model's own, what stands under these keys would be a node again.
            if isinstance(node.get("__module__"), str) and isinstance(node.get("__class__"), str):
                yield node
            todo.extend(node.values())
        elif isinstance(node, list):
            todo.extend(node)


def _of_loader(node: _Node, loader: str) -> _Node:
    if node["__loader__"] != loader:
        raise ValueError(f"a {node['__loader__']} in place of a {loader}")
    return node


def _of_numpy(name: str) -> Any:
    module, _, name = name.rpartition(".")
    return getattr(np, name, None) if module == "numpy" else None


def _is_scalar_type(name: str) -> bool:
    """Return whether a name is that of NumPy's numbers, or of its text."""
    kind = _of_numpy(name)
    return isinstance(kind, type) and issubclass(kind, np.number | np.bool_ | np.str_)
