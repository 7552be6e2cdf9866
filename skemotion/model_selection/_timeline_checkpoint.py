"""Files in which the windows of a timeline are kept while it is computed."""

from __future__ import annotations

import json
import os
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

_END = {"complete": True}


class Verdict(NamedTuple):
    """What a model says of a window, unsmoothed; NaN where it says nothing."""

    start: float
    end: float
    modalities: str
    probabilities: NDArray[np.float64]


class TimelineCheckpoint:
    """A file of windows: a line of JSON that says of what, one for each window, one at the end.

    Parameters
    ----------
    path : path-like
        Continued where it exists. An incomplete last line, as a killed run leaves it, is removed.
    about : dict
        Of which recording the windows are, by which settings.

    Attributes
    ----------
    kept : list of Verdict
        What the file holds already.
    is_complete : bool
        Whether that is the whole recording.

    Raises
    ------
    ValueError
        If the file is another one, or of another recording or settings.
    """

    def __init__(self, path: str | os.PathLike[str], about: dict[str, Any]) -> None:
        self.path = Path(path)
        # As it comes back: no tuples, and no numbers of NumPy.
        self._about = json.loads(json.dumps({"about": about}))
        self.kept: list[Verdict] = []
        self.is_complete = False
        if self.path.exists():
            self._read()
        self._n_windows = len(self.kept)
        self._file = self.path.open("a", encoding="utf-8", newline="")
        if not self._file.tell():
            self._write(self._about)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._file.close()
        if not self._n_windows and error is not None:  # nothing to go on with
            self.path.unlink(missing_ok=True)

    def add(self, verdicts: list[Verdict]) -> None:
        """Add windows, which are in the file when this returns."""
        self._n_windows += len(verdicts)
        for start, end, modalities, probabilities in verdicts:
            shares = None if np.isnan(probabilities).any() else probabilities.tolist()
            self._write(
                {"start": start, "end": end, "modalities": modalities, "probabilities": shares}
            )

    def finish(self) -> None:
        """Note that these are all windows."""
        if not self.is_complete:
            self._write(_END)

    def _write(self, record: dict[str, Any]) -> None:
        self._file.write(_line(record))
        self._file.flush()

    def _read(self) -> None:
        content = self.path.read_bytes()
        if _line(self._about).encode().startswith(content):  # killed at once
            os.truncate(self.path, 0)
            return
        end = content.rfind(b"\n") + 1
        try:
            about, *windows = [json.loads(line) for line in content[:end].decode().splitlines()]
            settings = dict(about["about"])
            self.is_complete = windows[-1:] == [_END]
            if self.is_complete:
                windows.pop()
            self.kept = [self._verdict(record) for record in windows]
        except (ValueError, TypeError, KeyError) as error:
            raise ValueError(
                f"{self.path}: expected the windows of an interrupted timeline, found something "
                "else. Give another name."
            ) from error
        if about != self._about:
            wanted = self._about["about"]
            differing = [name for name in wanted if settings.get(name) != wanted[name]]
            raise ValueError(
                f"{self.path}: expected windows of the same recording, settings and emotions, "
                f"found others ({', '.join(differing)}). Repeat the first command as it was, or "
                "remove the file."
            )
        if end < len(content):
            os.truncate(self.path, end)

    def _verdict(self, record: dict[str, Any]) -> Verdict:
        n_classes = len(self._about["about"]["emotions"])
        shares = record["probabilities"]
        return Verdict(
            float(record["start"]),
            float(record["end"]),
            str(record["modalities"]),
            np.full(n_classes, np.nan) if shares is None else np.array(shares, dtype=np.float64),
        )


def _line(record: dict[str, Any]) -> str:
    return json.dumps(record) + "\n"
