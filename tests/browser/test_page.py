import time

import pytest

# Gradio leaves sockets and event loops of its start to the collector.
pytestmark = [
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


def test_a_recording_gets_the_answer_that_predict_gives(page, visit, model):
    one = visit()
    one.turn_on_camera()
    one.press_record()
    one.tab.wait_for_timeout(3500)
    one.press_record()
    stopped = time.monotonic()
    label = one.label()
    assert time.monotonic() - stopped < 5
    assert label == model.predict([str(page.kept)])[0]
    assert page.kept.suffix == ".webm"


def test_an_upload_gets_the_answer_that_predict_gives(visit, model, clips):
    one = visit()
    clip = clips["sad"][0]
    one.upload(clip)
    assert one.label() == model.predict([str(clip)])[0]
    shares = model.predict_proba([str(clip)])[0]
    words = one.words()
    for name, share in zip(model.classes_, shares, strict=True):
        assert f"{name}\t\n\t{100 * share:.0f}\N{NO-BREAK SPACE}%" in words
