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
from sklearn.linear_model import RidgeClassifier
from sklearn.metrics import balanced_accuracy_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skemotion.audio import AudioFeatures, AudioLoader
from skemotion.classification import BalancedLDA, FusionClassifier
from skemotion.datasets import load_ravdess, make_ravdess
from skemotion.decomposition import TrajectoryStatistics
from skemotion.pipeline import ClipPipeline
from skemotion.video import HOG3D, VideoLoader

path = make_ravdess(
    mkdtemp(),
    n_actors=8,
    emotions=["calm", "happy", "sad", "angry"],
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
model = FusionClassifier(
    [
        ("picture", make_pipeline(look, StandardScaler(), RidgeClassifier(1000)), ["video"]),
        ("sound", make_pipeline(listen, StandardScaler(), BalancedLDA(0.5)), ["audio"]),
    ]
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
# One clip, three times. Agreement of picture and sound makes the answer surer, disagreement less sure.

figure, axes = plt.subplots(1, 3, figsize=(9, 3), sharey=True, layout="constrained")
for ax, row in zip(axes, (0, 5, 10), strict=True):
    for shift, (name, clips) in zip((-0.27, 0, 0.27), cases.items(), strict=True):
        ax.bar(np.arange(4) + shift, model.predict_proba(clips.iloc[[row]])[0], 0.25, label=name)
    ax.set_xticks(range(4), model.classes_)
    ax.set_title(f"acted: {truth[row]}")
axes[0].set_ylabel("probability")
axes[0].legend()
plt.show()

# %%
# The temperatures say how overconfident each branch was on speakers that it was not trained on (above 1):

print(model.temperatures_)
