"""
The emotions of a long recording
================================

An interview has more than one emotion. ``predict_timeline`` cuts a recording into overlapping windows and says what a model
makes of each, in one pass of decoding.
"""

# %%
# A model of sound, trained on five synthetic speakers. The sixth is left for the test.

from pathlib import Path
from tempfile import mkdtemp

import matplotlib.pyplot as plt
import numpy as np
from scipy.io import wavfile

from skemotion.datasets import load_ravdess, make_ravdess
from skemotion.inspection import TimelineDisplay, write_timeline
from skemotion.model_selection import predict_timeline
from skemotion.pipeline import make_emotion_pipeline

path = make_ravdess(
    mkdtemp(),
    n_actors=6,
    emotions=["calm", "happy", "sad", "angry"],
    intensities=["normal"],
    n_repetitions=2,
    modalities=["audio-only"],
)
corpus = load_ravdess(path)
train = corpus.groups != corpus.groups[-1]
model = make_emotion_pipeline("audio").fit(corpus.data[train], corpus.target[train])

# %%
# "A long recording": clips of the sixth speaker, one after the other, four of each emotion, with silence in the middle.

order = ["calm", "angry", None, "sad", "happy"]
pieces, changes = [], []
for emotion in order:
    changes.append(sum(map(len, pieces)) / 48000)
    if emotion is None:
        pieces.append(np.zeros(4 * 48000, dtype=np.int16))
        continue
    clips = corpus.data["audio"][~train & (corpus.target == emotion)]
    pieces.extend(wavfile.read(clip)[1] for clip in clips)
recording = Path(mkdtemp(), "interview.wav")
wavfile.write(recording, 48000, np.concatenate(pieces))

# %%
# Windows are as long as the training clips.

timeline = predict_timeline(model, recording, window=2.0, hop=0.5, smooth=3)
timeline.head()

# %%
# The picture: probabilities, stacked, with what was acted above. Silence has no answer. This speaker's calm is taken for sad:
# both are low and slow, and the model has never heard this voice.

display = TimelineDisplay.from_timeline(timeline)
display.figure_.set_size_inches(9, 3.5)
for start, emotion in zip(changes, order, strict=True):
    display.ax_.text(start + 0.5, 1.03, emotion or "silence")
plt.show()

# %%
# As subtitles, which players show while the recording plays:

subtitles = recording.with_suffix(".srt")
write_timeline(timeline, subtitles)
print(subtitles.read_text()[:160])
