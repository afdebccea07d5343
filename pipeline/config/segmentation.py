"""Parameters of stage segmentation: thresholds and regions."""

from typing import Annotated

from pydantic import Field

from pipeline.config.values import Count, Share, Storage, Strict

__all__ = ["SegmentationConfig"]


class SegmentationConfig(Strict):
    """Stage segmentation: thresholds and clean regions."""

    fit_thresholds: bool = Field(True, description="Fit each threshold on the validation images (pooled Dice).")
    threshold: Share = Field(0.5, description="Threshold where none is fitted or can be.")
    minimum_area: Annotated[int, Field(ge=0)] = Field(0, description="Regions below this many pixels are removed.")
    minimum_areas: dict[str, Annotated[int, Field(ge=0)]] = Field({}, description="The same, per class code.")
    fill_holes: bool = Field(True, description="Fill holes inside regions.")
    largest_hole: Count | None = Field(None, description="Holes above this many pixels stay; null fills all.")
    hard_negative_margin: Annotated[int, Field(ge=0)] = Field(
        16, description="Rows and columns between a false positive on the list of hard negatives and any truth."
    )
    storage: Storage = Field(Storage(), description="Chunks, shards, compression.")
