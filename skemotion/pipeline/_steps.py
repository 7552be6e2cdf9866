"""What may be a step of a ClipPipeline."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from sklearn.frozen import FrozenEstimator
from sklearn.utils import get_tags
from sklearn.utils.validation import check_is_fitted

from ._jobs import Step


def checked_steps(steps: list[Any]) -> list[Step]:
    """Return the steps that do something, and refuse those that need more than one clip.

    Parameters
    ----------
    steps : list of (str, transformer)
        As `ClipPipeline` takes them.

    Returns
    -------
    steps : list of (str, transformer)
        Without those that are ``"passthrough"`` or None.

    Raises
    ------
    TypeError
        If a step is no pair of a name and a transformer.
    ValueError
        If there is no step, if one may learn from the data, or if sample rates differ.
    """
    for step in steps:
        if not isinstance(step, tuple | list) or len(step) != 2:
            raise TypeError(
                "steps of ClipPipeline must be a list of (name, transformer), such as "
                f"('load', AudioLoader()), found {step!r}."
            )
    steps = [(name, step) for name, step in steps if step not in (None, "passthrough")]
    if not steps:
        raise ValueError("ClipPipeline needs at least one step.")
    for name, step in steps:
        if not hasattr(step, "transform"):
            raise TypeError(
                f"Step {name!r} of ClipPipeline has no transform: {step!r}. Put a classifier "
                "after the ClipPipeline, in a Pipeline."
            )
        if isinstance(step, FrozenEstimator):
            check_is_fitted(step.estimator)
        elif get_tags(step).requires_fit:
            raise ValueError(
                f"Step {name!r} of ClipPipeline ({type(step).__name__}) may learn from the "
                "data, but each clip is processed on its own. If it learns, put it after: "
                f"make_pipeline(ClipPipeline([...]), {type(step).__name__}(...)); or put it in "
                "fitted, as sklearn.frozen.FrozenEstimator(...). If it does not, derive it "
                "from skemotion.base.ClipTransformer, or set tags.requires_fit = False in its "
                "__sklearn_tags__."
            )
    _check_rates(steps)
    return steps


def _check_rates(steps: list[Step]) -> None:
    """Refuse steps with different sample rates."""
    rates = [
        (name, value)
        for name, step in steps
        if hasattr(step, "get_params")
        for key, value in step.get_params().items()
        if key.rpartition("__")[2] == "sample_rate"
    ]
    for (before, gives), (after, expects) in pairwise(rates):
        if gives != expects:
            raise ValueError(
                f"Steps disagree about the sample rate: {before!r} gives {gives:,} Hz, {after!r} "
                f"expects {expects:,} Hz. Set both to one sample_rate."
            )
