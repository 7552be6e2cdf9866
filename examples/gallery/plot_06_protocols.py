"""
Speakers seen and not seen
==========================

The same model looks better if its test clips come from the speakers it was trained on. Published figures of 80 to
95 % are mostly of that kind. ``evaluate`` says by which protocol a figure was found, and draws intervals over
speakers, since clips of one speaker are alike.
"""

# %%
# Six synthetic speakers, and a model that listens:

from tempfile import mkdtemp

import matplotlib.pyplot as plt
import numpy as np

from skemotion.audio import AudioFeatures, AudioLoader
from skemotion.datasets import load_ravdess, make_ravdess
from skemotion.decomposition import TrajectoryStatistics
from skemotion.inspection import EvaluationDisplay
from skemotion.model_selection import PROTOCOLS, audit_split, evaluate
from skemotion.pipeline import ClipPipeline
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

path = make_ravdess(
    mkdtemp(),
    n_actors=6,
    emotions=["calm", "happy", "sad", "angry", "fearful"],
    intensities=["normal"],
    n_repetitions=2,
    duration=0.8,
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
# Both protocols in one call. The speaker-dependent one draws test clips of every speaker at random; the other leaves
# each speaker out once.

evaluations = evaluate(
    model, corpus.data["audio"], corpus.target, corpus.groups, protocol=PROTOCOLS
)
figure, axes = plt.subplots(1, 2, figsize=(11, 5), layout="constrained")
for evaluation, ax in zip(evaluations, axes, strict=True):
    EvaluationDisplay.from_evaluation(evaluation, ax=ax)
plt.show()

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
