"""Command ``predict``: a trained model on new images."""

import argparse
import logging
import sys
from pathlib import Path
from typing import TYPE_CHECKING, get_args

from rich.console import Console

from pipeline.cli.arguments import positive
from pipeline.config import Fusion, ProbabilityConfig, SegmentationConfig
from pipeline.config.command_line import key_values
from pipeline.config.raw import LARGEST_DECODE
from pipeline.errors import ConfigurationError, printable
from pipeline.runtime.allocator import keep_freed
from pipeline.runtime.threads import let_waiting_threads_sleep

if TYPE_CHECKING:
    from pipeline.predict.options import PredictedFiles, PredictOptions

__all__ = ["add_predict"]


def _predict(arguments: argparse.Namespace) -> int:
    keep_freed()
    let_waiting_threads_sleep()
    # Torch takes seconds to import, and `check` must not wait for it.
    from pipeline.predict.new_image import ModelInUse
    from pipeline.predict.page import check_page, write_predictions_page
    from pipeline.predict.several import image_files, predict_images

    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    if arguments.out.exists() and not arguments.out.is_dir():
        raise ConfigurationError(
            "The folder of the results is a file.",
            where="--out",
            found=arguments.out,
            expected="a folder, or a name that does not exist",
            remedy="Give another name.",
        )
    check_page(arguments.out)
    files = image_files(arguments.image)
    used = ModelInUse.of(arguments.model, _options(arguments))
    console, problems = Console(soft_wrap=True), dict[Path, str]()
    for number, each in enumerate(predict_images(files, used=used, out=arguments.out), start=1):
        of_all = f"{number} of {len(files)}: " if len(files) > 1 else ""
        if each.problem:
            problems[each.file] = each.problem
            unnamed = "" if printable(each.file) in each.problem else f"{printable(each.file)}: "
            print(f"{of_all}{unnamed}{each.problem}", file=sys.stderr)
        elif of_all:
            console.print(f"{of_all}{printable(each.file)}", style="bold", markup=False, highlight=False)
        for found in each.found:
            _say(found, console)
    if len(problems) < len(files) or arguments.out.is_dir():
        page = write_predictions_page(arguments.out, problems=problems)
        console.print(f"page: {page}", markup=False, highlight=False)
    if problems and len(files) > 1:
        print(f"{len(problems)} of {len(files)} files without a result: their reasons stand above", file=sys.stderr)
    return 1 if problems else 0


def _options(arguments: argparse.Namespace) -> "PredictOptions":
    from pipeline.predict.options import PredictOptions

    return PredictOptions(
        fusions=tuple(dict.fromkeys(arguments.fusion)),
        threshold=arguments.threshold,
        pixel_size_um=arguments.pixel_size,
        original_grid=arguments.original_grid,
        workers=arguments.workers,
        largest_decode=arguments.largest_decode,
        probability=key_values(arguments.probability, option="--probability", model=ProbabilityConfig),
        segmentation=key_values(arguments.segmentation, option="--segmentation", model=SegmentationConfig),
    )


def _say(found: "PredictedFiles", console: Console) -> None:
    # Plain lines: a table would cut paths at the width of the terminal.
    lines = [("picture", found.look), ("probability", found.probability), ("labels and masks", found.segmentation)]
    lines += [("outlines", found.outlines), *(("mask as large as the image", path) for path in found.masks)]
    console.print(found.fusion, style="bold")
    for what, path in lines:
        if path:
            console.print(f"  {what}: {path}", markup=False, highlight=False)
    if found.outlines:
        counts = ", ".join(f"{code} {count}" for code, count in found.regions.items())
        console.print(f"  regions: {counts}", highlight=False)


EXAMPLES = """examples:
  lesionmap predict eye.jpg --model results/idrid/model/unet
  lesionmap predict left/*.jpg right/ --model results/idrid/model/unet --out mine
  lesionmap predict slide.svs --model results/my_slides/model/unet --fusion gaussian mean --original-grid
  lesionmap predict eye.jpg --model copied/unet --threshold 0.5 --probability device=cpu overlap=0.5"""


def add_predict(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command to those of the parser."""
    predict = commands.add_parser(
        "predict",
        help="a trained model on new images: maps, masks, outlines, pictures and a page",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    predict.add_argument(
        "image",
        type=Path,
        nargs="+",
        metavar="IMAGE",
        help="JPEG, PNG, TIFF or a slide, or a folder: the images that lie in it, not below",
    )
    predict.add_argument("--model", type=Path, required=True, metavar="FOLDER", help="such as results/idrid/model/unet")
    predict.add_argument(
        "--out",
        type=Path,
        default=Path("predictions"),
        metavar="FOLDER",
        help="results go to FOLDER/IMAGE/, the page to FOLDER/index.html (default: %(default)s)",
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
    predict.add_argument("--workers", type=positive, default=1, metavar="N", help="blocks normalised at a time")
    predict.add_argument(
        "--largest-decode",
        type=positive,
        default=LARGEST_DECODE,
        metavar="BYTES",
        help="largest picture, page, tile or strip of IMAGE that is decoded at once (default: %(default)s)",
    )
    for stage in ("probability", "segmentation"):
        predict.add_argument(
            f"--{stage}",
            nargs="+",
            default=[],
            metavar="KEY=VALUE",
            help=f"change parameters of stage {stage}, such as those in stages/config.yaml",
        )
    predict.set_defaults(run=_predict)
