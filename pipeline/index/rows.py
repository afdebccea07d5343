"""Which rows does one image give? Grid, drawn, background and coverage patches, with all that is counted in them."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipeline.config import GuidedSampling, Sampling
from pipeline.index.candidates import Candidates, Lesions
from pipeline.index.counts import Boxes, structure, truth_counts
from pipeline.index.coverage import cover, touched
from pipeline.index.draw import ReadMask, anchors, around, grid_boxes, jittered, pixel_positions
from pipeline.index.frequency import BACKGROUND, eligible
from pipeline.index.image import NormalizedImage, open_image, tiled

__all__ = ["Drawn", "ImageRows", "Source", "image_rows"]


@dataclass(frozen=True, slots=True, eq=False)
class Source:
    """One image that may be used."""

    image_id: str
    """Its name."""
    group_id: str
    """Patient."""
    split: str
    """train, validation or test."""
    fold: int
    """Validation fold, −1 for none."""
    annotated: bool
    """Whether every class was looked for: only then does no truth mean background."""
    store: Path
    """Its store of stage normalized."""
    candidates: Candidates
    """Its components."""

    def eligible(self, sampling: GuidedSampling) -> dict[str, Lesions]:
        """Class → components that may give anchors."""
        least, most = sampling.least_area, sampling.most_area
        found = self.candidates.lesions.items()
        return {code: eligible(lesions, least_area=least, most_area=most) for code, lesions in found}


@dataclass(frozen=True, slots=True, eq=False)
class Drawn:
    """What is drawn from one training image."""

    quotas: Mapping[str, int]
    """Class → patches."""
    population: Mapping[str, int]
    """Class → components or pixels in all training images."""
    background: Boxes
    """Boxes without truth."""


@dataclass(frozen=True, slots=True, eq=False)
class ImageRows:
    """What one image gives."""

    frame: pd.DataFrame
    """Rows with all columns but ``dataset``, types still wide."""
    lesions: Mapping[str, tuple[int, int]]
    """Class → components, and how many of them no patch touches; training images only."""


def _rows(
    boxes: Boxes,
    *,
    ids: list[str],
    strategy: str,
    target: str | None,
    anchor: NDArray[np.int64] | None = None,
    weight: NDArray[np.float64] | float = 1.0,
    coverage: bool = False,
) -> pd.DataFrame:
    y0, x0, y1, x1 = boxes.T
    height, width = y1 - y0, x1 - x0
    anchor_y, anchor_x = np.full((2, len(boxes)), -1, dtype=np.int64) if anchor is None else anchor.T
    zero = np.zeros(len(boxes), dtype=np.int64)
    columns = {
        "patch_id": ids, "strategy": strategy, "y": y0, "x": x0, "height": height, "width": width,
        "anchor_y": anchor_y, "anchor_x": anchor_x,
        "jitter_y": zero if anchor is None else y0 + height // 2 - anchor_y,
        "jitter_x": zero if anchor is None else x0 + width // 2 - anchor_x,
        "target_class": target, "draw_weight": weight, "coverage": coverage,
    }  # fmt: skip
    return pd.DataFrame(columns)


def _grid(source: Source, sampling: Sampling) -> pd.DataFrame:
    size = {"height": source.candidates.height, "width": source.candidates.width}
    boxes = grid_boxes(**size, patch=sampling.patch, overlap=sampling.overlap)
    ids = [f"{source.image_id}/grid/{y}/{x}" for y, x in boxes[:, :2]]
    return _rows(boxes, ids=ids, strategy="grid", target=None)


def _class_rows(
    source: Source, *, code: str, drawn: Drawn, sampling: GuidedSampling, seed: int, read: ReadMask
) -> pd.DataFrame:
    lesions, count = source.eligible(sampling)[code], drawn.quotas[code]
    address: dict[str, Any] = {"seed": seed, "image_id": source.image_id, "code": code}
    place, pixel, chance = anchors(lesions, **address, count=count, by=sampling.anchors)
    anchor = pixel_positions(read, lesions, place=place, pixel=pixel)
    size = {"height": source.candidates.height, "width": source.candidates.width}
    wish = anchor + jittered(chance, most=sampling.jitter)
    boxes = around(wish, keep=anchor, **size, patch=sampling.patch)
    share = lesions.area[place] if sampling.anchors == "pixels" else np.ones(count)
    weight = share / max(drawn.population[code], 1)
    ids = [f"{source.image_id}/guided/{code}/{k}" for k in range(count)]
    return _rows(boxes, ids=ids, strategy="guided", target=code, anchor=anchor, weight=weight)


def _coverage_rows(
    source: Source, boxes: Boxes, *, sampling: GuidedSampling, masks: Mapping[str, ReadMask]
) -> Iterator[pd.DataFrame]:
    shape = (source.candidates.height, source.candidates.width)
    for code, lesions in source.candidates.lesions.items():
        place, added = cover(lesions, boxes, shape=shape, patch=sampling.patch, read=masks[code])
        anchor = np.stack([lesions.first_y[place], lesions.first_x[place]], axis=1)
        ids = [f"{source.image_id}/cover/{code}/{number}" for number in lesions.component[place]]
        boxes = np.concatenate([boxes, added])
        yield _rows(added, ids=ids, strategy="guided", target=code, anchor=anchor, weight=0.0, coverage=True)


def _boxes(frame: pd.DataFrame) -> Boxes:
    start, size = frame[["y", "x"]].to_numpy(np.int64), frame[["height", "width"]].to_numpy(np.int64)
    return np.concatenate([start, start + size], axis=1)


def _guided(
    source: Source, *, drawn: Drawn, sampling: GuidedSampling, seed: int, masks: Mapping[str, ReadMask]
) -> pd.DataFrame:
    parts = [
        _class_rows(source, code=code, drawn=drawn, sampling=sampling, seed=seed, read=masks[code])
        for code in source.candidates.lesions
    ]
    ids = [f"{source.image_id}/guided/{BACKGROUND}/{k}" for k in range(len(drawn.background))]
    parts.append(_rows(drawn.background, ids=ids, strategy="guided", target=BACKGROUND))
    if sampling.cover == "all":
        parts.extend(_coverage_rows(source, _boxes(pd.concat(parts)), sampling=sampling, masks=masks))
    return pd.concat([part for part in parts if len(part)] or parts[:1], ignore_index=True)


def _counted(image: NormalizedImage, frame: pd.DataFrame) -> pd.DataFrame:
    boxes = _boxes(frame)
    area = (frame["height"] * frame["width"]).to_numpy()
    *pixels, any_truth, roi = truth_counts(image, boxes).T
    counted = {f"pixels_{code}": count for code, count in zip(image.classes, pixels, strict=True)}
    shares = {"is_positive": any_truth > 0, "truth_fraction": any_truth / area, "roi_fraction": roi / area}
    return frame.assign(**counted, **shares, structure=structure(image, boxes))


def _masks(image: NormalizedImage) -> dict[str, ReadMask]:
    read = tiled(image.truth)

    def mask(index: int) -> ReadMask:
        return lambda box: np.asarray(read(box)[index] != 0)

    return {code: mask(index) for index, code in enumerate(image.classes)}


def image_rows(source: Source, *, drawn: Drawn | None, sampling: Sampling, seed: int) -> ImageRows:
    """Every row of one image.

    Parameters
    ----------
    source
        The image.
    drawn
        What is drawn from it; None gives the grid.
    sampling
        How to draw.
    seed
        Seed of the run.
    """
    image = open_image(source.store, codes=tuple(source.candidates.lesions))
    masks = _masks(image)
    if drawn is None or not isinstance(sampling, GuidedSampling):
        frame = _grid(source, sampling)
    else:
        frame = _guided(source, drawn=drawn, sampling=sampling, seed=seed, masks=masks)
    facts: dict[str, Any] = {
        "image_id": source.image_id,
        "group_id": source.group_id,
        "split": source.split,
        "fold": source.fold,
    }
    lesions = {}
    for code, found in source.candidates.lesions.items() if source.split == "train" else ():
        reached = touched(found, _boxes(frame), read=masks[code])
        lesions[code] = len(found), int(np.count_nonzero(~reached))
    return ImageRows(_counted(image, frame).assign(**facts), lesions)
