"""Corpora of emotional clips, by the way they name their files."""

import os
import re

from sklearn.utils import Bunch

from ._files import Naming, find_recordings, make_bunch
from ._ravdess import load_ravdess

_JAVA_SED = Naming(
    corpus="Java-SED",
    pattern=re.compile(
        "(?P<actor>[0-9]{2})-(?P<sentence>[0-9]{2})-(?P<emotion>[0-9]{2})_(?P<take>[0-9]{2})"
    ),
    words={
        "emotion": {
            "01": "neutral",
            "02": "sad",
            "03": "happy",
            "04": "surprised",
            "05": "fearful",
            "06": "angry",
        },
    },
    example="java-sed/01-02-03_01.mp4",
    archive="java-sed.zip",
    descr="""\
Java-SED, the Javanese Speech Emotion Database

Actors say Javanese sentences in six emotions: neutral, sad, happy, surprised, fearful and angry.
Each clip has picture and sound. Labels are the acted intent.

File names are AA-SS-EE_TT, for example 01-02-03_01.mp4:

    AA  actor
    SS  sentence
    EE  emotion  01 neutral, 02 sad, 03 happy, 04 surprised, 05 fearful, 06 angry
    TT  take

Source: Arifin F, Priambodo AS, Nasuha A, Winursito A, Gunawan TS (2022), Universitas Negeri
Yogyakarta.
Licence: the authors state none for the video clips; their sibling repositories of the same
corpus are under the MIT licence.
""",
)

# Corpora whose file names alone tell everything; a further one is one more entry.
_NAMINGS = {"java-sed": _JAVA_SED}
NAMINGS = ("ravdess", *_NAMINGS)


def load_corpus(path: str | os.PathLike[str], naming: str = "ravdess") -> Bunch:
    """Load a corpus whose file names tell emotion and actor.

    Clips are listed, not opened, in folders and in zip archives.

    Parameters
    ----------
    path : str or path-like
        Folder with the clips at any depth, zipped, unpacked or both; or one zip archive.
    naming : {"ravdess", "java-sed"}, default="ravdess"
        The corpus, which is the way its files are named:

        - ``"ravdess"``: ``03-01-05-02-01-02-01.wav``, speech, as by :func:`load_ravdess`.
        - ``"java-sed"``: ``AA-SS-EE_TT.mp4``, that is actor, sentence, emotion (01 neutral,
          02 sad, 03 happy, 04 surprised, 05 fearful, 06 angry) and take.

    Returns
    -------
    corpus : :class:`~sklearn.utils.Bunch`
        One row per recording, sorted by actor and then by the identifiers in the order of the
        file name, with attributes

        data : pandas.DataFrame of shape (n_recordings, 2)
            Columns ``video`` and ``audio``: absolute path, or address of a zip member as
            ``zip://01-02-03_01.mp4::/data/java-sed.zip`` (the notation of fsspec), or None. A
            clip with picture and sound is in both.
        target : numpy.ndarray of str of shape (n_recordings,)
            Emotion.
        groups : numpy.ndarray of int of shape (n_recordings,)
            Actor, for splitters that keep actors apart.
        frame : pandas.DataFrame
            Every field of the file name, in words where it is a code.
        target_names : list of str
            Emotions present, in published order.
        DESCR : str
            Description, source and licence of the corpus.

    Raises
    ------
    ValueError
        If `naming` is not known.
    FileNotFoundError
        If `path` does not exist.
    MediaError
        If `path` is neither folder nor zip archive, if there is no clip of the corpus, or if an
        archive is damaged.

    Warns
    -----
    UserWarning
        If sound or video files are left out because their names are not those of the corpus.

    See Also
    --------
    load_ravdess : RAVDESS, with song.

    Examples
    --------
    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> from skemotion.datasets import load_corpus
    >>> with TemporaryDirectory() as folder:
    ...     Path(folder, "04-02-06_01.mp4").touch()
    ...     corpus = load_corpus(folder, "java-sed")
    >>> corpus.frame
       actor  sentence emotion  take
    0      4         2   angry     1
    """
    if naming == "ravdess":
        return load_ravdess(path)
    if naming not in _NAMINGS:
        known = ", ".join(map(repr, ["ravdess", *_NAMINGS]))
        raise ValueError(f"naming must be one of {known}, got {naming!r}.")
    scheme = _NAMINGS[naming]
    found = find_recordings(path, scheme)
    video = [
        next((clip.address for clip in clips if clip.has_picture), None) for clips in found.values()
    ]
    # What has a picture has the sound as well; a file of sound alone serves where it is all.
    audio = [seen or clips[0].address for seen, clips in zip(video, found.values(), strict=True)]
    return make_bunch(scheme, list(found), video, audio)
