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
        self._clip, self._window, self._hop = clip, window, hop
        self._streams = [
            _Stream(clip, loader, window=window, hop=hop, fps=fps, silence=silence)
            for loader in loaders
        ]

    def rows(self) -> Iterator[TimelineRow]:
        """Load the windows one after the other, up to the first that reaches the end.

        Raises
        ------
        MediaError
            If none of the loaders can use the recording.
        """
        if not self._streams:
            yield from self._claimed_rows()
            return
        reached = 0.0
        for number in count():
            windows = [stream.next() for stream in self._streams]
            ends = [window.end for window in windows if window is not None]
            if not number and not ends:
                raise MediaError("; ".join(str(stream.failure) for stream in self._streams))
            least = _LEAST_NEWS * min(self._window, self._hop) if number else 0.0
            if not ends or max(ends) - reached < least:
                return
            start, reached = number * self._hop, max(ends)
            contents = [
                stream.content(window, start, reached)
                for stream, window in zip(self._streams, windows, strict=True)
            ]
            yield TimelineRow(start, reached, contents)

    def _claimed_rows(self) -> Iterator[TimelineRow]:
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
            yield TimelineRow(start, end, [])
            if length - end < _LEAST_NEWS * min(self._window, self._hop):
                return


class _Stream:
    """What one loader gives, and why it gives no more."""

    def __init__(
        self,
        clip: str,
        loader: Any,
        *,
        window: float,
        hop: float,
        fps: float | None,
        silence: float | None,
    ) -> None:
        settings = {"fps": fps} if isinstance(loader, FaceLandmarks) else {}
        self.kind = "audio" if isinstance(loader, AudioLoader) else "video"
        self.failure = MediaError(f"{clip}: expected {self.kind}, found its end.")
        self._clip, self._loader, self._silence = clip, loader, silence
        self._windows: Iterator[ClipWindow] = loader.transform_windows(
            clip, window, hop, **settings
        )
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
