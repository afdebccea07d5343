"""Command ``clean``: removal of results of models, fusions, samplings and pages that are no longer configured."""

import argparse
from collections.abc import Collection
from pathlib import Path

from rich.console import Console
from rich.markup import escape

from pipeline.cli.check import planned
from pipeline.raw.datasets.tables import named_and_counted
from pipeline.report.old_results import Named, is_ours, old_results, remove
from pipeline.runtime.run_lock import RunLock

__all__ = ["add_clean"]


def _clean(arguments: argparse.Namespace) -> int:
    console = Console(soft_wrap=True)
    run, datasets = planned(arguments)
    results = Path(run.results)
    found = [path for each in datasets for path in old_results(results / each.entry, Named.by(each.config))]
    foreign = [path for path in found if not is_ours(path)]
    found = [path for path in found if path not in foreign]
    for path in foreign:
        console.print(escape(f"left: {path} holds what this package did not write"), style="yellow", highlight=False)
    lock = RunLock(results) if found and not arguments.dry_run else None
    if lock is not None:
        lock.take()
    for path in found:
        if lock is not None:
            remove(path)
        console.print(escape(f"{'removed' if lock else 'would remove'}: {path}"), highlight=False)
    if lock is not None:
        lock.give_back()
    if apart := _apart(results, [each.entry for each in datasets]):
        said = f"not looked at, of no data set of this configuration: {named_and_counted(apart)}"
        console.print(escape(f"{said}. To do: give the --configfile of their run."), highlight=False)
    what = "result" if len(found) == 1 else "results"
    console.print(f"{len(found)} {what} that the configuration does not name{' were removed' if lock else ''}.")
    return 0


def _apart(results: Path, entries: Collection[str]) -> list[str]:
    """Folders of data sets in the results that the configuration does not name."""
    folders = (path.parent for path in sorted(results.glob("*/raw")))
    return [str(path) for path in folders if path.name not in entries]


EXAMPLES = """examples:
  lesionmap clean --dry-run                      lists what would go
  lesionmap clean --configfile mine.yaml --config datasets='["idrid"]'"""


def add_clean(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command to those of the parser."""
    clean = commands.add_parser(
        "clean",
        help="remove results of models, fusions, samplings and pages that the configuration no longer asks for",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    clean.add_argument("--dry-run", action="store_true", help="list them, and remove nothing")
    clean.add_argument("--configfile", nargs="+", default=[], metavar="FILE", help="as for snakemake")
    clean.add_argument("--config", nargs="+", default=[], metavar="KEY=VALUE", help="as for snakemake")
    clean.set_defaults(run=_clean)
