"""Command ``compare``: two results of a data set compared, by their origins and their figures."""

import argparse
import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich import box
from rich.console import Console
from rich.table import Table

from pipeline.config.shown import USUAL
from pipeline.counts import first_names, number_of
from pipeline.errors import ConfigurationError, MissingDataError
from pipeline.report.measures.paired import PairedDifference, paired_differences
from pipeline.stores import open_group
from pipeline.stores.tables import read_table

if TYPE_CHECKING:
    from pipeline.report.origins import Change, ImagesCompared

__all__ = ["add_compare", "around_difference"]

LONGEST = 60
"""Most characters shown of a value."""
BEFORE = 20
"""Characters shown before the first that differs."""
NARROWEST = 110
"""Width of the tables, even on a narrower terminal, so that no number is cut."""
FIGURES = "Figures, B less A, means over the images that both measured, on the grid of the original images"
NAMED = 5
"""Most images named."""
STYLE: dict[str, Any] = {
    "box": box.SIMPLE_HEAD,
    "title_justify": "left",
    "title_style": "bold",
    "padding": (0, 1),
    "pad_edge": False,
}
EXAMPLES = """examples:
  lesionmap compare results/idrid other/idrid
  lesionmap compare results/idrid results/idrid@clahe_only --model unet
  lesionmap compare results/idrid results/idrid --model unet deeplab
"""


def _results_of(folder: Path, *, model: str | None, fusion: str | None) -> tuple[str, str]:
    """Requested model and fusion, or the only ones that were measured."""
    there = [path.name.split(".images.parquet")[0] for path in sorted((folder / "report").glob("*.images.parquet"))]
    named = [tuple(each.rsplit(".", 1)) for each in there]
    fitting = [each for each in named if each[0] == (model or each[0]) and each[1] == (fusion or each[1])]
    preferred = [each for each in fitting if each[1] == USUAL] if fusion is None else fitting
    chosen = preferred or fitting
    if len(chosen) != 1:
        raise MissingDataError(
            "The results to compare cannot be told.",
            where=folder,
            found=", ".join(there) or "no figures: the report was not made",
            expected="one model and fusion",
            remedy="Name them: --model unet --fusion gaussian.",
        )
    return chosen[0][0], chosen[0][1]


def _compare(arguments: argparse.Namespace) -> int:
    from pipeline.report.origins import changes, compared_images, images_of_other_grids, origins  # It imports torch.

    folders: tuple[Path, Path] = (arguments.first, arguments.second)
    named: list[str | None] = arguments.model or [None]
    if len(named) > len(folders):
        raise ConfigurationError(
            "Too many models to compare.",
            where="--model",
            found=", ".join(arguments.model),
            expected="one name for both, or that of A and that of B",
            remedy="Compare two at a time.",
        )
    models = (named[0], named[-1])
    chosen = [
        _results_of(folder, model=model, fusion=arguments.fusion) for folder, model in zip(folders, models, strict=True)
    ]
    console = Console(width=max(Console().width, NARROWEST))
    for letter, folder, (model, fusion) in zip("AB", folders, chosen, strict=True):
        console.print(f"{letter}: {folder}, {model} / {fusion}", highlight=False, markup=False)
        _warn_of_other_maps(console, folder, letter=letter, model=model, fusion=fusion)
    found = [
        origins(folder, model=model, fusion=fusion) for folder, (model, fusion) in zip(folders, chosen, strict=True)
    ]
    _print_changes(console, changes(*found), compared_images(*folders))
    tables = [
        read_table(folder / "report" / f"{model}.{fusion}.images.parquet")
        for folder, (model, fusion) in zip(folders, chosen, strict=True)
    ]
    _print_figures(console, paired_differences(tables[0], tables[1]))
    _warn_of_other_grids(console, images_of_other_grids(*folders, tables))
    return 0


def _warn_of_other_grids(console: Console, images: Sequence[str]) -> None:
    """Warning of slides, which are measured on the normalised grid alone: two rescalings have other pixels."""
    if images:
        said = f"Slides rescaled differently are compared on different pixels: {first_names(images, most=NAMED)}"
        console.print(said, style="yellow", highlight=False, markup=False)


