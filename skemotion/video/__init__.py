"""Video: loading clips and describing them."""

from ._hog3d import HOG3D, hog3d
from ._loader import VideoLoader, decode_clip

__all__ = ["HOG3D", "VideoLoader", "decode_clip", "hog3d"]
