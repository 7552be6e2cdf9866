"""Whether an MP3 file is complete, by the headers of its frames and the encoder's checksum.

Of a complete one, libsndfile decodes the same samples as FFmpeg; of one that is damaged, cut off,
joined, or does not say where its sound begins and ends, the two make different things.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

# Of layer III, in kbit/s and Hz, by the numbers in a header (ISO/IEC 11172-3 and 13818-3, section
# 2.4.2.3). Bit rate 0 is any, which is left out, and 15 none.
_BIT_RATES = {
    1: (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    2: (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
_RATES = {
    0b11: (44100, 48000, 32000),
    0b10: (22050, 24000, 16000),
    0b00: (11025, 12000, 8000),
}
_MONO = 0b11
# Second bytes of headers of layer III in its three versions, with and without a checksum each.
STARTS = (0xFA, 0xFB, 0xF2, 0xF3, 0xE2, 0xE3)
_TAG_BYTES = 156


def complete_mp3(content: bytes) -> tuple[bytes, int] | None:
    """Return the frames of a complete MP3 file, without tags about, and how many samples they hold.

    Parameters
    ----------
    content : bytes
        The whole file.

    Returns
    -------
    frames : bytes
    n_samples : int
        By the first frame, which says how many frames follow, and how many samples at both ends
        the encoder has added. None instead of both where there is no such frame, or where what
        follows is not all of that, or anything else.
    """
    start, end = _after_tag(content), len(content)
    if content[-128:-125] == b"TAG":
        end -= 128
    frames = np.frombuffer(content, np.uint8)[start:end]
    if len(frames) < 4:
        return None
    n_frames = _compiled(_count_frames)(frames, _frame_sizes(frames[1]))
    if n_frames < 2:
        return None
    n_samples = _promised_samples(content[start:end], n_frames - 1)
    return None if n_samples is None else (content[start:end], n_samples)


def _after_tag(content: bytes) -> int:
    """Return where an ID3v2 tag ends, if there is one."""
    if content[:3] != b"ID3" or len(content) < 10:
        return 0
    size = 0
    for byte in content[6:10]:  # seven bits each
        size = size << 7 | byte & 0x7F
    return 10 + size


@lru_cache(maxsize=len(STARTS))
def _frame_sizes(second: int) -> NDArray[np.int32]:
    """Return the bytes of frames by the third of their headers; 0 where that is none."""
    sizes = np.zeros(256, dtype=np.int32)
    for third in range(256) if second in STARTS else ():
        version, bit_rate, rate = second >> 3 & 0b11, third >> 4, third >> 2 & 0b11
        if bit_rate not in (0, 15) and rate != 3:
            is_first_version = version == 0b11
            bits = 1000 * _BIT_RATES[1 if is_first_version else 2][bit_rate - 1]
            n_bytes = (144 if is_first_version else 72) * bits // _RATES[version][rate]
            sizes[third] = n_bytes + (third >> 1 & 1)
    return sizes


def _count_frames(content: Any, sizes: Any) -> int:
    """Count frames of one kind that follow upon each other to the end; 0 if they do not."""
    place, n_frames = 0, 0
    rate, is_mono = content[2] >> 2 & 0b11, content[3] >> 6 == _MONO
    while place + 4 <= len(content):
        size = sizes[content[place + 2]]
        if (
            size == 0
            or content[place] != 0xFF
            or content[place + 1] != content[1]
            or content[place + 2] >> 2 & 0b11 != rate
            or (content[place + 3] >> 6 == _MONO) != is_mono
        ):
            return 0
        place += size
        n_frames += 1
    return n_frames if place == len(content) else 0


def _promised_samples(frames: bytes, n_following: int) -> int | None:
    """Return the number of samples by the encoder's tag in the first frame, if all of it holds."""
    is_first_version = frames[1] >> 3 & 0b11 == 0b11
    is_mono = frames[3] >> 6 == _MONO
    at = 4 + (17 if is_mono else 32) if is_first_version else 4 + (9 if is_mono else 17)
    tag = frames[at : at + _TAG_BYTES]
    # The number of frames, that of bytes, a table of contents, a quality; and the encoder's name.
    if tag[:4] not in (b"Info", b"Xing") or tag[4:8] != b"\0\0\0\x0f" or not any(tag[120:124]):
        return None
    if int.from_bytes(tag[8:12]) != n_following or int.from_bytes(tag[12:16]) != len(frames):
        return None
    following = np.frombuffer(frames, np.uint8, offset=int(_frame_sizes(frames[1])[frames[2]]))
    if int.from_bytes(tag[152:154]) != _compiled(_checksum)(following, _TABLES):
        return None
    added = int.from_bytes(tag[141:144])
    # The decoder's own delay, of 529 samples, is cut off the beginning, and not from the end.
    n_added = (added >> 12) + max(added & 0xFFF, 529)
    return (1152 if is_first_version else 576) * n_following - n_added


def _tables() -> NDArray[np.int32]:
    """Return the remainders of single bytes in CRC-16/ARC, with 0 to 7 zero bytes after them."""
    tables = np.zeros((8, 256), dtype=np.int32)
    tables[0] = np.arange(256)
    for _ in range(8):
        tables[0] = np.where(tables[0] & 1, tables[0] >> 1 ^ 0xA001, tables[0] >> 1)
    for before, after in pairwise(tables):
        after[:] = tables[0][before & 0xFF] ^ before >> 8
    return tables


_TABLES = _tables()


def _checksum(content: Any, tables: Any) -> Any:
    # Eight bytes a turn, whose remainders do not wait for each other.
    n_eights = len(content) // 8
    checksum = 0
    for i in range(n_eights):
        part = content[8 * i : 8 * i + 8]
        checksum = (
            tables[7, part[0] ^ checksum & 0xFF] ^ tables[6, part[1] ^ checksum >> 8]
            ^ tables[5, part[2]] ^ tables[4, part[3]] ^ tables[3, part[4]]
            ^ tables[2, part[5]] ^ tables[1, part[6]] ^ tables[0, part[7]]
        )  # fmt: skip
    for byte in content[8 * n_eights :]:
        checksum = tables[0, (checksum ^ byte) & 0xFF] ^ checksum >> 8
    return checksum


@lru_cache(maxsize=2)
def _compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    import numba  # here, since it takes longer than `import skemotion` may take

    compiled: Callable[..., Any] = numba.njit(cache=True, nogil=True)(function)
    return compiled
