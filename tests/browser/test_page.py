import os
import re
import tempfile
import time
from pathlib import Path

import numpy as np
import pytest
from axe_playwright_python.sync_playwright import Axe
from browser.media import write_clip

# Gradio leaves sockets and event loops of its start to the collector.
pytestmark = [
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

MOST_GROWTH = 40 * 2**20  # bytes, of a server with two workers of 300 MB each


@pytest.fixture(scope="module", autouse=True)
def temporary(tmp_path_factory):
    """A folder of temporary files that no other program uses."""
    folder = tmp_path_factory.mktemp("temporary")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TMPDIR", str(folder))  # of the processes of the page
        patch.setattr(tempfile, "tempdir", str(folder))
        yield folder


def slowdown():
    """Say how many times longer work takes than on a machine that has nothing else to do."""
    start, own = time.perf_counter(), time.process_time()
    while time.process_time() - own < 0.2:
        pass
    return (time.perf_counter() - start) / 0.2


def resident():
    """Give the memory of this process, which is the server, and of its workers, in bytes."""
    total = 0
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            words = (folder / "cmdline").read_text()
            fields = (folder / "status").read_text().split("\n")
        except OSError:  # it has ended
            continue
        values = dict(field.split(":\t", 1) for field in fields if ":\t" in field)
        own = values["Pid"] == str(os.getpid())
        if own or (values["PPid"] == str(os.getpid()) and "loky" in words):
            total += 1024 * int(values["VmRSS"].split()[0])
    return total


def faults(tab):
    """Give the serious and critical faults that axe finds on the page."""
    found = Axe().run(tab).response["violations"]
    return {fault["id"]: [node["html"][:200] for node in fault["nodes"]]
            for fault in found if fault["impact"] in ("serious", "critical")}  # fmt: skip


def test_a_recording_gets_the_answer_that_predict_gives(page, visit, model):
    one = visit()
    one.turn_on_camera()
    one.press_record()
    one.tab.wait_for_timeout(3500)
    one.press_record()
    stopped = time.monotonic()
    label = one.label()
    assert time.monotonic() - stopped < 5 * slowdown()
    assert label == model.predict([str(page.kept)])[0]
    assert page.kept.suffix == ".webm"


def test_an_upload_gets_the_answer_that_predict_gives(visit, model, clips):
    one = visit()
    clip = clips["sad"][0]
    one.upload(clip)
    assert one.label() == model.predict([str(clip)])[0]
    words = one.words()
    for name, share in zip(model.classes_, model.predict_proba([str(clip)])[0], strict=True):
        assert re.search(rf"{name}\s+{100 * share:.0f}\s%", words)
    assert "What spoke for" in words
    assert "The recording has been deleted" in words


def test_a_sound_file_gets_the_answer_that_predict_gives(page, visit, model, corpus, tmp_path):
    one = visit()
    clip = str(corpus.data["audio"][corpus.target == "angry"].iloc[0])
    for _ in range(2):  # one after the other
        with one.tab.expect_file_chooser() as chooser:
            one.tab.get_by_role("button", name="Upload a sound file").press("Enter")
        chooser.value.set_files(clip)
        assert one.label() == model.predict([clip])[0]
        one.tab.evaluate("document.querySelector('#sk-answer .sk-verdict').remove()")
    file = tmp_path / "letter.wav"
    file.write_text("no sound at all\n" * 100)
    one.tab.set_input_files("input[type=file][accept*='.wav']", str(file))
    assert one.words() == "This file is no video or sound that can be read, or not complete."


def test_the_keyboard_is_enough(visit):
    one = visit()
    keys, button = one.tab.keyboard, "document.activeElement.closest('button')"

    def go_to(words):
        for _ in range(20):
            keys.press("Tab")
            if words in str(one.tab.evaluate(f"{button} && {button}.outerHTML")):
                return
        pytest.fail(f"no way to {words} by the keyboard")

    go_to("Turn on camera")
    keys.press("Enter")
    one.tab.wait_for_selector("#sk-recording button.capture-button")
    one.tab.evaluate("document.activeElement.blur()")
    go_to("capture-button")
    keys.press("Enter")
    one.tab.wait_for_timeout(2500)
    stop = one.tab.locator("#sk-recording button.capture-button")
    assert stop.get_attribute("aria-label") == "stop recording"
    assert re.fullmatch(r"[2-9] of 20 s", stop.get_attribute("data-passed"))
    keys.press("Enter")
    assert one.label() is not None


def test_a_phone_shows_all_of_it(visit, clips):
    one = visit(width=390, height=844)
    one.upload(clips["happy"][1])
    assert one.label() is not None
    assert one.tab.evaluate("document.documentElement.scrollWidth") <= 390
    one.tab.wait_for_function(
        "document.querySelector('#sk-answer').getBoundingClientRect().top < 844 * 0.7"
    )


def test_words_where_the_camera_is_refused(launch, visit):
    # With devices, and without the flag that says yes to everything.
    arguments = ["--no-sandbox", "--use-fake-device-for-media-stream"]
    one = visit(by=launch(arguments), permissions=[])
    one.turn_on_camera()
    words = one.tab.wait_for_selector("#sk-help.sk-refused")
    assert words.inner_text().startswith("The browser may not use camera and microphone.")
    assert "upload a clip instead" in words.inner_text()
    assert faults(one.tab) == {}


def test_words_where_there_is_no_clip(visit, tmp_path):
    one = visit()
    file = tmp_path / "letter.mp4"
    file.write_text("no clip at all\n" * 100)
    one.upload(file)
    assert one.words() == "This file is no video or sound that can be read, or not complete."


def test_words_where_too_many_people_wait(page, visit, clips):
    one = visit()
    full = {"status": 503, "json": {"detail": "Queue is full."}}
    one.tab.route("**/queue/join*", lambda route: route.fulfill(**full))
    one.upload(clips["sad"][0])
    assert one.words().startswith("There is no answer, because too many people wait")
    one.tab.unroute("**/queue/join*")
    [error] = one.errors
    assert "503" in error
    one.errors.clear()
    one.tab.click("button[aria-label='Close'], .toast-close")
    # The recorder is empty again.
    one.upload(clips["sad"][0])
    one.tab.wait_for_selector("#sk-answer .sk-verdict")
    # No answer was asked for, so that it would go ten minutes later.
    [left] = [str(file) for file in page.folder.rglob("*") if file.is_file()]
    page._uploads.answered(left)


def test_words_where_there_is_no_sound(visit, clips, tmp_path):
    one = visit()
    one.upload(write_clip(tmp_path / "mute.mp4", clips["sad"][:1], sound=False))
    assert one.words().startswith("This recording cannot be used. There is no sound in it.")


def test_words_where_it_is_too_long(visit, clips, tmp_path):
    one = visit()
    one.upload(write_clip(tmp_path / "long.mp4", [clips["sad"][0]] * 16, picture=True))
    assert re.match(r"This recording is 2\d s long, and this page takes up to 20 s", one.words())


def test_a_long_recording_has_a_timeline(visit, clips, tmp_path):
    one = visit()
    one.upload(write_clip(tmp_path / "longer.mp4", [*clips["sad"][:3], *clips["angry"][:3]]))
    assert one.label() is not None
    words = one.words()
    assert "Over time" in words
    assert re.search(r"What spoke for \w+ from \d to \d", words)
    assert one.tab.locator("#sk-answer img").count() == 1
    one.tab.click("text=As a table")
    assert re.search(r"0\.0 to \d+\.\d\s+s", one.tab.inner_text("table.sk-spans >> nth=0"))


def test_two_people_at_once_get_their_own_answers(visit, model, clips):
    people = [visit(), visit(), visit()]
    # The last two have the same clip, which Gradio keeps as one file.
    chosen = [clips["angry"][2], clips["happy"][2], clips["happy"][2]]
    for one, clip in zip(people, chosen, strict=True):
        one.upload(clip)
    for one, clip in zip(people, chosen, strict=True):
        assert one.label() == model.predict([str(clip)])[0]


def test_enrolling_helps_its_own_session_only(visit, model, clips, tmp_path):
    one, other = visit(), visit()
    clip = clips["neutral"][0]
    yours = "relative to your usual face and voice"
    speaker = write_clip(tmp_path / "minute.mp4", [c[0] for c in clips.values()] * 2)
    one.tab.click("text=Let it know you first")
    one.upload(speaker, "#sk-enrol-recording")
    one.tab.wait_for_selector("text=You are known by", timeout=60_000)
    answers = []
    for person in (one, other):
        person.upload(clip)
        assert (yours in person.words()) == (person is one)
        answers.append(person.tab.inner_text(".sk-verdict + table"))
    shares = np.sort(model.predict_proba([str(clip)])[0])[::-1]
    plain = [f"{100 * share:.0f}" for share in shares]
    assert re.findall(r"(\d+)\s%", answers[1]) == plain
    assert re.findall(r"(\d+)\s%", answers[0]) != plain
    one.tab.click("text=Forget me")
    one.tab.wait_for_selector("text=You have been forgotten")


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (390, "dark")])
def test_axe_finds_no_serious_fault(visit, clips, tmp_path, width, scheme):
    one = visit(width=width, color_scheme=scheme)
    assert faults(one.tab) == {}
    one.upload(write_clip(tmp_path / "a.mp4", clips["sad"][:5]))
    assert one.label() is not None
    one.tab.click("text=Let it know you first")
    one.tab.click("text=As a table")
    one.tab.wait_for_timeout(500)
    assert faults(one.tab) == {}
    one.tab.click("#sk-recording button[aria-label='Capture from camera']")
    one.turn_on_camera()
    one.tab.wait_for_selector("#sk-recording button.capture-button")
    assert faults(one.tab) == {}


