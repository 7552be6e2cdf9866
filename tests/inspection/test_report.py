"""The report: its figures are the evaluation's, hostile names stay text, files are whole."""

import re
from html import unescape
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression

from skemotion.inspection import check_report_path, evaluation_html, write_report
from skemotion.model_selection import Evaluation, Leak, calibration_bins, evaluate
from skemotion.pipeline import ClipCosts, ClipError

HOSTILE = '<script>alert("1")</script>'
BOTH = ("speaker-dependent", "speaker-independent")


class Page(HTMLParser):
    """Tables as lists of rows by caption, in order; tags; and what would be loaded."""

    def __init__(self, text):
        super().__init__()
        self.tables, self.tags, self.links, self.text = [], [], [], ""
        self._open = None
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self.links += [value for name, value in attributes if name in ("src", "href", "data")]
        if tag == "table":
            self.tables.append(["", []])
        elif tag == "tr":
            self.tables[-1][1].append([])
        elif tag in ("td", "th"):
            self.tables[-1][1][-1].append("")
        self._open = tag if tag in ("td", "th", "caption") or self._open is None else self._open

    def handle_endtag(self, tag):
        self._open = None if tag in ("td", "th", "caption", self._open) else self._open

    def handle_data(self, data):
        self.text += data
        if self._open in ("td", "th"):
            self.tables[-1][1][-1][-1] += data
        elif self._open == "caption":
            self.tables[-1][0] += data

    def table(self, caption, number=0):
        found = [rows for words, rows in self.tables if words.startswith(caption)]
        return [row for row in found[number] if row]


def percent(value):
    return f"{100 * value:.1f} %"


