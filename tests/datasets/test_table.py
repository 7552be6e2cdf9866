import fsspec
import fsspec.implementations.memory
import numpy as np
import pandas as pd
import polars as pl
import pytest
from helpers import sine_wav

import skemotion
from skemotion import MediaError
from skemotion.audio import AudioLoader
from skemotion.datasets import concat_corpora, load_corpus, load_table
from skemotion.pipeline import ClipPipeline
from skemotion.video import VideoLoader


@pytest.fixture
def folder(tmp_path):
    """Three empty clips, one of them sound alone."""
    (tmp_path / "clips").mkdir()
    for name in ("clips/a.mp4", "clips/b.mp4", "c.wav"):
        (tmp_path / name).touch()
    return tmp_path


def csv(folder, text, name="labels.csv"):
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


ROWS = "file,emotion,speaker,age\nclips/a.mp4,sad,007,31\nclips/b.mp4,happy,010,\nc.wav,sad,007,7\n"


def assert_is_it(corpus, folder):
    a, b, c = (str(folder / name) for name in ("clips/a.mp4", "clips/b.mp4", "c.wav"))
    assert corpus.data["video"].tolist() == [a, b, None]
    assert corpus.data["audio"].tolist() == [a, b, c]
    assert corpus.data["speaker"].tolist() == corpus.groups.tolist() == ["007", "010", "007"]
    assert list(corpus.data) == ["video", "audio", "speaker"]
    assert corpus.target.tolist() == ["sad", "happy", "sad"]
    assert corpus.target_names == ["happy", "sad"]
    assert list(corpus.metadata) == ["emotion", "age"]
    np.testing.assert_array_equal(corpus.metadata["age"], [31, np.nan, 7])
    assert "Emotions: happy (1), sad (2)" in corpus.DESCR
    assert "Speakers: 2" in corpus.DESCR


def test_text_files(folder):
    assert_is_it(load_table(csv(folder, ROWS)), folder)
    assert_is_it(load_table(str(csv(folder, "\ufeff" + ROWS))), folder)
    assert_is_it(load_table(csv(folder, ROWS.replace(",", ";"))), folder)
    assert_is_it(load_table(csv(folder, ROWS.replace(",", "\t"), "labels.tsv")), folder)
    assert_is_it(load_table(csv(folder, ROWS.replace("\n", "\r\n"))), folder)


def test_data_frames(folder, monkeypatch):
    monkeypatch.chdir(folder)
    table = pd.read_csv(csv(folder, ROWS), dtype={"speaker": str})
    assert_is_it(load_table(table), folder)
    assert_is_it(load_table(table.set_index("file")), folder)
    assert_is_it(load_table(table.set_axis([7, 7, 8])), folder)
    assert_is_it(load_table(table.astype({"emotion": "category"})), folder)
    frame = pl.DataFrame({name: table[name].tolist() for name in table})
    assert_is_it(load_table(frame), folder)
    numbers = table.assign(emotion=[1, 2, 1], speaker=[3.0, 4.0, 3.0])
    corpus = load_table(numbers)
    assert corpus.target.tolist() == [1, 2, 1]
    assert corpus.groups.dtype.kind == "i"


def test_parquet(folder, monkeypatch):
    table = pd.read_csv(csv(folder, ROWS), dtype={"speaker": str})
    path = folder / "labels.parquet"
    try:
        table.to_parquet(path)
    except ImportError:
        path.touch()
        with pytest.raises(ImportError, match=r"labels\.parquet: .* pip install pyarrow"):
            load_table(path)
    else:
        assert_is_it(load_table(path), folder)


def test_names_of_columns(folder):
    path = csv(
        folder, "see,hear,points,mood,who\nclips/a.mp4,c.wav,c.wav,sad,ann\n,c.wav,,calm,ann\n"
    )
    columns = {"video": "see", "audio": "hear", "landmarks": "points"}
    corpus = load_table(path, **columns, target="mood", groups="who")
    assert list(corpus.data) == ["video", "audio", "landmarks", "speaker"]
    assert corpus.data.iloc[1].tolist() == [None, str(folder / "c.wav"), None, "ann"]
    assert list(corpus.metadata) == ["mood", "who"]
    only = load_table(csv(folder, ROWS), audio="file")
    assert only.data["video"].tolist() == [None] * 3
    assert only.data["audio"].notna().all()
    session = load_table(csv(folder, ROWS), groups="emotion")
    assert session.groups.tolist() == ["sad", "happy", "sad"]
    assert session.data["speaker"].tolist() == ["007", "010", "007"]


