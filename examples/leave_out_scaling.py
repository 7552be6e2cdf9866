"""Compare the reference pipeline with and without standardised columns, under both protocols.

    python examples/leave_out_scaling.py CORPUS --naming java-sed --modality audio

Shows how a model is changed by `set_params` and tested by `evaluate`.
"""

from __future__ import annotations

import argparse

from skemotion.datasets import NAMINGS, load_corpus
from skemotion.model_selection import evaluate
from skemotion.pipeline import make_emotion_pipeline, run_clip_stages


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("corpus", help="folder of clips, all of one frame size")
    parser.add_argument("--naming", choices=NAMINGS, default="ravdess")
    parser.add_argument("--modality", choices=("both", "video", "audio"), default="both")
    options = parser.parse_args()

    corpus = load_corpus(options.corpus, naming=options.naming)
    model, results, _ = run_clip_stages(
        make_emotion_pipeline(options.modality, n_jobs=-1, verbose=True), corpus.data
    )
    for name, changes in {"scaled": {}, "not scaled": {"scale": "passthrough"}}.items():
        for seed in (42, 43, 44):
            model.set_params(classifier__random_state=seed, **changes)
            for result in evaluate(model, results, corpus.target, corpus.groups, n_jobs=-1):
                print(
                    f"{name:10}  seed {seed}  {result.protocol:14}  "
                    f"accuracy {result.accuracy:.1%}  mean recall {result.uar:.1%}",
                    flush=True,
                )


if __name__ == "__main__":
    main()
