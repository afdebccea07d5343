"""Reading options of a file for the readers of all formats; they change no value."""

from dataclasses import dataclass

from pipeline.config.raw import LARGEST_DECODE
from pipeline.runtime.memory import PIECES

__all__ = ["READING", "Reading"]


@dataclass(frozen=True, slots=True)
class Reading:
    """Reading options of one file."""

    workers: int = 1
    """Threads that decode pieces."""
    cache_bytes: int = PIECES
    """Bytes of decoded pieces in memory: a row of tiles or some strips of a wide slide."""
    checked: bool = False
    """Whether the JPEG scans of these contents were checked before and are whole."""
    largest: int = LARGEST_DECODE
    """Bytes of the largest picture, page, tile or strip that is decoded at once."""


READING = Reading()
"""One thread, unchecked contents."""
