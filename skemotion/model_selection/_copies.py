"""Finding files that are copies of each other, by content."""

from __future__ import annotations

import hashlib
import os
import stat
import zipfile
import zlib
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from ..io import UNREADABLE, fetch, split_fragment


class _File(NamedTuple):
    """A file on this machine, or a member of a zip archive, as it is now."""

    path: str
    member: str
    size: int
    changed: int  # ns, of the file or archive
    checksum: int | None  # CRC-32, which an archive keeps
    times: str = ""  # of a segment

    @property
    def place(self) -> str:
        return f"zip://{self.member}::{self.path}" if self.member else self.path


def content_keys(addresses: Iterable[str]) -> tuple[dict[str, str], list[str]]:
    """Return files of one content one key.

    Sizes are compared first, then checksums, which archives store, and then the bytes themselves,
    so hardly any file of a corpus without copies is read.

    Parameters
    ----------
    addresses : iterable of str
        Paths, or addresses in fsspec's notation.

    Returns
    -------
    keys : dict of str to str
        Of each address, the place of the first file with this content; of an address that cannot
        be read here, the address itself.
    unread : list of str
        Addresses that cannot be read, or only from another machine.
    """
    keys, files, unread = {}, {}, []
    for address in dict.fromkeys(addresses):
        try:
            files[address] = _find(address)
            keys[address] = files[address].place + files[address].times
        except UNREADABLE:
            keys[address] = address
            unread.append(address)
    traits: list[Callable[[_File], Hashable]] = [
        lambda file: (file.times, file.size), _checksum, _digest
    ]  # fmt: skip
    groups = [list(files)]
    for trait in traits:
        parts = defaultdict(list)
        for number, group in enumerate(groups):
            for address in group:
                try:
                    parts[number, trait(files[address])].append(address)
                except UNREADABLE:
                    unread.append(address)
        groups = [part for part in parts.values() if len({keys[a] for a in part}) > 1]
    for group in groups:
        keys.update(dict.fromkeys(group, keys[group[0]]))
    return keys, unread


def _find(address: str) -> _File:
    whole, segment = split_fragment(address)
    times = "" if segment is None else f"#t={segment.start},{segment.end}"
    inner, _, outer = whole.rpartition("::")
    outer = outer.removeprefix("file://")
    if "://" in outer or "::" in inner:
        raise ValueError(f"{address}: not on this machine.")
    path = os.path.realpath(outer)
    status = Path(path).stat()
    if not stat.S_ISREG(status.st_mode):  # a pipe waits, and a device may have no end
        raise ValueError(f"{address}: not a file.")
    if not inner:
        return _File(path, "", status.st_size, status.st_mtime_ns, None, times)
    member = inner.removeprefix("zip://")
    size, checksum = _members(path, status.st_size, status.st_mtime_ns)[member]
    return _File(path, member, size, status.st_mtime_ns, checksum, times)


# Splits of one corpus are audited one after the other: what did not change is read once.
@lru_cache(maxsize=64)
def _members(path: str, size: int, changed: int) -> dict[str, tuple[int, int]]:
    with zipfile.ZipFile(path) as archive:
        return {member.filename: (member.file_size, member.CRC) for member in archive.infolist()}


@lru_cache(maxsize=2**16)
def _checksum(file: _File) -> int:
    if file.checksum is not None:
        return file.checksum
    checksum = 0
    with Path(file.path).open("rb") as stream:
        while block := stream.read(2**20):
            checksum = zlib.crc32(block, checksum)
    return checksum


@lru_cache(maxsize=2**16)
def _digest(file: _File) -> str:
    return hashlib.sha256(fetch(file.place).getbuffer()).hexdigest()
