"""Reports and explanations in a browser: they load nothing, fit it, and are accessible."""

import numpy as np
import pandas as pd
import pytest
from axe_playwright_python.sync_playwright import Axe

from skemotion.inspection import Explanation, write_explanation, write_report
from skemotion.model_selection import Evaluation, Leak
from skemotion.pipeline import ClipCosts, ClipError

LABELS = ["neutral", "calm", "happy", "sad", "angry", "fearful", "disgust", "surprised"]


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    rng = np.random.default_rng(0)
    target = np.tile(LABELS, 90)
    shares = rng.dirichlet(np.ones(8), 720)
    shares[np.arange(720), np.arange(720) % 8] += 0.3
    shares /= shares.sum(axis=1, keepdims=True)
    prediction = np.array(LABELS)[shares.argmax(axis=1)]
    leaks = (Leak("file", np.arange(2), np.arange(2), "one", "The same files are in training."),)
    speakers = np.repeat(np.arange(24), 30)
    result = Evaluation(
        "speaker-independent", target, prediction, speakers, LABELS, 720, 12, leaks=leaks,
        probabilities=shares, not_audited={"sentence": "no column"}, uses_speaker_clips=True,
        splitter="LeaveOneGroupOut()", unusable=(ClipError(0, "a", "load", "a.wav: empty."),),
    )  # fmt: skip
    path = tmp_path_factory.mktemp("report") / "report.html"
    return write_report([result, result], path, command="skemotion evaluate " + 30 * "long/" + "x",
                        costs=ClipCosts([0.1], 0.1, 10**9))  # fmt: skip


@pytest.fixture(scope="module")
def explanation(tmp_path_factory):
    """With the longest words that there are."""
    details = pd.DataFrame(
        {
            "modality": ["audio", "audio", "video", "functionals"],
            "part": ["mel bands", "voice quality", "mouth", "middle third"],
            "measure": ["hammarberg", "slope1500-8000", "lip corners pulled down", "row 8, time 4"],
            "n_values": [3468, 12, 40, 7200],
            "effect": [12.34, -0.5, 0.2, 0.1],
        }
    )
    found = Explanation(
        clip="/a/folder/" + "long/" * 20 + "03-01-03-01-01-01-02.wav", target="surprised",
        label="surprised", details=details, score=1.0, average_score=0.0,
    )  # fmt: skip
    return write_explanation(found, tmp_path_factory.mktemp("explanation") / "why.html")


@pytest.mark.parametrize("width", [390, 1280])
def test_an_explanation_opens_anywhere(launch, explanation, width):
    size = {"width": width, "height": 900}
    tab = launch(["--no-sandbox"]).new_context(viewport=size, bypass_csp=True).new_page()
    tab.goto(explanation.as_uri(), wait_until="load")
    assert tab.evaluate("document.documentElement.scrollWidth") <= width
    assert Axe().run(tab).response["violations"] == []


@pytest.mark.parametrize("width", [390, 1280])
def test_the_report_opens_anywhere(launch, report, width):
    browser = launch(["--no-sandbox", "--disable-background-networking"])
    # The page forbids all scripts, so that axe runs only where this is passed over.
    size = {"width": width, "height": 900}
    tab = browser.new_context(viewport=size, bypass_csp=True).new_page()
    asked, problems = [], []
    tab.on("request", lambda request: asked.append(request.url))
    tab.on("console", lambda message: problems.append(message.text))
    tab.goto(report.as_uri(), wait_until="load")
    assert asked == [report.as_uri()]
    assert problems == []
    assert tab.evaluate("document.documentElement.scrollWidth") <= width
    faults = [
        (fault["impact"], fault["id"], [node["target"] for node in fault["nodes"]][:3])
        for fault in Axe().run(tab).response["violations"]
    ]
    assert faults == []
    # On paper nothing is cut off: A4 is 718 pixels wide within margins of a centimetre.
    tab.set_viewport_size({"width": 718, "height": 900})
    tab.emulate_media(media="print")
    assert tab.evaluate("document.documentElement.scrollWidth") <= 718
