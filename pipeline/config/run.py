"""What does this run do? Configuration and manifest, merged per data set, checked, and explained where wrong."""

import difflib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, TypeVar, get_args

import yaml
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from pipeline.config import SafeName, Sampling, StageConfig
from pipeline.config.manifest import DatasetRecord, ManifestRecord, resolved_root
from pipeline.errors import ConfigurationError, ManifestError, PipelineError

__all__ = [
    "DatasetRun",
    "RunConfig",
    "load_manifest",
    "load_yaml",
    "merge",
    "plan_run",
    "run_schema",
    "sampling_from",
    "validate",
]

ENTRY = re.compile(r"(?P<dataset>[^@]+)(?:@(?P<recipe>[^@]+))?")
Tree = Mapping[str, Any]
REMEDY = "Correct the value; stages/config.yaml and datasets_manifest.yaml explain each key."
Model = TypeVar("Model", bound=BaseModel)


class RunConfig(StageConfig):
    """``stages/config.yaml``: the stage blocks hold for every data set, recipes and overrides change parts of them."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    manifest: str | None = Field(None, description="Manifest file; null for the one beside the Snakefile.")
    results: str = Field("results", description="Folder of the results, relative to the working folder.")
    datasets: Annotated[tuple[str, ...], Field(min_length=1)] | None = Field(
        None, description="Data sets, each `name` or `name@recipe`; null for all whose folder is known."
    )
    roots: dict[str, str] = Field({}, description="Data set → folder, relative to the working folder.")
    recipes: dict[SafeName, dict[str, Any]] = Field(
        {}, description="Name → parts of the stage blocks. A recipe named like a modality is its default."
    )
    overrides: dict[str, dict[str, Any]] = Field(
        {}, description="Data set (`name` or `name@recipe`) → parts of the stage blocks."
    )


@dataclass(frozen=True, slots=True)
class DatasetRun:
    """One entry of ``datasets``, ready to run."""

    entry: str
    """``name`` or ``name@recipe``: the folder under ``results``."""
    name: str
    """Name in the manifest."""
    record: DatasetRecord
    """Facts."""
    root: Path | None
    """Folder of the files; None for phantoms."""
    config: StageConfig
    """Parameters, merged."""


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


def merge(base: Tree, change: Tree) -> dict[str, Any]:
    """Mappings are merged key by key, everything else is replaced; null takes a named sampling or model away.

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


def _without_null_names(tree: dict[str, Any]) -> dict[str, Any]:
    for stage, names in (("index", "samplings"), ("model", "models"), ("model", "ensembles")):
        named = tree.get(stage, {}).get(names) if isinstance(tree.get(stage), Mapping) else None
        if isinstance(named, Mapping):
            tree[stage] = {**tree[stage], names: {name: each for name, each in named.items() if each is not None}}
    return tree


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


def _message(problem: Mapping[str, Any], *, model: type[BaseModel], source: str) -> PipelineError:
    # The tag of a sampling's strategy is part of pydantic's place, but no key of the file.
    place = tuple(part for at, part in enumerate(problem["loc"]) if at < 2 or problem["loc"][at - 2] != "samplings")
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


def load_manifest(path: Path) -> ManifestRecord:
    """Read and check a manifest."""
    return validate(ManifestRecord, load_yaml(path, error=ManifestError), source=str(path), error=ManifestError)


