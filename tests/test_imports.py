import json
import subprocess
import sys

import pytest

import skemotion

# Installed with an extra or for the tests, or slow to import and seldom needed.
HEAVY = {
    "ai_edge_litert", "dask", "distributed", "gradio", "imblearn", "matplotlib", "onnx",
    "onnxruntime", "opensmile", "polars", "pooch", "requests", "skfda", "skimage", "skorch",
    "tensorly", "torch",
}  # fmt: skip
EVERYTHING = (
    "import skemotion, skemotion.app, skemotion.cli, skemotion.audio, skemotion.classification, "
    "skemotion.datasets, skemotion.decomposition, skemotion.inspection, skemotion.io, "
    "skemotion.model_selection, skemotion.persistence, skemotion.pipeline, "
    "skemotion.preprocessing, skemotion.video"
)
# skops has scikit-learn import whatever it has a wrapper for.
LOADING = (
    "import skemotion.persistence._skops as s; s.import_skops(); import skops.io; "
    "assert not any(module is None for module in sys.modules.values()); "
    "assert isinstance(s.import_skops().loads(s.import_skops().dumps([1])), list)"
)


@pytest.mark.parametrize("statement", ["import skemotion", EVERYTHING, LOADING])
def test_heavy_packages_wait_until_they_are_used(statement):
    code = f"import json, sys; {statement}; print(json.dumps(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    loaded = {name.partition(".")[0] for name in json.loads(done.stdout)}
    assert "skemotion" in loaded
    assert not loaded & HEAVY
    if statement == "import skemotion":
        assert not loaded & {
            "av", "cv2", "fsspec", "joblib", "librosa", "numba", "numpy", "pandas", "scipy",
            "skops", "sklearn",
        }  # fmt: skip


def test_the_version_is_told():
    assert skemotion.__version__.count(".") >= 2
