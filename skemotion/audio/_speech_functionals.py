"""Functionals of speech: a clip's descriptors summarised in thousands of named numbers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ._speech_descriptors import (
    FORMANTS,
    N_MELS,
    N_MFCC,
    PROSODY,
    SPECTRUM,
    SpeechDescriptors,
    describe_speech,
)
from ._speech_formants import N_FORMANTS
from ._speech_frames import SAMPLE_RATE, prepare_speech
from ._speech_statistics import (
    MODULATION_BANDS,
    N_STILL,
    STATISTICS,
    TIMING,
    contours,
    derivative,
    modulation,
    statistics,
    thirds,
    timing,
)

BLOCKS = ("mfcc", "mel", "prosody", "formants", "spectrum", "modulation", "timing", "contour",
          "thirds")  # fmt: skip

# Frames are active where their power is not below its 95th percentile by more than this, in nepers
# of power (35 dB); where no more than so many are voiced, all count as voiced.
_ACTIVE = 8.0
_FEW_VOICED = 5
_CONTOUR_SPECTRUM = ("loudness", "energy", "centroid", "hammarberg", "slope0-500", "slope500-1500")
_MFCC_CONTOUR, _VOICE_CONTOUR = 10, 12  # coefficients

_MFCC_NAMES = tuple(f"mfcc{i:02d}" for i in range(N_MFCC))
_MEL_NAMES = tuple(f"mel{i:02d}" for i in range(N_MELS))
_PAIR_NAMES = tuple(f"mel{i:02d}+{i + 1:02d}" for i in range(0, N_MELS, 2))
_VOICE_NAMES = (*PROSODY[:2], *_CONTOUR_SPECTRUM, *FORMANTS[:3])
_CURVES: dict[str, tuple[str, ...]] = {
    "mfcc": _MFCC_NAMES,
    "mfcc-delta": tuple(f"{name}-delta" for name in _MFCC_NAMES),
    "mfcc-delta2": tuple(f"{name}-delta2" for name in _MFCC_NAMES),
    "mel": _MEL_NAMES,
    "mel-delta": tuple(f"{name}-delta" for name in _MEL_NAMES),
    "prosody": PROSODY,
    "pitch-delta": (f"{PROSODY[0]}-delta",),
    "formants": FORMANTS,
    "formants-delta": tuple(f"{name}-delta" for name in FORMANTS[:N_FORMANTS]),
    "spectrum": SPECTRUM,
    "spectrum-delta": tuple(f"{name}-delta" for name in SPECTRUM),
}
# What these blocks are made of: curves, over which frames, and whether with their course in time.
_STATISTICS: dict[str, tuple[tuple[str, str, bool], ...]] = {
    "mfcc": (
        ("mfcc", "active", True),
        ("mfcc-delta", "active", False),
        ("mfcc-delta2", "active", False),
        ("mfcc", "voiced", True),
    ),
    "mel": (("mel", "active", True), ("mel", "voiced", True), ("mel-delta", "active", False)),
    "prosody": (("prosody", "voiced", True), ("pitch-delta", "voiced", False)),
    "formants": (("formants", "voiced", True), ("formants-delta", "voiced", False)),
    "spectrum": (
        ("spectrum", "active", True),
        ("spectrum", "voiced", True),
        ("spectrum-delta", "active", False),
    ),
}


def speech_functionals(
    waveform: NDArray[Any],
    blocks: Sequence[str] = BLOCKS,
    sample_rate: int = SAMPLE_RATE,
    trim: float | None = 30.0,
) -> NDArray[np.float64]:
    """Describe a clip of speech by functionals of its descriptors.

    Parameters
    ----------
    waveform : ndarray of float, shape (n_samples,)
        Mono sound, of one sample or more.
    blocks, sample_rate, trim
        As for `SpeechFunctionals`.

    Returns
    -------
    ndarray of shape (n_functionals,)
        4,340 with all blocks; `functional_names` names them. Finite whatever the waveform.

    Examples
    --------
    >>> import numpy as np
    >>> from skemotion.audio import functional_names, speech_functionals
    >>> time = np.arange(16000) / 16000
    >>> hum = sum(np.sin(2 * np.pi * 110 * k * time) / k for k in range(1, 30))
    >>> row = speech_functionals(hum, blocks=("prosody",))
    >>> dict(zip(functional_names(("prosody",)), row.round(2)))["pitch_p50_voiced"]
    np.float64(12.0)
    """
    check_blocks(blocks)
    waveform = np.asarray(waveform)
    if waveform.ndim != 1 or not waveform.size:
        raise ValueError(
            "A waveform has the shape (n_samples,), of one sample or more; got the shape "
            f"{waveform.shape}. Average channels first."
        )
    if not np.isfinite(waveform).all():
        raise ValueError("The waveform has NaN or infinity in it: leave it out, or repair it.")
    described = describe_speech(prepare_speech(waveform, sample_rate, trim))
    curves = _derive(described)
    energy = described.spectrum[SPECTRUM.index("energy")]
    voiced = described.voiced
    frames = {
        "active": np.flatnonzero(energy > np.percentile(energy, 95) - _ACTIVE),
        "voiced": np.flatnonzero(
            voiced if voiced.sum() > _FEW_VOICED else np.full_like(voiced, True)
        ),
    }

    def summarize(block: str) -> NDArray[np.float64]:
        return np.concatenate(
            [
                statistics(curves[name][:, frames[which]], course).ravel()
                for name, which, course in _STATISTICS[block]
            ]
        )

    compute: dict[str, Callable[[], NDArray[np.float64]]] = {
        "modulation": lambda: _modulation(described),
        "timing": lambda: timing(voiced, described.spectrum[0], energy),
        "contour": lambda: _contour(described),
        "thirds": lambda: thirds(_course(described)).ravel(),
    }
    return np.concatenate(
        [summarize(block) if block in _STATISTICS else compute[block]() for block in blocks]
    )


def functional_names(blocks: Sequence[str] = BLOCKS) -> list[str]:
    """Name the values of `speech_functionals`.

    Parameters
    ----------
    blocks : sequence of str
        As for `SpeechFunctionals`.

    Returns
    -------
    list of str
        Such as ``mfcc03_mean_voiced``, ``f1-delta_p95_voiced``, ``mel04+05_modulation2-4Hz``,
        ``pitch_contour02`` and ``loudness_mean_third3``.
    """
    check_blocks(blocks)
    bands = [f"modulation{low:g}-{high:g}Hz" for low, high in MODULATION_BANDS]
    contour_names = (
        (_MFCC_NAMES, _MFCC_CONTOUR), (_PAIR_NAMES, _MFCC_CONTOUR), (_VOICE_NAMES, _VOICE_CONTOUR)
    )  # fmt: skip
    course_names = (*_MFCC_NAMES, *PROSODY, *SPECTRUM, *FORMANTS[:N_FORMANTS])
    names = {
        "modulation": [f"{pair}_{band}" for band in bands for pair in _PAIR_NAMES] + bands,
        "timing": list(TIMING),
        "contour": [
            f"{curve}_contour{i:02d}"
            for curves, n_coefficients in contour_names
            for i in range(n_coefficients)
            for curve in curves
        ],
        "thirds": [f"{curve}_mean_third{i}" for i in (1, 2, 3) for curve in course_names],
    }
    for block, parts in _STATISTICS.items():
        names[block] = [
            f"{curve}_{statistic}_{which}"
            for curves, which, course in parts
            for statistic in STATISTICS[: None if course else N_STILL]
            for curve in _CURVES[curves]
        ]
    return [name for block in blocks for name in names[block]]


def check_blocks(blocks: Sequence[str]) -> None:
    """Raise `ValueError` if blocks are unknown, named twice, or none."""
    if not len(blocks) or len(set(blocks)) < len(blocks) or not set(blocks) <= set(BLOCKS):
        raise ValueError(f"blocks must be some of {', '.join(BLOCKS)}, each once; got {blocks!r}.")


def _derive(described: SpeechDescriptors) -> dict[str, NDArray[np.float64]]:
    """Return the curves that `_CURVES` names."""
    delta = derivative(described.mfcc)
    return {
        "mfcc": described.mfcc,
        "mfcc-delta": delta,
        "mfcc-delta2": derivative(delta),
        "mel": described.mel,
        "mel-delta": derivative(described.mel),
        "prosody": described.prosody,
        "pitch-delta": derivative(described.prosody[:1]),
        "formants": described.formants,
        "formants-delta": derivative(described.formants[:N_FORMANTS]),
        "spectrum": described.spectrum,
        "spectrum-delta": derivative(described.spectrum),
    }


def _pairs(mel: NDArray[np.float64]) -> NDArray[np.float64]:
    """Average neighbouring bands."""
    return (mel[::2] + mel[1::2]) / 2


def _modulation(described: SpeechDescriptors) -> NDArray[np.float64]:
    bands = modulation(_pairs(described.mel))
    return np.concatenate([bands[:, :-1].ravel(), bands[:, -1]])


def _contour(described: SpeechDescriptors) -> NDArray[np.float64]:
    spectrum = [described.spectrum[SPECTRUM.index(name)] for name in _CONTOUR_SPECTRUM]
    voice = np.concatenate([described.prosody[:2], np.stack(spectrum), described.formants[:3]])
    pairs = _pairs(described.mel)
    curves = contours(np.concatenate([described.mfcc, pairs, voice]), _VOICE_CONTOUR)
    mfcc, bands, voices = np.split(curves, [N_MFCC, N_MFCC + len(pairs)], axis=1)
    return np.concatenate(
        [mfcc[:_MFCC_CONTOUR].ravel(), bands[:_MFCC_CONTOUR].ravel(), voices.ravel()]
    )


def _course(described: SpeechDescriptors) -> NDArray[np.float64]:
    return np.concatenate(
        [described.mfcc, described.prosody, described.spectrum, described.formants[:N_FORMANTS]]
    )
