"""A copy of a model whose loaders hand on what was loaded before."""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from typing import Any, Self

from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.pipeline import Pipeline

from ..base import ClipTransformer, model_parts
from ..io import MediaError
from ..pipeline import ClipPipeline


class PreparedClips(ClipTransformer):
    """Hand on what another stage made of clips.

    Parameters
    ----------
    loader : estimator, default=None
        The other stage.
    contents : dict of str to ndarray or MediaError, default=None
        What stands for each clip's name; errors are raised.
    """

    takes = "clips"
    ragged = True

    def __init__(
        self,
        loader: Any = None,
        contents: dict[str, NDArray[Any] | MediaError] | None = None,
    ) -> None:
        self.loader = loader
        self.contents = contents

    def transform_clip(self, clip: Any) -> NDArray[Any]:
        """Return what stands for a clip."""
        content = (self.contents or {})[clip]
        if isinstance(content, MediaError):
            # Anew: one error for all windows would gather what it went through in each.
            raise MediaError(str(content))
        return content

    def name_values(self, input_features: Sequence[str] | None) -> list[str]:
        """Name the values as the other stage does."""
        return list(clone(self.loader).fit(["a clip"]).get_feature_names_out(input_features))

    def __sklearn_clone__(self) -> Self:
        return self  # with what is put in later on


def with_prepared_clips(model: Any) -> tuple[Any, list[tuple[Any, PreparedClips]]]:
    """Copy a fitted model, with the loaders replaced that can load windows.

    Parameters
    ----------
    model : estimator
        Not changed.

    Returns
    -------
    copy : estimator
        Takes the names of clips.
    loaders : list of (loader, PreparedClips)
        Each loader that was replaced, and the stage that waits for what it makes of the clips.
        Equal ones are one.
    """
    model = deepcopy(model)
    loaders: dict[tuple[Any, str], tuple[Any, PreparedClips]] = {}

    def replaced(steps: list[tuple[str, Any]]) -> list[tuple[str, Any]]:
        name, loader = steps[0]
        if not hasattr(loader, "transform_windows"):
            return steps
        key = (type(loader), repr(loader.get_params()))
        if key not in loaders:
            loaders[key] = (loader, PreparedClips(loader).fit(["a clip"]))
        _, prepared = loaders[key]
        return [(name, prepared), *steps[1:]]

    for part in model_parts(model):
        if isinstance(part, Pipeline):
            part.steps = replaced(part.steps)
        if isinstance(part, ClipPipeline):
            if hasattr(part, "steps_"):
                part.steps_ = replaced(part.steps_)
            # What is asked for once is not worth keeping, and windows are described at once.
            part.memory, part.n_jobs, part.verbose = None, None, False
    return model, list(loaders.values())
