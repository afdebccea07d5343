"""Reading options of a file: what the readers of all formats are told, and what changes no value."""

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
    """Bytes of decoded pieces that are held: a row of tiles or some strips of a wide slide."""
    checked: bool = False
    """Whether the JPEG scans of these contents were looked through before and are whole."""
    largest: int = LARGEST_DECODE
    """Bytes of the largest picture, page, tile or strip that is decoded at once."""


READING = Reading()
"""One thread, contents that nobody has looked through."""
