"""Validation of plain values by strict models, and the message for each wrong value."""

import difflib
import itertools
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, ValidationError

from pipeline.errors import ConfigurationError, PipelineError

__all__ = ["OPEN", "Tree", "check_keys", "nearest", "validate"]

Tree = Mapping[str, Any]
OPEN = "???"
"""Value of an open question that `lesionmap init` could not answer."""
MOST_SAID = 5
"""Most problems named."""
LONGEST = 200
"""Most characters shown of a value."""
REMEDY = "Correct the value; stages/config.yaml and datasets_manifest.yaml explain each key."
Model = TypeVar("Model", bound=BaseModel)


def _models_in(annotation: object) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for each in get_args(annotation) for model in _models_in(each)]


def _keys_at(model: type[BaseModel], place: Iterable[int | str]) -> list[str]:
    # Follows a path of keys through the models; parts that are not fields (a name, a tag, a number) are skipped.
    models = [model]
    for part in place:
        found = [field for each in models for name, field in each.model_fields.items() if name == part]
        models = [each for field in found for each in _models_in(field.annotation)] or models
    return sorted({name for each in models for name in each.model_fields})


def _where(place: tuple[int | str, ...], source: str) -> str:
    return _short(f"{source}: {'.'.join(str(part) for part in place) or 'the whole'}")


def _short(text: str) -> str:
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"


def _reason(problem: Mapping[str, Any]) -> str:
    if problem["type"] == "missing":
        return "a value for this key, which has no default"
    if problem["type"] == "union_tag_not_found":
        return f"a block that names its kind by the key {problem['ctx']['discriminator']}"
    return str(problem["msg"]).removeprefix("Value error, ")


def _is_tag(place: tuple[int | str, ...], at: int) -> bool:
    """Tag of a union: the strategy of a sampling, the form of the augmentation, the name of a change in its list."""
    before = ("", "", "", *place)[at : at + 3]
    if place[at] in ("set", "list"):
        return before[2] == "augmentation"
    return before[1] == "samplings" or (before[:2] == ("augmentation", "list") and isinstance(before[2], int))


def _message(problem: Mapping[str, Any], *, model: type[BaseModel], source: str) -> PipelineError:
    place = tuple(part for at, part in enumerate(problem["loc"]) if not _is_tag(problem["loc"], at))
    if problem["type"] == "value_error":
        return PipelineError(
            "These values do not go together.",
            where=_where(place, source),
            found=_reason(problem),
            expected="values that can be meant",
            remedy=REMEDY,
        )
    where = _where(place, source)
    if problem["type"] == "extra_forbidden":
        # Keys of another variant of this block, such as another strategy, are not allowed either.
        allowed = [name for name in _keys_at(model, place[:-1]) if name != place[-1]]
        if len(allowed) < len(_keys_at(model, place[:-1])):
            return PipelineError(
                "This key belongs to another kind of block.",
                where=where,
                found=_short(str(place[-1])),
                expected="keys of this kind alone, such as those of its strategy",
                remedy="Take it away. Where a block below gave it, set that whole block to null and use another name.",
            )
        near = difflib.get_close_matches(str(place[-1])[:LONGEST], allowed, n=1, cutoff=0.0)
        return PipelineError(
            "Unknown key.",
            where=where,
            found=_short(str(place[-1])),
            expected=f"one of {', '.join(allowed)}",
            remedy=f"Did you mean {near[0]!r}? Rename the key or take it away." if near else "Take it away.",
        )
    found = "nothing" if problem["type"] == "missing" else f"{problem['input']!r} ({type(problem['input']).__name__})"
    found = _short(found)
    return PipelineError(
        "This value is not allowed.", where=where, found=found, expected=_reason(problem), remedy=REMEDY
    )


def validate(
    model: type[Model], tree: Tree, *, source: str, error: type[PipelineError], open_lines: Sequence[int] = ()
) -> Model:
    """Build a strict model, or raise one error that lists every problem with its key, value and remedy.

    Parameters
    ----------
    model
        The model.
    tree
        Plain values.
    source
        File or block that they come from.
    error
        Class of the error to raise.
    open_lines
        Lines of the open questions in the file, in its order, for the message.
    """
    if unanswered := list(_open_places(tree)):
        lines = [f" (line {line})" for line in open_lines] if len(open_lines) == len(unanswered) else []
        named = itertools.zip_longest(unanswered, lines, fillvalue="")
        places = ", ".join(_short(".".join(map(str, place))) + line for place, line in list(named)[:MOST_SAID])
        raise error(
            "A question is not answered." if len(unanswered) == 1 else f"{len(unanswered)} questions are not answered.",
            where=f"{source}: {places}",
            found=OPEN,
            expected="a value in place of each ???",
            remedy="Look into your data and write what you know; the comment in that line says what was seen.",
        )
    try:
        return _strict(model, tree, source=source, error=error)
    except ValidationError as problem:
        raise error(_messages(problem.errors(include_url=False), model=model, source=source)) from None


def _open_places(tree: object, above: tuple[int | str, ...] = ()) -> Iterator[tuple[int | str, ...]]:
    if isinstance(tree, str):
        if tree.strip() == OPEN:
            yield above
    elif isinstance(tree, Mapping):
        for key, value in tree.items():
            yield from _open_places(value, (*above, str(key)))
    elif isinstance(tree, list | tuple):
        for at, value in enumerate(tree):
            yield from _open_places(value, (*above, at))


def _messages(problems: Sequence[Any], *, model: type[BaseModel], source: str) -> str:
    """Messages of the first problems, and the number of the others."""
    said = [str(_message(each, model=model, source=source)) for each in problems[:MOST_SAID]]
    more = len(problems) - MOST_SAID
    return "\n".join([*said, *([f"and {more:,} more such problem{'s' if more > 1 else ''}"] if more > 0 else [])])


def _strict(model: type[Model], tree: Tree, *, source: str, error: type[PipelineError]) -> Model:
    try:
        # JSON mode: strict about types (no "3" for 3), yet a list may stand for a tuple.
        return model.model_validate_json(json.dumps(tree), strict=True)
    except ValidationError:
        raise
    except (TypeError, ValueError, RecursionError) as problem:
        raise error(
            "A value has no plain type.",
            where=source,
            found=str(problem)[:LONGEST],
            expected="text, numbers of at most 4300 digits, lists",
            remedy="Quote dates and other special values.",
        ) from problem


def check_keys(model: type[BaseModel], tree: Tree, *, source: str) -> None:
    """Raise one error that lists the unknown keys; wrong or conflicting values pass.

    Raises
    ------
    ConfigurationError
        Names the nearest known key of each.
    """
    try:
        _strict(model, tree, source=source, error=ConfigurationError)
    except ValidationError as problem:
        unknown = [each for each in problem.errors() if each["type"] == "extra_forbidden"]
        if unknown:
            raise ConfigurationError(_messages(unknown, model=model, source=source)) from None


def nearest(word: str, known: Iterable[str]) -> str:
    """Remedy for an unknown word: the nearest known word."""
    near = difflib.get_close_matches(word, list(known), n=1, cutoff=0.4)
    return f"Did you mean {near[0]!r}?" if near else "Add it, or choose another."
