"""Emotions over the course of a long recording."""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Iterator
from itertools import islice
from math import ceil
from numbers import Integral, Real
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.utils._param_validation import Interval, validate_params
from sklearn.utils.validation import check_is_fitted
from tqdm.auto import tqdm

from ..base import model_parts, object_array
from ..classification import product_of_experts
from ..io import claimed_seconds, without_workers
from ..pipeline import UnusableClipWarning
from ..preprocessing import SpeakerScaler
from ._prepared_clips import PreparedClips, with_prepared_clips
from ._timeline_windows import Recording, TimelineRow

# Windows that are described at once: what is loaded of them is held.
_BATCH = 8
_LEAST_PROBABILITY = 1e-12

_positive = Interval(Real, 0, None, closed="neither")


@validate_params(
    {
        "model": [object],
        "clip": [str, os.PathLike],
        "window": [_positive],
        "hop": [_positive],
        "smooth": [Interval(Integral, 1, None, closed="left"), None],
        "fps": [_positive, None],
        "silence": [Real, None],
        "speaker": [str, None],
        "verbose": ["boolean"],
    },
    prefer_skip_nested_validation=True,
)
def predict_timeline(
    model: Any,
    clip: str | os.PathLike[str],
    window: float = 3.0,
    hop: float = 1.0,
    *,
    smooth: int | None = None,
    fps: float | None = 20.0,
    silence: float | None = -60.0,
    speaker: str | None = None,
    verbose: bool = False,
) -> pd.DataFrame:
    """Predict the emotions in the windows of a long recording.

    Picture and sound are decoded once each, from beginning to end, and only a few windows are held
    in memory, for any length of the recording. Except at its edges, a window is described like a
    clip cut there.

    Parameters
    ----------
    model : estimator
        Fitted, with `predict_proba`, such as from `make_emotion_pipeline`. Not changed.
    clip : path or address
        The recording.
    window : float, default=3.0
        Length of a window in seconds, ideally that of the training clips.
    hop : float, default=1.0
        Seconds from the beginning of one window to that of the next.
    smooth : int, default=None
        Odd number of windows over which the logarithms of the probabilities are averaged, each
        window in the middle of its own; windows without a prediction do not count, and stay
        without. None or 1 does not smooth.
    fps : float, default=20.0
        Maximum number of frames per second in which `FaceLandmarks` looks for faces. Landmarks in
        between are interpolated, so the model gets the frame rate of its training. None uses that
        frame rate.
    silence : float, default=-60.0
        Level in dB of full scale: windows without 30 ms above it have no voice. None treats all
        sound as voice.
    speaker : str, default=None
        The speaker, for a model with a column of speakers; one enrolled by
        `FusionClassifier.enroll`.
    verbose : bool, default=False
        Show progress, with the time that remains.

    Returns
    -------
    timeline : DataFrame
        A row per window: ``start`` and ``end`` in seconds; ``label``; ``modalities``, the branches
        of a `FusionClassifier` that the answer comes from, such as ``audio+video``, or for other
        models what there is of the window (``clip`` where they open it themselves), or nothing
        where there is no answer; and a column of probabilities for each class. A window that no
        modality can say anything of has no label (None) and NaN for probabilities.

    Raises
    ------
    TypeError
        If the model has no `predict_proba`.
    ValueError
        If the speaker is not enrolled.
    MediaError
        If the recording is missing, cannot be used by any branch, or is beyond `skemotion.limits`:
        half an hour, unless ``limits(max_seconds=...)`` and ``max_frames`` say otherwise.
    FileNotFoundError, ImportError
        If what `FaceLandmarks` needs is missing.

    Warns
    -----
    UnusableClipWarning
        If a stream is damaged: windows from there on are left to the others.

    See Also
    --------
    write_timeline : Saves it as a table, subtitles, a tier or a picture.
    skemotion.inspection.TimelineDisplay : Draws it.

    Notes
    -----
    Windows start at 0, `hop`, 2 `hop` and so on, up to the first that reaches the recording's end
    and is cut there. One that adds less than a tenth of a hop is left out. A modality that covers
    less than half of a window, as where sound ends before the picture, is not asked.

    Sound is resampled in one go: a window's samples are those of the whole waveform, where a clip
    cut there would have been resampled on its own and differ in its first and last milliseconds.
    A face is followed from before the window on, where a clip cut there begins with a detection;
    of several faces each window has the one that fills most of it.

    Loaders that can do this are `AudioLoader`, `VideoLoader` and `FaceLandmarks`, as the first
    step of a pipeline. A model with others gets segments, ``clip.mp4#t=10,13``, each of which is
    decoded on its own.

    A run that is interrupted starts again from the beginning.

    Examples
    --------
    >>> from skemotion import load_model
    >>> from skemotion.model_selection import predict_timeline
    >>> timeline = predict_timeline(load_model("model.skops"), "interview.mp4")  # doctest: +SKIP
    >>> timeline[["start", "end", "label", "modalities"]].head(2)  # doctest: +SKIP
       start  end label   modalities
    0    0.0  3.0  calm  audio+video
    1    1.0  4.0  calm        audio
    """
    check_is_fitted(model)
    if not hasattr(model, "predict_proba"):
        raise TypeError(
            f"predict_timeline expected a model with predict_proba, got {type(model).__name__}: "
            "put it in a CalibratedClassifierCV."
        )
    if smooth is not None and smooth % 2 == 0:
        raise ValueError(f"smooth must be an odd number of windows, got {smooth}.")
    if speaker is not None and not _is_enrolled(model, speaker):
        raise ValueError(
            f"The model does not know the speaker {speaker!r}, and windows are too few at a time "
            "to say anything of a speaker. Enroll clips of this speaker first, or leave out the "
            "speaker."
        )
    clip = os.fspath(clip)
    model, loaders = with_prepared_clips(model)
    recording = Recording(
        clip, [loader for loader, _ in loaders], window=window, hop=hop, fps=fps, silence=silence
    )
    answers = _Answers(model, clip, [stage for _, stage in loaders], speaker)
    rows = _with_progress(recording.rows(), clip, window, hop, verbose=verbose)
    while batch := list(islice(rows, _BATCH)):
        answers.add(batch)
    return answers.table(smooth or 1)


