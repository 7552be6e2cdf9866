"""
Picture, sound, or both
=======================

A clip may lack its picture or its sound: a voice message, a muted video, a face turned away.
``FusionClassifier`` has a classifier per modality and multiplies their calibrated probabilities. What is missing is left
out, and nothing is imputed.
"""

# %%
# One model for both, trained on clips with picture and sound:

from tempfile import mkdtemp

import matplotlib.pyplot as plt
import numpy as np
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import balanced_accuracy_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skemotion.audio import AudioFeatures, AudioLoader
from skemotion.classification import FusionClassifier
from skemotion.datasets import load_ravdess, make_ravdess
from skemotion.decomposition import TrajectoryStatistics
from skemotion.pipeline import ClipPipeline
from skemotion.video import HOG3D, VideoLoader

path = make_ravdess(
    mkdtemp(),
    n_actors=8,
    emotions=["happy", "sad", "angry", "fearful"],
    intensities=["normal"],
    duration=1.0,
    frame_size=(144, 256),
    modalities=["full"],
)
corpus = load_ravdess(path)
X = corpus.data[["video", "audio"]]
train = ~np.isin(corpus.groups, np.unique(corpus.groups)[-3:])

look = ClipPipeline(
    [("load", VideoLoader(n_frames=24, size=(72, 128))), ("hog3d", HOG3D(cell_size=(8, 9, 8)))],
    flatten=True,
)
listen = ClipPipeline(
    [
        ("load", AudioLoader()),
        ("features", AudioFeatures()),
        ("statistics", TrajectoryStatistics()),
    ],
    flatten=True,
)


def branch(clips):
    return make_pipeline(clips, StandardScaler(), PCA(0.95), LogisticRegression(C=0.01))


model = FusionClassifier(
    [("picture", branch(look), ["video"]), ("sound", branch(listen), ["audio"])]
)
model.fit(X[train], corpus.target[train], groups=corpus.groups[train])

# %%
# Clips of three new speakers, whole and with one half missing:

test, truth = X[~train], corpus.target[~train]
cases = {
    "both": test,
    "picture alone": test.assign(audio=None),
    "sound alone": test.assign(video=None),
}
for name, clips in cases.items():
    print(f"{name:14} UAR {balanced_accuracy_score(truth, model.predict(clips)):.0%}")

# %%
# Three clips, each with both and with one of them. Agreement of picture and sound makes the answer surer, disagreement less sure.

seen, heard = (model.predict(cases[name]) for name in ("picture alone", "sound alone"))
agree, differ = np.flatnonzero(seen == heard), np.flatnonzero(seen != heard)
figure, axes = plt.subplots(1, 3, figsize=(9, 3), sharey=True, layout="constrained")
for ax, row in zip(axes, (agree[0], differ[0], differ[-1]), strict=True):
    for shift, (name, clips) in zip((-0.27, 0, 0.27), cases.items(), strict=True):
        ax.bar(np.arange(4) + shift, model.predict_proba(clips.iloc[[row]])[0], 0.25, label=name)
    ax.set_xticks(range(4), model.classes_)
    ax.set_title(f"acted: {truth[row]}")
axes[0].set_ylabel("probability")
axes[0].legend()
plt.show()

# %%
# Each branch has a temperature, fitted on clips of speakers that the branch was not trained on: above 1 it was too sure of
# itself, below 1 not sure enough.

print(model.temperatures_)
