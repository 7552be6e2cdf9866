"""Enrolling the speaker of one browser session, without changing the model for the others."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ..base import model_parts
from ..classification import FusionClassifier
from ..preprocessing import SpeakerScaler, enroll_speakers

#: What `enrolled_` of each of a model's scalers by speaker holds of one person; None where there is
#: nothing, as of a branch that no clip could be used by.
Enrolment = list[Any]

# A name that no corpus has for a speaker.
PERSON = "the person at the page"


def speaker_scalers(model: Any) -> list[SpeakerScaler]:
    """Find the scalers of a model that know speakers.

    Parameters
    ----------
    model : estimator
        Fitted.

    Returns
    -------
    scalers : list of SpeakerScaler
        In the same order for every copy of the model.
    """
    return [
        part
        for part in model_parts(model)
        # A fusion has the unfitted ones that it was made with, too.
        if isinstance(part, SpeakerScaler) and part.uses_speaker_clips and hasattr(part, "mean_")
    ]


def enrol(model: Any, clips: Any) -> Enrolment:
    """Give what the scalers of a model remember of one person.

    Parameters
    ----------
    model : estimator
        Fitted; as before afterwards.
    clips : DataFrame
        Unlabelled clips of the person, as from `clip_table` with ``speaker=PERSON``.

    Returns
    -------
    enrolment : list
        For `enrolled`.

    Raises
    ------
    ValueError
        If none of the clips can be used.
    """
    scalers = speaker_scalers(model)
    if isinstance(model, FusionClassifier):
        model.enroll(clips)
    else:
        enroll_speakers(model, clips)
    return [scaler.enrolled_.pop(PERSON, None) for scaler in scalers]


@contextmanager
def enrolled(model: Any, enrolment: Enrolment | None) -> Iterator[str | None]:
    """Let a model know a person for the code inside a ``with`` block.

    Parameters
    ----------
    model : estimator
        Fitted. No other thread may use it meanwhile.
    enrolment : list or None
        From `enrol`; None for nobody.

    Yields
    ------
    speaker : str or None
        What to name the speaker of clips.
    """
    if enrolment is None:
        yield None
        return
    scalers = speaker_scalers(model)
    for scaler, statistics in zip(scalers, enrolment, strict=True):
        if statistics is not None:
            scaler.enrolled_[PERSON] = statistics
    try:
        yield PERSON
    finally:
        for scaler in scalers:
            scaler.enrolled_.pop(PERSON, None)
