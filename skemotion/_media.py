"""Opening clips: paths, URLs, archive members and bytes, with errors that name the file."""

from __future__ import annotations

import io
import os
import stat
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any, Literal

import av
import fsspec
import joblib

Source = str | bytes | os.PathLike[str]

_MEDIUM = {"video": "a picture", "audio": "sound"}


class MediaError(ValueError):
    """A clip cannot be used: the message says which file, what was expected and what was found.

    Examples
    --------
    >>> from skemotion import MediaError
    >>> from skemotion.audio import AudioLoader
    >>> try:
    ...     AudioLoader().transform(["nowhere.wav"])
    ... except MediaError as error:
    ...     print(error)
    nowhere.wav: expected a media file, found no such file. Check the path.
    """


def clip_name(source: Any) -> str:
    """Say which clip is meant, in an error message."""
    if isinstance(source, bytes):
        return f"<{len(source)} bytes in memory>"
    if isinstance(source, str | os.PathLike):
        return os.fspath(source)
    if hasattr(source, "shape"):
        return f"<array of shape {source.shape}>"
    return repr(source)


@contextmanager
def open_stream(
    source: Source, kind: Literal["video", "audio"]
) -> Iterator[tuple[av.container.InputContainer, Any]]:
    """Open a clip and its first stream of a kind; decoding errors inside become `MediaError`.

    Parameters
    ----------
    source : str, path-like or bytes
        A path, an address in fsspec's notation (``zip://a.wav::/data/b.zip``, ``s3://...``) or
        the bytes of an encoded file.
    kind : {"video", "audio"}
        The stream that is wanted.

    Yields
    ------
    container : av.container.InputContainer
    stream : av.stream.Stream

    Raises
    ------
    MediaError
        If the file is missing, empty, damaged or has no such stream.
    """
    name = clip_name(source)
    try:
        with av.open(
            _input(source, name), mode="r", options=_OPTIONS, metadata_errors="replace"
        ) as container:
            streams: Sequence[Any] = (
                container.streams.video if kind == "video" else container.streams.audio
            )
            if not streams:
                found = ", ".join(sorted({stream.type for stream in container.streams})) or "none"
                raise MediaError(
                    f"{name}: expected {_MEDIUM[kind]}, found no {kind} stream (streams: {found}). "
                    f"Use a clip with {_MEDIUM[kind]}, or a model for another modality."
                )
            if kind == "video":
                streams[0].thread_type = "AUTO"
                streams[0].codec_context.thread_count = _n_threads.get() or joblib.cpu_count()
            yield container, streams[0]
    except av.FFmpegError as error:
        raise MediaError(
            f"{name}: expected a readable {kind} file, found damaged or foreign data "
            f"({error.strerror or error}). Make or download the file again."
        ) from error


_n_threads: ContextVar[int | None] = ContextVar("_n_threads", default=None)


@contextmanager
def decoding_threads(n_threads: int) -> Iterator[None]:
    """Let clips that are decoded inside be decoded by so many threads each.

    Without it a clip has all cores, which serves best while it is the only one.
    """
    token = _n_threads.set(n_threads)
    try:
        yield
    finally:
        _n_threads.reset(token)


def identity(source: Any) -> tuple[str, ...]:
    """Tell a clip from any other, without reading a file.

    Parameters
    ----------
    source : path, address, bytes or array
        The clip.

    Returns
    -------
    identity : tuple of str
        A file's path, size and time of change; that of the archive for a member of one; what the
        server tells of a remote file; the content of bytes and arrays.

    Raises
    ------
    MediaError
        If there is no such file.
    """
    if not isinstance(source, str | os.PathLike):
        return ("content", str(joblib.hash(source, coerce_mmap=True)))
    path = os.fspath(source)
    is_address = "://" in path or "::" in path
    file = Path(path.rsplit("::", 1)[-1].removeprefix("file://") if is_address else path)
    try:
        if not is_address or file.exists():
            status = file.stat()
            member = path.rpartition("::")[0]
            return (
                "file",
                member,
                str(file.absolute()),
                str(status.st_size),
                str(status.st_mtime_ns),
            )
        system, inner = fsspec.core.url_to_fs(path)
        return ("remote", path, system.ukey(inner))
    except _UNREADABLE as error:
        raise MediaError(
            f"{path}: expected a media file, found {type(error).__name__}: {error}. Check the path."
        ) from error


# A play list or reference movie inside a clip may only lead to other local files, not to the
# network.
_OPTIONS = {"protocol_whitelist": "file"}


def _input(source: Source, name: str) -> str | io.BytesIO:
    if isinstance(source, bytes):
        return io.BytesIO(source)
    path = os.fspath(source)
    if "://" in path or "::" in path:
        return io.BytesIO(_fetch(path))
    try:
        status = Path(path).stat()
    except FileNotFoundError:
        raise MediaError(
            f"{name}: expected a media file, found no such file. Check the path."
        ) from None
    except (OSError, ValueError) as error:  # a name too long, a loop of links, a null character
        raise MediaError(
            f"{name}: expected a media file, found no path to one ({error})."
        ) from error
    if stat.S_ISDIR(status.st_mode):
        raise MediaError(f"{name}: expected a media file, found a folder. Give the clips in it.")
    if not stat.S_ISREG(status.st_mode):
        raise MediaError(f"{name}: expected a media file, found a device or a pipe.")
    if not status.st_size:
        raise MediaError(f"{name}: expected a media file, found an empty one. Get the file again.")
    # With the protocol spelt out, a name such as "concat:x" stays a name.
    return f"file:{path}"


# What file systems and archives raise: RuntimeError for an encrypted member, NotImplementedError
# for an unknown compression.
_UNREADABLE = (
    OSError, EOFError, KeyError, ValueError, ImportError, RuntimeError, NotImplementedError,
    zipfile.BadZipFile, zlib.error,
)  # fmt: skip


def _fetch(address: str) -> bytes:
    # Members of archives are compressed, so that seeking in them means reading them again:
    # a clip's few megabytes are read once instead.
    try:
        with fsspec.open(address, "rb") as file:
            data: bytes = file.read()
    except _UNREADABLE as error:
        raise MediaError(
            f"{address}: expected a readable address, found {type(error).__name__}: {error}. "
            "Check the address, and that the archive or the server can be read."
        ) from error
    if not data:
        raise MediaError(f"{address}: expected a media file, found an empty one.")
    return data
