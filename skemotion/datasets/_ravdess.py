"""RAVDESS, the Ryerson Audio-Visual Database of Emotional Speech and Song."""

import os
import re
from dataclasses import replace
from typing import Literal

from sklearn.utils import Bunch

from ..io import MediaError
from ._files import Clip, Naming, column, find_recordings, make_bunch

_MODALITIES = {"01": "full", "02": "video-only", "03": "audio-only"}

_NAMING = Naming(
    corpus="RAVDESS",
    pattern=re.compile(
        "(?P<modality>[0-9]{2})-(?P<vocal_channel>[0-9]{2})-(?P<emotion>[0-9]{2})"
        "-(?P<intensity>[0-9]{2})-(?P<statement>[0-9]{2})-(?P<repetition>[0-9]{2})"
        "-(?P<actor>[0-9]{2})"
    ),
    words={
        "modality": _MODALITIES,
        "vocal_channel": {"01": "speech", "02": "song"},
        "emotion": {
            "01": "neutral",
            "02": "calm",
            "03": "happy",
            "04": "sad",
            "05": "angry",
            "06": "fearful",
            "07": "disgust",
            "08": "surprised",
        },
        "intensity": {"01": "normal", "02": "strong"},
        "statement": {
            "01": "Kids are talking by the door",
            "02": "Dogs are sitting by the door",
        },
    },
    example="Actor_01/03-01-05-02-01-02-01.wav",
    archive="Audio_Speech_Actors_01-24.zip",
    descr="""\
RAVDESS, the Ryerson Audio-Visual Database of Emotional Speech and Song

24 professional actors (12 female, 12 male) speak and sing two lexically matched statements in a
neutral North American accent. Speech has the emotions neutral, calm, happy, sad, angry, fearful,
disgust and surprised, song the first six of them; every emotion but neutral at normal and strong
intensity, everything twice. Labels are the acted intent. Each recording is published as full
(picture and sound), video-only and audio-only.

File names are MM-CC-EE-II-SS-RR-AA, for example 03-01-05-02-01-02-01.wav:

    MM  modality       01 full, 02 video-only, 03 audio-only
    CC  vocal channel  01 speech, 02 song
    EE  emotion        01 neutral, 02 calm, 03 happy, 04 sad, 05 angry, 06 fearful, 07 disgust,
                       08 surprised
    II  intensity      01 normal, 02 strong
    SS  statement      01 "Kids are talking by the door", 02 "Dogs are sitting by the door"
    RR  repetition     01 first, 02 second
    AA  actor          01 to 24, odd male, even female

Source: Livingstone SR, Russo FA (2018). The Ryerson Audio-Visual Database of Emotional Speech and
Song (RAVDESS): A dynamic, multimodal set of facial and vocal expressions in North American
English. PLoS ONE 13(5): e0196391. https://doi.org/10.1371/journal.pone.0196391
Data: https://doi.org/10.5281/zenodo.1188976
Licence: CC BY-NC-SA 4.0 (non-commercial, same licence, name the authors).
""",
)


_LANDMARKS = replace(
    _NAMING,
    corpus="RAVDESS' landmarks",
    example="Actor_01/01-01-05-02-01-02-01.csv",
    archive="FacialTracking_Actors_01-24.zip",
)


