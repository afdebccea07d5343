"""Parameters of stage segmentation: thresholds and regions."""

from typing import Annotated, Literal, Self

from pydantic import Field

from pipeline.config.values import Area, Count, Distance, SafeName, Share, Storage, Strict

__all__ = ["SegmentationConfig", "Smoothing"]


class Smoothing(Strict):
    """Smoothing of the probability maps before thresholds; these are fitted to smoothed maps, too."""

    method: Literal["none", "gaussian", "guided"] = Field(
        "none", description="gaussian: blur; guided: blur that keeps the edges of the image (He et al. 2013)."
    )
    sigma: Annotated[float, Field(gt=0, le=64)] = Field(
        2.0, description="gaussian: standard deviation, pixels of the normalised image."
    )
    radius: Annotated[int, Field(ge=1, le=64)] = Field(8, description="guided: half the side of its windows, pixels.")
    epsilon: Annotated[float, Field(ge=1e-6, le=1)] = Field(
        0.001, description="guided: variance of the brightness, in the range 0…1, above which an edge is kept."
    )


class SegmentationConfig(Strict):
    """Stage segmentation: thresholds and clean regions."""

    fit_thresholds: bool = Field(True, description="Fit each threshold on the validation images (pooled Dice).")
    threshold: Share = Field(0.5, description="Threshold where none is or can be fitted.")
    smoothing: Smoothing = Field(Smoothing(), description="Smoothing of the maps before thresholds are applied.")
    smoothing_of: dict[SafeName, Smoothing] = Field(
        {},
        description="Model or ensemble → smoothing of its maps, instead of `smoothing`; folds have that of their model.",
    )
    minimum_area: Area = Field(0, description="Regions below this many pixels are removed.")
    minimum_areas: dict[str, Area] | Literal["percentile"] = Field(
        {},
        description="The same, per class code; percentile: from truth regions of the training images. Maps are "
        "not used, so memorised training images do not make them too small.",
    )
    minimum_area_percentile: Annotated[float, Field(ge=0, le=100)] = Field(
        5.0, description="Percentile of their areas, per class."
    )
    fill_holes: bool = Field(True, description="Fill holes inside regions.")
    largest_hole: Count | None = Field(None, description="Holes above this many pixels stay; null fills all.")
    hard_negative_margin: Distance = Field(
        16,
        description="Least distance, in rows and columns, between a false positive on the list of hard negatives "
        "and any truth.",
    )
    storage: Storage = Field(Storage(), description="Chunks, shards, compression.")

    def of_model(self, name: str) -> Self:
        """Parameters for the maps of a model or ensemble, or of one of its folds ``{model}.fold0`` …"""
        whole = name.rpartition(".fold")[0] or name
        smoothing = self.smoothing_of.get(name) or self.smoothing_of.get(whole) or self.smoothing
        return self.model_copy(update={"smoothing": smoothing, "smoothing_of": {}})

    def area_of(self, code: str) -> int:
        """Smallest region of a class to keep, in pixels, where given."""
        areas = {} if self.minimum_areas == "percentile" else self.minimum_areas
        return areas.get(code, self.minimum_area)
