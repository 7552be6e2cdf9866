"""Tables and folders of one's own in place of a corpus."""

import shutil

import numpy as np
import pandas as pd
import pytest

from skemotion import cli, load_model, read_model_info
from skemotion.datasets import load_corpus, make_ravdess

OPTIONS = ("--modality", "audio", "--jobs", "1")
ONE_PROTOCOL = ("--protocol", "speaker-independent")


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    return make_ravdess(
        tmp_path_factory.mktemp("corpus"), n_actors=3, emotions=["happy", "sad"], n_statements=1,
        modalities=["audio-only"], duration=0.5,
    )  # fmt: skip


@pytest.fixture(scope="module")
def own(corpus, tmp_path_factory):
    """The same clips under other names, listed in a table and in folders of emotions."""
    folder = tmp_path_factory.mktemp("own")
    known = load_corpus(corpus)
    names = np.random.default_rng(0).permutation(len(known.target))
    rows = []
    for clip, emotion, speaker, name in zip(
        known.data["audio"], known.target, known.groups, names, strict=True
    ):
        place = folder / "sorted" / emotion / f"p{speaker}_{name}.wav"
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(clip, place)
        rows.append((f"sorted/{emotion}/{place.name}", emotion, f"p{speaker}"))
    table = pd.DataFrame(rows, columns=["file", "emotion", "speaker"])
    table.to_csv(folder / "labels.csv", index=False)
    other = table.set_axis(["sound", "feels", "who"], axis=1)
    other.to_csv(folder / "other.tsv", index=False, sep="\t")
    return folder


@pytest.fixture
def run(capsys):
    """Run a command; give its status, and the lines of output and of errors."""

    def run(*words):
        capsys.readouterr()
        status = cli.main([str(word) for word in words])
        out, err = capsys.readouterr()
        errors = [line for line in err.splitlines() if line.startswith("skemotion: ")]
        return status, out.splitlines(), errors

    return run


def figures(lines):
    """What evaluate prints, but for how long it took and what is known of the sentences."""
    return [line for line in lines if "%" in line or "speakers," in line]


def test_a_table_and_folders_give_the_figures_of_the_corpus(corpus, own, run):
    status, expected, _ = run("evaluate", corpus, *OPTIONS, *ONE_PROTOCOL)
    assert status == 0
    assert len(figures(expected)) > 2
    columns = ("--audio", "sound", "--label", "feels", "--speaker", "who")
    for words in (
        (own / "labels.csv",),
        (own / "other.tsv", *columns),
        (own / "sorted", "--naming", "folders", "--speaker-pattern", r"(p\d)_"),
    ):
        status, out, errors = run("evaluate", *words, *OPTIONS, *ONE_PROTOCOL)
        assert (status, errors) == (0, [])
        assert figures(out) == figures(expected)


def test_train_on_a_table_scales_by_its_speakers(own, run, tmp_path):
    path = tmp_path / "model.skops"
    columns = ("--audio", "sound", "--label", "feels", "--speaker", "who")
    command = ("train", own / "other.tsv", *columns, *OPTIONS, "--per-speaker", "-o", path)
    assert run(*command)[0] == 0
    about = read_model_info(path)
    assert about["uses_speaker_clips"] is True
    training = about["training"]
    assert (training["corpus"], training["speaker"]) == ("table", "speaker")
    assert training["speakers"] == ["p1", "p2", "p3"]
    assert list(load_model(path).classes_) == ["happy", "sad"]


def test_speakers_that_are_not_known(own, run, tmp_path):
    folders = (own / "sorted", "--naming", "folders", *OPTIONS)
    path = tmp_path / "model.skops"
    for words in (("evaluate", *folders), ("train", *folders, "--per-speaker", "-o", path)):
        status, out, errors = run(*words)
        assert (status, out) == (1, [])
        assert "--speaker-pattern" in errors[-1]
    # A model can do without.
    assert run("train", *folders, "-o", path)[0] == 0
    assert read_model_info(path)["training"]["speakers"] is None


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("labels.csv", "--label", "mood"), "'mood'"),
        (("labels.csv", "--naming", "folders"), "--naming is for folders"),
        (("sorted", "--naming", "folders", "--speaker", "who"), "--speaker is for tables"),
        (("sorted", "--naming", "folders", "--landmarks", "x"), "--landmarks is for tables and"),
        (("sorted", "--speaker-pattern", "p"), "add that"),
        (("gone.csv",), "no such file"),
        (("labels.csv", "--picture", "landmarks", "--modality", "both"), "Say by --landmarks"),
    ],
)
def test_options_that_do_not_fit(own, run, words, message):
    status, out, errors = run("evaluate", own / words[0], *OPTIONS, *words[1:])
    assert (status, out, len(errors)) == (1, [], 1)
    assert message in errors[0]


def test_compare_with_what_was_saved(own, run, tmp_path):
    command = ("evaluate", own / "labels.csv", *OPTIONS, *ONE_PROTOCOL)
    assert run(*command, "--out", tmp_path)[0] == 0
    file = tmp_path / "predictions-speaker-independent.csv"
    table = pd.read_csv(file)
    for other in (tmp_path, file):
        status, out, _ = run(*command, "--compare", other)
        assert status == 0
        assert out[-1] == (
            f"speaker-independent, UAR compared with {other}: +0.0 points (95 % interval over "
            f"speakers +0.0 to +0.0), p = 1, 3 speakers, {len(table)} clips"
        )
    # Speakers that have other names are tested in another order.
    other = pd.read_csv(own / "labels.csv").replace({"speaker": {"p1": "zoe", "p3": "ann"}})
    other.to_csv(own / "renamed.csv", index=False)
    words = ("evaluate", own / "renamed.csv", *command[2:], "--compare", file)
    assert "3 speakers" in run(*words)[1][-1]
    # What can be compared is, though the test clips drawn of each speaker are others.
    assert run("evaluate", own / "labels.csv", *OPTIONS, "--out", tmp_path)[0] == 0
    words = ("evaluate", own / "renamed.csv", *OPTIONS, "--compare", tmp_path)
    status, out, errors = run(*words)
    assert (status, len(errors)) == (1, 1)
    assert "not of the same clips" in errors[0]
    assert "speaker-independent, UAR compared with" in out[-1]
    # Against one that is always wrong.
    wrong = table.assign(prediction=table["target"].map({"happy": "sad", "sad": "happy"}))
    wrong.to_csv(file, index=False)
    uar = [(rows["prediction"] == rows["target"]).mean() for _, rows in table.groupby("target")]
    out = run(*command, "--compare", tmp_path)[1]
    assert f": {100 * np.mean(uar):+.1f} points" in out[-1]
    # What cannot be compared is refused, before the work where it can be known.
    for place, rows, message in (
        (tmp_path, table.drop(columns="prediction"), "no column 'prediction'"),
        (tmp_path, table.iloc[1:], "the first) cannot be compared with this run"),
        (tmp_path / "gone.csv", table, "no such file"),
    ):
        rows.to_csv(file, index=False)
        status, out, errors = run(*command, "--compare", place)
        assert (status, len(errors)) == (1, 1)
        assert message in errors[0]
    assert out == []
    status, out, errors = run("evaluate", own / "labels.csv", *OPTIONS, "--compare", file)
    assert (status, out) == (1, [])
    assert "--protocol" in errors[0]
