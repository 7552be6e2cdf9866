"""Timelines as files that other programs read, and as pictures."""

import json
import re
import sys
from itertools import pairwise

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from skemotion.datasets import load_annotations
from skemotion.inspection import (
    TIMELINE_FORMATS,
    TimelineDisplay,
    timeline_spans,
    write_timeline,
)


@pytest.fixture(autouse=True)
def no_screen():
    mpl.use("Agg")
    yield
    plt.close("all")


@pytest.fixture
def timeline():
    """Windows of 3 s every second, of which the fourth has no answer."""
    starts = np.arange(7.0) + 3599
    happy = np.array([0.1, 0.2, 0.9, np.nan, 0.8, 0.7, 0.3])
    labels = [None if np.isnan(p) else ["sad", 'it\'s "happy"'][int(p > 0.5)] for p in happy]
    return pd.DataFrame(
        {
            "start": starts,
            "end": starts + 3,
            "label": pd.Series(labels, dtype=object),
            "modalities": ["audio+video", "audio", "video", "", "audio", "audio", "audio"],
            'it\'s "happy"': happy,
            "sad": 1 - happy,
        }
    )


SPANS = [
    (3599.0, 3602.0, "sad", 0.85),
    (3602.0, 3603.0, 'it\'s "happy"', 0.9),
    (3604.0, 3606.0, 'it\'s "happy"', 0.75),
    (3606.0, 3608.0, "sad", 0.7),
]


def test_spans_do_not_overlap_and_leave_out_what_has_no_label(timeline):
    spans = timeline_spans(timeline)
    assert [span[:3] for span in spans] == [span[:3] for span in SPANS]
    np.testing.assert_allclose([span[3] for span in spans], [span[3] for span in SPANS])
    assert timeline_spans(timeline.iloc[3:4]) == []
    apart = timeline.iloc[[0, 4]]
    assert [span[:2] for span in timeline_spans(apart)] == [(3599, 3602), (3603, 3606)]
    one = timeline.iloc[:1]
    assert [span[:2] for span in timeline_spans(one)] == [(3599, 3602)]


def test_csv(timeline, tmp_path):
    table = pd.read_csv(write_timeline(timeline, tmp_path / "a.csv"), keep_default_na=True)
    assert list(table) == list(timeline)
    np.testing.assert_allclose(table["sad"], timeline["sad"])
    assert table["label"].isna().tolist() == timeline["label"].isna().tolist()


def test_json(timeline, tmp_path):
    windows = json.loads(write_timeline(timeline, tmp_path / "a.JSON").read_text("utf-8"))
    assert [window["label"] for window in windows] == timeline["label"].tolist()
    assert windows[0]["modalities"] == ["audio", "video"]
    assert windows[0]["probabilities"] == pytest.approx({'it\'s "happy"': 0.1, "sad": 0.9})
    assert windows[3]["probabilities"] is None
    assert windows[3]["modalities"] == []


@pytest.mark.parametrize("ending", ["srt", "vtt"])
def test_subtitles(timeline, tmp_path, ending):
    text = write_timeline(timeline, tmp_path / f"a.{ending}").read_text("utf-8")
    assert text.startswith("WEBVTT\n\n") == (ending == "vtt")
    point = "," if ending == "srt" else r"\."
    time = rf"(\d\d):(\d\d):(\d\d){point}(\d\d\d)"
    number = r"(\d+)\n" if ending == "srt" else "()"
    cues = re.findall(rf"{number}{time} --> {time}\n(.+) \((\d+)%\)\n(?:\n|\Z)", text)
    assert len(cues) == len(SPANS)
    for i, (cue, (start, end, label, share)) in enumerate(zip(cues, SPANS, strict=True)):
        assert cue[0] == (str(i + 1) if ending == "srt" else "")
        hours, minutes, seconds, thousandths = map(int, cue[1:5])
        assert 3600 * hours + 60 * minutes + seconds + thousandths / 1000 == start
        hours, minutes, seconds, thousandths = map(int, cue[5:9])
        assert 3600 * hours + 60 * minutes + seconds + thousandths / 1000 == end
        assert cue[9] == label
        assert int(cue[10]) == pytest.approx(100 * share, abs=0.6)


@pytest.fixture
def hostile():
    """A label with line breaks and marks, after which a reader would see a cue more."""
    label = "R&B <b>\r\n\n00:01.000 --> 00:09.000\nforged\u2028\x1b[2Jend"
    table = {"start": [0.0], "end": [3.0], "label": [label], "modalities": ["audio"], label: [0.9]}
    return pd.DataFrame(table)


def test_labels_cannot_forge_cues(hostile, tmp_path):
    import av

    shown = "R&B <b>   00:01.000 --> 00:09.000 forged  [2Jend (90%)"
    vtt = write_timeline(hostile, tmp_path / "a.vtt")
    escaped = shown.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    assert vtt.read_text("utf-8") == f"WEBVTT\n\n00:00:00.000 --> 00:00:03.000\n{escaped}\n"
    srt = write_timeline(hostile, tmp_path / "a.srt")
    assert srt.read_text("utf-8") == f"1\n00:00:00,000 --> 00:00:03,000\n{shown}\n"
    for path in (vtt, srt):
        with av.open(str(path)) as container:
            assert sum(packet.size > 0 for packet in container.demux()) == 1
    text = write_timeline(hostile, tmp_path / "a.TextGrid").read_text("utf-8")
    label = shown.removesuffix(" (90%)")
    assert text.splitlines()[-1] == f'            text = "{label}"'


