"""Command ``verify``: every byte of the results compared with its checksum."""

import argparse
from pathlib import Path

from rich.console import Console
from rich.progress import Progress

from pipeline.counts import number_of
from pipeline.errors import StoreError
from pipeline.runtime.named_results import check_names
from pipeline.stores.verify import faults, verified_results

__all__ = ["add_verify"]


def _verify(arguments: argparse.Namespace) -> int:
    if not arguments.results.is_dir():
        raise StoreError(
            "There are no results.",
            where=arguments.results,
            found="no folder",
            expected="the results folder of a run",
            remedy="Name it: lesionmap verify <folder>.",
        )
    paths = verified_results(arguments.results)
    console, found = Console(stderr=True), list[StoreError]()
    with Progress(console=console, disable=not console.is_terminal) as progress:
        for path in progress.track(paths, description="Comparing checksums"):
            found += list(faults(path)) or _wrong_origin(path)
    for each in found:
        print(each)
    print(
        f"{number_of(len(paths), 'result')}, {number_of(len(found), 'fault')}."
        if found
        else f"{number_of(len(paths), 'result')}, all as written."
    )
    if found:
        print("A deleted result is made anew when a job needs it, or by its path: lesionmap run -j1 PATH.")
    return 1 if found else 0


def _wrong_origin(path: Path) -> list[StoreError]:
    """Results of another image or model than their paths say."""
    from pipeline.model.map_origin import check_model

    try:
        check_names([path])
        check_model(path)
    except StoreError as problem:
        return [problem]
    return []


EXAMPLES = """examples:
  lesionmap verify
  lesionmap verify results/idrid     of one data set"""


def add_verify(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command to those of the parser."""
    verify = commands.add_parser(
        "verify",
        help="compare every byte of the results with its checksum",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    verify.add_argument("results", nargs="?", type=Path, default=Path("results"), help="folder; results by default")
    verify.set_defaults(run=_verify)
