"""The cluster whose workers process the clips, as the options name it."""

from __future__ import annotations

import argparse
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

# For an answer from the scheduler.
_SECONDS = 10


def cluster_options() -> argparse.ArgumentParser:
    """Make what says where clips are processed, if not on this machine."""
    parser = argparse.ArgumentParser(add_help=False)
    cluster = parser.add_argument_group(
        "cluster",
        "its workers process the clips, --jobs or not; clips and --cache have the same path on all "
        "machines",
    )
    cluster.add_argument("--backend", choices=("dask",), help="what kind of cluster it is")
    cluster.add_argument("--address", metavar="tcp://HOST:PORT", help="address of its scheduler")
    return parser


@contextmanager
def cluster_given(options: argparse.Namespace) -> Iterator[None]:
    """Process clips inside on the cluster of `cluster_options`, if there is one."""
    backend, address = (getattr(options, name, None) for name in ("backend", "address"))
    if backend is None and address is None:
        yield
        return
    if backend is None or address is None:
        raise ValueError(
            "A cluster needs both --backend dask and --address tcp://HOST:PORT, its scheduler's."
        )
    if getattr(options, "cache", "") is None:  # predict needs none
        raise ValueError(
            "A cluster needs --cache FOLDER, a folder that all machines have under this name: its "
            "workers keep there what they make of each clip."
        )
    try:
        from distributed import Client
    except ImportError as error:
        raise ImportError(
            'A cluster needs the package distributed: python -m pip install "skemotion[cluster]".'
        ) from error
    import joblib

    _check(address)
    connect: Any = Client  # which has no type hints
    with connect(address), joblib.parallel_config(backend=backend):
        yield


def _check(address: str) -> None:
    """Refuse an address where nobody listens: a client would wait for long, and end untidily."""
    try:
        parts = urlsplit(address)
        if parts.scheme not in ("tcp", "tls") or parts.hostname is None or parts.port is None:
            raise ValueError("it is not of the form tcp://HOST:PORT")
        socket.create_connection((parts.hostname, parts.port), timeout=_SECONDS).close()
    except (OSError, ValueError) as error:
        raise OSError(
            f"{address}: expected the address of a dask scheduler, such as tcp://scheduler:8786: "
            f"{error}. Start one with `dask scheduler`, and workers with "
            "`dask worker tcp://scheduler:8786 --nthreads 1`."
        ) from error
