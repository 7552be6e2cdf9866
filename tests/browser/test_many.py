import os
import tempfile
from pathlib import Path

import pytest

# Gradio leaves sockets and event loops of its start to the collector.
pytestmark = [
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]
MOST_GROWTH = 40 * 2**20  # bytes, of a server with two workers of 300 MB each


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


@pytest.fixture(scope="module", autouse=True)
def temporary(tmp_path_factory):
    """A folder of temporary files that no other program uses."""
    folder = tmp_path_factory.mktemp("temporary")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TMPDIR", str(folder))  # of the processes of the page
        patch.setattr(tempfile, "tempdir", str(folder))
        yield folder


def test_fifty_uploads_leave_nothing_behind(page, visit, clips, temporary):
    one = visit()
    chosen = [clip for found in clips.values() for clip in found[:3]]
    used = {}
    before = set(temporary.iterdir())
    for number in range(1, 51):
        one.upload(chosen[number % len(chosen)])
        for _ in range(600):
            if page.n_answers == number:
                break
            one.tab.wait_for_timeout(100)
        assert page.n_answers == number
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
