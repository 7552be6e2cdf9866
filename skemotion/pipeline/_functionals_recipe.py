"""The recipe of functionals: a classifier per modality, and the product of their probabilities."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.compose import ColumnTransformer
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression, RidgeClassifier
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from ..audio import AudioLoader, SpeechFunctionals
from ..classification import BalancedLDA, FusionClassifier
from ..decomposition import TrajectoryStatistics
from ..preprocessing import FisherWeighting, SpeakerScaler
from ..video import HOG3D, FaceCrop, FaceLandmarks, FaceMeasures, LandmarkLoader, VideoLoader
from ._clip_pipeline import ClipPipeline

Steps = list[tuple[str, Any]]

_STATISTICS = (
    "mean", "std", "p5", "p25", "p50", "p75", "p95", "slope", "velocity_std", "velocity_p95",
)  # fmt: skip
_FRAME_RATE = 30.0


def functionals_model(
    modality: str, picture: str, speaker: str | None, sample_rate: int, settings: dict[str, Any]
) -> FusionClassifier:
    """Build the recipe of functionals; see `make_emotion_pipeline`.

    Parameters
    ----------
    modality : {"both", "video", "audio"}
    picture : {"face", "landmarks", "hog3d"}
    speaker : str or None
    sample_rate : int
    settings : dict
        Of each `ClipPipeline`.

    Returns
    -------
    model : FusionClassifier
    """
    branches = {
        "audio": ("audio", _speech_stages(sample_rate), _speech_classifier()),
        "video": (
            "landmarks" if picture == "landmarks" else "video",
            _picture_stages(picture),
            _hog3d_classifier() if picture == "hog3d" else _face_classifier(),
        ),
    }
    estimators = []
    for name, (column, stages, classifier) in branches.items():
        if modality in (name, "both"):
            # What one modality lacks is left to the other, so that no clip ends a run.
            clips = ClipPipeline(stages, on_error="nan", flatten=True, **settings)
            steps, columns = _first_steps(clips, column, speaker)
            estimators.append((name, Pipeline([*steps, *classifier]), columns))
    return FusionClassifier(estimators, speaker=speaker or "speaker")


def _first_steps(clips: ClipPipeline, column: str, speaker: str | None) -> tuple[Steps, Any]:
    """Give the steps up to standardised numbers, and the columns that they read."""
    if speaker is None:
        return [("clips", clips), ("scale", StandardScaler())], column
    side_by_side = ColumnTransformer(
        [("clips", clips, column), ("speaker", "passthrough", [speaker])],
        verbose_feature_names_out=False,
    ).set_output(transform="pandas")
    steps = [("columns", side_by_side), ("scale", SpeakerScaler(speaker))]
    return steps, [column, speaker]


def _speech_stages(sample_rate: int) -> Steps:
    return [
        ("load", AudioLoader(sample_rate)),
        ("functionals", SpeechFunctionals(sample_rate=sample_rate)),
    ]


def _speech_classifier() -> Steps:
    return [
        ("clip", FunctionTransformer(np.clip, kw_args={"a_min": -5, "a_max": 5})),
        ("weight", FisherWeighting()),
        # All components: they set what the covariance is shrunk towards.
        ("pca", PCA(svd_solver="full")),
        ("lda", BalancedLDA(0.5)),
    ]


def _picture_stages(picture: str) -> Steps:
    if picture == "hog3d":
        return [
            ("load", VideoLoader(n_frames=60, scale=1)),
            ("crop", FaceCrop(size=(96, 96), margin=0.0)),
            ("hog3d", HOG3D(cell_size=(15, 16, 16))),
        ]
    statistics = ("statistics", TrajectoryStatistics(_STATISTICS, rate=_FRAME_RATE))
    if picture == "landmarks":
        return [("load", LandmarkLoader()), ("measures", FaceMeasures()), statistics]
    face = FaceLandmarks(output=("landmarks", "blendshapes"), fps=_FRAME_RATE)
    return [("landmarks", face), ("measures", FaceMeasures()), statistics]


def _face_classifier() -> Steps:
    members = [
        ("lda", BalancedLDA(0.3), slice(None)),
        ("logistic", LogisticRegression(C=0.1, class_weight="balanced", max_iter=500), slice(None)),
    ]
    return [("members", FusionClassifier(members))]


def _hog3d_classifier() -> Steps:
    return [("ridge", RidgeClassifier(alpha=100.0, class_weight="balanced"))]
