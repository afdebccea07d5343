"""Command ``predict``: a trained model on one new image."""

import argparse
import logging
import sys
from pathlib import Path
from typing import get_args

from rich.console import Console

from pipeline.cli.arguments import key_values, positive
from pipeline.config import Fusion
from pipeline.config.raw import LARGEST_DECODE
from pipeline.runtime.allocator import keep_freed
from pipeline.runtime.threads import let_waiting_threads_sleep

__all__ = ["add_predict"]


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
        largest_decode=arguments.largest_decode,
        probability=key_values(arguments.probability, option="--probability"),
        segmentation=key_values(arguments.segmentation, option="--segmentation"),
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


EXAMPLES = """examples:
  lesionmap predict eye.jpg --model results/idrid/model/unet
  lesionmap predict slide.svs --model results/my_slides/model/unet --fusion gaussian mean --original-grid
  lesionmap predict eye.jpg --model copied/unet --threshold 0.5 --probability device=cpu overlap=0.5"""


def add_predict(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command to those of the parser."""
    predict = commands.add_parser(
        "predict",
        help="a trained model on one new image: maps, masks, outlines",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
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
