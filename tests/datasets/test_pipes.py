"""Pipes and devices in place of archives are refused, not waited for."""

import os
import signal

import pytest

from skemotion import MediaError
from skemotion.datasets import load_ravdess, load_table
from skemotion.model_selection._copies import content_keys

pytestmark = pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="has no pipes with names")


@pytest.fixture(autouse=True)
def twenty_seconds():
    """Opening a pipe waits until someone writes into it."""

    def late(*_):
        pytest.fail("Still waiting.")  # which no handler of errors takes for one

    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(20)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


def test_in_place_of_an_archive(tmp_path):
    os.mkfifo(tmp_path / "a.zip")
    (tmp_path / "device").mkdir()
    (tmp_path / "device" / "b.zip").symlink_to("/dev/null")
    for place in (tmp_path / "device", tmp_path / "a.zip", tmp_path):
        with pytest.raises(MediaError, match=r"\.zip: expected a zip archive, found a device or a"):
            load_ravdess(place)


def test_in_a_table(tmp_path):
    os.mkfifo(tmp_path / "a.zip")
    (tmp_path / "t.csv").write_text("file,emotion\nzip://x.wav::a.zip,sad\n")
    with pytest.raises(MediaError, match=r"no such file for 1 of them: zip://x\.wav::.*a\.zip"):
        load_table(tmp_path / "t.csv")


def test_among_clips_that_are_compared(tmp_path):
    clips = [str(tmp_path / name) for name in "ab"]
    for clip in clips:
        os.mkfifo(clip)
    clips += [f"zip://x.wav::{clips[0]}", "/dev/zero", "/dev/full"]
    assert content_keys(clips) == ({clip: clip for clip in clips}, clips)
