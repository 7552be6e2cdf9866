"""Video: loading clips and describing them."""

from ._decoding import decode_clip
from ._hog3d import HOG3D, hog3d
from ._loader import VideoLoader

__all__ = ["HOG3D", "VideoLoader", "decode_clip", "hog3d"]
