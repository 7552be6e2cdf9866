"""Search over HOG3D's cell size and Tucker's ranks, from raw clips, on unseen actors.

    python examples/grid_search.py CORPUS --naming java-sed

Each clip is decoded once, and described once per cell size: what the clip stages make is kept in a
folder, for all folds and settings and for the next run.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import pandas as pd
from sklearn.model_selection import GridSearchCV, GroupKFold

from skemotion.datasets import NAMINGS, load_corpus
from skemotion.pipeline import ClipCache, make_emotion_pipeline
from skemotion.video import common_frame_size


def main(arguments: list[str] | None = None) -> GridSearchCV:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("corpus", help="folder of clips with picture and sound")
    parser.add_argument("--naming", choices=NAMINGS, default="ravdess")
    parser.add_argument("--clips", type=int, metavar="N", help="take every so many-th, N in all")
    parser.add_argument("--folds", type=int, default=6, metavar="N", help="at the most")
    parser.add_argument("--cache", type=Path, default=Path("skemotion-cache"), metavar="FOLDER")
    parser.add_argument("--jobs", type=int, default=-1, metavar="N")
    options = parser.parse_args(arguments)

    corpus = load_corpus(options.corpus, naming=options.naming)
    rows = slice(None, None, max(len(corpus.data) // (options.clips or len(corpus.data)), 1))
    clips, emotions = corpus.data[rows][: options.clips], corpus.target[rows][: options.clips]
    actors = corpus.groups[rows][: options.clips]

    model = make_emotion_pipeline(
        "both", recipe="reference", memory=options.cache, n_jobs=options.jobs
    )
    model.set_params(features__video__clips__load__size=common_frame_size(clips["video"]))
    search = GridSearchCV(
        model,
        {
            "features__video__clips__hog3d__cell_size": [(5, 5, 6), (10, 9, 12)],
            "features__audio__tucker__ranks": [(10, 150), (6, 60)],
        },
        scoring="balanced_accuracy",
        cv=GroupKFold(min(len(set(actors)), options.folds)),
        verbose=1,
    )
    search.fit(clips, emotions, groups=actors)

    table = pd.DataFrame(search.cv_results_["params"]).rename(columns=lambda name: name[10:])
    table["UAR"] = search.cv_results_["mean_test_score"]
    table["deviation"] = search.cv_results_["std_test_score"]
    print(table.to_string(float_format="{:.3f}".format))
    print(f"Best: {search.best_params_}")
    print(ClipCache(options.cache))
    return search


if __name__ == "__main__":
    main()
