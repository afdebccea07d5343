"""Command ``export``: a trained model, a map, or the truth of an image, as a file for other programs without this package."""

import argparse
import logging
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from pipeline.cli.check import planned
from pipeline.counts import number_of
from pipeline.errors import ConfigurationError
from pipeline.project import extra_command

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from pipeline.config.manifest import ClassRecord
    from pipeline.model.export import Exported

__all__ = ["add_export"]

NEEDED: dict[str, tuple[str, ...]] = {
    "torch": (),
    "onnx": ("onnx", "onnxscript", "onnxruntime"),
    "bioimageio": ("onnx", "onnxscript", "onnxruntime", "bioimageio.spec"),
    "ome-tiff": (),
    "geojson": (),
}
"""Format → modules of the extra ``export`` that it needs."""
SUFFIXES = {
    "torch": ".pt2",
    "onnx": ".onnx",
    "bioimageio": "_bioimageio",
    "ome-tiff": ".ome.tiff",
    "geojson": ".geojson",
}
ENDINGS = {
    "torch": (".pt2",),
    "onnx": (".onnx",),
    "ome-tiff": (".ome.tiff", ".ome.tif"),
    "geojson": (".geojson",),
}
"""Format → allowed file suffixes; a folder may have any name."""
LOUD = ("torch.onnx", "onnxscript", "onnx_ir")

EXAMPLES = """examples:
  lesionmap export results/idrid/model/unet --format onnx
  lesionmap export results/idrid/model/unet --format torch --out unet.pt2
  lesionmap export results/idrid/probability/unet/gaussian/IDRiD_01.zarr --format ome-tiff     for QuPath and Fiji
  lesionmap export results/idrid/normalized/IDRiD_01.zarr --format geojson     outlines of the truth, to be corrected in QuPath
  lesionmap export results/idrid/model/both --format bioimageio --licence CC-BY-4.0 --sample results/idrid/normalized/IDRiD_01.zarr"""


def _export(arguments: argparse.Namespace) -> int:
    form = arguments.format
    output = arguments.out or Path(f"{arguments.model.resolve().name.removesuffix('.zarr')}{SUFFIXES[form]}")
    _check_call(output, form=form, licence=arguments.licence)
    if form == "ome-tiff":
        return _export_map(arguments, output)
    if form == "geojson":
        return _export_truth(arguments, output)
    # Torch takes seconds to import, and `check` must not wait for it.
    from pipeline.model.export import open_for_export
    from pipeline.model.export_input import sample_window

    for name in LOUD:
        logging.getLogger(name).setLevel(logging.ERROR)
    model = open_for_export(arguments.model)
    if form != "torch":
        from pipeline.model.export_onnx import for_onnx

        model = for_onnx(model)
    sample = sample_window(model, arguments.sample)
    origin = f"the middle of {arguments.sample.stem}" if arguments.sample else "ramps of grey values, no image"
    difference = _write(model, output, form=form, sample=sample, origin=origin, licence=arguments.licence)
    console = Console(soft_wrap=True, highlight=False, markup=False)
    console.print(str(output), style="bold")
    for line in (model.facts["input"], model.facts["output"], f"classes: {', '.join(model.codes)}"):
        console.print(f"  {line}")
    console.print(f"  largest difference from the network: {difference:.1g}, on {origin}")
    for text in model.warnings:
        print(f"warning: {text}", file=sys.stderr)
    return 0


def _export_map(arguments: argparse.Namespace, output: Path) -> int:
    from pipeline.stores.ome_tiff import MEANING, write_ome_tiff

    classes = _classes(arguments)
    found = write_ome_tiff(arguments.model, output, values=arguments.values, classes=classes)
    channels, height, width = found["shape"]
    size = f"{found['pixel_size_um']:g} µm a pixel" if found["pixel_size_um"] else "no pixel size is known"
    console = Console(soft_wrap=True, highlight=False, markup=False)
    console.print(str(output), style="bold")
    console.print(
        f"  {width}×{height} pixels, {number_of(channels, 'channel')}: {', '.join(found['channels'])}; {number_of(found['levels'], 'level')}; {size}"
    )
    if "probability" in arguments.model.resolve().parts[:-1]:
        console.print(f"  {MEANING[found['dtype']]}")
    return 0


def _classes(arguments: argparse.Namespace) -> "tuple[ClassRecord, ...]":
    """Classes of a store's data set, from the given configuration; none without one."""
    if not arguments.configfile and not arguments.config:
        return ()
    _, runs = planned(arguments)
    folders = arguments.model.resolve().parts
    if (found := next((run for run in runs if run.entry in folders), None)) is None:
        raise ConfigurationError(
            "The store is of no data set of the configuration.",
            where="--configfile",
            found=arguments.model,
            expected=f"a store below a folder {' or '.join(run.entry for run in runs)}",
            remedy="Give the configuration of its run, or leave it out: names and colours are then those of the store.",
        )
    return found.record.classes


