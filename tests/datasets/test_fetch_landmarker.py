import hashlib
import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from skemotion.datasets import _fetch_landmarker, fetch_face_landmarker
from skemotion.video import FaceLandmarks, face_landmarks

CONTENT = bytes(range(256)) * 40


class Publisher(ThreadingHTTPServer):
    """Serves one file."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.contents = []  # of the next answers; afterwards the right one
        self.status = 200
        self.n_asked = 0
        self.url = f"http://127.0.0.1:{self.server_port}/face_landmarker.task"


class Handler(BaseHTTPRequestHandler):
    def log_message(self, *args):
        pass

    def do_GET(self):
        self.server.n_asked += 1
        self.send_response(self.server.status)
        self.send_header("Content-Length", str(len(CONTENT)))
        self.end_headers()
        self.wfile.write(self.server.contents.pop(0) if self.server.contents else CONTENT)


@pytest.fixture
def publisher(monkeypatch):
    with Publisher() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        monkeypatch.setattr(_fetch_landmarker, "_URL", server.url)
        checksum = f"sha256:{hashlib.sha256(CONTENT).hexdigest()}"
        monkeypatch.setattr(_fetch_landmarker, "_CHECKSUM", checksum)
        monkeypatch.setenv("NO_PROXY", "*")
        monkeypatch.setattr("pooch.core.time.sleep", lambda seconds: None)
        yield server
        server.shutdown()
        thread.join()


def fetch(folder, **settings):
    return fetch_face_landmarker(folder=folder, verbose=False, **settings)


def test_is_downloaded_once(publisher, tmp_path, monkeypatch):
    path = fetch(tmp_path / "new")
    assert path == tmp_path / "new" / "face_landmarker.task"
    assert path.read_bytes() == CONTENT

    def connect(*args):
        raise AssertionError("a connection is made")

    monkeypatch.setattr(socket.socket, "connect", connect)
    assert fetch(tmp_path / "new") == path
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_what_comes_out_wrong_is_asked_for_again(publisher, tmp_path):
    publisher.contents = [b"x" * len(CONTENT), CONTENT[:100]]
    assert fetch(tmp_path).read_bytes() == CONTENT
    assert publisher.n_asked == 3


def test_a_damaged_file_is_replaced(publisher, tmp_path):
    path = tmp_path / "face_landmarker.task"
    path.write_bytes(b"damaged")
    assert fetch(tmp_path) == path
    assert path.read_bytes() == CONTENT


def test_another_checksum_leaves_nothing(publisher, tmp_path):
    publisher.contents = [b"x" * len(CONTENT)] * 2
    with pytest.raises(OSError, match=r"expected the checksum sha256:.*found another"):
        fetch(tmp_path, n_retries=1)
    assert publisher.n_asked == 2
    assert list(tmp_path.iterdir()) == []


def test_a_server_that_refuses(publisher, tmp_path):
    publisher.status = 404
    with pytest.raises(ConnectionError, match=r"404.*by hand.*FaceLandmarks\(model_path"):
        fetch(tmp_path, n_retries=0)
    assert list(tmp_path.iterdir()) == []


def test_missing_and_not_to_be_downloaded(publisher, tmp_path):
    with pytest.raises(FileNotFoundError, match="download_if_missing is False"):
        fetch(tmp_path, download_if_missing=False)
    assert publisher.n_asked == 0
    with pytest.raises(ValueError, match="n_retries"):
        fetch(tmp_path, n_retries=-1)


def test_the_stage_looks_where_it_is_put(publisher, tmp_path, monkeypatch):
    monkeypatch.setattr("pooch.os_cache", lambda project: tmp_path / project)
    with pytest.raises(FileNotFoundError, match="skemotion fetch face-landmarker"):
        face_landmarks("clip.mp4")
    path = fetch(None)
    assert path.parent == tmp_path / "skemotion"
    pytest.importorskip("ai_edge_litert", reason="ai-edge-litert, the extra face, is missing")
    assert str(path) in FaceLandmarks().cache_identity()


def test_the_checksum_is_that_of_the_published_file(shared_data):
    content = (shared_data / "models" / "face_landmarker.task").read_bytes()
    assert f"sha256:{hashlib.sha256(content).hexdigest()}" == _fetch_landmarker._CHECKSUM
