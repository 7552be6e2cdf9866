"""Video: loading clips and describing them."""

from ._decoding import decode_clip
from ._face_crop import FaceCrop
from ._face_measures import FaceMeasures, face_measures
from ._frame_hog import FrameHOG, frame_hog
from ._hog3d import HOG3D, hog3d
from ._landmark_files import read_landmarks
from ._landmark_loader import LandmarkLoader
from ._loader import VideoLoader
from ._onnx_backbone import ONNXBackbone

__all__ = [
    "HOG3D",
    "FaceCrop",
    "FaceMeasures",
    "FrameHOG",
    "LandmarkLoader",
    "ONNXBackbone",
    "VideoLoader",
    "decode_clip",
    "face_measures",
    "frame_hog",
    "hog3d",
    "read_landmarks",
]
