"""What made a model's answer about a clip."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ._explained_frames import ExplainedFrame
from ._explanation_files import explanation_page, explanation_table, signed


class Explanation:
    """Which parts of picture and sound made a model's answer; see `explain`.

    Attributes
    ----------
    clip : str
        Name of the clip.
    label_ : label
        The model's answer.
    target : label
        The class that is explained; the answer unless another was asked for.
    unit : {"log-odds", "decision"}
        Of all effects: differences of the target's log-odds, or of its decision function for a
        model without probabilities.
    probabilities : Series or None
        Of each class for the clip, None for a model without probabilities.
    average_probabilities : Series or None
        The same for the average clip, from which the effects start.
    score : float
        The target's log-odds (or decision) for the clip.
    average_score : float
        The same for the average clip.
    softened : float
        What logits were divided by, if the model is certain beyond one in a million; else 1.
    modalities : Series
        Effect of each modality, by name.
    parts : DataFrame
        Effect of each part, with the columns ``modality``, ``part``, ``n_values`` (how many values
        of the clip's description it has) and ``effect``; the largest first, whatever its sign.
    details : DataFrame
        The same for what parts consist of, with a column ``measure`` after ``part``: measures of
        the face or the voice, blocks of a picture, stretches of a curve.
    maps : dict
        By modality, where a description has places: of a picture, an array of effects of shape
        (times, rows, columns); of curves, a DataFrame with a row for each curve and a column for
        each stretch of time, named by its beginning (0 to 1).
    frames : dict
        By modality, the pictures that count: a list of tuples of the time (0 to 1), the image
        (ndarray of uint8, or None for landmarks from a file) and 68 landmarks (or None). For a
        map, the picture in the middle of each of its times; for a face, the one in which the
        measures that speak for the target are farthest from the average clip's.

    Notes
    -----
    The effects in `modalities`, in `parts` and in `details` each add up to ``score -
    average_score``. Positive effects speak for the target, negative ones against it.
    """

    def __init__(
        self,
        *,
        clip: str,
        target: Any,
        label: Any,
        details: pd.DataFrame,
        score: float,
        average_score: float,
        unit: str = "log-odds",
        softened: float = 1.0,
        probabilities: pd.Series | None = None,
        average_probabilities: pd.Series | None = None,
        maps: dict[str, NDArray[np.float64] | pd.DataFrame] | None = None,
        frames: dict[str, list[ExplainedFrame]] | None = None,
    ) -> None:
        self.clip = clip
        self.target = target
        self.label_ = label
        self.unit = unit
        self.softened = softened
        self.score = score
        self.average_score = average_score
        self.probabilities = probabilities
        self.average_probabilities = average_probabilities
        self.details = _by_size(details)
        numbers = [name for name in ("n_values", "effect") if name in details]
        sums = details.groupby(["modality", "part"], sort=False)[numbers].sum()
        self.parts = _by_size(sums.reset_index())
        self.modalities = details.groupby("modality", sort=False)["effect"].sum()
        self.maps = maps or {}
        self.frames = frames or {}

    @property
    def shares(self) -> pd.Series:
        """Each modality's share of all effects: its effect over the sum of their sizes."""
        return (self.modalities / max(self.modalities.abs().sum(), 1e-300)).rename("share")

    def to_frame(self) -> pd.DataFrame:
        """Return the table of details.

        Returns
        -------
        table : DataFrame
            With the columns ``clip``, ``target``, ``modality``, ``part``, ``measure``,
            ``n_values`` and ``effect``.
        """
        table = self.details.copy()
        table.insert(0, "clip", self.clip)
        table.insert(1, "target", [self.target] * len(table))
        return table

    def __repr__(self) -> str:
        lines = [f"{self.clip}: {self.headline}"]
        lines += [
            f"  {row['modality']}: {row['part']} {signed(row['effect'])}"
            for row in self.parts.head(8).to_dict("records")
        ]
        # Names and labels of other people may hold line breaks.
        return "\n".join(line.replace("\r", "\\r").replace("\n", "\\n") for line in lines)

    @property
    def headline(self) -> str:
        """The answer in one line."""
        answer = str(self.target)
        if self.probabilities is not None:
            answer += f", {self.probabilities[self.target]:.0%}"
            if self.average_probabilities is not None:
                answer += f" (average clip: {self.average_probabilities[self.target]:.0%})"
        if self.target != self.label_:
            answer += f"; the answer is {self.label_}"
        return answer

    def to_html(self) -> str:
        """Return a page with the picture and tables, in one file without anything from elsewhere.

        Returns
        -------
        html : str

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        """
        return explanation_page(self)

    @property
    def name(self) -> str:
        """Name of the clip without its folder or archive."""
        return self.clip.partition("::")[0].replace("\\", "/").rpartition("/")[2]

    def _repr_html_(self) -> str:
        return explanation_table(self)


def _by_size(table: pd.DataFrame) -> pd.DataFrame:
    order = np.argsort(-table["effect"].abs().to_numpy(), kind="stable")
    return table.iloc[order].reset_index(drop=True)
