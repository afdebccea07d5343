"""Index rows of one image: grid, drawn, background and coverage patches with their counts."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipeline.arrays.raster import Raster
from pipeline.config import GridSampling, GuidedSampling, Sampling
from pipeline.config.manifest import DatasetRecord
from pipeline.geometry import strips
from pipeline.index.box_sums import Boxes, truth_counts
from pipeline.index.image import NormalizedImage, open_image, tiled
from pipeline.index.sampling.coverage import cover, touched
from pipeline.index.sampling.frequency import anchor_weights
from pipeline.index.sampling.plan import ImagePlan
from pipeline.index.sampling.positions import anchors, around, grid_boxes, jittered, pixel_positions
from pipeline.index.source import Source
from pipeline.index.structure import structure
from pipeline.words import BACKGROUND

__all__ = ["ImageRows", "covered_roi", "image_rows"]


@dataclass(frozen=True, slots=True, eq=False)
class ImageRows:
    """Index rows of one image, and the coverage by its patches."""

    frame: pd.DataFrame
    """Rows with all columns except ``dataset``, not yet in their final types."""
    lesions: Mapping[str, tuple[NDArray[np.int64], NDArray[np.bool_]]]
    """Class → area of each component, and whether a patch touches it; training images only."""
    covered: int
    """Pixels of the roi, without ignored ones, inside patches that were drawn without truth; training images only."""


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
        "patch_id": ids,
        "strategy": strategy,
        "y": y0,
        "x": x0,
        "height": height,
        "width": width,
        "anchor_y": anchor_y,
        "anchor_x": anchor_x,
        "jitter_y": zero if anchor is None else y0 + height // 2 - anchor_y,
        "jitter_x": zero if anchor is None else x0 + width // 2 - anchor_x,
        "target_class": target,
        "draw_weight": weight,
        "coverage": coverage,
    }
    return pd.DataFrame(columns)


def _grid(source: Source, sampling: Sampling) -> pd.DataFrame:
    size = {"height": source.candidates.height, "width": source.candidates.width}
    boxes = grid_boxes(**size, patch=sampling.patch, overlap=sampling.overlap)
    ids = [f"{source.image_id}/grid/{y}/{x}" for y, x in boxes[:, :2]]
    return _rows(boxes, ids=ids, strategy="grid", target=None)


def _class_rows(
    source: Source, *, code: str, drawn: ImagePlan, sampling: GuidedSampling, seed: int, mask: Raster[np.bool_]
) -> pd.DataFrame:
    lesions, count = source.eligible(sampling)[code], drawn.quotas[code]
    address: dict[str, Any] = {"seed": seed, "image_id": source.image_id, "code": code}
    weights = anchor_weights(lesions, sampling)
    place, pixel, chance = anchors(
        lesions,
        **address,
        count=count,
        by=sampling.anchors,
        most=sampling.most_per_component,
        weights=weights if sampling.area_power else None,
    )
    anchor = pixel_positions(mask, lesions, place=place, pixel=pixel)
    size = {"height": source.candidates.height, "width": source.candidates.width}
    wish = anchor + jittered(chance, most=sampling.jitter)
    boxes = around(wish, keep=anchor, **size, patch=sampling.patch)
    weight = weights[place] / max(drawn.population[code], 1)
    ids = [f"{source.image_id}/guided/{code}/{k}" for k in range(count)]
    return _rows(boxes, ids=ids, strategy="guided", target=code, anchor=anchor, weight=weight)


def _coverage_rows(
    source: Source, boxes: Boxes, *, sampling: GuidedSampling, masks: Mapping[str, Raster[np.bool_]]
) -> Iterator[pd.DataFrame]:
    for code, lesions in source.candidates.lesions.items():
        place, added = cover(lesions, boxes, patch=sampling.patch, mask=masks[code])
        anchor = np.stack([lesions.first_y[place], lesions.first_x[place]], axis=1)
        ids = [f"{source.image_id}/cover/{code}/{number}" for number in lesions.component[place]]
        boxes = np.concatenate([boxes, added])
        yield _rows(added, ids=ids, strategy="guided", target=code, anchor=anchor, weight=0.0, coverage=True)


def _boxes(frame: pd.DataFrame) -> Boxes:
    start, size = frame[["y", "x"]].to_numpy(np.int64), frame[["height", "width"]].to_numpy(np.int64)
    return np.concatenate([start, start + size], axis=1)


def _fixed_rows(source: Source, *, drawn: ImagePlan, strategy: str) -> Iterator[pd.DataFrame]:
    for part in drawn.fixed:
        ids = [f"{source.image_id}/{strategy}/{part.kind}/{k}" for k in range(len(part.boxes))]
        yield _rows(part.boxes, ids=ids, strategy=strategy, target=part.target, weight=part.weight)


def _drawn(
    source: Source, *, drawn: ImagePlan, sampling: Sampling, seed: int, masks: Mapping[str, Raster[np.bool_]]
) -> pd.DataFrame:
    parts = list(_fixed_rows(source, drawn=drawn, strategy=sampling.strategy))
    if isinstance(sampling, GuidedSampling):
        options: dict[str, Any] = {"drawn": drawn, "sampling": sampling, "seed": seed}
        parts += [_class_rows(source, code=code, mask=masks[code], **options) for code in source.candidates.lesions]
        if sampling.cover == "all":
            parts.extend(_coverage_rows(source, _boxes(pd.concat(parts)), sampling=sampling, masks=masks))
    return pd.concat([part for part in parts if len(part)] or parts[:1], ignore_index=True)


def _counted(image: NormalizedImage, frame: pd.DataFrame, *, modality: str) -> pd.DataFrame:
    boxes = _boxes(frame)
    area = (frame["height"] * frame["width"]).to_numpy()
    places = range(len(image.classes))
    *pixels, any_truth, roi = truth_counts(image, boxes, groups=[*([at] for at in places), places]).T
    counted = {f"pixels_{code}": count for code, count in zip(image.classes, pixels, strict=True)}
    counted |= {f"pixels_{code}": np.full(len(frame), -1) for code in image.unknown}
    shares = {"is_positive": any_truth > 0, "truth_fraction": any_truth / area, "roi_fraction": roi / area}
    return frame.assign(**counted, **shares, structure=structure(image, boxes, modality=modality))


def _named(frame: pd.DataFrame, *, codes: Sequence[str]) -> pd.DataFrame:
    """Positives of balanced sampling get the lesion class with the most pixels in them, the first among equals."""
    unnamed = (frame["strategy"] == "balanced") & frame["target_class"].isna()
    if not unnamed.any():
        return frame
    largest = frame[[f"pixels_{code}" for code in codes]].to_numpy().argmax(axis=1)
    return frame.assign(target_class=frame["target_class"].where(~unnamed, np.array(codes, dtype=object)[largest]))


def covered_roi(image: NormalizedImage, boxes: Boxes) -> int:
    """Pixels of the roi that lie in at least one box, counted in strips."""
    covered = 0
    for strip in strips(image.height, image.width, image.rows) if len(boxes) else ():
        inside = np.zeros((strip.height, strip.width), dtype=np.bool_)
        for y0, x0, y1, x1 in boxes:
            inside[max(y0 - strip.y0, 0) : max(y1 - strip.y0, 0), x0:x1] = True
        covered += int(np.count_nonzero(inside & (image.roi_mask.read(strip)[0] != 0))) if inside.any() else 0
    return covered


def _masks(image: NormalizedImage) -> dict[str, Raster[np.bool_]]:
    truth = tiled(image.truth)

    def mask(index: int) -> Raster[np.bool_]:
        return Raster(truth.shape, lambda box: np.asarray(truth.read(box)[index] != 0))

    return {code: mask(index) for index, code in enumerate(image.classes)}


def image_rows(
    source: Source, *, drawn: ImagePlan | None, sampling: Sampling, seed: int, record: DatasetRecord
) -> ImageRows:
    """Index rows of one image.

    Parameters
    ----------
    source
        The image.
    drawn
        Patches drawn from it; None gives the grid.
    sampling
        How to draw.
    seed
        Seed of the run.
    record
        Facts of the data set.
    """
    image = open_image(source.store, codes=tuple(source.candidates.lesions))
    masks = _masks(image)
    if drawn is None or isinstance(sampling, GridSampling):
        frame = _grid(source, sampling)
    else:
        frame = _drawn(source, drawn=drawn, sampling=sampling, seed=seed, masks=masks)
    facts: dict[str, Any] = {
        "image_id": source.image_id,
        "group_id": source.group_id,
        "split": source.split,
        "fold": source.fold,
    }
    training = source.split == "train"
    lesions = {
        code: (found.area, touched(found, _boxes(frame), mask=masks[code]))
        for code, found in (source.candidates.lesions.items() if training else ())
    }
    background = _boxes(frame[frame["target_class"] == BACKGROUND])
    covered = covered_roi(image, background) if training else 0
    rows = _named(_counted(image, frame, modality=record.modality), codes=record.lesion_codes)
    return ImageRows(rows.assign(**facts), lesions, covered)
