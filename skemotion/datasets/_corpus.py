"""Corpora of emotional clips, by the way they name their files."""

import os
from pathlib import PurePath

from sklearn.utils import Bunch

from ._files import Clip, find_recordings, make_bunch
from ._namings import CREMA_D, JAVA_SED, TESS
from ._ravdess import _NAMING, load_ravdess

# Corpora whose file names say everything; a further corpus is one more entry.
_NAMINGS = {"java-sed": JAVA_SED, "tess": TESS, "crema-d": CREMA_D}
NAMINGS = ("ravdess", *_NAMINGS)
# How the files of each are named, for whoever reads the names.
SCHEMES = (_NAMING, *_NAMINGS.values())

_LOSSLESS = {".aif", ".aiff", ".flac", ".wav"}


def load_corpus(path: str | os.PathLike[str], naming: str = "ravdess") -> Bunch:
    """Load a corpus whose file names contain emotion and speaker.

    Clips are listed, not opened, in folders and in zip archives.

    Parameters
    ----------
    path : str or path-like
        Folder with the clips at any depth, zipped, unpacked or both; or one zip archive.
    naming : {"ravdess", "java-sed", "tess", "crema-d"}, default="ravdess"
        The corpus, which is the way its files are named:

        - ``"ravdess"``: ``03-01-05-02-01-02-01.wav``, speech, as by :func:`load_ravdess`.
        - ``"java-sed"``: ``AA-SS-EE_TT.mp4``, that is actor, sentence, emotion (01 neutral,
          02 sad, 03 happy, 04 surprised, 05 fearful, 06 angry) and take.
        - ``"tess"``: ``OAF_back_angry.wav``, that is actress (OAF, YAF), word and emotion
          (neutral, happy, sad, angry, fear, disgust, ps for pleasant surprise).
        - ``"crema-d"``: ``1001_DFA_ANG_XX.wav`` or ``.flv``, that is actor, sentence, emotion
          (NEU, HAP, SAD, ANG, FEA, DIS) and level (LO, MD, HI, XX for unspecified).

        The same emotion has the same name in all of them, that of RAVDESS.

    Returns
    -------
    corpus : :class:`~sklearn.utils.Bunch`
        One row per recording, sorted by actor and then by the identifiers in the order of the
        file name, with attributes

        data : pandas.DataFrame of shape (n_recordings, 3)
            Columns ``video`` and ``audio``: absolute path, or address of a zip member as
            ``zip://01-02-03_01.mp4::/data/java-sed.zip`` (the notation of fsspec), or None. A
            clip with picture and sound is in both, unless there is a file of its sound alone:
            that is then in ``audio``, a lossless one (wav, flac) before others. And ``speaker``,
            the actor.
        target : numpy.ndarray of str of shape (n_recordings,)
            Emotion.
        groups : numpy.ndarray of int or str of shape (n_recordings,)
            Actor, a number or a name as in the corpus, for splitters that keep actors apart.
        metadata : pandas.DataFrame
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
    concat_corpora : Several corpora as one.

    Examples
    --------
    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> from skemotion.datasets import load_corpus
    >>> with TemporaryDirectory() as folder:
    ...     Path(folder, "04-02-06_01.mp4").touch()
    ...     corpus = load_corpus(folder, "java-sed")
    >>> corpus.metadata
       actor  sentence emotion  take
    0      4         2   angry     1
    """
    if naming == "ravdess":
        return load_ravdess(path)
    if naming not in _NAMINGS:
        known = ", ".join(map(repr, NAMINGS))
        raise ValueError(f"naming must be one of {known}, got {naming!r}.")
    scheme = _NAMINGS[naming]
    found = find_recordings(path, scheme)
    video = [_address(clips, has_picture=True) for clips in found.values()]
    audio = [
        _address(clips, has_picture=False) or seen
        for seen, clips in zip(video, found.values(), strict=True)
    ]
    return make_bunch(scheme, list(found), video, audio)


def _address(clips: list[Clip], has_picture: bool) -> str | None:
    """Return where to find the first clip of a kind there is, a lossless one if any."""
    kind = [clip.address for clip in clips if clip.has_picture == has_picture]
    return min(kind, key=_is_lossy, default=None)


def _is_lossy(address: str) -> bool:
    return PurePath(address.split("::")[0]).suffix.lower() not in _LOSSLESS
