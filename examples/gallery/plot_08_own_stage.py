"""
A stage of your own in ten lines
================================

Whatever turns one clip into one array can be a stage: subclass ``ClipTransformer``, write ``transform_clip``, and
columns of clips, workers, cache, errors and scikit-learn's checks come with it.
"""

# %%
# How much a picture changes from frame to frame, in each of its regions:

from tempfile import mkdtemp

import cv2
import matplotlib.pyplot as plt
import numpy as np

from skemotion.base import ClipTransformer
from skemotion.datasets import load_ravdess, make_ravdess
from skemotion.pipeline import ClipPipeline
from skemotion.video import VideoLoader


class MotionMap(ClipTransformer):
    """Mean absolute change from frame to frame, over a grid of regions."""

    takes = "frames"

    def __init__(self, grid=(12, 16)):
        self.grid = grid

    def transform_clip(self, clip):
        change = np.abs(np.diff(clip.astype(float), axis=0)).mean(axis=0)
        return cv2.resize(change, self.grid[::-1], interpolation=cv2.INTER_AREA)


# %%
# It runs in a ``ClipPipeline`` like any other stage.

path = make_ravdess(
    mkdtemp(),
    n_actors=4,
    intensities=["strong"],
    emotions=["calm", "happy", "sad", "angry", "surprised"],
    n_statements=1,
    duration=1.0,
    frame_size=(144, 256),
    modalities=["video-only"],
)
corpus = load_ravdess(path)
describe = ClipPipeline(
    [("load", VideoLoader(n_frames=24, size=(72, 128))), ("motion", MotionMap())], n_jobs=2
)
maps = describe.fit_transform(corpus.data["video"])
print(maps.shape)

# %%
# The mean map of each emotion:

emotions = sorted(set(corpus.target))
figure, axes = plt.subplots(1, len(emotions), figsize=(11, 2.4), layout="constrained")
for ax, emotion in zip(axes, emotions, strict=True):
    mean = maps[corpus.target == emotion].mean(axis=0)
    image = ax.imshow(mean, cmap="cividis", vmin=0, vmax=maps.mean(axis=0).max() * 1.3)
    ax.set_title(emotion)
    ax.set_axis_off()
figure.colorbar(image, ax=axes, label="grey levels per frame")
plt.show()

# %%
# scikit-learn's own checks run on it, too, and raise an error if one fails. More on stages: :doc:`../stages`.

from sklearn.utils.estimator_checks import check_estimator

checks = check_estimator(MotionMap(), on_skip=None)
print(len(checks), "checks")
