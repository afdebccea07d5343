"""What can be done without a workflow? The ``lesionmap`` command for single things; the only module that prints."""

import argparse
import logging
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import yaml
from rich.console import Console
from rich.markup import escape
from rich.progress import track
from rich.table import Table

from pipeline.config import Fusion
from pipeline.config.run import DatasetRun, load_yaml, merge, plan_run
from pipeline.errors import ConfigurationError, PipelineError
from pipeline.raw.datasets.entry import ImageEntry
from pipeline.raw.datasets.folder import truth_without_image
from pipeline.raw.datasets.headers import check_headers, picture_of
from pipeline.raw.datasets.listing import list_images
from pipeline.runtime.allocator import keep_freed
from pipeline.runtime.disk import projected_disk
from pipeline.runtime.job_memory import stage_memory
from pipeline.runtime.threads import let_waiting_threads_sleep
from pipeline.stores.disk import room_on_disk
from pipeline.stores.provenance import versions
from pipeline.words import TRUTH_SPLITS

if TYPE_CHECKING:
    import pandas as pd

    from pipeline.config.manifest import DatasetRecord
    from pipeline.report.pictures.index_pictures import IndexPlace

__all__ = ["main"]

PROJECT = Path(__file__).parent.parent
GIGABYTE, MEBIBYTE = 1e9, 2**20
PIPED_WIDTH = 120


def _given(pairs: Sequence[str], *, option: str = "--config") -> dict[str, Any]:
    found: dict[str, Any] = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals:
            raise ConfigurationError(
                "A value is missing.",
                where=option,
                found=pair,
                expected="key=value",
                remedy="Write it without spaces around the equals sign.",
            )
        found[key] = yaml.safe_load(value)
    return found


def _configuration(arguments: argparse.Namespace) -> dict[str, Any]:
    tree = load_yaml(PROJECT / "stages" / "config.yaml")
    for path in arguments.configfile:
        tree = merge(tree, load_yaml(Path(path)))
    return merge(tree, _given(arguments.config))


def _roles(entries: Sequence[ImageEntry]) -> str:
    test = sum(entry.official_test and entry.annotated for entry in entries)
    predict = sum(not entry.annotated for entry in entries)
    return f"{len(entries) - test - predict} to train and validate, {test} official test, {predict} to predict"


def _predicted_share(run: DatasetRun, entries: Sequence[ImageEntry]) -> float:
    """Share of the images that get maps; without a look at patients, so it is near the truth and not it."""
    test = sum(entry.official_test and entry.annotated for entry in entries) / len(entries)
    predict = sum(not entry.annotated for entry in entries) / len(entries)
    rest, validation = 1 - test - predict, run.config.raw.validation_share
    shares = {"train": rest * (1 - validation), "validation": rest * validation, "test": test, "predict": predict}
    return sum(shares[split] for split in set(run.config.probability.splits))


def _describe(console: Console, run: DatasetRun, entries: Sequence[ImageEntry]) -> float:
    pictures = [found for entry in entries if (found := picture_of(entry, record=run.record))]
    sizes, classes = [(each.height, each.width) for each in pictures], len(run.record.codes)
    share = _predicted_share(run, entries)
    disk = projected_disk(sizes, classes=classes, evaluated_share=share, config=run.config)
    memory = stage_memory(run.config, pictures, classes=classes)
    table = Table(title=f"{run.entry}: {run.record.title}", title_justify="left", show_header=False)
    table.add_row("images", f"{len(entries)}: {_roles(entries)}")
    if sizes:
        high, wide = ("–".join(map(str, sorted({min(each), max(each)}))) for each in zip(*sizes, strict=True))
        table.add_row("size", f"{wide}×{high} pixels, width × height")
    if run.record.group is not None:
        alone = sum(entry.group == entry.image_id for entry in entries)
        table.add_row("groups", f"{len({entry.group for entry in entries})}; {alone} images are a group of their own")
    others = [name for name in ("label", "annotations") if any(getattr(entry, name) for entry in entries)]
    for code in run.record.codes if run.root else ():
        count = sum(code in dict(entry.masks) for entry in entries)
        table.add_row(f"masks {code}", f"in files of {others[0]}" if others else str(count))
    if run.root and run.record.folder is not None:
        ids = {entry.image_id for entry in entries}
        if lost := truth_without_image(run.root, layout=run.record.folder, images=ids):
            table.add_row("[red]truth without image[/red]", f"{len(lost)} files, such as {lost[0]}")
    table.add_row("samplings", ", ".join(run.config.index.samplings))
    table.add_row(
        "models", ", ".join(f"{k} ({m.network}, {m.epochs} epochs)" for k, m in run.config.model.models.items())
    )
    table.add_row("fusions", ", ".join(run.config.probability.fusions))
    table.add_row("disk", ", ".join(f"{name} {size / GIGABYTE:.2f} GB" for name, size in disk.items()))
    gigabytes = (f"{word} {size * MEBIBYTE / GIGABYTE:.1f} GB" for word, size in memory.items())
    table.add_row("memory of a job", ", ".join(gigabytes))
    console.print(table)
    return sum(disk.values())


