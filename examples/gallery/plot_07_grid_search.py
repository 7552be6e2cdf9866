"""
A search over cell sizes and ranks
==================================

A whole model, from clips to emotion, goes into scikit-learn's ``GridSearchCV``. Parameters of any stage can be searched,
and with ``memory=`` each clip is decoded once for all folds and settings.
"""

# %%
# A small corpus, and a model that looks: HOG3D, Tucker, and a linear classifier.

from tempfile import mkdtemp

import matplotlib.pyplot as plt
from sklearn.linear_model import RidgeClassifier
from sklearn.model_selection import GridSearchCV, GroupKFold
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from skemotion.datasets import load_ravdess, make_ravdess
from skemotion.decomposition import PartialTucker
from skemotion.pipeline import ClipCache, ClipPipeline
from skemotion.video import HOG3D, VideoLoader

path = make_ravdess(
    mkdtemp(),
    n_actors=4,
    emotions=["calm", "happy", "sad", "angry"],
    intensities=["normal"],
    duration=1.0,
    frame_size=(144, 256),
    modalities=["video-only"],
)
corpus = load_ravdess(path)

cache = mkdtemp()
model = Pipeline(
    [
        (
            "clips",
            ClipPipeline(
                [("load", VideoLoader(n_frames=24, size=(72, 128))), ("hog3d", HOG3D())],
                memory=cache,
            ),
        ),
        ("tucker", PartialTucker()),
        ("scale", StandardScaler()),
        ("classify", RidgeClassifier(alpha=100)),
    ]
)

# %%
# Folds are by speaker. Ranks are those of time, rows, columns, bins and angles.

cells = [(4, 6, 8), (8, 9, 8), (8, 18, 16)]
ranks = [(2, 2, 2, 9, 2), (3, 4, 4, 9, 2), (3, 4, 8, 9, 2)]
search = GridSearchCV(
    model,
    {"clips__hog3d__cell_size": cells, "tucker__ranks": ranks},
    cv=GroupKFold(4),
    scoring="balanced_accuracy",
)
search.fit(corpus.data["video"], corpus.target, groups=corpus.groups)
print(search.best_params_)
print(ClipCache(cache))

# %%
# 36 fits, and each clip was decoded once. The figures, mean recall over the folds:

scores = 100 * search.cv_results_["mean_test_score"].reshape(len(cells), len(ranks))
figure, ax = plt.subplots(figsize=(6, 4), layout="constrained")
image = ax.imshow(scores, cmap="cividis", vmin=25, vmax=100)
for (row, column), score in [((r, c), scores[r, c]) for r in range(3) for c in range(3)]:
    ax.text(column, row, f"{score:.0f}", ha="center", color="black" if score > 65 else "white")
ax.set_xticks(range(3), [" x ".join(map(str, rank[:3])) for rank in ranks])
ax.set_yticks(range(3), [" x ".join(map(str, cell)) for cell in cells])
ax.set(xlabel="ranks: time, rows, columns", ylabel="cell: frames, rows, columns")
figure.colorbar(image, label="UAR, %")
plt.show()

# %%
# The best of nine is flattered by the choice: report a search by ``evaluate(search, ...)``, which searches anew in
# the training clips of every fold.
