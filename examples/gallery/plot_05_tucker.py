"""
Tucker ranks and what they cost
===============================

``PartialTucker`` learns from the training clips an orthonormal factor for each axis of their descriptors, and keeps
of each clip a small core. How small, and how much is lost?
"""

# %%
# Descriptors of 24 drawn clips:

from tempfile import mkdtemp

import matplotlib.pyplot as plt
import numpy as np

from skemotion.datasets import load_ravdess, make_ravdess
from skemotion.decomposition import PartialTucker
from skemotion.pipeline import ClipPipeline
from skemotion.video import HOG3D, VideoLoader

path = make_ravdess(
    mkdtemp(),
    n_actors=3,
    emotions=["calm", "happy", "sad", "angry"],
    intensities=["normal"],
    duration=1.0,
    frame_size=(144, 256),
    modalities=["video-only"],
)
corpus = load_ravdess(path)
describe = ClipPipeline(
    [("load", VideoLoader(n_frames=25, size=(72, 128))), ("hog3d", HOG3D(cell_size=(5, 6, 8)))]
)
X = describe.fit_transform(corpus.data["video"])
print("clips, time, rows, columns, bins, angles:", X.shape)

# %%
# Clips of two actors are used for the fit, those of the third are the new ones. The error is the share of the
# descriptors' squared length that the core has lost.

train, new = corpus.groups != corpus.groups[-1], corpus.groups == corpus.groups[-1]


def lost(tucker, clips):
    rebuilt = tucker.inverse_transform(tucker.transform(clips))
    return ((clips - rebuilt.reshape(clips.shape)) ** 2).sum() / (clips**2).sum()


sizes, errors = [], []
for rank in (1, 2, 4, 6, 8, 12):
    ranks = (min(rank, 5), rank, rank, 9, 2)
    tucker = PartialTucker(ranks).fit(X[train])
    sizes.append(np.prod(ranks))
    errors.append((lost(tucker, X[train]), lost(tucker, X[new])))

figure, ax = plt.subplots(figsize=(7, 4), layout="constrained")
for column, (words, style) in enumerate(
    [("training clips", "o-"), ("clips of a new actor", "s--")]
):
    ax.plot(sizes, [100 * pair[column] for pair in errors], style, label=words)
ax.set(
    xscale="log",
    ylim=(0, None),
    xlabel=f"numbers per clip (of {X[0].size:,})",
    ylabel="squared length lost, %",
)
ax.legend()
plt.show()

# %%
# The factors are the patterns that clips are made of. With few ranks, the smooth ones:

from skemotion.inspection import TuckerDisplay

tucker = PartialTucker((2, 4, 4, 9, 2)).fit(X[train])
TuckerDisplay.from_estimator(tucker, axis_names=["time", "rows", "columns", "bins", "angles"])
plt.show()