def _warn_of_other_maps(console: Console, folder: Path, *, letter: str, model: str, fusion: str) -> None:
    """Warning of maps from another model than the one beside them, whose card would get credit for the other's figures."""
    from pipeline.model.map_origin import maps_are_of

    stores = [dict(open_group(path).attrs) for path in (folder / "probability" / model / fusion).glob("*.zarr")]
    others = [each for each in stores if not maps_are_of(each, folder / "model" / model)]
    if others:
        said = (
            f"{letter}: {number_of(len(others), 'map')} of another model than the one beside them, see lesionmap verify"
        )
        console.print(said, style="yellow", highlight=False)


def _print_changes(console: Console, found: "Sequence[Change]", images: "ImagesCompared") -> None:
    table = Table("stage", "what", "A", "B", title="What differs", **STYLE)
    for each in found:
        table.add_row(each.stage, each.what, *around_difference(each.first, each.second))
    console.print(table if found else "Configuration, code and versions are the same.")
    console.print(f"the same: {number_of(images.same, 'image')}.", highlight=False)
    for what, names in (
        ("only in A", images.only_first),
        ("only in B", images.only_second),
        ("other content", images.other_content),
        ("other split", images.other_split),
    ):
        if names:
            console.print(f"{what}: {first_names(names, most=NAMED)}", highlight=False, markup=False)


def around_difference(first: str, second: str) -> tuple[str, str]:
    """Two different values, of long ones at most 60 characters around the first that differs, with … for what is cut.

    Examples
    --------
    >>> around_difference("a" * 70 + "b", "a" * 70 + "c")
    ('…aaaaaaaaaaaaaaaaaaaab', '…aaaaaaaaaaaaaaaaaaaac')
    """
    if max(len(first), len(second)) <= LONGEST:
        return first, second
    pairs = enumerate(zip(first, second, strict=False))
    same = next((at for at, (one, other) in pairs if one != other), min(len(first), len(second)))
    start = same - BEFORE if same > LONGEST - BEFORE else 0
    return _shown(first, start), _shown(second, start)


def _shown(value: str, start: int) -> str:
    text = f"…{value[start:]}" if start else value
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"


def _print_figures(console: Console, found: Sequence[PairedDifference]) -> None:
    if not found:
        console.print("No image was measured in both.")
        return
    with_interval = any(each.low is not None for each in found)
    table = Table(title=FIGURES, **STYLE)
    for name in ("split", "class", "measure"):
        table.add_column(name, no_wrap=True)
    for name in (
        "images",
        "A",
        "B",
        "all marked",
        "B - A",
        *(["95 % interval"] if with_interval else []),
        "better",
        "worse",
    ):
        table.add_column(name, justify="right", no_wrap=True)
    for each in found:
        numbers = (f"{each.first:.3f}", f"{each.second:.3f}", _everywhere(each), f"{each.difference:+.3f}")
        interval = [_interval(each)] if with_interval else []
        counts = (str(each.better), str(each.worse))
        table.add_row(each.split, each.class_code, each.measure, str(each.images), *numbers, *interval, *counts)
    console.print(table)
    console.print("all marked: the Dice of marking the whole region, a trivial answer; marking nothing has 0.")
    if not with_interval:
        console.print("Intervals are given from 10 groups (patients) on.")


def _everywhere(each: PairedDifference) -> str:
    # One number, unless the regions of the two differ visibly.
    known = (value for value in (each.everywhere_first, each.everywhere_second) if not math.isnan(value))
    return " / ".join(dict.fromkeys(f"{value:.3f}" for value in known))


def _interval(each: PairedDifference) -> str:
    return "" if each.low is None or each.high is None else f"{each.low:+.3f} … {each.high:+.3f}"


def add_compare(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command to those of the parser."""
    compare = commands.add_parser(
        "compare",
        help="hold two results of a data set against each other",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    compare.add_argument("first", type=Path, metavar="A", help="folder of a data set, such as results/idrid")
    compare.add_argument("second", type=Path, metavar="B", help="the other one")
    compare.add_argument("--model", nargs="+", metavar="NAME", help="of both, or of A and of B; else the only one")
    compare.add_argument("--fusion", choices=("none", "max", "mean", "gaussian"), help=f"{USUAL} where it is there")
    compare.set_defaults(run=_compare)
