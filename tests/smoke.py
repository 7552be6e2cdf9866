"""Train on a few synthetic clips and predict one, by the installed command line."""

import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory


def main() -> None:
    from skemotion.datasets import make_ravdess

    def run(*words: object) -> None:
        subprocess.run([sys.executable, "-m", "skemotion", *map(str, words)], check=True)

    with TemporaryDirectory() as folder:
        corpus, model = Path(folder, "corpus"), Path(folder, "model.skops")
        make_ravdess(
            corpus, n_actors=2, emotions=["happy", "sad"], n_statements=1, modalities=["full"],
            duration=0.5, frame_size=(120, 144),
        )  # fmt: skip
        run("--version")
        run("train", corpus, "--recipe", "reference", "-o", model)
        run("predict", model, next(corpus.rglob("*.mp4")))


if __name__ == "__main__":  # workers import this file, too
    main()
