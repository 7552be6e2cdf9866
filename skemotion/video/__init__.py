"""Video: loading clips and describing them."""

from ._hog3d import HOG3D, hog3d
from ._loader import VideoLoader

__all__ = ["HOG3D", "VideoLoader", "hog3d"]
