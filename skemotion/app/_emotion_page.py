"""The page: what it consists of, and the server that shows it."""

from __future__ import annotations

import os
import socket
import tempfile
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Self

import joblib
from sklearn.utils.validation import check_is_fitted

from ..base import UnsuitableModelError, plural
from ..io import MediaError
from ._answer import answer_recording, enrol_recording
from ._enrolment import speaker_scalers
from ._html import WAITING, answer_html, note_html, problem_html
from ._layout import ENROL_SECONDS, make_blocks
from ._prepare import prepare, takes_sound
from ._uploads import Uploads, UploadWatch
from ._workers import Workers

_HERE = Path(__file__).parent
_MOST_BYTES_A_SECOND = 4 * 2**20  # phones write less, in 4K too
# Gradio would keep, and sum up after each answer, who asked when.
_NO_STATISTICS = {
    "GRADIO_ANALYTICS_MAX_EVENTS": "1",
    "GRADIO_ANALYTICS_CACHE_FREQUENCY": str(10**9),
}
_MOST_WAITING = 20  # people
_MOST_WORKERS = 4


class EmotionPage:
    """A page in the browser that recognises the emotion in a recording or an uploaded clip.

    Needs Gradio and matplotlib, the extra ``app``. Recordings are analysed in processes of their
    own and deleted when the answer is there; the page loads nothing from other machines.

    Parameters
    ----------
    model : estimator
        Fitted, with `predict_proba`. Not changed.
    max_seconds : float, default=60.0
        How long a recording may be.
    n_workers : int, default=None
        How many recordings are analysed at once, each in a process with its own copy of the model.
        None for one per core, up to four.

    Attributes
    ----------
    folder : Path
        Where recordings are until they are answered; None unless started.

    See Also
    --------
    serve : The same until interrupted.

    Raises
    ------
    ImportError
        If Gradio is not installed.
    UnsuitableModelError
        If the model has no `predict_proba`, or only reads files of landmarks.

    Examples
    --------
    >>> from skemotion import load_model
    >>> from skemotion.app import EmotionPage
    >>> with EmotionPage(load_model("model.skops")) as page:  # doctest: +SKIP
    ...     print(page.start(port=7860))
    ...     page.wait()
    http://127.0.0.1:7860/
    """

    def __init__(
        self, model: Any, *, max_seconds: float = 60.0, n_workers: int | None = None
    ) -> None:
        check_is_fitted(model)
        if not hasattr(model, "predict_proba"):
            raise UnsuitableModelError(
                f"A page needs a model with predict_proba, got {type(model).__name__}: put it in a "
                "CalibratedClassifierCV(ensemble=False)."
            )
        columns = set(getattr(model, "feature_names_in_", ()))
        if "landmarks" in columns and columns.isdisjoint(("video", "audio")):
            raise UnsuitableModelError(
                "A page needs a model of picture or sound, got one of landmarks' files, which a "
                "recording does not have: train it with picture='face'."
            )
        if not max_seconds > 0:
            raise ValueError(f"max_seconds must be positive, got {max_seconds}.")
        _gradio()
        self.model = model
        self.max_seconds = float(max_seconds)
        self.n_workers = n_workers or min(joblib.cpu_count(), _MOST_WORKERS)
        self.folder: Path | None = None
        self._closed = threading.Event()
        self._blocks: Any = None
        self._workers: Workers | None = None
        self._temporary: tempfile.TemporaryDirectory[str] | None = None
        self._settings = ExitStack()

    def start(
        self,
        host: str = "127.0.0.1",
        port: int | None = None,
        auth: tuple[str, str] | None = None,
        framed_by: str = "'none'",
    ) -> str:
        """Start the server, and return when it answers.

        Parameters
        ----------
        host : str, default="127.0.0.1"
            The interface it listens on: by default only this machine can reach it; "0.0.0.0" for
            all. Browsers give the camera to pages of this machine and to ``https://`` only.
        port : int, default=None
            None for a free one from 7860 on.
        auth : tuple of 2 str, default=None
            User and password, without which the page is not shown.
        framed_by : str, default="'none'"
            Which sites may show the page in a frame, as of the header Content-Security-Policy.

        Returns
        -------
        address : str
            Of the page.

        Raises
        ------
        OSError
            If the port is taken.
        FileNotFoundError, ImportError
            If something that the model needs is missing.
        """
        if self._blocks is not None:
            raise RuntimeError("The page has been started already.")
        if port is not None:
            _check_port(host, port)
        gradio = _gradio()
        self._temporary = tempfile.TemporaryDirectory(
            prefix="skemotion-page-", ignore_cleanup_errors=True
        )
        self.folder = Path(self._temporary.name).resolve() / "uploads"
        self.folder.mkdir()
        self._uploads = Uploads(self.folder)
        try:
            self._workers = Workers(self.model, self.n_workers, prepare)
            from starlette.middleware import Middleware

            watch = Middleware(UploadWatch, uploads=self._uploads, framed_by=framed_by)
            # Gradio looks the folder up at every request.
            self._settings.enter_context(
                _environment(GRADIO_TEMP_DIR=str(self.folder), **_NO_STATISTICS)
            )
            self._blocks = make_blocks(
                gradio,
                self._answer,
                self._enrol if speaker_scalers(self.model) else None,
                classes=[str(name) for name in self.model.classes_],
                max_seconds=self.max_seconds,
                takes_sound=takes_sound(self.model),
                is_upload=self._uploads.knows,
            )
            self._blocks.queue(max_size=_MOST_WAITING, default_concurrency_limit=self.n_workers)
            _, address, _ = self._blocks.launch(
                server_name=host,
                server_port=port,
                auth=auth,
                max_file_size=int(max(self.max_seconds, ENROL_SECONDS) * _MOST_BYTES_A_SECOND),
                theme=_theme(gradio),
                css_paths=[_HERE / "_page.css"],
                head=f"<script>{(_HERE / '_page.js').read_text(encoding='utf-8')}</script>",
                app_kwargs={"middleware": [watch], "docs_url": None, "redoc_url": None},
                footer_links=[],
                run_history=False,
                ssr_mode=False,
                pwa=False,
                mcp_server=False,
                enable_monitoring=False,
                share=False,
                inbrowser=False,
                prevent_thread_lock=True,
                quiet=True,
            )
        except BaseException:
            self.close()
            raise
        return str(address)

    def wait(self) -> None:
        """Return when the page is closed; an interrupt comes through."""
        while not self._closed.wait(1.0):
            pass

    def close(self) -> None:
        """End the server and its processes, and delete its folder."""
        self._closed.set()
        if self._blocks is not None:
            self._blocks.close(verbose=False)
            self._blocks = None
        if self._workers is not None:
            self._workers.close()
            self._workers = None
        if self._temporary is not None:
            self._temporary.cleanup()
            self._temporary = None
        self._settings.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _answer(self, path: str | None, enrolment: Any) -> str:
        """Give the answer about an upload, as HTML."""
        if path is None:
            return WAITING
        try:
            answer = self._run(
                answer_recording, path, max_seconds=self.max_seconds, enrolment=enrolment
            )
            return answer_html(answer, enrolled=enrolment is not None)
        except MediaError as error:
            return problem_html(str(error))
        finally:
            self._uploads.answered(path)

    def _enrol(self, path: str | None, known: Any) -> tuple[Any, str]:
        """Give what is known of a person after an upload, and a sentence on it."""
        if path is None:
            return known, note_html("Nobody is known yet.")
        try:
            enrolment, n_clips = self._run(enrol_recording, path, max_seconds=ENROL_SECONDS)
        except MediaError as error:
            return known, problem_html(str(error))
        finally:
            self._uploads.answered(path)
        stretches = plural(n_clips, "stretch", "stretches")
        words = f"You are known by {stretches} of 3\u00a0s. Record your emotion now."
        return enrolment, note_html(words)

    def _run(self, task: Any, path: str, **settings: Any) -> Any:
        if self._workers is None:
            raise MediaError("The page is being closed.")
        timeout = 60 + 4 * settings["max_seconds"]
        return self._workers.run(task, path, timeout=timeout, **settings)


def _check_port(host: str, port: int) -> None:
    """Raise what Gradio would raise after the processes have been started, in other words."""
    family, kind, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    with socket.socket(family, kind) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(address)
        except OSError as error:
            reason = (error.strerror or "unknown").lower()
            raise OSError(f"Port {port} of {host} cannot be used: {reason}.") from error


def _gradio() -> Any:
    try:
        import gradio
    except ImportError as error:
        raise ImportError(
            'The page needs Gradio: python -m pip install "skemotion[app]"'
        ) from error
    return gradio


def _theme(gradio: Any) -> Any:
    """Give plain surfaces, one accent, and fonts that every system has."""
    fonts = ("system-ui", "sans-serif")
    return gradio.themes.Base(
        primary_hue="blue",
        neutral_hue="slate",
        radius_size="md",
        font=fonts,
        font_mono=("ui-monospace", "monospace"),
    )


@contextmanager
def _environment(**values: str) -> Iterator[None]:
    """Set variables of the environment for a ``with`` block; Gradio takes some settings so."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
