"""Moving crops: the box of a training patch, redrawn in each epoch around its lesion.

The index ties each patch to a lesion or place; a fixed box would show the network the same crop in every epoch. A
moving box keeps its anchor inside, or its centre if it has no anchor. A patch without truth moves only to boxes without
truth that keep its share of field of view or tissue and, as in the index, are ignored at most in a quarter; a patch with
truth but no anchor moves only to boxes with some truth. Grid rows and rows added for coverage do not move. Seed, model, epoch and patch alone determine the box of a row
in an epoch.

If the augmentation includes scale, boxes are larger or smaller than the patch under the same rules; fixed boxes scale
around their centre.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipeline.config import AnyAugmentation
from pipeline.geometry import Box
from pipeline.index.box_sums import MOST_IGNORED
from pipeline.index.sampling.positions import around, jittered
from pipeline.model.augment import build_augmenter, patch_stream
from pipeline.seeds import stream
from pipeline.stores import open_array
from pipeline.stores.image_store import ignored_array
from pipeline.stores.shards import Shards

__all__ = ["CropMasks", "MovingCrops", "epoch_boxes"]

ROUNDING = 1e-4
"""Share of field of view or tissue that may be lost, because the index stores it as float32."""


@dataclass(frozen=True, slots=True, eq=False)
class CropMasks:
    """Masks of one image that decide where its crops may move."""

    truth: Shards
    """``(class, y, x)``."""
    roi: Shards
    """``(y, x)``: field of view or tissue."""
    ignored: Shards | None = None
    """``(y, x)``: pixels with uncertain truth; None where the data set declares none."""

    @classmethod
    def of(cls, path: Path) -> Self:
        """Masks of a normalised store, opened but not read."""
        unsure = ignored_array(path)
        truth, roi = (Shards.of(open_array(path, name)) for name in ("truth", "roi"))
        return cls(truth, roi, None if unsure is None else Shards.of(unsure))


@dataclass(frozen=True, slots=True, eq=False)
class MovingCrops:
    """Boxes of training patches by row and epoch."""

    ids: tuple[str, ...]
    boxes: NDArray[np.int64]
    """``(rows, 4)``: y, x, height, width."""
    anchors: NDArray[np.int64]
    """``(rows, 2)``: the pixel that stays inside."""
    moves: NDArray[np.bool_]
    """Rows whose box moves."""
    free: NDArray[np.bool_]
    """Rows drawn for a truth pixel or from a grid; they need no check of the truth."""
    positive: NDArray[np.bool_]
    """Rows that hold truth."""
    roi_fraction: NDArray[np.float64]
    share: float
    """Largest shift, as a share of the side of the patch."""
    address: tuple[int, str]
    """Seed and name of the model."""

    @classmethod
    def of(cls, rows: pd.DataFrame, *, share: float, address: tuple[int, str]) -> Self:
        """Moving crops of the rows of an index; with share 0 none moves."""
        boxes = rows[["y", "x", "height", "width"]].to_numpy(dtype=np.int64)
        anchors = rows[["anchor_y", "anchor_x"]].to_numpy(dtype=np.int64)
        anchored = anchors[:, 0] >= 0
        centres = boxes[:, :2] + boxes[:, 2:] // 2
        grid, coverage = (rows["strategy"] == "grid").to_numpy(), rows["coverage"].to_numpy(dtype=bool)
        return cls(
            tuple(rows["patch_id"].astype(str)),
            boxes,
            np.where(anchored[:, None], anchors, centres),
            ~(grid | coverage) & (share > 0),
            anchored | grid,
            rows["is_positive"].to_numpy(dtype=bool),
            rows["roi_fraction"].to_numpy(dtype=np.float64),
            share,
            address,
        )

    def place(self, row: int) -> Box:
        """Box of a row in the index."""
        y, x, height, width = self.boxes[row].tolist()
        return Box(y, x, y + height, x + width)

    def wish(self, row: int, *, epoch: int, before: int, height: int, width: int, scale: float = 1.0) -> Box:
        """Box drawn for a row in an epoch, before the checks, in an image of ``height`` × ``width``.

        ``before`` counts earlier occurrences of the row in this epoch; ``scale`` is the side relative to the row's own.
        """
        anchor, side = self.anchors[row : row + 1], round(int(self.boxes[row, 2:].max()) * scale)
        if self.moves[row]:
            seed, name = self.address
            again = (before,) if before else ()
            chance = stream(seed, "model", name, "crop", epoch, self.ids[row], *again).random((1, 2))
            wish = anchor + jittered(chance, most=round(self.share * side))
        else:
            wish = self.boxes[row : row + 1, :2] + self.boxes[row : row + 1, 2:] // 2
        y0, x0, y1, x1 = around(wish, keep=anchor, height=height, width=width, patch=side)[0].tolist()
        return Box(y0, x0, y1, x1)

    def box(self, row: int, *, epoch: int, before: int, masks: CropMasks, scale: float = 1.0) -> Box:
        """Box of a row in an epoch, in the image of these masks."""
        place = self.place(row)
        if not self.moves[row] and scale == 1:
            return place
        height, width = masks.roi.array.shape[-2:]
        wish = self.wish(row, epoch=epoch, before=before, height=height, width=width, scale=scale)
        return wish if self.free[row] or self._is_alike(row, wish, masks=masks) else place

    def _is_alike(self, row: int, wish: Box, *, masks: CropMasks) -> bool:
        if bool(masks.truth.read(wish).any()) != bool(self.positive[row]):
            return False
        if self.positive[row]:
            return True
        roi = masks.roi.read(wish)
        unsure = np.zeros_like(roi) if masks.ignored is None else masks.ignored.read(wish)
        if float((unsure > 0).mean()) > MOST_IGNORED:
            return False
        inside = (roi > 0) & (unsure == 0)  # Ignored pixels do not count in the index's share either.
        return bool(inside.mean() >= self.roi_fraction[row] - ROUNDING)


def epoch_boxes(
    rows: pd.DataFrame,
    *,
    epoch: int,
    share: float,
    normalized: Mapping[str, Path],
    address: tuple[int, str],
    augmentation: AnyAugmentation = (),
) -> pd.DataFrame:
    """Boxes of index rows in an epoch of a training: a table ``patch_id, y, x, height, width``.

    Parameters
    ----------
    rows
        Training rows of the index.
    epoch
        From 0.
    share
        ``moving_crops`` of the model.
    normalized
        Image id → normalised store.
    address
        Seed of the run plus that of the model, and the name of the model.
    augmentation
        Augmentation of the model, which may change the size of boxes.
    """
    augmenter = build_augmenter(augmentation)
    crops = MovingCrops.of(rows, share=share, address=address)
    opened = {image: CropMasks.of(normalized[image]) for image in sorted(set(rows["image_id"].astype(str)))}
    boxes = []
    for row, image in enumerate(rows["image_id"].astype(str)):
        random = patch_stream(address, epoch=epoch, patch_id=crops.ids[row], before=0)
        scale = augmenter.scale(random) if augmenter else 1.0
        box = crops.box(row, epoch=epoch, before=0, masks=opened[image], scale=scale)
        boxes.append((crops.ids[row], box.y0, box.x0, box.height, box.width))
    return pd.DataFrame(boxes, columns=["patch_id", "y", "x", "height", "width"])
