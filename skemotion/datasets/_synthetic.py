"""A synthetic corpus in the shape of RAVDESS."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from itertools import product
from numbers import Integral, Real
from pathlib import Path
from typing import NamedTuple

import numpy as np
from joblib import Parallel, delayed
from numpy.typing import NDArray
from sklearn.utils import check_random_state, check_scalar
from tqdm import tqdm

from ._ravdess import _MODALITIES, _NAMING
from ._synthetic_encoding import FRAME_RATE, add_sound, encode_video, encode_wav
from ._synthetic_face import draw_face
from ._synthetic_voice import LOUDNESS, SAMPLE_RATE, synthesise_voice

_DATE = (2018, 4, 5, 0, 0, 0)


class _Recording(NamedTuple):
    actor: int
    emotion: int
    intensity: int
    statement: int
    repetition: int

    def name(self, modality: str) -> str:
        """Name one of its clips, with the actor's folder."""
        code = next(code for code, word in _MODALITIES.items() if word == modality)
        numbers = "-".join(f"{number:02d}" for number in (*self[1:], self.actor))
        suffix = "wav" if modality == "audio-only" else "mp4"
        return f"Actor_{self.actor:02d}/{code}-01-{numbers}.{suffix}"

    def archive(self, modality: str, n_actors: int) -> str:
        """Name the archive in which a clip is published."""
        if modality == "audio-only":
            return f"Audio_Speech_Actors_01-{n_actors:02d}.zip"
        return f"Video_Speech_Actor_{self.actor:02d}.zip"


