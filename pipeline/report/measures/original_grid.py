"""Grid of the original image: truth from the files, and resampled masks and probabilities of a rescaled image.

Published tables use original pixels. The truth is read directly from the files of the manifest, never resampled there
and back. The image is the normalised one, whose contrasts count, interpolated like any image. Masks are resampled as in
`predict`: a pixel takes the value under its centre, or is set if half of it is covered. Probabilities are interpolated
linearly. Everything is read in blocks.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.arrays.contrast import luminance
from pipeline.arrays.raster import Raster
from pipeline.arrays.resample import resampled_mask, resampled_picture, resampled_probability
from pipeline.config.manifest import ClassRecord, DatasetRecord
from pipeline.geometry import Box
from pipeline.raw.checked import as_checked
from pipeline.raw.datasets.entry import ImageEntry
from pipeline.raw.truth import open_truth
from pipeline.stores import open_array, raster_of
from pipeline.stores.image_store import image_notes
from pipeline.stores.probability_store import open_probability
from pipeline.stores.provenance import file_digest

__all__ = ["TruthFiles", "grey_levels", "original_planes"]


@dataclass(frozen=True, slots=True)
class TruthFiles:
    """Files of the truth of an image."""

    entry: ImageEntry
    sheet: Path | None = None
    """Its fact sheet, so that files are not examined again; they must be unchanged since then."""
    classes: tuple[ClassRecord, ...] = ()
    """Classes with their names, which polygons of a correction refer to; by default those of the record."""


def _masks(path: Path, size: tuple[int, int]) -> Raster[np.bool_]:
    stored = raster_of(open_array(path, "masks"))

    def read(box: Box) -> NDArray[np.bool_]:
        # All classes at once, because a chunk holds them all and would be decoded again for each.
        near = _under(box, size, stored).grow(1, stored.box)
        planes = stored.read(near) > 0
        rasters = [Raster(stored.shape, partial(_inside, plane, near)) for plane in planes]
        return np.stack([resampled_mask(each, size).read(box) for each in rasters])

    return Raster(size, read)


def _under(box: Box, size: tuple[int, int], stored: Raster[Any]) -> Box:
    """Pixels of a stored grid covered at least partly by a box of the other grid."""
    (rows, columns), (height, width) = size, stored.shape
    return Box(
        box.y0 * height // rows,
        box.x0 * width // columns,
        -(-box.y1 * height // rows),
        -(-box.x1 * width // columns),
    )


def _inside(plane: NDArray[np.bool_], near: Box, box: Box) -> NDArray[np.bool_]:
    return plane[box.shift(-near.y0, -near.x0).slices]


def grey_levels(path: Path) -> Raster[np.uint8]:
    """Raster of the luminance of a normalised image ``(y, x)``."""
    return raster_of(open_array(path, "0")).map(luminance)


@contextmanager
def original_planes(
    truth: TruthFiles, stores: Mapping[str, Path], *, record: DatasetRecord
) -> Iterator[dict[str, Raster[Any]] | None]:
    """Planes for `measure_image` on the grid of the original; None if that is the grid of the normalised image.

    Parameters
    ----------
    truth
        Where the truth of the image lies.
    stores
        ``normalized``, ``segmentation`` and ``probability`` of the image.
    record
        Its data set.

    Raises
    ------
    ImageRejected
        A truth file has changed since the results were made, or is damaged.
    """
    mapping = image_notes(stores["normalized"])["mapping"]
    size = int(mapping["source_height"]), int(mapping["source_width"])
    if size == (int(mapping["height"]), int(mapping["width"])):
        yield None
        return
    entry, origin = truth.entry, (int(mapping["origin_y"]), int(mapping["origin_x"]))
    if truth.sheet is not None:
        digests = {name: file_digest(path) for name, path in entry.files.items()}
        entry = as_checked(entry, sheet=truth.sheet, digests=digests)
    named = record.model_copy(update={"classes": truth.classes}) if truth.classes else record
    with open_truth(entry, record=named, height=size[0], width=size[1], origin=origin) as source:
        if source is None:
            yield None
            return
        ignored = source.ignored_on(*size)
        roi = raster_of(open_array(stores["normalized"], "roi")).map(lambda plane: plane > 0)
        yield {
            "truth": source.on(*size),
            "roi": resampled_mask(roi, size),
            "masks": _masks(stores["segmentation"], size),
            "probability": resampled_probability(open_probability(stores["probability"]).raster, size),
            "grey": resampled_picture(grey_levels(stores["normalized"]), size),
        } | ({} if ignored is None else {"ignore": ignored})
