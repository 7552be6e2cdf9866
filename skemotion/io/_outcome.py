"""What becomes of a call in a worker process."""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

from ._errors import MediaError, beyond_limit


class Outcome(NamedTuple):
    """What became of a call.

    Attributes
    ----------
    value : Any
        What the function returned.
    error : BaseException or None
        What it raised.
    end : {"", "crash", "time"}
        What ended its worker: a crash, with the signal in `signal`, or the limit of time.
    signal : str
        Such as "SIGSEGV".
    """

    value: Any = None
    error: BaseException | None = None
    end: Literal["", "crash", "time"] = ""
    signal: str = ""

    def result(self, name: str) -> Any:
        """Return the value, or raise the error; that of a worker's end names the clip."""
        if isinstance(self.error, Exception | KeyboardInterrupt):
            raise self.error
        if self.error is not None:  # would end this process, too
            raise MediaError(
                f"{name}: expected a clip, found one at which the decoder or a step gives up "
                f"({type(self.error).__name__}: {self.error}). Leave the clip out, or make or "
                "download it again."
            ) from self.error
        if self.end == "time":
            raise beyond_limit(name, "max_decode_seconds", "one for which a worker takes longer")
        if self.end == "crash":
            raise MediaError(
                f"{name}: expected a clip, found one in which the decoder or a step crashes and "
                f"takes its process along ({self.signal}). Leave the clip out, or make or download "
                "it again."
            )
        return self.value