def load_ravdess(
    path: str | os.PathLike[str],
    *,
    channel: Literal["speech", "song", "both"] = "speech",
    landmarks: str | os.PathLike[str] | None = None,
) -> Bunch:
    """Load the RAVDESS corpus [1]_ from the folder in which its archives are kept.

    Clips are listed, not opened, so that loading takes no memory to speak of. Archives may stay
    zipped.

    Parameters
    ----------
    path : str or path-like
        Folder with the published zip archives, with unpacked clips at any depth, or with both;
        or one zip archive.
    channel : {"speech", "song", "both"}, default="speech"
        The recordings to keep.
    landmarks : str or path-like, default=None
        Folder or zip archive of the facial landmarks of every recording, one file of
        comma-separated values each, named as the video is: what the authors publish [2]_, or what
        OpenFace makes of the videos.

    Returns
    -------
    corpus : :class:`~sklearn.utils.Bunch`
        One row per recording, sorted by actor and then by the identifiers in the order of the
        file name, with attributes

        data : pandas.DataFrame of shape (n_recordings, 2) or (n_recordings, 3)
            Columns ``video`` and ``audio``: absolute path, or address of a zip member as
            ``zip://Actor_01/x.wav::/data/Audio.zip`` (the notation of fsspec), or None where there
            is no such clip. ``video`` is the video-only clip, else the full one; ``audio`` the
            audio-only clip, else the full one. With `landmarks`, the same of their files, in a
            column ``landmarks``. And ``speaker``, the actor.
        target : numpy.ndarray of str of shape (n_recordings,)
            Emotion.
        groups : numpy.ndarray of int of shape (n_recordings,)
            Actor, for splitters that keep actors apart.
        metadata : pandas.DataFrame of shape (n_recordings, 9)
            ``vocal_channel``, ``emotion``, ``intensity``, ``statement``, ``repetition``,
            ``actor``, ``sex``, and the modality of the two files, ``video_modality`` and
            ``audio_modality``: ``full``, ``video-only``, ``audio-only`` or None.
        target_names : list of str
            Emotions present, in published order.
        DESCR : str
            Description, source and licence of the corpus.

    Raises
    ------
    FileNotFoundError
        If `path` does not exist.
    MediaError
        If `path` is neither folder nor zip archive, if there is no clip of RAVDESS, or none of
        the `channel`, if an archive is damaged, or if there are landmarks of none of the
        recordings.

    Warns
    -----
    UserWarning
        If sound or video files are left out because their names are not those of RAVDESS.

    See Also
    --------
    fetch_ravdess : Download the archives.
    load_corpus : Other corpora.
    concat_corpora : Several corpora as one.

    Notes
    -----
    Where the same clip is found more than once, an unpacked file wins over a zipped one, then the
    first in the order of addresses. Hidden files and folders are ignored. Links to folders are
    followed.

    References
    ----------
    .. [1] Livingstone SR, Russo FA (2018). The Ryerson Audio-Visual Database of Emotional Speech
       and Song (RAVDESS). PLoS ONE 13(5): e0196391. https://doi.org/10.1371/journal.pone.0196391
    .. [2] Swanson R, Livingstone SR, Russo FA (2019). RAVDESS Facial Landmark Tracking.
       https://doi.org/10.5281/zenodo.3255102

    Examples
    --------
    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> from skemotion.datasets import load_ravdess
    >>> with TemporaryDirectory() as folder:
    ...     for name in ["02-01-05-02-01-02-11.mp4", "03-01-05-02-01-02-11.wav"]:
    ...         Path(folder, name).touch()
    ...     corpus = load_ravdess(folder)
    >>> corpus.metadata[["emotion", "intensity", "actor", "sex"]]
      emotion intensity  actor   sex
    0   angry    strong     11  male
    >>> Path(corpus.data["audio"][0]).name
    '03-01-05-02-01-02-11.wav'
    """
    if channel not in ("speech", "song", "both"):
        raise ValueError(f"channel must be 'speech', 'song' or 'both', got {channel!r}.")
    found = find_recordings(path, _NAMING)
    index = _NAMING.identifiers.index("vocal_channel")
    rows = {
        key: clips
        for key, clips in found.items()
        if channel in (_NAMING.value("vocal_channel", key[index]), "both")
    }
    if not rows:
        other = "song" if channel == "speech" else "speech"
        raise MediaError(
            f"{path}: expected {channel} of RAVDESS, found only {other} (recordings: "
            f"{len(found)}). Pass channel={other!r}, or give the folder of the {channel} archives."
        )
    video = [_video(clips) for clips in rows.values()]
    audio = [_first(clips, "03", "01") for clips in rows.values()]
    corpus = make_bunch(_NAMING, list(rows), _addresses(video), _addresses(audio))
    corpus.metadata["sex"] = column(["male" if actor % 2 else "female" for actor in corpus.groups])
    corpus.metadata["video_modality"] = column(_modalities(video))
    corpus.metadata["audio_modality"] = column(_modalities(audio))
    if landmarks is not None:
        found_landmarks = _find_landmarks(landmarks, list(rows), path)
        corpus.data.insert(2, "landmarks", column(found_landmarks))
    return corpus


def _find_landmarks(
    path: str | os.PathLike[str],
    keys: list[tuple[str, ...]],
    recordings: str | os.PathLike[str],
) -> list[str | None]:
    """Find the file of each recording's landmarks."""
    found = find_recordings(path, _LANDMARKS, {".csv"})
    if not set(found) & set(keys):
        raise MediaError(
            f"{path}: expected landmarks of the recordings in {recordings}, found those of "
            f"{len(found)} others. Give the landmarks of the same actors and channel."
        )
    # Video-only and full are the same picture.
    return _addresses([_first(found.get(key, []), "02", "01") for key in keys])


def _video(clips: list[Clip]) -> Clip | None:
    # The sound of a full clip, extracted to a file of its own, keeps the full clip's name.
    return _first([clip for clip in clips if clip.has_picture], "02", "01")


def _first(clips: list[Clip], *modalities: str) -> Clip | None:
    """Return the first clip of the first modality there is."""
    for modality in modalities:
        for clip in clips:
            if clip.codes["modality"] == modality:
                return clip
    return None


def _addresses(clips: list[Clip | None]) -> list[str | None]:
    return [clip and clip.address for clip in clips]


def _modalities(clips: list[Clip | None]) -> list[str | None]:
    return [clip and _MODALITIES[clip.codes["modality"]] for clip in clips]
