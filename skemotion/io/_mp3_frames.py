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
    kind = _kind(content[start : start + 4])
    sizes: dict[bytes, int] = {}  # few headers occur, all of them often
    place, n_frames = start, 0
    while place < end:
        header = content[place : place + 4]
        size = sizes.get(header)
        if size is None:
            size = sizes[header] = _frame_size(header) if _kind(header) == kind else 0
        if not size:
            return None
        place, n_frames = place + size, n_frames + 1
    if place != end or n_frames < 2:
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


def _kind(header: bytes) -> tuple[int, int, bool] | None:
    """Return version, layer and protection; sample rate; and whether there is one channel."""
    if len(header) < 4:
        return None
    return header[1], header[2] >> 2 & 0b11, header[3] >> 6 == _MONO


def _frame_size(header: bytes) -> int:
    """Return a frame's size in bytes; 0 where this is no frame of layer III."""
    if len(header) < 4 or header[0] != 0xFF or header[1] >> 1 & 0b11 != 0b01:
        return 0
    version, bit_rate, rate = header[1] >> 3 & 0b11, header[2] >> 4, header[2] >> 2 & 0b11
    if header[1] >> 5 != 0b111 or version not in _RATES or bit_rate in (0, 15) or rate == 3:
        return 0
    is_first_version = version == 0b11
    bits = 1000 * _BIT_RATES[1 if is_first_version else 2][bit_rate - 1]
    n_bytes = (144 if is_first_version else 72) * bits // _RATES[version][rate]
    return n_bytes + (header[2] >> 1 & 1)


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
    following = np.frombuffer(frames, np.uint8, offset=_frame_size(frames[:4]))
    if int.from_bytes(tag[152:154]) != _compiled_checksum()(following, _TABLES):
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


@lru_cache(maxsize=1)
def _compiled_checksum() -> Callable[[Any, Any], Any]:
    import numba  # here, since it takes longer than `import skemotion` may take

    compiled: Callable[[Any, Any], Any] = numba.njit(cache=True, nogil=True)(_checksum)
    return compiled