def _export_truth(arguments: argparse.Namespace, output: Path) -> int:
    from pipeline.segmentation.truth_outlines import write_truth_outlines
    from pipeline.stores.image_store import whole_image

    found = write_truth_outlines(arguments.model, output, classes=_classes(arguments))
    console = Console(soft_wrap=True, highlight=False, markup=False)
    console.print(str(output), style="bold")
    console.print(f"  truth in pixels of the original: {', '.join(f'{n} {code}' for code, n in found.items())}")
    if (factor := whole_image(arguments.model)["mapping"]["factor_y"]) < 1:
        console.print(
            f"  The normalised image has {factor:.3g} of the size, and outlines follow its pixels, each {1 / factor:.3g} of the "
            "original wide: as a correction all outlines of this image become that coarse.",
            style="yellow",
        )
    return 0


def _write(
    model: "Exported",
    output: Path,
    *,
    form: str,
    sample: "NDArray[np.float32]",
    origin: str,
    licence: str | None,
) -> float:
    if form == "torch":
        from pipeline.model.export import write_torch

        return write_torch(model, output, sample=sample)
    if form == "onnx":
        from pipeline.model.export_onnx import write_onnx

        return write_onnx(model, output, sample=sample)
    from pipeline.model.bioimageio import write_bioimageio

    return write_bioimageio(model, output, sample=sample, origin=origin, licence=licence)


def _check_call(output: Path, *, form: str, licence: str | None) -> None:
    endings = ENDINGS.get(form, ())
    if endings and not output.name.lower().endswith(endings):
        raise ConfigurationError(
            "The file has another ending than its format.",
            where="--out",
            found=output.name,
            expected=f"a name that ends in {' or '.join(endings)}",
            remedy=f"Write --out {output.name.partition('.')[0]}{SUFFIXES[form]}: other programs go by the ending.",
        )
    missing = [name for name in NEEDED[form] if not _is_installed(name)]
    if missing:
        raise ConfigurationError(
            "A library that the format needs is not installed.",
            where=f"--format {form}",
            found=f"no {', '.join(missing)}",
            expected="the extra `export`",
            remedy=f"Install it: {extra_command('export')}. Format torch needs nothing more.",
        )
    if licence and form != "bioimageio":
        raise ConfigurationError(
            "Only a folder of bioimage.io names its licence.",
            where="--licence",
            found=f"--format {form}",
            expected="--format bioimageio",
            remedy="Leave it out, and say it where you publish the file.",
        )
    if output.exists() or not output.parent.is_dir():
        raise ConfigurationError(
            "The export cannot be written there.",
            where="--out",
            found=f"{output}, which is there already" if output.exists() else f"no folder {output.parent}",
            expected="a new name in a folder that is there",
            remedy="Name another place with --out, or remove what is there.",
        )


def _is_installed(name: str) -> bool:
    try:
        return find_spec(name) is not None
    except ModuleNotFoundError:  # Not even the package that would contain it.
        return False


def add_export(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command to those of the parser."""
    export = commands.add_parser(
        "export",
        help="a trained model, a map or the truth of an image as a file for other programs",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    export.add_argument(
        "model",
        type=Path,
        metavar="MODEL",
        help="a model or an ensemble, such as results/idrid/model/unet; for ome-tiff a store of normalized or probability, for "
        "geojson one of normalized",
    )
    export.add_argument("--format", choices=list(NEEDED), required=True, help="what to write")
    export.add_argument("--out", type=Path, metavar="PATH", help="a new file or folder (MODEL's name in this folder)")
    export.add_argument(
        "--sample",
        type=Path,
        metavar="STORE",
        help="normalised image, such as results/idrid/normalized/IDRiD_01.zarr: the probabilities of its middle are "
        "compared, and bioimageio publishes its pixels; ramps of grey values without it",
    )
    export.add_argument(
        "--values",
        choices=["uint8", "float32"],
        default="uint8",
        help="of probabilities in an OME-TIFF: bytes of 1/255 (uint8)",
    )
    export.add_argument(
        "--configfile",
        nargs="+",
        default=[],
        metavar="FILE",
        help="as for a run: its names and colours of classes for ome-tiff and geojson; those of the store without it",
    )
    export.add_argument("--config", nargs="+", default=[], metavar="KEY=VALUE", help="as for a run")
    export.add_argument("--licence", metavar="SPDX", help="of the folder of bioimageio, such as CC-BY-4.0")
    export.set_defaults(run=_export)
