"""
What HOG3D sees
===============

HOG3D divides a clip into cells of some frames, rows and columns, and describes each by two histograms of the
directions of its gradients: the *azimuth*, which way an edge faces, and the *polar angle*, whether brightness
changes in space (90°) or in time (0 and 180°). The second is how motion shows.
"""

# %%
# One clip, loaded as luma in a fixed number of small frames:

from tempfile import mkdtemp

import matplotlib.pyplot as plt
import numpy as np

from skemotion.datasets import load_ravdess, make_ravdess
from skemotion.video import HOG3D, VideoLoader

path = make_ravdess(
    mkdtemp(),
    n_actors=1,
    emotions=["happy"],
    n_statements=1,
    intensities=["strong"],
    frame_size=(240, 426),
)
clips = load_ravdess(path).data["video"]

frames = VideoLoader(n_frames=30, size=(120, 213)).transform(clips)
hog = HOG3D(cell_size=(5, 10, 10)).fit(frames)
descriptor = hog.transform(frames)[0]
print("cells in time, rows, columns; bins; angles:", descriptor.shape)

# %%
# Edges
# -----
#
# A star for each cell, on the frame in its middle: rays point to where brightness grows, and are as long as the azimuth's
# bins are large. The discs are motion: the share of the polar angle's outer bins.

from skemotion.inspection import HOG3DDisplay

display = HOG3DDisplay.from_descriptor(descriptor[3:4], frames[0][15:20])
display.figure_.set_size_inches(9, 5.2)
plt.show()

# %%
# Motion
# ------
#
# Each cell is normalised, so that a face in the dark is described like one in the light, and a bare wall by the noise of the
# encoder. If cells are drawn as strongly as they have gradients, the wall is gone, and what is left is a map of where the face
# moves:

cell = np.array(hog.cell_size)
n_times, n_rows, n_columns = descriptor.shape[:3]
gradients = np.sqrt(sum(part**2 for part in np.gradient(frames[0].astype(float))))
whole = gradients[: n_times * cell[0], : n_rows * cell[1], : n_columns * cell[2]]
parts = whole.reshape(n_times, cell[0], n_rows, cell[1], n_columns, cell[2])
strength = np.clip(parts.mean(axis=(1, 3, 5)) / 12, 0, 1)

polar = descriptor[..., 1]
share = (polar[..., :3].sum(axis=-1) + polar[..., -3:].sum(axis=-1)) / polar.sum(axis=-1)

figure, axes = plt.subplots(2, 3, figsize=(9, 3.8), layout="constrained")
for t, ax in enumerate(axes.flat):
    ax.imshow(frames[0][t * 5 + 2], cmap="gray", vmin=0, vmax=255)
    image = ax.imshow(
        share[t],
        extent=(0, n_columns * 10, n_rows * 10, 0),
        alpha=strength[t],
        vmin=0,
        vmax=0.7,
    )
    ax.set_title(f"frames {t * 5} to {t * 5 + 4}", fontsize=9)
    ax.set_axis_off()
bar = figure.colorbar(image, ax=axes, label="share of change in time")
bar.solids.set_alpha(1)
plt.show()

# %%
# Larger cells make smaller descriptors and forgive more movement of the head. Which are best?
# :ref:`sphx_glr_gallery_plot_07_grid_search.py` lets the data decide.