@pytest.mark.parametrize("path", ["https://example.org/a.mp4", "/etc/hostname"])
def test_only_what_was_uploaded_is_opened(page, visit, path):
    # At the end it is checked that nobody was called.
    api, session = visit().context.request, {"session_hash": "by-hand"}
    file = {"path": path, "meta": {"_type": "gradio.FileData"}}
    before = page.n_answers
    asked = {"data": [file, None], "fn_index": 0, **session}
    api.post(page.address + "gradio_api/queue/join", data=asked)
    answer = api.get(page.address + "gradio_api/queue/data", params=session, timeout=30_000).text()
    assert "process_completed" in answer
    assert '"success": false' in answer or '"success":false' in answer
    assert page.n_answers == before


def test_nothing_stays(page, visit):
    visit()
    assert list(page.folder.rglob("*")) == []


def test_fifty_uploads_leave_nothing_behind(page, visit, clips, temporary):
    one = visit()
    chosen = [clip for found in clips.values() for clip in found[:3]]
    used, answered = {}, page.n_answers
    before = set(temporary.iterdir())
    for number in range(1, 51):
        one.upload(chosen[number % len(chosen)])
        for _ in range(600):
            if page.n_answers == answered + number:
                break
            one.tab.wait_for_timeout(100)
        assert page.n_answers == answered + number
        # The recorder is empty again.
        one.tab.wait_for_selector("#sk-recording input[type=file]", state="attached")
        page.kept.unlink()
        used[number] = resident()
    one.context.close()
    assert list(page.folder.rglob("*")) == []
    assert set(temporary.iterdir()) == before
    # Gradio would have the browser load it for each clip, and keep it.
    assert [url for url in one.asked if "ffmpeg" in url] == []
    assert used[50] - used[10] < MOST_GROWTH, used