def test_without_labels(folder):
    corpus = load_table(csv(folder, "file\nc.wav\n"), target=None)
    assert corpus.target is None
    assert corpus.groups is None
    assert corpus.target_names is None
    assert list(corpus.data) == ["video", "audio"]
    with pytest.raises(ValueError, match="found 'mine' without target"):
        concat_corpora({"mine": corpus})


def test_segments(folder):
    path = csv(
        folder,
        "file,start,end,emotion\nclips/a.mp4,0,2.5,sad\nclips/a.mp4,2.5,,sad\nclips/a.mp4,,,sad\n"
        "c.wav,00:01:02.25,0 days 00:01:03,sad\n",
    )
    a, c = str(folder / "clips/a.mp4"), str(folder / "c.wav")
    corpus = load_table(path)
    assert corpus.data["audio"].tolist() == [f"{a}#t=0,2.5", f"{a}#t=2.5", a, f"{c}#t=62.25,63"]
    assert corpus.data["video"].tolist() == [f"{a}#t=0,2.5", f"{a}#t=2.5", a, None]


def test_tables_of_audformat(folder, monkeypatch):
    monkeypatch.chdir(folder)
    index = pd.MultiIndex.from_arrays(
        [
            ["c.wav", "c.wav", "clips/a.mp4"],
            pd.to_timedelta([0, 1.000000001, 0], unit="s"),
            pd.to_timedelta(["1s", pd.NaT, pd.NaT]),
        ],
        names=["file", "start", "end"],
    )
    table = pd.DataFrame({"emotion": ["sad", "calm", "sad"], "speaker": [1, 1, 2]}, index)
    c = str(folder / "c.wav")
    expected = [f"{c}#t=0,1", f"{c}#t=1.000000001", str(folder / "clips/a.mp4")]
    assert load_table(table).data["audio"].tolist() == expected
    table.to_csv("db.emotion.csv")
    assert load_table("db.emotion.csv").data["audio"].tolist() == expected
    assert load_table("db.emotion.csv").groups.tolist() == [1, 1, 2]


def refused(path, match, error=ValueError, **options):
    with pytest.raises(error, match=match) as caught:
        load_table(path, **options)
    assert "\n" not in str(caught.value)


def test_all_missing_files_at_once(folder):
    lines = "".join(f"gone{i}.wav,sad\n" for i in range(40))
    path = csv(folder, f"file,emotion\nc.wav,sad\n{lines}")
    refused(
        path,
        rf"labels\.csv: .* found no such file for 40 of them: {folder}/gone0\.wav \(row 1\), .*"
        r"gone4\.wav \(row 5\), \.\.\.\. Correct the paths",
        MediaError,
    )
    with pytest.raises(MediaError, match=r"no such file for 1 of them: zip://x\.wav"):
        load_table(csv(folder, "file,emotion\nzip://x.wav::c.wav,sad\n"))


def test_tables_that_cannot_be_used(folder):
    refused(folder / "gone.csv", "found no such file", FileNotFoundError)
    refused(csv(folder, ""), "found an empty file")
    refused(csv(folder, "file,emotion\n"), r"found none \(columns: file, emotion\)")
    refused(csv(folder, "file,file\nc.wav,c.wav\n"), r"found \['file'\] twice")
    refused(csv(folder, ROWS + "c.wav,sad,1,2,3\n"), "found another form")
    for encoding in ("cp1252", "utf-16", "utf-16-le", "utf-16-be"):
        for word in ("fröhlich", "happy"):
            path = folder / "foreign.csv"
            path.write_bytes(f"file,emotion\nc.wav,{word}\n".encode(encoding))
            if (encoding, word) != ("cp1252", "happy"):  # which is the same in UTF-8
                refused(
                    path, r"foreign\.csv: .* in UTF-8, found another encoding .* again in UTF-8"
                )
    unnamed = csv(folder, "clip,emotion\nc.wav,sad\n")
    refused(unnamed, r"found none\. There are: clip, emotion\. Pass video=.* \(--video, --audio\)")
    refused(
        csv(folder, ROWS),
        r"column 'mood', found none.*Pass target=\.\.\. \(--label\)",
        target="mood",
    )
    refused(csv(folder, ROWS), r"column 'see', found none.*Pass video=", video="see")
    refused(csv(folder, ROWS, "labels.xlsx"), r"found the suffix '\.xlsx'\. Save it as CSV")
    refused(csv(folder, ROWS), r"paths in the column 'age', found 31", video="age")
    refused(
        csv(folder, "file,emotion\nc.wav,sad\n ,sad\n"), r"clip in every row, found none in row 1"
    )
    refused(
        csv(folder, "file,emotion\nc.wav,\nc.wav,sad\nc.wav,\n"),
        r"column 'emotion', found none in 2 rows \(0, 2\).*target=None",
    )
    refused(["c.wav"], "must be a path or a DataFrame, got list", TypeError)
    indexed = pd.DataFrame({"file": ["c.wav"]}, index=pd.Index(["c.wav"], name="file"))
    refused(indexed, "both in the index and in the columns")


