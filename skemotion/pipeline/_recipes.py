"""Ready-made pipelines."""

from __future__ import annotations

import os
from numbers import Integral
from typing import Any

from sklearn.base import BaseEstimator
from sklearn.utils._param_validation import Interval, StrOptions, validate_params

from ._fusion_recipes import fusion_model
from ._reference_recipe import reference_model


@validate_params(
    {
        "modality": [StrOptions({"both", "video", "audio"})],
        "recipe": [StrOptions({"functionals", "rockets", "reference"})],
        "picture": [StrOptions({"face", "landmarks", "hog3d"})],
        "speaker": [str, None],
        "sample_rate": [Interval(Integral, 1, None, closed="left"), None],
        "missing": [StrOptions({"raise", "impute"})],
    },
    prefer_skip_nested_validation=True,
)
def make_emotion_pipeline(
    modality: str = "both",
    *,
    recipe: str = "functionals",
    picture: str = "face",
    speaker: str | None = None,
    sample_rate: int | None = None,
    missing: str = "raise",
    memory: str | os.PathLike[str] | None = None,
    n_jobs: int | None = None,
    verbose: bool = False,
) -> BaseEstimator:
    """Build a model that takes a table of clips and gives emotions.

    The default recipe describes speech by functionals of acoustic descriptors and faces by
    statistics of landmark measures, each with its own classifier; their calibrated probabilities
    are multiplied. The reference recipe is that of a published article [1]_.

    Parameters
    ----------
    modality : {"both", "video", "audio"}, default="both"
        Whether to use pictures, sound or both.
    recipe : {"functionals", "rockets", "reference"}, default="functionals"
        - "functionals": a `FusionClassifier` of `SpeechFunctionals` and measures of the face;
        - "rockets": in each modality, besides the functionals, a classifier on `MiniRocket`
          features of the trajectories of speech and face; three points better on RAVDESS, and
          slower to fit;
        - "reference": HOG3D and augmented sound features, projected on splines, compressed by
          Tucker decompositions and classified by one multi-layer perceptron [1]_.
    picture : {"face", "landmarks", "hog3d"}, default="face"
        How the recipes of functionals and rockets describe the picture:

        - "face": `FaceLandmarks` of the ``video`` column (needs the extra ``face``);
        - "landmarks": the files in the ``landmarks`` column, as published with RAVDESS or written
          by OpenFace;
        - "hog3d": histograms of gradients of the cropped face in the ``video`` column (needs the
          extra ``image``).
    speaker : str, default=None
        Column of the speakers: each speaker's clips are then scaled by the speaker's own unlabelled
        clips, see `SpeakerScaler`. Not for the reference recipe.
    sample_rate : int, default=None
        Samples per second (Hz) of sound in all stages; None for the recipe's own: 22,050 for the
        reference, 16,000 for the others.
    missing : {"raise", "impute"}, default="raise"
        What the reference recipe does about a clip that cannot be read, or is missing (an empty
        cell in its column): raise an error, or use the mean of the training clips' features. In
        the other recipes, the other modality decides.
    memory : path-like, default=None
        Folder in which the results of the per-clip stages are kept; see `ClipPipeline`.
    n_jobs : int, default=None
        Clips processed at once; None means 1 unless in a `joblib.parallel_config` context,
        -1 means one per core.
    verbose : bool, default=False
        Show the progress through the clips, with the time that remains.

    Returns
    -------
    model : FusionClassifier or Pipeline
        Not fitted. Takes a DataFrame with the columns above, such as ``load_corpus(...).data``, or
        a list of clips.

    Raises
    ------
    ValueError
        If a parameter belongs to another recipe.

    See Also
    --------
    skemotion.datasets.load_corpus : Gives the table.
    ClipPipeline : Type of the ``clips`` steps.

    Notes
    -----
    Two settings of the reference recipe differ from the published ones. The batch size is "auto":
    the published 200, or the number of training clips if that is smaller. And the columns are
    standardised: they differ in size by orders of magnitude, and without the ``scale`` step
    accuracy is lower and varies by several points with the seed.
    ``set_params(scale="passthrough")`` leaves it out.

    References
    ----------
    .. [1] "Classifying Emotions from Videos", web log, 21 July 2024.

    Examples
    --------
    >>> from skemotion.pipeline import make_emotion_pipeline
    >>> make_emotion_pipeline("audio").set_params(audio__lda__shrinkage=0.3)
    FusionClassifier(...)
    >>> model = make_emotion_pipeline(recipe="reference")
    >>> model.set_params(features__video__clips__hog3d__cell_size=(10, 10, 12))
    Pipeline(...)
    >>> model.set_params(features__audio__tucker__ranks=(8, 100))
    Pipeline(...)
    """
    settings: dict[str, Any] = {"memory": memory, "n_jobs": n_jobs, "verbose": verbose}
    if recipe == "reference":
        if speaker is not None:
            raise ValueError(
                'speaker is for recipe="functionals" and "rockets"; the reference has no scaler '
                "per speaker."
            )
        return reference_model(modality, sample_rate or 22050, missing, settings)
    if missing != "raise":
        raise ValueError(
            'missing="impute" is for recipe="reference"; the others leave a missing clip to the '
            "other modality."
        )
    return fusion_model(
        modality, picture, speaker, sample_rate or 16000, settings, rockets=recipe == "rockets"
    )
