"""The reference pipeline."""

from __future__ import annotations

from typing import Any

from sklearn.impute import SimpleImputer
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from ..audio import AudioAugmenter, AudioFeatures, AudioLoader
from ..decomposition import BSplineProjector, PartialTucker
from ..video import HOG3D, VideoLoader
from ._clip_pipeline import ClipPipeline
from ._column_transformer import ClipColumnTransformer

_RANKS = {"video": (3, 8, 8, None, 1), "audio": (10, 150)}


def reference_model(
    modality: str, sample_rate: int, missing: str, settings: dict[str, Any]
) -> Pipeline:
    """Build the reference pipeline; see `make_emotion_pipeline`.

    Parameters
    ----------
    modality : {"both", "video", "audio"}
    sample_rate : int
    missing : {"raise", "impute"}
    settings : dict
        Of each `ClipPipeline`.

    Returns
    -------
    model : Pipeline
    """
    steps: dict[str, list[tuple[str, Any]]] = {
        "video": [("load", VideoLoader()), ("hog3d", HOG3D())],
        "audio": [
            ("load", AudioLoader(sample_rate)),
            ("augment", AudioAugmenter(sample_rate=sample_rate)),
            ("features", AudioFeatures(sample_rate=sample_rate)),
            ("splines", BSplineProjector()),
        ],
    }
    on_error = "raise" if missing == "raise" else "nan"
    branches = [
        (
            name,
            Pipeline(
                [
                    ("clips", ClipPipeline(steps[name], on_error=on_error, **settings)),
                    ("tucker", PartialTucker(_RANKS[name])),
                ]
            ),
            name,
        )
        for name in steps
        if modality in (name, "both")
    ]
    classifier = MLPClassifier(
        hidden_layer_sizes=(250, 500, 100),
        alpha=0.07,
        batch_size="auto",
        n_iter_no_change=10,
        max_iter=1000,
        random_state=42,
    )
    following: list[tuple[str, Any]] = [("scale", StandardScaler()), ("classifier", classifier)]
    if missing == "impute":
        # Columns that no training clip has are kept, as zeros: the others decide.
        following.insert(0, ("impute", SimpleImputer(keep_empty_features=True)))
    return Pipeline([("features", ClipColumnTransformer(branches)), *following])
