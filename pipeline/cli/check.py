"""Command ``check``: preview of a run, its needs and images left out; decodes the truth of a few or all images."""

import argparse
import os
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape

from pipeline.cli.check_files import check_contents
from pipeline.cli.check_models import check_networks, check_windows, missing_devices
from pipeline.cli.check_patches import check_training, few_patches, patches_of, said_of
from pipeline.cli.check_splits import expected_splits
from pipeline.cli.check_table import describe, in_bytes
from pipeline.config import depends
from pipeline.config.command_line import key_values
from pipeline.config.layers import merged_layers
from pipeline.config.run import DatasetRun, RunConfig, plan_run
from pipeline.config.sources import outdone_sentences
from pipeline.config.yaml_file import load_yaml
from pipeline.counts import number_of
from pipeline.errors import PipelineError
from pipeline.model.refusals import refuse_models
from pipeline.project import PROJECT
from pipeline.raw.data_warnings import DataWarning, encoder_warnings, split_warnings
from pipeline.raw.datasets.changed_files import NamedFile
from pipeline.raw.datasets.entry import ImageEntry
from pipeline.raw.datasets.headers import check_headers, images_to_look_at, sample_sheet
from pipeline.raw.datasets.listing import images_of_run
from pipeline.raw.sheet_warnings import sheet_warnings
from pipeline.raw.splits.assign import check_splits
from pipeline.stores.disk import free_bytes

__all__ = ["add_check", "layers", "planned"]


def layers(arguments: argparse.Namespace) -> list[tuple[str, dict[str, Any]]]:
    """Name and plain values of the shipped configuration, of each ``--configfile``, and of ``--config``."""
    files = [("stages/config.yaml", load_yaml(PROJECT / "stages" / "config.yaml"))]
    files += [(path, load_yaml(Path(path))) for path in arguments.configfile]
    return [*files, ("--config", key_values(arguments.config, option="--config"))]


def planned(arguments: argparse.Namespace, **change: object) -> tuple[RunConfig, tuple[DatasetRun, ...]]:
    """Plan of a call: its configuration and the parameters of each data set.

    Parameters
    ----------
    arguments
        With ``configfile`` and ``config``.
    change
        Keys of the configuration that win over both.

    Raises
    ------
    ConfigurationError, ManifestError
        As `plan_run` does.
    """
    (_, shipped), *own = layers(arguments)
    manifest, files = PROJECT / "datasets_manifest.yaml", arguments.configfile
    return plan_run(shipped, merged_layers(own) | change, shipped_manifest=manifest, files=files)


@dataclass(frozen=True, slots=True)
class _Looked:
    """Findings in decoded truth."""

    problems: list[str]
    """Images that would be left out, each with its reason."""
    warnings: list[DataWarning]
    sheets: list[dict[str, Any]]
    """Findings for each image."""
    decoded: int
    """Images whose truth was decoded."""
    files: int
    """Images with files of truth."""


def _values(console: Console, run: DatasetRun, entries: Sequence[ImageEntry], *, deep: bool) -> _Looked:
    """Check of truth and 16-bit pixels of a few images, which are named, or of all pixels and truth."""
    sample, annotated = images_to_look_at(entries, deep=deep), sum(entry.annotated for entry in entries)
    if sample:
        named = "" if deep else f": {', '.join(entry.image_id for entry in sample)}"
        what = "pixels and truth" if deep else "truth and bits"
        console.print(f"{run.entry}: {what} looked at in {len(sample)} of {len(entries)} images{named}")
    with ThreadPoolExecutor(len(os.sched_getaffinity(0)) if deep else 1) as pool:
        sheets = list(pool.map(lambda entry: sample_sheet(entry, record=run.record, pixels=deep), sample))
    looked = sum(entry.annotated for entry in sample)
    warnings = sheet_warnings(sheets, sampled=annotated if looked < annotated else None)
    problems = [f"{sheet['image_id']}: {sheet['rejected']}" for sheet in sheets if sheet["rejected"]]
    decoded, files = (sum(map(_has_truth_files, each)) for each in (sample, entries))
    return _Looked(problems, warnings, sheets, decoded, files)


