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
print("cells in time, rows, columns; bins; azimuth and polar angle:", descriptor.shape)

# %%
# Each cell is normalised, so that a face in the dark is described like one in the light, and a bare wall is described by
# the noise of the camera. To leave the wall out of the pictures, cells are drawn as strongly as they have gradients:

cell = np.array(hog.cell_size)
gradients = np.sqrt(sum(g**2 for g in np.gradient(frames[0].astype(float))))
n_times, n_rows, n_columns = descriptor.shape[:3]
whole = gradients[: n_times * cell[0], : n_rows * cell[1], : n_columns * cell[2]]
parts = whole.reshape(n_times, cell[0], n_rows, cell[1], n_columns, cell[2])
strength = np.clip(parts.mean(axis=(1, 3, 5)) / 12, 0, 1)

# %%
# Edges
# -----
#
# For each cell, a line along every direction of an edge, as long as its bin: at right angles to the gradient.

cell_t = 3
azimuth = descriptor[cell_t, ..., 0] * strength[cell_t, ..., None]
angles = -np.pi + (np.arange(hog.n_bins) + 0.5) * 2 * np.pi / hog.n_bins
y, x = (np.mgrid[:n_rows, :n_columns] * 10 + 4.5).reshape(2, -1)

figure, ax = plt.subplots(figsize=(9, 5), layout="constrained")
ax.imshow(frames[0][cell_t * 5 + 2], cmap="gray", vmin=0, vmax=255, alpha=0.5)
for k, angle in enumerate(angles):
    lengths = 4.5 * azimuth[..., k].ravel()
    dx, dy = -np.sin(angle) * lengths, np.cos(angle) * lengths
    ax.plot([x - dx, x + dx], [y - dy, y + dy], color="#B04000", linewidth=1.2)
ax.set_title("Edges of cells 15 to 20 frames into the clip")
ax.set_axis_off()

# %%
# Motion
# ------
#
# The polar angle's outer bins hold what changes from frame to frame. Their share, cell by cell, is a map of where the
# face moves.

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
figure.colorbar(image, ax=axes, label="share of change in time")
plt.show()

# %%
# Larger cells make smaller descriptors and forgive more movement of the head. Which are best?
# :ref:`sphx_glr_gallery_plot_07_grid_search.py` lets the data decide.
