"""Arguments that several commands take: ``KEY=VALUE`` pairs and positive whole numbers."""

import argparse
from collections.abc import Sequence
from typing import Any

import yaml

from pipeline.config.yaml_file import read_scalar, read_value
from pipeline.errors import ConfigurationError

__all__ = ["key_values", "positive"]


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
        found[key] = _value(value, option=f"{option} {key}")
    return found


def _value(text: str, *, option: str) -> Any:  # noqa: ANN401 any YAML
    """Value as Snakemake reads it: scalars stay texts inside of YAML, and are then taken for what they are."""
    try:
        return read_value(yaml.load(text, Loader=yaml.BaseLoader)) if text[:1] in "[{" else read_scalar(text)  # noqa: S506
    except (yaml.YAMLError, RecursionError) as problem:
        raise ConfigurationError(
            "A value is no YAML.",
            where=option,
            found=str(problem)[:500],
            expected="a number, a text, [a, list] or {a: mapping}",
            remedy="Put quotes around the whole argument, and a space behind each colon.",
        ) from None


def positive(text: str) -> int:
    """A whole number of at least 1, for argparse."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{number} is not at least 1")
    return number
