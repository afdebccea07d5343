"""Parameters of stage index: strategies, patches, quotas."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from pipeline.config.values import Area, Count, Distance, Exponent, Fold, SafeName, Share, Side, Strict

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
    """A list of boxes where an earlier model saw lesions that are none, and what it is for."""

    table: str | None = Field(
        None,
        description="Parquet or CSV file with image_id, y, x, height, width, score; relative to the working folder.",
    )
    use: Literal["draw", "avoid"] = Field(
        "draw", description="draw: negatives are taken from the boxes; avoid: no negative touches one of them."
    )
    share: Share = Field(0.5, description="draw: share of the negatives that is taken from the list.")
    least_score: Share = Field(0.0, description="Boxes of a lower score are left out.")
    suspected_from: Share | None = Field(
        None,
        description="Boxes of this score and more are suspected label errors, confident and wrong: none is drawn, and no"
        " negative touches one of them. null: none is suspected.",
    )


class _Drawn(_Patches):
    total: Annotated[int, Field(ge=1, le=10**8)] = Field(
        1000, description="Training patches drawn, background included, coverage rows not."
    )
    most_per_image: Count | None = Field(
        None, description="Patches of one class, or of background, that one image gives at most; null for no limit."
    )
    most_per_group: Count | None = Field(None, description="The same for one group (patient).")
    fold: Fold = Field(
        -1,
        description="Fold that validates: nothing is drawn from it. -1: the split validation. Models of folds set it.",
    )
    hard_negatives: HardNegatives = Field(HardNegatives(), description="False positives of an earlier model.")


class GuidedSampling(_Drawn):
    """Class-guided, class-frequency-compensated, jittered centres for training; the grid for the rest."""

    strategy: Literal["guided"] = Field("guided", description="Anchors drawn among the truth pixels of each class.")
    beta: Annotated[float, Field(ge=0, le=10)] = Field(
        1.0, description="Compensation: 0 keeps natural class frequency, 1 gives each class the same number."
    )
    frequency: Literal["components", "pixels", "images"] = Field("components", description="What beta acts on.")
    shares: dict[str, Share] = Field(
        {}, description="Class code → its share of the patches drawn for classes, instead of beta; {}: beta decides."
    )
    most_share: dict[str, Share] = Field(
        {}, description="Class code → most that it takes of the total; the other classes take the rest."
    )
    anchors: Literal["components", "pixels"] = Field(
        "components", description="Anchors uniform over lesions (a tiny one counts as much), or over pixels."
    )
    area_power: Annotated[float, Field(ge=0, le=4)] = Field(
        0.0,
        description="anchors components: a lesion is drawn in proportion to its area to minus this power; 0: all alike,"
        " above: small lesions are favoured, within a class and image and between images.",
    )
    least_area: Area = Field(0, description="Components below this many pixels give no anchor.")
    most_area: Count | None = Field(None, description="Components above this many pixels give no anchor.")
    most_per_component: Count | None = Field(
        None, description="Patches drawn for one component at most; null for no limit."
    )
    jitter: Annotated[int, Field(ge=0, le=2**16)] = Field(
        128, description="Largest shift of the centre from the anchor, pixels."
    )
    background_share: Share = Field(0.0, description="Share of the total drawn from roi without any truth.")
    cover: Literal["none", "all"] = Field("none", description="all: every training lesion lies in some patch.")

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
    """Patches with lesions and patches without, in a fixed ratio, for training; the grid for the rest."""

    strategy: Literal["balanced"] = Field("balanced", description="Positives by lesion share, structured negatives.")
    ratio: tuple[Part, Part] = Field(
        (1, 1),
        description="Positives to negatives, kept exactly: before shortage on one side trims the other, its distance, then"
        " its quotas give way, then places are drawn again with another jitter.",
    )
    soft: bool = Field(
        False,
        description="true: nothing gives way and nothing is trimmed; up to the total, all that can be drawn is kept, and"
        " training batches have the ratio.",
    )
    positive_share: Share = Field(
        0.0, description="Share of a positive patch that is lesion at least; 0 for any pixel. Anatomy does not count."
    )
    gamma: Exponent = Field(
        1.0,
        description="Positives are preferred in proportion to their lesion share to this power; 0 for no preference.",
    )
    negatives: Literal["lesion_free_images", "anywhere"] = Field(
        "lesion_free_images",
        description="Images that negatives come from; anywhere: lesion-free regions of all images.",
    )
    least_roi: Share = Field(0.5, description="Share of a negative that is tissue or field of view at least.")
    structure_power: Exponent = Field(
        1.0, description="Negatives are preferred in proportion to their structure to this power; 0 for no preference."
    )
    positive_distance: Distance = Field(
        0, description="Pixels between the centres of two positives of an image at least."
    )
    negative_distance: Distance | None = Field(
        None, description="Pixels between the centres of two negatives of an image at least; null for half the patch."
    )
    step: Side | None = Field(
        None, description="One random position in each step × step pixels can be drawn; null for a 16th of the patch."
    )

    @model_validator(mode="after")
    def _some_side(self) -> Self:
        if not any(self.ratio):
            raise ValueError("ratio [0, 0] asks for neither positives nor negatives")
        return self


DrawnSampling = GuidedSampling | BalancedSampling
"""The strategies that draw."""


Sampling = Annotated[GridSampling | GuidedSampling | BalancedSampling, Field(discriminator="strategy")]


class IndexConfig(Strict):
    """Stage index: named samplings, each one a file `index/{name}.parquet`."""

    samplings: dict[SafeName, Sampling] = Field({"guided": GuidedSampling()}, description="Name → sampling.")
