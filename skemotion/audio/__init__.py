"""Audio: loading waveforms, making variants of them and describing them."""

from ._loader import AudioLoader

__all__ = ["AudioLoader"]
