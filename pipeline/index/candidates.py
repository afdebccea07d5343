"""Candidate table: every lesion component of every class of one image, from which anchors are drawn."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipeline.arrays.components import component_table
from pipeline.errors import StoreError
from pipeline.geometry import Box, strips
from pipeline.index.image import NormalizedImage, open_image
from pipeline.stores import read_noted, write_table
from pipeline.stores.atomic import file_in_progress
from pipeline.stores.provenance import Provenance

__all__ = ["Candidates", "Lesions", "candidate_table", "read_candidates", "write_candidates"]


@dataclass(frozen=True, slots=True, eq=False)
class Lesions:
    """The 8-connected components of one class in one image; arrays of equal length in raster order."""

    component: NDArray[np.int64]
    """Number in raster order of the first pixel."""
    area: NDArray[np.int64]
    """Pixels."""
    y0: NDArray[np.int64]
    x0: NDArray[np.int64]
    y1: NDArray[np.int64]
    x1: NDArray[np.int64]
    """Bounding box, half-open."""
    first_y: NDArray[np.int64]
    first_x: NDArray[np.int64]
    """First pixel in raster order."""

    def __len__(self) -> int:
        return len(self.component)

    @classmethod
    def of_frame(cls, frame: pd.DataFrame) -> "Lesions":
        """Components from rows of a candidate table."""
        return cls(*(frame[each.name].to_numpy(np.int64) for each in fields(cls)))

    def select(self, which: NDArray[np.bool_] | NDArray[np.int64]) -> "Lesions":
        """Components by mask or by positions."""
        return Lesions(*(getattr(self, each.name)[which] for each in fields(self)))

    def box(self, at: int) -> Box:
        """Bounding box of the component at a position."""
        return Box(int(self.y0[at]), int(self.x0[at]), int(self.y1[at]), int(self.x1[at]))


@dataclass(frozen=True, slots=True, eq=False)
class Candidates:
    """Size and lesion components of one image: everything that sampling needs to know about it."""

    image_id: str
    """Name of the image."""
    height: int
    """Rows."""
    width: int
    """Columns."""
    roi_pixels: int
    """Pixels of field of view or tissue that are not ignored."""
    lesions: Mapping[str, Lesions]
    """Class code → components, for every class."""


def candidate_table(image: NormalizedImage) -> pd.DataFrame:
    """Candidate table of one image: one row per component, classes in order and components in raster order.

    Parameters
    ----------
    image
        An opened store; its truth is read in strips.
    """
    parts = []
    for code in image.classes:
        table = component_table(image.class_mask(code), rows=image.rows)
        columns = {"class_code": code, "component": np.arange(len(table.area), dtype=np.int32), **table.columns()}
        parts.append(pd.DataFrame(columns))
    frame = pd.concat(parts, ignore_index=True)
    return frame.assign(class_code=pd.Categorical(frame["class_code"], categories=list(image.classes)))


def write_candidates(normalized: Path, *, output: Path, provenance: Provenance) -> None:
    """Write ``index/candidates/{image}.parquet`` from a store of stage normalized.

    Parameters
    ----------
    normalized
        Folder of the store; it must hold ``truth`` and ``roi``.
    output
        The Parquet file. Its metadata note ``image`` holds image_id, height, width, roi_pixels and class_pixels; the
        latter is −1 for a class that nobody looked for.
    provenance
        Record of origin.

    Raises
    ------
    StoreError
        The store is not one of stage normalized.
    """
    image = open_image(normalized)
    frame = candidate_table(image)
    boxes = strips(image.height, image.width, image.rows)
    area = frame.groupby("class_code", observed=False)["area"].sum()
    note = {
        "image_id": image.image_id,
        "height": image.height,
        "width": image.width,
        "roi_pixels": sum(int(np.count_nonzero(image.roi_mask.read(box))) for box in boxes),
        "class_pixels": {code: -1 if code in image.unknown else int(area[code]) for code in image.classes},
    }
    with file_in_progress(output) as partial:
        write_table(frame, partial, provenance=provenance.as_attributes(), extra={"image": note})


def read_candidates(path: Path, *, codes: tuple[str, ...]) -> Candidates:
    """Candidates of one image, read from its table.

    Parameters
    ----------
    path
        A file of ``write_candidates``.
    codes
        Class codes expected.

    Raises
    ------
    StoreError
        The file is not from this package or holds other classes.
    """
    frame, notes = read_noted(path)
    note = notes.get("image")
    if note is None or tuple(note["class_pixels"]) != codes:
        found = "no note `image`" if note is None else f"classes {', '.join(note['class_pixels'])}"
        raise StoreError(
            "The candidate table does not fit.",
            where=path,
            found=found,
            expected=f"classes {', '.join(codes)}",
            remedy="Delete it and run the stage index again.",
        )
    every, place = Lesions.of_frame(frame), frame["class_code"].cat.codes.to_numpy()
    lesions = {code: every.select(place == at) for at, code in enumerate(codes)}
    return Candidates(note["image_id"], note["height"], note["width"], note["roi_pixels"], lesions)
