"""The page in the browser: record or upload a clip, and see its emotion (extra ``app``)."""

from ._answer import Answer, answer_recording, enrol_recording
from ._emotion_page import EmotionPage
from ._serve import serve

__all__ = ["Answer", "EmotionPage", "answer_recording", "enrol_recording", "serve"]