def _check(arguments: argparse.Namespace) -> int:
    console = Console(soft_wrap=True)
    run, datasets = plan_run(_configuration(arguments), shipped_manifest=PROJECT / "datasets_manifest.yaml")
    problems, total = [], 0.0
    for each in datasets:
        entries = list_images(each.record, dataset=each.name, root=each.root)
        total += _describe(console, each, entries)
        slides = each.record.adaptor == "slide"
        found = [problem for entry in entries for problem in check_headers(entry, any_level=slides)]
        problems += [f"{each.entry}/{problem}" for problem in found]
    console.print(f"Results go to {run.results}; at most {total / GIGABYTE:.2f} GB of arrays before compression.")
    for problem in problems:
        console.print(f"would be left out: {problem}", style="red")
    console.print(f"{len(problems)} images would be left out." if problems else "Manifest, configuration and data fit.")
    return 1 if problems else 0


def _predict(arguments: argparse.Namespace) -> int:
    keep_freed()
    let_waiting_threads_sleep()
    # Torch takes seconds to import, and `check` must not wait for it.
    from pipeline.predict.new_image import Wishes, predict_new_image

    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    wishes = Wishes(
        fusions=tuple(dict.fromkeys(arguments.fusion)),
        threshold=arguments.threshold,
        pixel_size_um=arguments.pixel_size,
        original_grid=arguments.original_grid,
        workers=arguments.workers,
        probability=_given(arguments.probability, option="--probability"),
        segmentation=_given(arguments.segmentation, option="--segmentation"),
    )
    console = Console(soft_wrap=True)
    for each in predict_new_image(arguments.image, model=arguments.model, out=arguments.out, wishes=wishes):
        # Plain lines: a table would cut paths at the width of the terminal.
        lines = [("probability", each.probability), ("labels and masks", each.segmentation)]
        lines += [("outlines", each.outlines), *(("mask as large as the image", path) for path in each.masks)]
        console.print(each.fusion, style="bold")
        for what, path in lines:
            if path:
                console.print(f"  {what}: {path}", highlight=False)
        if each.outlines:
            counts = ", ".join(f"{code} {count}" for code, count in each.regions.items())
            console.print(f"  regions: {counts}", highlight=False)
    return 0


def _predict_options(predict: argparse.ArgumentParser) -> None:
    predict.add_argument("image", type=Path, metavar="IMAGE", help="JPEG, PNG, TIFF or a slide")
    predict.add_argument("--model", type=Path, required=True, metavar="FOLDER", help="such as results/idrid/model/unet")
    predict.add_argument(
        "--out",
        type=Path,
        default=Path("predictions"),
        metavar="FOLDER",
        help="results go to FOLDER/IMAGE/ (default: %(default)s)",
    )
    predict.add_argument("--fusion", nargs="+", default=["gaussian"], choices=get_args(Fusion), help="maps to write")
    predict.add_argument(
        "--threshold", type=float, metavar="P", help="for all classes, instead of those that the run fitted"
    )
    predict.add_argument(
        "--original-grid",
        nargs="?",
        const="tiff",
        choices=["tiff", "png"],
        help="also write the masks as large as IMAGE",
    )
    predict.add_argument("--pixel-size", type=float, metavar="UM", help="micrometres a pixel, where IMAGE names none")
    predict.add_argument("--workers", type=_count, default=1, metavar="N", help="blocks normalised at a time")
    for stage in ("probability", "segmentation"):
        predict.add_argument(
            f"--{stage}",
            nargs="+",
            default=[],
            metavar="KEY=VALUE",
            help=f"change parameters of stage {stage}, such as those in stages/config.yaml",
        )
    predict.set_defaults(run=_predict)


