"""Speech functionals by NumPy, SciPy and librosa alone, whole clips at a time.

The tests compare `skemotion.audio.speech_functionals` with this; so does the benchmark.
Arrays have the shape (n_frames, n_descriptors).
"""

from types import SimpleNamespace

import librosa
import numpy as np
import scipy.fft
import scipy.signal

RATE, HOP, WINDOW, N_FFT = 16000, 160, 400, 512
FREQUENCIES = np.fft.rfftfreq(N_FFT, 1 / RATE)
N_PITCHES = 4
PITCH_WINDOW = np.hanning(800)
OF_WINDOW = np.fft.irfft(np.abs(np.fft.rfft(PITCH_WINDOW, 2048)) ** 2)[:400]


def functionals(waveform, trim=30.0):
    """Give the 4,340 numbers of a clip at 16 kHz."""
    y = waveform - waveform.mean()
    if trim is not None:
        y, _ = librosa.effects.trim(y, top_db=trim, frame_length=512, hop_length=128)
    return summarize(describe(y))


def frames_of(y, length, n_frames, hop=HOP):
    padded = np.pad(y, (length // 2, length // 2 + 2 * hop))
    return padded[np.arange(n_frames)[:, None] * hop + np.arange(length)]


def pitch(y, n_frames):
    """Boersma (1993): candidates from the autocorrelation, and the best path through them."""
    frames = frames_of(y, 800, n_frames)
    frames = frames - frames.mean(axis=1, keepdims=True)
    peak = np.abs(frames).max(axis=1)
    power = np.abs(scipy.fft.rfft(frames * PITCH_WINDOW, 2048, axis=1)) ** 2
    r = scipy.fft.irfft(power, axis=1)[:, :400]
    r = r / (r[:, :1] + 1e-12) / (OF_WINDOW / OF_WINDOW[0])

    lags = np.arange(RATE // 650, RATE // 65 + 1)
    here, before, after = (r[:, lags + step] for step in (0, -1, 1))
    strength = here - 0.01 * np.log2(65 * lags / RATE)
    strength = np.where((here > before) & (here >= after), strength, -1)
    best = np.argsort(-strength, axis=1)[:, :N_PITCHES]
    voiced_strength = np.take_along_axis(strength, best, axis=1)
    lag = lags[best]
    before, here, after = (np.take_along_axis(r, lag + step, axis=1) for step in (-1, 0, 1))
    shift = np.clip((before - after) / (2 * (before - 2 * here + after) - 1e-9), -1, 1)
    f0 = RATE / (lag + shift)
    height = here - 0.25 * (before - after) * shift

    loudness = peak / (np.abs(y).max() + 1e-9)
    unvoiced_strength = 0.45 + np.maximum(0, 2 - loudness / (0.03 / 1.45))
    strengths = np.column_stack(
        [np.where(voiced_strength > -0.5, voiced_strength, -9), unvoiced_strength]
    )
    path = viterbi(strengths, np.log2(f0))
    voiced, rows, chosen = path < N_PITCHES, np.arange(n_frames), np.minimum(path, N_PITCHES - 1)
    height = np.where(voiced, height[rows, chosen], r[:, lags].max(axis=1)).clip(1e-3, 0.9999)
    return np.where(voiced, f0[rows, chosen], 0), 10 * np.log10(height / (1 - height)), peak


def viterbi(strengths, octaves):
    n_frames, n_states = strengths.shape
    unvoiced = np.arange(n_states) == n_states - 1
    octaves = np.column_stack([octaves, np.zeros(n_frames)])
    switches = unvoiced[:, None] != unvoiced
    both_voiced = ~unvoiced[:, None] & ~unvoiced
    total, came_from = strengths[0], np.zeros((n_frames, n_states), int)
    for t in range(1, n_frames):
        jump = np.abs(octaves[t - 1][:, None] - octaves[t])
        value = total[:, None] - 0.14 * switches - 0.35 * both_voiced * jump
        came_from[t] = value.argmax(axis=0)
        total = value[came_from[t], np.arange(n_states)] + strengths[t]
    path = [total.argmax()]
    for t in range(n_frames - 1, 0, -1):
        path.append(came_from[t, path[-1]])
    return np.array(path[::-1])


def formants(y, n_frames, order=12, rate=11000):
    """F1 to F4 and bandwidths, by linear prediction; NaN where there is none."""
    y = scipy.signal.resample_poly(y, 11, 16)
    y = np.append(y[0], y[1:] - 0.97 * y[:-1])
    frames = frames_of(y, 275, n_frames, hop=110) * np.hamming(275)
    power = np.abs(scipy.fft.rfft(frames, 1024, axis=1)) ** 2
    r = scipy.fft.irfft(power, axis=1)[:, : order + 1]
    r[:, 0] = r[:, 0] * 1.0001 + 1e-9
    a = np.zeros((n_frames, order + 1))
    a[:, 0], error = 1, r[:, 0].copy()
    for i in range(1, order + 1):
        reflection = -(a[:, :i] * r[:, i:0:-1]).sum(axis=1) / error
        a[:, 1 : i + 1] += reflection[:, None] * a[:, i - 1 :: -1] if i > 1 else (
            reflection[:, None] * a[:, :1]
        )  # fmt: skip
        error = error * (1 - reflection**2) + 1e-12
    companion = np.zeros((n_frames, order, order))
    companion[:, 0] = -a[:, 1:]
    companion[:, np.arange(1, order), np.arange(order - 1)] = 1
    roots = np.linalg.eigvals(companion)
    frequency = np.angle(roots) * rate / 2 / np.pi
    bandwidth = -np.log(np.abs(roots) + 1e-9) * rate / np.pi
    frequency[~((frequency > 150) & (frequency < 5000) & (bandwidth < 700))] = np.nan
    lowest = np.argsort(frequency, axis=1)[:, :4]
    frequency, bandwidth = (np.take_along_axis(x, lowest, axis=1) for x in (frequency, bandwidth))
    return frequency, np.where(np.isnan(frequency), np.nan, bandwidth)


def describe(y):
    n_frames = len(y) // HOP + 1
    frames = frames_of(y, WINDOW, n_frames)
    window = np.hanning(WINDOW).astype("float32")
    power = np.abs(scipy.fft.rfft(frames * window, N_FFT, axis=1)) ** 2 + 1e-10
    filters = librosa.filters.mel(sr=RATE, n_fft=N_FFT, n_mels=40, fmin=50, fmax=8000, htk=True)
    mel = power @ filters.astype("float32").T
    log_mel, level, total = np.log(mel + 1e-8), np.log(power), power.sum(axis=1)
    f0, hnr, peak = pitch(y, n_frames)
    frequency, bandwidth = formants(y, n_frames)
    voiced, t = f0 > 0, np.arange(n_frames)

    def band(low, high):
        return np.log(power[:, (low <= FREQUENCIES) & (high > FREQUENCIES)].sum(axis=1))

    def loudest(low, high):
        return level[:, (low <= FREQUENCIES) & (high > FREQUENCIES)].max(axis=1)

    def slope(low, high):
        inside = (low <= FREQUENCIES) & (high > FREQUENCIES)
        x = FREQUENCIES[inside] - FREQUENCIES[inside].mean()
        return level[:, inside] @ x / (x @ x) * 1000

    def harmonic(n):
        bins = np.clip((n * f0 / (RATE / N_FFT)).round().astype(int), 1, 255)
        return np.max([level[t, bins + step] for step in (-1, 0, 1)], axis=0)

    def change(x):
        return np.r_[np.nan, np.abs(np.diff(x))]

    p = power / total[:, None]
    centroid = p @ FREQUENCIES
    distance = FREQUENCIES - centroid[:, None]
    spread = np.sqrt((distance**2 * p).sum(axis=1))
    below = np.cumsum(p, axis=1)
    rolloffs = [
        FREQUENCIES[np.minimum((below < share).sum(axis=1), 256)]
        for share in (0.25, 0.5, 0.85, 0.95)
    ]
    amplitude = np.sqrt(power)
    amplitude = amplitude / np.linalg.norm(amplitude, axis=1, keepdims=True)
    spectrum = [
        (mel**0.33).sum(axis=1),
        np.log(total),
        centroid,
        spread,
        (distance**3 * p).sum(axis=1) / spread**3,
        (distance**4 * p).sum(axis=1) / spread**4,
        *rolloffs,
        -(p * np.log(p)).sum(axis=1),
        level.mean(axis=1) - np.log(power.mean(axis=1)),
        np.r_[0, np.linalg.norm(np.diff(amplitude, axis=0), axis=1)],
        np.r_[0, np.maximum(np.diff(log_mel, axis=0), 0).mean(axis=1)],
        band(50, 1000) - band(1000, 5000),
        loudest(0, 2000) - loudest(2000, 5000),
        slope(0, 500),
        slope(500, 1500),
        slope(1500, 8000),
        band(4000, 8000) - band(0, 4000),
        (np.diff(np.sign(frames), axis=1) != 0).mean(axis=1),
        hnr,
    ]
    third = np.nan_to_num(frequency[:, 2], nan=2500.0)
    bins = np.clip((third / (RATE / N_FFT)).astype(int), 2, 254)
    a3 = np.max([level[t, bins + step] for step in range(-2, 3)], axis=0)
    semitones = np.where(voiced, 12 * np.log2(np.maximum(f0, 1) / 55), np.nan)
    jitter = change(semitones)
    shimmer = np.where(np.isnan(jitter), np.nan, change(np.log(peak + 1e-6)))
    prosody = [semitones, hnr, jitter, shimmer, harmonic(1) - harmonic(2), harmonic(1) - a3]
    return SimpleNamespace(
        mel=log_mel,
        mfcc=scipy.fft.dct(log_mel, norm="ortho", axis=1)[:, :20],
        prosody=fill(np.where(voiced[:, None], np.stack(prosody, axis=1), np.nan)),
        formants=fill(
            np.where(voiced[:, None], np.c_[frequency, np.log(np.maximum(bandwidth, 10))], np.nan)
        ),
        spectrum=np.stack(spectrum, axis=1),
        voiced=voiced,
    )


def fill(X):
    t = np.arange(len(X))
    for column in X.T:
        known = ~np.isnan(column)
        column[:] = np.interp(t, t[known], column[known]) if known.any() else 0
    return X


def delta(X):
    n, padded = len(X), np.pad(X, ((2, 2), (0, 0)), mode="edge")
    return sum(k * (padded[2 + k :][:n] - padded[2 - k :][:n]) for k in (1, 2)) / 10


def statistics(X, course=True):
    if len(X) < 4:
        X = np.repeat(X, 4, axis=0)
    q = np.percentile(X, [5, 25, 50, 75, 95], axis=0)
    mean, std = X.mean(axis=0), X.std(axis=0) + 1e-9
    z = (X - mean) / std
    result = [mean, std, *q, q[4] - q[0], q[3] - q[1], (z**3).mean(axis=0), (z**4).mean(axis=0)]
    if course:
        t = np.linspace(-1, 1, len(X))
        trends = np.stack([t, t**2 - (t**2).mean()])
        result += list(trends / np.linalg.norm(trends, axis=1, keepdims=True) @ X / len(X) ** 0.5)
    return np.concatenate(result)


def contour(X, n_coefficients):
    place = np.linspace(0, len(X) - 1, 64)
    stretched = np.stack([np.interp(place, np.arange(len(X)), column) for column in X.T], axis=1)
    return (scipy.fft.dct(stretched, norm="ortho", axis=0)[:n_coefficients] / 8).ravel()


def modulation(bands):
    X = (bands - bands.mean(axis=0))[:256]
    power = np.abs(scipy.fft.rfft(X * np.hanning(len(X))[:, None], 512, axis=0)) ** 2 / len(X)
    f = np.fft.rfftfreq(512, 0.01)
    edges = ((0.3, 1), (1, 2), (2, 4), (4, 8), (8, 16), (16, 32), (32, 50))
    octaves = [power[(low <= f) & (high > f)].mean(axis=0) for low, high in edges]
    levels = np.log(np.stack(octaves) + 1e-6)
    return np.r_[levels.ravel(), (levels - levels.mean(axis=0)).mean(axis=1)]


def timing(voiced, loudness, energy):
    n = len(voiced)
    smooth = np.convolve(loudness, np.hanning(9) / np.hanning(9).sum())[4 : 4 + n]
    here = smooth[1:-1]
    peaks = (here > smooth[:-2]) & (here >= smooth[2:]) & (here > 0.7 * smooth.mean())
    edges = np.diff(np.r_[0, voiced.astype(int), 0])
    begin, end = np.flatnonzero(edges == 1), np.flatnonzero(edges == -1)
    voices = end - begin if len(begin) else np.zeros(1)
    gaps = begin[1:] - end[:-1] if len(begin) > 1 else np.zeros(1)
    lengths = [f(x) for x in (voices, gaps) for f in (np.mean, np.std, np.max)]
    pauses = energy < np.percentile(energy, 95) - 6
    return np.r_[n, np.log(n), voiced.mean(), voiced.sum(), peaks.sum() / n, len(begin) / n,
                 lengths, pauses.mean(), smooth.argmax() / n]  # fmt: skip


def summarize(d):
    energy = d.spectrum[:, 1]
    active = energy > np.percentile(energy, 95) - 8
    voiced = d.voiced if d.voiced.sum() > 5 else np.full(len(energy), True)
    delta_mfcc, pairs = delta(d.mfcc), (d.mel[:, ::2] + d.mel[:, 1::2]) / 2
    voice = np.c_[d.prosody[:, :2], d.spectrum[:, [0, 1, 2, 15, 16, 17]], d.formants[:, :3]]
    course = np.c_[d.mfcc, d.prosody, d.spectrum, d.formants[:, :4]]
    return np.concatenate(
        [
            statistics(d.mfcc[active]),
            statistics(delta_mfcc[active], course=False),
            statistics(delta(delta_mfcc)[active], course=False),
            statistics(d.mfcc[voiced]),
            statistics(d.mel[active]),
            statistics(d.mel[voiced]),
            statistics(delta(d.mel)[active], course=False),
            statistics(d.prosody[voiced]),
            statistics(delta(d.prosody[:, :1])[voiced], course=False),
            statistics(d.formants[voiced]),
            statistics(delta(d.formants[:, :4])[voiced], course=False),
            statistics(d.spectrum[active]),
            statistics(d.spectrum[voiced]),
            statistics(delta(d.spectrum)[active], course=False),
            modulation(pairs),
            timing(d.voiced, d.spectrum[:, 0], energy),
            contour(d.mfcc, 10),
            contour(pairs, 10),
            contour(voice, 12),
            *[part.mean(axis=0) if len(part) else np.zeros(52)
              for part in np.array_split(course, 3)],
        ]
    )  # fmt: skip
