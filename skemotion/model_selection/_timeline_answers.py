"""What a model says of the windows of a recording, and the table of it."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..base import object_array
from ..classification import product_of_experts
from ..io import without_workers
from ..pipeline import UnusableClipWarning
from ._prepared_clips import PreparedClips
from ._timeline_checkpoint import Verdict
from ._timeline_windows import TimelineRow

_LEAST_PROBABILITY = 1e-12

# Modalities, and probabilities.
_Answer = tuple[str, NDArray[np.float64]]


class Answers:
    """What a model says of windows, batch by batch.

    The errors of windows that cannot be used are kept: they matter where there is no other answer.
    """

    def __init__(
        self,
        model: Any,
        clip: str,
        stages: list[PreparedClips],
        speaker: str | None,
        known: list[Verdict],
    ) -> None:
        self._model, self._clip, self._stages, self._speaker = model, clip, stages, speaker
        self._verdicts = list(known)
        self._error: ValueError | None = None

    def add(self, rows: list[TimelineRow]) -> list[Verdict]:
        """Ask the model about further windows, and give its answers."""
        names = [f"{self._clip}#t={row.start:.6f},{row.end:.6f}" for row in rows]
        for position, stage in enumerate(self._stages):
            contents = [row.contents[position] for row in rows]
            stage.contents = dict(zip(names, contents, strict=True))
        # The clip is open already: what is left is numbers, which need no process of their own.
        with warnings.catch_warnings(), without_workers():
            # The column of modalities says which windows these are.
            warnings.simplefilter("ignore", UnusableClipWarning)
            warnings.filterwarnings("ignore", message=".* cannot be used by branch")
            if hasattr(self._model, "predict_proba_by_branch"):
                answers = self._ask_branches(names)
            else:
                answers = self._ask_all(names, rows)
        verdicts = [
            Verdict(row.start, row.end, *answer) for row, answer in zip(rows, answers, strict=True)
        ]
        self._verdicts += verdicts
        return verdicts

    def _ask_branches(self, names: list[str]) -> list[_Answer]:
        verdicts = self._model.predict_proba_by_branch(self._clips(names))
        shares = product_of_experts(np.array(list(verdicts.values())))
        used = [
            [name for name, verdict in verdicts.items() if not np.isnan(verdict[row, 0])]
            for row in range(len(names))
        ]
        return [("+".join(words), share) for words, share in zip(used, shares, strict=True)]

    def _ask_all(self, names: list[str], rows: list[TimelineRow]) -> list[_Answer]:
        answers: list[_Answer] = []
        for name, row in zip(names, rows, strict=True):
            try:
                [probabilities] = self._model.predict_proba(self._clips([name]))
            except ValueError as error:  # MediaError, or a window too short for some step
                self._error = error
                probabilities = np.full(len(self._model.classes_), np.nan)
            used = {
                "audio" if content.ndim == 1 else "video"
                for content in row.contents
                if isinstance(content, np.ndarray)
            }
            answered = not np.isnan(probabilities[0])
            words = ("+".join(sorted(used)) or "clip") if answered else ""
            answers.append((words, probabilities))
        return answers

    def _clips(self, names: list[str]) -> Any:
        """Return the windows in the form in which the model takes clips."""
        clips = object_array(names)
        columns = getattr(self._model, "feature_names_in_", None)
        if columns is None:
            return clips
        speaker = getattr(self._model, "speaker", None)
        return pd.DataFrame(
            {
                column: pd.Series([self._speaker] * len(names) if column == speaker else clips,
                                  dtype=object)
                for column in columns
            }
        )  # fmt: skip

    def table(self, smooth: int) -> pd.DataFrame:
        """Return all windows as `predict_timeline` does."""
        rows = self._verdicts
        probabilities = smoothed(np.array([row.probabilities for row in rows]), smooth)
        unanswered = np.asarray(np.isnan(probabilities).any(axis=1))
        if unanswered.all() and self._error is not None:
            raise self._error
        classes = self._model.classes_.tolist()
        labels = object_array(
            [
                None if nothing else classes[shares.argmax()]
                for nothing, shares in zip(unanswered, probabilities, strict=True)
            ]
        )
        table = pd.DataFrame(
            {
                "start": [row.start for row in rows],
                "end": [row.end for row in rows],
                # Pandas would make None NaN where it takes the labels for strings.
                "label": pd.Series(labels, dtype=object),
                "modalities": [row.modalities for row in rows],
            }
        )
        names = [str(label) for label in classes]
        return pd.concat([table, pd.DataFrame(probabilities, columns=names)], axis=1)


def smoothed(probabilities: NDArray[np.float64], n_windows: int) -> NDArray[np.float64]:
    """Average the logarithms of probabilities over windows around each, and normalise.

    Parameters
    ----------
    probabilities : ndarray of shape (n_windows, n_classes)
        NaN for windows without an answer, which do not count and stay as they are.
    n_windows : int
        Odd; 1 leaves all as it is.

    Returns
    -------
    smoothed : ndarray of shape (n_windows, n_classes)
    """
    if n_windows == 1:
        return probabilities
    known = ~np.isnan(probabilities[:, 0])
    evidence = np.log(np.maximum(probabilities, _LEAST_PROBABILITY))
    result = np.full_like(probabilities, np.nan)
    for row in np.flatnonzero(known):
        around = slice(max(row - n_windows // 2, 0), row + n_windows // 2 + 1)
        mean = evidence[around][known[around]].mean(axis=0)
        odds = np.exp(mean - mean.max())
        result[row] = odds / odds.sum()
    return result
