"""Download RAVDESS from where it is published."""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Iterator, Sequence
from functools import partial
from numbers import Integral
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
from sklearn.utils import Bunch, check_scalar
from tqdm import tqdm

from ._files import take_rows
from ._ravdess import load_ravdess

_RECORD = "https://zenodo.org/api/records/1188976"
_LANDMARKS_RECORD = "https://zenodo.org/api/records/3255102"
_AUDIO = "Audio_Speech_Actors_01-24.zip"
_VIDEO = "Video_Speech_Actor_{:02d}.zip"
_LANDMARKS = "FacialTracking_Actors_01-24.zip"
_ACTORS = range(1, 25)
_TIMEOUT = 60  # seconds without a byte
_LEAST_RATE = 10_000  # bytes a second, over all of a download
_MOST_OF_RECORD = 1 << 24  # bytes
_CHUNK = 1 << 16
_BY_HAND = (
    "Call again to go on, or download the archives by hand from https://zenodo.org/records/1188976 "
    "(landmarks: https://zenodo.org/records/3255102) and pass their folder to load_ravdess."
)


class _Published(NamedTuple):
    url: str
    size: int
    checksum: str  # with its algorithm, "md5:..."


def fetch_ravdess(
    modality: Literal["audio", "video", "both"] = "audio",
    *,
    actors: Sequence[int] | None = None,
    landmarks: bool = False,
    data_home: str | os.PathLike[str] | None = None,
    download_if_missing: bool = True,
    n_retries: int = 3,
    verbose: bool = True,
) -> Bunch:
    """Download RAVDESS speech if it is missing, and load it.

    The archives [1]_ come from https://zenodo.org/records/1188976, under the licence CC BY-NC-SA
    4.0: non-commercial use, adaptations under the same licence, the authors named. They stay
    zipped. Called again, an interrupted download continues where it stopped.

    Parameters
    ----------
    modality : {"audio", "video", "both"}, default="audio"
        The archives: that of the sound of all actors (about 0.2 GB), those of video, one per actor
        (about 0.5 GB each), or all of them. Video has sound as well, as AAC; "both" takes the
        uncompressed sound.
    actors : sequence of int, default=None
        The actors, 1 to 24. None means all of them. There is one archive of all actors' sound,
        and one of their landmarks.
    landmarks : bool, default=False
        Whether to add the facial landmarks of every frame of the videos [2]_, as OpenFace found
        them (about 0.4 GB, from https://zenodo.org/records/3255102, under the same licence).
    data_home : str or path-like, default=None
        Folder for data sets; the archives go to ``ravdess/audio``, ``ravdess/video`` and
        ``ravdess/landmarks`` in it.
        None means that of the environment variable ``SKEMOTION_DATA``, else
        ``~/skemotion_data``.
    download_if_missing : bool, default=True
        Whether to download what is missing, rather than raise an error.
    n_retries : int, default=3
        How often to retry a download that is interrupted or damaged.
    verbose : bool, default=True
        Whether to show progress.

    Returns
    -------
    corpus : :class:`~sklearn.utils.Bunch`
        What :func:`load_ravdess` returns.

    Raises
    ------
    ConnectionError
        If the record or an archive cannot be downloaded.
    FileNotFoundError
        If an archive is missing and `download_if_missing` is False.
    OSError
        If what was downloaded is not what was published, or if it cannot be written.
    ValueError
        If a parameter is outside its range.

    See Also
    --------
    load_ravdess : Load archives that are there.
    make_ravdess : Make a small synthetic corpus of the same form.

    Notes
    -----
    The sizes and MD5 checksums of the archives are those of the record of the corpus, asked for at
    each download. An archive gets its name once it is whole and its checksum is right; until then
    it is a file that ends in ``.part``. What is there under its name is taken as it is, and without
    anything to download no connection is made. Archives downloaded by hand may be put there too.

    References
    ----------
    .. [1] Livingstone SR, Russo FA (2018). The Ryerson Audio-Visual Database of Emotional Speech
           and Song (RAVDESS). PLoS ONE 13(5): e0196391.
           https://doi.org/10.1371/journal.pone.0196391
    .. [2] Swanson R, Livingstone SR, Russo FA (2019). RAVDESS Facial Landmark Tracking.
           https://doi.org/10.5281/zenodo.3255102

    Examples
    --------
    >>> from skemotion.datasets import fetch_ravdess
    >>> corpus = fetch_ravdess("audio")  # doctest: +SKIP
    >>> corpus.data.shape  # doctest: +SKIP
    (1440, 2)
    """
    if modality not in ("audio", "video", "both"):
        raise ValueError(f"modality must be 'audio', 'video' or 'both', got {modality!r}.")
    wanted = list(_ACTORS) if actors is None else list(actors)
    if not wanted or not set(wanted) <= set(_ACTORS):
        raise ValueError(f"actors must be some of 1 to 24, got {actors!r}.")
    check_scalar(n_retries, "n_retries", Integral, min_val=0)
    folder = _data_home(data_home) / "ravdess"
    archives = []
    if modality != "video":
        archives.append(folder / "audio" / _AUDIO)
    if modality != "audio":
        archives += [folder / "video" / _VIDEO.format(a) for a in _ACTORS if a in wanted]
    if landmarks:
        archives.append(folder / "landmarks" / _LANDMARKS)

    missing = [archive for archive in archives if not archive.is_file()]
    if missing and not download_if_missing:
        raise FileNotFoundError(
            f"{missing[0]}: no such archive (missing: {len(missing)}), and download_if_missing is "
            "False. Let it be downloaded, or put it there."
        )
    if missing:
        _download(missing, n_retries=n_retries, verbose=verbose)
    corpus = load_ravdess(
        folder if modality == "both" else folder / modality,
        landmarks=folder / "landmarks" if landmarks else None,
    )
    return take_rows(corpus, np.isin(corpus.groups, wanted))


