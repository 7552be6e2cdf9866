"""
Variants of a voice
===================

``AudioAugmenter`` makes variants of each waveform: noise, other pitches, other speeds. In the reference recipe they
become further *columns* of the same clip; ``AudioAugmentationSampler`` makes them further *rows* for training.
"""

# %%
# One synthetic voice and five of its variants:

from tempfile import mkdtemp

import librosa
import matplotlib.pyplot as plt
import numpy as np

from skemotion.audio import AudioLoader, augment
from skemotion.datasets import load_ravdess, make_ravdess

path = make_ravdess(
    mkdtemp(),
    n_actors=2,
    emotions=["happy"],
    intensities=["normal"],
    n_statements=1,
    modalities=["audio-only"],
)
clips = load_ravdess(path).data["audio"]
rate = 22050
waveform = AudioLoader(sample_rate=rate).transform(clips)[1]

variants = augment(waveform, 0.005, pitch_steps=(4, -6), speed_rates=(1.5, 0.5), sample_rate=rate)

# %%
# Mel spectrograms show what each does. Pitch moves the harmonics up or down and leaves the length as it is; speed
# changes the length and leaves the harmonics in place.

titles = [
    "original",
    "noise",
    "4 semitones up",
    "6 semitones down",
    "faster by half",
    "half as fast",
]
figure, axes = plt.subplots(2, 3, figsize=(9, 5), layout="constrained", sharey=True)
for ax, title, sound in zip(axes.flat, titles, [waveform, *variants], strict=True):
    mel = librosa.feature.melspectrogram(y=np.asarray(sound), sr=rate, n_mels=64)
    image = ax.imshow(
        librosa.power_to_db(mel, ref=np.max),
        origin="lower",
        aspect="auto",
        extent=(0, len(sound) / rate, 0, 64),
        cmap="magma",
        vmin=-80,
    )
    ax.set(title=title, xlabel="seconds")
for ax in axes[:, 0]:
    ax.set_ylabel("mel band")
figure.colorbar(image, ax=axes, label="dB")
plt.show()

# %%
# The same clip always gets the same noise: it is seeded by the waveform, so that a clip's variants depend neither on
# order nor on folds, workers or the cache.

again = augment(waveform, 0.005, pitch_steps=(4, -6), speed_rates=(1.5, 0.5), sample_rate=rate)
print(all(np.array_equal(first, second) for first, second in zip(variants, again, strict=True)))