def _is_enrolled(model: Any, speaker: str) -> bool:
    scalers = [part for part in model_parts(model) if isinstance(part, SpeakerScaler)]
    return any(speaker in getattr(scaler, "enrolled_", {}) for scaler in scalers)


class _Answers:
    """What a model says of windows, batch by batch.

    The errors of windows that cannot be used are kept: they matter where there is no other answer.
    """

    def __init__(
        self, model: Any, clip: str, stages: list[PreparedClips], speaker: str | None
    ) -> None:
        self._model, self._clip, self._stages, self._speaker = model, clip, stages, speaker
        self._times: list[tuple[float, float]] = []
        self._modalities: list[str] = []
        self._probabilities: list[NDArray[np.float64]] = []
        self._error: ValueError | None = None

    def add(self, rows: list[TimelineRow]) -> None:
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
                self._ask_branches(names)
            else:
                self._ask_all(names, rows)
        self._times += [(row.start, row.end) for row in rows]

    def _ask_branches(self, names: list[str]) -> None:
        verdicts = self._model.predict_proba_by_branch(self._clips(names))
        for row in range(len(names)):
            used = [name for name, verdict in verdicts.items() if not np.isnan(verdict[row, 0])]
            self._modalities.append("+".join(used))
        self._probabilities += list(product_of_experts(np.array(list(verdicts.values()))))

    def _ask_all(self, names: list[str], rows: list[TimelineRow]) -> None:
        for name, row in zip(names, rows, strict=True):
            try:
                [probabilities] = self._model.predict_proba(self._clips([name]))
            except ValueError as error:  # MediaError, or a window too short for some step
                self._error = error
                probabilities = np.full(len(self._model.classes_), np.nan)
            self._probabilities.append(probabilities)
            used = {
                "audio" if content.ndim == 1 else "video"
                for content in row.contents
                if isinstance(content, np.ndarray)
            }
            answered = not np.isnan(probabilities[0])
            self._modalities.append(("+".join(sorted(used)) or "clip") if answered else "")

    def _clips(self, names: list[str]) -> Any:
        """Give the names of windows as the model takes clips."""
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
        probabilities = smoothed(np.array(self._probabilities), smooth)
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
        starts, ends = np.array(self._times).T
        table = pd.DataFrame(
            {
                "start": starts,
                "end": ends,
                # Pandas would make None NaN where it takes the labels for strings.
                "label": pd.Series(labels, dtype=object),
                "modalities": self._modalities,
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


def _with_progress(
    rows: Iterator[TimelineRow], clip: str, window: float, hop: float, *, verbose: bool
) -> Iterator[TimelineRow]:
    """Show how many windows are done, if that is wanted."""
    seconds = claimed_seconds(clip) if verbose else None
    n_rows = None if seconds is None else max(ceil((seconds - window) / hop), 0) + 1
    # A bar that is written into a log should not fill it.
    interval = 0.1 if sys.stderr.isatty() else 10
    return iter(tqdm(rows, total=n_rows, unit="window", disable=not verbose, mininterval=interval))
