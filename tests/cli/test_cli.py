import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import warnings
import zipfile
from functools import partial
from itertools import chain
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest
import soundfile
from helpers import processes_of

import skemotion
from skemotion import (
    cli,
    datasets,
    inspection,
    load_model,
    model_selection,
    pipeline,
    read_model_info,
)
from skemotion.cli import _options, _work
from skemotion.datasets import make_ravdess

MODALITIES = ("both", "video", "audio")
COMMANDS = ("demo", "evaluate", "train", "predict", "timeline", "explain", "cache", "fetch")
make_small = partial(make_ravdess, duration=0.5, frame_size=(120, 144))


@pytest.fixture(scope="module", autouse=True)
def quick():
    """Let the classifier be small and content after two passes; one job needs no processes."""

    def make(*arguments, **settings):
        model = as_it_is(*arguments, **settings)
        if settings["recipe"] != "reference":
            return model
        return model.set_params(
            classifier__hidden_layer_sizes=(8,),
            classifier__n_iter_no_change=1,
            classifier__tol=1e9,
        )

    as_it_is = _work.make_emotion_pipeline
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_work, "make_emotion_pipeline", make)
        yield


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    return make_small(
        tmp_path_factory.mktemp("corpus"), n_actors=2, emotions=["happy", "sad"], n_statements=1
    )


@pytest.fixture(scope="module")
def models(corpus, tmp_path_factory, quick):
    folder = tmp_path_factory.mktemp("models")
    for modality in MODALITIES:
        status = cli.main(
            ["train", "--recipe", "reference", str(corpus), "--modality", modality, "--jobs", "1",
             "-o", str(folder / f"{modality}.skops")]
        )  # fmt: skip
        assert status == 0
    return folder


@pytest.fixture
def run(capsys):
    """Run a command; give its status, and the lines of output and of errors.

    All but predict may show progress as well.
    """

    def run(*words):
        capsys.readouterr()
        if words[0] in ("evaluate", "train") and "--recipe" not in words:
            words = (*words, "--recipe", "reference")
        status = cli.main([str(word) for word in words])
        out, err = capsys.readouterr()
        shows_progress = words[0] != "predict"
        errors = [
            line
            for line in err.splitlines()
            if line and not (shows_progress and re.search("clip/s|s/clip", line))
        ]
        return status, out.splitlines(), errors

    return run


def assert_fails(result, *words):
    """Expect exit status 1 and one line that says why."""
    status, out, errors = result
    assert status == 1
    assert len(errors) == 1, errors
    assert errors[0].startswith("skemotion: ")
    for word in words:
        assert str(word) in errors[0]
    return out


def is_picture(path):
    return path.read_bytes().startswith(b"\x89PNG\r\n\x1a\n") and cv2.imread(str(path)).std() > 1


def test_train_says_where_and_keeps_what_it_was_trained_on(models, corpus, run, tmp_path):
    path = tmp_path / "model.skops"
    command = ("train", corpus, "--modality", "audio", "--jobs", "1", "-o", path)
    status, out, errors = run(*command)
    assert status == 0
    assert out == ["Training on 8 clips", f"Saved {path}"]
    assert errors == [
        "skemotion: warning: 8 clips in all, fewer than 20: predictions of this model for "
        "other clips mean little. Add clips.",
        "skemotion: warning: 4 of happy, 4 of sad, fewer than 5 clips of an emotion: too few to "
        "learn it from. Add clips.",
    ]
    assert list(tmp_path.iterdir()) == [path]
    for modality in MODALITIES:
        model = load_model(models / f"{modality}.skops")
        about = read_model_info(models / f"{modality}.skops")
        assert about["classes"] == ["happy", "sad"]
        assert about["training"] == {
            "corpus": "ravdess",
            "modality": modality,
            "recipe": "reference",
            "picture": "face",
            "speaker": None,
            "n_clips": 8,
            "seconds": pytest.approx(0.5, abs=0.1),
            "n_unusable": 0,
            "n_clips_per_class": {"happy": 4, "sad": 4},
            "speakers": [1, 2],
        }
        # The fitted ones are what predicts; each clip comes alone.
        branches = {name: b for name, b, _ in model["features"].transformers_ if b != "drop"}
        assert set(branches) == ({"video", "audio"} if modality == "both" else {modality})
        for branch in branches.values():
            clips = branch["clips"]
            assert (clips.n_jobs, clips.verbose, clips.memory) == (None, False, None)


