"""A model's page on a Hugging Face Space, or in a container: put ``model.skops`` next to it."""

import os
from contextlib import suppress
from pathlib import Path

from skemotion import load_model
from skemotion.app import serve
from skemotion.base import model_parts
from skemotion.datasets import fetch_face_landmarker
from skemotion.video import FaceLandmarks


def main():
    here = Path(__file__).parent
    model = load_model(os.environ.get("MODEL", here / "model.skops"))
    if any(isinstance(part, FaceLandmarks) for part in model_parts(model)):
        fetch_face_landmarker()  # a Space starts without; the container has it
    serve(
        model,
        "0.0.0.0",
        int(os.environ.get("PORT", "7860")),
        max_seconds=float(os.environ.get("MAX_SECONDS", "20")),
        # A Space is shown in a frame of this site.
        framed_by="https://huggingface.co",
    )


if __name__ == "__main__":
    # As it is stopped; by then the page has cleared up.
    with suppress(KeyboardInterrupt):
        main()
