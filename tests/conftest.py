"""What several test modules share."""

import atexit
import os
import shutil
import sys
import tempfile
from pathlib import Path

import pytest
from hypothesis import settings

# SciPy reads this when it is first imported; without it, scikit-learn skips its array API check.
os.environ["SCIPY_ARRAY_API"] = "1"

# How long an example takes depends on what else the machine does, and on what is compiled.
settings.register_profile("any machine", deadline=None)
settings.load_profile("any machine")

if "PYTEST_XDIST_WORKER" in os.environ:
    # Workers that write compiled functions to one place at once have been seen to crash.
    os.environ["NUMBA_CACHE_DIR"] = tempfile.mkdtemp()
    atexit.register(shutil.rmtree, os.environ["NUMBA_CACHE_DIR"], ignore_errors=True)

# Processes that tests start can import the tests' own stages; last, so that what is installed is
# what is tested.
sys.path.append(str(Path(__file__).parents[1]))

SHARED_DATA = Path(__file__).parents[1].parent / "shared" / "data"


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real clips next to the project, where there is one."""
    if not SHARED_DATA.is_dir():
        pytest.skip("the real clips in ../shared/data are not on this machine")
    return SHARED_DATA


# What has librosa compile, or the package's own kernels of sound.
_OF_SOUND = (
    "tests/audio/",
    "tests/datasets/test_synthetic",
    "tests/persistence/test_model_file",
    "tests/test_docs",
    "tests/test_examples",
)


@pytest.hookimpl(optionalhook=True)  # the page is tested without xdist
def pytest_xdist_make_scheduler(config, log):
    """Keep all tests of sound together, so that one worker alone compiles what they need.

    That is ten seconds of librosa, with which they compare, and as many of the package's own.
    """
    from xdist.scheduler import LoadScopeScheduling

    class Scheduling(LoadScopeScheduling):
        def _split_scope(self, nodeid):
            if nodeid.startswith(_OF_SOUND):
                return "sound"
            return super()._split_scope(nodeid)

    return Scheduling(config, log)