@pytest.mark.parametrize("modality", MODALITIES)
def test_predict(models, corpus, run, modality):
    clips = sorted(corpus.glob("Actor_01/01-*.mp4"))
    assert len(clips) == 4
    status, out, errors = run("predict", models / f"{modality}.skops", *clips)
    assert (status, errors) == (0, [])
    for clip, line in zip(clips, out, strict=True):
        name, emotion, share = line.split("\t")
        assert name == str(clip)
        assert emotion in ("happy", "sad")
        assert 0.5 <= float(share) <= 1


@pytest.mark.parametrize("modality", MODALITIES)
def test_real_clips_give_an_emotion_or_a_reason(models, run, modality, shared_data):
    clips = sorted((shared_data / "clips").iterdir())
    lacking = {
        "video": {"sample1.mov": "no video stream"},
        "audio": {"result.avi": "no audio stream", "test.mp4": "no audio stream"},
    }
    lacking["both"] = lacking["video"] | lacking["audio"]
    expected = [clip.name for clip in clips if clip.name in lacking[modality]]
    status, out, errors = run("predict", models / f"{modality}.skops", *clips)
    # Of clips much longer than those that it was trained on, it warns as well.
    errors = [line for line in errors if not line.startswith("skemotion: warning: ")]
    assert status == 1
    assert len(out) == len(clips) - len(expected)
    assert len(errors) == len(expected)
    for name, line in zip(expected, errors, strict=True):
        assert line.startswith(f"skemotion: {shared_data / 'clips' / name}: expected ")
        assert lacking[modality][name] in line
    assert not {line.split("\t")[0].rsplit("/", 1)[1] for line in out} & set(expected)


def test_bad_clips_do_not_stop_the_others(models, corpus, run, tmp_path):
    good = corpus / "Actor_01" / "01-01-03-01-01-01-01.mp4"
    (tmp_path / "text.mp4").write_text("no video")
    (tmp_path / "empty.mp4").touch()
    bad = [tmp_path / "text.mp4", tmp_path / "gone.mp4", tmp_path / "empty.mp4"]
    status, out, errors = run("predict", models / "both.skops", *bad, good)
    assert status == 1
    assert [line.split("\t")[0] for line in out] == [str(good)]
    assert len(errors) == 3
    for clip, line in zip(bad, errors, strict=True):
        assert line.startswith(f"skemotion: {clip}: expected ")


