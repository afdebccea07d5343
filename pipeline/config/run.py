"""Plan of a run: configuration and manifest, merged for each data set and checked."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from pydantic import ConfigDict, Field, TypeAdapter

from pipeline.config import SafeName, Sampling, StageConfig
from pipeline.config.arms import Arm, check_steps, with_arms
from pipeline.config.experiments import Experiment, active, check_published, entries_of
from pipeline.config.layers import Layer, blocks_of, known_samplings, merge, merged_parts, parts_of
from pipeline.config.manifest import DatasetRecord, load_manifest, resolved_corrections, resolved_root
from pipeline.config.manifest_file import manifest_file
from pipeline.config.validation import Tree, check_keys, nearest, validate
from pipeline.config.values import PathText, ResultFolder
from pipeline.errors import ConfigurationError
from pipeline.words import BACKGROUND

__all__ = ["DatasetRun", "RunConfig", "merge", "plan_run", "run_schema", "sampling_from"]

ENTRY = re.compile(r"(?P<dataset>[^@]+)(?:@(?P<recipe>[^@]+))?")


class RunConfig(StageConfig):
    """``stages/config.yaml``: the stage blocks hold for every data set, recipes and overrides change parts of them."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    manifest: PathText | None = Field(
        None, description="Manifest file, relative to the working folder; null for the one beside the Snakefile."
    )
    results: ResultFolder = Field("results", description="Folder of the results, relative to the working folder.")
    datasets: Annotated[tuple[str, ...], Field(min_length=1)] | None = Field(
        None, description="Data sets, each `name` or `name@recipe`; null for all with a known folder."
    )
    roots: dict[str, PathText] = Field({}, description="Data set → folder, relative to the working folder.")
    corrections: dict[str, PathText] = Field(
        {}, description="Data set → folder of corrected truth, relative to the working folder; see docs/corrections.md."
    )
    recipes: dict[SafeName, dict[str, Any]] = Field(
        {}, description="Name → parts of the stage blocks. A recipe named like a modality is its default."
    )
    overrides: dict[str, dict[str, Any]] = Field(
        {}, description="Data set (`name` or `name@recipe`) → parts of the stage blocks."
    )
    experiments: dict[SafeName, Experiment] = Field(
        {}, description="Name → comparison of arms, see docs/experiments.md."
    )


@dataclass(frozen=True, slots=True, eq=False)
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
    arms: tuple[Arm, ...] = ()
    """Arms of comparisons that run on it; the parameters include their models and fusions."""
    corrections: Path | None = None
    """Folder of polygons that replace the truth of images."""


def _without_null_names(tree: dict[str, Any]) -> dict[str, Any]:
    for stage, names in (("index", "samplings"), ("model", "models"), ("model", "ensembles")):
        named = tree.get(stage, {}).get(names) if isinstance(tree.get(stage), Mapping) else None
        if isinstance(named, Mapping):
            tree[stage] = {**tree[stage], names: {name: each for name, each in named.items() if each is not None}}
    return tree


def _split_entry(entry: str, *, run: RunConfig, known: Mapping[str, DatasetRecord]) -> tuple[str, str | None]:
    match = ENTRY.fullmatch(entry)
    name, recipe = (match["dataset"], match["recipe"]) if match else (entry, None)
    if name not in known:
        raise ConfigurationError(
            "Unknown data set.",
            where="datasets",
            found=entry,
            expected=f"one of {', '.join(known)}",
            remedy=nearest(name, known),
        )
    if recipe is not None and recipe not in run.recipes:
        raise ConfigurationError(
            "Unknown recipe.",
            where="datasets",
            found=entry,
            expected=f"{name}@ and one of {', '.join(run.recipes) or '(no recipes)'}",
            remedy=nearest(recipe, run.recipes),
        )
    return name, recipe


def _dataset_config(
    layers: Sequence[Layer],
    *,
    entry: str,
    name: str,
    recipe: str | None,
    modality: str,
    experiments: Mapping[str, Experiment],
) -> tuple[StageConfig, tuple[Arm, ...]]:
    parts = parts_of(layers, modality=modality, name=name, recipe=recipe)
    blocks = merged_parts(parts, known=known_samplings(layers))
    blocks, source = _without_null_names(blocks), f"configuration of {entry}"
    config = validate(StageConfig, blocks, source=source, error=ConfigurationError)
    blocks, arms = with_arms(blocks, config, experiments, entry=entry)
    return (validate(StageConfig, blocks, source=source, error=ConfigurationError) if arms else config), arms


