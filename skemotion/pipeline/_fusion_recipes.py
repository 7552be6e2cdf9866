"""The recipes of fusion: classifiers per modality, and the product of their probabilities."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.compose import ColumnTransformer
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression, RidgeClassifier
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from ..audio import AudioLoader, SpeechFunctionals, SpeechTrajectories, functional_names
from ..classification import BalancedLDA, FusionClassifier
from ..decomposition import MiniRocket, TrajectoryResampler, TrajectoryStatistics
from ..preprocessing import FisherWeighting, SpeakerScaler
from ..video import HOG3D, FaceCrop, FaceLandmarks, FaceMeasures, LandmarkLoader, VideoLoader
from ._clip_pipeline import ClipPipeline
from ._clip_union import ClipUnion

Steps = list[tuple[str, Any]]

_STATISTICS = (
    "mean", "std", "p5", "p25", "p50", "p75", "p95", "slope", "velocity_std", "velocity_p95",
)  # fmt: skip
_FRAME_RATE = 30.0
_SPEECH_POINTS, _FACE_POINTS = 150, 96
# What the stages give; a test holds them to it.
_SPEECH_CURVES, _MEASURES, _POSE, _BLENDSHAPES = 20, 33, 8, 51


def fusion_model(
    modality: str,
    picture: str,
    speaker: str | None,
    sample_rate: int,
    settings: dict[str, Any],
    *,
    rockets: bool,
) -> FusionClassifier:
    """Build the recipe of functionals, or that of rockets; see `make_emotion_pipeline`.

    Parameters
    ----------
    modality : {"both", "video", "audio"}
    picture : {"face", "landmarks", "hog3d"}
    speaker : str or None
    sample_rate : int
    settings : dict
        Of each `ClipPipeline`.
    rockets : bool
        Whether each modality has a member of convolutions besides that of functionals.

    Returns
    -------
    model : FusionClassifier
    """
    branches = {
        "audio": ("audio", *_speech(sample_rate, rockets)),
        "video": ("landmarks" if picture == "landmarks" else "video", *_picture(picture, rockets)),
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
    """Return the steps before the classifiers, and the columns that they read."""
    if speaker is None:
        return [("clips", clips)], column
    side_by_side = ColumnTransformer(
        [("clips", clips, column), ("speaker", "passthrough", [speaker])],
        verbose_feature_names_out=False,
    ).set_output(transform="pandas")
    return [("columns", side_by_side), ("own", SpeakerScaler(speaker))], [column, speaker]


def _speech(sample_rate: int, rockets: bool) -> tuple[Steps, Steps]:
    """Return the stages that describe speech, and the steps that classify it."""
    load = ("load", AudioLoader(sample_rate))
    functionals = ("functionals", SpeechFunctionals(sample_rate=sample_rate))
    if not rockets:
        return [load, functionals], _weighted_lda()
    curves = ("curves", SpeechTrajectories(_SPEECH_POINTS, sample_rate=sample_rate))
    members = _members(
        Pipeline(_weighted_lda()),
        len(functional_names()),
        MiniRocket(5_000, _SPEECH_POINTS, _SPEECH_CURVES, random_state=0),
    )
    return [load, ("describe", ClipUnion([functionals, curves]))], members


def _picture(picture: str, rockets: bool) -> tuple[Steps, Steps]:
    """Return the stages that describe the picture, and the steps that classify it."""
    if picture == "hog3d":
        stages = [
            ("load", VideoLoader(n_frames=60, scale=1, trim_dark=True)),
            ("crop", FaceCrop()),
            ("hog3d", HOG3D(cell_size=(15, 16, 16))),
        ]
        # Of the order of a clip's squared length, which is the number of values: 2,592.
        ridge = RidgeClassifier(alpha=1000.0, class_weight="balanced")
        return stages, [("scale", StandardScaler()), ("ridge", ridge)]
    load: tuple[str, Any] = ("load", LandmarkLoader())
    n_blendshapes = 0
    if picture == "face":
        outputs = ("landmarks", "blendshapes")
        load = ("landmarks", FaceLandmarks(output=outputs, fps=_FRAME_RATE))
        n_blendshapes = _BLENDSHAPES
    functionals = [
        ("measures", FaceMeasures()),
        ("statistics", TrajectoryStatistics(_STATISTICS, rate=_FRAME_RATE)),
    ]
    if not rockets:
        return [load, *functionals], _face_classifier()
    curves = [
        ("measures", FaceMeasures(pose=True)),
        ("resample", TrajectoryResampler(_FACE_POINTS)),
    ]
    union = ClipUnion(
        [("functionals", ClipPipeline(functionals)), ("curves", ClipPipeline(curves))]
    )
    members = _members(
        Pipeline(_face_classifier()),
        (_MEASURES + n_blendshapes) * len(_STATISTICS),
        MiniRocket(10_000, _FACE_POINTS, _MEASURES + _POSE + n_blendshapes, random_state=0),
    )
    return [load, ("describe", union)], members


def _members(functionals: Pipeline, n_functionals: int, rocket: MiniRocket) -> Steps:
    """Return one step with two members: on functionals, and on the curves that follow them."""
    convolved = Pipeline([("rocket", rocket), *_weighted_lda()])
    members = [
        ("functionals", functionals, slice(0, n_functionals)),
        ("rocket", convolved, slice(n_functionals, None)),
    ]
    return [("members", FusionClassifier(members))]


def _weighted_lda() -> Steps:
    return [
        ("scale", StandardScaler()),
        ("clip", FunctionTransformer(np.clip, kw_args={"a_min": -5, "a_max": 5})),
        ("weight", FisherWeighting()),
        # All components: they set what the covariance is shrunk towards.
        ("pca", PCA(svd_solver="full")),
        ("lda", BalancedLDA(0.5)),
    ]


def _face_classifier() -> Steps:
    members = [
        ("lda", BalancedLDA(0.3), slice(None)),
        ("logistic", LogisticRegression(C=0.1, class_weight="balanced", max_iter=500), slice(None)),
    ]
    return [("scale", StandardScaler()), ("members", FusionClassifier(members))]