def test_archives_are_clips_too(models, corpus, run, tmp_path):
    clip = "Actor_02/03-01-04-01-01-01-02.wav"
    with zipfile.ZipFile(tmp_path / "Audio.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(corpus / clip, clip)
    address = f"zip://{clip}::{tmp_path / 'Audio.zip'}"
    status, out, errors = run("predict", models / "audio.skops", address, corpus / clip)
    assert (status, errors) == (0, [])
    assert out[0].split("\t")[1:] == out[1].split("\t")[1:]


def test_predict_needs_a_model(run, corpus, tmp_path):
    clip = next(corpus.glob("Actor_01/*.wav"))
    assert_fails(run("predict", tmp_path / "gone.skops", clip), "gone.skops", "no such model")
    assert_fails(run("predict", tmp_path, clip), "no such model")
    assert_fails(run("predict", clip, clip), clip, "expected a model saved by skemotion")


@pytest.mark.parametrize("modality", MODALITIES)
def test_evaluate_prints_both_protocols(corpus, run, modality, tmp_path):
    command = ("evaluate", corpus, "--modality", modality, "--jobs", "1", "--out", tmp_path / "new")
    status, out, errors = run(*command)
    assert (status, errors) == (0, [])
    text = "\n".join(out)
    assert "speaker-dependent: 8 clips, 2 speakers, 5 splits, 10 predictions" in text
    assert "speaker-independent: 8 clips, 2 speakers, 2 splits, 8 predictions" in text
    for word in ("accuracy", "UAR"):
        assert len(re.findall(rf"  {word} +[0-9.]+%  \(no interval: too few speakers", text)) == 2
    assert text.count("predicted") == 2
    # That speakers are on both sides is the protocol; that sentences are, is said.
    assert "LEAK" not in text
    assert text.count("note: The same sentences are") == 2
    saved = {
        name: [tmp_path / "new" / f"{kind}-{name}.{suffix}" for kind, suffix in
               (("confusion", "png"), ("predictions", "csv"), ("metrics", "json"))]
        for name in _options.PROTOCOLS
    }  # fmt: skip
    assert sorted((tmp_path / "new").iterdir()) == sorted(chain(*saved.values()))
    for picture, predictions, metrics in saved.values():
        assert f"Saved {picture}" in out
        assert is_picture(picture)
        table, figures = pd.read_csv(predictions), json.loads(metrics.read_text())
        assert (table["target"] == table["prediction"]).mean() == figures["accuracy"]
        assert set(table["clip"]) <= set(map(str, corpus.rglob("*.*"))) or modality == "both"


def test_evaluate_writes_a_report(corpus, run, tmp_path):
    page = tmp_path / "of all.html"
    words = ("evaluate", corpus, "--modality", "audio", "--jobs", "1", "--report")
    status, out, errors = run(*words, page)
    assert (status, errors) == (0, [])
    assert out[-1] == f"Saved {page}"
    text = page.read_text(encoding="utf-8")
    assert f"<h1>Evaluation on {corpus}</h1>" in text
    for protocol in _options.PROTOCOLS:
        uar = re.search(rf"{protocol}: .*?\n +UAR +(\S+)%", "\n".join(out))[1]
        assert f'<th scope="row">{protocol}</th><td>{uar} %</td>' in text
    assert f"skemotion evaluate {corpus} --modality audio --jobs 1 --report" in text
    assert "opening and describing a clip" in text
    page.unlink()
    # What cannot be written is said before the work.
    assert assert_fails(run(*words, tmp_path / "none" / "r.html"), "no such folder") == []
    assert assert_fails(run(*words, tmp_path / "r.pdf"), "ends in .html") == []
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("protocol", _options.PROTOCOLS)
def test_evaluate_prints_one_protocol_when_told(corpus, run, protocol):
    command = ("evaluate", corpus, "--modality", "audio", "--jobs", "1", "--protocol", protocol)
    status, out, _ = run(*command)
    assert status == 0
    (other,) = set(_options.PROTOCOLS) - {protocol}
    assert out[0].startswith(f"{protocol}: 8 clips")
    assert other not in "\n".join(out)
    assert "Saved" not in "\n".join(out)


def test_a_single_actor(corpus, run, tmp_path):
    shutil.copytree(corpus / "Actor_01", tmp_path / "Actor_01")
    command = ("evaluate", tmp_path, "--modality", "audio", "--jobs", "1")
    assert_fails(run(*command), "speaker")
    # What the message advises works.
    status, out, errors = run(*command, "--protocol", "speaker-dependent")
    assert (status, errors) == (0, [])
    assert "no interval: too few speakers" in "\n".join(out)


def test_a_single_emotion(corpus, run, tmp_path):
    for path in corpus.glob("Actor_*/03-01-03-*.wav"):
        (tmp_path / path.parent.name).mkdir(exist_ok=True)
        shutil.copy(path, tmp_path / path.parent.name)
    command = ("evaluate", tmp_path, "--modality", "audio", "--jobs", "1")
    assert_fails(run(*command), "at least two emotions", "happy")


@pytest.mark.parametrize("command", ["evaluate", "train"])
def test_corpora_that_are_none(corpus, run, command, tmp_path):
    model = tmp_path / "model.skops"
    options = ["-o", model] if command == "train" else []

    def attempt(*words):
        return run(command, *words, *options)

    assert_fails(attempt(tmp_path / "gone"), tmp_path / "gone", "no such file or folder")
    (tmp_path / "empty").mkdir()
    assert_fails(attempt(tmp_path / "empty"), tmp_path / "empty", "no files")
    clip = next(corpus.glob("Actor_01/*.wav"))
    assert_fails(attempt(clip), clip, "found another file")
    assert_fails(attempt(corpus, "--naming", "java-sed"), corpus, "Java-SED", "no such clip")
    sound = tmp_path / "sound"
    sound.mkdir()
    shutil.copy(clip, sound)
    assert_fails(attempt(sound), "expected video for every recording", "--modality")
    assert not model.exists()


@pytest.mark.parametrize("command", ["evaluate", "train"])
@pytest.mark.parametrize("modality", ["video", "audio"])
def test_a_clip_that_cannot_be_read_is_named(corpus, run, command, modality, tmp_path):
    copy = tmp_path / "corpus"
    shutil.copytree(corpus, copy)
    suffix = "mp4" if modality == "video" else "wav"
    bad = sorted(copy.glob(f"Actor_02/*.{suffix}"))[1]
    bad.write_bytes(b"torn")
    options = ["-o", tmp_path / "model.skops"] if command == "train" else []
    words = (command, copy, "--modality", modality, "--jobs", "1", *options)
    status, _, errors = run(*words)
    assert status == 1
    assert len(errors) == 2
    assert errors[0].startswith(f"skemotion: left out: {bad}: expected")
    assert "1 of 8 clips cannot be used, and at most 10%" in errors[1]
    assert "--max-unusable" in errors[1]
    assert sorted(tmp_path.iterdir()) == [copy]
    status, out, errors = run(*words, "--max-unusable", "0.2")
    assert status == 0
    assert [line for line in errors if "warning" not in line] == errors[:1]
    assert any("1 of 8 clips could not be used and was left out" in line for line in out)


def test_a_corpus_with_damaged_clips_is_trained_on_without_them(run, tmp_path):
    corpus = make_small(
        tmp_path / "corpus", n_actors=5, emotions=["happy", "sad"], modalities=["full"],
        n_statements=1, n_jobs=2,
    )  # fmt: skip
    clips = sorted(corpus.rglob("*.mp4"))
    assert len(clips) == 20
    whole = clips[7].read_bytes()
    damage = [
        b"", b"torn", whole[:100], whole[: len(whole) // 2], whole[-2000:], b"\0" * 5000,
        b"RIFF" + whole[4:], b"<html>Not found</html>", whole[:30] + b"?" * 3000, whole[:-500],
    ]  # fmt: skip
    bad = clips[::2]  # the first clip among them
    for clip, content in zip(bad, damage, strict=True):
        clip.write_bytes(content)
    words = ("--max-unusable", "0.5", "--jobs", "2", "--cache", tmp_path / "cache")
    status, out, errors = run("train", corpus, *words, "-o", tmp_path / "all.skops")
    assert status == 0
    told = [line for line in errors if "left out" in line]
    assert len(told) == 10
    for clip in bad:
        assert any(f"left out: {clip}: expected" in line for line in told), clip
    assert out[0] == "Training on 10 clips; 10 of 20 clips could not be used and were left out"
    for clip in bad:
        clip.unlink()
    assert run("train", corpus, *words, "-o", tmp_path / "good.skops")[0] == 0
    clips = pd.DataFrame({"video": clips[1:6:2], "audio": clips[1:6:2]}).map(str)
    models = [load_model(tmp_path / f"{name}.skops") for name in ("all", "good")]
    np.testing.assert_array_equal(*(model.predict_proba(clips) for model in models))
    for one, other in zip(*(model["classifier"].coefs_ for model in models), strict=True):
        np.testing.assert_array_equal(one, other)


def test_where_to_write_is_looked_at_before_the_work(corpus, run, tmp_path):
    file = tmp_path / "file"
    file.write_text("mine")
    train = ("train", corpus, "--modality", "audio", "--jobs", "1", "-o")
    assert assert_fails(run(*train, tmp_path), tmp_path, "is a folder") == []
    assert assert_fails(run(*train, tmp_path / "gone" / "m"), tmp_path / "gone") == []
    assert assert_fails(run(*train, tmp_path / "m.pkl"), "name it m.skops") == []
    if Path("/proc").is_dir():
        assert assert_fails(run(*train, "/proc/m.skops"), "/proc: cannot be written to") == []
    evaluate = ("evaluate", corpus, "--modality", "audio", "--jobs", "1", "--out")
    assert assert_fails(run(*evaluate, file), file) == []
    assert file.read_text() == "mine"


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["guess"],
        ["train", "corpus"],
        ["predict", "model"],
        ["evaluate", "corpus", "--modality", "smell"],
        ["evaluate", "corpus", "--naming", "mine"],
        ["evaluate", "corpus", "--jobs", "many"],
    ],
)
def test_wrong_command_lines_have_a_status_of_their_own(words, capsys):
    with pytest.raises(SystemExit) as caught:
        cli.main(words)
    assert caught.value.code == 2
    assert "usage: skemotion" in capsys.readouterr().err


