"""What a model needs: what a process does before its first answer, and whether it takes sound."""

from __future__ import annotations

import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any

import av
import numpy as np

from ..audio import AudioLoader
from ..base import model_parts
from ..io import MediaError
from ..video import FaceLandmarks, VideoLoader
from ._answer import answer_recording

_RATE, _SECONDS = 16_000, 2


def prepare(model: Any) -> None:
    """Import, compile and load what a model needs, by a clip of noise.

    Parameters
    ----------
    model : estimator
        Fitted.

    Raises
    ------
    FileNotFoundError, ImportError
        If something that the model needs is missing.
    """
    # A pipeline would take a missing network for the clip's failure.
    for stage in model_parts(model):
        if isinstance(stage, FaceLandmarks):
            with suppress(MediaError):  # as there is no face
                stage.transform_clip(np.zeros((1, 48, 64), dtype=np.uint8))
    with tempfile.TemporaryDirectory(prefix="skemotion-page-") as folder:
        path = Path(folder, "noise.mkv")
        _write_noise(path)
        with suppress(MediaError):
            answer_recording(model, str(path))


def takes_sound(model: Any) -> bool:
    """Say whether a model can answer about a file of sound alone.

    Parameters
    ----------
    model : estimator
        Fitted.

    Returns
    -------
    takes : bool
    """
    parts = model_parts(model)
    columns = set(getattr(model, "feature_names_in_", ()))
    hears = "audio" in columns or any(isinstance(part, AudioLoader) for part in parts)
    sees = not columns.isdisjoint(("video", "landmarks")) or any(
        isinstance(part, VideoLoader | FaceLandmarks) for part in parts
    )
    # A fusion leaves out the modality that is missing.
    return hears and (not sees or hasattr(model, "predict_proba_by_branch"))


def _write_noise(path: Path) -> None:
    """Write a clip of grey pictures and soft noise."""
    rng = np.random.default_rng(0)
    with av.open(path, "w") as file:
        pictures = file.add_stream("mjpeg", rate=10)
        pictures.width, pictures.height, pictures.pix_fmt = 320, 240, "yuvj420p"
        sound = file.add_stream("pcm_s16le", rate=_RATE, layout="mono")
        for _ in range(10 * _SECONDS):
            pixels = rng.integers(100, 150, (240, 320), dtype=np.uint8)
            frame = av.VideoFrame.from_ndarray(np.stack([pixels] * 3, axis=-1), format="rgb24")
            file.mux(pictures.encode(frame))
        samples = rng.normal(0, 1000, (1, _RATE * _SECONDS)).astype(np.int16)
        block = av.AudioFrame.from_ndarray(samples, format="s16", layout="mono")
        block.sample_rate = _RATE
        file.mux(sound.encode(block))
        file.mux(pictures.encode())
        file.mux(sound.encode())
