"""Video: loading clips and describing them."""

from ._decoding import decode_clip
from ._face_crop import FaceCrop
from ._face_landmarks import FaceLandmarks
from ._face_measures import FaceMeasures, face_measures
from ._frame_hog import FrameHOG, frame_hog
from ._frame_size import common_frame_size
from ._hog3d import HOG3D, hog3d
from ._landmark_files import read_landmarks
from ._landmark_loader import LandmarkLoader
from ._landmark_track import LandmarkTrack, face_landmarks
from ._loader import VideoLoader
from ._onnx_backbone import ONNXBackbone

__all__ = [
    "HOG3D",
    "FaceCrop",
    "FaceLandmarks",
    "FaceMeasures",
    "FrameHOG",
    "LandmarkLoader",
    "LandmarkTrack",
    "ONNXBackbone",
    "VideoLoader",
    "common_frame_size",
    "decode_clip",
    "face_landmarks",
    "face_measures",
    "frame_hog",
    "hog3d",
    "read_landmarks",
]
