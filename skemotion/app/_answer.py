"""What a model says of one recording, in words and pictures."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..audio import AudioLoader
from ..base import model_parts, object_array
from ..classification import product_of_experts
from ..inspection import Explanation, explain
from ..io import MediaError, limits
from ..model_selection import predict_timeline
from ..preprocessing import SpeakerScaler
from ..video import FaceLandmarks
from ._enrolment import PERSON, Enrolment, enrol, enrolled
from ._pictures import draw_faces, draw_timeline
from ._recording import Recording, is_silent, look_at

#: Seconds of a window of a long recording, about as long as a clip of the usual corpora.
WINDOW = 3.0
# From here on a recording is no clip any more, and its one answer would mean little.
_LONG = 2 * WINDOW
# More make a second's difference, and none that is seen.
_N_OCCLUSIONS = 300
_RATE = 16_000  # Hz, to hear silence by
_FRAMES_PER_SECOND = 120  # no camera of a browser has more


@dataclass(frozen=True)
class Answer:
    """What a model says of one recording.

    Attributes
    ----------
    label : str
        The emotion.
    probabilities : dict of str to float
        Of all emotions, in the order of the model's classes.
    seconds : float
        Length of the recording.
    notes : list of str
        What the answer does not come from, and why; sentences.
    faces : list of bytes
        Pictures of the face with its landmarks, as JPEG; none where the model does not use them.
    timeline : DataFrame or None
        As from `predict_timeline`, of a recording of more than two windows. `probabilities` then
        are the means over the windows.
    timeline_picture : bytes or None
        The same as a drawing, as PNG.
    explanation : Explanation or None
        What made the answer, or of a long recording the answer about its clearest window. None
        for a model that `explain` cannot explain.
    window : tuple of 2 float or None
        That window, in seconds.
    """

    label: str
    probabilities: dict[str, float]
    seconds: float
    notes: list[str] = field(default_factory=list)
    faces: list[bytes] = field(default_factory=list)
    timeline: pd.DataFrame | None = None
    timeline_picture: bytes | None = None
    explanation: Explanation | None = None
    window: tuple[float, float] | None = None


def answer_recording(
    model: Any, path: str, *, max_seconds: float = 60.0, enrolment: Enrolment | None = None
) -> Answer:
    """Ask a model about one recording.

    Parameters
    ----------
    model : estimator
        Fitted, with `predict_proba`; as before afterwards.
    path : str
        The recording.
    max_seconds : float, default=60.0
        How long it may be.
    enrolment : list, default=None
        What `enrol_recording` gave of the speaker.

    Returns
    -------
    answer : Answer

    Raises
    ------
    MediaError
        If the recording cannot be used; in words for the person who made it.
    """
    recording = _checked(path, max_seconds)
    with warnings.catch_warnings(), _bounded(max_seconds):
        # The notes say what cannot be used.
        warnings.simplefilter("ignore")
        silent = _is_silent(recording)
        try:
            with enrolled(model, enrolment) as speaker:
                if recording.seconds > _LONG:
                    return _long_answer(model, recording, speaker, silent)
                return _short_answer(model, recording, speaker, silent)
        except ValueError as error:
            raise MediaError(_plainly(error, model, recording, silent)) from error


def enrol_recording(model: Any, path: str, *, max_seconds: float = 120.0) -> tuple[Enrolment, int]:
    """Learn what a person is like from an unlabelled recording, cut into stretches of 3 s.

    Parameters
    ----------
    model : estimator
        Fitted, with a `SpeakerScaler` that knows speakers; as before afterwards.
    path : str
        The recording, at best a minute of ordinary speech.
    max_seconds : float, default=120.0
        How long it may be.

    Returns
    -------
    enrolment : list
        For `answer_recording`.
    n_clips : int
        How many stretches it comes from.

    Raises
    ------
    MediaError
        If the recording cannot be used; in words for the person who made it.
    """
    recording = _checked(path, max_seconds)
    n_clips = int(recording.seconds // WINDOW)
    if n_clips < 2:
        raise MediaError(
            f"This recording is {recording.seconds:.0f} s long. Record at least "
            f"{2 * WINDOW:.0f} s, better a minute, so that your usual face and voice can be "
            "told from an emotion."
        )
    with warnings.catch_warnings(), _bounded(max_seconds):
        warnings.simplefilter("ignore")
        waveform = _waveform(recording)
        length = round(WINDOW * _RATE)
        silent = [
            waveform is None or is_silent(waveform[start : start + length], _RATE)
            for start in range(0, n_clips * length, length)
        ]
        clips = [f"{path}#t={i * WINDOW:g},{(i + 1) * WINDOW:g}" for i in range(n_clips)]
        table = clip_table(model, clips, PERSON, silent)
        try:
            enrolment = enrol(model, table)
        except ValueError as error:
            raise MediaError(_plainly(error, model, recording, all(silent))) from error
    n_known = max((known[0] for known in enrolment if known is not None), default=0)
    if not n_known:
        raise MediaError("Neither a voice nor a face was found in this recording. Try again.")
    return enrolment, n_known


def clip_table(
    model: Any, clips: Sequence[str], speaker: str | None, silent: Sequence[bool]
) -> Any:
    """Give clips as a model takes them.

    Parameters
    ----------
    model : estimator
        Fitted.
    clips : sequence of str
        Paths.
    speaker : str or None
        Who speaks in all of them, for a model with a column of speakers.
    silent : sequence of bool
        Which of them have nothing to hear; a model of several columns gets no sound of these.

    Returns
    -------
    table : DataFrame, or ndarray of str for a model that takes a column
    """
    columns = getattr(model, "feature_names_in_", None)
    if columns is None:
        return object_array(list(clips))
    names = {part.speaker for part in model_parts(model) if isinstance(part, SpeakerScaler)}
    names |= {getattr(model, "speaker", None)}
    heard = [None if nothing else clip for clip, nothing in zip(clips, silent, strict=True)]
    nobody = [speaker] * len(clips)
    # Landmarks' files do not come with a recording.
    cells = {"audio": heard, "landmarks": [None] * len(clips)} | dict.fromkeys(names, nobody)
    return pd.DataFrame(
        {name: pd.Series(cells.get(name, list(clips)), dtype=object) for name in columns}
    )


def _short_answer(model: Any, recording: Recording, speaker: str | None, silent: bool) -> Answer:
    table = clip_table(model, [recording.path], speaker, [silent])
    explanation = _explained(model, table)
    used: set[str] | None
    if explanation is not None and explanation.probabilities is not None:
        # From the same description: the clip is opened once.
        used = {str(name) for name in explanation.modalities.index}
        shares = explanation.probabilities.to_numpy()
    else:
        used, shares = _verdict(model, table)
    return Answer(
        str(model.classes_[shares.argmax()]),
        {str(name): float(share) for name, share in zip(model.classes_, shares, strict=True)},
        recording.seconds,
        _notes(model, recording, silent, used),
        _faces(model, recording),
        explanation=explanation,
    )


def _verdict(model: Any, table: Any) -> tuple[set[str] | None, NDArray[Any]]:
    """Give the branches that have an answer, if there are any, and the probabilities."""
    used = None
    if hasattr(model, "predict_proba_by_branch"):
        verdicts = model.predict_proba_by_branch(table)
        used = {name for name, own in verdicts.items() if not np.isnan(own[0, 0])}
        if used:
            return used, product_of_experts(np.array(list(verdicts.values())))[0]
    # Also where no branch has an answer: this gives the reasons.
    return used, model.predict_proba(table)[0]


def _explained(model: Any, table: Any) -> Explanation | None:
    clip = table if hasattr(table, "columns") else table[0]
    try:
        return explain(model, clip, n_occlusions=_N_OCCLUSIONS)
    except (TypeError, ValueError):
        # A model without clips or averages, or a clip that cannot be used: the answer says which.
        return None


def _long_answer(model: Any, recording: Recording, speaker: str | None, silent: bool) -> Answer:
    timeline = predict_timeline(model, recording.path, WINDOW, WINDOW / 3, speaker=speaker)
    names = [str(name) for name in model.classes_]
    shares = timeline[names].mean()
    if shares.isna().all():
        raise MediaError("No window of the recording can be used.")
    used = {name for words in timeline["modalities"] for name in words.split("+") if name}
    label = str(shares.idxmax())
    clearest = timeline.loc[timeline[label].idxmax()]
    window = (float(clearest["start"]), float(clearest["end"]))
    segment = f"{recording.path}#t={window[0]:.3f},{window[1]:.3f}"
    return Answer(
        label,
        {name: float(shares[name]) for name in names},
        recording.seconds,
        _notes(model, recording, silent, None if used == {"clip"} else used),
        _faces(model, recording),
        timeline,
        draw_timeline(timeline),
        _explained(model, clip_table(model, [segment], speaker, [silent])),
        window,
    )


def _faces(model: Any, recording: Recording) -> list[bytes]:
    stages = [part for part in model_parts(model) if isinstance(part, FaceLandmarks)]
    if not stages or recording.size is None:
        return []
    return draw_faces(recording.path, recording.size, recording.seconds, stages[0].model_path)


def _notes(model: Any, recording: Recording, silent: bool, used: set[str] | None) -> list[str]:
    """Say what is missing, where the model would have used it."""
    branches = set(getattr(model, "named_estimators_", {}))
    notes = []
    if "audio" in branches:
        if not recording.has_sound:
            notes.append("There is no sound in this recording: the answer comes from the picture.")
        elif silent:
            notes.append(
                "No voice was heard (is the microphone muted?): the answer comes from the picture."
            )
    if used is not None and "video" in branches and "video" not in used:
        if "landmarks" in getattr(model, "feature_names_in_", ()):
            notes.append(
                "This model reads faces from files of landmarks, which a recording does not have: "
                "the answer comes from the sound."
            )
        elif recording.size is None:
            notes.append("There is no picture in this recording: the answer comes from the sound.")
        else:
            notes.append(
                "No face was found in the picture: the answer comes from the sound. Look into the "
                "camera, with light from the front."
            )
    return notes


def _checked(path: str, max_seconds: float) -> Recording:
    # Only packets are counted, so that a long one can be called long.
    with limits(max_seconds=10**9, max_frames=10**12):
        recording = look_at(path)
    # A recorder that is stopped in time is not exact.
    if recording.seconds > max_seconds + 1:
        raise MediaError(
            f"This recording is {recording.seconds:.0f} s long, and this page takes up to "
            f"{max_seconds:.0f} s. Record or cut a shorter one."
        )
    return recording


def _bounded(max_seconds: float) -> Any:
    seconds = max_seconds + 2
    return limits(
        max_seconds=seconds, max_frames=round(seconds * _FRAMES_PER_SECOND), max_bytes=2**30
    )


def _waveform(recording: Recording) -> Any:
    if not recording.has_sound:
        return None
    try:
        [waveform] = AudioLoader(_RATE).transform([recording.path])
    except MediaError:
        return None
    return waveform


def _is_silent(recording: Recording) -> bool:
    waveform = _waveform(recording)
    return waveform is None or is_silent(waveform, _RATE)


def _plainly(error: ValueError, model: Any, recording: Recording, silent: bool) -> str:
    """Say why a recording cannot be used, to the person who made it."""
    columns = set(getattr(model, "feature_names_in_", ()))
    problems = []
    if "audio" in columns and not recording.has_sound:
        problems.append("There is no sound in it. Was the microphone allowed?")
    elif "audio" in columns and silent:
        problems.append("No voice is heard in it. Is the microphone muted?")
    if "video" in columns and recording.size is None:
        problems.append("There is no picture in it.")
    elif "video" in columns and "expected a face" in str(error):
        problems.append("No face is seen in it. Look into the camera, with light from the front.")
    if not problems:
        reason = " ".join(str(error).replace(recording.path, "The recording").split())
        problems = [reason]
    return " ".join(["This recording cannot be used.", *problems])
