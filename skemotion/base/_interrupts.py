"""Ctrl-C ends a run, whatever is being trained at that moment."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager

_WORDS = "Training interrupted by user"


@contextmanager
def ended_by_interrupts() -> Iterator[None]:
    """Let Ctrl-C end what runs inside, during the training of scikit-learn's perceptrons as well.

    They take `KeyboardInterrupt` for the wish to train no further, and warn. An evaluation would
    then go on, with models that are trained in part.

    Raises
    ------
    KeyboardInterrupt
        Where a perceptron has kept one to itself.

    Examples
    --------
    >>> import warnings
    >>> from skemotion.base import ended_by_interrupts
    >>> try:
    ...     with ended_by_interrupts():
    ...         warnings.warn("Training interrupted by user.")  # as a perceptron does
    ... except KeyboardInterrupt:
    ...     print("ended")
    ended
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("error", _WORDS, UserWarning)
        try:
            yield
        except UserWarning as warning:
            if str(warning).startswith(_WORDS):
                raise KeyboardInterrupt from None
            raise
