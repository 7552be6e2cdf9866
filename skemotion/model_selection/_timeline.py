"""Emotions over the course of a long recording."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import replace
from itertools import islice
from math import ceil
from numbers import Integral, Real
from typing import Any

import pandas as pd
from sklearn.utils._param_validation import Interval, validate_params
from sklearn.utils.validation import check_is_fitted
from tqdm.auto import tqdm

from ..base import UnsuitableModelError, model_parts
from ..io import Limits, call_isolated, claimed_seconds, enforced, identity, limits_in_force
from ..preprocessing import SpeakerScaler
from ._prepared_clips import with_prepared_clips
from ._timeline_answers import Answers
from ._timeline_checkpoint import TimelineCheckpoint
from ._timeline_windows import Recording, TimelineRow

# Windows that are described at once: what is loaded of them is held.
_BATCH = 8
# What a recording may take, as a multiple of how long it may be.
_PATIENCE = 20

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
        "checkpoint": [str, os.PathLike, None],
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
    checkpoint: str | os.PathLike[str] | None = None,
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
    checkpoint : path-like, default=None
        File to which each window is written as soon as it is predicted. If it exists, an
        interrupted run resumes: windows in it are not computed again, and decoding begins shortly
        before the first other one. It stays when the timeline is complete, for you to remove.
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
    UnsuitableModelError
        If the model has no `predict_proba`.
    ValueError
        If the speaker is not enrolled, or the checkpoint is of another recording, other settings
        or other emotions. That the model is the same is not checked.
    MediaError
        If the recording is missing, cannot be used by any branch, crashes a decoder, or is beyond
        `skemotion.limits`: half an hour, unless ``limits(max_seconds=...)`` and ``max_frames`` say
        otherwise.
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

    All of this happens in a worker process, which a recording that crashes a decoder ends alone. It
    is ended after 20 times ``limits(max_seconds=...)``, or the ``max_decode_seconds`` that are
    given. In a notebook, whose progress bars no other process can draw, `verbose` keeps it in this
    process.

    Loaders that can do this are `AudioLoader`, `VideoLoader` and `FaceLandmarks`, as the first
    step of a pipeline. A model with others gets segments, ``clip.mp4#t=10,13``, each of which is
    decoded on its own.

    A run that resumes gives what one without interruption gives, but for rounding, and for
    landmarks of the first windows: the face was followed for two seconds before them.

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
        raise UnsuitableModelError(
            f"predict_timeline expected a model with predict_proba, got {type(model).__name__}: "
            "put it in a CalibratedClassifierCV(ensemble=False)."
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
    settings = {"window": window, "hop": hop, "fps": fps, "silence": silence}
    own = limits_in_force()
    words = (own, model, clip, settings, smooth, speaker, checkpoint, verbose)
    if verbose and sys.stderr is not sys.__stderr__:
        return _timeline(*words)
    with enforced(own if own.need_workers else _patient(own)):
        timeline: pd.DataFrame = call_isolated(_timeline, *words, name=clip)
    return timeline


def _patient(own: Limits) -> Limits:
    """Give a long recording more time than a clip."""
    seconds = max(own.max_decode_seconds, _PATIENCE * own.max_seconds)
    return replace(own, max_decode_seconds=seconds)


def _timeline(
    own: Limits,
    model: Any,
    clip: str,
    settings: dict[str, Any],
    smooth: int | None,
    speaker: str | None,
    checkpoint: str | os.PathLike[str] | None,
    verbose: bool,
) -> pd.DataFrame:
    """Ask the model about all windows."""
    model, loaders = with_prepared_clips(model)
    file = checkpoint and TimelineCheckpoint(
        checkpoint,
        {"recording": identity(clip), **settings, "speaker": speaker,
         "emotions": [str(label) for label in model.classes_]},
    )  # fmt: skip
    with enforced(own), file or nullcontext():
        known = file.kept if file else []
        answers = Answers(model, clip, [stage for _, stage in loaders], speaker, known)
        if not (file and file.is_complete):
            recording = Recording(clip, [loader for loader, _ in loaders], **settings)
            reached = known[-1].end if known else 0.0
            rows = _with_progress(
                recording.rows(len(known), reached), clip, settings, len(known), verbose=verbose
            )
            while batch := list(islice(rows, _BATCH)):
                verdicts = answers.add(batch)
                if file:
                    file.add(verdicts)
            if file:
                file.finish()
    return answers.table(smooth or 1)


def _is_enrolled(model: Any, speaker: str) -> bool:
    scalers = [part for part in model_parts(model) if isinstance(part, SpeakerScaler)]
    return any(speaker in getattr(scaler, "enrolled_", {}) for scaler in scalers)


def _with_progress(
    rows: Iterator[TimelineRow],
    clip: str,
    settings: dict[str, Any],
    n_known: int,
    *,
    verbose: bool,
) -> Iterator[TimelineRow]:
    """Show how many windows are done, if that is wanted."""
    seconds = claimed_seconds(clip) if verbose else None
    n_rows = None
    if seconds is not None:
        n_rows = max(ceil((seconds - settings["window"]) / settings["hop"]), 0) + 1
    # A bar that is written into a log should not fill it.
    interval = 0.1 if sys.stderr.isatty() else 10
    return iter(
        tqdm(
            rows, total=n_rows, initial=n_known, unit="window", disable=not verbose,
            mininterval=interval,
        )
    )  # fmt: skip
