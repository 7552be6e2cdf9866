"""What a model file holds: names that are not trusted, and members that are not what they seem."""

from __future__ import annotations

import io
import json
import math
from collections.abc import Collection, Iterator
from typing import Any, BinaryIO
from zipfile import ZipFile, is_zipfile

import numpy as np

from ..io import limits_in_force
from ._model_archive import SCHEMA

# Of the loaders of skops, those that make what has no compiled code that relies on the content, or
# that call no more than the class they name. The others read indices that nobody checks, such as
# those of sparse matrices and trees, or the state of a generator: trusting a class does not mean
# trusting them to make it.
_PLAIN_LOADERS = {
    "BytearrayNode", "BytesNode", "ConstructorFromReduceNode", "DTypeNode", "DefaultDictNode",
    "DictNode", "FunctionNode", "JsonNode", "ListNode", "MaskedArrayNode", "NdArrayNode",
    "ObjectNode", "RandomStateNode", "SetNode", "SliceNode", "TupleNode", "TypeNode",
}  # fmt: skip
# About whose names skops decides: text, numbers, containers, arrays, NumPy's functions.
_PLAIN = ("builtins.", "collections.", "numpy.")
_HARMFUL = {"numpy.void"}  # allocates as many bytes as the file says
_MOST_UNPACKED = 64 * 2**20  # bytes, up to which ratios do not matter
_HEADER = 20_000  # bytes, more than NumPy reads as the header of an array
_REPEATS = 8  # parts that several estimators share are read once for each of them


def unproven_names(
    schema: Any, untrusted: Collection[str], known: Collection[str], trusted: Collection[str]
) -> list[str]:
    """List what a model names and is neither known to be harmless nor trusted.

    Parameters
    ----------
    schema : Any
        The description of all parts.
    untrusted : collection of str
        What skops does not trust by itself. It trusts all estimators of scikit-learn, though, some
        of which rely on what the file says of their content.
    known : collection of str
        Names that are harmless, whatever the file says of their content.
    trusted : collection of str
        Names that the user trusts.

    Returns
    -------
    names : list of str
    """
    found = set(untrusted) - set(known)
    for node in _nodes(schema):
        name = f"{node['__module__']}.{node['__class__']}"
        plain = name.startswith(_PLAIN) and name not in _HARMFUL
        if not (plain or name in known) or node.get("__loader__") not in _PLAIN_LOADERS:
            found.add(name)
    return sorted(found - set(trusted))


def check_contents(file: BinaryIO) -> Any:
    """Check that arrays hold as many values as they say, and how much all parts are when read.

    Parameters
    ----------
    file : file object
        The model, whose archive was checked to be no larger unpacked than packed.

    Returns
    -------
    schema : Any
        The description of all parts.

    Raises
    ------
    ValueError
        If an array is not as large as its header says, if archives in the archive unpack to far
        more than they are, or if parts refer again and again to the same member.
    """
    with ZipFile(file) as archive:
        schema = json.loads(archive.read(SCHEMA))
        sizes = {member.filename: member.file_size for member in archive.infolist()}
        for name, size in sizes.items():
            with archive.open(name) as member:
                start = member.read(_HEADER)
                if start.startswith(np.lib.format.MAGIC_PREFIX):
                    _check_array(start, size)
                elif start.startswith(b"PK"):
                    _check_archive(io.BytesIO(start + member.read()))
    n_bytes = sum(sizes.values()) - sizes[SCHEMA]
    n_read = sum(sizes[node["file"]] for node in _nodes(schema) if "file" in node)
    if n_read > _MOST_UNPACKED + _REPEATS * n_bytes:
        raise ValueError("parts that refer to the same members again and again")
    return schema


def _nodes(schema: Any) -> Iterator[dict[str, Any]]:
    """Give every part that names a class or function, wherever it stands."""
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


def _check_array(start: bytes, size: int) -> None:
    head = io.BytesIO(start)
    version = np.lib.format.read_magic(head)
    first = version == (1, 0)
    read = np.lib.format.read_array_header_1_0 if first else np.lib.format.read_array_header_2_0
    shape, _, dtype = read(head)
    if dtype.hasobject or any(side < 0 for side in shape):
        raise ValueError("an array of objects, or of negative size")
    n_values = math.prod(shape)
    if head.tell() + n_values * dtype.itemsize != size or n_values > size:
        raise ValueError("an array of another size than its header says")


def _check_archive(content: io.BytesIO) -> None:
    if not is_zipfile(content):
        return
    with ZipFile(content) as inner:
        unpacked = sum(member.file_size for member in inner.infolist())
    packed = len(content.getvalue())
    if unpacked > max(_MOST_UNPACKED, limits_in_force().max_ratio * packed):
        raise ValueError("an archive in the archive that unpacks to far more than it is")
