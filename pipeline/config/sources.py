"""Sources of the parameters of a data set: the file, option, recipe or override of each value."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from pipeline.config.layers import Layer, Part, blocks_of, known_samplings, merged_layers, merged_parts, parts_of
from pipeline.config.run import DatasetRun
from pipeline.config.validation import Tree

__all__ = ["DEFAULT", "outdone_sentences", "sourced_values"]

DEFAULT = "default"
"""Source of a default value."""
EXPERIMENTS = "experiments"
"""Source of a model that a comparison adds."""
BY_FOLD = (("model", "models"), ("index", "samplings"))
FOLD = re.compile(r"\.fold\d+$")
MOST_SAID = 5
"""Most values without effect that are named."""
LONGEST = 100
"""Most characters of such a value."""
Place = tuple[str, ...]
"""Path of keys to a value."""


def sourced_values(run: DatasetRun, given: Sequence[Layer]) -> list[tuple[str, Any, str]]:
    """Every parameter of a data set: key with dots, value, source.

    Parameters
    ----------
    run
        The data set with its merged parameters.
    given
        Name and plain values of the shipped configuration, of each file, then of the command line, in the order of
        merging.
    """
    parts = _parts(run, given)
    marks, written = _marks(parts, given), merged_parts(parts, known=known_samplings(given))
    arms = {model for arm in run.arms for model in arm.models}
    found = []
    for place, value in _leaves(run.config.model_dump(mode="json")):
        own = _named(place, marks)
        source = EXPERIMENTS if place[2:3] and place[2] in arms - _names(marks, place) else _source(own, marks, parts)
        found.append((".".join(place), value, _with_word(source, _at(written, own), value)))
    return found


def _names(marks: Tree, place: Place) -> set[str]:
    """Names of models, ensembles or samplings, for a value of one of them."""
    found = _at(marks, place[:2])
    return set(found) if isinstance(found, Mapping) else set()


def _named(place: Place, marks: Tree) -> Place:
    """Place where a value of a fold's model or sampling is written: that of the one for all folds."""
    if place[:2] not in BY_FOLD or place[2] in _names(marks, place):
        return place
    return (*place[:2], FOLD.sub("", place[2]), *place[3:])


def _with_word(source: str, written: Any, value: Any) -> str:  # noqa: ANN401 any plain value
    """Source with the text written there, for a derived value such as weights from the encoder."""
    whole = isinstance(written, list | Mapping) or isinstance(value, list | Mapping)
    if source in (DEFAULT, EXPERIMENTS) or whole or written == value:
        return source
    return f"follows from others; {source} says {json.dumps(written)}"


def _parts(run: DatasetRun, given: Sequence[Layer]) -> list[Part]:
    recipe = run.entry.partition("@")[2] or None
    return parts_of(given, modality=run.record.modality, name=run.name, recipe=recipe)


def _marks(parts: Sequence[Part], given: Sequence[Layer]) -> dict[str, Any]:
    """Name of the part that gives each value, merged like the values."""
    return merged_parts(
        [replace(each, tree=_marked(each.tree, each.name)) for each in parts], known=known_samplings(given)
    )


def _marked(tree: Tree, name: str) -> dict[str, Any]:
    return {key: _marked(value, name) if isinstance(value, Mapping) else name for key, value in tree.items()}


def _leaves(tree: Tree, above: Place = ()) -> Iterator[tuple[Place, Any]]:
    for key, value in tree.items():
        if isinstance(value, Mapping) and value:
            yield from _leaves(value, (*above, key))
        else:
            yield (*above, key), value


def _source(place: Place, marks: Tree, parts: Sequence[Part]) -> str:
    found: Any = marks
    for key in place:
        if not isinstance(found, Mapping):
            return str(found)  # A value for everything below.
        if key not in found:
            return DEFAULT
        found = found[key]
    if not isinstance(found, Mapping):
        return str(found)
    # An empty mapping: the last part that gives it.
    return next((each.name for each in reversed(parts) if _gives(each.tree, place)), DEFAULT)


def _gives(tree: Any, place: Place) -> bool:  # noqa: ANN401 any YAML
    for key in place:
        if not isinstance(tree, Mapping) or key not in tree:
            return False
        tree = tree[key]
    return True


def outdone_sentences(runs: Sequence[DatasetRun], given: Sequence[Layer]) -> list[str]:
    """Sentences on values that a user set for all data sets and that apply to none of the run, at most five.

    Parameters
    ----------
    runs
        Data sets of the run.
    given
        As for `sourced_values`.
    """
    shipped, own = given[0][1], merged_layers(given[1:])
    names = [name for name, _ in given[1:]]
    stacks = [_parts(run, given) for run in runs]
    marked = [(_marks(parts, given), parts) for parts in stacks]
    merged = [merged_parts(parts, known=known_samplings(given)) for parts in stacks]
    said = []
    for place, value in _leaves(blocks_of(own)):
        if isinstance(value, Mapping) or _at(shipped, place) == value:
            continue
        sources = [_source(place, marks, parts) for marks, parts in marked]
        if all(source not in names and _at(tree, place) != value for source, tree in zip(sources, merged, strict=True)):
            said.append(_outdone(place, value, sources[0]))
    more = len(said) - MOST_SAID
    return said[:MOST_SAID] + ([f"and {more} more values that hold for no data set of this run"] if more > 0 else [])


def _outdone(place: Place, value: Any, winner: str) -> str:  # noqa: ANN401 any plain value
    found = f"{winner} says otherwise" if winner != DEFAULT else "no data set has what it changes"
    said = f"{'.'.join(place)}: {json.dumps(value)[:LONGEST]} holds for no data set of this run; {found}"
    return f"{said}. To do: write it there, or in overrides of the data set."


def _at(tree: Any, place: Place) -> Any:  # noqa: ANN401 any YAML
    for key in place:
        tree = tree.get(key) if isinstance(tree, Mapping) else None
    return tree