HEAVY = {"numpy", "pandas", "sklearn", "scipy", "av", "cv2", "librosa", "numba", "joblib", "fsspec"}


@pytest.mark.parametrize(
    "words", [["--help"], ["--version"], *([name, "--help"] for name in COMMANDS)]
)
def test_help_waits_for_nothing(words):
    code = (
        "import json, sys; from skemotion.cli import main\n"
        "try: main(sys.argv[1:])\n"
        "except SystemExit as end: print(json.dumps([end.code, *sys.modules]))"
    )
    done = subprocess.run([sys.executable, "-c", code, *words], capture_output=True, check=True)
    status, *loaded = json.loads(done.stdout.splitlines()[-1])
    assert status == 0
    assert "skemotion.cli._predict" in loaded
    assert not {name.partition(".")[0] for name in loaded} & HEAVY


def test_choices_are_those_of_the_library():
    assert datasets.NAMINGS == _options.NAMINGS
    assert model_selection.PROTOCOLS == _options.PROTOCOLS
    for recipe in _options.RECIPES:
        pipeline.make_emotion_pipeline("audio", recipe=recipe)
    with pytest.raises(
        ValueError, match=f"'recipe' .* among .*{'|'.join(_options.RECIPES)}"
    ) as caught:
        pipeline.make_emotion_pipeline(recipe="")
    assert str(caught.value).partition(". Got")[0].count("'") == 2 + 2 * len(_options.RECIPES)


