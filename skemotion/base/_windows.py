"""Windows of a long recording."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple, TypeVar

Item = TypeVar("Item")

# Times of frames are sums of rounded numbers.
_INSTANT = 1e-6  # seconds


class ClipWindow(NamedTuple):
    """A part of a recording.

    Attributes
    ----------
    start, end : float
        Seconds after the recording's beginning.
    content : Any
        What is in it: what a loader makes of a clip that is cut there, or the `MediaError` that
        it raises.
    """

    start: float
    end: float
    content: Any


def sliding_windows(
    items: Iterable[tuple[float, Item]], window: float, hop: float, first: int = 0
) -> Iterator[ClipWindow]:
    """Gather what happens one after the other into windows, holding one window at a time.

    Parameters
    ----------
    items : iterable of (float, item)
        With their times in seconds, in order.
    window, hop : float
        Length of a window, and from the beginning of one to that of the next, in seconds.
    first : int, default=0
        Number of the first window to give; items before it are passed over.

    Yields
    ------
    window : ClipWindow
        With the list of items from its start on and before its end. There is one for every start
        before the end of the last item, which lasts as long as the one before it did; those that
        reach beyond are cut there.

    Examples
    --------
    >>> from skemotion.base import sliding_windows
    >>> for window in sliding_windows([(0.0, "a"), (1.0, "b"), (2.0, "c")], window=2.0, hop=1.0):
    ...     print(window)
    ClipWindow(start=0.0, end=2.0, content=['a', 'b'])
    ClipWindow(start=1.0, end=3.0, content=['b', 'c'])
    ClipWindow(start=2.0, end=3.0, content=['c'])
    """
    held: deque[tuple[float, Item]] = deque()
    n_windows, last, gap = first, None, 0.0

    def content(end: float) -> list[Item]:
        return [item for time, item in held if time < end - _INSTANT]

    for time, item in items:
        while time >= (end := n_windows * hop + window) - _INSTANT:
            yield ClipWindow(n_windows * hop, end, content(end))
            n_windows += 1
            _drop(held, n_windows * hop)
        gap = gap if last is None else time - last
        last = time
        if time >= n_windows * hop - _INSTANT:
            held.append((time, item))
    length = 0.0 if last is None else last + gap
    while (start := n_windows * hop) < length - _INSTANT:
        end = start + window
        yield ClipWindow(start, min(end, length), content(end))
        n_windows += 1
        _drop(held, n_windows * hop)


def _drop(held: deque[tuple[float, Any]], start: float) -> None:
    while held and held[0][0] < start - _INSTANT:
        held.popleft()
