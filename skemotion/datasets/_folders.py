"""Loading clips from a folder for each emotion."""

from __future__ import annotations

import os
import re
from pathlib import PurePath, PurePosixPath

import numpy as np
import pandas as pd
from sklearn.utils import Bunch

from ..base import plural
from ..io import MediaError
from ._files import PICTURE, SOUND, File, folder_files, local_root
from ._own import make_own_bunch

_LOSSLESS = {".aif", ".aiff", ".flac", ".wav"}


def load_folders(
    path: str | os.PathLike[str], *, speaker: str | None = None, emotion: str | None = None
) -> Bunch:
    r"""Load clips from a folder for each emotion.

    Clips are listed, not opened, at any depth. Files in the same folder that differ only in the
    suffix are one recording: ``a.mp4`` is its picture and ``a.wav`` its sound. Other files,
    archives, and hidden files and folders are ignored.

    Parameters
    ----------
    path : str or path-like
        Folder in which the folders are.
    speaker : str, default=None
        Regular expression that finds the speaker in a clip's path below `path`, without suffix and
        with slashes, such as ``r"(?P<speaker>actor\d+)"``: its group ``speaker``, or else its
        first group, or else all that it matches. None where speakers are not known.
    emotion : str, default=None
        Regular expression that finds the emotion, with a group ``emotion``, in the same way. None
        takes the name of the first folder below `path`.

    Returns
    -------
    corpus : :class:`~sklearn.utils.Bunch`
        One row per recording, sorted by path, with attributes

        data : pandas.DataFrame
            Columns ``video`` and ``audio``: absolute paths, None where there is no such clip; a
            clip with a picture is in both, unless there is a file of its sound alone. And
            ``speaker``, if known.
        target : numpy.ndarray of str of shape (n_recordings,)
            Emotions.
        groups : numpy.ndarray of str of shape (n_recordings,) or None
            Speakers, None without `speaker`.
        metadata : pandas.DataFrame
            ``emotion``, and ``name``: the path below `path`, without suffix.
        target_names : list of str
            Emotions, sorted.
        DESCR : str
            Where the clips are, and how many there are of each emotion.

    Raises
    ------
    FileNotFoundError
        If there is no such folder.
    MediaError
        If it is not a folder on this machine, has no clips, or has a clip outside a folder of an
        emotion.
    ValueError
        If an expression is none, or does not match the path of every clip.

    See Also
    --------
    load_table : Clips that a table lists.
    load_corpus : Published corpora, by the names of their files.

    Notes
    -----
    Of several files of one recording with a picture, the first by name is taken; of several with
    sound alone, a lossless one (wav, flac) before others.

    Examples
    --------
    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> from skemotion.datasets import load_folders
    >>> with TemporaryDirectory() as folder:
    ...     for name in ["happy/ann_1.wav", "sad/ann_1.wav", "sad/ben_1.wav"]:
    ...         Path(folder, name).parent.mkdir(exist_ok=True)
    ...         Path(folder, name).touch()
    ...     corpus = load_folders(folder, speaker=r"([a-z]+)_\d")
    >>> corpus.target.tolist(), corpus.groups.tolist()
    (['happy', 'sad', 'sad'], ['ann', 'ann', 'ben'])
    """
    patterns = {"speaker": _compiled(speaker, "speaker"), "emotion": _compiled(emotion, "emotion")}
    expected = "expected a folder with a folder of clips for each emotion"
    root = local_root(path, expected)
    if not root.exists():
        raise FileNotFoundError(f"{root}: {expected}, found no such folder. Check the path.")
    if not root.is_dir():
        raise MediaError(f"{root}: {expected}, found a file. Give the folder, or use load_table.")
    recordings: dict[str, list[File]] = {}
    for file in sorted(folder_files(root)):
        if not file.zipped and file.suffix in SOUND | PICTURE:
            if "::" in file.address:
                raise MediaError(
                    f"{file.address}: expected a path without '::', which parts the member of an "
                    "archive from the archive. Rename the folder or the file."
                )
            name = PurePosixPath(file.name).with_suffix("").as_posix()
            recordings.setdefault(name, []).append(file)
    if not recordings:
        raise MediaError(f"{root}: {expected}, found no clip in it. Check the path.")
    names = list(recordings)
    loose = [name for name in names if "/" not in name]
    if loose and patterns["emotion"] is None:
        raise MediaError(
            f"{root}: {expected}, found {plural(len(loose), 'clip')} in no folder below it, such "
            f"as {loose[0]}. Give the folder above, or an expression that finds the emotion."
        )
    emotions = [name.partition("/")[0] for name in names]
    if patterns["emotion"] is not None:
        emotions = _found(names, patterns["emotion"], "emotion")
    speakers = patterns["speaker"] and _found(names, patterns["speaker"], "speaker")
    video = [_first(files, PICTURE) for files in recordings.values()]
    audio = [
        _first(files, SOUND) or seen for files, seen in zip(recordings.values(), video, strict=True)
    ]
    return make_own_bunch(
        {"video": video, "audio": audio},
        np.array(emotions),
        None if speakers is None else np.array(speakers),
        speakers,
        pd.DataFrame({"emotion": emotions, "name": names}, dtype=object),
        f"Clips in the folders of {root}",
    )


def _compiled(pattern: str | None, what: str) -> re.Pattern[str] | None:
    try:
        return None if pattern is None else re.compile(pattern)
    except re.error as error:
        raise ValueError(
            f"{what} must be a regular expression, got {pattern!r}, which is none: {error}."
        ) from error


def _found(names: list[str], pattern: re.Pattern[str], what: str) -> list[str]:
    """Find an expression in every name."""
    group = what if what in pattern.groupindex else min(pattern.groups, 1)
    found = [match and match[group] for match in map(pattern.search, names)]
    without = [name for name, value in zip(names, found, strict=True) if not value]
    if without:
        raise ValueError(
            f"Expected a {what} in the path of every clip, found none by {pattern.pattern!r} in "
            f"{len(without)} of {len(names)}, such as {without[0]}. Correct the expression."
        )
    return [value for value in found if value]


def _first(files: list[File], suffixes: set[str]) -> str | None:
    """Return the first file of a kind, a lossless one if there is one."""
    kind = [file.address for file in files if file.suffix in suffixes]
    return min(kind, key=_is_lossy, default=None)


def _is_lossy(address: str) -> bool:
    return PurePath(address).suffix.lower() not in _LOSSLESS
