"""What a column is depends on no single cell, and errors name the row."""

import io

import numpy as np
import pandas as pd
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from skemotion import MediaError
from skemotion.audio import AudioLoader
from skemotion.pipeline import ClipPipeline
from skemotion.video import HOG3D, VideoLoader

RATE = 8000
TONE = np.sin(np.arange(400) / 9).astype(np.float32)


@pytest.fixture(scope="module")
def cells(tmp_path_factory):
    """Every kind of cell, by name; a file object is made anew, since it is read."""
    path = tmp_path_factory.mktemp("cells") / "a.wav"
    soundfile.write(path, TONE, RATE, subtype="FLOAT")
    content = path.read_bytes()
    return {
        "path": lambda: path,
        "text": lambda: str(path),
        "bytes": lambda: content,
        "file": lambda: io.BytesIO(content),
        "view": lambda: memoryview(content),
        "sound": lambda: (RATE, TONE),
        "list": lambda: [RATE, TONE],
        "array": lambda: TONE,
        "none": lambda: None,
        "nan": lambda: np.nan,
        "nat": lambda: pd.NaT,
        "number": lambda: 5,
        "empty": lambda: "",
    }


GOOD = ["path", "text", "bytes", "file", "view", "sound", "list", "array"]
BAD = ["none", "nan", "nat", "number", "empty"]
CONTAINERS = {
    "list": list,
    "series": lambda column: pd.Series(column, dtype=object),
    "frame": lambda column: pd.DataFrame({"audio": pd.Series(column, dtype=object)}),
}


@settings(deadline=None, max_examples=60)
@given(
    order=st.permutations(GOOD),
    bad=st.lists(st.sampled_from(BAD), max_size=2),
    at=st.lists(st.integers(0, 8), min_size=2, max_size=2),
    container=st.sampled_from(sorted(CONTAINERS)),
)
def test_what_a_column_is_depends_on_no_cell(cells, order, bad, at, container):
    names = list(order)
    for name, place in zip(bad, at, strict=False):
        names.insert(place, name)
    first_bad = next((row for row, name in enumerate(names) if name in BAD), None)
    X = CONTAINERS[container]([cells[name]() for name in names])
    loader = AudioLoader(RATE, source_rate=RATE)
    if first_bad is None:
        waveforms = loader.fit(X).transform(X)
        assert waveforms.shape == (len(names),)
        for waveform in waveforms:
            np.testing.assert_array_equal(waveform, TONE)
        return
    for stage in (loader, ClipPipeline([("load", loader)])):
        with pytest.raises(MediaError, match=rf"^row {first_bad}: expected a (clip|path), "):
            stage.fit(X).transform(X)


def test_columns_that_hold_nothing_are_columns():
    for empty in ([None], [np.nan, None], pd.Series([None, pd.NA])):
        with pytest.raises(MediaError, match="row 0: expected a clip, found an empty cell"):
            VideoLoader().fit(empty).transform(empty)


@pytest.mark.parametrize("kind", GOOD[:7])
def test_rows_of_one_clip_are_a_column(cells, kind):
    for stage in (AudioLoader(RATE), ClipPipeline([("load", AudioLoader(RATE))])):
        for row in (list, tuple):
            X = [row([cells[kind]()]), row([cells["path"]()])]
            for waveform in stage.fit_transform(X):
                np.testing.assert_array_equal(waveform, TONE)
        with pytest.raises(MediaError, match="row 1: expected a clip, found an empty cell"):
            stage.fit_transform([[cells[kind]()], [None]])
        with pytest.raises(ValueError, match=r"Expected one column of clips, got 2: pass one"):
            stage.fit_transform([[cells[kind](), cells["path"]()]] * 2)


def test_a_list_of_pictures_is_a_clip():
    pictures = [np.full((30, 36), 9 * t, dtype=np.uint8) for t in range(6)]
    column = pd.Series([pictures, np.stack(pictures)])
    one, other = VideoLoader(4, scale=1).transform(column)
    np.testing.assert_array_equal(one, other)


def test_a_single_clip_is_no_column():
    colour = np.zeros((5, 30, 40, 3), dtype=np.uint8)
    for stage in (VideoLoader(), HOG3D(), ClipPipeline([("load", VideoLoader())])):
        with pytest.raises(ValueError, match=r"\(5, 30, 40, 3\).*single clip in colour: pass "):
            stage.fit_transform(colour)
        assert len(stage.fit_transform([colour])) == 1
    for clip in ("a.mp4", b"content", io.BytesIO(b"content")):
        with pytest.raises(ValueError, match=r"got the single clip .*: pass \[clip\]"):
            VideoLoader().fit(clip)


@pytest.mark.parametrize("make", [iter, set, lambda clips: {"audio": clips}, dict.fromkeys])
def test_what_has_no_rows_is_no_column(cells, make):
    for stage in (AudioLoader(), ClipPipeline([("load", AudioLoader())])):
        with pytest.raises(
            TypeError, match=r"got a (list_iterator|set|dict): pass a list of clips"
        ):
            stage.fit_transform(make([cells["path"]()]))
    with pytest.raises(TypeError, match="got a dict_values: pass a list of clips"):
        AudioLoader().fit({"audio": cells["path"]()}.values())


def test_sound_as_librosa_returns_it_is_named():
    for stage in (AudioLoader(), ClipPipeline([("load", AudioLoader())])):
        for clips in ([(TONE, RATE)], [(TONE, RATE), (TONE, RATE)], pd.Series([(TONE, RATE)])):
            with pytest.raises(
                MediaError, match=r"row 0: .*\(waveform, rate\).*librosa.load. Swap"
            ):
                stage.fit_transform(clips)
        with pytest.raises(ValueError, match=r"got the single clip .*: pass \[clip\]"):
            stage.fit_transform((RATE, TONE))


@pytest.mark.parametrize("method", ["fit", "transform", "fit_transform"])
def test_a_table_of_several_columns_is_no_column(method, cells):
    table = pd.DataFrame({"video": [cells["path"]()], "audio": [cells["path"]()], "speaker": [1]})
    stages = [AudioLoader(), ClipPipeline([("load", AudioLoader())])]
    stages.append(ClipPipeline([("load", AudioLoader())], on_error="nan"))
    for stage in stages:
        with pytest.raises(ValueError, match=r"^Expected one column of clips, got 3: pass one"):
            getattr(stage, method)(table)


@pytest.mark.parametrize(
    ("bad", "found"),
    [
        (np.full((3, 4, 5), np.nan), "found NaN or infinity"),
        (np.zeros((0, 4, 5), dtype=np.uint8), r"found an array of shape \(0, 4, 5\)"),
        (np.zeros((4, 5)), r"found an array of shape \(4, 5\)"),
        (np.full((3, 4, 5), "a"), "type <U1"),
        ((8000, np.zeros(50)), "expected a picture, found sound at 8000 Hz"),
    ],
)
def test_pictures_in_memory_are_checked(bad, found):
    good = np.zeros((3, 4, 5), dtype=np.uint8)
    with pytest.raises(ValueError, match=rf"row 1: .*{found}"):
        VideoLoader(2, scale=1).transform([good, bad])
    whole = np.arange(60).reshape(3, 4, 5)
    (loaded,) = VideoLoader(3, scale=1).transform([whole])
    np.testing.assert_array_equal(loaded, whole)
