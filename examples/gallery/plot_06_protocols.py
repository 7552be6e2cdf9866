"""
Speakers seen and not seen
==========================

The same model looks better if its test clips come from the speakers it was trained on. Published figures of 80 to
95 % are often of that kind. ``evaluate`` says by which protocol a figure was found, and draws intervals over
speakers, since clips of one speaker are alike.
"""

# %%
# Eight synthetic speakers, and a model that listens:

from tempfile import mkdtemp

import matplotlib.pyplot as plt
import numpy as np
from sklearn.model_selection import StratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from skemotion.audio import AudioFeatures, AudioLoader
from skemotion.datasets import load_ravdess, make_ravdess
from skemotion.decomposition import TrajectoryStatistics
from skemotion.inspection import EvaluationDisplay
from skemotion.model_selection import audit_split, evaluate
from skemotion.pipeline import ClipPipeline

path = make_ravdess(
    mkdtemp(),
    n_actors=8,
    emotions=["calm", "happy", "sad", "angry", "fearful"],
    intensities=["normal"],
    n_repetitions=2,
    duration=1.0,
    modalities=["audio-only"],
)
corpus = load_ravdess(path)
describe = ClipPipeline(
    [
        ("load", AudioLoader(sample_rate=16000)),
        ("features", AudioFeatures(sample_rate=16000)),
        ("statistics", TrajectoryStatistics()),
    ],
    flatten=True,
)
model = make_pipeline(describe, StandardScaler(), SVC(C=10))

# %%
# Twice the model is trained on one half of the clips and tested on the other, and back. First the halves are drawn clip by
# clip, so that every tested speaker is in training as well. Then they are men and women. (Drawn voices differ little besides
# that. Real ones do, and leaving out single speakers suffices.)

men = (corpus.metadata["sex"] == "male").to_numpy()
halves = [(np.flatnonzero(train), np.flatnonzero(~train)) for train in (men, ~men)]
evaluations = [
    evaluate(model, corpus.data["audio"], corpus.target, corpus.groups, cv=cv)
    for cv in (StratifiedKFold(2, shuffle=True, random_state=0), halves)
]
figure, axes = plt.subplots(1, 2, figsize=(11, 5), layout="constrained")
for evaluation, ax in zip(evaluations, axes, strict=True):
    EvaluationDisplay.from_evaluation(evaluation, ax=ax)
plt.show()

# %%
# Nobody had to say which is which: the protocol in the title is what ``evaluate`` found out from the splits. With
# ``protocol=PROTOCOLS`` instead of ``cv``, it makes the splits of both by itself.

# %%
# Speaker by speaker
# ------------------
#
# One figure hides how much people differ:

figure, ax = plt.subplots(figsize=(7, 3.5), layout="constrained")
for evaluation, shift, marker in zip(evaluations, (-0.1, 0.1), "os", strict=True):
    recalls = 100 * evaluation.per_speaker["uar"]
    ax.plot(np.arange(len(recalls)) + shift, recalls, marker, label=evaluation.protocol)
ax.set(xlabel="speaker", ylabel="UAR, %", ylim=(0, 100))
ax.set_xticks(range(len(recalls)), recalls.index)
ax.legend()
plt.show()

# %%
# Leaks
# -----
#
# Shared speakers are one way in which training says something about test clips; copies of a recording are worse.
# ``audit_split`` looks for both, and ``evaluate`` calls it by itself. A split by hand, with a take of each speaker on
# either side:

import warnings

takes = corpus.metadata["repetition"]
with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # LeakageWarning, which says the same
    print(audit_split(corpus.metadata, takes == 1, takes == 2))
