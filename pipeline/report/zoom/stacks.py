"""Stacks of layers of one image: planes of the same kind, read together, and the colours of their values.

Layers over the image have few values, each with a colour and an opacity: truth as an outline with a faint inside,
prediction filled, errors by kind, probability in steps.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import cv2
import numpy as np
from matplotlib import colormaps
from numpy.typing import NDArray

from pipeline import stores
from pipeline.arrays.raster import Raster
from pipeline.config.manifest import DatasetRecord
from pipeline.geometry import Box
from pipeline.normalized.pyramid import halve
from pipeline.report.pictures.overlays import ERROR_COLOURS, HEAT_MAP
from pipeline.report.pictures.reduce import ERRORS, error_kinds
from pipeline.report.pictures.store_pictures import mask_raster
from pipeline.report.zoom.levels import Halving, Planes, halve_highest
from pipeline.stores.probability_store import as_float16

__all__ = [
    "STEPS",
    "Palette",
    "Stack",
    "mask_indices",
    "overlay_stacks",
    "picture_stack",
    "probability_stack",
    "probability_steps",
]

Palette: TypeAlias = tuple[tuple[int, int, int, int], ...]
"""Red, green, blue and opacity of each value, 0 to 255; value 0 is transparent."""

CLEAR = (0, 0, 0, 0)
INSIDE, BORDER = 1, 2
FAINT, FILLED, FULL = 40, 150, 255
STEPS = 31
"""Steps of a probability between 0 and 1."""
HALVED_FROM = 2048
"""Maps of images with a longer side are shown at most at half size, because they are smooth."""


@dataclass(frozen=True, slots=True, eq=False)
class Stack:
    """Layers of one kind, read together, each with its own files."""

    kind: str
    raster: Raster[np.uint8]
    """``(n, y, x)``."""
    halve: Halving
    palettes: tuple[Palette, ...] = ()
    """Palette of each plane; empty if the planes are red, green and blue of one image."""
    numbers: tuple[int | None, ...] = (None,)
    """Number of the class of each layer; None for layers of no class."""
    result: int | None = None
    """Number of its model and fusion, 0 for the one with all layers; None for layers of none."""


def picture_stack(kind: str, raster: Raster[np.uint8]) -> Stack:
    """Picture ``(3, y, x)`` as a stack of one layer."""
    return Stack(kind, raster, halve)


def mask_indices(masks: Raster[np.bool_]) -> Raster[np.uint8]:
    """Masks as indices: 0 outside, ``INSIDE``, and ``BORDER`` for pixels of the mask that touch its outside.

    They are read with a halo of one pixel, so boxes do not matter. The border of the image is no border of a mask.
    """
    cross = cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3))

    def read(box: Box) -> Planes:
        wide = box.grow(1, masks.box)
        own, found = box.shift(-wide.y0, -wide.x0).slices, masks.read(wide).view(np.uint8)
        index = np.zeros((len(found), box.height, box.width), np.uint8)
        for plane, out in zip(found, index, strict=True):
            if plane.any():
                np.subtract(2 * plane[own], cv2.erode(plane, cross)[own], out=out)
        return index

    return Raster(masks.shape, read)


def _error_indices(
    truth: Raster[np.bool_], masks: Raster[np.bool_], *, judged: Sequence[int], ignored: Raster[np.bool_] | None
) -> Raster[np.uint8]:
    def read(box: Box) -> Planes:
        kinds = error_kinds(truth.read(box)[[*judged]], masks.read(box)[[*judged]])
        kinds = kinds if ignored is None else kinds & ~ignored.read(box)
        # No pixel is of two kinds. Bytes, because integers would take eight times the memory for a strip.
        index = np.zeros((1, box.height, box.width), np.uint8)
        for number, kind in enumerate(kinds, start=1):
            index[0] += kind.view(np.uint8) * np.uint8(number)
        return index

    return Raster(truth.shape, read)


def _steps(stored: NDArray[Any]) -> NDArray[np.uint8]:
    found = np.clip(np.nan_to_num(as_float16(stored).astype(np.float32)), 0, 1)
    return np.rint(found * STEPS).astype(np.uint8)


_STEPS_OF_BYTES = _steps(np.arange(256, dtype=np.uint8))
_STEPS_OF_HALVES = _steps(np.arange(2**16, dtype=np.uint16).view(np.float16))
"""Step of each byte, and of each float16 by its bits."""


def probability_steps(stored: NDArray[Any]) -> NDArray[np.uint8]:
    """Steps of stored probabilities, 0 to ``STEPS``, looked up, which is faster than computing each."""
    if stored.dtype == np.uint8:
        return np.asarray(cv2.LUT(stored, _STEPS_OF_BYTES)).reshape(
            stored.shape
        )  # OpenCV drops a last axis of length 1.
    bits = np.ascontiguousarray(stored).view(np.uint16)
    return np.asarray(_STEPS_OF_HALVES[bits])


def probability_stack(stored: Raster[Any], classes: int) -> Stack:
    """Probabilities ``(class, y, x)`` of one level of a map as a stack of a layer for each class, in ``STEPS`` steps."""
    indices = stored.map(probability_steps)
    return Stack("probability", indices, halve, (_heat_palette(),) * classes, tuple(range(classes)), result=0)


def _shown_map(path: Path) -> Raster[Any]:
    found = stores.open_array(path, "0")
    return stores.raster_of(stores.open_array(path, "1") if max(found.shape[-2:]) > HALVED_FROM else found)


def _heat_palette() -> Palette:
    values = np.arange(STEPS + 1) / STEPS
    colours = np.rint(np.asarray(colormaps[HEAT_MAP](values)) * 255).astype(int)
    shares = np.rint(np.sqrt(values) * 255).astype(int)
    return tuple((int(r), int(g), int(b), int(a)) for (r, g, b, _), a in zip(colours, shares, strict=True))


def _class_palettes(record: DatasetRecord, *shares: int) -> tuple[Palette, ...]:
    return tuple((CLEAR, *((*each.rgb, share) for share in shares)) for each in record.classes)


def overlay_stacks(
    normalized: Path,
    *,
    segmentation: Path | None,
    probability: Path | None,
    record: DatasetRecord,
    judged: Sequence[int],
    others: Sequence[Path] = (),
    opened: Callable[[Path, str], Raster[np.bool_] | None] = mask_raster,
) -> list[Stack]:
    """Stacks over the image, as far as their stores exist: probability, truth, prediction, errors.

    Parameters
    ----------
    normalized, segmentation, probability
        Stores of the image.
    record
        Facts of the data set.
    judged
        Numbers of the classes that somebody looked for; the others have no truth.
    others
        Segmentations of other models and fusions, which give only prediction and errors.
    opened
        Reader of the masks of a store by their name.
    """
    every = tuple(range(len(record.classes)))
    truth = opened(normalized, "truth") if judged else None
    found = []
    if probability:
        found.append(probability_stack(_shown_map(probability), len(every)))
    if truth:
        outlined = _class_palettes(record, FAINT, FULL)
        found.append(Stack("truth", mask_indices(truth), halve_highest, outlined, every))
    filled, ignored = _class_palettes(record, FILLED), opened(normalized, "ignore")
    for result, path in enumerate([segmentation, *others]):
        masks = opened(path, "masks") if path else None
        if masks:
            found.append(Stack("prediction", masks.map(_of_masks), halve_highest, filled, every, result))
        if truth and masks:
            indices = _error_indices(truth, masks, judged=judged, ignored=ignored)
            found.append(Stack("errors", indices, halve_highest, (_error_palette(),), result=result))
    return found


def _error_palette() -> Palette:
    return (CLEAR, *((*ERROR_COLOURS[kind], FULL) for kind in ERRORS))


def _of_masks(masks: NDArray[np.bool_]) -> Planes:
    return masks.view(np.uint8)
