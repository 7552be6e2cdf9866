"""Video: loading clips and describing them."""

from ._decoding import decode_clip
from ._face_crop import FaceCrop
from ._frame_hog import FrameHOG, frame_hog
from ._frame_size import common_frame_size
from ._hog3d import HOG3D, hog3d
from ._loader import VideoLoader
from ._onnx_backbone import ONNXBackbone

__all__ = [
    "HOG3D",
    "FaceCrop",
    "FrameHOG",
    "ONNXBackbone",
    "VideoLoader",
    "common_frame_size",
    "decode_clip",
    "frame_hog",
    "hog3d",
]
