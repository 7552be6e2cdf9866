from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from skemotion import MediaError
from skemotion.io import identity, split_fragment


@pytest.mark.parametrize(
    ("times", "start", "end"),
    [
        ("10,12.5", "10", "12.5"),
        ("10", "10", None),
        (",12.5", "0", "12.5"),
        ("npt:10,12.5", "10", "12.5"),
        ("0:02,1:02:03.25", "2", "3723.25"),
        ("0.123456789,10.", "0.123456789", "10"),
    ],
)
@pytest.mark.parametrize("whole", ["clip.mp4", "zip://a.wav::/data/b.zip", "s3://x/clip#1.mp4"])
def test_times(whole, times, start, end):
    got, segment = split_fragment(f"{whole}#t={times}")
    assert got == whole
    assert segment == (Fraction(start), end and Fraction(end))


@pytest.mark.parametrize(
    "whole", ["clip.mp4", Path("clip.mp4"), "#t=1", "a#t=1/b.mp4", "zip://a#t=1::b.zip", b"#t=1", 3]
)
def test_no_times(whole):
    assert split_fragment(whole) == (whole, None)


@pytest.mark.parametrize(
    "times",
    ["", ",", "10,", "-1,2", "a", "1,2,3", "1e3", "nan", "smpte:1", "1:99", "1 ,2", "1&u=2", "٣",
     "9" * 5000],
)  # fmt: skip
def test_nonsense_is_refused(times):
    with pytest.raises(MediaError, match=r"expected times such as #t=10,12\.5 .*, found #t="):
        split_fragment(f"clip.mp4#t={times}")


@pytest.mark.parametrize("times", ["2,2", "3,2", ",0", "1:00,59"])
def test_start_is_before_the_end(times):
    with pytest.raises(MediaError, match="expected a start before the end, found"):
        split_fragment(f"clip.mp4#t={times}")


def test_a_name_that_exists_is_no_segment(tmp_path):
    path = tmp_path / "a.wav#t=1,2"
    assert split_fragment(path) == (str(tmp_path / "a.wav"), (1, 2))
    path.touch()
    assert split_fragment(path) == (path, None)
    assert split_fragment(f"file://{path}") == (f"file://{path}", None)
    assert split_fragment(f"{path}#t=3") == (str(path), (3, None))


def test_identity_tells_segments_apart(tmp_path):
    path = tmp_path / "a.wav"
    path.write_bytes(b"x")
    ids = [identity(f"{path}{times}") for times in ("", "#t=1", "#t=,1", "#t=1,2", "#t=1,3")]
    assert len(set(ids)) == 5
    assert identity(Path(f"{path}#t=1,2")) == identity(f"{path}#t=npt:0:01,2.0") == ids[3]
    assert identity(np.arange(3)) == identity(np.arange(3))
