"""
Splines through a feature's course
==================================

Clips differ in length, and most classifiers want rows of equal length. ``BSplineProjector`` fits each feature's
course over the clip by a cubic B-spline: however many frames there are, a fixed number of coefficients is left.
"""

# %%
# The features of two synthetic voices, frame by frame:

from tempfile import mkdtemp

import matplotlib.pyplot as plt
import numpy as np

from skemotion.audio import AudioFeatures, AudioLoader
from skemotion.datasets import load_ravdess, make_ravdess
from skemotion.decomposition import BSplineProjector, bspline_evaluate, bspline_project

path = make_ravdess(
    mkdtemp(),
    n_actors=1,
    emotions=["angry", "sad"],
    intensities=["normal"],
    n_statements=1,
    modalities=["audio-only"],
)
corpus = load_ravdess(path)
waveforms = AudioLoader().transform(corpus.data["audio"])
features = AudioFeatures(["rms", "mfcc"]).transform(waveforms)
for emotion, curves in zip(corpus.target, features, strict=True):
    print(f"{emotion}: {len(curves)} frames of {curves.shape[1]} features")

# %%
# The level of the voice. With few knots the spline keeps the phrase, with many the syllables. Splines are fitted by least squares.

figure, axes = plt.subplots(2, 3, figsize=(9, 4.5), layout="constrained", sharex=True, sharey="row")
for row, emotion, curves in zip(axes, corpus.target, features, strict=True):
    curve = curves[:, :1]
    times = np.linspace(0, 1, len(curve))
    for ax, n_knots in zip(row, (4, 12, 30), strict=True):
        coefficients = bspline_project(curve, n_knots=n_knots)
        fitted = bspline_evaluate(coefficients, 200)
        ax.plot(times, curve, ".", color="#999999", markersize=3)
        ax.plot(np.linspace(0, 1, 200), fitted, color="#0072B2")
        ax.set_title(f"{emotion}: {n_knots} knots, {len(coefficients)} coefficients", fontsize=9)
for ax in axes[:, 0]:
    ax.set_ylabel("level (RMS)")
for ax in axes[-1]:
    ax.set_xlabel("share of the clip")
plt.show()

# %%
# As a stage, all features of all clips at once; and what it keeps of each:

from skemotion.inspection import SplineDisplay

projector = BSplineProjector(n_knots=12)
print(projector.fit_transform(features).shape)
SplineDisplay.from_estimator(
    projector, features[1][:, :4], names=["RMS", "MFCC 1", "MFCC 2", "MFCC 3"]
)
plt.show()
