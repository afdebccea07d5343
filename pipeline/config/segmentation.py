"""Parameters of stage segmentation: thresholds and regions."""

from typing import Annotated, Literal

from pydantic import Field

from pipeline.config.values import Count, Share, Storage, Strict

__all__ = ["SegmentationConfig"]


class SegmentationConfig(Strict):
    """Stage segmentation: thresholds and clean regions."""

    fit_thresholds: bool = Field(True, description="Fit each threshold on the validation images (pooled Dice).")
    threshold: Share = Field(0.5, description="Threshold where none is fitted or can be.")
    minimum_area: Annotated[int, Field(ge=0)] = Field(0, description="Regions below this many pixels are removed.")
    minimum_areas: dict[str, Annotated[int, Field(ge=0)]] | Literal["percentile"] = Field(
        {}, description="The same, per class code; percentile: from the regions of the truth that was learned from."
    )
    minimum_area_percentile: Annotated[float, Field(ge=0, le=100)] = Field(
        5.0, description="Percentile of their areas, per class."
    )
    fill_holes: bool = Field(True, description="Fill holes inside regions.")
    largest_hole: Count | None = Field(None, description="Holes above this many pixels stay; null fills all.")
    hard_negative_margin: Annotated[int, Field(ge=0)] = Field(
        16, description="Rows and columns between a false positive on the list of hard negatives and any truth."
    )
    storage: Storage = Field(Storage(), description="Chunks, shards, compression.")

    def area_of(self, code: str) -> int:
        """Smallest region of a class that is kept, in pixels, where it is given."""
        areas = {} if self.minimum_areas == "percentile" else self.minimum_areas
        return areas.get(code, self.minimum_area)
