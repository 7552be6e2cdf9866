from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pytest

from skemotion.base import as_table, column_names, speaker_codes

WANTED = pd.DataFrame({"video": ["a.mp4", "b.mp4"], "audio": ["a.wav", "b.wav"]})


@pytest.mark.parametrize("make", [pd.DataFrame, pl.DataFrame, dict])
def test_tables_of_all_kinds(make):
    X = make({"audio": ["a.wav", "b.wav"], "more": [1, 2], "video": ["a.mp4", "b.mp4"]})
    table = as_table(X, ["video", "audio"])
    assert table.to_dict("list") == WANTED.to_dict("list")
    assert list(table) == ["video", "audio"]


@pytest.mark.parametrize(
    "clip", ["a.mp4", Path("a.mp4"), b"RIFF", np.zeros((2, 3)), (16_000, np.zeros(9))]
)
def test_clips_alone_stand_in_every_column(clip):
    for X in ([clip, clip], pd.Series([clip, clip])):
        table = as_table(X, ["video", "audio"], ["speaker"])
        assert [cell is clip for cell in table["video"]] == [True, True]
        assert [cell is clip for cell in table["audio"]] == [True, True]
        assert table["speaker"].isna().all()
    if isinstance(clip, str | bytes | Path | tuple):
        assert as_table(clip, ["video"])["video"].tolist() == [clip]


def test_columns_of_one_name_are_refused():
    table = pd.DataFrame([["a.wav", "b.wav", 1, 2]], columns=["audio", "audio", "n", "n"])
    with pytest.raises(ValueError, match=r"one column of each name, found \['audio'\] twice"):
        as_table(table, ["audio", "video"])
    assert as_table(table.iloc[:, 1:], ["audio"]).shape == (1, 1)


def test_samples_are_no_list_of_clips():
    with pytest.raises(
        ValueError, match=r"found an array of numbers: pass .* \[\(rate, waveform\)\]"
    ):
        as_table(np.zeros(9), ["audio"])


def test_one_row_of_a_table_is_no_list_of_clips():
    row = WANTED.iloc[0]
    with pytest.raises(ValueError, match=r"found one row of a table: pass table.iloc\[\[row\]\]"):
        as_table(row, ["video", "audio"])
    assert len(as_table(WANTED.iloc[[0]], ["video", "audio"])) == 1


def test_columns_that_are_not_there_are_empty_and_rows_keep_their_index():
    X = pd.DataFrame({"audio": ["a.wav", "b.wav"]}, index=[7, 9])
    table = as_table(X, ["video", "audio"])
    assert table["video"].isna().all()
    assert table.index.tolist() == [7, 9]
    assert list(X) == ["audio"]


def test_columns_by_name_or_by_position():
    assert column_names(["video", ["audio", "speaker"], ["video", "speaker"]]) == [
        "video",
        "audio",
        "speaker",
    ]
    assert column_names([slice(None), 0, [1, 2], np.array([True])]) is None
    with pytest.raises(ValueError, match="not mixed"):
        column_names(["video", 1])


def test_whoever_is_not_named_is_somebody_else():
    codes = speaker_codes(pd.Series(["ann", None, "ben", np.nan, "ann"]))
    assert codes[0] == codes[4]
    assert len(set(codes.tolist())) == 4
    assert speaker_codes(pd.Series([None, np.nan], dtype=object)) is None
