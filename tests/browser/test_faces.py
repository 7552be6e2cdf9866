import re

import numpy as np
import pytest
from browser.media import write_clip

from skemotion.datasets import load_corpus
from skemotion.pipeline import make_emotion_pipeline

# Gradio leaves sockets and event loops of its start to the collector.
pytestmark = [
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
    # Four clips of an emotion.
    pytest.mark.filterwarnings("ignore::UserWarning"),
]


@pytest.fixture(scope="session")
def model(shared_data):
    """A model of faces and voices, trained on a few people."""
    corpus = load_corpus(shared_data / "java-sed", naming="java-sed")
    emotions = np.isin(corpus.target, ["angry", "happy", "sad"])
    chosen = np.flatnonzero(corpus.data["speaker"].isin([1, 2]) & emotions)[::2]
    model = make_emotion_pipeline()
    network = str(shared_data / "models" / "face_landmarker.task")
    model.set_params(video__clips__landmarks__model_path=network)
    return model.fit(corpus.data.iloc[chosen], corpus.target[chosen])


def test_a_face_is_recorded_and_drawn(page, visit, model):
    one = visit()
    one.turn_on_camera()
    one.press_record()
    one.tab.wait_for_timeout(4000)
    one.press_record()
    assert one.label() == model.predict([str(page.kept)])[0]
    pictures = one.tab.locator(".sk-faces img")
    assert pictures.count() == 3
    assert pictures.first.get_attribute("src").startswith("data:image/jpeg;base64,")
    assert re.search(r"sound \d+\s%, picture \d+\s%", one.words())


def test_words_where_there_is_no_face(visit, clips, tmp_path):
    one = visit()
    one.upload(write_clip(tmp_path / "dark.mp4", clips["sad"][:1], blank=True))
    assert one.label() is not None
    assert "No face was found in the picture: the answer comes from the sound." in one.words()
