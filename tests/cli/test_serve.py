import runpy
from pathlib import Path

import pytest
from sklearn.linear_model import RidgeClassifier

from skemotion.cli import main


@pytest.fixture
def served(monkeypatch):
    """What is passed to the page, in place of serving it."""
    calls = []
    monkeypatch.setattr(
        "skemotion.app.serve", lambda *args, **settings: calls.append((args, settings))
    )
    monkeypatch.setattr("skemotion.persistence.load_model", lambda path: f"model of {path}")
    return calls


def test_only_this_machine_unless_told(served, capsys):
    assert main(["serve", "m.skops"]) == 0
    assert served == [(("model of m.skops", "127.0.0.1", None), {"auth": None, "max_seconds": 60})]
    assert capsys.readouterr().err == "skemotion: starting the page; its address follows\n"


def test_the_options_reach_the_page(served, capsys):
    words = "serve m.skops --host 0.0.0.0 --port 8000 --auth me:a:b --max-seconds 20"
    assert main(words.split()) == 0
    expected = {"auth": ("me", "a:b"), "max_seconds": 20}
    assert served == [(("model of m.skops", "0.0.0.0", 8000), expected)]
    assert "https://" in capsys.readouterr().err


def test_an_open_page_without_a_password_is_warned_about(served, capsys):
    assert main(["serve", "m.skops", "--host", "0.0.0.0"]) == 0
    assert "--auth USER:PASSWORD asks for a password" in capsys.readouterr().err


@pytest.mark.parametrize("words", [["serve", "m.skops"], ["timeline", "m.skops", "a.wav"]])
def test_a_model_without_probabilities_is_refused_by_name(monkeypatch, capsys, words):
    model = RidgeClassifier().fit([[0.0], [1.0]], ["sad", "happy"])
    monkeypatch.setattr("skemotion.persistence.load_model", lambda path: model)
    assert main(words) == 1
    error = capsys.readouterr().err.splitlines()[-1]
    assert error.startswith("skemotion: m.skops: ")
    assert "model with predict_proba, got RidgeClassifier" in error


@pytest.mark.parametrize("words", ["--auth me", "--auth :x", "--port 0", "--max-seconds 0"])
def test_a_wrong_option_is_refused(served, words, capsys):
    with pytest.raises(SystemExit):
        main(["serve", "m.skops", *words.split()])
    assert served == []


def test_the_program_of_a_space_serves_its_model(monkeypatch, tmp_path):
    calls = []
    script = Path(__file__).parents[2] / "examples" / "serving" / "app.py"
    main = runpy.run_path(str(script))["main"]
    monkeypatch.setitem(main.__globals__, "load_model", lambda path: f"model of {path}")
    monkeypatch.setitem(main.__globals__, "serve", lambda *args, **own: calls.append((args, own)))
    monkeypatch.setenv("MODEL", "m.skops")
    main()
    [(arguments, settings)] = calls
    assert arguments == ("model of m.skops", "0.0.0.0", 7860)
    assert settings == {"max_seconds": 20.0, "framed_by": "https://huggingface.co"}
