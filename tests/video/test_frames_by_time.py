"""VideoLoader(fps=)."""

import io
from fractions import Fraction

import av
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skemotion import MediaError
from skemotion.video import VideoLoader
from skemotion.video._decoding import _nearest


def encode(times):
    """Encode frames, each of one shade that counts them, shown at some times (ms)."""
    file = io.BytesIO()
    with av.open(file, "w", format="matroska") as output:
        stream = output.add_stream("ffv1", rate=25)
        stream.height, stream.width, stream.pix_fmt = 8, 8, "gray"
        stream.codec_context.time_base = Fraction(1, 1000)
        for number, time in enumerate(times):
            picture = np.full((8, 8), number, dtype=np.uint8)
            frame = av.VideoFrame.from_ndarray(picture, format="gray")
            frame.pts, frame.time_base = time, Fraction(1, 1000)
            output.mux(stream.encode(frame))
        output.mux(stream.encode())
    return file.getvalue()


def shades(clip, fps):
    (frames,) = VideoLoader(scale=1, fps=fps).transform([clip])
    return frames[:, 0, 0].tolist()


def test_constant_rate():
    clip = encode(range(0, 1000, 40))
    assert shades(clip, 25) == list(range(25))
    assert shades(clip, 5) == [0, 5, 10, 15, 20]
    assert shades(clip, 50)[:6] == [0, 0, 1, 1, 2, 2]  # the earlier one of two as near
    assert len(shades(clip, 50)) == 50
    assert shades(clip, 0.1) == [0]


def test_variable_rate():
    assert shades(encode([500, 540, 990, 1500, 1540]), 10) == [0, 1, 1, 2, 2, 2, 2, 2, 3, 3, 3]


def test_of_a_segment(tmp_path):
    path = tmp_path / "a.mkv"
    path.write_bytes(encode(range(0, 4000, 40)))
    assert shades(f"{path}#t=1,3", 5) == list(range(25, 75, 5))
    assert shades(f"{path}#t=3", 5) == [75, 80, 85, 90, 95]


@given(
    st.lists(st.integers(1, 300), min_size=1, max_size=20),
    st.fractions(Fraction(1, 2), 60, max_denominator=7),
)
def test_equals_the_nearest_one_of_all(gaps, fps):
    times = [Fraction(t, 1000) for t in np.cumsum([0, *gaps]).tolist()]
    found = [
        number
        for number, n_times in _nearest(iter(zip(times, range(99), strict=False)), fps, None, None)
        for _ in range(n_times)
    ]
    length = times[-1] + Fraction(gaps[-1], 1000)
    wanted = [k / fps for k in range(1000) if k / fps < length]
    assert found == [int(np.argmin([abs(t - at) for t in times])) for at in wanted]


def test_clips_are_ragged():
    clips = [encode(range(0, 1000, 40)), encode(range(0, 600, 50))]
    one, other = VideoLoader(fps=10).fit_transform(clips)
    assert (len(one), len(other)) == (10, 6)


def test_refused():
    with pytest.raises(ValueError, match="stride or fps, not both"):
        VideoLoader(stride=2, fps=5).fit(["a.mp4"])
    with pytest.raises(ValueError, match="'fps' parameter"):
        VideoLoader(fps=0).transform(["a.mp4"])
    with pytest.raises(MediaError, match="expected a clip with times, as fps=5 needs"):
        VideoLoader(fps=5).transform([np.zeros((3, 8, 8), dtype=np.uint8)])
    with pytest.raises(MediaError, match="max_frames"):
        VideoLoader(fps=1e9).transform([encode([0, 40])])