def test_help_and_version(capsys):
    for words, text in ((["--help"], "exit status"), (["--version"], skemotion.__version__)):
        with pytest.raises(SystemExit) as caught:
            cli.main(words)
        assert caught.value.code == 0
        assert text in capsys.readouterr().out


def test_runs_as_a_module(tmp_path):
    command = [sys.executable, "-m", "skemotion", "predict", str(tmp_path / "gone.skops"), "a.wav"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stdout == ""
    assert re.fullmatch(r"skemotion: .*gone\.skops: no such model file.*\n", done.stderr)


# Two clips of an emotion are hardly enough.
@pytest.mark.filterwarnings("ignore:Only one sample available")
def test_demo(run, tmp_path, monkeypatch):
    monkeypatch.setattr(
        datasets,
        "make_ravdess",
        lambda path, **settings: make_small(
            path, **{**settings, "emotions": ["happy", "sad"], "n_statements": 1}
        ),
    )
    folder = tmp_path / "demo"
    status, out, errors = run("demo", "--out", folder, "--actors", "3", "--jobs", "1")
    assert status == 0
    assert all("warning" in line for line in errors)
    text = "\n".join(out)
    assert "synthetic corpus of 3 actors" in text
    assert "say nothing about people" in text
    assert "speaker-dependent: 12 clips" in text
    assert "speaker-independent: 12 clips" in text
    for recipe in ("reference", "functionals"):
        for name in ("speaker-dependent", "speaker-independent"):
            assert is_picture(folder / recipe / f"confusion-{name}.png")
    # The commands that it prints work as they are.
    commands = [line.split() for line in out if line.startswith("  skemotion predict")]
    assert len(commands) == 2
    for words in commands:
        status, predicted, errors = run(*words[1:])
        assert (status, errors) == (0, [])
        assert predicted[0].split("\t")[1] in ("happy", "sad")
    # It is not let loose on a folder with other things.
    other = tmp_path / "other"
    other.mkdir()
    (other / "thesis.txt").touch()
    assert_fails(run("demo", "--out", other), other, "other things")


def test_a_bad_clip_among_good_ones_ends_the_run_cleanly(tmp_path):
    # In a process of its own: a worker left in a decoder would abort it at its end.
    make_ravdess(
        tmp_path, n_actors=1, emotions=["sad", "happy"], modalities=["full"], duration=0.5,
        frame_size=(240, 320),
    )  # fmt: skip
    clips = sorted(tmp_path.rglob("*.mp4"))
    clips[1].write_bytes(clips[1].read_bytes()[:2000])
    done = subprocess.run(
        [sys.executable, "-m", "skemotion", "train", str(tmp_path), "--modality", "video", "-o",
         str(tmp_path / "m.skops"), "--jobs", "2", "--recipe", "reference"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert f"skemotion: left out: {clips[1]}: expected" in done.stderr
    assert "1 of 8 clips cannot be used" in done.stderr
    assert "terminate" not in done.stderr
    assert not (tmp_path / "m.skops").exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["demo", "--actors", "1"], "at least 2 actors"),
        (["evaluate", "x", "--jobs", "0"], "0 workers"),
        (["evaluate", "x", "--max-unusable", "2"], "between 0 and 1"),
        (["evaluate", "x", "--jobs", "many"], "'many' is no whole number"),
        (["evaluate", "x", "--max-memory", "much"], "'much' is no number"),
        (["timeline", "m", "c", "--hop", "0"], "must be above 0"),
        (["timeline", "m", "c", "--smooth", "a bit"], "'a bit' is no whole number"),
        (["serve", "m", "--port", "x"], "'x' is no whole number"),
    ],
)
def test_wrong_words_are_refused_at_once(words, message, capsys):
    with pytest.raises(SystemExit) as end:
        cli.main(words)
    assert end.value.code == 2
    assert message in capsys.readouterr().err


