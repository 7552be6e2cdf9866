import os
import time
import zipfile
from concurrent.futures import ThreadPoolExecutor

import pytest
from helpers import sine_wav

from skemotion import MediaError
from skemotion.io import _archives, fetch

CONTENTS = {f"{i}.wav": sine_wav(500 + i) for i in range(20)}


@pytest.fixture
def n_read(monkeypatch):
    """Count how often a directory is read, with a clock that is ahead of the files'."""
    calls = []
    read = zipfile.ZipFile._RealGetContents

    def counted(self):
        calls.append(self)
        read(self)

    monkeypatch.setattr(zipfile.ZipFile, "_RealGetContents", counted)
    now = time.time
    monkeypatch.setattr(_archives.time, "time", lambda: now() + 10)
    return lambda: len(calls)


@pytest.fixture
def archive(tmp_path):
    path = tmp_path / "a.zip"
    write(path, CONTENTS)
    return path


def write(path, contents):
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in contents.items():
            archive.writestr(zipfile.ZipInfo(name), content)


def read(path, name):
    return fetch(f"zip://{name}::{path}").getvalue()


def test_a_directory_is_read_once(archive, n_read):
    assert {name: read(archive, name) for name in CONTENTS} == CONTENTS
    assert read(f"file://{archive}", "3.wav") == CONTENTS["3.wav"]
    assert n_read() == 1
    with pytest.raises(MediaError, match=r"KeyError.*no item named 'gone\.wav'"):
        read(archive, "gone.wav")
    assert n_read() == 1


def test_by_threads_at_once(archive, n_read):
    with ThreadPoolExecutor(8) as threads:
        got = list(threads.map(lambda name: read(archive, name), [*CONTENTS] * 20))
    assert got == [*CONTENTS.values()] * 20
    assert n_read() == 1


def test_a_changed_archive_is_read_again(archive, n_read):
    read(archive, "3.wav")
    with zipfile.ZipFile(archive, "a") as opened:  # reads it as well
        opened.writestr("more.wav", b"new")
    n_before = n_read()
    assert read(archive, "more.wav") == b"new"
    assert read(archive, "3.wav") == CONTENTS["3.wav"]
    assert n_read() == n_before + 1
    # Another file under the same name, of the same size and time of change.
    status = archive.stat()
    swapped = dict(
        zip([*CONTENTS, "more.wav"], [*reversed(CONTENTS.values()), b"new"], strict=True)
    )
    write(archive.with_name("b.zip"), swapped)
    os.utime(archive.with_name("b.zip"), ns=(status.st_atime_ns, status.st_mtime_ns))
    archive.with_name("b.zip").replace(archive)
    assert archive.stat().st_size == status.st_size
    assert {name: read(archive, name) for name in swapped} == swapped


def test_an_archive_that_was_just_written_is_not_trusted(tmp_path):
    """Within a tick of the clock, a change in place leaves no trace."""
    path = tmp_path / "a.zip"
    for order in (1, -1) * 5:
        contents = dict(zip(CONTENTS, [*CONTENTS.values()][::order], strict=True))
        write(path, contents)
        assert read(path, "0.wav") == contents["0.wav"]
    assert str(path) not in _archives._known


def test_memory_is_bounded(tmp_path, n_read):
    for i in range(2 * _archives._MOST_ARCHIVES):
        write(tmp_path / f"{i}.zip", {"a.wav": bytes([i])})
        assert read(tmp_path / f"{i}.zip", "a.wav") == bytes([i])
    assert len(_archives._known) == _archives._MOST_ARCHIVES


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_forked_process_does_not_wait_for_its_parent_s_threads(archive, n_read):
    with _archives._lock:
        child = os.fork()
        if not child:
            os._exit(0 if read(archive, "3.wav") == CONTENTS["3.wav"] else 1)
        for _ in range(500):
            ended, status = os.waitpid(child, os.WNOHANG)
            if ended:
                break
            time.sleep(0.01)
        else:
            os.kill(child, 9)
            os.waitpid(child, 0)
    assert ended
    assert status == 0
