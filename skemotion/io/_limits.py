"""Limits on the size of clips, and on what may be opened."""

from __future__ import annotations

import copyreg
import os
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Limits:
    """Limits on what is loaded; `limits` explains and changes them."""

    max_pixels: int = 2**26
    max_frames: int = 100_000
    max_decoded_pixels: int = 2**37
    max_seconds: float = 1800
    max_bytes: int = 2**31
    max_ratio: float = 200
    sample_rates: tuple[int, int] = (1_000, 1_000_000)
    allow_urls: bool = False
    # Secrets, which no error should show.
    storage_options: Mapping[str, Any] = field(default_factory=dict, repr=False)
    max_decode_seconds: float = 600
    max_memory: int | None = None
    # Whether time or memory were limited by the user, for which workers are needed.
    need_workers: bool = False

    @property
    def memory(self) -> int | None:
        """Bytes that a worker may take, if it is known how many there are."""
        return _half_of_memory() if self.max_memory is None else self.max_memory


@cache
def _half_of_memory() -> int | None:
    sizes = []
    if hasattr(os, "sysconf") and "SC_PHYS_PAGES" in os.sysconf_names:
        sizes.append(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    with suppress(OSError, ValueError):  # of a container
        sizes.append(int(Path("/sys/fs/cgroup/memory.max").read_text(encoding="ascii")))
    return min(sizes) // 2 if sizes else None


@contextmanager
def limits(
    *,
    max_pixels: int | None = None,
    max_frames: int | None = None,
    max_decoded_pixels: int | None = None,
    max_seconds: float | None = None,
    max_bytes: int | None = None,
    max_ratio: float | None = None,
    sample_rates: tuple[int, int] | None = None,
    allow_urls: bool | None = None,
    max_decode_seconds: float | None = None,
    max_memory: int | None = None,
    storage_options: Mapping[str, Any] | None = None,
) -> Iterator[Limits]:
    """Change the limits on what is loaded, for the code inside a ``with`` block.

    A clip that exceeds a limit is refused with a `MediaError`, before its memory is allocated.
    Limits that are not given stay as they are outside. The limits also apply in the workers of a
    `ClipPipeline`, threads and processes, and in the processes that joblib starts for scikit-learn,
    as in ``GridSearchCV(n_jobs=2)``; they are not part of a model and are not saved with it.

    `max_decode_seconds` and `max_memory` are limits of worker processes. These are used where one
    clip must not end a run: in `ClipPipeline` with ``on_error="nan"``, `find_unusable`,
    `fit_usable`, `predict_clips` and the command line; and in every `ClipPipeline` inside the
    ``with`` block if one of the two is given. They do not apply to a loader called by itself.

    Parameters
    ----------
    max_pixels : int, default=2**26
        Height times width of a picture as stored; 8192 x 8192.
    max_frames : int, default=100_000
        Frames of a clip, as stated by its header or decoded; 66 minutes at 25 Hz.
    max_decoded_pixels : int, default=2**37
        Height times width of all decoded frames of a clip together; 44 minutes of 1080p at 25 Hz.
    max_seconds : float, default=1800
        Duration (s) of a clip as stated by its header, or of decoded sound; for a segment of a
        clip, its own.
    max_bytes : int, default=2**31
        Size (bytes) of what is held in memory of one clip: of a file that is read whole, as from
        an archive or an address; of its waveform; of its resized frames.
    max_ratio : float, default=200
        Size of a member of a zip archive, as a multiple of its compressed size, if it is larger
        than 64 MiB.
    sample_rates : tuple of 2 int, default=(1_000, 1_000_000)
        Lowest and highest sample rate of sound (Hz).
    allow_urls : bool, default=False
        Whether to open addresses that may lead to another machine: any but paths, ``file://``
        and ``zip://`` on a local archive.
    max_decode_seconds : float, default=600
        Time (s) that all steps of a `ClipPipeline` may take for a clip; a worker process that takes
        longer is ended.
    max_memory : int, default=None
        Memory (bytes) that a worker process may take for a clip, besides what it has at its start;
        by default, half of the machine's. On Linux.
    storage_options : mapping, default={}
        What fsspec needs to open such addresses, such as ``{"anon": True}`` for public ``s3://``
        buckets, or keys. Tables at addresses are opened with them as well. Settings for several
        kinds of storage belong into fsspec's own configuration.

    Yields
    ------
    limits : Limits
        Those in force inside.

    Raises
    ------
    ValueError
        If a limit is not a positive number, or the sample rates are not a range.

    Examples
    --------
    >>> import skemotion
    >>> from skemotion.audio import AudioLoader
    >>> try:
    ...     AudioLoader().transform(["https://example.org/a.wav"])
    ... except skemotion.MediaError as error:
    ...     print(str(error)[:59])
    https://example.org/a.wav: expected a path, or zip://member
    >>> with skemotion.limits(max_seconds=7200, allow_urls=True) as inside:
    ...     print(inside.max_seconds, inside.allow_urls)  # and load it here
    7200 True
    """
    given = {
        "max_pixels": max_pixels,
        "max_frames": max_frames,
        "max_decoded_pixels": max_decoded_pixels,
        "max_seconds": max_seconds,
        "max_bytes": max_bytes,
        "max_ratio": max_ratio,
        "sample_rates": sample_rates,
        "allow_urls": allow_urls,
        "max_decode_seconds": max_decode_seconds,
        "max_memory": max_memory,
        "storage_options": storage_options,
    }
    changes: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
    for name, value in changes.items():
        if name.startswith("max_") and not value > 0:
            raise ValueError(f"{name} must be a positive number, got {value!r}.")
    if sample_rates is not None and not 0 < sample_rates[0] <= sample_rates[1]:
        raise ValueError(f"sample_rates must be (lowest, highest) in Hz, got {sample_rates!r}.")
    if max_decode_seconds is not None or max_memory is not None:
        changes["need_workers"] = True
    with enforced(replace(limits_in_force(), **changes)) as changed, _sent_along(changed):
        yield changed


_DEFAULTS = Limits()
_in_force: ContextVar[Limits] = ContextVar("_in_force", default=_DEFAULTS)


def limits_in_force() -> Limits:
    """Return the limits in force."""
    return _in_force.get()


@contextmanager
def enforced(changed: Limits) -> Iterator[Limits]:
    """Apply limits to a ``with`` block, as in a worker that does not know the caller's."""
    token = _in_force.set(changed)
    try:
        yield changed
    finally:
        _in_force.reset(token)


# Those of the blocks that are open, by thread, outer ones first. joblib pickles what it sends to
# its processes in a thread of its own, where no context variable is known.
_open: dict[object, tuple[int, Limits]] = {}


@contextmanager
def _sent_along(changed: Limits) -> Iterator[None]:
    """Let joblib's processes, which may have been started before, know limits, too."""
    from joblib.parallel import BatchedCalls

    copyreg.pickle(BatchedCalls, _reduced)
    block = object()
    _open[block] = threading.get_ident(), changed
    try:
        yield
    finally:
        del _open[block]


def _reduced(calls: Any) -> tuple[Any, ...]:
    """Pickle calls that joblib sends to a process, with the limits of this one."""
    make, arguments = calls.__reduce__()
    innermost = list(dict(list(_open.values())).values())
    if not innermost:
        return make, arguments
    if any(other != innermost[0] for other in innermost):
        raise RuntimeError(
            "Several threads have set different limits, and it is not known which of them started "
            "joblib's processes. Set n_jobs of the ClipPipeline instead of that of a search or a "
            "cross-validation, or run one after the other."
        )
    return _limited, (innermost[0], make, arguments)


def _limited(sent: Limits, make: Callable[..., Any], arguments: tuple[Any, ...]) -> Any:
    return _Limited(sent, make(*arguments))


class _Limited:
    """Calls under the limits of who sent them."""

    def __init__(self, sent: Limits, calls: Callable[[], Any]) -> None:
        self._sent, self._calls = sent, calls

    def __call__(self) -> Any:
        with enforced(self._sent):
            return self._calls()