def test_labels_in_tables_stay_as_they_are(tmp_path):
    for label in ("=1+1", "-1", "@a", "\ta"):
        table = pd.DataFrame(
            {"start": [0.0], "end": [3.0], "label": [label], "modalities": ["audio"], label: [0.9]}
        )
        read = pd.read_csv(write_timeline(table, tmp_path / "a.csv"), dtype={"label": str})
        assert read["label"].tolist() == [label]
        assert list(read) == list(table)


def test_subtitles_are_read_by_ffmpeg(timeline, tmp_path):
    import av

    for ending in ("srt", "vtt"):
        path = write_timeline(timeline, tmp_path / f"a.{ending}")
        with av.open(str(path)) as container:
            [stream] = container.streams
            packets = [packet for packet in container.demux(stream) if packet.size]
            times = [float(packet.pts * stream.time_base) for packet in packets]
        assert times == [span[0] for span in SPANS]


def test_textgrid(timeline, tmp_path):
    text = write_timeline(timeline, tmp_path / "a.TextGrid").read_text("utf-8")
    assert text.startswith('File type = "ooTextFile"\nObject class = "TextGrid"\n\nxmin = 0\n')
    assert float(re.search(r"^xmax = (.+)$", text, re.MULTILINE)[1]) == 3608
    size = int(re.search(r"intervals: size = (\d+)", text)[1])
    found = re.findall(
        r"intervals \[(\d+)\]:\n +xmin = (.+)\n +xmax = (.+)\n +text = \"(.*)\"\n", text
    )
    assert [int(f[0]) for f in found] == list(range(1, size + 1))
    intervals = [(float(f[1]), float(f[2]), f[3].replace('""', '"')) for f in found]
    assert intervals[0] == (0, 3599, "")
    assert [i for i in intervals if i[2]] == [span[:3] for span in SPANS]
    # Praat refuses tiers with gaps.
    assert all(a[1] == b[0] for a, b in pairwise(intervals))


def test_textgrid_is_read_by_others(timeline, tmp_path):
    praatio = pytest.importorskip("praatio.textgrid")
    path = write_timeline(timeline, tmp_path / "a.TextGrid")
    grid = praatio.openTextgrid(str(path), includeEmptyIntervals=False)
    entries = grid.getTier("emotion").entries
    assert [(e.start, e.end, e.label) for e in entries] == [span[:3] for span in SPANS]


def test_textgrid_becomes_a_tier_of_elan(timeline, tmp_path):
    praat = pytest.importorskip("pympi.Praat")
    path = write_timeline(timeline, tmp_path / "a.TextGrid")
    document = praat.TextGrid(str(path), codec="utf-8").to_eaf()
    document.to_file(str(tmp_path / "a.eaf"))
    expected = [span[:3] for span in SPANS]
    for name in ("a.TextGrid", "a.eaf"):
        segments = load_annotations(tmp_path / name, tier="emotion")
        rows = segments[["start", "end", "label"]].itertuples(index=False)
        assert [tuple(row) for row in rows] == expected


def test_picture(timeline, tmp_path):
    path = write_timeline(timeline, tmp_path / "a.png")
    assert path.read_bytes().startswith(b"\x89PNG")
    assert not plt.get_fignums()
    axes = plt.figure().subplots()
    display = TimelineDisplay.from_timeline(timeline, title="an hour in", ax=axes)
    assert (display.ax_, axes.get_title()) == (axes, "an hour in")
    assert [t.get_text() for t in display.legend_.get_texts()] == ["sad", 'it\'s "happy"']
    assert axes.get_ylim() == (0, 1)
    one = TimelineDisplay.from_timeline(timeline.iloc[:1])
    assert one.ax_.get_xlim() == (3600, 3601)


def test_classes_beyond_the_colours_are_hatched():
    shares = np.full((3, 10), 0.1)
    display = TimelineDisplay([1, 2, 3], shares, labels=list("abcdefghij")).plot()
    looks = {(tuple(a.get_facecolor()[0]), a.get_hatch()) for a in display.areas_}
    assert len(looks) == 10


def test_files_are_whole_or_as_before(timeline, tmp_path):
    path = write_timeline(timeline, tmp_path / "a.srt")
    before = path.read_bytes()
    with pytest.raises(KeyError):
        write_timeline(timeline.drop(columns="sad"), path)
    assert path.read_bytes() == before
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.srt"]


def test_other_endings_are_refused(timeline, tmp_path):
    with pytest.raises(ValueError, match=r"a\.doc: expected a name that ends in \.csv, .*\.doc"):
        write_timeline(timeline, tmp_path / "a.doc")
    assert set(TIMELINE_FORMATS) == {".csv", ".json", ".srt", ".vtt", ".TextGrid", ".png"}


def test_a_picture_needs_matplotlib(timeline, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    with pytest.raises(ImportError, match=r'python -m pip install "skemotion\[plot\]"'):
        TimelineDisplay.from_timeline(timeline)