def make_ravdess(
    path: str | os.PathLike[str],
    *,
    n_actors: int = 4,
    emotions: Sequence[str] | None = None,
    intensities: Sequence[str] = ("normal", "strong"),
    n_statements: int = 2,
    n_repetitions: int = 1,
    modalities: Sequence[str] = ("full", "audio-only"),
    archives: bool = False,
    duration: float = 2.0,
    frame_size: tuple[int, int] = (720, 1280),
    random_state: int | np.random.RandomState | None = 0,
    n_jobs: int | None = None,
    verbose: bool = False,
) -> Path:
    """Make a corpus of drawn faces and synthetic voices, in the shape of RAVDESS speech.

    It replaces RAVDESS [1]_ where that is too large to download: names, folders and archives are
    the same, and files are really encoded, so all tools from :func:`load_ravdess` on can be tried
    unchanged. It is **not** data about people. Brows, lids, mouth and head, and pitch, energy,
    tempo and timbre follow a hand-made table for each emotion, varied by actor and take. Accuracy
    on it shows whether a pipeline runs and learns, and nothing about how well it recognises the
    emotions of people; never report it as such.

    Parameters
    ----------
    path : str or path-like
        Folder to write to, created if missing. Existing clips of the same names are replaced.
    n_actors : int, default=4
        Number of actors, 1 to 24; odd ones are male, even ones female.
    emotions : sequence of str, default=None
        Out of "neutral", "calm", "happy", "sad", "angry", "fearful", "disgust" and "surprised".
        None means all eight.
    intensities : sequence of str, default=("normal", "strong")
        Out of "normal" and "strong". As in RAVDESS, there is no strong neutral.
    n_statements : int, default=2
        1 or 2 statements: "Kids are talking by the door", "Dogs are sitting by the door".
    n_repetitions : int, default=1
        How often each statement is said, 1 or 2 times.
    modalities : sequence of str, default=("full", "audio-only")
        Out of "full" (picture and sound), "video-only" and "audio-only". The clips of one
        recording have the same pictures and the same sound.
    archives : bool, default=False
        Whether to write the archives as published (``Audio_Speech_Actors_01-04.zip``, and
        ``Video_Speech_Actor_01.zip`` and so on with both kinds of video) instead of the folders
        ``Actor_01`` and so on.
    duration : float, default=2.0
        Mean length of an unemotional clip in seconds, 0.25 to 60. Tempo varies with emotion and
        actor, and the length of clips with it.
    frame_size : tuple of (int, int), default=(720, 1280)
        Height and width of the pictures in pixels, even and at least 48.
    random_state : int, RandomState instance or None, default=0
        Determines actors and takes. Files made from the same int are the same byte by byte, on
        the same machine and versions of the libraries, whatever `n_jobs`; a clip and an actor
        do not depend on which others are made.
    n_jobs : int, default=None
        Number of recordings made at once, as in :class:`joblib.Parallel`.
    verbose : bool, default=False
        Whether to show progress.

    Returns
    -------
    path : pathlib.Path
        The folder.

    Raises
    ------
    NotADirectoryError
        If `path` is a file.
    FileExistsError
        If something other than a file has the name of a clip or archive.
    ValueError
        If a parameter is outside its range, or if there is nothing to make.

    See Also
    --------
    load_ravdess : Load the corpus.

    Notes
    -----
    Pictures are H.264 (4:2:0, 30000/1001 a second); sound is 48 kHz mono, AAC in full clips and
    16-bit PCM in audio-only ones. A full 720p clip of 2 s takes about 0.7 s of one core and 250 kB.

    Voices follow the source-filter model with the glottal pulse KLGLOTT88 of [2]_.

    References
    ----------
    .. [1] Livingstone SR, Russo FA (2018). The Ryerson Audio-Visual Database of Emotional Speech
           and Song (RAVDESS). PLoS ONE 13(5): e0196391.
    .. [2] Klatt DH, Klatt LC (1990). Analysis, synthesis, and perception of voice quality
           variations among female and male talkers. J. Acoust. Soc. Am. 87(2), 820-857.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> from skemotion.datasets import make_ravdess
    >>> with TemporaryDirectory() as folder:
    ...     path = make_ravdess(
    ...         folder, n_actors=1, emotions=["happy"], intensities=["strong"], n_statements=1,
    ...         duration=0.5, frame_size=(72, 128),
    ...     )
    ...     sorted(clip.name for clip in path.glob("Actor_01/*"))
    ['01-01-03-02-01-01-01.mp4', '03-01-03-02-01-01-01.wav']
    """
    path = Path(path)
    for name, value, largest in (
        ("n_actors", n_actors, 24),
        ("n_statements", n_statements, 2),
        ("n_repetitions", n_repetitions, 2),
    ):
        check_scalar(value, name, Integral, min_val=1, max_val=largest)
    check_scalar(duration, "duration", Real, min_val=0.25, max_val=60)
    if len(frame_size) != 2 or not all(
        isinstance(side, int | np.integer) and side >= 48 and side % 2 == 0 for side in frame_size
    ):
        raise ValueError(
            f"frame_size must be an even height and width of at least 48, got {frame_size!r}."
        )
    words = {word: int(code) for code, word in _NAMING.words["emotion"].items()}
    emotions = _choose("emotions", words if emotions is None else emotions, words)
    intensities = _choose("intensities", intensities, ["normal", "strong"])
    modalities = _choose("modalities", modalities, list(_MODALITIES.values()))

    recordings = [
        _Recording(actor, words[emotion], 1 + (intensity == "strong"), statement, repetition)
        for actor, emotion, intensity, statement, repetition in product(
            range(1, n_actors + 1),
            emotions,
            intensities,
            range(1, n_statements + 1),
            range(1, n_repetitions + 1),
        )
        if (emotion, intensity) != ("neutral", "strong")
    ]
    if not recordings:
        raise ValueError("There is no strong neutral in RAVDESS: add an emotion or an intensity.")
    if path.exists() and not path.is_dir():
        raise NotADirectoryError(f"{path} is a file. Give a folder for the corpus.")
    for recording, modality in product(recordings, modalities):
        name = recording.archive(modality, n_actors) if archives else recording.name(modality)
        if (path / name).is_symlink() or ((path / name).exists() and not (path / name).is_file()):
            raise FileExistsError(
                f"{path / name} is in the way. Move it, or choose another folder."
            )
    path.mkdir(parents=True, exist_ok=True)

    seed = int(check_random_state(random_state).randint(np.iinfo(np.int32).max))
    clips = Parallel(n_jobs=n_jobs, return_as="generator")(
        delayed(_make_clips)(recording, modalities, duration, tuple(frame_size), seed)
        for recording in recordings
    )
    done = zip(recordings, clips, strict=True)
    progress = tqdm(done, "make_ravdess", len(recordings), unit="clip", disable=not verbose)
    if archives:
        _write_archives(path, n_actors, progress)
    else:
        _write_folders(path, progress)
    return path