@pytest.mark.filterwarnings("always")
def test_a_warning_is_shown_once(monkeypatch, tmp_path, capsys):
    def run(options):
        for number in (1, 2, 1, 1):
            warnings.warn(f"{number} clips are few", stacklevel=1)
        return 0

    monkeypatch.setattr("skemotion.cli._cache.run", run)
    for _ in range(2):
        assert cli.main(["cache", str(tmp_path)]) == 0
        shown = capsys.readouterr().err.splitlines()
        assert shown == [f"skemotion: warning: {number} clips are few" for number in (1, 2)]


def test_training_on_one_emotion_is_refused(tmp_path, capsys):
    make_ravdess(tmp_path, n_actors=1, emotions=["sad"], modalities=["audio-only"], duration=1.0)
    words = ["train", str(tmp_path), "--modality", "audio", "-o", str(tmp_path / "m.skops")]
    assert cli.main(words) == 1
    assert "at least two emotions, found only sad" in capsys.readouterr().err


# --- Ends before the end ---


def start(*words, **settings):
    """Start the command line in a process of its own."""
    command = [sys.executable, "-m", "skemotion", *map(str, words)]
    return subprocess.Popen(
        command, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **settings
    )


def test_output_that_is_not_read_on(models, corpus):
    # `skemotion predict ... | head -1`: the reader is gone, which is no reason for a traceback.
    clips = sorted(corpus.glob("Actor_*/01-*.mp4"))
    process = start("predict", models / "video.skops", *clips, "--jobs", "1")
    process.stdout.close()
    assert process.wait(120) == 141
    assert process.stderr.read() == ""
    process.stderr.close()


@pytest.mark.parametrize(
    ("number", "status"),
    [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)],
    ids=["ctrl-c", "kill", "terminal"],
)
def test_an_interrupted_run_leaves_no_model_and_no_folder(corpus, number, status, tmp_path):
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    model = tmp_path / "model.skops"
    environment = {**os.environ, "TMPDIR": str(scratch)}
    words = ("train", corpus, "-o", model, "--jobs", "2", "--recipe", "reference")
    # What is ignored here, as after nohup, would be ignored there.
    here = signal.signal(number, signal.SIG_DFL)
    try:
        process = start(*words, env=environment)
    finally:
        signal.signal(number, here)
    while not list(scratch.glob("skemotion-*")):
        assert process.poll() is None
        time.sleep(0.05)
    process.send_signal(number)
    out, errors = process.communicate(timeout=120)
    assert process.returncode == status
    assert "Saved" not in out
    told = [line for line in errors.splitlines() if line.startswith("skemotion: ")]
    assert len(told) == 1
    assert "interrupted. A model is saved whole or not at all" in told[0]
    assert "Traceback" not in errors
    assert list(tmp_path.iterdir()) == [scratch]
    assert not list(scratch.iterdir())
    # Workers have the same environment.
    mark = f"TMPDIR={scratch}"
    end = time.monotonic() + 30
    while processes_of(mark):
        assert time.monotonic() < end
        time.sleep(0.05)


