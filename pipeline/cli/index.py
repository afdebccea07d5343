"""Command ``index``: view of a patch index, and its patches as files for other programs."""

import argparse
import os
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.markup import escape
from rich.progress import track

from pipeline.cli.arguments import positive
from pipeline.counts import first_names, number_of
from pipeline.errors import StoreError
from pipeline.project import PROJECT, workflow_command
from pipeline.stores.provenance import versions
from pipeline.words import TRUTH_SPLITS

if TYPE_CHECKING:
    import pandas as pd

    from pipeline.config.manifest import DatasetRecord
    from pipeline.report.pictures.index_pictures import IndexPlace

__all__ = ["add_index"]

PIPED_WIDTH = 120
SHOW_EXAMPLES = """examples:
  lesionmap index show results/fundus_sample/index/guided.parquet
  lesionmap index show results/mine/index/guided.parquet --manifest mine.yaml --out pictures"""
EXPORT_EXAMPLES = """examples:
  lesionmap index export results/fundus_sample/index/guided.parquet --to patches
  lesionmap index export results/mine/index/guided.parquet --to patches --splits train --manifest mine.yaml
  lesionmap index export results/fundus_sample/index/guided.parquet --format nnunet --to nnUNet_raw/Dataset501_Fundus"""
EXAMPLES = f"{SHOW_EXAMPLES}\n{EXPORT_EXAMPLES.partition(chr(10))[2]}"


def _opened(arguments: argparse.Namespace) -> "tuple[IndexPlace, pd.DataFrame, dict[str, Any], DatasetRecord]":
    """Place, rows, metadata and facts of an index."""
    from pipeline.config.manifest import load_manifest
    from pipeline.index.table import read_index
    from pipeline.report.pictures.index_pictures import index_record, place_of
    from pipeline.stores import table_metadata

    _refuse_folder(Path(arguments.index), verb=arguments.verb)
    place = place_of(Path(arguments.index))
    frame, notes = read_index(place.index), table_metadata(place.index)
    known = load_manifest(Path(arguments.manifest)).datasets
    return place, frame, notes, index_record(frame, notes, known=known, dataset=place.dataset)


def _refuse_folder(path: Path, *, verb: str) -> None:
    """Refusal of a folder in place of a patch index, with the indexes in it.

    Raises
    ------
    StoreError
        The path is a folder.
    """
    if not path.is_dir():
        return
    # A folder of indexes, of a data set, or of all results.
    found = sorted(each for pattern in ("*", "index/*", "*/index/*") for each in path.glob(f"{pattern}.parquet"))
    named = [each for each in found if each.parent.resolve().name == "index"]
    call = f"lesionmap index {verb} {shlex.quote(str(named[0]))}" if named else workflow_command("-j8 index")
    raise StoreError(
        "This is a folder, not a patch index.",
        where=path,
        found=first_names([str(each) for each in named]) if named else "a folder without patch indexes",
        expected="one file, results/{dataset}/index/{sampling}.parquet",
        remedy=f"Name one of them: {call}" if named else f"Build the indexes ({call}), and name one.",
    )


def _index_show(arguments: argparse.Namespace) -> int:
    from pipeline.report.page.tables.patches import all_tables, missed_sentence, notes_of, sampling_table
    from pipeline.report.page.tables.terminal import terminal_table
    from pipeline.report.pictures.index_pictures import write_pictures

    place, frame, notes, record = _opened(arguments)
    summary = notes.get("summary") or {}
    console = Console()
    console = console if console.is_terminal else Console(width=PIPED_WIDTH)
    console.print(
        f"[bold]{place.index.name}[/] of {place.dataset}: {number_of(len(frame), 'patch', 'patches')}{missed_sentence(summary, record)}"
    )
    settings = ", ".join(
        f"{key} {value}" for key, value in (notes.get("config") or {}).items() if isinstance(value, str | int | float)
    )
    console.print(f"drawn with: {escape(settings)}", style="dim")
    for table in (sampling_table(frame, record), *all_tables(frame, summary, record, most=arguments.images)):
        console.print(f"\n[bold]{escape(table.caption)}[/]", soft_wrap=True)
        console.print(terminal_table(table))
        for text in table.notes:
            console.print(text, style="dim")
    for text in notes_of(summary):
        console.print(f"note: {escape(text)}", style="yellow")
    folder = Path(arguments.out) if arguments.out else place.pictures
    normalized = place.stores(sorted(set(frame["image_id"].astype(str))))
    count = sum(
        1
        for _ in track(
            write_pictures(frame, record, normalized=normalized, folder=folder),
            console=console,
            description="pictures",
            total=1 + len(normalized),
            transient=True,
        )
    )
    console.print(
        f"{number_of(count, 'picture')} in {folder}: a sheet of patches and a map of each image", soft_wrap=True
    )
    return 0


