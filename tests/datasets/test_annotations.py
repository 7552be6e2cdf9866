import sys
from pathlib import Path

import pandas as pd
import pytest

from skemotion import MediaError
from skemotion.datasets import load_annotations, load_table

EXPECTED = pd.DataFrame(
    {
        "start": [0.0, 0.5, 1.25],
        "end": [1.25, 2.0, 3.0],
        "label": ["happy", "laughs", "traurig — sad"],
        "tier": ["Ann", "Ben", "Ann"],
    }
)


def elan(folder):
    eaf = pytest.importorskip("pympi.Elan").Eaf()
    eaf.remove_tier("default")
    for tier in ("Ann", "Ben"):
        eaf.add_tier(tier)
    eaf.add_annotation("Ann", 1250, 3000, "traurig — sad")
    eaf.add_annotation("Ann", 0, 1250, " happy")
    eaf.add_annotation("Ann", 3000, 3500, "")
    eaf.add_annotation("Ben", 500, 2000, "laughs")
    path = folder / "talk.eaf"
    eaf.to_file(str(path))
    return path


def praat(folder, form="long_textgrid", encoding="utf-8"):
    textgrid = pytest.importorskip("praatio.textgrid")
    grid = textgrid.Textgrid()
    ann = [(1.25, 3.0, "traurig — sad"), (0.0, 1.25, "happy")]
    grid.addTier(textgrid.IntervalTier("Ann", ann, 0, 3.5))
    grid.addTier(textgrid.IntervalTier("Ben", [(0.5, 2.0, "laughs")], 0, 3.5))
    grid.addTier(textgrid.PointTier("clicks", [(1.0, "x")], 0, 3.5))
    path = folder / "talk.TextGrid"
    grid.save(str(path), format=form, includeBlankSpaces=True)
    path.write_text(path.read_text(encoding="utf-8"), encoding=encoding)
    return path


def test_elan(tmp_path):
    path = elan(tmp_path)
    pd.testing.assert_frame_equal(load_annotations(path), EXPECTED)
    ben = load_annotations(str(path), tier="Ben")
    pd.testing.assert_frame_equal(ben, EXPECTED[1:2].reset_index(drop=True))


def test_elans_segments_without_times(tmp_path):
    path = elan(tmp_path)
    text = path.read_text(encoding="utf-8")
    assert ' TIME_VALUE="2000"' in text
    path.write_text(text.replace(' TIME_VALUE="2000"', ""), encoding="utf-8")
    with pytest.raises(MediaError, match="found 1 without, such as 'laughs' in the tier 'Ben'"):
        load_annotations(path)
    assert load_annotations(path, tier="Ann")["label"].tolist() == ["happy", "traurig — sad"]


@pytest.mark.parametrize("form", ["long_textgrid", "short_textgrid"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_praat(tmp_path, form, encoding):
    path = praat(tmp_path, form, encoding)
    pd.testing.assert_frame_equal(load_annotations(path), EXPECTED)
    assert load_annotations(path, tier=["Ben", "Ann"])["label"].tolist() == [*EXPECTED["label"]]
    with pytest.raises(ValueError, match="tier 'clicks', found points"):
        load_annotations(path, tier="clicks")
    with pytest.raises(ValueError, match=r"tier 'mood', found none\. There are: Ann, Ben, clicks"):
        load_annotations(path, tier="mood")


def test_they_make_a_table(tmp_path):
    clip = tmp_path / "talk.wav"
    clip.touch()
    segments = load_annotations(praat(tmp_path)).assign(file=str(clip))
    corpus = load_table(segments, target="label", groups="tier")
    times = ["0,1.25", "0.5,2", "1.25,3"]
    assert corpus.data["audio"].tolist() == [f"{clip}#t={time}" for time in times]
    assert corpus.groups.tolist() == ["Ann", "Ben", "Ann"]


@pytest.mark.parametrize(("make", "program"), [(elan, "ELAN"), (praat, "Praat")])
def test_damaged_files(tmp_path, make, program):
    path = make(tmp_path)
    for content in (b"", b"no annotations at all", path.read_bytes()[:300]):
        path.write_bytes(content)
        with pytest.raises(MediaError, match=rf"{path.name}: expected"):
            load_annotations(path)
    path.write_bytes(b"\xff\x00\xfe")
    with pytest.raises(MediaError, match=f"expected a file of {program}, found damaged"):
        load_annotations(path)


def test_refused(tmp_path, monkeypatch):
    with pytest.raises(ValueError, match=r"found the suffix '\.csv'"):
        load_annotations("a.csv")
    with pytest.raises(FileNotFoundError, match=r"gone\.eaf"):
        load_annotations(tmp_path / "gone.eaf")
    monkeypatch.setitem(sys.modules, "pympi.Elan", None)
    monkeypatch.setitem(sys.modules, "praatio", None)
    for name in ("a.eaf", "a.TextGrid"):
        Path(tmp_path, name).touch()
        with pytest.raises(ImportError, match=r'pip install "skemotion\[annotation\]"'):
            load_annotations(tmp_path / name)