@pytest.fixture(scope="module")
def evaluations():
    rng = np.random.default_rng(0)
    y = np.array(["calm", "angry", "sad"])[np.arange(72) % 3]
    X = rng.normal(size=(72, 4)) + 0.8 * (np.arange(72) % 3)[:, np.newaxis]
    speakers = np.repeat(np.arange(1, 7), 12)
    metadata = pd.DataFrame({"speaker": speakers, "sentence": np.arange(72) // 3 % 2})
    return evaluate(LogisticRegression(), X, y, speakers, protocol=BOTH, metadata=metadata)


def test_figures_of_the_page_are_the_evaluations(evaluations, tmp_path):
    costs = ClipCosts([0.25, 0.5, 0.75], 0.4, 123_000_000)
    path = write_report(evaluations, tmp_path / "r.html", command="skemotion x", costs=costs)
    page = Page(path.read_text(encoding="utf-8"))
    for number, result in enumerate(evaluations):
        low, high = (100 * bound for bound in result.uar_interval)
        figures = {first: cells for first, *cells in page.table("Figures", 2 * number)}
        assert figures["UAR (unweighted average recall)"] == [
            percent(result.uar), f"{low:.1f} to {high:.1f} %",
        ]  # fmt: skip
        assert figures["accuracy"][0] == percent(result.accuracy)
        assert figures["macro F1"][0] == percent(result.macro_f1)
        assert figures["expected calibration error"][0] == f"{result.calibration_error:.3f}"
        assert page.table("In short")[1 + number][:2] == [result.protocol, percent(result.uar)]
        confusion = page.table("Confusion", number)
        assert confusion[0] == ["true", *result.labels, "recall"]
        for label, counts, row in zip(
            result.labels, result.confusion_matrix, confusion[1:], strict=True
        ):
            recall = counts[result.labels.index(label)] / counts.sum()
            assert row == [label, *map(str, counts), percent(recall)]
        assert page.table("Figures of each speaker", number)[1:] == [
            [str(name), str(row.n_clips), *map(percent, (row.uar, row.accuracy, row.macro_f1))]
            for name, row in zip(
                result.per_speaker.index, result.per_speaker.itertuples(), strict=True
            )
        ]
        bins = calibration_bins(result.target, result.probabilities, result.labels)
        bins = bins[bins["n_clips"] > 0]
        shown = page.table("Predictions by confidence", number)[1:]
        assert [row[1:] for row in shown] == [
            [str(row.n_clips), percent(row.confidence), percent(row.accuracy)]
            for row in bins.itertuples()
        ]
    assert page.text.count("The tested speakers are in training, too") == 1
    assert page.text.count("had not seen its speaker") == 1
    assert page.text.count("No leak was found.") == 1
    shared = "No leak was found other than speakers, which the protocol has on both sides."
    assert page.text.count(shared) == 1
    assert page.text.count("The same sentences are in training") == 2
    unlooked = page.table("What could not be looked for")
    assert [
        "the same file, or overlapping segments of one",
        "no column of clips: video, audio, path, file",
    ] in unlooked
    cost = dict(page.table("A clip"))
    assert cost["opening and describing a clip, median"] == "0.5 s"
    assert cost["peak memory of the process"] == "123 MB"
    assert [row[:2] for row in page.table("Training and testing")[1:]] == [
        ["speaker-dependent", "5"], ["speaker-independent", "6"],
    ]  # fmt: skip
    assert dict(page.table("Packages"))["numpy"] == np.__version__
    assert "skemotion x" in page.text
    # It opens anywhere: nothing runs, and nothing is loaded.
    assert page.links == []
    assert not {"script", "link", "iframe", "object"} & set(page.tags)
    assert "url(" not in path.read_text(encoding="utf-8")


def hostile():
    words = np.array([HOSTILE, "a&b", HOSTILE, "a&b"])
    return Evaluation(
        "speaker-independent", words, words[::-1], np.array([HOSTILE, "x", "y", "z"]),
        [HOSTILE, "a&b"], 4, 2, clips=words, splitter=HOSTILE,
        leaks=(Leak("file", np.arange(1), np.arange(1), HOSTILE, HOSTILE),),
        not_audited={HOSTILE: HOSTILE}, scores={HOSTILE: np.ones(2)},
        unusable=(ClipError(0, HOSTILE, "load", HOSTILE),),
    )  # fmt: skip


def test_names_stay_text(tmp_path):
    path = write_report(hostile(), tmp_path / "r.html", title=HOSTILE, command=HOSTILE)
    for text in (path.read_text(encoding="utf-8"), evaluation_html(hostile())):
        assert "<script" not in text
        assert "a&b" not in text
        page = Page(text)
        assert "script" not in page.tags
        assert page.table("Confusion")[0] == ["true", HOSTILE, "a&b", "recall"]
    text = path.read_text(encoding="utf-8")
    places = [
        "<title>", "<h1>", "<code>", "<li>", "split by ", 'class="text">', '<th scope="row">',
        "<li>LEAK: ",
    ]  # fmt: skip
    for place in places:
        assert place + HOSTILE in unescape(text), place
    # A name that is no text in UTF-8, as file systems allow, ends no report.
    assert write_report(hostile(), tmp_path / "r.html", title="\udcff").exists()


def test_what_is_not_known_is_said(tmp_path):
    words = np.array(["a", "b"])
    bare = Evaluation("speakers unknown", words, words, None, ["a", "b", "c"], 2, 1)
    page = Page(write_report(bare, tmp_path / "r.htm").read_text(encoding="utf-8"))
    assert page.table("Figures")[1][1:] == ["100.0 %", "none: speakers unknown"]
    assert page.table("Confusion")[3][-1] == "no clips"
    for words in (
        "The speakers are not known", "The splits were not audited", "gives no probabilities",
        "Not measured", "Whether tested speakers are in training is not known",
    ):  # fmt: skip
        assert words in page.text


def test_a_notebook_shows_figures_and_leaks(evaluations):
    same, disjoint = evaluations
    page = Page(same._repr_html_())
    assert page.table("Figures")[1][1] == percent(same.uar)
    assert "these figures say little about other people" in page.text
    assert "these figures say little about other people" not in disjoint._repr_html_()
    assert "LEAK: " in hostile()._repr_html_()


@pytest.mark.parametrize("name", ["r.pdf", "r"])
def test_another_ending(name, tmp_path):
    with pytest.raises(ValueError, match=r"expected a name that ends in \.html or \.htm"):
        write_report(hostile(), tmp_path / name)


def test_places_where_nothing_can_be_written(tmp_path):
    with pytest.raises(FileNotFoundError, match="no such folder to save the report in"):
        check_report_path(tmp_path / "none" / "r.html")
    (tmp_path / "d.html").mkdir()
    with pytest.raises(IsADirectoryError, match="is a folder"):
        check_report_path(tmp_path / "d.html")
    (tmp_path / "f").touch()
    with pytest.raises(NotADirectoryError, match="is no folder"):
        check_report_path(tmp_path / "f" / "r.html")
    with pytest.raises(ValueError, match="found none"):
        write_report([], tmp_path / "r.html")
    for wrong, found in (("x", "'x' of type str"), ([hostile(), 1], "1 of type int"), (2, "2 of")):
        with pytest.raises(TypeError, match=rf"got {found}.*: pass what evaluate returns"):
            write_report(wrong, tmp_path / "r.html")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["d.html", "f"]


def test_an_existing_file_is_replaced_once_the_new_one_is_complete(tmp_path, monkeypatch):
    path = tmp_path / "r.html"
    path.write_text("old")
    seen = []

    def stop(part, target):
        seen.append((part.read_text(encoding="utf-8"), target.read_text()))
        raise OSError("disk")

    with monkeypatch.context() as patch:
        patch.setattr("pathlib.Path.replace", stop)
        with pytest.raises(OSError, match="disk"):
            write_report(hostile(), path)
    (complete, before), = seen  # fmt: skip
    assert complete.endswith("</html>\n")
    assert before == path.read_text() == "old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["r.html"]
    assert write_report(hostile(), path) == path
    text = path.read_text(encoding="utf-8")
    assert re.sub("Written .*? by", "", text) == re.sub("Written .*? by", "", complete)