def _choose(name: str, chosen: Iterable[str], known: Iterable[str]) -> list[str]:
    """Put the chosen words into published order."""
    words, known = [] if isinstance(chosen, str) else list(chosen), list(known)
    if not words or not set(words) <= set(known):
        raise ValueError(f"{name} must be a list of some of {known}, got {chosen!r}.")
    return [word for word in known if word in words]


def _make_clips(
    recording: _Recording,
    modalities: Sequence[str],
    duration: float,
    frame_size: tuple[int, int],
    seed: int,
) -> dict[str, bytes]:
    """Act one recording and encode its clips, by modality."""

    def rng(*key: int) -> np.random.Generator:
        return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=key))

    male = recording.actor % 2 == 1
    sound = synthesise_voice(
        recording.emotion,
        recording.intensity,
        recording.statement,
        male=male,
        duration=duration,
        frame_duration=float(1 / FRAME_RATE),
        actor_rng=rng(0, recording.actor),
        clip_rng=rng(0, *recording),
    )
    clips = {}
    if "audio-only" in modalities:
        clips["audio-only"] = encode_wav(sound)
    if "full" in modalities or "video-only" in modalities:
        frames = draw_face(
            recording.emotion,
            recording.intensity,
            _loudness(sound),
            male=male,
            frame_size=frame_size,
            frame_duration=float(1 / FRAME_RATE),
            actor_rng=rng(1, recording.actor),
            clip_rng=rng(1, *recording),
        )
        video = encode_video(frames, frame_size)
        if "video-only" in modalities:
            clips["video-only"] = video
        if "full" in modalities:
            clips["full"] = add_sound(video, sound)
    return clips


def _loudness(sound: NDArray[np.int16]) -> NDArray[np.float64]:
    """Measure how loud the voice is during each picture; ears compress, and so do mouths."""
    n_pictures = round(sound.size / SAMPLE_RATE * FRAME_RATE)
    pieces = np.array_split(sound / 32768, n_pictures)
    level = np.array([np.sqrt(np.mean(piece**2)) for piece in pieces])
    return np.asarray((level / LOUDNESS) ** 0.7)


def _write_folders(path: Path, done: Iterable[tuple[_Recording, dict[str, bytes]]]) -> None:
    for recording, clips in done:
        for modality, clip in clips.items():
            file = path / recording.name(modality)
            file.parent.mkdir(exist_ok=True)
            with _replacing(file) as temporary:
                temporary.write_bytes(clip)


def _write_archives(
    path: Path, n_actors: int, done: Iterable[tuple[_Recording, dict[str, bytes]]]
) -> None:
    with ExitStack() as stack:
        archives: dict[str, zipfile.ZipFile] = {}
        for recording, clips in done:
            for modality, clip in clips.items():
                title = recording.archive(modality, n_actors)
                if title not in archives:
                    temporary = stack.enter_context(_replacing(path / title))
                    archives[title] = stack.enter_context(zipfile.ZipFile(temporary, "w"))
                _add_member(archives[title], recording.name(modality), clip)


def _add_member(archive: zipfile.ZipFile, name: str, data: bytes) -> None:
    member = zipfile.ZipInfo(name, _DATE)
    member.create_system = 3  # a Unix file, wherever it is made
    member.external_attr = 0o100644 << 16
    archive.writestr(member, data, zipfile.ZIP_DEFLATED)


@contextmanager
def _replacing(path: Path) -> Iterator[Path]:
    """Return a temporary name to write to, which takes the name of `path` once all went well."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        yield temporary
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