@pytest.mark.parametrize(
    ("times", "message"),
    [
        ("-1,2", "found '?-1"),
        ('"0,5",2', "decimal point.* found '0,5' in row 0"),
        ("1:75,", "1:75"),
        ("a,2", "found 'a' in row 0"),
        ("2,2", "start before the end"),
        ("inf,", "expected times"),
        (",0", "start before the end"),
        ("99:99,", "expected times"),
    ],
)
def test_times_that_are_none(folder, times, message):
    refused(csv(folder, f"file,start,end,emotion\nc.wav,{times},sad\n"), message)


def test_tables_of_spreadsheets(folder):
    """Decimal commas, tabs in spite of the suffix, spaces around words, and empty cells."""
    rows = "file;start;end;emotion;speaker\nc.wav;0,25;1,5;sad;ann\nc.wav;2;;sad ; ann\n"
    c = str(folder / "c.wav")
    for text in (rows, rows.replace(",", ".").replace(";", "\t"),
                 rows.replace(",", ".").replace(";", " , ")):  # fmt: skip
        corpus = load_table(csv(folder, text))
        assert corpus.data["audio"].tolist() == [f"{c}#t=0.25,1.5", f"{c}#t=2"]
        assert corpus.target.tolist() == ["sad", "sad"]
        assert corpus.groups.tolist() == ["ann", "ann"]
    # What surrounds a table on a sheet is saved with it.
    for text in (rows.replace("\n", ";;\n") + ";;;;;;\n;;;;;;\n", ";;;;\n" + rows):
        assert load_table(csv(folder, text)).groups.tolist() == ["ann", "ann"]
    empty = csv(folder, ";;;;\n;;;;\n")
    refused(empty, "expected a table, found an empty file")
    refused(csv(folder, rows.replace(";ann", ";")), "column 'speaker', found none in row 0")
    minutes = load_table(csv(folder, "file,start,end,emotion\nc.wav,1:02.5,01:03,sad\n"))
    assert minutes.data["audio"].tolist() == [f"{c}#t=62.5,63"]
    with pytest.warns(UserWarning, match="'Sad' and 'sad' count as different emotions"):
        load_table(csv(folder, "file,emotion\nc.wav,Sad\nclips/a.mp4,sad\n"))
    refused(csv(folder, "file,emotion\nc.wav,NA\n"), "none in row 0, or a word such as NA")


def test_clips_that_are_listed_twice(folder):
    rows = "file,start,end,emotion\nc.wav,0,1,sad\nc.wav,1,2,sad\n"
    load_table(csv(folder, rows))  # a warning would be an error
    with pytest.warns(UserWarning, match="1 clip listed more than once, .* rows 0 and 2"):
        load_table(csv(folder, rows + "c.wav,,1,sad\n"))
    with pytest.warns(UserWarning, match="2 clips .*, of 1 with different emotions, .* 1 and 3"):
        load_table(csv(folder, rows + "c.wav,0,1,sad\nc.wav,1,2,calm\n"))


def test_paths_of_other_systems(folder, monkeypatch):
    refused(csv(folder, "file,emotion\nclips\\a.mp4,sad\n"), r"Here, / parts folders", MediaError)
    monkeypatch.setenv("HOME", str(folder))
    corpus = load_table(csv(folder / "clips", "file,emotion\n~/c.wav,sad\n"))
    assert corpus.data["audio"].tolist() == [str(folder / "c.wav")]


@pytest.mark.parametrize(
    "name",
    ["é ü.wav", "e\u0301.wav", "日本.wav", "a#b.wav", "#t=1.wav", "a,b;c.wav", "it's 100%.wav",
     "[x] $HOME *.wav", "c#t=0,1.wav"],
)  # fmt: skip
def test_odd_names(folder, name):
    (folder / name).write_bytes(sine_wav())
    corpus = load_table(
        csv(folder, f'file,start,end,emotion\n"{name}",,,sad\n"{name}",0.1,0.2,sad\n')
    )
    whole, part = AudioLoader().transform(corpus.data["audio"])
    assert (len(whole), len(part)) == (5000, 2205)


