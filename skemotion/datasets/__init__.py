"""Datasets: published corpora on disk or to be fetched, several as one, and a synthetic one."""

from ._annotations import load_annotations
from ._clips import find_clips
from ._concat import concat_corpora
from ._corpus import NAMINGS, SCHEMES, load_corpus
from ._fetch import fetch_ravdess
from ._fetch_landmarker import fetch_face_landmarker
from ._folders import load_folders
from ._ravdess import load_ravdess
from ._synthetic import make_ravdess
from ._table import load_table
from ._table_files import SPREADSHEETS, TABLES

__all__ = [
    "NAMINGS",
    "SCHEMES",
    "SPREADSHEETS",
    "TABLES",
    "concat_corpora",
    "fetch_face_landmarker",
    "fetch_ravdess",
    "find_clips",
    "load_annotations",
    "load_corpus",
    "load_folders",
    "load_ravdess",
    "load_table",
    "make_ravdess",
]
