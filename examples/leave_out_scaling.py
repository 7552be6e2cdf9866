"""Compare the reference pipeline with and without standardised columns, under both protocols.

    python examples/leave_out_scaling.py CORPUS --naming java-sed --modality audio

Shows how a model is changed by `set_params` and tested by `evaluate`; all evaluations share one
temporary cache, so that each clip is decoded and described once.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from skemotion.datasets import NAMINGS, load_corpus
from skemotion.model_selection import PROTOCOLS, Evaluation, evaluate
from skemotion.pipeline import make_emotion_pipeline, temporary_cache
from skemotion.video import common_frame_size


def main(arguments: Sequence[str] | None = None) -> list[Evaluation]:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("corpus", help="folder of clips")
    parser.add_argument("--naming", choices=NAMINGS, default="ravdess")
    parser.add_argument("--modality", choices=("both", "video", "audio"), default="both")
    parser.add_argument("--seeds", type=int, default=3, metavar="N", help="of the classifier")
    options = parser.parse_args(arguments)

    corpus = load_corpus(options.corpus, naming=options.naming)
    model = make_emotion_pipeline(options.modality, recipe="reference", n_jobs=-1, verbose=True)
    if options.modality != "audio":
        size = common_frame_size(corpus.data["video"])
        model.set_params(features__video__clips__load__size=size)
    results = []
    with temporary_cache(model) as cached:
        for name, changes in {"scaled": {}, "not scaled": {"scale": "passthrough"}}.items():
            for seed in range(42, 42 + options.seeds):
                cached.set_params(classifier__random_state=seed, **changes)
                for result in evaluate(
                    cached,
                    corpus.data,
                    corpus.target,
                    corpus.groups,
                    protocol=PROTOCOLS,
                    max_unusable=0.1,
                    n_jobs=-1,
                ):
                    print(
                        f"{name:10}  seed {seed}  {result.protocol:19}  "
                        f"UAR {result.uar:.1%}  accuracy {result.accuracy:.1%}",
                        flush=True,
                    )
                    results.append(result)
    return results


if __name__ == "__main__":
    main()
