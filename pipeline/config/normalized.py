"""Parameters of stage normalized: chains and sizes."""

from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from pipeline.config.values import BlockSide, Count, PathText, Storage, Strict, Workers

__all__ = ["Clahe", "Difference", "FieldShare", "Gaussian", "NormalizedConfig", "Rescale", "Stain"]


class Rescale(Strict):
    """Resampling before all other steps; null for all keys keeps the original pixels."""

    factor: Annotated[float, Field(gt=0, le=16)] | None = Field(None, description="Factor on both sides, such as 0.25.")
    fov_diameter: Annotated[int, Field(ge=1, le=100_000)] | None = Field(
        None, description="Target diameter of the field of view in pixels (fundus)."
    )
    level: Annotated[int, Field(ge=0, le=63)] | None = Field(
        None, description="Level of the slide's own pyramid, 0 finest."
    )
    um_per_pixel: Annotated[float, Field(ge=0.01, le=1000)] | None = Field(
        None, description="Target side of a pixel in micrometres (slides)."
    )

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        given = [name for name in type(self).model_fields if getattr(self, name) is not None]
        if len(given) > 1:
            raise ValueError(f"give one of {', '.join(given)}, not several")
        return self


Tiles = Annotated[int, Field(ge=1, le=1024)]


class Clahe(Strict):
    """Contrast-limited adaptive histogram equalisation (Zuiderveld 1994)."""

    apply: bool = Field(True, description="Whether this step runs.")
    space: Literal["lab", "green", "rgb"] = Field(
        "lab", description="Channel to equalise: Lab lightness, green, or each RGB channel."
    )
    clip_limit: Annotated[float, Field(gt=0, le=1e6)] = Field(
        2.0, description="Clip limit in OpenCV's units (multiples of a flat histogram)."
    )
    tiles: tuple[Tiles, Tiles] = Field((8, 8), description="Tiles along y and x.")
    statistics: Literal["image", "roi"] = Field(
        "image", description="Pixels counted in the histograms: all (as in OpenCV), or only the field of view."
    )


class FieldShare(Strict):
    """Length as a share of the diameter of the field of view."""

    fov_share: Annotated[float, Field(gt=0, le=1)] = Field(description="Share of the diameter.")


class Gaussian(Strict):
    """Gaussian blur G(I) inside the field of view: the result if the difference step is off, else what it subtracts."""

    apply: bool = Field(True, description="Whether this step runs.")
    sigma: Annotated[float, Field(gt=0, le=10_000)] | FieldShare = Field(
        FieldShare(fov_share=0.0167),
        description="Standard deviation: pixels of the normalised image, or a share of the field of view's diameter.",
    )


class Difference(Strict):
    """Difference enhancement I_d = omega * I + theta * G(I) + offset, saturated to 0…255."""

    apply: bool = Field(True, description="Whether this step runs; it needs the Gaussian.")
    omega: Annotated[float, Field(ge=-1000, le=1000)] = Field(4.0, description="Weight of the image.")
    theta: Annotated[float, Field(ge=-1000, le=1000)] = Field(-4.0, description="Weight of its blur.")
    offset: Annotated[float, Field(ge=-1e6, le=1e6)] = Field(
        128.0, description="Grey level added (the paper's varsigma)."
    )
    of: Literal["equalised", "original"] = Field("equalised", description="Image used as I.")


Density = Annotated[float, Field(gt=0, le=100)]
"""Optical density."""


