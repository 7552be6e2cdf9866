"""Regions of descriptions: which values belong together, and what a person calls them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

# Most places along time, rows and columns of a descriptor that are told apart.
_MOST_PLACES = {"t": 4, "y": 8, "x": 8, "curve": 7}

_SOUND = (
    ("pitch", r"pitch|f0|chroma\d*"),
    ("loudness", r"loudness|energy|rms"),
    ("voice quality", r"hnr|harmonicity|jitter|shimmer|h1-h2|h1-a3"),
    ("formants", r"f[1-9](-bandwidth)?"),
    (
        "timing",
        r"voice-length|gap-length|(log-)?n-frames|voiced-share|n-voiced|.*-per-frame|pause-share"
        r"|loudest-at|onset|modulation.*|mel\d+\+\d+",
    ),
    ("mel bands", r"mel\d*"),
    ("cepstrum", r"mfcc\d*"),
    (
        "spectral shape",
        r"contrast\d*|centroid|spread|skewness|kurtosis|rolloff\d*|entropy|flatness"
        r"|flux|alpha-ratio|hammarberg|slope[\d-]+|treble|zcr",
    ),
)
_FACE = (
    ("brows", r"brow.*"),
    ("gaze", r"eyeLook.*"),
    ("eyes", r"lid-.*|eye.*"),
    ("nose", r"nose-width|nostrils.*|noseSneer"),
    ("cheeks", r"cheek.*"),
    ("jaw", r"jaw(-width.*|Open|Forward)?|chin-.*"),
    ("head", r"roll|shift-[xy]|log-scale|yaw|pitch|jaw-yaw|nose-bridge|head-.*"),
    ("mouth", r"mouth.*|.*-lip.*"),
)
# What the blendshapes of Apple's ARKit do, in the words of the Facial Action Coding System.
_BLENDSHAPES = {
    "browDown": "brows lowered",
    "browInnerUp": "inner brows raised",
    "browOuterUp": "outer brows raised",
    "cheekPuff": "cheeks puffed",
    "cheekSquint": "cheeks raised",
    "eyeBlink": "eyes closed",
    "eyeLookDown": "looking down",
    "eyeLookIn": "looking inwards",
    "eyeLookOut": "looking outwards",
    "eyeLookUp": "looking up",
    "eyeSquint": "lids tightened",
    "eyeWide": "upper lids raised",
    "jawForward": "jaw thrust",
    "jawOpen": "jaw dropped",
    "mouthClose": "lips closed",
    "mouthDimple": "dimples",
    "mouthFrown": "lip corners pulled down",
    "mouthFunnel": "lips funnelled",
    "mouthLowerDown": "lower lip pulled down",
    "mouthPress": "lips pressed",
    "mouthPucker": "lips puckered",
    "mouthRollLower": "lower lip sucked",
    "mouthRollUpper": "upper lip sucked",
    "mouthShrugLower": "chin raised",
    "mouthShrugUpper": "upper lip pushed up",
    "mouthSmile": "lip corners pulled up",
    "mouthStretch": "lips stretched",
    "mouthUpperUp": "upper lip raised",
    "noseSneer": "nose wrinkled",
}


class Region(NamedTuple):
    """Values of a description that are shown or replaced together.

    Attributes
    ----------
    part : str
        Such as "mouth".
    measure : str
        Such as "lip corners pulled up".
    place : tuple of int
        Of a grid: (time, row, column) of pictures, (time,) of curves; empty for others.
    """

    part: str
    measure: str
    place: tuple[int, ...]


class Regions(NamedTuple):
    """The regions of one description.

    Attributes
    ----------
    regions : list of Region
    of_values : ndarray of int, shape (n_values,)
        The region of each value.
    shape : tuple of int
        Of the grid of places; empty without one.
    """

    regions: list[Region]
    of_values: NDArray[np.intp]
    shape: tuple[int, ...]


def find_regions(names: Sequence[str]) -> Regions:
    """Group the values of a description by their names.

    Parameters
    ----------
    names : sequence of str
        From ``get_feature_names_out``.

    Returns
    -------
    regions : Regions
        Cells of pictures in blocks, coefficients of curves by feature and time, statistics by what
        they are statistics of.
    """
    # What stages of a union describe is the same thing.
    names = [name.rpartition("__")[2] for name in names]
    cells = [re.fullmatch(r".*_t(\d+)_y(\d+)_x(\d+)_.*", name) for name in names]
    if names and all(cells):
        return _of_cells(np.array([match.groups() for match in cells if match], dtype=int))
    return _of_measures(names)


def _of_cells(cells: NDArray[np.intp]) -> Regions:
    shape = tuple(
        min(int(n), most) for n, most in zip(cells.max(axis=0) + 1, _places("tyx"), strict=True)
    )
    blocks = cells * np.array(shape) // (cells.max(axis=0) + 1)
    places, index = np.unique(blocks, axis=0, return_inverse=True)
    thirds = ("upper third", "middle third", "lower third")
    regions = [
        Region(thirds[3 * (2 * y + 1) // (2 * shape[1])], _block(t, y, x), (t, y, x))
        for t, y, x in places.tolist()
    ]
    return Regions(regions, index.ravel(), shape)


def _block(t: int, y: int, x: int) -> str:
    return f"row {y + 1}, column {x + 1}, time {t + 1}"


def _of_measures(names: Sequence[str]) -> Regions:
    stems, points = [], []
    for name in names:
        stem, *rest = name.split("_")
        place = next((part for part in rest if re.fullmatch(r"(spline|point|frame)\d+", part)), "")
        points.append(int(re.sub(r"\D", "", place) or -1))
        stems.append(re.sub(r"-delta\d?$", "", stem))
    is_face = any(re.fullmatch("lid-opening|eyeBlink(Left)?", stem) for stem in stems)
    # Statistics next to curves have no place in time: what they describe is then one region.
    if min(points, default=-1) < 0:
        points = [-1] * len(points)
    n_points = max(points, default=-1) + 1
    n_places = min(n_points, _MOST_PLACES["curve"])
    found: dict[Region, int] = {}
    index = []
    for stem, point in zip(stems, points, strict=True):
        part, measure = _words(stem, is_face=is_face, is_curve=point >= 0)
        stretch = (point * n_places // n_points,) if point >= 0 else ()
        region = Region(part, measure, stretch)
        index.append(found.setdefault(region, len(found)))
    return Regions(list(found), np.array(index, dtype=np.intp), (n_places,) if n_places else ())


def _words(stem: str, *, is_face: bool, is_curve: bool) -> tuple[str, str]:
    """Name the part and the measure that a value belongs to."""
    if is_face:
        stem = re.sub("(Left|Right)$", "", stem)
    for part, pattern in _FACE if is_face else _SOUND:
        if re.fullmatch(pattern, stem):
            if is_face:
                return part, face_words(stem)
            if "+" in stem:
                return part, "rhythm of mel bands"
            families = r"^(mfcc|mel|chroma|contrast|rolloff)\d+$"
            return part, stem if is_curve else re.sub(families, r"\1", stem)
    plain = re.sub(r"\d+$", "", stem) or stem
    return plain, stem if is_curve else plain


def face_words(stem: str) -> str:
    """Say in words what a measure of the face or a blendshape is, of both sides together.

    Parameters
    ----------
    stem : str
        Such as "mouthSmileLeft".

    Returns
    -------
    words : str
        Such as "lip corners pulled up".
    """
    both = re.sub("(Left|Right)$", "", stem)
    if both in ("mouth", "jaw"):
        return f"{both} sideways"
    return _BLENDSHAPES.get(both, stem.replace("-", " "))


def _places(axes: str) -> list[int]:
    return [_MOST_PLACES[axis] for axis in axes]
