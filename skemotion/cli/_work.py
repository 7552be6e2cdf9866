"""A corpus and a model on it, for evaluate, train and demo."""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import joblib
import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.utils import Bunch

from ..base import model_parts, plural
from ..pipeline import ClipError, ClipPipeline, find_unusable, make_emotion_pipeline
from ..video import VideoLoader, common_frame_size
from ._corpus import load, speakers_unknown
from ._messages import complain
from ._options import recipe_of


@dataclass(frozen=True)
class Work:
    """A corpus, an unfitted model, and the clips that it cannot use."""

    corpus: Bunch
    model: BaseEstimator
    errors: list[ClipError]
    max_unusable: float
    n_jobs: int

    @classmethod
    @contextmanager
    def on_corpus(
        cls, options: argparse.Namespace, *, needs_speakers: bool = False
    ) -> Iterator[Self]:
        """Load a corpus, and see which clips can be used, as the options say."""
        corpus = load(options)
        if needs_speakers and corpus.groups is None:
            raise ValueError(f"The protocols need speakers, and {speakers_unknown(options)}")
        settings = {"max_unusable": options.max_unusable, "cache": options.cache}
        with cls.on(corpus, n_jobs=options.jobs, **settings, **recipe_of(options)) as work:
            yield work

    @classmethod
    @contextmanager
    def on(
        cls,
        corpus: Bunch,
        *,
        n_jobs: int,
        max_unusable: float,
        cache: Path | None = None,
        **recipe: Any,
    ) -> Iterator[Self]:
        """Make a model by a recipe, and find the clips that it can use."""
        n_jobs = joblib.effective_n_jobs(n_jobs)
        with cache_folder(cache) as folder:
            model = make_emotion_pipeline(**recipe, memory=folder, n_jobs=n_jobs)
            # HOG3D has cells per frame: the first clip's frame size is that of all, so that the
            # model takes clips of any size. The other recipe looks at faces.
            loaders = [part for part in model_parts(model) if isinstance(part, VideoLoader)]
            if loaders and recipe["recipe"] == "reference":
                size = common_frame_size(corpus.data["video"])
                for loader in loaders:
                    loader.set_params(size=size)
            errors = find_unusable(model, corpus.data, n_jobs=n_jobs, verbose=True)
            for error in errors:
                complain(f"left out: {error.reason}")
            _check_share(errors, len(corpus.data), max_unusable)
            yield cls(corpus, model, errors, max_unusable, n_jobs)

    @property
    def usable(self) -> NDArray[np.intp]:
        """Rows of the clips that can be used."""
        bad = [error.row for error in self.errors]
        return np.setdiff1d(np.arange(len(self.corpus.data)), bad).astype(np.intp)

    @property
    def left_out(self) -> str:
        """Half a sentence on clips that cannot be used, if there are any."""
        if not self.errors:
            return ""
        were = "was" if len(self.errors) == 1 else "were"
        clips = plural(len(self.corpus.data), "clip")
        return f"; {len(self.errors)} of {clips} could not be used and {were} left out"

    def for_others(self, fitted: BaseEstimator) -> BaseEstimator:
        """Remove this machine's cache and workers from a model."""
        for part in model_parts(fitted):
            if isinstance(part, ClipPipeline):
                part.set_params(memory=None, n_jobs=None)
        return fitted


@contextmanager
def cache_folder(given: Path | None = None) -> Iterator[Path]:
    """Give the folder of a cache: a temporary one, if none is given."""
    if given is not None:
        yield given
        return
    with tempfile.TemporaryDirectory(prefix="skemotion-", ignore_cleanup_errors=True) as folder:
        yield Path(folder)


def _check_share(errors: list[ClipError], n_clips: int, max_unusable: float) -> None:
    if len(errors) > max_unusable * n_clips:
        raise ValueError(
            f"{len(errors)} of {plural(n_clips, 'clip')} cannot be used, and at most "
            f"{max_unusable:.0%} may be left out. Repair or remove them, or allow more with "
            "--max-unusable."
        )
