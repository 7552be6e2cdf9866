"""Download the networks of MediaPipe's face landmarker."""

from __future__ import annotations

import os
from numbers import Integral
from pathlib import Path

from sklearn.utils import check_scalar

_FILE = "face_landmarker.task"
_URL = (
    "https://storage.googleapis.com/mediapipe-models/face_landmarker/face_landmarker/float16/1/"
    + _FILE
)
_CHECKSUM = "sha256:64184e229b263107bc2b804c6625db1341ff2bb731874b0bcc2fe6544e0bc9ff"
_TIMEOUT = 60  # seconds without a byte


def fetch_face_landmarker(
    *,
    folder: str | os.PathLike[str] | None = None,
    download_if_missing: bool = True,
    n_retries: int = 3,
    verbose: bool = True,
) -> Path:
    """Download the networks of MediaPipe's face landmarker if they are missing.

    `skemotion.video.FaceLandmarks` needs them: one file of 3.8 MB [1]_, under the Apache-2.0
    licence.

    Parameters
    ----------
    folder : str or path-like, default=None
        Where to put the file; None for skemotion's folder in the user's cache, where
        `FaceLandmarks` looks for it.
    download_if_missing : bool, default=True
        Whether to download what is missing, rather than raise an error.
    n_retries : int, default=3
        How often to retry a download that is interrupted or damaged.
    verbose : bool, default=True
        Whether to show progress.

    Returns
    -------
    path : pathlib.Path
        Of the file.

    Raises
    ------
    ConnectionError
        If it cannot be downloaded.
    FileNotFoundError
        If it is missing and `download_if_missing` is False.
    OSError
        If what was downloaded is not what was published, or if it cannot be written.
    ValueError
        If a parameter is outside its range.

    Notes
    -----
    The file gets its name once it is whole and its checksum (SHA-256) is right. What is there
    under its name with the right checksum is taken as it is, without a connection; with another
    one, it is downloaded again.

    References
    ----------
    .. [1] https://ai.google.dev/edge/mediapipe/solutions/vision/face_landmarker

    Examples
    --------
    >>> from skemotion.datasets import fetch_face_landmarker
    >>> fetch_face_landmarker().name  # doctest: +SKIP
    'face_landmarker.task'
    """
    import pooch
    import requests

    check_scalar(n_retries, "n_retries", Integral, min_val=0)
    place = Path(pooch.os_cache("skemotion") if folder is None else folder).expanduser().absolute()
    path = place / _FILE
    if not path.is_file() and not download_if_missing:
        raise FileNotFoundError(
            f"{path}: no such file, and download_if_missing is False. Let it be downloaded, or put "
            "it there."
        )
    kennel = pooch.create(
        place,
        base_url="",
        registry={_FILE: _CHECKSUM},
        urls={_FILE: _URL},
        retry_if_failed=n_retries,
    )
    logger = pooch.get_logger()
    level = logger.level
    logger.setLevel("INFO" if verbose else "WARNING")
    by_hand = f"Call again, or download {_URL} by hand and pass FaceLandmarks(model_path=...)."
    try:
        kennel.fetch(_FILE, downloader=pooch.HTTPDownloader(progressbar=verbose, timeout=_TIMEOUT))
    except requests.RequestException as error:
        raise ConnectionError(f"{path}: expected {_URL}, found {error}. {by_hand}") from error
    except ValueError as error:  # what pooch raises on another checksum
        raise OSError(
            f"{path}: expected the checksum {_CHECKSUM}, found another in what came from {_URL}, "
            f"which is deleted. {by_hand}"
        ) from error
    finally:
        logger.setLevel(level)
    return path