def test_times_twice(folder):
    path = csv(folder, "file,start,end,emotion\nc.wav#t=1,1,2,sad\n")
    refused(path, r"c\.wav#t=1: expected times once", MediaError)


def test_addresses(folder):
    rows = "file,emotion\na.wav,sad\nmemory://other/b.wav,sad\n"
    with fsspec.open("memory://tables/labels.csv", "w") as file:
        file.write(rows)
    refused("memory://tables/labels.csv", "allow_urls=True", MediaError)
    with skemotion.limits(allow_urls=True):
        corpus = load_table("memory://tables/labels.csv", storage_options={})
    assert corpus.data["audio"].tolist() == ["memory://tables/a.wav", "memory://other/b.wav"]
    with (
        skemotion.limits(allow_urls=True),
        pytest.raises(ValueError, match=r"other/b\.wav\. Leave"),
    ):
        load_table(
            csv(folder, "file,emotion\nmemory://other/b.wav,sad\n"), storage_options={"a": 1}
        )
    with pytest.raises(MediaError, match=r"memory://tables: expected .* found an address"):
        load_corpus("memory://tables")


class Locked(fsspec.implementations.memory.MemoryFileSystem):
    """A store that opens nothing without its key."""

    protocol, store, cachable = "locked", {}, False

    def __init__(self, key=None, **options):
        super().__init__(**options)
        self.key = key

    def _open(self, path, *words, **options):
        if self.key != "sesame":
            raise PermissionError("no key")
        return super()._open(path, *words, **options)


def test_options_of_storage_reach_table_and_clips(tmp_path):
    fsspec.register_implementation("locked", Locked, clobber=True)
    store = Locked(key="sesame")
    store.pipe("locked://b/clips/a.wav", sine_wav())
    store.pipe("locked://b/labels.csv", b"file,start,end,emotion\nclips/a.wav,,0.1,sad\n")
    describe = ClipPipeline([("load", AudioLoader())], memory=tmp_path, n_jobs=2)
    with skemotion.limits(allow_urls=True):
        with pytest.raises(PermissionError):
            load_table("locked://b/labels.csv")
        with pytest.raises(MediaError, match="no key"):
            AudioLoader().transform(["locked://b/clips/a.wav"])
        options = {"key": "sesame"}
        with pytest.raises(ValueError, match="storage_options are for the table alone"):
            load_table("locked://b/labels.csv", storage_options=options)
        with skemotion.limits(storage_options=options) as inside:
            assert "sesame" not in repr(inside)
            clips = load_table("locked://b/labels.csv").data["audio"]
            assert clips.tolist() == ["locked://b/clips/a.wav#t=0,0.1"]
            [first] = describe.fit_transform(clips)
            assert len(first) == 2205


def test_figures_are_those_of_the_corpus_under_its_names(shared_data, tmp_path):
    corpus = load_corpus(shared_data / "java-sed", "java-sed")
    rows = np.random.default_rng(0).permutation(len(corpus.data))[:3]
    for number, row in enumerate(rows):
        (tmp_path / f"x{number}.mp4").symlink_to(corpus.data["video"][row])
    table = pd.DataFrame(
        {"file": [f"x{i}.mp4" for i in range(3)], "emotion": corpus.target[rows],
         "speaker": corpus.groups[rows], "start": [0, 0.5, 0], "end": [None, 1.5, 1]}
    )  # fmt: skip
    table.to_csv(tmp_path / "mine.csv", index=False)
    mine = load_table(tmp_path / "mine.csv")
    assert mine.target.tolist() == corpus.target[rows].tolist()
    assert mine.groups.tolist() == corpus.groups[rows].tolist()
    sounds = AudioLoader(48000).transform(mine.data["audio"])
    whole = AudioLoader(48000).transform(corpus.data["audio"][rows])
    np.testing.assert_array_equal(sounds[0], whole[0])
    n = min(len(sounds[1]), 48000)
    assert n > 47998
    # Cut, then resampled: the same but for the edges.
    np.testing.assert_allclose(
        sounds[1][500 : n - 500], whole[1][24500 : 24000 + n - 500], atol=0.02
    )
    assert VideoLoader(3, scale=0.1).transform(mine.data["video"]).shape[:2] == (3, 3)