def _index_export(arguments: argparse.Namespace) -> int:
    from pipeline.index.export import export_patches
    from pipeline.stores.provenance import file_digest

    place, frame, notes, record = _opened(arguments)
    chosen = frame[frame["split"].isin(arguments.splits)].reset_index(drop=True)
    normalized = place.stores(sorted(set(chosen["image_id"].astype(str))))
    origin: dict[str, Any] = {"dataset": place.dataset, "index": place.index.name, "sha256": file_digest(place.index)}
    origin |= {"sampling": notes.get("config"), "versions": versions()}
    written = export_patches(
        chosen,
        normalized=normalized,
        record=record,
        folder=arguments.to,
        layout=arguments.format,
        origin=origin,
        workers=arguments.workers,
    )
    console = Console(soft_wrap=True)
    count = sum(1 for _ in track(written, console=console, description="patches", total=len(chosen), transient=True))
    console.print(f"{number_of(count, 'patch', 'patches')} of {number_of(len(normalized), 'image')} in {arguments.to}")
    if (arguments.to / "splits_final.json").is_file():
        console.print(
            "Copy splits_final.json to nnUNet_preprocessed/{dataset}/ after planning: nnU-Net's own splits know no patients."
        )
    return 0


def add_index(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command and its verbs to those of the parser."""
    written = argparse.RawDescriptionHelpFormatter
    index = commands.add_parser(
        "index",
        help="look at a patch index, or give its patches to other programs",
        epilog=EXAMPLES,
        formatter_class=written,
    )
    verbs = index.add_subparsers(dest="verb", required=True)
    show = verbs.add_parser(
        "show",
        help="print its summary; write a sheet of patches and a map of the boxes of each image",
        epilog=SHOW_EXAMPLES,
        formatter_class=written,
    )
    show.add_argument(
        "--out", metavar="FOLDER", help="of the pictures; results/{dataset}/report/patches/{sampling} without it"
    )
    show.add_argument("--images", type=positive, default=20, metavar="N", help="images that the table names (20)")
    show.set_defaults(run=_index_show)
    export = verbs.add_parser(
        "export",
        help="write its patches as image and mask files, or as a data set of nnU-Net v2",
        epilog=EXPORT_EXAMPLES,
        formatter_class=written,
    )
    export.add_argument(
        "--to", type=Path, required=True, metavar="FOLDER", help="a new folder; for nnU-Net DatasetNNN_Name"
    )
    export.add_argument("--format", choices=["files", "nnunet"], default="files", help="layout of the folder (files)")
    export.add_argument(
        "--splits",
        nargs="+",
        choices=TRUTH_SPLITS,
        default=list(TRUTH_SPLITS),
        help="which patches (all)",
    )
    export.add_argument(
        "--workers",
        type=positive,
        default=os.cpu_count() or 1,
        metavar="N",
        help="patches read and compressed at a time; changes no file (%(default)s)",
    )
    export.set_defaults(run=_index_export)
    for each in (show, export):
        each.add_argument("index", metavar="INDEX", help="results/{dataset}/index/{sampling}.parquet")
        each.add_argument(
            "--manifest",
            default=str(PROJECT / "datasets_manifest.yaml"),
            metavar="FILE",
            help="names and colours of the classes; the shipped one without it",
        )
