"""The windows of a recording, as all of a model's loaders give them, side by side."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from itertools import count
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..audio import AudioLoader
from ..base import ClipWindow
from ..io import MediaError, claimed_seconds
from ..pipeline import UnusableClipWarning
from ..video import FaceLandmarks

# What a window adds to those before it, as a share of the hop, for it to be worth a row.
_LEAST_NEWS = 0.1
# How much of a window a modality covers at least, for it to be asked.
_LEAST_COVER = 0.5
_SILENCE_BLOCK = 0.03  # seconds


class TimelineRow(NamedTuple):
    """A window of a recording, and what each loader makes of it."""

    start: float
    end: float
    contents: list[NDArray[Any] | MediaError]


class Recording:
    """A recording that is loaded window by window, by several loaders at once.

    Parameters
    ----------
    clip : path or address
        The recording.
    loaders : list of estimator
        With `transform_windows`.
    window, hop : float
        In seconds.
    fps : float or None
        Frames per second in which `FaceLandmarks` looks for faces.
    silence : float or None
        Loudness (dB of full scale) that a voice has at least.
    """

    def __init__(
        self,
        clip: str,
        loaders: list[Any],
        *,
        window: float,
        hop: float,
        fps: float | None,
        silence: float | None,
    ) -> None:
        self._clip, self._loaders, self._window, self._hop = clip, loaders, window, hop
        self._fps, self._silence = fps, silence

    def rows(self, n_known: int = 0, reached: float = 0.0) -> Iterator[TimelineRow]:
        """Load the windows one after the other, up to the first that reaches the end.

        Parameters
        ----------
        n_known : int, default=0
            Windows that are left out, as they are known.
        reached : float, default=0.0
            Where they end, in seconds.

        Yields
        ------
        row : TimelineRow

        Raises
        ------
        MediaError
            If none of the loaders can use the recording.
        """
        if not self._loaders:
            yield from self._claimed_rows(n_known)
            return
        # The last window that is known is certain to be there.
        first = max(n_known - 1, 0)
        streams = [self._stream(loader, first) for loader in self._loaders]
        for number in count(first):
            windows = [stream.next() for stream in streams]
            ends = [window.end for window in windows if window is not None]
            if number == first and not ends:
                raise MediaError("; ".join(str(stream.failure) for stream in streams))
            if number < n_known:
                continue
            least = _LEAST_NEWS * min(self._window, self._hop) if number else 0.0
            if not ends or max(ends) - reached < least:
                return
            start, reached = number * self._hop, max(ends)
            contents = [
                stream.content(window, start, reached)
                for stream, window in zip(streams, windows, strict=True)
            ]
            yield TimelineRow(start, reached, contents)

    def _stream(self, loader: Any, first: int) -> _Stream:
        settings = {"fps": self._fps} if isinstance(loader, FaceLandmarks) else {}
        windows = loader.transform_windows(self._clip, self._window, self._hop, first, **settings)
        return _Stream(self._clip, loader, self._silence, windows)

    def _claimed_rows(self, n_known: int) -> Iterator[TimelineRow]:
        """Return the windows of a recording that each loader opens again, by its header."""
        length = claimed_seconds(self._clip)
        if length is None:
            raise MediaError(
                f"{self._clip}: expected a recording that says how long it is, found one that "
                "cannot be opened or does not. Check the path, or convert it, for example to MP4."
            )
        for number in count():
            start = number * self._hop
            end = min(start + self._window, length)
            if number >= n_known:
                yield TimelineRow(start, end, [])
            if length - end < _LEAST_NEWS * min(self._window, self._hop):
                return


class _Stream:
    """What one loader gives, and why it gives no more."""

    def __init__(
        self,
        clip: str,
        loader: Any,
        silence: float | None,
        windows: Iterator[ClipWindow],
    ) -> None:
        self.kind = "audio" if isinstance(loader, AudioLoader) else "video"
        self.failure = MediaError(f"{clip}: expected {self.kind}, found its end.")
        self._clip, self._loader, self._silence = clip, loader, silence
        self._windows = windows
        self._reached = 0.0

    def next(self) -> ClipWindow | None:
        """Return the next window; None after the end, or after damage."""
        try:
            window = next(self._windows, None)
        except MediaError as error:
            self.failure = error
            if self._reached:
                warnings.warn(
                    f"From {self._reached:g} s on there is no {self.kind}: {error}",
                    UnusableClipWarning,
                    stacklevel=5,
                )
            return None
        if window is not None:
            self._reached = window.end
        return window

    def content(
        self, window: ClipWindow | None, start: float, end: float
    ) -> NDArray[Any] | MediaError:
        """Return what a row has of this stream, or why it has nothing."""
        if window is None or window.end - start < _LEAST_COVER * (end - start):
            return self.failure
        content: NDArray[Any] | MediaError = window.content
        if self.kind == "audio" and self._silence is not None and isinstance(content, np.ndarray):
            loudest = _loudest(content, round(_SILENCE_BLOCK * self._loader.sample_rate))
            if loudest < self._silence:
                return MediaError(
                    f"{self._clip}, {start:g} to {end:g} s: expected a voice, found nothing "
                    f"louder than {loudest:.0f} dB."
                )
        return content


def _loudest(waveform: NDArray[Any], n_samples: int) -> float:
    """Return the level of the loudest block, in dB of full scale."""
    n_blocks = len(waveform) // n_samples
    blocks = waveform[: n_blocks * n_samples].reshape(n_blocks, -1) if n_blocks else waveform[None]
    power = np.square(blocks, dtype=np.float64).mean(axis=1).max()
    return float(10 * np.log10(max(power, 1e-12)))
