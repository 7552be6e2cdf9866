"""The page of a model, until interrupted."""

from __future__ import annotations

import signal
import threading
from typing import Any

from ._emotion_page import EmotionPage


def serve(
    model: Any,
    host: str = "127.0.0.1",
    port: int | None = None,
    *,
    auth: tuple[str, str] | None = None,
    max_seconds: float = 60.0,
    framed_by: str = "'none'",
) -> None:
    """Show the page of a model until interrupted; prints its address.

    Parameters
    ----------
    model : estimator
        Fitted, with `predict_proba`. Not changed.
    host : str, default="127.0.0.1"
        The interface to listen on.
    port : int, default=None
        None for a free one from 7860 on.
    auth : tuple of 2 str, default=None
        User and password, without which the page is not shown.
    max_seconds : float, default=60.0
        How long a recording may be.
    framed_by : str, default="'none'"
        Which sites may show the page in a frame.

    See Also
    --------
    EmotionPage : The same in parts; says what is raised.

    Examples
    --------
    >>> from skemotion import load_model
    >>> from skemotion.app import serve
    >>> serve(load_model("model.skops"), port=7860)  # doctest: +SKIP
    http://127.0.0.1:7860/
    """
    if (
        threading.current_thread() is threading.main_thread()
        and signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    ):
        # As containers are stopped: by default nothing would be cleared up.
        signal.signal(signal.SIGTERM, signal.default_int_handler)
    with EmotionPage(model, max_seconds=max_seconds) as page:
        print(page.start(host, port, auth, framed_by), flush=True)
        page.wait()