def _nearest(word: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(word, list(known), n=1, cutoff=0.4)
    return f"Did you mean {near[0]!r}?" if near else "Add it, or choose another."


def _split_entry(entry: str, *, run: RunConfig, known: Mapping[str, DatasetRecord]) -> tuple[str, str | None]:
    match = ENTRY.fullmatch(entry)
    name, recipe = (match["dataset"], match["recipe"]) if match else (entry, None)
    if name not in known:
        raise ConfigurationError(
            "Unknown data set.",
            where="datasets",
            found=entry,
            expected=f"one of {', '.join(known)}",
            remedy=_nearest(name, known),
        )
    if recipe is not None and recipe not in run.recipes:
        raise ConfigurationError(
            "Unknown recipe.",
            where="datasets",
            found=entry,
            expected=f"{name}@ and one of {', '.join(run.recipes) or '(no recipes)'}",
            remedy=_nearest(recipe, run.recipes),
        )
    return name, recipe


def _dataset_config(tree: Tree, *, entry: str, name: str, recipe: str | None, modality: str) -> StageConfig:
    blocks = {key: value for key, value in tree.items() if key in StageConfig.model_fields}
    recipes, overrides = tree.get("recipes") or {}, tree.get("overrides") or {}
    parts = [recipes.get(modality), recipes.get(recipe) if recipe else None, overrides.get(name)]
    if recipe:
        parts.append(overrides.get(entry))
    for part in parts:
        blocks = merge(blocks, part or {})
    return validate(
        StageConfig, _without_null_names(blocks), source=f"configuration of {entry}", error=ConfigurationError
    )


def _check_names(run: RunConfig, *, known: Mapping[str, DatasetRecord]) -> None:
    for key, names in (("roots", run.roots), ("overrides", [each.split("@")[0] for each in run.overrides])):
        for unknown in [name for name in names if name not in known]:
            raise ConfigurationError(
                "Unknown data set.",
                where=key,
                found=unknown,
                expected=f"one of {', '.join(known)}",
                remedy=_nearest(unknown, known),
            )


def _with_known_folder(records: Mapping[str, DatasetRecord], *, run: RunConfig) -> tuple[str, ...]:
    found = tuple(name for name, each in records.items() if each.phantom or each.root is not None or name in run.roots)
    if not found:
        raise ConfigurationError(
            "No data set can be run.",
            where="datasets",
            found="no root in manifest or roots",
            expected="a folder for at least one data set",
            remedy="Give datasets and roots, or root in the manifest.",
        )
    return found


def _check_parts(tree: Tree, *, run: RunConfig) -> None:
    # An unknown key is wrong even in a part that nobody uses today; values that do not go together are not, for the
    # blocks below that part may belong to another data set. What is used is checked whole.
    blocks = {key: value for key, value in tree.items() if key in StageConfig.model_fields}
    for kind, parts in (("recipes", run.recipes), ("overrides", run.overrides)):
        for name, part in parts.items():
            merged = _without_null_names(merge(blocks, part))
            source = f"{kind}.{name}"
            try:
                _strict(StageConfig, merged, source=source, error=ConfigurationError)
            except ValidationError as problem:
                unknown = [each for each in problem.errors() if each["type"] == "extra_forbidden"]
                if unknown:
                    messages = [str(_message(each, model=StageConfig, source=source)) for each in unknown]
                    raise ConfigurationError("\n".join(messages)) from None


def _check_codes(config: StageConfig, *, record: DatasetRecord, entry: str) -> None:
    for code in config.segmentation.minimum_areas:
        if code not in record.codes:
            raise ConfigurationError(
                "Unknown class.",
                where=f"configuration of {entry}: segmentation.minimum_areas",
                found=code,
                expected=f"one of {', '.join(record.codes)}",
                remedy=_nearest(code, record.codes),
            )


def plan_run(tree: Tree, *, shipped_manifest: Path) -> tuple[RunConfig, tuple[DatasetRun, ...]]:
    """Check a configuration and its manifest, and merge the parameters of each data set.

    Parameters
    ----------
    tree
        The configuration as plain values: ``stages/config.yaml`` with everything given later merged in.
    shipped_manifest
        The manifest that ``manifest: null`` stands for.

    Raises
    ------
    ConfigurationError, ManifestError
        With every problem found: key, value, what is allowed and the nearest valid key.
    """
    run = validate(RunConfig, _without_null_names(dict(tree)), source="configuration", error=ConfigurationError)
    path = Path(run.manifest) if run.manifest else shipped_manifest
    records = load_manifest(path).datasets
    # The shipped configuration has parts for the shipped data sets; they do no harm beside a manifest of one's own.
    _check_names(run, known={**load_manifest(shipped_manifest).datasets, **records})
    _check_parts(tree, run=run)
    runs = []
    for entry in dict.fromkeys(run.datasets or _with_known_folder(records, run=run)):
        name, recipe = _split_entry(entry, run=run, known=records)
        config = _dataset_config(tree, entry=entry, name=name, recipe=recipe, modality=records[name].modality)
        root = resolved_root(records[name], manifest=path, given=run.roots.get(name))
        _check_codes(config, record=records[name], entry=entry)
        runs.append(DatasetRun(entry, name, records[name], root, config))
    return run, tuple(runs)


def run_schema() -> dict[str, Any]:
    """JSON schema of ``stages/config.yaml``, for editors."""
    return RunConfig.model_json_schema()


def sampling_from(tree: Tree) -> Sampling:
    """One sampling from its plain values, as a job gets them."""
    return TypeAdapter[Sampling](Sampling).validate_python(tree)
