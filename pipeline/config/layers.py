"""Precedence of the parts of a data set's parameters: shipped values, user values, recipes, overrides.

A user's values win over all shipped defaults: the blocks, the recipe of the modality, the overrides of the samples.
Otherwise the more specific part wins, in ascending order: blocks, recipe of the modality, recipe requested by name,
overrides.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pipeline.config.stages import StageConfig
from pipeline.config.validation import Tree

__all__ = ["Layer", "Part", "blocks_of", "known_samplings", "merge", "merged_layers", "merged_parts", "parts_of"]

Layer = tuple[str, Tree]
"""Name and plain values of a configuration: the shipped one, a file, the command line."""


def merge(base: Tree, change: Tree) -> dict[str, Any]:
    """Merge of mappings, key by key; other values are replaced, and null removes a named sampling or model.

    Examples
    --------
    >>> merge({"a": {"b": 1, "c": 2}}, {"a": {"c": 3}})
    {'a': {'b': 1, 'c': 3}}
    """
    merged = dict(base)
    for key, value in change.items():
        old = merged.get(key)
        merged[key] = merge(old, value) if isinstance(old, Mapping) and isinstance(value, Mapping) else value
    return merged


def merged_layers(layers: Iterable[Layer]) -> dict[str, Any]:
    """Plain values of several configurations merged; later ones win."""
    tree: dict[str, Any] = {}
    for _, each in layers:
        tree = merge(tree, each)
    return tree


def blocks_of(tree: Tree) -> dict[str, Any]:
    """Stage blocks of a configuration, and its seed."""
    return {key: value for key, value in tree.items() if key in StageConfig.model_fields}


@dataclass(frozen=True, slots=True)
class Part:
    """Part of the stage blocks of a data set."""

    name: str
    """Place where it is written, such as ``mine.yaml, overrides.idrid``."""
    tree: Tree
    general: bool
    """Whether a user wrote it."""


def parts_of(layers: Sequence[Layer], *, modality: str, name: str, recipe: str | None) -> list[Part]:
    """Parts of the stage blocks of a data set, in ascending precedence.

    Parameters
    ----------
    layers
        The shipped configuration, then the user's, in the order of merging.
    modality
        Modality of the data set; the recipe of that name is its default.
    name, recipe
        The data set, and the recipe requested by ``name@recipe``.
    """
    shipped, own = layers[:1], layers[1:]
    entry = f"{name}@{recipe}" if recipe else None
    return [
        *(Part(name, blocks_of(tree), general=False) for name, tree in shipped),
        *_parts(shipped, "recipes", modality),
        *_parts(shipped, "overrides", name),
        *(Part(name, blocks_of(tree), general=True) for name, tree in own),
        *_parts(own, "recipes", modality),
        *_parts(layers, "recipes", recipe),
        *_parts(own, "overrides", name),
        *_parts(layers, "overrides", entry),
    ]


def _parts(layers: Sequence[Layer], kind: str, key: str | None) -> Iterator[Part]:
    for name, tree in layers:
        part = (tree.get(kind) or {}).get(key) if key else None
        if part:
            yield Part(f"{name}, {kind}.{key}", part, general=False)


def merged_parts(parts: Sequence[Part], *, known: Collection[str]) -> dict[str, Any]:
    """Stage blocks of a data set, from its parts.

    A user's general change of a sampling without ``strategy`` applies only to data sets that have the sampling, because
    the recipe of a modality removes some.

    Parameters
    ----------
    parts
        As `parts_of` gives them.
    known
        Samplings of any data set, see `known_samplings`.
    """
    blocks: dict[str, Any] = {}
    for part in parts:
        tree = _where_it_is(part.tree, blocks=blocks, known=known) if part.general else part.tree
        blocks = merge(blocks, tree)
    return blocks


def known_samplings(layers: Sequence[Layer]) -> set[str]:
    """Names of the samplings whose strategy is given anywhere."""
    trees = [tree for _, tree in layers]
    parts = [part for tree in trees for kind in ("recipes", "overrides") for part in (tree.get(kind) or {}).values()]
    return {
        name
        for tree in (*trees, *parts)
        for name, each in _samplings(tree).items()
        if isinstance(each, Mapping) and "strategy" in each
    }


def _samplings(tree: Any) -> Tree:  # noqa: ANN401 any YAML
    for key in ("index", "samplings"):
        tree = tree.get(key) if isinstance(tree, Mapping) else None
    return tree if isinstance(tree, Mapping) else {}


def _where_it_is(tree: Tree, *, blocks: Tree, known: Collection[str]) -> Tree:
    """Blocks without changes of missing samplings."""
    there = _samplings(blocks)
    away = [
        name
        for name, each in _samplings(tree).items()
        if isinstance(each, Mapping) and "strategy" not in each
        if name in known and not isinstance(there.get(name), Mapping)
    ]
    if not away:
        return tree
    samplings = {name: each for name, each in _samplings(tree).items() if name not in away}
    return {**tree, "index": {**tree["index"], "samplings": samplings}}