def _has_truth_files(entry: ImageEntry) -> bool:
    return entry.annotated and bool(entry.image and (entry.masks or entry.label or entry.annotations))


@dataclass
class _Found:
    """Sums of the check of all data sets."""

    problems: list[str] = field(default_factory=list)
    """Images that would be left out, each with its reason."""
    refused: list[PipelineError] = field(default_factory=list)
    """Errors that would stop a run."""
    total: float = 0.0
    """Bytes of all results."""
    new: float = 0.0
    """Bytes of the results of data sets without any yet."""
    warned: int = 0
    decoded: int = 0
    """Images whose truth was decoded."""
    truths: int = 0
    """Images with files of truth."""
    unseen: int = 0
    """Files whose content changed under the same size and date."""


def _named_files(run: DatasetRun, *, results: Path) -> None:
    """Missing files that the configuration names and a job would need."""
    index, models = run.config.index.samplings, run.config.model.models
    named = {
        "raw.splits_csv": run.config.raw.splits_csv,
        "normalized.stain.target": depends.target_file(run) if depends.is_stained(run) else None,
        **{f"index.samplings.{name}.hard_negatives.table": depends.hard_negatives_file(run, name) for name in index},
        **{f"model.models.{name}.encoder_weights": depends.weights_file(run, name) for name in models},
    }
    for key, path in named.items():
        NamedFile(path, key=key, results=results, dataset=run.entry).check()


def _check_dataset(console: Console, run: DatasetRun, found: _Found, *, results: Path, deep: bool) -> None:
    refuse_models(run)
    _named_files(run, results=results)
    entries = images_of_run(run)
    slides = run.record.adaptor == "slide"
    headers = {entry.image_id: check_headers(entry, any_level=slides) for entry in entries}
    unfit = frozenset(name for name, said in headers.items() if said)
    # Refuses faults that do not depend on truth, before any is decoded.
    check_splits(entries, codes=run.record.codes, config=run.config.raw, seed=run.config.seed)
    looked = _values(console, run, entries, deep=deep)
    expected = expected_splits(run, entries, looked.sheets, results=results, unfit=unfit)
    splits, size = expected.splits, describe(console, run, entries, expected)
    found.decoded += looked.decoded
    found.truths += looked.files
    found.total += size
    found.new += 0.0 if (results / run.entry).exists() else size
    problems = [problem for each in headers.values() for problem in each]
    named = unfit | {sheet["image_id"] for sheet in looked.sheets if sheet["rejected"]}
    raw = [f"{image}: {reason}" for image, reason in expected.rejected.items() if image not in named]
    found.problems += [f"{run.entry}/{problem}" for problem in problems + looked.problems + raw]
    models = run.config.model.models.values()
    unsplit = split_warnings(splits.values()) if models else []
    # Where folds validate, another image validates for each.
    unsplit += expected.class_warnings() if models and all(each.fold < 0 for each in models) else []
    random = encoder_warnings(run.config.model.untrained_encoders)
    found.warned += _warn(console, [*looked.warnings, *unsplit, *random], dataset=run.entry)
    if run.config.model.models and not any(each.annotated for each in entries):
        said = "no image has truth, so nothing can be trained: stages raw and normalized work, and `all` ends at the patch index"
        console.print(f"{run.entry}: warning: {said}. To do: Say in the manifest where truth lies.", style="red")
        found.warned += 1
    if deep:
        found.unseen += check_contents(console, entries, results=results, dataset=run.entry)
    check_training(run, entries, splits)
    check_windows(run, entries, splits)
    check_networks(run)
    patches = patches_of(run, entries, expected, results=results, deep=deep)
    for name, each in patches.items():
        console.print(f"{run.entry}: sampling {name}: {said_of(each)}")
    found.warned += _warn(console, few_patches(patches), dataset=run.entry)


