"""Single texts of a command line where a configuration wants a list of texts: ``datasets=idrid`` for ``datasets=[idrid]``."""

from collections.abc import Iterator, Mapping, Sequence
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel

from pipeline.config.run import RunConfig
from pipeline.config.stages import StageConfig
from pipeline.config.validation import Tree

__all__ = ["with_lists"]

PARTS = ("recipes", "overrides")
"""Keys of a run whose values are parts of the stage blocks, by name."""


def with_lists(tree: Tree, model: type[BaseModel]) -> dict[str, Any]:
    """Plain values in which a single text stands in a list wherever the model wants a list of texts and no text.

    Parameters
    ----------
    tree
        The values; those of unknown keys stay as they are.
    model
        The model that will validate them.

    Examples
    --------
    >>> with_lists({"datasets": "idrid", "results": "here", "probability": {"fusions": "mean"}}, RunConfig)
    {'datasets': ['idrid'], 'results': 'here', 'probability': {'fusions': ['mean']}}
    """
    found = {key: _listed(value, _of_key([model], key)) for key, value in tree.items()}
    for kind in (kind for kind in PARTS if model is RunConfig and isinstance(found.get(kind), Mapping)):
        found[kind] = {name: _listed(part, [StageConfig]) for name, part in found[kind].items()}
    return found


def _listed(value: Any, kinds: Sequence[Any]) -> Any:  # noqa: ANN401 any YAML
    if isinstance(value, str):
        single = any(map(_is_list_of_texts, kinds)) and not any(map(_is_text, kinds))
        return [value] if single else value
    if isinstance(value, Mapping):
        return {key: _listed(each, _of_key(kinds, key)) for key, each in value.items()}
    return value


def _of_key(kinds: Sequence[Any], key: object) -> list[Any]:
    """Types that a key of a value of one of some types may have."""
    found: list[Any] = []
    for kind in kinds:
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            found += [
                each for name, field in kind.model_fields.items() if name == key for each in _members(field.annotation)
            ]
        elif get_origin(kind) is dict:
            found += _members(get_args(kind)[1])
    return found


def _members(annotation: Any) -> Iterator[Any]:  # noqa: ANN401 any annotation
    """Types that an annotation allows, without their constraints."""
    if get_origin(annotation) is Annotated:
        yield from _members(get_args(annotation)[0])
    elif get_origin(annotation) in (Union, UnionType):
        yield from (each for part in get_args(annotation) for each in _members(part))
    else:
        yield annotation


def _is_text(kind: Any) -> bool:  # noqa: ANN401 any annotation
    if get_origin(kind) is Literal:
        return any(isinstance(each, str) for each in get_args(kind))
    return kind is str or kind is Any


def _is_list_of_texts(kind: Any) -> bool:  # noqa: ANN401 any annotation
    parts = get_args(kind)
    repeated = get_origin(kind) is list or (get_origin(kind) is tuple and parts[1:] == (Ellipsis,))
    return repeated and all(map(_is_text, _members(parts[0])))
