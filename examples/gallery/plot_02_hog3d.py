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
# Edges
# -----
#
# For each cell, a line along every direction of an edge, as strong as its bin. Lines are drawn at right angles to
# the gradient, along the edge itself.

cell_t = 3
azimuth = descriptor[cell_t, :, :, :, 0]
n_rows, n_columns, n_bins = azimuth.shape
angles = -np.pi + (np.arange(n_bins) + 0.5) * 2 * np.pi / n_bins

figure, ax = plt.subplots(figsize=(9, 5), layout="constrained")
ax.imshow(frames[0][cell_t * 5 + 2], cmap="gray", vmin=0, vmax=255, alpha=0.6)
y, x = np.mgrid[:n_rows, :n_columns] * 10 + 4.5
for k, angle in enumerate(angles):
    dx, dy = -np.sin(angle) * azimuth[..., k], np.cos(angle) * azimuth[..., k]
    ax.quiver(
        x,
        y,
        dx,
        dy,
        color="#D55E00",
        angles="xy",
        scale_units="xy",
        scale=0.18,
        pivot="mid",
        headwidth=0,
        headlength=0,
        headaxislength=0,
        width=0.0018,
    )
ax.set(title="Edges of cells 15 to 20 frames into the clip")
ax.set_axis_off()

# %%
# Motion
# ------
#
# The polar angle's outer bins hold what changes from frame to frame. Their share, cell by cell, is a map of where the
# face moves: mouth, brows and the outline of the head.

polar = descriptor[..., 1]
share = (polar[..., :3].sum(axis=-1) + polar[..., -3:].sum(axis=-1)) / (polar.sum(axis=-1) + 1e-6)

figure, axes = plt.subplots(2, 3, figsize=(9, 3.8), layout="constrained")
for t, ax in enumerate(axes.flat):
    ax.imshow(frames[0][t * 5 + 2], cmap="gray", vmin=0, vmax=255)
    image = ax.imshow(
        share[t], extent=(0, n_columns * 10, n_rows * 10, 0), alpha=0.55, vmin=0, vmax=1
    )
    ax.set_title(f"frames {t * 5} to {t * 5 + 4}", fontsize=9)
    ax.set_axis_off()
figure.colorbar(image, ax=axes, label="share of change in time")
plt.show()

# %%
# Larger cells make smaller descriptors and forgive more movement of the head; the gallery's search over cell
# sizes (:ref:`sphx_glr_gallery_plot_07_grid_search.py`) lets the data decide.
