"""
A first model
=============

From raw clips to emotion in a dozen lines: load a corpus, build a model, test it on speakers that it was
not trained on, and look at what it confuses.
"""

# %%
# A corpus
# --------
#
# ``make_ravdess`` draws talking faces with voices, under the file names of RAVDESS. Replace these lines by
# ``corpus = load_ravdess("RAVDESS")`` once you have the real one.

from tempfile import mkdtemp

from skemotion.datasets import load_ravdess, make_ravdess

path = make_ravdess(
    mkdtemp(),
    n_actors=6,
    emotions=["calm", "happy", "sad", "angry"],
    intensities=["normal"],
    duration=1.0,
    frame_size=(144, 256),
)
corpus = load_ravdess(path)
corpus.metadata[["actor", "emotion", "statement"]].head()

# %%
# ``corpus.data`` has one row per clip and a column per modality, ``corpus.target`` the emotions, and
# ``corpus.groups`` the speakers. This is what a clip looks like:

import matplotlib.pyplot as plt

from skemotion.video import VideoLoader

loader = VideoLoader(n_frames=4, scale=1, color="rgb")
figure, axes = plt.subplots(2, 4, figsize=(8, 3), layout="constrained")
for row, emotion in zip(axes, ["happy", "sad"], strict=True):
    clip = corpus.data["video"][corpus.target == emotion].iloc[0]
    for ax, frame in zip(row, loader.transform([clip])[0], strict=True):
        ax.imshow(frame.astype("uint8"))
        ax.set_axis_off()
    row[0].set_title(emotion, loc="left")

# %%
# A model
# -------
#
# The default recipe describes speech by functionals, and faces by networks that are downloaded once. Without them,
# the model here only listens. It is a scikit-learn estimator from paths to emotions: it has ``fit``,
# ``predict`` and ``predict_proba``, and clones.

from skemotion.pipeline import make_emotion_pipeline

model = make_emotion_pipeline("audio")
print([name for name, branch, columns in model.estimators])

# %%
# How good is it?
# ---------------
#
# ``evaluate`` tests it on speakers that are not in training. UAR is recall averaged over the emotions; guessing
# gives 25 %.

from sklearn.model_selection import GroupKFold

from skemotion.model_selection import evaluate

evaluation = evaluate(model, corpus.data, corpus.target, corpus.groups, cv=GroupKFold(3))
print(evaluation)

# sphinx_gallery_thumbnail_number = 2

# %%
# Rows are what was acted, columns what the model heard:

from skemotion.inspection import EvaluationDisplay

EvaluationDisplay.from_evaluation(evaluation)
plt.show()

# %%
# Use it
# ------
#
# Fit the model on all clips, save it, and ask it about a clip. The file holds no code
# (:doc:`../models`), and ``skemotion predict model.skops clip.wav`` reads it, too.

from pathlib import Path

from skemotion import load_model, save_model

model.fit(corpus.data, corpus.target)
file = Path(mkdtemp(), "model.skops")
save_model(model, file)
clips = corpus.data["audio"].iloc[:3]
print(load_model(file).predict(clips))
