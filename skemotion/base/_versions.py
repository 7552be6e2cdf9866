"""Versions of the packages that results depend on."""

from __future__ import annotations

import platform
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version

from .. import __version__

# The first decode and compute everywhere; the others where they are installed.
_PACKAGES = (
    "scikit-learn", "numpy", "scipy", "av", "opencv-python-headless", "librosa", "soxr", "numba",
    "ai-edge-litert", "onnxruntime", "opensmile", "scikit-image", "skops", "torch",
)  # fmt: skip


def package_versions() -> dict[str, str]:
    """Return the versions of Python, skemotion, and the packages that results depend on.

    Returns
    -------
    versions : dict of str to str
        Version by package; only what is installed.

    Examples
    --------
    >>> from skemotion.base import package_versions
    >>> list(package_versions())[:4]
    ['python', 'skemotion', 'scikit-learn', 'numpy']
    """
    # skemotion's own number does not depend on its being installed: a checkout runs as well.
    versions = {"python": platform.python_version(), "skemotion": __version__}
    for name in _PACKAGES:
        with suppress(PackageNotFoundError):
            versions[name] = version(name)
    return versions
