"""What a model file holds: parts that are not trusted, and members that are not what they seem."""

from __future__ import annotations

import io
import json
import math
from collections.abc import Collection, Mapping
from typing import Any, BinaryIO, NamedTuple
from zipfile import ZipFile, is_zipfile

import numpy as np

from ..io import limits_in_force
from ._model_archive import ABOUT, SCHEMA
from ._parts import Parts, nodes

_MOST_UNPACKED = 64 * 2**20  # bytes, up to which ratios do not matter
_HEADER = 20_000  # bytes, more than NumPy reads as the header of an array
_LONGEST_OF_NONE = 10**5
_REPEATS = 8  # parts that several estimators share are read once for each of them


def check_contents(
    file: BinaryIO, known: Mapping[str, Collection[str]], trusted: Collection[str]
) -> set[str]:
    """Check what the parts of a model are, and that its members hold as much as they say.

    Parameters
    ----------
    file : file object
        The model, whose archive was checked to be no larger unpacked than packed.
    known : mapping of str to collection of str
        Names that are harmless by the loaders that make them, see `Parts`.
    trusted : collection of str
        Names that the user trusts.

    Returns
    -------
    names : set of str
        What the model names and is neither.

    Raises
    ------
    ValueError
        If a part has a form that no saved model has, if an array is not as large as its header
        says, if there are members that are no arrays, if archives in the archive unpack to far more
        than they are, or if parts refer again and again to the same member.
    """
    with ZipFile(file) as archive:
        schema = json.loads(archive.read(SCHEMA))
        parts = Parts(schema, known, trusted)
        sizes = {member.filename: member.file_size for member in archive.infolist()}
        read = [node["file"] for node in nodes(schema) if "file" in node]
        if set(sizes) - set(read) - {SCHEMA, ABOUT}:
            raise ValueError("a member that is no part of the model")
        headers, arrays = {}, parts.arrays | parts.scalars
        for name, size in sizes.items():
            with archive.open(name) as member:
                start = member.read(_HEADER)
                if start.startswith(np.lib.format.MAGIC_PREFIX):
                    headers[name] = _check_array(start, size)
                elif name in arrays:
                    raise ValueError("a member that is no array")
                elif start.startswith(b"PK"):
                    _check_archive(io.BytesIO(start + member.read()))
    if any(headers[name].shape for name in parts.scalars):
        raise ValueError("an array in place of a number")
    # Only what has to be trusted has values of several parts, such as the nodes of trees.
    is_harmless = not (trusted or parts.unproven)
    if is_harmless and any(header.dtype.kind == "V" for header in headers.values()):
        raise ValueError("an array of several values each")
    for values, mask in parts.masks:
        shape = headers[values].shape if isinstance(values, str) else (values,)
        if headers[mask].dtype != bool or headers[mask].shape != shape:
            raise ValueError("a mask of another size than what it masks")
    n_bytes = sum(sizes.values()) - sizes[SCHEMA]
    if sum(sizes[name] for name in read) > _MOST_UNPACKED + _REPEATS * n_bytes:
        raise ValueError("parts that refer to the same members again and again")
    return parts.unproven


class _Header(NamedTuple):
    shape: tuple[int, ...]
    dtype: np.dtype[Any]


def _check_array(start: bytes, size: int) -> _Header:
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
    # Of no values, it may still have a long side, or long values, for what is computed with it.
    if not n_values and max(*shape, dtype.itemsize) > _LONGEST_OF_NONE:
        raise ValueError("an array of nothing that is long all the same")
    return _Header(shape, dtype)


def _check_archive(content: io.BytesIO) -> None:
    if not is_zipfile(content):
        return
    with ZipFile(content) as inner:
        unpacked = sum(member.file_size for member in inner.infolist())
    packed = len(content.getvalue())
    if unpacked > max(_MOST_UNPACKED, limits_in_force().max_ratio * packed):
        raise ValueError("an archive in the archive that unpacks to far more than it is")
