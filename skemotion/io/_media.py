"""Opening clips: paths, URLs, archive members and bytes, with errors that name the file."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from pathlib import Path
from typing import IO, Any, Literal

import av
import fsspec
import joblib
from av.stream import Disposition

from ._addresses import check_allowed, fetch, local_path, open_file
from ._errors import MediaError, beyond_limit, clip_name
from ._fragments import Segment, split_fragment
from ._limits import Limits, limits_in_force

Source = str | bytes | bytearray | memoryview | os.PathLike[str]

__all__ = [
    "MediaError",
    "Source",
    "beyond_limit",
    "check_pixels",
    "claimed_seconds",
    "clip_name",
    "decoding_threads",
    "identity",
    "open_input",
    "open_stream",
]

_MEDIUM = {"video": "a picture", "audio": "sound"}


@contextmanager
def open_stream(
    source: Source, kind: Literal["video", "audio"]
) -> Iterator[tuple[av.container.InputContainer, Any]]:
    """Open a clip and its main stream of a kind; decoding errors inside become `MediaError`.

    The main stream is the first one that the file marks as its default, or else the first. A
    cover picture is no video.

    Parameters
    ----------
    source : str, path-like or bytes
        A path, an address in fsspec's notation (``zip://a.wav::/data/b.zip``, ``s3://...``) or
        the bytes of an encoded file. Of a segment, the whole clip is opened.
    kind : {"video", "audio"}
        The stream that is wanted.

    Yields
    ------
    container : av.container.InputContainer
    stream : av.stream.Stream

    Raises
    ------
    MediaError
        If the file is missing, empty, damaged, has no such stream or claims to be beyond the
        limits in force.
    """
    name, limits = clip_name(source), limits_in_force()
    source, segment = split_fragment(source)
    # Decoders look at this before they make room for a picture, whatever a header said. They count
    # a margin in; what is less than twice too large gets a clear message further down.
    most = {"max_pixels": str(2 * limits.max_pixels)}
    try:
        with (
            open_input(source, name) as file,
            _open(file, {**_OPTIONS, **most}, kind) as container,
        ):
            stream = main_stream(container, kind, name)
            _check_claims(container, stream, name, limits, segment)
            if kind == "video":
                stream.thread_type = "AUTO"
                stream.codec_context.thread_count = _n_threads.get() or joblib.cpu_count()
                stream.codec_context.options = most
            yield container, stream
    except MediaError:
        raise
    # Besides FFmpeg's own errors, PyAV lets through what it stumbles over in a damaged file.
    except (av.FFmpegError, *_STUMBLES) as error:
        or_large = ", or an enormous picture" if kind == "video" else ""
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        raise MediaError(
            f"{name}: expected a readable {kind} file, found damaged or foreign data{or_large} "
            f"({reason}). Make or download the file again."
        ) from error


_STUMBLES = (OSError, EOFError, IndexError, ValueError, OverflowError, MemoryError)
# Enough to know a sound file by. FFmpeg's own default reads megabytes of plain samples, which
# takes longer than all the rest.
_PROBED_BYTES = 8192


def _open(
    file: IO[bytes], options: dict[str, str], kind: Literal["video", "audio"]
) -> av.container.InputContainer:
    """Open a container; sound after a first look, and a thorough one where that does not do."""
    if kind == "audio":
        start = file.tell()
        probing = {**options, "probesize": str(_PROBED_BYTES)}
        with suppress(av.FFmpegError, *_STUMBLES):
            container = av.open(file, "r", options=probing, metadata_errors="replace")
            found = container.streams.audio
            if found and all(s.codec_context and s.codec_context.sample_rate for s in found):
                return container
            container.close()
        file.seek(start)
    return av.open(file, "r", options=options, metadata_errors="replace")


def claimed_seconds(source: Source) -> float | None:
    """Return the length of a clip, or of its segment, by the header, which may be wrong.

    Parameters
    ----------
    source : str, path-like or bytes
        Path, address or encoded file.

    Returns
    -------
    seconds : float or None
        None where it does not say, or cannot be opened.
    """
    for kind in ("video", "audio"):
        with suppress(MediaError), open_stream(source, kind) as (container, _):
            _, segment = split_fragment(source)
            length = container.duration / av.time_base if container.duration else None
            if segment is None:
                return length
            end = length if segment.end is None else float(segment.end)
            return None if end is None else max(end - float(segment.start), 0.0)
    return None


def main_stream(
    container: av.container.InputContainer, kind: Literal["video", "audio"], name: str
) -> Any:
    """Return the main stream of a kind; see `open_stream`."""
    covers = Disposition.attached_pic | Disposition.timed_thumbnails
    streams = [
        stream
        for stream in (container.streams.video if kind == "video" else container.streams.audio)
        if not stream.disposition & covers
    ]
    if not streams:
        found = {
            "cover picture" if stream.disposition & covers else stream.type
            for stream in container.streams
        }
        raise MediaError(
            f"{name}: expected {_MEDIUM[kind]}, found no {kind} stream (streams: "
            f"{', '.join(sorted(found)) or 'none'}). Use a clip with {_MEDIUM[kind]}, or a model "
            "for another modality."
        )
    main = next((s for s in streams if s.disposition & Disposition.default), streams[0])
    if main.codec_context is None:
        raise MediaError(
            f"{name}: expected a {kind} stream that can be decoded, found one of an unknown codec. "
            "Convert the clip, for example to MP4."
        )
    return main


def _check_claims(
    container: av.container.InputContainer,
    stream: Any,
    name: str,
    limits: Limits,
    segment: Segment | None,
) -> None:
    """Refuse a clip that says itself that it, or its segment, is beyond the limits."""
    seconds = (container.duration or 0) / av.time_base
    if segment is not None:
        seconds = float((segment.end or seconds) - segment.start)
    if seconds > limits.max_seconds:
        raise beyond_limit(name, "max_seconds", f"a header that claims {seconds:.0f} s")
    if stream.type == "audio":
        return
    context = stream.codec_context
    if segment is None and stream.frames > limits.max_frames:
        raise beyond_limit(name, "max_frames", f"a header that claims {stream.frames} frames")
    check_pixels(context, name, limits)
    if segment is None and stream.frames * context.width * context.height > (
        limits.max_decoded_pixels
    ):
        claim = f"{stream.frames} frames of {context.height} x {context.width} pixels"
        raise beyond_limit(name, "max_decoded_pixels", f"a header that claims {claim}")


def check_pixels(picture: Any, name: str, limits: Limits) -> None:
    """Refuse a frame, or a stream that claims frames, beyond the limit."""
    if picture.width * picture.height > limits.max_pixels:
        raise beyond_limit(
            name, "max_pixels", f"a picture of {picture.height} x {picture.width} pixels"
        )


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
    """Identify a clip among all others, without reading a file.

    Parameters
    ----------
    source : path, address, bytes or array
        The clip.

    Returns
    -------
    identity : tuple of str
        A file's path, size, inode and times of change; those of the archive for a member of one;
        what the server says of a remote file; the content of bytes and arrays. The times of a
        segment besides.

    Raises
    ------
    MediaError
        If there is no such file.
    """
    if isinstance(source, bytearray | memoryview):
        source = bytes(source)
    if not isinstance(source, str | os.PathLike):
        return ("content", str(joblib.hash(source, coerce_mmap=True)))
    source, segment = split_fragment(source)
    if segment is not None:
        return (*identity(source), *map(str, segment))
    path = os.fspath(source)
    member, _, place = path.rpartition("::")
    file = local_path(place)
    if file is None or (member and not member.startswith("zip://")):
        check_allowed(path)
    try:
        if file is not None:
            status = Path(file).stat()
            return (
                "file",
                member,
                str(Path(file).absolute()),
                str(status.st_size),
                str(status.st_mtime_ns),
                # Another file under the same name may have the same size and time of change.
                str(status.st_ino),
                str(status.st_ctime_ns),
            )
        system, inner = fsspec.core.url_to_fs(path, **limits_in_force().storage_options)
        return ("remote", path, system.ukey(inner))
    except FileNotFoundError:
        raise MediaError(
            f"{path}: expected a media file, found no such file. Check the path."
        ) from None
    except Exception as error:  # of the library of a storage, such as for keys that are missing
        raise MediaError(
            f"{path}: expected a media file, found {type(error).__name__}: {error}. Check the path."
        ) from error


# Containers of one clip. Play lists and the like (HLS, DASH, concat, SDP, numbered images), which
# lead to other files or to the network, are none; nor is what hardly anyone uses and no one fuzzes.
_CONTAINERS = (
    "aac,ac3,aiff,amr,ape,apng,asf,au,avi,bmp_pipe,caf,dts,dv,eac3,flac,flv,gif,h263,h264,hevc,ivf,"
    "jpeg_pipe,m4v,matroska,mjpeg,mov,mp3,mpc,mpc8,mpeg,mpegts,mpegvideo,mxf,nut,obu,ogg,png_pipe,"
    "rm,tiff_pipe,tta,voc,w64,wav,webp_pipe,wtv,wv,yuv4mpegpipe"
)
# A reference movie inside a clip leads nowhere.
_OPTIONS = {"protocol_whitelist": "none", "format_whitelist": _CONTAINERS}


def open_input(source: Source, name: str) -> IO[bytes]:
    """Open the file of a clip, or hold it in memory.

    Parameters
    ----------
    source : str, path-like or bytes
        Path, address or encoded file.
    name : str
        What to call the clip in an error.

    Returns
    -------
    file : binary file

    Raises
    ------
    MediaError
        If the file is missing, empty or cannot be opened.
    """
    if isinstance(source, bytes | bytearray | memoryview):
        return io.BytesIO(source)
    address = os.fspath(source)
    path = None if "::" in address else local_path(address)
    if path is None:
        return fetch(address)
    file: Any = open_file(path, name)
    # PyAV passes this name to FFmpeg, which would trust a suffix, or take "%d" for numbered files,
    # rather than look at the content.
    file.raw.name = "clip"
    return file