def _data_home(path: str | os.PathLike[str] | None) -> Path:
    if path is None:
        path = os.environ.get("SKEMOTION_DATA") or Path("~", "skemotion_data")
    return Path(path).expanduser().absolute()


def _download(archives: Sequence[Path], *, n_retries: int, verbose: bool) -> None:
    """Download archives; each gets its name once it is whole and its checksum is right."""
    import pooch
    import requests

    published: dict[str, _Published] = {}
    for record in (_RECORD, _LANDMARKS_RECORD):
        of_record = [a.name for a in archives if (a.name == _LANDMARKS) == (record != _RECORD)]
        if of_record:
            published |= _ask_record(record, of_record)
    logger = pooch.get_logger()
    level = logger.level
    logger.setLevel("INFO" if verbose else "WARNING")
    try:
        for archive in archives:
            url, size, checksum = published[archive.name]
            part = archive.with_name(f"{archive.name}.part")
            kennel = pooch.create(
                archive.parent,
                base_url="",
                registry={archive.name: checksum},
                urls={archive.name: url},
                retry_if_failed=n_retries,
            )
            try:
                kennel.fetch(
                    archive.name, downloader=partial(_resume, part=part, size=size, verbose=verbose)
                )
            except requests.RequestException as error:
                there = part.stat().st_size if part.exists() else 0
                raise ConnectionError(
                    f"{archive.name}: expected {size} bytes from {url}, found {_reason(error)} "
                    f"after {there}. {_BY_HAND}"
                ) from error
            except ValueError as error:  # what pooch raises on another checksum
                raise OSError(
                    f"{archive.name}: expected the checksum {checksum}, as published, found "
                    f"another in what came from {url}, which is deleted. {_BY_HAND}"
                ) from error
    finally:
        logger.setLevel(level)


def _ask_record(record: str, names: Sequence[str]) -> dict[str, _Published]:
    """Look up what the record of a data set says of its archives."""
    import requests

    try:
        with requests.get(record, timeout=_TIMEOUT, stream=True) as response:
            response.raise_for_status()
            content = b"".join(_received(response, record, _MOST_OF_RECORD))
    except requests.RequestException as error:
        raise ConnectionError(
            f"{record}: expected the record of RAVDESS, found {_reason(error)}. {_BY_HAND}"
        ) from error
    published = {}
    try:
        files = {file["key"]: file for file in json.loads(content)["files"]}
        for name in names:
            file = files[name]
            checksum = str(file["checksum"])
            if not re.fullmatch("md5:[0-9a-f]{32}", checksum):
                raise ValueError(f"checksum {checksum}")
            published[name] = _Published(file["links"]["self"], int(file["size"]), checksum)
    except (KeyError, TypeError, ValueError) as error:
        raise OSError(
            f"{record}: expected a list of files with address, size and MD5 checksum of "
            f"{', '.join(names[:3])}, found another form ({error!r}). {_BY_HAND}"
        ) from error
    return published


def _resume(url: str, output: str, _: Any, *, part: Path, size: int, verbose: bool) -> None:
    """Download a file from where an earlier download broke off; the downloader of pooch.

    Parameters
    ----------
    url : str
        What to download.
    output : str
        The file to write once all is there.
    part : pathlib.Path
        The file that holds the first bytes in the meantime, and stays where it breaks off.
    size : int
        Bytes that are published.
    verbose : bool
        Whether to show progress.

    Raises
    ------
    requests.RequestException
        If it breaks off, or is far too slow.
    OSError
        If more comes than was published.
    """
    import requests

    if part.exists() and part.stat().st_size > size:
        part.unlink()
    part.touch()
    start = part.stat().st_size
    if start < size:
        # What is counted are bytes of the file, so that it must not come compressed.
        headers = {"Accept-Encoding": "identity"}
        if start:
            headers["Range"] = f"bytes={start}-"
        with requests.get(url, headers=headers, stream=True, timeout=_TIMEOUT) as response:
            response.raise_for_status()
            if response.status_code != requests.codes.partial_content:
                start = 0  # this server sends all of it
            with (
                part.open("r+b") as file,
                tqdm(
                    desc=part.stem,
                    initial=start,
                    total=size,
                    unit="B",
                    unit_scale=True,
                    disable=not verbose,
                ) as bar,
            ):
                file.seek(start)
                for chunk in _received(response, url, size - start):
                    bar.update(file.write(chunk))
    if part.stat().st_size != size:
        raise requests.ConnectionError(f"{part.stat().st_size} of {size} bytes")
    part.replace(output)


def _received(response: Any, url: str, most: int) -> Iterator[bytes]:
    """Give what a server sends as it arrives, up to a size, and as long as it is not too slow."""
    import requests
    import urllib3

    start, n_bytes = time.monotonic(), 0
    while True:
        try:
            chunk = response.raw.read1(_CHUNK, decode_content=True)
        except urllib3.exceptions.HTTPError as error:
            raise requests.ConnectionError(str(error)) from error
        if not chunk:
            return
        n_bytes += len(chunk)
        if n_bytes > most:
            raise OSError(
                f"{url}: expected {most} bytes at most, as published, found more. {_BY_HAND}"
            )
        if time.monotonic() - start > _TIMEOUT + n_bytes / _LEAST_RATE:
            raise requests.Timeout(f"{n_bytes} bytes")
        yield chunk


def _reason(error: Any) -> str:
    import requests

    if error.response is not None:
        return f"status {error.response.status_code}"
    if isinstance(error, requests.Timeout):
        return f"a connection that is too slow ({type(error).__name__})"
    return f"no connection ({type(error).__name__})"
