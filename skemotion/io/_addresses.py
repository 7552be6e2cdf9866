"""Opening files, members of archives and, if allowed, remote addresses."""

from __future__ import annotations

import io
import re
import stat
import zipfile
import zlib
from pathlib import Path, PureWindowsPath
from typing import IO

import fsspec

from ._archives import open_archive
from ._errors import MediaError, beyond_limit
from ._limits import limits_in_force


def local_path(place: str) -> str | None:
    """Return the local path of an address without a member, or None if it is remote."""
    for protocol in ("file://", "local://"):
        if place.startswith(protocol):
            return place.removeprefix(protocol)
    return None if "://" in place else place


def open_file(path: str, name: str) -> IO[bytes]:
    """Open a file; refuse anything else without waiting for a pipe or a device.

    Parameters
    ----------
    path : str
        The file, or the archive with the clip.
    name : str
        Name of the clip in errors.

    Returns
    -------
    file : binary file

    Raises
    ------
    MediaError
        If there is no such file, or it is empty or cannot be opened.
    """
    try:
        place = Path(path)
        status = place.stat()
        if stat.S_ISDIR(status.st_mode):
            raise MediaError(
                f"{name}: expected a media file, found a folder. Give the clips in it."
            )
        if not stat.S_ISREG(status.st_mode):
            raise MediaError(f"{name}: expected a media file, found a device or a pipe.")
        if not status.st_size:
            raise MediaError(
                f"{name}: expected a media file, found an empty one. Get the file again."
            )
        return place.open("rb")
    except MediaError:
        raise
    except FileNotFoundError:
        raise MediaError(
            f"{name}: expected a media file, found no such file. Check the path."
        ) from None
    except PermissionError as error:
        raise MediaError(
            f"{name}: expected a media file, found one that may not be read ({error.strerror}). "
            "Change its permissions or those of its folder."
        ) from error
    except (OSError, ValueError) as error:  # a name too long, a loop of links, a null character
        raise MediaError(
            f"{name}: expected a media file, found no path to one ({error}). Check the path."
        ) from error


def check_allowed(address: str) -> None:
    """Refuse an address that may lead to another machine, unless the caller allows it."""
    if not limits_in_force().allow_urls:
        raise MediaError(
            f"{address}: expected a path, or zip://member::archive.zip, on this machine, found an "
            "address that may lead to another. If you trust it, load it inside "
            "`with skemotion.limits(allow_urls=True)`."
        )


# What file systems and archives raise: NotImplementedError for an unknown compression.
UNREADABLE = (
    OSError, EOFError, KeyError, ValueError, ImportError, RuntimeError, NotImplementedError,
    zipfile.BadZipFile, zlib.error,
)  # fmt: skip


def fetch(address: str) -> io.BytesIO:
    """Read a file, or a member of an archive, into memory, up to the limits in force.

    Parameters
    ----------
    address : str
        Path, ``zip://member::archive.zip`` or, if allowed, an address in fsspec's notation.

    Returns
    -------
    content : io.BytesIO

    Raises
    ------
    MediaError
        If it cannot be read, is empty, or exceeds a limit.
    """
    # Members of archives are compressed: to seek in them means to read them again. So a clip's few
    # megabytes are read once instead.
    first, _, place = address.partition("::")
    try:
        if place and first.startswith("zip://"):
            path = None if "::" in place else local_path(place)
            with _open(place, address) as file, open_archive(file, path) as archive:
                member = _check_member(archive, first.removeprefix("zip://"), address)
                with archive.open(member) as stream:
                    content = _read(stream, address)
        else:
            with _open(address, address) as file:
                content = _read(file, address)
    except MediaError:
        raise
    except UNREADABLE as error:
        raise MediaError(
            f"{address}: expected a readable address, found {type(error).__name__}: {error}. "
            "Check the address, and that the archive or the server can be read."
        ) from error
    if not content.getbuffer().nbytes:
        raise MediaError(f"{address}: expected a media file, found an empty one.")
    return content


def _open(place: str, address: str) -> IO[bytes]:
    """Open a local file or, if allowed, a remote one."""
    if "zip://" in place:
        raise MediaError(
            f"{address}: expected zip://member::archive.zip, found another order or number of "
            "archives. Give one member and its archive."
        )
    path = local_path(place)
    if path is not None and "::" not in path:
        return open_file(path, address)
    check_allowed(address)
    options = limits_in_force().storage_options
    try:
        file: IO[bytes] = fsspec.open(place, "rb", **options).open()
    except UNREADABLE:
        raise
    except Exception as error:  # of a library of its own, such as for keys that are missing
        raise OSError(f"{type(error).__name__}: {error}") from error
    return file


_LARGE = 2**26  # bytes; smaller members may be as compressible as silence


def _check_member(archive: zipfile.ZipFile, name: str, address: str) -> zipfile.ZipInfo:
    """Find a member of an archive, and refuse a harmful one."""
    if (
        name.startswith(("/", "\\"))
        or PureWindowsPath(name).drive
        or ".." in re.split(r"[/\\]", name)
    ):
        raise MediaError(
            f"{address}: expected a member inside the archive, found a path that leads out of it. "
            "Make the archive again, with relative names."
        )
    member, limits = archive.getinfo(name), limits_in_force()
    if member.flag_bits & 1:
        raise MediaError(
            f"{address}: expected a readable member, found an encrypted one. Unpack the archive "
            "with its password."
        )
    if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        # Others may unpack a block of any size at once.
        raise MediaError(
            f"{address}: expected a member that is stored or deflated, found another compression "
            f"({member.compress_type}). Unpack the archive, or make it again."
        )
    if member.file_size > limits.max_bytes:
        raise beyond_limit(address, "max_bytes", f"a member of {member.file_size} bytes")
    if member.file_size > max(_LARGE, limits.max_ratio * member.compress_size):
        raise beyond_limit(
            address,
            "max_ratio",
            f"a member of {member.file_size} bytes that takes {member.compress_size}",
        )
    return member


def _read(file: IO[bytes], address: str) -> io.BytesIO:
    content, most = io.BytesIO(), limits_in_force().max_bytes
    while block := file.read(2**20):
        if content.tell() + len(block) > most:
            raise beyond_limit(address, "max_bytes", "more bytes")
        content.write(block)
    content.seek(0)
    return content
