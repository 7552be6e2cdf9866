import asyncio
import json

import pytest

from skemotion.app._uploads import Uploads, UploadWatch


@pytest.fixture
def uploads(tmp_path):
    return Uploads(tmp_path)


def put(uploads, name="a.webm"):
    """Put a file where Gradio would."""
    folder = uploads.folder / "hash"
    folder.mkdir(exist_ok=True)
    file = folder / name
    file.write_bytes(b"clip")
    return str(file)


def test_a_file_goes_with_its_last_answer(uploads):
    uploads.begin()
    path = put(uploads)
    uploads.end([path])
    uploads.begin()
    uploads.end([path])
    uploads.answered(path)
    assert (uploads.folder / "hash" / "a.webm").exists()
    uploads.answered(path)
    assert list(uploads.folder.iterdir()) == []


def test_what_nobody_is_owed_goes_at_once(uploads):
    uploads.begin()
    put(uploads)
    uploads.end([])  # it failed
    assert list(uploads.folder.iterdir()) == []
    uploads.answered("/etc/passwd")  # what no browser uploaded is left alone


def test_nothing_goes_while_another_upload_arrives(uploads):
    uploads.begin()
    path = put(uploads)
    uploads.end([path])
    uploads.begin()
    other = put(uploads, "b.webm")  # written, and not yet reported
    uploads.answered(path)
    uploads.end([other])
    assert [file.name for file in (uploads.folder / "hash").iterdir()] == ["b.webm"]


def test_a_file_that_a_browser_loads_stays_until_it_has_it(uploads):
    uploads.begin()
    path = put(uploads)
    uploads.end([path])
    uploads.show(path, 1)
    uploads.answered(path)
    assert (uploads.folder / "hash" / "a.webm").exists()
    uploads.show(path, -1)
    assert list(uploads.folder.iterdir()) == []


def test_an_answer_that_never_comes_is_not_waited_for_forever(uploads, monkeypatch):
    uploads.begin()
    uploads.end([put(uploads)])
    monkeypatch.setattr("skemotion.app._uploads._PATIENCE", -1.0)
    uploads.sweep()
    assert list(uploads.folder.iterdir()) == []


def request(watch, path, method="GET"):
    """Send a request; give status and headers of the response."""
    sent = []

    async def receive():
        return {"type": "http.request", "body": b""}

    async def send(message):
        sent.append(message)

    asyncio.run(watch({"type": "http", "method": method, "path": path}, receive, send))
    return sent[0]["status"], {name.decode(): value.decode() for name, value in sent[0]["headers"]}


@pytest.mark.parametrize("status", [200, 413])
def test_the_middleware_counts_uploads_and_closes_the_page_off(uploads, status):
    path = put(uploads)

    async def app(scope, receive, send):
        body = json.dumps([path]).encode() if status == 200 else b"too large"
        await send({"type": "http.response.start", "status": status, "headers": []})
        await send({"type": "http.response.body", "body": body[:5], "more_body": True})
        await send({"type": "http.response.body", "body": body[5:]})

    watch = UploadWatch(app, uploads)
    found, headers = request(watch, "/gradio_api/upload", "POST")
    assert found == status
    assert "default-src 'self'" in headers["content-security-policy"]
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert (uploads.folder / "hash").exists() == (status == 200)


def test_an_upload_that_breaks_off_is_counted_out(uploads):
    put(uploads)

    async def app(scope, receive, send):
        raise ConnectionError

    with pytest.raises(ConnectionError):
        request(UploadWatch(app, uploads), "/gradio_api/upload", "POST")
    assert list(uploads.folder.iterdir()) == []


def test_a_file_that_was_answered_before_it_was_shown_is_no_error(uploads):
    async def app(scope, receive, send):
        await send({"type": "http.response.start", "status": 403, "headers": []})

    watch = UploadWatch(app, uploads)
    path = put(uploads)
    uploads.sweep()
    assert request(watch, f"/gradio_api/file={path}")[0] == 204
    assert request(watch, "/gradio_api/file=/etc/passwd")[0] == 403
    assert request(watch, f"/gradio_api/file={uploads.folder.parent}/nothing")[0] == 403
