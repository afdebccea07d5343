"""Values of a command line: ``KEY=VALUE`` arguments, read strictly and in the same way by every command and the workflow."""

from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel

from pipeline.config.layers import merge
from pipeline.config.run import RunConfig
from pipeline.config.single_texts import with_lists
from pipeline.config.validation import Tree
from pipeline.config.yaml_file import read_argument
from pipeline.errors import ConfigurationError

__all__ = ["key_values", "with_command_line"]


def key_values(pairs: Sequence[str], *, option: str, model: type[BaseModel] = RunConfig) -> dict[str, Any]:
    """Mapping of ``KEY=VALUE`` arguments; the values are YAML. Mappings given repeatedly for one key are merged.

    A single text stands for a list of it where the model wants a list of texts.

    Raises
    ------
    ConfigurationError
        The equals sign is missing, or the value would be refused in a file too.

    Examples
    --------
    >>> key_values(["seed=5", "raw={folds: 3}", "datasets=idrid"], option="--config")
    {'seed': 5, 'raw': {'folds': 3}, 'datasets': ['idrid']}
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
        found = merge(found, {key: read_argument(value, where=f"{option} {key}")})
    return with_lists(found, model)


def with_command_line(config: Tree, given: Sequence[str]) -> dict[str, Any]:
    """Configuration with the arguments of ``--config`` read again.

    Snakemake passes most of them on as text, keeps the last of two equal keys, and expands every alias.

    Parameters
    ----------
    config
        Configuration as Snakemake merged it.
    given
        Arguments of ``--config`` as they were typed.

    Examples
    --------
    >>> with_command_line({"seed": 1, "raw": {"folds": "5"}}, ["raw={folds: 5}"])
    {'seed': 1, 'raw': {'folds': 5}}
    """
    return merge(config, key_values(given, option="--config"))
