"""Numbers with their nouns, for messages."""

from __future__ import annotations


def plural(n: int, noun: str, several: str | None = None) -> str:
    """Return a number with its noun, in the singular for one.

    Parameters
    ----------
    n : int
        The number.
    noun : str
        The noun in the singular.
    several : str, default=None
        Its plural; None for one that adds an s.

    Returns
    -------
    words : str

    Examples
    --------
    >>> from skemotion.base import plural
    >>> plural(1, "clip"), plural(1440, "clip"), plural(2, "entry", "entries")
    ('1 clip', '1,440 clips', '2 entries')
    """
    return f"{n:,} {noun if n == 1 else several or noun + 's'}"
