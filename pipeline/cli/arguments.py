"""Arguments that several commands take: positive whole numbers."""

import argparse

__all__ = ["positive"]


def positive(text: str) -> int:
    """A whole number of at least 1, for argparse."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{number} is not at least 1")
    return number
