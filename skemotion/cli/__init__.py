"""The command line; it parses and prints, and does nothing that a library user could not."""

from ._main import main

__all__ = ["main"]