def _look_at_devices(console: Console, run: DatasetRun, found: _Found, *, elsewhere: bool) -> None:
    """Required devices missing on this machine: an error, or a remark if jobs run elsewhere."""
    for problem in missing_devices(run):
        if not elsewhere:
            found.refused.append(problem)
            continue
        said = f"{run.entry}: warning: this holds for this machine, and jobs run elsewhere: {problem}"
        console.print(escape(said), style="yellow")
        found.warned += 1


def _warn(console: Console, warnings: Sequence[DataWarning], *, dataset: str) -> int:
    """Number of warnings, which are printed with their remedies."""
    for each in warnings:
        console.print(f"{dataset}: warning: {escape(each.advice)}", style="red" if each.serious else "yellow")
    return len(warnings)


def _check(arguments: argparse.Namespace) -> int:
    console, found = Console(soft_wrap=True), _Found()
    run, datasets = planned(arguments)
    for sentence in outdone_sentences(datasets, layers(arguments)):
        console.print(f"warning: {escape(sentence)}", style="yellow")
        found.warned += 1
    for each in datasets:
        try:
            _check_dataset(console, each, found, results=Path(run.results), deep=arguments.deep)
            _look_at_devices(console, each, found, elsewhere=arguments.elsewhere)
        except PipelineError as problem:  # The other data sets are still checked.
            found.refused.append(problem)
    if found.total or not found.refused:
        _say(console, found, results=run.results, deep=arguments.deep)
    for refused in found.refused:
        sys.stderr.write(f"{refused}\n")
    return 1 if found.problems or found.refused or found.unseen else 0


def _say(console: Console, found: _Found, *, results: str, deep: bool) -> None:
    console.print(f"Results go to {escape(results)}, about {in_bytes(found.total)} where none are yet.")
    free = free_bytes(Path(results))
    if free < found.new:
        said = f"only {in_bytes(free)} are free there. To do: make room, or set results to another disk."
        console.print(f"warning: {said}", style="red")
    for problem in found.problems:
        console.print(escape(f"would be left out: {problem}"), style="red")
    if found.warned:
        console.print(
            f"{number_of(found.warned, 'warning')}: what is used as it stands, but seldom meant so.", style="yellow"
        )
    if count := len(found.problems):
        console.print(
            f"{number_of(count, 'image')} would be left out, and a run goes on without. "
            "To do: mend or remove the files named above."
        )
    elif not found.refused and not found.unseen:
        console.print(_fit(found, deep=deep))


def _fit(found: _Found, *, deep: bool) -> str:
    """Last sentence of a check without a finding, with what was looked at."""
    if deep or not found.truths:
        return "Manifest, configuration and data fit."
    images = number_of(found.truths, "image")
    looked = f"a sample of {found.decoded:,} of {images}" if found.decoded < found.truths else images
    headers = f"the headers of all files, and the truth of {looked}, which was decoded"
    return f"Manifest, configuration and what was looked at of the data fit: {headers}. --deep decodes all images and truth."


EXAMPLES = """examples:
  lesionmap check --config datasets='["idrid"]' roots='{"idrid": "/data/IDRiD"}'
  lesionmap check --configfile mine.yaml --config manifest=my_manifest.yaml
  lesionmap check --configfile mine.yaml --elsewhere     before a run with --workflow-profile slurm
  lesionmap check --deep     all images and truth are decoded, and every input file is compared with what results were made of"""


def add_check(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command to those of the parser."""
    check = commands.add_parser(
        "check",
        help="validate manifest, configuration and data; say what a run will do",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    check.add_argument("--configfile", nargs="+", default=[], metavar="FILE", help="as for snakemake")
    check.add_argument("--config", nargs="+", default=[], metavar="KEY=VALUE", help="as for snakemake")
    check.add_argument(
        "--deep",
        action="store_true",
        help="decode all images and truth; hash all input files and compare with the record",
    )
    check.add_argument(
        "--elsewhere",
        action="store_true",
        help="jobs run on other machines (a cluster): a GPU that is not here is said, not refused",
    )
    check.set_defaults(run=_check)
