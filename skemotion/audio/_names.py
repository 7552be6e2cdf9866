"""Names of what describes a waveform, where a clip has several."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np


def names_of_rows(
    stage: Any, names: Sequence[str], input_features: Sequence[str] | None
) -> list[str]:
    """Name the values of a stage that makes one row of each waveform.

    Parameters
    ----------
    stage : ClipTransformer
        Fitted.
    names : sequence of str
        Of one waveform's values.
    input_features : sequence of str or None
        Names of the columns of waveforms.

    Returns
    -------
    names : list of str
        With the variant, as in ``mfcc03_mean_pitch+4``, where there is more than one column of
        waveforms; with the channel, as in ``mfcc03_mean_channel1``, where arrays of them have
        more than one.
    """
    n_channels = int(np.prod(stage.clip_shape_[1:]))
    if n_channels > 1:
        return [f"{name}_channel{i}" for name in names for i in range(n_channels)]
    if stage.clip_shape_ or stage.n_features_in_ == 1:
        return list(names)
    if input_features is None:
        input_features = [f"variant{i}" for i in range(stage.n_features_in_)]
    return [f"{name}_{variant}" for variant in input_features for name in names]
