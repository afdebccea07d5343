"""Parameters of stage index: strategies, patches, quotas."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from pipeline.config.values import Area, Count, Distance, Exponent, Fold, PathText, SafeName, Share, Side, Strict

__all__ = [
    "BalancedSampling",
    "DrawnSampling",
    "GridSampling",
    "GuidedSampling",
    "HardNegatives",
    "IndexConfig",
    "Sampling",
]


class _Patches(Strict):
    patch: Side = Field(512, description="Side of a patch in pixels of the normalised image.")
    overlap: Annotated[float, Field(ge=0, le=0.99)] = Field(0.25, description="Overlap of neighbouring grid patches.")


class GridSampling(_Patches):
    """The plain sliding window."""

    strategy: Literal["grid"] = Field("grid", description="Plain sliding grid.")


class HardNegatives(Strict):
    """A list of boxes with false positives of an earlier model, and its use."""

    table: PathText | None = Field(
        None,
        description="Parquet or CSV file with image_id, y, x, height, width, score; relative to the working folder.",
    )
    use: Literal["draw", "avoid"] = Field(
        "draw", description="draw: negatives are taken from the boxes; avoid: no negative touches a box."
    )
    share: Share = Field(0.5, description="draw: share of the negatives taken from the list.")
    least_score: Share = Field(0.0, description="Boxes with a lower score are left out.")
    suspected_from: Share | None = Field(
        None,
        description="Boxes with at least this score are suspected label errors, because the model is confident: "
        "none is drawn, and no negative touches one. null: none is suspected.",
    )


class _Drawn(_Patches):
    total: Annotated[int, Field(ge=1, le=10**8)] = Field(
        1000, description="Number of training patches drawn, with background but without coverage rows."
    )
    most_per_image: Count | None = Field(
        None, description="Most patches of one class, or of background, from one image; null for no limit."
    )
    most_per_group: Count | None = Field(None, description="The same for one group (patient).")
    fold: Fold = Field(
        -1,
        description="Validation fold, from which nothing is drawn; -1: the split validation. Models of folds set it.",
    )
    hard_negatives: HardNegatives = Field(HardNegatives(), description="False positives of an earlier model.")


class GuidedSampling(_Drawn):
    """For training class-guided, jittered centres with compensated class frequencies; the grid for the other splits."""

    strategy: Literal["guided"] = Field("guided", description="Anchors drawn among the truth pixels of each class.")
    beta: Annotated[float, Field(ge=0, le=10)] = Field(
        1.0, description="Compensation: 0 keeps natural class frequency, 1 gives each class the same number."
    )
    frequency: Literal["components", "pixels", "images"] = Field(
        "components", description="Frequency that beta acts on."
    )
    shares: dict[str, Share] = Field(
        {},
        description="Class code → its share of the patches drawn for classes, used instead of beta; {}: beta decides.",
    )
    most_share: dict[str, Share] = Field(
        {}, description="Class code → its largest share of the total; the other classes get the rest."
    )
    anchors: Literal["components", "pixels"] = Field(
        "components", description="Anchors uniform over lesions, whatever their size, or over pixels."
    )
    area_power: Annotated[float, Field(ge=0, le=4)] = Field(
        0.0,
        description="With anchors by components the weight of a lesion is its area to minus this power. 0: equal "
        "weights; above 0: small lesions are favoured, within a class and image and between images.",
    )
    least_area: Area = Field(0, description="Components below this many pixels give no anchor.")
    most_area: Count | None = Field(None, description="Components above this many pixels give no anchor.")
    most_per_component: Count | None = Field(
        None, description="Most patches drawn for one component; null for no limit."
    )
    jitter: Annotated[int, Field(ge=0, le=2**16)] = Field(
        128, description="Largest shift of the centre from the anchor, pixels."
    )
    background_share: Share = Field(
        0.0, description="Share of the total drawn from the region of interest without any truth."
    )
    cover: Literal["none", "all"] = Field(
        "none", description="all: patches are added so that every training lesion lies in some patch."
    )

    @model_validator(mode="after")
    def _some_class(self) -> Self:
        if self.shares and not any(self.shares.values()):
            raise ValueError("shares give every class 0: no patch would be drawn for a class")
        return self

    @model_validator(mode="after")
    def _power_of_components(self) -> Self:
        if self.area_power and self.anchors == "pixels":
            raise ValueError("area_power favours small lesions, anchors pixels favours large ones: choose one of them")
        return self

    @model_validator(mode="after")
    def _some_area(self) -> Self:
        if self.most_area is not None and self.most_area < self.least_area:
            raise ValueError(
                f"most_area {self.most_area} is below least_area {self.least_area}: no lesion can give an anchor"
            )
        return self


Part = Annotated[int, Field(ge=0, le=10**6)]
"""One side of a ratio."""


class BalancedSampling(_Drawn):
    """For training patches with and without lesions in a fixed ratio; the grid for the other splits."""

    strategy: Literal["balanced"] = Field("balanced", description="Positives by lesion share, structured negatives.")
    ratio: tuple[Part, Part] = Field(
        (1, 1),
        description="Positives to negatives, kept exactly. If one side is short, first its distance and then its "
        "quotas are relaxed, then places are drawn again with another jitter; only then is the other "
        "side reduced.",
    )
    soft: bool = Field(
        False,
        description="true: nothing is relaxed or reduced. All patches that can be drawn are kept, up to the "
        "total, and training batches have the ratio.",
    )
    positive_share: Share = Field(
        0.0, description="Least lesion share of a positive patch; 0: one pixel is enough. Anatomy does not count."
    )
    gamma: Exponent = Field(
        1.0,
        description="The weight of a positive is its lesion share to this power; 0 for equal weights.",
    )
    negatives: Literal["lesion_free_images", "anywhere"] = Field(
        "lesion_free_images",
        description="Images that give negatives; anywhere: lesion-free regions of all images.",
    )
    least_roi: Share = Field(0.5, description="Least share of tissue or field of view in a negative.")
    structure_power: Exponent = Field(
        1.0, description="The weight of a negative is its structure score to this power; 0 for equal weights."
    )
    positive_distance: Distance = Field(
        0, description="Least distance in pixels between the centres of two positives of an image."
    )
    negative_distance: Distance | None = Field(
        None,
        description="Least distance in pixels between the centres of two negatives of an image; null for half the "
        "patch.",
    )
    step: Side | None = Field(
        None, description="Each square of step × step pixels offers one random position; null for a 16th of the patch."
    )

    @model_validator(mode="after")
    def _some_side(self) -> Self:
        if not any(self.ratio):
            raise ValueError("ratio [0, 0] asks for neither positives nor negatives")
        return self


DrawnSampling = GuidedSampling | BalancedSampling
"""The strategies that draw patches."""


Sampling = Annotated[GridSampling | GuidedSampling | BalancedSampling, Field(discriminator="strategy")]


class IndexConfig(Strict):
    """Stage index: named samplings, each one a file `index/{name}.parquet`."""

    samplings: dict[SafeName, Sampling] = Field({"guided": GuidedSampling()}, description="Name → sampling.")