class Stain(Strict):
    """Stain normalisation of H&E: a small basis is estimated per slide, then each pixel is mapped independently."""

    method: Literal["vahadane", "macenko", "reinhard", "none"] = Field(
        "vahadane", description="vahadane (sparse dictionary), macenko (plane of densities), reinhard (Lab statistics)."
    )
    target: PathText = Field(
        "reference",
        description="Stain target: reference (shipped numbers), median (of the training images), or a file, "
        "relative to the working folder: the stain.json of an image, or an image.",
    )
    background: Literal["estimate", "white"] = Field(
        "estimate", description="Light through bare glass: estimated per slide and channel, or 255."
    )
    outside: Literal["normalise", "keep"] = Field(
        "normalise", description="Pixels outside tissue: mapped like the others, or kept byte for byte."
    )
    sample: Annotated[int, Field(ge=1, le=10**8)] = Field(
        100_000, description="Tissue pixels from which the dictionary is learned."
    )
    iterations: Annotated[int, Field(ge=1, le=10**6)] = Field(
        200, description="Mini-batches of 512 pixels of dictionary learning."
    )
    dictionary_sparsity: Annotated[float, Field(ge=0, le=100)] = Field(
        0.02, description="Vahadane: lambda of the dictionary; a larger value pulls the two vectors towards each other."
    )
    sparsity: Annotated[float, Field(ge=0, le=100)] = Field(0.01, description="Vahadane: lambda of the concentrations.")
    least_density: Density = Field(
        0.15, description="Pixels with a lower optical density (vector length) do not affect the vectors."
    )
    extreme_angle: Annotated[float, Field(ge=0, lt=50)] = Field(
        1.0, description="Macenko: percentile of the angles that defines the two stains."
    )
    percentile: Annotated[float, Field(gt=0, le=100)] = Field(
        99.0, description="Percentile of the concentrations over tissue that is matched to the target's."
    )
    fallback: Literal["reference", "macenko", "keep"] = Field(
        "reference",
        description="Fallback for an untrusted basis: the reference vectors, Macenko's, or keeping the image "
        "unchanged.",
    )
    least_tissue: Count = Field(5000, description="Fewest tissue pixels for estimating a basis.")
    least_strength: Density = Field(0.15, description="A stain with a lower percentile concentration counts as weak.")
    least_angle: Annotated[float, Field(ge=0, lt=90)] = Field(
        8.0, description="Vectors closer than this many degrees count as nearly parallel."
    )
    most_deviation: Annotated[float, Field(gt=0, le=90)] = Field(
        30.0, description="A vector more than this many degrees from its reference is not trusted."
    )
    most_gain: Annotated[float, Field(ge=1, le=1000)] = Field(
        5.0, description="Largest factor by which a stain is strengthened; more would only amplify noise."
    )
    concentrations: bool = Field(
        False, description="Also write the haematoxylin and eosin concentrations (array `stains`)."
    )


class NormalizedConfig(Strict):
    """Stage normalized: one chain per modality."""

    chain: Literal["fundus", "histology"] = Field("fundus", description="Fundus enhancement, or stain normalisation.")
    rescale: Rescale = Field(Rescale(), description="Optional resampling; the mapping to the original is recorded.")
    clahe: Clahe = Field(Clahe(), description="Fundus: first step.")
    gaussian: Gaussian = Field(Gaussian(), description="Fundus: second step.")
    difference: Difference = Field(Difference(), description="Fundus: third step.")
    outside: Literal["neutral", "black", "keep"] = Field(
        "neutral",
        description="Fundus: pixels outside the field of view. Neutral is the value of a uniform area: the offset "
        "of the difference, or black without the difference step.",
    )
    field_of_view: Literal["found", "whole"] = Field(
        "found",
        description="Fundus: region of interest found by the border around the disc, or the whole picture, for pictures of "
        "another kind and for crops whose border is not as it should be.",
    )
    stain: Stain = Field(Stain(), description="Histology: stain normalisation.")
    roi_holes: Annotated[float, Field(ge=0, le=1)] = Field(
        0.05,
        description="Histology: tissue holes (lumen, mucus) up to this share of the image belong to the region of "
        "interest; 0: none. Stains are estimated without them.",
    )
    strip_rows: BlockSide = Field(2048, description="Rows of a block held in memory; a multiple of the shard.")
    strip_columns: BlockSide = Field(6144, description="Most columns of a block; a multiple of the shard.")
    workers: Workers = Field(1, description="Blocks of one image at a time (threads of its job); changes no result.")
    storage: Storage = Field(Storage(), description="Chunks, shards, compression.")

    @property
    def fill_outside(self) -> int:
        """Grey value outside the field of view, where it is not kept."""
        neutral = self.outside == "neutral" and self.difference.apply
        return round(min(max(self.difference.offset, 0.0), 255.0)) if neutral else 0

    @model_validator(mode="after")
    def _possible(self) -> Self:
        if self.difference.apply and not self.gaussian.apply:
            raise ValueError("difference.apply needs gaussian.apply: the difference is taken to the blurred image")
        shard = self.storage.shard
        for name in ("strip_rows", "strip_columns"):
            side = getattr(self, name)
            if side % shard and name in self.model_fields_set:
                raise ValueError(f"{name} {side} must be a multiple of storage.shard {shard}")
            # A default follows the shards: results do not record blocks, which change no value.
            object.__setattr__(self, name, max(side // shard, 1) * shard)
        return self

    def of_the_values(self) -> dict[str, Any]:
        """Plain values that a normalised image depends on, without the size of blocks in memory."""
        return self.model_dump(mode="json", exclude={"strip_rows", "strip_columns", "workers"})
