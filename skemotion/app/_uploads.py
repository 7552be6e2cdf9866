"""The folder that browsers upload to: nothing stays in it that nobody waits for."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Awaitable, Callable, MutableMapping
from contextlib import suppress
from pathlib import Path
from threading import Lock
from typing import Any

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

_UPLOAD, _FILE = "/gradio_api/upload", "/gradio_api/file="
# Seconds after which a page that never asked about its upload is gone.
_PATIENCE = 600.0
_HEADERS = {
    # Whatever the page is made of, a browser loads nothing from elsewhere and sends nothing there.
    "content-security-policy": "default-src 'self' 'unsafe-inline' 'unsafe-eval' data: blob:; "
    "frame-ancestors {framed_by}; base-uri 'self'; form-action 'self'; object-src 'none'",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "permissions-policy": "camera=(self), microphone=(self), geolocation=()",
}


class Uploads:
    """Which uploads an answer is still owed to; all other files are deleted.

    Two people may upload the same clip, and Gradio then keeps one file for both: it goes when
    both have their answer.

    Parameters
    ----------
    folder : Path
        The folder. Nothing else must be in it.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._lock = Lock()
        self._arriving = 0
        self._owed: Counter[str] = Counter()
        self._shown: Counter[str] = Counter()
        self._since: dict[str, float] = {}

    def begin(self) -> None:
        """Note that an upload is on its way."""
        with self._lock:
            self._arriving += 1

    def end(self, paths: list[str]) -> None:
        """Note that an upload is there, or has failed: then there are no paths."""
        with self._lock:
            self._arriving -= 1
            for path in paths:
                self._owed[path] += 1
                self._since[path] = time.monotonic()
        self.sweep()

    def knows(self, path: str) -> bool:
        """Say whether a file was uploaded, and its answer is still owed."""
        with self._lock:
            return path in self._since

    def answered(self, path: str) -> None:
        """Note that one answer about a file was given."""
        with self._lock:
            if path in self._since:
                self._owed[path] -= 1
        self.sweep()

    def is_gone(self, path: str) -> bool:
        """Say whether a file would be in this folder, and is not any more."""
        return Path(path).is_relative_to(self.folder) and not Path(path).exists()

    def show(self, path: str, change: int) -> None:
        """Note that a browser begins (1) or ends (-1) to load a file that it uploaded."""
        with self._lock:
            self._shown[path] += change
            if not self._shown[path]:
                del self._shown[path]
        if change < 0:
            self.sweep()

    def sweep(self) -> None:
        """Delete all files that no answer is owed to."""
        with self._lock:
            if self._arriving:
                return  # the last of them sweeps
            late = time.monotonic() - _PATIENCE
            for path in list(self._since):
                if self._owed[path] <= 0 or self._since[path] < late:
                    del self._owed[path], self._since[path]
            for file in sorted(self.folder.rglob("*"), reverse=True):
                if str(file) in self._since or str(file) in self._shown:
                    continue
                # A folder that is not empty has what is owed to.
                with suppress(OSError):
                    file.rmdir() if file.is_dir() else file.unlink()


class UploadWatch:
    """Middleware that reports uploads to `Uploads`, and adds headers that keep a page to itself.

    Parameters
    ----------
    app : callable
        The ASGI application.
    uploads : Uploads
        To report to.
    framed_by : str
        Which sites may show the page in a frame, as of ``frame-ancestors``.
    """

    def __init__(self, app: Any, uploads: Uploads, framed_by: str = "'none'") -> None:
        self._app, self._uploads = app, uploads
        self._headers = [
            (name.encode(), value.replace("{framed_by}", framed_by).encode())
            for name, value in _HEADERS.items()
        ]

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Pass a request on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        is_upload = scope["method"] == "POST" and scope["path"].rstrip("/").endswith(_UPLOAD)
        _, _, shown = scope["path"].partition(_FILE)
        body = bytearray()
        status = 0

        async def watched(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message.get("headers", []), *self._headers]
            elif is_upload and message["type"] == "http.response.body":
                body.extend(message.get("body", b""))
                if not message.get("more_body", False):
                    settle()
            await send(message)

        def settle() -> None:
            nonlocal is_upload
            if is_upload:
                is_upload = False
                self._uploads.end(_paths(bytes(body)) if status == 200 else [])

        if is_upload:
            self._uploads.begin()
        if shown:
            self._uploads.show(shown, 1)
        try:
            if shown and self._uploads.is_gone(shown):
                # Answered before the browser asked to show it: no error, and nothing to show.
                await watched({"type": "http.response.start", "status": 204, "headers": []})
                await watched({"type": "http.response.body", "body": b""})
            else:
                await self._app(scope, receive, watched)
        finally:
            settle()
            if shown:
                self._uploads.show(shown, -1)


def _paths(body: bytes) -> list[str]:
    with suppress(ValueError):
        return [str(path) for path in json.loads(body)]
    return []
