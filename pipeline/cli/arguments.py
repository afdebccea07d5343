"""Arguments that several commands take: ``KEY=VALUE`` pairs and positive whole numbers; the folder of the project."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from pipeline.errors import ConfigurationError

__all__ = ["PROJECT", "key_values", "positive"]

PROJECT = Path(__file__).parents[2]
"""Folder of the Snakefile and of the shipped manifest."""


def key_values(pairs: Sequence[str], *, option: str) -> dict[str, Any]:
    """Mapping of ``KEY=VALUE`` arguments; the values are YAML.

    Raises
    ------
    ConfigurationError
        Where the equals sign is missing.

    Examples
    --------
    >>> key_values(["overlap=0.75", "splits=[test]"], option="--probability")
    {'overlap': 0.75, 'splits': ['test']}
    """
    found: dict[str, Any] = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals:
            raise ConfigurationError(
                "A value is missing.",
                where=option,
                found=pair,
                expected="key=value",
                remedy="Write it without spaces around the equals sign.",
            )
        found[key] = yaml.safe_load(value)
    return found


def positive(text: str) -> int:
    """A whole number of at least 1, for argparse."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{number} is not at least 1")
    return number
