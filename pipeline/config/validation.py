"""Validation of plain values by strict models, and the message for each value that is wrong."""

import difflib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar, get_args

import yaml
from pydantic import BaseModel, ValidationError

from pipeline.errors import ConfigurationError, PipelineError

__all__ = ["Tree", "check_keys", "load_yaml", "nearest", "validate"]

Tree = Mapping[str, Any]
REMEDY = "Correct the value; stages/config.yaml and datasets_manifest.yaml explain each key."
Model = TypeVar("Model", bound=BaseModel)


def load_yaml(path: Path, *, error: type[PipelineError] = ConfigurationError) -> dict[str, Any]:
    """Read a YAML mapping, or say what is wrong with the file."""
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise error(
            "The file does not exist.",
            where=path,
            found="nothing",
            expected="a YAML file",
            remedy="Check the path; it is relative to the working folder.",
        ) from None
    except (yaml.YAMLError, UnicodeDecodeError) as problem:
        raise error(
            "The file is no YAML.",
            where=path,
            found=str(problem),
            expected="a YAML mapping in UTF-8",
            remedy="Mend the line that is named.",
        ) from problem
    if not isinstance(content, dict):
        raise error(
            "The file holds no keys.",
            where=path,
            found=type(content).__name__,
            expected="a YAML mapping",
            remedy="Write `key: value` lines.",
        )
    return content


def _models_in(annotation: object) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for each in get_args(annotation) for model in _models_in(each)]


def _keys_at(model: type[BaseModel], place: Iterable[int | str]) -> list[str]:
    # Follows a path of keys through the models; what is no field (a name, a tag, a number) is passed over.
    models = [model]
    for part in place:
        found = [field for each in models for name, field in each.model_fields.items() if name == part]
        models = [each for field in found for each in _models_in(field.annotation)] or models
    return sorted({name for each in models for name in each.model_fields})


def _where(place: tuple[int | str, ...], source: str) -> str:
    return f"{source}: {'.'.join(str(part) for part in place) or 'the whole'}"


def _reason(problem: Mapping[str, Any]) -> str:
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
        allowed = _keys_at(model, place[:-1])
        near = difflib.get_close_matches(str(place[-1]), allowed, n=1, cutoff=0.0)
        return PipelineError(
            "Unknown key.",
            where=where,
            found=place[-1],
            expected=f"one of {', '.join(allowed)}",
            remedy=f"Did you mean {near[0]!r}? Rename the key or take it away." if near else "Take it away.",
        )
    found = "nothing" if problem["type"] == "missing" else f"{problem['input']!r} ({type(problem['input']).__name__})"
    if len(found) > 200:
        found = f"{found[:200]}…"
    return PipelineError(
        "This value is not allowed.", where=where, found=found, expected=_reason(problem), remedy=REMEDY
    )


def validate(model: type[Model], tree: Tree, *, source: str, error: type[PipelineError]) -> Model:
    """Build a strict model, or raise one error that lists every problem with its key, value and remedy."""
    try:
        return _strict(model, tree, source=source, error=error)
    except ValidationError as problem:
        messages = [str(_message(each, model=model, source=source)) for each in problem.errors()]
        raise error("\n".join(messages)) from None


def _strict(model: type[Model], tree: Tree, *, source: str, error: type[PipelineError]) -> Model:
    try:
        # JSON mode: strict about types (no "3" for 3), yet a list may stand for a tuple.
        return model.model_validate_json(json.dumps(tree), strict=True)
    except TypeError as problem:
        raise error(
            "A value has no plain type.",
            where=source,
            found=problem,
            expected="text, numbers, lists",
            remedy="Quote dates and other special values.",
        ) from problem


def check_keys(model: type[BaseModel], tree: Tree, *, source: str) -> None:
    """Raise one error that lists the unknown keys; values that are wrong or do not go together pass.

    Raises
    ------
    ConfigurationError
        With the nearest known key of each.
    """
    try:
        _strict(model, tree, source=source, error=ConfigurationError)
    except ValidationError as problem:
        unknown = [each for each in problem.errors() if each["type"] == "extra_forbidden"]
        if unknown:
            messages = [str(_message(each, model=model, source=source)) for each in unknown]
            raise ConfigurationError("\n".join(messages)) from None


def nearest(word: str, known: Iterable[str]) -> str:
    """Remedy for an unknown word: the nearest known one."""
    near = difflib.get_close_matches(word, list(known), n=1, cutoff=0.4)
    return f"Did you mean {near[0]!r}?" if near else "Add it, or choose another."