def _opened(arguments: argparse.Namespace) -> "tuple[IndexPlace, pd.DataFrame, dict[str, Any], DatasetRecord]":
    """Place, rows, metadata and facts of an index."""
    from pipeline.config.run import load_manifest
    from pipeline.index.table import read
    from pipeline.report.pictures.index_pictures import index_record, place_of
    from pipeline.stores import table_metadata

    place = place_of(Path(arguments.index))
    frame, notes = read(place.index), table_metadata(place.index)
    known = load_manifest(Path(arguments.manifest)).datasets
    return place, frame, notes, index_record(frame, notes, known=known, dataset=place.dataset)


def _index_show(arguments: argparse.Namespace) -> int:
    from pipeline.report.page.patch_tables import all_tables, missed_sentence, notes_of
    from pipeline.report.page.tables import sampling_table
    from pipeline.report.page.terminal import terminal_table
    from pipeline.report.pictures.index_pictures import write_pictures

    place, frame, notes, record = _opened(arguments)
    summary = notes.get("summary") or {}
    console = Console()
    console = console if console.is_terminal else Console(width=PIPED_WIDTH)
    console.print(f"[bold]{place.index.name}[/] of {place.dataset}: {len(frame):,} patches{missed_sentence(summary)}")
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
    console.print(f"{count} pictures, a sheet of patches and a map of each image, are in {folder}", soft_wrap=True)
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
    console.print(f"{count:,} patches of {len(normalized)} images are in {arguments.to}")
    if (arguments.to / "splits_final.json").is_file():
        console.print(
            "Copy splits_final.json to nnUNet_preprocessed/{dataset}/ after planning: nnU-Net's own splits know no patients."
        )
    return 0


def _count(text: str) -> int:
    """A whole number of at least 1, for argparse."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{number} is not at least 1")
    return number


def _add_index_commands(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    index = commands.add_parser("index", help="look at a patch index, or give its patches to other programs")
    verbs = index.add_subparsers(dest="verb", required=True)
    show = verbs.add_parser(
        "show", help="print its summary; write a sheet of patches and a map of the boxes of each image"
    )
    show.add_argument(
        "--out", metavar="FOLDER", help="of the pictures; results/{dataset}/report/patches/{sampling} without it"
    )
    show.add_argument("--images", type=_count, default=20, metavar="N", help="images that the table names (20)")
    show.set_defaults(run=_index_show)
    export = verbs.add_parser(
        "export", help="write its patches as image and mask files, or as a data set of nnU-Net v2"
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
        type=_count,
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


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="lesionmap", description="Single things beside the workflow (snakemake).")
    parser.add_argument("--version", action="version", version=f"lesionmap {versions()['lesionmap']}")
    commands = parser.add_subparsers(dest="command", required=True)
    check = commands.add_parser("check", help="validate manifest, configuration and data; say what a run will do")
    check.add_argument("--configfile", nargs="+", default=[], metavar="FILE", help="as for snakemake")
    check.add_argument("--config", nargs="+", default=[], metavar="KEY=VALUE", help="as for snakemake")
    check.set_defaults(run=_check)
    _predict_options(commands.add_parser("predict", help="a trained model on one new image: maps, masks, outlines"))
    _add_index_commands(commands)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit code. Errors raised on purpose are one message, not a traceback."""
    arguments = _parser().parse_args(argv)
    try:
        with room_on_disk(Path.cwd()):
            code: int = arguments.run(arguments)
    except PipelineError as problem:
        print(problem, file=sys.stderr)
        return 1
    return code


if __name__ == "__main__":
    sys.exit(main())
