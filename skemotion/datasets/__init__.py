"""Datasets: published corpora on disk, and a synthetic one."""

from ._corpus import NAMINGS, load_corpus
from ._ravdess import load_ravdess
from ._synthetic import make_ravdess

__all__ = ["NAMINGS", "load_corpus", "load_ravdess", "make_ravdess"]