# The loader is changed where it is imported, and processes that never do are spared it.
CRASHES = """
import importlib.util, os, signal, sys
class Crashing:
    def find_spec(self, name, path=None, target=None):
        if name != "skemotion.video._loader":
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(name)
        execute = spec.loader.exec_module
        def exec_module(module):
            execute(module)
            as_it_is = module.VideoLoader.transform_clip
            def transform_clip(self, clip):
                if "01-01-03-01-01-01-01" in str(clip):
                    os.kill(os.getpid(), signal.SIGSEGV)
                return as_it_is(self, clip)
            module.VideoLoader.transform_clip = transform_clip
        spec.loader.exec_module = exec_module
        return spec
sys.meta_path.insert(0, Crashing())
"""


def test_a_clip_that_crashes_the_decoder_is_left_out(models, corpus, tmp_path):
    """Also the first one, on which shapes are learnt; in train and in predict."""
    (tmp_path / "sitecustomize.py").write_text(CRASHES)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), *sys.path])}
    clips = sorted(corpus.glob("Actor_*/01-*.mp4"))
    model = tmp_path / "model.skops"
    options = ("--recipe", "reference", "--modality", "video", "--jobs", "2",
               "--max-unusable", "0.2", "-o", model)  # fmt: skip
    for words, status, n_lines in (
        (("train", corpus, *options), 0, 2),
        (("predict", model, *clips, "--jobs", "1"), 1, 7),
    ):
        process = start(*words, env=environment)
        out, errors = process.communicate(timeout=300)
        assert process.returncode == status
        assert len(out.splitlines()) == n_lines
        told = [line for line in errors.splitlines() if re.search("^skemotion: .*crashes", line)]
        assert len(told) == 1
        assert str(clips[0]) in told[0]


def test_the_functionals_recipe(corpus, run, tmp_path):
    model = tmp_path / "model.skops"
    options = ("--recipe", "functionals", "--modality", "audio", "--jobs", "1")
    status, out, _ = run("train", corpus, *options, "--per-speaker", "-o", model)
    assert (status, out[-1]) == (0, f"Saved {model}")
    assert read_model_info(model)["uses_speaker_clips"] is True
    clips = sorted(corpus.glob("Actor_01/*.wav"))
    for words in ((), ("--speaker", "Ann")):
        status, out, errors = run("predict", model, *clips, "--jobs", "1", *words)
        assert (status, len(out)) == (0, 4)
        unknown = ["of 4 of 4 clips the speaker is not known" in line for line in errors]
        assert unknown == [True] * (not words)


def test_fetch(run, monkeypatch, corpus, tmp_path):
    def fetch_ravdess(modality, *, actors, landmarks, data_home):
        assert (modality, actors, landmarks, data_home) == ("video", [1, 2], True, tmp_path)
        return datasets.load_corpus(corpus)

    monkeypatch.setattr(datasets, "fetch_ravdess", fetch_ravdess)
    words = ("fetch", "ravdess", "--modality", "video", "--actors", "1", "2", "--landmarks")
    words = (*words, "--out", tmp_path)
    assert run(*words) == (0, ["8 recordings of 2 actors"], [])
    path = tmp_path / "face_landmarker.task"
    monkeypatch.setattr(datasets, "fetch_face_landmarker", lambda folder: path, raising=False)
    assert run("fetch", "face-landmarker") == (0, [str(path)], [])


def test_timeline(models, corpus, run, tmp_path):
    clip = shutil.copy(next(corpus.glob("Actor_01/01-*.mp4")), tmp_path / "clip.mp4")
    model = models / "audio.skops"
    words = ("timeline", model, clip, "--window", "0.3", "--hop", "0.1")
    status, out, errors = run(*words)
    assert (status, errors) == (0, [])
    rows = [line.split("\t") for line in out]
    assert [row[0] for row in rows] == [str(clip)] * len(rows)
    assert [row[1] for row in rows] == [f"{i / 10:.2f}" for i in range(len(rows))]
    for row in rows:
        assert row[3] in ("happy", "sad")
        assert 0.5 <= float(row[4]) <= 1
        assert row[5] == "audio"
    status, out, _ = run(*words, "-o", tmp_path / "t.csv", "--smooth", "3")
    assert (status, out) == (0, [f"Saved {tmp_path / 't.csv'}"])
    assert len(pd.read_csv(tmp_path / "t.csv")) == len(rows)
    other = shutil.copy(clip, tmp_path / "other.mp4")
    clips = (tmp_path / "gone.mp4", clip, other)
    status, out, errors = run("timeline", models / "both.skops", *clips, "-o", ".srt")
    assert status == 1
    assert out == [f"Saved {tmp_path / name}" for name in ("clip.srt", "other.srt")]
    assert [line for line in errors if "gone.mp4" in line]


