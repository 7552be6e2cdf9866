"""A voice for the synthetic corpus: a glottal source through moving formants."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d

SAMPLE_RATE = 48_000
LOUDNESS = 10 ** (-27 / 20)  # root mean square of unemotional speech, full scale being 1
_CONTROL = 200  # Hz, the rate at which pitch, formants and gains are laid out
_WINDOW, _HOP, _N_FFT = 960, 480, 2048


class _Phone(NamedTuple):
    """Targets of one speech sound; frequencies in Hz, gains and lengths relative."""

    formants: tuple[float, float, float]
    voicing: float
    noise: float
    noise_centre: float
    length: float


_PHONES = {
    "ih": _Phone((390, 1990, 2550), 1.0, 0.0, 5000, 0.8),
    "aa": _Phone((730, 1090, 2440), 1.0, 0.0, 5000, 1.0),
    "ao": _Phone((570, 840, 2410), 1.1, 0.0, 5000, 1.3),
    "ax": _Phone((500, 1400, 2450), 0.8, 0.0, 5000, 0.6),
    "ay": _Phone((720, 1250, 2500), 1.0, 0.0, 5000, 0.8),
    "iy": _Phone((330, 2150, 2750), 0.9, 0.0, 5000, 0.6),
    "r": _Phone((420, 1250, 1650), 0.7, 0.0, 5000, 0.7),
    "ng": _Phone((300, 1500, 2400), 0.45, 0.0, 5000, 0.8),
    "b": _Phone((220, 900, 2300), 0.15, 0.02, 900, 0.6),
    "d": _Phone((250, 1700, 2600), 0.15, 0.08, 3800, 0.6),
    "g": _Phone((250, 1900, 2300), 0.15, 0.06, 2000, 0.6),
    "dh": _Phone((300, 1400, 2500), 0.4, 0.04, 5500, 0.5),
    "z": _Phone((280, 1600, 2600), 0.3, 0.15, 6500, 0.8),
    "k": _Phone((300, 1900, 2500), 0.0, 0.12, 2200, 0.8),
    "t": _Phone((300, 1800, 2600), 0.0, 0.16, 4500, 0.8),
    "s": _Phone((300, 1700, 2600), 0.0, 0.30, 7000, 1.1),
}
# "Kids are talking by the door" and "Dogs are sitting by the door"; * carries an accent
_STATEMENTS = {
    1: "k ih* d z aa r t ao* k ih ng b ay iy dh ax d ao* r",
    2: "d ao* g z aa r s ih* t ih ng b ay iy dh ax d ao* r",
}

# What an emotion does to the voice, at strong intensity. Columns: pitch level and final pitch
# movement (semitones), log2 of the pitch range, energy (dB), log2 of the tempo, spectral tilt
# (dB per octave), log2 of the breath noise, pitch jitter and tremor (semitones).
_EMOTIONS = np.array(
    [
        # level final range energy tempo  tilt breath jitter tremor
        [0.0, -2.0, 0.0, 0.0, 0.00, 0.0, 0.0, 0.0, 0.0],  # neutral
        [-1.0, -2.0, -0.3, -2.5, -0.10, -0.8, 0.6, 0.0, 0.0],  # calm
        [5.0, 0.0, 0.9, 4.0, 0.08, 1.2, 0.0, 0.0, 0.0],  # happy
        [0.5, -3.0, -0.7, -5.0, -0.28, -2.4, 1.5, 0.2, 0.3],  # sad
        [4.5, -4.0, 0.5, 9.0, 0.12, 3.2, -0.8, 0.2, 0.0],  # angry
        [8.0, 0.5, -0.2, 3.0, 0.26, 0.4, 1.2, 0.5, 0.9],  # fearful
        [-2.0, -4.0, 0.3, 1.0, -0.22, 1.0, 0.3, 0.6, 0.0],  # disgust
        [6.0, 7.0, 1.0, 3.0, 0.04, 0.4, 0.5, 0.0, 0.0],  # surprised
    ]
)
# How far people, and takes of one person, stray from that: standard deviations per column
_HABIT = np.array([0.8, 1.0, 0.25, 1.5, 0.06, 0.6, 0.3, 0.1, 0.1])
_PORTRAYAL = np.array([1.1, 1.2, 0.25, 1.5, 0.06, 0.6, 0.4, 0.1, 0.2])
_TAKE = np.array([0.7, 0.8, 0.15, 1.0, 0.04, 0.4, 0.3, 0.1, 0.1])


def synthesise_voice(
    emotion: int,
    intensity: int,
    statement: int,
    *,
    male: bool,
    duration: float,
    frame_duration: float,
    actor_rng: np.random.Generator,
    clip_rng: np.random.Generator,
) -> NDArray[np.int16]:
    """Speak one statement.

    Parameters
    ----------
    emotion, intensity, statement : int
        RAVDESS identifiers, counted from 1.
    male : bool
        Whether the actor's voice is a male one.
    duration : float
        Seconds of an unemotional clip at a middling tempo, pauses included.
    frame_duration : float
        Seconds per picture; the sound lasts a whole number of pictures.
    actor_rng, clip_rng : numpy.random.Generator
        What the actor's voice and what this take of it are drawn from.

    Returns
    -------
    ndarray of int16, shape (n_samples,)
        Mono, at `SAMPLE_RATE`.
    """
    base = (110.0 if male else 205.0) * 2 ** actor_rng.normal(0, 0.13)
    tract = (1.0 if male else 1.16) * 2 ** actor_rng.normal(0, 0.05)
    habit = actor_rng.normal(0, _HABIT)
    portrayals = actor_rng.normal(0, _PORTRAYAL, _EMOTIONS.shape)
    strength = (0.65 if intensity == 1 else 1.0) * 2 ** clip_rng.normal(0, 0.2)
    style = _EMOTIONS[emotion - 1] + (portrayals[emotion - 1] if emotion > 1 else 0.0)
    level, final, spread, energy, tempo, tilt, breath, jitter, tremor = (
        habit + strength * style + clip_rng.normal(0, _TAKE)
    )

    phones, accents, edges = _timing(statement, 0.68 * duration / 2**tempo, clip_rng)
    lead, tail = duration * clip_rng.uniform((0.10, 0.14), (0.16, 0.22))
    n_pictures = max(2, round((lead + edges[-1] + tail) / frame_duration))
    n_samples = round(n_pictures * frame_duration * SAMPLE_RATE)

    time = np.arange(0, n_samples / SAMPLE_RATE + 1 / _CONTROL, 1 / _CONTROL)
    progress = (time - lead) / edges[-1]
    index = np.searchsorted(edges, time - lead, side="right") - 1
    speaking = (index >= 0) & (index < len(phones))
    table = np.array([(*p.formants, p.noise_centre, p.voicing, p.noise) for p in phones])
    tracks = table[np.clip(index, 0, len(phones) - 1)]
    tracks[:, 4:] *= speaking[:, None]
    # The tongue is slower than the breath: formants glide for longer than gains do.
    glide = min(0.02, 0.1 * edges[-1] / len(phones)) * _CONTROL
    tracks[:, :4] = gaussian_filter1d(tracks[:, :4], 1.5 * glide, axis=0)
    tracks[:, 4:] = gaussian_filter1d(tracks[:, 4:], glide, axis=0)

    melody = 2.0 - 4.0 * np.clip(progress, 0, 1)
    for accent in accents:
        melody += 3.0 * np.exp(-(((progress - accent) / 0.07) ** 2))
    melody = level + melody * 2**spread + final * np.clip((progress - 0.75) / 0.25, 0, 1)
    melody += abs(tremor) * np.sin(2 * np.pi * (clip_rng.uniform(5, 7) * time + clip_rng.random()))
    wobble = gaussian_filter1d(clip_rng.normal(size=time.size), 1.0)
    melody += (0.15 + max(jitter, 0.0)) * wobble
    pitch = np.clip(base * 2 ** (melody / 12), 50, 700)
    tracks[:, 4] *= 2 ** (0.3 * gaussian_filter1d(clip_rng.normal(size=time.size), 4.0))

    grid = np.arange(n_samples) / SAMPLE_RATE
    source = _source(np.interp(grid, time, pitch), 0.03 * 2**breath, clip_rng)
    tracks[:, :3] *= tract
    sound = _vocal_tract(source, clip_rng.normal(size=n_samples), time, tracks, tract, tilt)

    loud = np.sqrt(
        np.mean(sound[round(lead * SAMPLE_RATE) :][: round(edges[-1] * SAMPLE_RATE)] ** 2)
    )
    sound *= LOUDNESS * 10 ** (energy / 20) / loud
    sound += 3e-4 * clip_rng.normal(size=n_samples)  # the room
    return np.round(32767 * np.tanh(sound)).astype(np.int16)


def _timing(
    statement: int, seconds: float, rng: np.random.Generator
) -> tuple[list[_Phone], list[float], NDArray[np.float64]]:
    """Return the phones, where accents fall (share of the utterance) and the edges in seconds."""
    symbols = _STATEMENTS[statement].split()
    phones = [_PHONES[symbol.rstrip("*")] for symbol in symbols]
    accented = np.array([symbol.endswith("*") for symbol in symbols])
    lengths = np.array([phone.length for phone in phones]) * (1 + 0.35 * accented)
    lengths[-2:] *= 1.3  # people slow down towards the end
    lengths *= 2 ** rng.normal(0, 0.15, len(phones))
    edges = np.concatenate([[0.0], np.cumsum(lengths)]) * seconds / lengths.sum()
    middles = (edges[:-1] + edges[1:]) / 2 / seconds
    return phones, middles[accented].tolist(), edges


def _source(
    pitch: NDArray[np.float64], breath: float, rng: np.random.Generator
) -> NDArray[np.float64]:
    """Differentiate the glottal flow (Klatt & Klatt, 1990) and add breath while it is open."""
    phase = np.cumsum(pitch / SAMPLE_RATE) % 1.0
    opening = phase / 0.6
    is_open = opening < 1.0
    pulse = np.where(is_open, 2 * opening - 3 * opening**2, 0.0)
    return pulse + breath * rng.normal(size=pitch.size) * (0.4 + 0.6 * is_open)


def _vocal_tract(
    source: NDArray[np.float64],
    noise: NDArray[np.float64],
    time: NDArray[np.float64],
    tracks: NDArray[np.float64],
    tract: float,
    tilt: float,
) -> NDArray[np.float64]:
    """Filter source and hiss window by window, the formants being all-pole resonances."""
    n_windows = 1 + -(-source.size // _HOP)
    padded = np.zeros((2, (n_windows + 1) * _HOP))
    padded[:, _HOP : _HOP + source.size] = source, noise
    windows = np.lib.stride_tricks.sliding_window_view(padded, _WINDOW, axis=1)[:, ::_HOP]
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(_WINDOW) / _WINDOW)
    spectra = np.fft.rfft(windows * hann, _N_FFT)

    middles = np.arange(n_windows) * _HOP / SAMPLE_RATE
    f1, f2, f3, centre, voicing, hiss = (np.interp(middles, time, t)[:, None] for t in tracks.T)
    frequency = np.fft.rfftfreq(_N_FFT, 1 / SAMPLE_RATE)

    def resonance(formant: NDArray[np.float64] | float) -> NDArray[np.complex128]:
        width = 50 + 0.04 * formant
        below = formant**2 - frequency**2
        return np.asarray(formant**2 / (below + 1j * width * frequency))

    # The upper formants of a uniform tube stay put; so does the tilt of the whole take.
    fixed = (10 ** (tilt * np.log2(1 + frequency / 500) / 20)).astype(complex)
    for k in range(4, 10):
        fixed = fixed * resonance((k - 0.5) * 1000.0 * tract)
    voice = voicing * fixed * resonance(f1) * resonance(f2) * resonance(f3)
    band = hiss * np.exp(-(((frequency - centre) / (0.35 * centre)) ** 2))
    pieces = np.fft.irfft(spectra[0] * voice + spectra[1] * band, _N_FFT)

    out = np.zeros(padded.shape[1] + _N_FFT)
    for k, piece in enumerate(pieces):
        out[k * _HOP : k * _HOP + _N_FFT] += piece
    return out[_HOP : _HOP + source.size]
