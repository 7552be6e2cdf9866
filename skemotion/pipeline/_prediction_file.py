"""Files of predictions, which grow row by row and survive the end of a run."""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

_SUFFIXES = (".csv", ".json", ".jsonl")
_HEAD, _TAIL = ("file", "label"), ("error",)
# Paths that are no text in UTF-8 come back as they are.
_TEXT: dict[str, Any] = {"encoding": "utf-8", "errors": "surrogateescape", "newline": ""}


class ClipPrediction(NamedTuple):
    """Prediction of a model for one clip, or the reason why there is none.

    Attributes
    ----------
    row : int
        Number of the clip.
    clip : str
        The clip.
    label : Any
        The most probable label; None in case of an error.
    probabilities : dict
        The probability of each label; empty in case of an error, or if the model has none.
    error : str or None
        Why the clip could not be used.
    """

    row: int
    clip: str
    label: Any
    probabilities: dict[Any, float]
    error: str | None


class PredictionFile:
    """A file of predictions, one row per clip, in the order of clips.

    Parameters
    ----------
    path : path-like
        Ends in ``.csv``, ``.jsonl``, which grow by a row at a time, or ``.json``, which is written
        whole by `finish`.
    clips : sequence of str
        The names of all clips.
    labels : sequence
        The model's labels.
    gives_probabilities : bool
        Whether there is a column of probabilities for each label.
    resume : bool
        Whether to continue an existing file. An incomplete last row is removed.

    Attributes
    ----------
    kept : list of ClipPrediction
        What the file holds already.

    Raises
    ------
    ValueError
        If the name ends otherwise, or the file to go on with is of other clips or labels.
    FileExistsError
        If there is such a file, and it is not to be gone on with.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        clips: Sequence[str],
        labels: Sequence[Any],
        *,
        gives_probabilities: bool,
        resume: bool,
    ) -> None:
        self.path = Path(path)
        self._suffix = self.path.suffix.lower()
        self._labels = list(labels)
        self._shares = {label: f"probability_{label}" for label in labels if gives_probabilities}
        self._columns = [*_HEAD, *self._shares.values(), *_TAIL]
        self._records: list[dict[str, Any]] = []
        self._file: Any = None
        self.kept: list[ClipPrediction] = []
        if self._suffix not in _SUFFIXES:
            raise ValueError(
                f"{self.path}: expected a name that ends in {', '.join(_SUFFIXES)}, found "
                f"{self._suffix!r}. Give another name."
            )
        if resume and self._suffix == ".json":
            raise ValueError(
                f"{self.path}: only .csv and .jsonl files can be gone on with, as a .json file is "
                "written at the end. Give such a name."
            )
        if self.path.exists():
            if not resume:
                raise FileExistsError(
                    f"{self.path}: expected a new file, found one that is there. Go on with "
                    "it by resume=True (--resume), remove it, or give another name."
                )
            self.kept = self._read(clips)
        if self._suffix != ".json":
            self._file = self.path.open("a", **_TEXT)
            if self._suffix == ".csv" and not self._file.tell():
                self._write_row(self._columns)

    def write(self, prediction: ClipPrediction) -> None:
        """Add a row.

        Parameters
        ----------
        prediction : ClipPrediction
            Of the clip that is next.
        """
        shares = [
            round(float(prediction.probabilities[label]), 6) if prediction.probabilities else None
            for label in self._shares
        ]
        error = prediction.error and " ".join(prediction.error.split())
        cells = [prediction.clip, _plain(prediction.label), *shares, error]
        record = dict(zip(self._columns, cells, strict=True))
        if self._suffix == ".csv":
            self._write_row(cells)
        elif self._suffix == ".jsonl":
            self._file.write(json.dumps(record, ensure_ascii=False) + "\n")
            self._file.flush()
        else:
            self._records.append(record)

    def finish(self) -> None:
        """Write what can only be written at the end."""
        if self._suffix != ".json":
            return
        part = self.path.with_name(f".{self.path.name}.{os.getpid()}.part")
        try:
            with part.open("w", **_TEXT) as file:
                json.dump(self._records, file, ensure_ascii=False, indent=1)
                file.write("\n")
            part.replace(self.path)
        finally:
            part.unlink(missing_ok=True)

    def close(self) -> None:
        """Close the file; what was written is there."""
        if self._file is not None:
            self._file.close()

    def _write_row(self, cells: Sequence[Any]) -> None:
        csv.writer(self._file, lineterminator="\n").writerow(cells)
        # For whoever reads along, and for the next run if this one is killed.
        self._file.flush()

    def _read(self, clips: Sequence[str]) -> list[ClipPrediction]:
        """Read the whole rows of a file, and remove what follows them."""
        content = self.path.read_bytes()
        end = content.rfind(b"\n") + 1
        text = content[:end].decode("utf-8", "surrogateescape")
        try:
            kept = self._parse(text)
        except (csv.Error, ValueError, TypeError, AttributeError) as error:
            raise ValueError(
                f"{self.path}: expected predictions with the columns {', '.join(self._columns)}, "
                f"found something else ({error}). Give another name."
            ) from error
        for prediction in kept:
            row = prediction.row
            if row >= len(clips) or prediction.clip != clips[row]:
                expected = clips[row] if row < len(clips) else "no more rows"
                raise ValueError(
                    f"{self.path}: expected {expected} in row {row}, found {prediction.clip}: "
                    "these predictions are of other clips. Give another name."
                )
        if end < len(content):
            os.truncate(self.path, end)
        return kept

    def _parse(self, text: str) -> list[ClipPrediction]:
        if self._suffix == ".csv":
            header, *rows = [*csv.reader(io.StringIO(text, newline=""), strict=True)] or [
                self._columns
            ]
            if header != self._columns or any(len(row) != len(header) for row in rows):
                raise ValueError(f"columns {', '.join(header)}")
            records = [dict(zip(header, row, strict=True)) for row in rows]
        else:
            records = [json.loads(line) for line in text.splitlines()]
            for record in records:
                if list(record) != self._columns:
                    raise ValueError(f"columns {', '.join(record)}")
        return [self._prediction(row, record) for row, record in enumerate(records)]

    def _prediction(self, row: int, record: dict[str, Any]) -> ClipPrediction:
        if record["error"]:
            return ClipPrediction(row, record["file"], None, {}, record["error"])
        word = str(record["label"])
        labels = {str(label): label for label in self._labels} or {word: record["label"]}
        if word not in labels:
            raise ValueError(f"label {word!r}")
        shares = {label: float(record[name]) for label, name in self._shares.items()}
        return ClipPrediction(row, record["file"], labels[word], shares, None)


def _plain(label: Any) -> Any:
    return label.item() if isinstance(label, np.generic) else label
