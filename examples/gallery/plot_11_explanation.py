"""
Why did the model say so?
=========================

``explain`` says which parts of picture and sound made an answer. It hides parts of the clip's description and asks the
model again, so that it works for any model; and effects add up to the answer.
"""

# %%
# A model of sound, and a clip of a speaker it was not trained on:

from tempfile import mkdtemp

import matplotlib.pyplot as plt

from skemotion.datasets import load_ravdess, make_ravdess
from skemotion.inspection import ExplanationDisplay, explain
from skemotion.pipeline import make_emotion_pipeline

path = make_ravdess(
    mkdtemp(),
    n_actors=5,
    emotions=["calm", "happy", "sad", "angry"],
    intensities=["normal"],
    n_repetitions=2,
    duration=1.0,
    modalities=["audio-only"],
)
corpus = load_ravdess(path)
train = corpus.groups != corpus.groups[-1]
model = make_emotion_pipeline("audio").fit(
    corpus.data[train], corpus.target[train], groups=corpus.groups[train]
)
clip = corpus.data["audio"][~train & (corpus.target == "angry")].iloc[0]

# %%
# What speaks for its answer, and what against, in log-odds of the emotion:

explanation = explain(model, clip)
print(explanation.label_)
explanation.parts

# %%
# As a picture. What is hatched speaks against the answer.

ExplanationDisplay.from_explanation(explanation)
plt.show()

# %%
# Why not sad? Any emotion of the model can be explained.

explain(model, clip, target="sad").parts.head()

# %%
# An explanation is about the model and not about the person: :doc:`../explanations` says what it does not mean.
