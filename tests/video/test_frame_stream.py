import numpy as np
import pytest

from skemotion.video import _frame_stream, decode_clip
from skemotion.video._decoding import Orientation
from skemotion.video._frame_stream import array_frames, file_frames

RNG = np.random.default_rng(0)


def test_frames_of_a_file(shared_data, monkeypatch):
    path = shared_data / "java-sed" / "05-01-02_01.mp4"
    expected = decode_clip(path, scale=1, stride=1, color="rgb")
    frames = list(file_frames(path))
    np.testing.assert_array_equal([frame.picture for frame in frames], expected)
    assert [frame.number for frame in frames] == list(range(len(expected)))
    # Its rate is 29.97 a second.
    for fps, numbers in ((30, range(116)), (29.97, range(116)), (15, range(0, 116, 2))):
        assert [frame.number for frame in file_frames(path, fps)] == list(numbers)
    seconds = [frame.seconds for frame in file_frames(path, 8)]
    assert seconds == pytest.approx(np.arange(len(seconds)) / 8, abs=0.51 / 29.97)
    # As a camera held sideways writes them.
    monkeypatch.setattr(Orientation, "of", lambda frame: Orientation(True, False, True))
    upright = next(file_frames(path)).picture
    np.testing.assert_array_equal(upright, np.rot90(expected[0], -1))


def test_frames_without_times(shared_data, monkeypatch):
    class Timeless:
        time = pts = None
        width = height = 8
        rotation = 0

        def to_ndarray(self, format):
            return np.zeros((8, 8, 3), np.uint8)

    path = shared_data / "java-sed" / "05-01-02_01.mp4"

    class Container:
        format = type("Format", (), {"name": "h264"})

        def decode(self, stream):
            return [Timeless()] * 4

    class Opened:
        def __init__(self, source, kind):
            pass

        def __enter__(self):
            return Container(), type("Stream", (), {"average_rate": 10, "guessed_rate": 10})

        def __exit__(self, *args):
            pass

    monkeypatch.setattr(_frame_stream, "open_stream", Opened)
    seconds = [frame.seconds for frame in file_frames(path)]
    assert seconds == pytest.approx([0, 0.1, 0.2, 0.3])


def test_frames_of_an_array():
    grey = RNG.integers(0, 256, (3, 5, 6), dtype=np.uint8)
    expected = np.repeat(grey[..., np.newaxis], 3, axis=3)
    for clip in (grey, grey[..., np.newaxis], expected, grey + 0.3, expected.astype(np.float32)):
        frames = list(array_frames(clip))
        np.testing.assert_array_equal([frame.picture for frame in frames], expected)
        assert all(f.picture.dtype == np.uint8 and f.picture.flags.c_contiguous for f in frames)
    assert frames[2].seconds == pytest.approx(2 / 30)
    with pytest.raises(ValueError, match=r"1 or 3 channels.*\(3, 5, 6, 4\)"):
        next(array_frames(np.zeros((3, 5, 6, 4))))
    bright = next(array_frames(np.full((1, 2, 2), 300.0)))
    assert (bright.picture == 255).all()
