"""Stain target of a data set: the shipped reference, a saved estimate, an image, or the median training image."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pipeline.config import NormalizedConfig
from pipeline.config.raw import LARGEST_DECODE
from pipeline.errors import ConfigurationError
from pipeline.normalized.opened import Opened
from pipeline.normalized.rescale import Rescaling
from pipeline.normalized.stain.image import estimate_image, tissue_of
from pipeline.normalized.stain.method import median_target
from pipeline.normalized.stain.record import REFERENCE, Estimate, read_estimate
from pipeline.normalized.thumbnail import read_thumbnail
from pipeline.normalized.view import View
from pipeline.raw.formats.light import Showing
from pipeline.raw.formats.reader import open_picture
from pipeline.raw.formats.reading import Reading
from pipeline.stores.documents import write_json
from pipeline.stores.input_files import InputFiles
from pipeline.stores.provenance import Provenance

__all__ = ["target_content", "write_target"]


def _of_image(path: Path, *, config: NormalizedConfig, largest: int) -> Estimate:
    # The image may be of any data set, so its own pixels count, whatever the rescaling of this data set.
    reading = Reading(largest=largest)
    with InputFiles.of([path]).steady(), open_picture(path, showing=Showing(glass=True), reading=reading) as source:
        view = View(source, Rescaling.identity(*source.levels[0]))
        opened = Opened(view, lambda: read_thumbnail(source), source.pixel_size_um)
        return estimate_image(opened, tissue_of(opened), config=config, workers=1)


def _checked(found: Estimate, *, source: str, config: NormalizedConfig) -> Estimate:
    missing = found.mean is None if config.stain.method == "reinhard" else found.matrix is None
    if missing or found.used == "none":
        reasons = "; ".join(found.flags) or f"an estimate by {found.method}"
        raise ConfigurationError(
            "The target of stain normalisation cannot be used.",
            where=f"normalized.stain.target: {source}",
            found=reasons,
            expected=f"an estimate that serves method {config.stain.method}",
            remedy="Choose another image or stain.json, or `reference`.",
        )
    return found


def _chosen(
    config: NormalizedConfig, *, target: str, file: Path | None, estimates: Sequence[Path], largest: int
) -> tuple[Estimate, str]:
    if file is not None and file.suffix.lower() == ".json":
        return read_estimate(file), f"saved estimate {file.name}"
    if file is not None:
        return _of_image(file, config=config, largest=largest), f"image {file.name}"
    if target == "median":
        every = [read_estimate(path) for path in estimates]
        trusted = [each for each in every if not each.flags]
        if not trusted:
            return REFERENCE, "shipped reference: no training image has an estimate without a flag"
        return median_target(trusted), f"median of {len(trusted)} training images"
    return REFERENCE, "shipped reference"


def target_content(
    config: NormalizedConfig,
    *,
    target: str,
    file: Path | None,
    estimates: Sequence[Path],
    largest: int = LARGEST_DECODE,
) -> dict[str, Any]:
    """Stain target as plain values, with its source.

    Parameters
    ----------
    config
        Method and size.
    target
        ``reference``, ``median``, or the name of the file.
    file
        The stain.json or image that the target names, if any.
    estimates
        ``stain.json`` of the training images only, for the median, so nothing leaks.
    largest
        Bytes of the largest picture, page, tile or strip of an image that is decoded at once.

    Raises
    ------
    ConfigurationError
        An image without usable stains, or an estimate by another method.
    ImageRejected
        An image that cannot be read, or is too large to be decoded.
    """
    found, source = _chosen(config, target=target, file=file, estimates=estimates, largest=largest)
    return {**_checked(found, source=source, config=config).to_json(), "from": source}


def write_target(
    config: NormalizedConfig,
    *,
    target: str,
    file: Path | None,
    estimates: Sequence[Path],
    output: Path,
    provenance: Provenance,
    largest: int = LARGEST_DECODE,
) -> None:
    """Stain target ``normalized/target.json`` of all images of the data set, written.

    Parameters
    ----------
    config, target, file, estimates, largest
        See `target_content`.
    output
        The file.
    provenance
        Record of origin.

    Raises
    ------
    ConfigurationError
        An image without usable stains, or an estimate by another method.
    """
    content = target_content(config, target=target, file=file, estimates=estimates, largest=largest)
    write_json({**content, "provenance": provenance.as_attributes()}, output)
