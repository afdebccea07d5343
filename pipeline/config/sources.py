"""Sources of the parameters of a data set: which file, option, recipe or override each value comes from."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pipeline.config.run import DatasetRun
from pipeline.config.stages import StageConfig
from pipeline.config.validation import Tree

__all__ = ["DEFAULT", "sourced_values"]

DEFAULT = "default"
"""Source of a value that nobody gives."""


def sourced_values(run: DatasetRun, given: Sequence[tuple[str, Tree]]) -> list[tuple[str, Any, str]]:
    """Every parameter of a data set: key with dots, value, source.

    Parameters
    ----------
    run
        The data set with its merged parameters.
    given
        Name and plain values of each configuration file, then of the command line, in the order in which they are merged.
    """
    parts = list(_parts(run, given))
    leaves = _leaves(run.config.model_dump(mode="json"))
    return [(".".join(place), value, _source(place, parts)) for place, value in leaves]


def _parts(run: DatasetRun, given: Sequence[tuple[str, Tree]]) -> Iterator[tuple[str, Tree]]:
    """Trees of stage blocks with their names, those that win last."""
    recipe = run.entry.partition("@")[2]
    for name, tree in given:
        yield name, {key: value for key, value in tree.items() if key in StageConfig.model_fields}
    changes = [("recipes", run.record.modality), ("recipes", recipe), ("overrides", run.name)]
    for kind, key in [*changes, *([("overrides", run.entry)] if recipe else [])]:
        for name, tree in given:
            part = (tree.get(kind) or {}).get(key) if key else None
            if part:
                yield f"{name}, {kind}.{key}", part


def _leaves(tree: Tree, above: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    for key, value in tree.items():
        if isinstance(value, Mapping) and value:
            yield from _leaves(value, (*above, key))
        else:
            yield (*above, key), value


def _source(place: Sequence[str], parts: Sequence[tuple[str, Tree]]) -> str:
    return next((name for name, tree in reversed(parts) if _gives(tree, place)), DEFAULT)


def _gives(tree: Any, place: Sequence[str]) -> bool:  # noqa: ANN401 any YAML
    """Statement of a tree at a place: whether there is one, itself or by a value that stands for all below."""
    for key in place:
        if not isinstance(tree, Mapping):
            return True
        if key not in tree:
            return False
        tree = tree[key]
    return True