def test_a_timeline_resumes(models, corpus, run, tmp_path, monkeypatch):
    clip = shutil.copy(next(corpus.glob("Actor_01/*.wav")), tmp_path / "clip.wav")
    out, part = tmp_path / "t.csv", tmp_path / "t.csv.part"
    words = ("timeline", models / "audio.skops", clip, "--window", "0.3", "--hop", "0.02")
    words = (*words, "--smooth", "3", "-o", out)
    with monkeypatch.context() as patch:
        patch.setattr(
            inspection, "write_timeline", lambda *_: (_ for _ in ()).throw(OSError("full"))
        )
        status, printed, errors = run(*words)
        assert (status, printed, errors[-1]) == (1, [], "skemotion: full")
    lines = part.read_text().splitlines(keepends=True)
    assert not out.exists()
    assert assert_fails(run(*words), "t.csv.part", "--resume") == []
    assert run(*words, "--resume") == (0, [f"Saved {out}"], [])
    assert not part.exists()
    whole = out.read_text()
    assert run(*words, "--resume") == (0, [f"{out} is there already"], [])
    # Killed in the middle of a line, or of the first one.
    for n_lines, rest in ((5, lines[5][:9]), (0, lines[0][:9])):
        part.write_text("".join(lines[:n_lines]) + rest)
        status, printed, errors = run(*words, "--resume")
        assert (status, printed) == (0, [f"Saved {out}"])
        assert (f"{n_lines - 1}/{len(lines) - 2}" in "".join(errors)) == (n_lines > 0)
        assert out.read_text() == whole
    assert assert_fails(run(*words[:-2], "--resume"), "--out") == []
    (tmp_path / "text.wav").write_text("no sound")
    words = ("timeline", models / "audio.skops", tmp_path / "text.wav", "-o", ".csv")
    status, printed, errors = run(*words)
    assert (status, printed) == (1, [])
    assert "text.wav: expected" in errors[-1]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["clip.wav", "t.csv", "text.wav"]


def test_timelines_next_to_clips(models, corpus, run, tmp_path):
    sound = next(corpus.glob("Actor_01/*.wav"))
    for name in ("a.b.wav", "a.b.WAV"):
        shutil.copy(sound, tmp_path / name)
    words = ("timeline", models / "audio.skops", "-o", ".json")
    both = (tmp_path / "a.b.wav", tmp_path / "a.b.WAV")
    assert_fails(run(*words, *both), f"{tmp_path / 'a.b.json'}: the timelines of", "would both")
    status, out, _ = run(*words, f"{both[0]}#t=0.1,0.45", both[0])
    names = ["a.b#t=0.1,0.45.json", "a.b.json"]
    assert (status, out) == (0, [f"Saved {tmp_path / name}" for name in names])


def test_predict_says_where_a_clip_is_far_longer(models, corpus, run, tmp_path):
    clip = next(corpus.glob("Actor_01/*.wav"))
    samples, rate = soundfile.read(clip)
    long = tmp_path / "long.wav"
    soundfile.write(long, np.tile(samples, 8), rate)
    status, out, errors = run("predict", models / "audio.skops", clip, long)
    assert (status, len(out)) == (0, 2)
    assert len(errors) == 1
    assert f"warning: {long}: 4 s, where the model was trained on clips of about" in errors[0]
    assert "skemotion timeline" in errors[0]


def test_a_timeline_is_refused_before_the_work(models, corpus, run, tmp_path):
    clip = next(corpus.glob("Actor_01/01-*.mp4"))
    words = ("timeline", models / "audio.skops", clip)
    assert assert_fails(run(*words, "-o", tmp_path / "t.doc"), "t.doc", ".TextGrid") == []
    assert assert_fails(run(*words, clip, "-o", tmp_path / "t.csv"), "next to each") == []
    assert assert_fails(run(*words, "-o", tmp_path / "no" / "t.csv"), "no such folder") == []
    assert assert_fails(run(*words, "--smooth", "2"), "odd number") == []
    with pytest.raises(SystemExit):
        run(*words, "--hop", "0")


def test_formats_are_those_of_the_library():
    from skemotion.cli import _timeline

    assert tuple(inspection.TIMELINE_FORMATS) == _timeline.FORMATS
