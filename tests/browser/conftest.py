"""A page with a model, a browser with a camera that plays a clip, and watch over both."""

import gc
import shutil
import sys
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from browser.media import browser_arguments, chromium, write_devices
from playwright.sync_api import sync_playwright

from skemotion.app import EmotionPage
from skemotion.datasets import load_corpus, make_ravdess
from skemotion.pipeline import make_emotion_pipeline

LOCAL = ("127.0.0.1", "localhost", "::1")
ANSWER = "#sk-answer .sk-verdict, #sk-answer .sk-problem"
# Whom this process, which is the server as well, asked for an address or connected to.
CALLS = []


def _watch(event, details):
    if event == "socket.getaddrinfo":
        host = details[0].decode() if isinstance(details[0], bytes) else details[0]
        CALLS.append(host)
    elif event == "socket.connect" and isinstance(details[1], tuple):
        CALLS.append(details[1][0])


sys.addaudithook(_watch)


@pytest.fixture(scope="session")
def corpus(tmp_path_factory):
    folder = make_ravdess(
        tmp_path_factory.mktemp("corpus"), n_actors=4, n_statements=1, intensities=["normal"],
        emotions=["angry", "happy", "neutral", "sad"], duration=1.5, frame_size=(144, 192),
    )  # fmt: skip
    return load_corpus(folder)


@pytest.fixture(scope="session")
def model(corpus):
    """A model of sound that knows speakers."""
    model = make_emotion_pipeline("audio", speaker="speaker")
    return model.fit(corpus.data, corpus.target)


class KeepingPage(EmotionPage):
    """One that gives a copy of each recording to the test, which has to know what was predicted."""

    kept, n_answers = None, 0

    def _run(self, task, path, **settings):
        self.kept = Path(shutil.copy(path, self.copies))
        return super()._run(task, path, **settings)

    def _answer(self, path, enrolment):
        answer = super()._answer(path, enrolment)
        self.n_answers += 1
        return answer


@contextmanager
def running(model, copies, **settings):
    starting = {name: settings.pop(name) for name in ("auth",) if name in settings}
    with KeepingPage(model, **settings) as page:
        page.copies = copies
        page.address = page.start(**starting)
        yield page


@pytest.fixture(scope="module")
def page(model, tmp_path_factory):
    """A page for the tests of a file; a process has one at a time."""
    with running(model, tmp_path_factory.mktemp("copies"), max_seconds=20, n_workers=2) as page:
        yield page
    assert not page.folder.exists()


@pytest.fixture(scope="session")
def clips(corpus):
    """Clips with picture and sound, by emotion."""
    found = {}
    for clip, emotion in zip(corpus.data["video"], corpus.target, strict=True):
        found.setdefault(str(emotion), []).append(Path(clip))
    return found


@pytest.fixture(scope="session")
def real_clip():
    """A clip of a person, if there is one on this machine."""
    clips = Path(__file__).parents[3] / "shared" / "data" / "java-sed"
    return clips / "01-01-02_01.mp4" if clips.is_dir() else None


@pytest.fixture(scope="session")
def playwright():
    with sync_playwright() as running:
        yield running


@pytest.fixture(scope="session")
def launch(playwright):
    """Give what starts a browser."""
    path = chromium()
    if path is None:
        pytest.fail("no Chromium: apt-get install -y chromium")
    browsers = []

    def start(arguments):
        browsers.append(playwright.chromium.launch(executable_path=path, args=list(arguments)))
        return browsers[-1]

    yield start
    for browser in browsers:
        browser.close()


@pytest.fixture(scope="session")
def browser(launch, real_clip, clips, tmp_path_factory):
    """A browser whose camera and microphone play a clip: a real one, or else a drawn one."""
    clip = real_clip or clips["happy"][0]
    return launch(browser_arguments(*write_devices(clip, tmp_path_factory.mktemp("devices"))))


class Visit:
    """A person at the page: a context of the browser."""

    def __init__(self, browser, address, width=1280, height=900, **settings):
        self.address, self.errors, self.asked = address, [], set()
        size = {"width": width, "height": height}
        self.context = browser.new_context(viewport=size, **settings)
        # Workers and sockets too.
        self.context.on("request", lambda request: self.asked.add(request.url))
        self.tab = self.context.new_page()
        self.tab.on("websocket", lambda socket: self.asked.add(socket.url))
        self.tab.on("pageerror", lambda error: self.errors.append(error.stack or str(error)))
        self.tab.on("console", self._listen)
        self.tab.goto(address)
        self.tab.wait_for_selector("#sk-answer", timeout=60_000)
        self.tab.wait_for_selector("#sk-recording button.icon")

    def _listen(self, message):
        if message.type == "error":
            self.errors.append(f"{message.text} {message.location}")

    def upload(self, path, place="#sk-recording"):
        """Choose a file; the last answer is awaited to go."""
        self.tab.click(f"{place} button[aria-label='Upload file']")
        self.tab.set_input_files(f"{place} input[type=file]", str(path))

    def turn_on_camera(self):
        self.tab.click("#sk-recording [title='grant webcam access'] button")

    def press_record(self):
        self.tab.click("#sk-recording button.capture-button")

    def answer(self, timeout=30):
        """Await label or problem."""
        return self.tab.wait_for_selector(ANSWER, timeout=1000 * timeout)

    def label(self):
        return self.answer().get_attribute("data-label")

    def words(self):
        self.answer()
        return self.tab.inner_text("#sk-answer")

    @staticmethod
    def elsewhere(asked):
        """Give the addresses of other machines that the browser was to reach."""
        return [url for url in asked if urlsplit(url).scheme not in ("blob", "data")
                and urlsplit(url).hostname not in LOCAL]  # fmt: skip


@pytest.fixture
def visit(browser, page):
    """Give what opens the page, and check at the end that nothing was loaded from elsewhere."""
    visits = []

    def open_page(by=browser, **settings):
        permissions = settings.pop("permissions", ["camera", "microphone"])
        visits.append(Visit(by, page.address, permissions=permissions, **settings))
        return visits[-1]

    yield open_page
    shown = [toast for one in visits if not one.tab.is_closed()
             for toast in one.tab.locator(".toast-body").all_inner_texts()]  # fmt: skip
    for one in visits:
        one.context.close()
    # What is wrong is said in the page.
    assert shown == []
    for one in visits:
        assert Visit.elsewhere(one.asked) == []
        assert one.errors == []


@pytest.fixture(scope="session", autouse=True)
def nobody_is_called():
    yield
    gc.collect()
    assert sorted({host for host in CALLS if host not in (*LOCAL, None, "")}) == []
