"""Reading WAV, FLAC and MP3 files by libsndfile, in half of the time that FFmpeg takes."""

from __future__ import annotations

import io
import os
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from ._errors import clip_name
from ._fragments import Segment, split_fragment
from ._limits import limits_in_force
from ._media import Source, open_input
from ._mp3_frames import STARTS, complete_mp3

# libsndfile's names of what it decodes to the same numbers as FFmpeg does.
_CONTAINERS = {"WAV", "WAVEX", "FLAC", "MP3"}
_ENCODINGS = {
    "PCM_U8", "PCM_S8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE", "MPEG_LAYER_III"
}  # fmt: skip
# Of which only the whole is read here.
_PACKED = {"FLAC", "MP3"}
# Longer files, and longer sound, are decoded block by block; in longer files, segments are sought.
_MOST_BYTES = 2**26
_MOST_CHANNELS = 8
_ENDINGS = (".wav", ".flac", ".mp3")
_MP3_STARTS = {bytes((0xFF, second)) for second in STARTS}
_MOST_BYTES_AROUND_A_SEGMENT = 2**23


def read_sound(source: Source) -> tuple[NDArray[np.float32], int] | None:
    """Read a sound WAV, FLAC or MP3 file, or a segment of a WAV, at once.

    Any other file, and one that is long, damaged or beyond the limits in force, is left to
    `open_stream`, which decodes it or says what is wrong with it.

    Parameters
    ----------
    source : str, path-like or bytes
        Path, address or encoded file; a segment as ``clip.wav#t=10,12.5``.

    Returns
    -------
    samples : ndarray of float32, shape (n_channels, n_samples)
        Integers are scaled by their type to [-1, 1).
    rate : int
        Samples per second (Hz). For a file that is left to `open_stream`, None is returned
        instead of both.

    Raises
    ------
    MediaError
        If the file is missing, empty or cannot be opened.
    """
    whole, segment = split_fragment(source)
    if isinstance(whole, str | os.PathLike):
        # What is in an archive or on another machine is read as a whole even for a first look.
        first, mark, _ = os.fspath(whole).partition("::")
        if (mark or "://" in first) and not first.lower().endswith(_ENDINGS):
            return None
    with open_input(whole, clip_name(source)) as file:
        content = _content(file, _MOST_BYTES if segment is None else _MOST_BYTES_AROUND_A_SEGMENT)
    if content is None:
        return None
    import soundfile  # here, since it takes a tenth of what `import skemotion` may take

    try:
        with soundfile.SoundFile(content) as sound:
            # Or it would seek the end of what it has read, where FLAC's decoder finds nothing.
            sound.seekable = lambda: False
            return _read(sound, segment, content.n_samples)
    except (soundfile.SoundFileError, ValueError, OverflowError, MemoryError):
        return None


class _Content(io.BytesIO):
    """A file in memory, in which lying headers may lead anywhere."""

    n_samples: int | None = None  # where that is known for certain

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        # An exception cannot pass through libsndfile and would be printed.
        return super().seek(max(offset, 0) if whence == os.SEEK_SET else offset, whence)


def _content(file: IO[bytes], most: int) -> _Content | None:
    """Read a file that is not long; claim a sample more for FLAC, and check MP3."""
    start = file.read(12)
    is_flac, is_wav = start[:4] == b"fLaC", (start[:4], start[8:]) == (b"RIFF", b"WAVE")
    is_mp3 = start[:3] == b"ID3" or start[:2] in _MP3_STARTS
    if not (is_flac or is_wav or is_mp3):
        return None
    if file.seek(0, os.SEEK_END) > most:
        return None
    file.seek(0)
    content = file.read()
    if is_mp3:
        found = complete_mp3(content)
        if found is None:
            return None
        frames = _Content(found[0])
        frames.n_samples = found[1]
        return frames
    if is_flac:
        # So that a header that claims too few, after which libsndfile would stop, is found out.
        # The number is the lower 36 bits here (RFC 9639, section 8.2).
        number = int.from_bytes(content[18:26]) + 1
        content = content[:18] + (number % 2**64).to_bytes(8) + content[26:]
    return _Content(content)  # which shares the bytes


def _read(
    sound: Any, segment: Segment | None, known: int | None
) -> tuple[NDArray[np.float32], int] | None:
    rate, n_channels, n_samples = sound.samplerate, sound.channels, sound.frames
    container, encoding = sound.format, sound.subtype  # each of which asks libsndfile
    limits, is_flac = limits_in_force(), container == "FLAC"
    n_samples -= is_flac
    first, stop = 0, n_samples
    if segment is not None:
        first = round(segment.start * rate)
        stop = n_samples if segment.end is None else round(segment.end * rate)
    if (
        container not in _CONTAINERS
        or encoding not in _ENCODINGS
        or (container in _PACKED and segment is not None)
        or known not in (None, n_samples)
        or n_channels > _MOST_CHANNELS
        or not limits.sample_rates[0] <= rate <= limits.sample_rates[1]
        or not 0 <= first < stop <= n_samples
        or stop - first > limits.max_seconds * rate
        or 4 * n_channels * (stop - first) > min(limits.max_bytes, _MOST_BYTES)
    ):
        return None
    if first:
        sound.seek(first)
    # Plain samples are faster copied as they are, and scaled by NumPy.
    is_plain = encoding == "PCM_16" and not is_flac
    dtype = "int16" if is_plain else "float32"
    samples = sound.read(stop - first + is_flac, dtype, always_2d=True)
    if len(samples) != stop - first:
        return None
    if is_plain:
        samples = np.multiply(samples, np.float32(2**-15), dtype=np.float32)
    return np.ascontiguousarray(samples.T), rate
