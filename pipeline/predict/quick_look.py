"""Quick look at a prediction: one picture with outlines, and a legend of classes, counts and largest probabilities."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pipeline.config import NormalizedConfig
from pipeline.config.manifest import DatasetRecord
from pipeline.errors import printable
from pipeline.geometry import BLOCK, aligned_boxes
from pipeline.normalized.opened import open_view
from pipeline.raw.datasets.entry import ImageEntry
from pipeline.report.pictures import overlays
from pipeline.report.pictures.lettering import Label, lettered, text_width
from pipeline.report.pictures.overlays import RGB, Picture
from pipeline.report.pictures.reduce import picture_shape, reduce_masks
from pipeline.report.pictures.store_pictures import level_of, mask_raster, resized
from pipeline.stores.atomic import file_in_progress
from pipeline.stores.documents import read_json
from pipeline.stores.probability_store import as_float16, open_probability

__all__ = ["ClassSeen", "largest_probabilities", "quick_look", "regions_by_class", "write_look"]

NARROWEST = 560
"""Least width of a picture in pixels, so that its legend fits; smaller images are enlarged by whole factors."""
GROUND: RGB = (24, 29, 35)
INK: RGB = (227, 233, 240)
SOFT: RGB = (158, 171, 185)
LETTERS, MARGIN, LINE = 17, 14, 27


@dataclass(frozen=True, slots=True)
class ClassSeen:
    """Class as shown in the legend."""

    code: str
    name: str
    rgb: RGB
    largest: float
    """Largest probability anywhere in the image."""
    regions: int | None = None
    """Regions found; None where there are no thresholds."""

    @property
    def title(self) -> str:
        """Name with its code, or once where both are equal."""
        return self.name if self.name == self.code else f"{self.name} ({self.code})"

    @property
    def text(self) -> str:
        """Count and largest probability in words."""
        largest = f"largest probability {self.largest:.2f}"
        if self.regions is None:
            return largest
        return f"{self.regions} region{'' if self.regions == 1 else 's'}, {largest}"


def largest_probabilities(path: Path) -> tuple[float, ...]:
    """Largest probability of each class of a map, read block by block."""
    found = open_probability(path)
    largest = np.zeros(found.shape[0], np.float32)
    for box in aligned_boxes(*found.shape[1:], BLOCK):
        largest = np.maximum(largest, found.read(box).astype(np.float32).max(axis=(1, 2)))
    return tuple(float(each) for each in largest)


def regions_by_class(outlines: Path, *, codes: Sequence[str]) -> dict[str, int]:
    """Regions of each class in a file of outlines."""
    found = [each["properties"]["metadata"]["class_code"] for each in read_json(outlines)["features"]]
    return {code: found.count(code) for code in codes}


def _photograph(entry: ImageEntry, *, record: DatasetRecord, config: NormalizedConfig) -> Picture:
    """Downscaled original, on the field of the maps and with no more pixels than they have."""
    with open_view(entry, record=record, config=config, workers=1) as opened:
        pixels = opened.thumbnail().pixels
        shape = picture_shape(opened.height, opened.width, side=max(pixels.shape))
    return np.asarray(resized(np.ascontiguousarray(pixels), shape), dtype=np.uint8)


def _enlarged(array: NDArray[Any], factor: int) -> NDArray[Any]:
    return array.repeat(factor, axis=-2).repeat(factor, axis=-1)


def _outlined(photograph: Picture, segmentation: Path, *, record: DatasetRecord, factor: int) -> Picture:
    reduced = reduce_masks(
        None, mask_raster(segmentation, "masks"), classes=len(record.classes), picture=photograph.shape[:2]
    )
    assert reduced.masks is not None  # There is a prediction.
    large = np.moveaxis(_enlarged(np.moveaxis(photograph, 2, 0), factor), 0, 2)
    thickness = 1 + max(large.shape) // 600
    masks = _enlarged(reduced.masks, factor)
    return overlays.draw_classes(np.ascontiguousarray(large), masks, record, filled=False, thickness=thickness)


def _heated(photograph: Picture, probability: Path, *, record: DatasetRecord, factor: int) -> Picture:
    kinds = [at for at, each in enumerate(record.classes) if each.kind == "lesion"] or [*range(len(record.classes))]
    highest = as_float16(level_of(probability, side=max(photograph.shape)))[kinds].max(axis=0).astype(np.float32)
    heated = overlays.heat(photograph, resized(highest, photograph.shape[:2]))
    return np.ascontiguousarray(np.moveaxis(_enlarged(np.moveaxis(heated, 2, 0), factor), 0, 2))


def _shortened(text: str, *, width: int, bold: bool = False) -> str:
    while text and text_width(text, size=LETTERS, bold=bold) > width:
        text = text[:-2].rstrip() + "…"
    return text


def _legend(lines: Sequence[str], seen: Sequence[ClassSeen], *, width: int) -> Picture:
    """Panel below the picture: lines of text, then a line for each class."""
    panel = np.full((2 * MARGIN + LINE * (len(lines) + len(seen)), width, 3), GROUND, np.uint8)
    labels, room = [], width - 2 * MARGIN
    for at, text in enumerate(lines):
        bold = at == 0
        shown = _shortened(text, width=room, bold=bold)
        labels.append(Label(shown, MARGIN + at * LINE, MARGIN, LETTERS, SOFT if at else INK, bold=bold))
    for at, each in enumerate(seen, start=len(lines)):
        y = MARGIN + at * LINE
        panel[y + 3 : y + 3 + LETTERS - 2, MARGIN : MARGIN + 2 * LETTERS] = each.rgb
        text = _shortened(f"{each.title}: {each.text}", width=room - 3 * LETTERS)
        labels.append(Label(text, y, MARGIN + 3 * LETTERS, LETTERS, INK))
    return lettered(panel, labels)


def quick_look(
    entry: ImageEntry,
    *,
    probability: Path,
    segmentation: Path | None,
    record: DatasetRecord,
    config: NormalizedConfig,
    lines: Sequence[str],
    seen: Sequence[ClassSeen],
) -> Picture:
    """Picture of an image with the regions found in it, ``(h, w, 3)``.

    Parameters
    ----------
    entry
        The image and its file.
    probability, segmentation
        Stores of the prediction. Without a segmentation the probability of the most likely lesion is shown in colours.
    record
        Classes, colours and overlap priority.
    config
        How the image is resampled to the grid of the maps.
    lines
        Text over the legend, the first bold.
    seen
        Rows of the legend.
    """
    photograph = _photograph(entry, record=record, config=config)
    factor = -(-NARROWEST // photograph.shape[1]) if photograph.shape[1] < NARROWEST else 1
    if segmentation:
        drawn = _outlined(photograph, segmentation, record=record, factor=factor)
    else:
        drawn = _heated(photograph, probability, record=record, factor=factor)
    return np.concatenate([drawn, _legend([*map(printable, lines)], seen, width=drawn.shape[1])])


def write_look(picture: Picture, output: Path) -> None:
    """PNG file of a picture, written atomically."""
    with file_in_progress(output) as partial:
        Image.fromarray(picture).save(partial, format="PNG", compress_level=6)
