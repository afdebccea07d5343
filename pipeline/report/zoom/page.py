"""Page of one image in deep zoom, and the folder that holds it and its picture files; it opens from disk."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline import stores
from pipeline.arrays.raster import Raster
from pipeline.config import NormalizedConfig
from pipeline.config.manifest import DatasetRecord
from pipeline.geometry import grid_pixel_um
from pipeline.normalized.opened import open_view
from pipeline.raw.datasets.entry import Checked, ImageEntry
from pipeline.report.page.render import rendered
from pipeline.report.pictures.colours import colour_code
from pipeline.report.pictures.overlays import ERROR_COLOURS
from pipeline.report.pictures.store_pictures import mask_raster
from pipeline.report.store_notes import store_notes
from pipeline.report.zoom.files import WHOLE, write_stacks
from pipeline.report.zoom.levels import held
from pipeline.report.zoom.stacks import Stack, overlay_stacks, picture_stack
from pipeline.stores.atomic import folder_in_progress
from pipeline.stores.job import Job

__all__ = ["ImageStores", "Pages", "viewer_context", "write_page", "write_viewer"]

PAGE = "index.html"
ERROR_NAMES = {
    "hit": "true positive",
    "false_positive": "false positive",
    "false_negative": "false negative",
    "other_class": "another class",
}
PICTURES = {"normalised": "Normalised", "original": "Original"}
KINDS = {
    "truth": "Truth",
    "prediction": "Prediction",
    "errors": "Errors",
    "probability": "Probability",
    "patches": "Training patches",
}
"""Layers over the picture, in the order of their switches."""
AT_FIRST = {"truth": 100, "prediction": 80}
"""Layers visible when the page opens, and their opacity in percent."""
OPACITY = 80


@dataclass(frozen=True, slots=True)
class ImageStores:
    """Stores of one image: of one model and fusion, if it has maps, and of further layers."""

    normalized: Path
    probability: Path | None = None
    segmentation: Path | None = None
    others: Mapping[str, Path] = field(default_factory=dict)
    """Name of each other model and fusion → segmentation."""
    indexes: Sequence[Path] = ()
    """Patch indexes used to train the model."""


def _judged(entry: ImageEntry, job: Job) -> list[int]:
    """Numbers of the classes that somebody looked for."""
    codes = job.record.codes if entry.annotated else ()
    return [at for at, code in enumerate(codes) if code not in entry.unknown]


def _planar(raster: Raster[np.uint8]) -> Raster[np.uint8]:
    def planes(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        found = np.empty((3, *pixels.shape[:2]), np.uint8)
        cv2.split(pixels, [*found])  # Several times as fast as NumPy.
        return found

    return raster.map(planes)


def _pictures(
    entry: ImageEntry, store: Path, *, config: NormalizedConfig, job: Job, folder: Path, whole: int
) -> Iterator[dict[str, Any]]:
    checked = replace(entry, checked=Checked(()))  # Stage raw has examined the file; here its pixels are shown alone.
    with open_view(checked, record=job.record, config=config, workers=job.workers) as opened:
        yield from write_stacks([picture_stack("original", _planar(opened.eight_bit))], folder, whole=whole)
    normalised = picture_stack("normalised", stores.raster_of(stores.open_array(store, "0")))
    yield from write_stacks([normalised], folder, whole=whole)


def _masks(path: Path, name: str) -> Raster[np.bool_] | None:
    raster = mask_raster(path, name)
    return None if raster is None else held(raster)


def _together(stack: Stack) -> tuple[tuple[int, int], int]:
    """Size of the raster and number of the result of a stack: what has both in common is read in one pass."""
    return stack.raster.shape, stack.result or 0


def _patch_boxes(indexes: Sequence[Path], image: str) -> list[list[int]]:
    """Boxes of the training patches of an image, each once: y, x, height, width."""
    found: set[tuple[int, ...]] = set()
    for path in indexes:
        table = stores.read_table(path)
        own = table[(table["image_id"] == image) & (table["split"] == "train")]
        found |= set(own[["y", "x", "height", "width"]].itertuples(index=False, name=None))
    return [[int(value) for value in box] for box in sorted(found)]


def viewer_context(
    panes: Sequence[Mapping[str, Any]],
    *,
    record: DatasetRecord,
    width: int,
    height: int,
    boxes: Sequence[Sequence[int]] = (),
    shown: Sequence[str] = (),
) -> dict[str, Any]:
    """Context of the template ``zoom.html``, from the layers of its panes.

    Parameters
    ----------
    panes
        Each with ``title`` and ``layers``, the facts for the script of the viewer.
    record
        Classes and their colours.
    width, height
        Of the image in pixels.
    boxes
        Patches, each ``y, x, height, width``.
    shown
        Names of the results that layers refer to by number; one is visible at a time.
    """
    layers = [layer for pane in panes for layer in pane["layers"]]
    kinds, classes = {layer["kind"] for layer in layers}, {layer["class"] for layer in layers}
    kinds |= {"patches"} if boxes else set()
    return {
        "size": f"{width} × {height} px",
        "pictures": [(kind, text) for kind, text in PICTURES.items() if kind in kinds],
        "controls": [
            {"kind": kind, "text": text, "on": kind in AT_FIRST, "opacity": AT_FIRST.get(kind, OPACITY)}
            for kind, text in KINDS.items()
            if kind in kinds
        ],
        "classes": [
            {"number": at, "code": each.code, "name": each.name, "colour": colour_code(each.rgb)}
            for at, each in enumerate(record.classes)
            if at in classes
        ],
        "errors": [(ERROR_NAMES[kind], colour_code(rgb)) for kind, rgb in ERROR_COLOURS.items()],
        "facts": {"panes": list(panes), "width": width, "height": height, "boxes": list(boxes)},
        "shown": list(shown),
        "results": [],
    }


@dataclass(frozen=True, slots=True)
class Pages:
    """Facts that the pages of all images of a data set share."""

    dataset: str
    """Name shown on the page."""
    result: str
    """Name of the model and fusion of the maps."""
    config: NormalizedConfig
    """How stage normalized reads an image: its size."""
    job: Job
    """Facts of the data set, record of origin."""
    whole: int = WHOLE
    """Pixels up to which a level is one file; larger images are cut into tiles."""


def _layers(entry: ImageEntry, found: ImageStores, pages: Pages, folder: Path) -> list[dict[str, Any]]:
    """Layers of an image, their files written."""
    config, job, whole = pages.config, pages.job, pages.whole
    layers = list(_pictures(entry, found.normalized, config=config, job=job, folder=folder, whole=whole))
    stacks: list[Stack] = overlay_stacks(
        found.normalized,
        segmentation=found.segmentation,
        probability=found.probability,
        record=job.record,
        judged=_judged(entry, job),
        others=list(found.others.values()),
        opened=_masks,
    )
    passes = [list(own) for _, own in groupby(stacks, key=_together)]
    return layers + [layer for own in passes for layer in write_stacks(own, folder, whole=whole)]


def write_page(entry: ImageEntry, found: ImageStores, *, pages: Pages, folder: Path) -> None:
    """Page of one image and its picture files, written into a folder.

    Parameters
    ----------
    entry
        The image and its file, read as in stage normalized.
    found
        Its stores.
    pages
        Facts shared by all pages.
    folder
        Two levels below the folder of the report, where the page loads the files of ``viewer``.
    """
    height, width = stores.open_array(found.normalized, "0").shape[-2:]
    context = viewer_context(
        [{"title": "", "layers": _layers(entry, found, pages, folder)}],
        record=pages.job.record,
        width=int(width),
        height=int(height),
        boxes=_patch_boxes(found.indexes, entry.image_id),
        shown=[pages.result, *found.others] if found.segmentation else (),
    )
    mapping = store_notes(found.normalized).get("mapping", {"factor_y": 1.0})
    context["facts"]["micrometres"] = grid_pixel_um(mapping, given=pages.job.record.pixel_size_um)
    context |= {
        "image": entry.image_id,
        "dataset": pages.dataset,
        "result": pages.result if found.segmentation else "",
        "assets": "../../viewer",
        "back": "../../index.html",
        "back_text": "Report",
    }
    (folder / PAGE).write_text(rendered("zoom.html", context), encoding="utf-8")  # The folder is no result yet.


def write_viewer(entry: ImageEntry, found: ImageStores, *, pages: Pages, output: Path) -> None:
    """Folder ``report/zoom/{image}`` of one image, written: ``index.html`` and the picture files beside it.

    Parameters
    ----------
    entry, found, pages
        As for `write_page`.
    output
        The folder.
    """
    with folder_in_progress(output, digest=pages.job.provenance.digest) as folder:
        write_page(entry, found, pages=pages, folder=folder)