def _check_names(run: RunConfig, *, known: Mapping[str, DatasetRecord]) -> None:
    for key, names in (
        ("roots", run.roots),
        ("corrections", run.corrections),
        ("overrides", [each.split("@")[0] for each in run.overrides]),
        ("experiments", [each.dataset.split("@")[0] for each in run.experiments.values()]),
    ):
        for unknown in [name for name in names if name not in known]:
            raise ConfigurationError(
                "Unknown data set.",
                where=key,
                found=unknown,
                expected=f"one of {', '.join(known)}",
                remedy=nearest(unknown, known),
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


def _of_the_run(shipped: Tree, own: Tree) -> dict[str, Any]:
    # A user's stage blocks may fit only together with the recipes of a data set, so they are validated there.
    apart = blocks_of(own).keys() - {"seed", "report"}
    return _without_null_names(merge(shipped, {key: value for key, value in own.items() if key not in apart}))


def _check_parts(tree: Tree, *, run: RunConfig) -> None:
    # An unknown key is wrong even in an unused part. Values that do not fit together are not wrong there, because the
    # blocks below that part may belong to another data set. Used parts are checked completely.
    blocks = blocks_of(tree)
    check_keys(StageConfig, _without_null_names({**blocks}), source="configuration")
    for kind, parts in (("recipes", run.recipes), ("overrides", run.overrides)):
        for name, part in parts.items():
            merged = _without_null_names(merge(blocks, part))
            check_keys(StageConfig, merged, source=f"{kind}.{name}")


def _codes_named(config: StageConfig) -> Iterator[tuple[str, str]]:
    """Keys that refer to classes, and each class code in them."""
    for name, model in config.model.models.items():
        given = {} if model.class_weights == "index" else model.class_weights
        yield from ((f"model.models.{name}.class_weights", code) for code in given)
    for name in config.model.ensembles:
        yield from ((f"model.ensembles.{name}.weights", code) for code in config.model.ensemble_weights(name))
    areas = config.segmentation.minimum_areas
    yield from (("segmentation.minimum_areas", code) for code in ({} if areas == "percentile" else areas))
    for name, sampling in config.index.samplings.items():
        if sampling.strategy == "guided":
            for key, codes in (("shares", sampling.shares), ("most_share", sampling.most_share)):
                yield from ((f"index.samplings.{name}.{key}", code) for code in codes)


def _check_codes(config: StageConfig, *, record: DatasetRecord, entry: str) -> None:
    for key, code in _codes_named(config):
        weighted = key.endswith(".class_weights") and record.task == "multiclass"
        if code not in (*record.codes, *([BACKGROUND] if weighted else [])):
            raise ConfigurationError(
                "Unknown class.",
                where=f"configuration of {entry}: {key}",
                found=code,
                expected=f"one of {', '.join(record.codes)}",
                remedy=nearest(code, record.codes),
            )


def _check_ensembles(runs: Sequence[DatasetRun]) -> None:
    # A name has one rule in all data sets: it is a trained model or an ensemble.
    models = {name: run.entry for run in runs for name in run.config.model.models}
    for run in runs:
        for name in run.config.model.ensembles:
            if name in models:
                raise ConfigurationError(
                    "An ensemble has the name of a model of another data set.",
                    where=f"configuration of {run.entry}: model.ensembles",
                    found=f"{name}, a model of {models[name]}",
                    expected="a name that no model has",
                    remedy="Choose another name.",
                )


def plan_run(
    shipped: Tree, own: Tree | None = None, *, shipped_manifest: Path, files: Sequence[Path | str] = ()
) -> tuple[RunConfig, tuple[DatasetRun, ...]]:
    """Check a configuration and its manifest, and merge the parameters of each data set.

    Parameters
    ----------
    shipped
        ``stages/config.yaml`` as plain values.
    own
        The user's values, merged: configuration files, then the command line. They win over shipped values, see
        ``layers``.
    shipped_manifest
        The manifest that ``manifest: null`` stands for.
    files
        Configuration files whose values are merged, for messages.

    Raises
    ------
    ConfigurationError, ManifestError
        Lists every problem found: key, value, allowed values and the nearest valid key.
    """
    own = own or {}
    tree = merge(shipped, own)
    run = validate(RunConfig, _of_the_run(shipped, own), source="configuration", error=ConfigurationError)
    path = manifest_file(run.manifest or None, shipped=shipped_manifest, files=files)
    records = load_manifest(path).datasets
    # The shipped configuration has parts for the shipped data sets; they do no harm with a user's manifest.
    _check_names(run, known={**load_manifest(shipped_manifest).datasets, **records})
    _check_parts(tree, run=run)
    check_published(run.experiments, {name: each.codes for name, each in records.items()})
    listed = run.datasets or _with_known_folder(records, run=run)
    experiments, runs = active(run.experiments, run=listed), []
    for entry in entries_of(experiments, run=listed):
        name, recipe = _split_entry(entry, run=run, known=records)
        config, arms = _dataset_config(
            [("stages/config.yaml", shipped), ("own", own)],
            entry=entry,
            name=name,
            recipe=recipe,
            modality=records[name].modality,
            experiments=experiments,
        )
        root = resolved_root(records[name], manifest=path, given=run.roots.get(name))
        corrections = resolved_corrections(records[name], manifest=path, given=run.corrections.get(name))
        _check_codes(config, record=records[name], entry=entry)
        runs.append(DatasetRun(entry, name, records[name], root, config, arms, corrections))
    _check_ensembles(runs)
    check_steps(run.experiments, [arm for each in runs for arm in each.arms])
    return run, tuple(runs)


def run_schema() -> dict[str, Any]:
    """JSON schema of ``stages/config.yaml``, for editors."""
    return RunConfig.model_json_schema()


def sampling_from(tree: Tree) -> Sampling:
    """One sampling from its plain values, as passed to a job."""
    return TypeAdapter[Sampling](Sampling).validate_python(tree)
