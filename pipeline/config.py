"""What may a run be told? One strict, frozen model per stage; the texts of the fields are the texts of the schema.

An unknown key, a wrong type or an impossible combination is a ``ConfigurationError`` (see ``resolve.py``). A model
holds values only: it is dumped to a plain dict for provenance and validated again inside a job.
"""

from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from pipeline.words import safe_name

__all__ = [
    "Augmentation",
    "BalancedSampling",
    "Clahe",
    "Difference",
    "DrawnSampling",
    "Gaussian",
    "GridSampling",
    "GuidedSampling",
    "HardNegatives",
    "IndexConfig",
    "LossTerm",
    "ModelConfig",
    "ModelSettings",
    "NormalizedConfig",
    "ProbabilityConfig",
    "RawConfig",
    "ReportConfig",
    "Rescale",
    "SafeName",
    "Sampling",
    "SegmentationConfig",
    "StageConfig",
    "Stain",
    "Storage",
]

Share = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[float, Field(gt=0)]
Count = Annotated[int, Field(ge=1)]
SafeName = Annotated[str, AfterValidator(safe_name)]
Fusion = Literal["none", "max", "mean", "gaussian"]
Split = Literal["train", "validation", "test", "predict"]


class Strict(BaseModel):
    """No unknown keys, no change after construction."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Storage(Strict):
    """How arrays lie on disk."""

    chunk: Annotated[int, Field(ge=2)] = Field(
        512, description="Side of a chunk in pixels: the smallest piece that is read."
    )
    shard: Count = Field(2048, description="Side of a shard (one file) in pixels: a multiple of the chunk.")
    codec: Literal["lz4", "zstd"] = Field("lz4", description="Blosc codec, always with bitshuffle.")
    level: Annotated[int, Field(ge=1, le=9)] = Field(5, description="Compression level of the codec.")

    @model_validator(mode="after")
    def _whole_chunks(self) -> Self:
        if self.shard % self.chunk or self.shard & (self.shard - 1):
            raise ValueError(f"shard {self.shard} must be a power of two and a multiple of chunk {self.chunk}")
        return self


class RawConfig(Strict):
    """Stage raw: fact sheets and splits."""

    validation_share: Annotated[float, Field(ge=0, lt=1)] = Field(
        0.2, description="Share of the groups (patients) outside the official test set that validate."
    )
    folds: Annotated[int, Field(ge=0, le=100)] = Field(
        0, description="Number of folds for cross-validation; 0 for none. Fills the column `fold`."
    )
    splits_csv: str | None = Field(
        None, description="CSV with columns image_id, split that fixes the splits; relative to the working folder."
    )
    holdout_centre: str | None = Field(
        None, description="A centre (hospital, scanner) all of whose images are tested, beside the official test set."
    )


class Rescale(Strict):
    """Resampling before everything else; null for all keeps the original pixels."""

    factor: Positive | None = Field(None, description="Factor on both sides, such as 0.25.")
    fov_diameter: Count | None = Field(None, description="Wanted diameter of the field of view in pixels (fundus).")
    level: Annotated[int, Field(ge=0)] | None = Field(None, description="Level of the slide's own pyramid, 0 finest.")
    um_per_pixel: Positive | None = Field(None, description="Wanted side of a pixel in micrometres (slides).")

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        given = [name for name in type(self).model_fields if getattr(self, name) is not None]
        if len(given) > 1:
            raise ValueError(f"give one of {', '.join(given)}, not several")
        return self


class Clahe(Strict):
    """Contrast-limited adaptive histogram equalisation (Zuiderveld 1994)."""

    apply: bool = Field(True, description="Whether this step runs.")
    space: Literal["lab", "green", "rgb"] = Field("lab", description="Lightness of Lab, the green channel, or each.")
    clip_limit: Positive = Field(2.0, description="Clip limit in OpenCV's units (multiples of a flat histogram).")
    tiles: tuple[Count, Count] = Field((8, 8), description="Tiles along y and x.")
    statistics: Literal["image", "roi"] = Field(
        "image", description="Pixels that fill the histograms: all (as OpenCV), or the field of view only."
    )


class Gaussian(Strict):
    """Gaussian blur G(I); alone, it is the result; with the difference, it is what is subtracted."""

    apply: bool = Field(True, description="Whether this step runs.")
    sigma: Positive = Field(10.0, description="Standard deviation in pixels of the normalised image.")


class Difference(Strict):
    """Difference enhancement I_d = omega * I + theta * G(I) + offset, saturated to 0…255."""

    apply: bool = Field(True, description="Whether this step runs; it needs the Gaussian.")
    omega: float = Field(4.0, description="Weight of the image.")
    theta: float = Field(-4.0, description="Weight of its blur.")
    offset: float = Field(128.0, description="Grey level added (the paper's varsigma).")
    of: Literal["equalised", "original"] = Field("equalised", description="Image that I stands for.")


class Stain(Strict):
    """Stain normalisation of H&E: a small basis is estimated per slide, then every pixel is mapped on its own."""

    method: Literal["vahadane", "macenko", "reinhard", "none"] = Field(
        "vahadane", description="vahadane (sparse dictionary), macenko (plane of densities), reinhard (Lab statistics)."
    )
    target: str = Field(
        "reference",
        description="Look to reach: reference (shipped numbers), median (of the training images), or a file: the"
        " stain.json of an image, or an image; relative to the working folder.",
    )
    background: Literal["estimate", "white"] = Field(
        "estimate", description="Light through bare glass: estimated per slide and channel, or 255."
    )
    outside: Literal["normalise", "keep"] = Field(
        "normalise", description="Pixels outside tissue: mapped like all, or kept byte for byte."
    )
    sample: Count = Field(100_000, description="Tissue pixels that the dictionary is learned from.")
    iterations: Count = Field(200, description="Mini-batches of 512 pixels of dictionary learning.")
    dictionary_sparsity: Annotated[float, Field(ge=0)] = Field(
        0.02, description="Vahadane: lambda of the dictionary; a larger one draws the two vectors towards each other."
    )
    sparsity: Annotated[float, Field(ge=0)] = Field(0.01, description="Vahadane: lambda of the concentrations.")
    least_density: Positive = Field(
        0.15, description="Pixels fainter than this (length of the optical density) do not shape the vectors."
    )
    extreme_angle: Annotated[float, Field(ge=0, lt=50)] = Field(
        1.0, description="Macenko: percentile of the angles at which the two stains are read."
    )
    percentile: Annotated[float, Field(gt=0, le=100)] = Field(
        99.0, description="Percentile of the concentrations over tissue that is brought to the target's."
    )
    fallback: Literal["reference", "macenko", "keep"] = Field(
        "reference",
        description="Where a basis cannot be trusted: the reference vectors, Macenko's, or the image is left as it is.",
    )
    least_tissue: Count = Field(5000, description="Below this many tissue pixels no basis is estimated.")
    least_strength: Positive = Field(0.15, description="A stain whose percentile concentration is lower is weak.")
    least_angle: Annotated[float, Field(ge=0, lt=90)] = Field(
        8.0, description="Vectors closer than this many degrees are nearly parallel."
    )
    most_deviation: Annotated[float, Field(gt=0, le=90)] = Field(
        30.0, description="A vector farther than this many degrees from its reference is not trusted."
    )
    most_gain: Annotated[float, Field(ge=1)] = Field(
        5.0, description="A stain is strengthened by at most this factor: more would show noise only."
    )
    concentrations: bool = Field(
        False, description="Also write the haematoxylin and eosin concentrations (array `stains`)."
    )


class NormalizedConfig(Strict):
    """Stage normalized: one chain per image world."""

    chain: Literal["fundus", "histology"] = Field("fundus", description="Fundus enhancement, or stain normalisation.")
    rescale: Rescale = Field(Rescale(), description="Optional resampling; the mapping back is recorded.")
    clahe: Clahe = Field(Clahe(), description="Fundus: first step.")
    gaussian: Gaussian = Field(Gaussian(), description="Fundus: second step.")
    difference: Difference = Field(Difference(), description="Fundus: third step.")
    outside: Literal["keep", "black"] = Field("black", description="Fundus: pixels outside the field of view.")
    stain: Stain = Field(Stain(), description="Histology: stain normalisation.")
    strip_rows: Count = Field(2048, description="Rows of a block held in memory; a multiple of the shard.")
    strip_columns: Count = Field(6144, description="Columns of a block at most; a multiple of the shard.")
    workers: Count = Field(1, description="Blocks of one image at a time (threads of its job); changes no result.")
    storage: Storage = Field(Storage(), description="Chunks, shards, compression.")

    @model_validator(mode="after")
    def _possible(self) -> Self:
        if self.difference.apply and not self.gaussian.apply:
            raise ValueError("difference.apply needs gaussian.apply: the difference is taken to the blurred image")
        for name in ("strip_rows", "strip_columns"):
            if getattr(self, name) % self.storage.shard:
                side = self.storage.shard
                raise ValueError(f"{name} {getattr(self, name)} must be a multiple of storage.shard {side}")
        return self


class _Patches(Strict):
    patch: Count = Field(512, description="Side of a patch in pixels of the normalised image.")
    overlap: Annotated[float, Field(ge=0, lt=1)] = Field(0.25, description="Overlap of neighbouring grid patches.")


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


class _Drawn(_Patches):
    total: Count = Field(1000, description="Training patches drawn, background included, coverage rows not.")
    most_per_image: Count | None = Field(
        None, description="Patches of one class, or of background, that one image gives at most; null for no limit."
    )
    most_per_group: Count | None = Field(None, description="The same for one group (patient).")
    hard_negatives: HardNegatives = Field(HardNegatives(), description="False positives of an earlier model.")


class GuidedSampling(_Drawn):
    """Class-guided, class-frequency-compensated, jittered centres for training; the grid for the rest."""

    strategy: Literal["guided"] = Field("guided", description="Anchors drawn among the truth pixels of each class.")
    beta: Annotated[float, Field(ge=0)] = Field(
        1.0, description="Compensation: 0 keeps natural class frequency, 1 gives each class the same number."
    )
    frequency: Literal["components", "pixels", "images"] = Field("components", description="What beta acts on.")
    anchors: Literal["components", "pixels"] = Field(
        "components", description="Anchors uniform over lesions (a tiny one counts as much), or over pixels."
    )
    least_area: Annotated[int, Field(ge=0)] = Field(0, description="Components below this many pixels give no anchor.")
    most_area: Count | None = Field(None, description="Components above this many pixels give no anchor.")
    most_per_component: Count | None = Field(
        None, description="Patches drawn for one component at most; null for no limit."
    )
    jitter: Annotated[int, Field(ge=0)] = Field(128, description="Largest shift of the centre from the anchor, pixels.")
    background_share: Share = Field(0.0, description="Share of the total drawn from roi without any truth.")
    cover: Literal["none", "all"] = Field("none", description="all: every training lesion lies in some patch.")

    @model_validator(mode="after")
    def _some_area(self) -> Self:
        if self.most_area is not None and self.most_area < self.least_area:
            raise ValueError(
                f"most_area {self.most_area} is below least_area {self.least_area}: no lesion can give an anchor"
            )
        return self


class BalancedSampling(_Drawn):
    """Patches with lesions and patches without, in a fixed ratio, for training; the grid for the rest."""

    strategy: Literal["balanced"] = Field("balanced", description="Positives by lesion share, structured negatives.")
    ratio: tuple[Annotated[int, Field(ge=0)], Annotated[int, Field(ge=0)]] = Field(
        (1, 1), description="Positives to negatives, kept exactly: shortage on one side trims the other."
    )
    positive_share: Share = Field(
        0.0, description="Share of a positive patch that is lesion at least; 0 for any pixel. Anatomy does not count."
    )
    gamma: Annotated[float, Field(ge=0)] = Field(
        1.0,
        description="Positives are preferred in proportion to their lesion share to this power; 0 for no preference.",
    )
    negatives: Literal["lesion_free_images", "anywhere"] = Field(
        "lesion_free_images",
        description="Images that negatives come from; anywhere: lesion-free regions of all images.",
    )
    least_roi: Share = Field(0.5, description="Share of a negative that is tissue or field of view at least.")
    structure_power: Annotated[float, Field(ge=0)] = Field(
        1.0, description="Negatives are preferred in proportion to their structure to this power; 0 for no preference."
    )
    positive_distance: Annotated[int, Field(ge=0)] = Field(
        0, description="Pixels between the centres of two positives of an image at least."
    )
    negative_distance: Annotated[int, Field(ge=0)] | None = Field(
        None, description="Pixels between the centres of two negatives of an image at least; null for half the patch."
    )
    step: Count | None = Field(
        None, description="One random position in each step × step pixels can be drawn; null for a 16th of the patch."
    )

    @model_validator(mode="after")
    def _some_side(self) -> Self:
        if not any(self.ratio):
            raise ValueError("ratio [0, 0] asks for neither positives nor negatives")
        return self

    @property
    def spacing(self) -> int:
        """Pixels between the centres of two negatives."""
        return self.patch // 2 if self.negative_distance is None else self.negative_distance

    @property
    def stride(self) -> int:
        """Side of the squares in which one position each can be drawn."""
        return max(1, self.patch // 16) if self.step is None else self.step


DrawnSampling = GuidedSampling | BalancedSampling
"""The strategies that draw."""
Sampling = Annotated[GridSampling | GuidedSampling | BalancedSampling, Field(discriminator="strategy")]


class IndexConfig(Strict):
    """Stage index: named samplings, each one a file `index/{name}.parquet`."""

    samplings: dict[SafeName, Sampling] = Field({"guided": GuidedSampling()}, description="Name → sampling.")


class LossTerm(Strict):
    """One term of the weighted sum that is minimised."""

    name: Literal["dice", "focal", "tversky", "bce", "cross_entropy"] = Field(description="The loss.")
    weight: Positive = Field(1.0, description="Its factor.")
    alpha: Share = Field(0.5, description="Tversky: weight of false positives.")
    beta: Share = Field(0.5, description="Tversky: weight of false negatives.")
    gamma: Annotated[float, Field(ge=0)] = Field(2.0, description="Focal: exponent.")


class Augmentation(Strict):
    """Random changes of training patches."""

    kind: Literal["fundus", "histology", "none"] = Field("fundus", description="Which set of transforms.")
    probability: Share = Field(0.5, description="Probability of each transform.")
    brightness: Share = Field(0.15, description="Largest relative change of brightness and contrast.")
    scale: Share = Field(0.1, description="Fundus: largest relative change of size.")
    rotate: Annotated[float, Field(ge=0, le=180)] = Field(30.0, description="Largest rotation, degrees.")
    noise: Share = Field(0.03, description="Fundus: largest standard deviation of noise, of the full range.")


class ModelSettings(Strict):
    """One named network and how it is trained; its results lie in `model/{name}/`."""

    network: Literal["unet", "unetplusplus", "deeplabv3plus"] = Field("unet", description="Architecture.")
    encoder: str = Field("efficientnet-b0", description="Encoder of segmentation-models-pytorch.")
    encoder_weights: str = Field("none", description="none, imagenet (fetched from a hub), or a state-dict file.")
    sampling: str = Field("", description="Name of the sampling that it learns from; empty for the first that draws.")
    seed: Annotated[int, Field(ge=0)] = Field(0, description="Added to the run's seed: another initialisation.")
    fold: Annotated[int, Field(ge=-1)] = Field(-1, description="Fold that validates; -1 for the split validation.")
    loss: tuple[LossTerm, ...] = Field(
        (LossTerm(name="dice"), LossTerm(name="focal")), min_length=1, description="Terms of the loss."
    )
    augmentation: Augmentation = Field(Augmentation(), description="Random changes of training patches.")
    learning_rate: Positive = Field(1e-3, description="AdamW: initial learning rate.")
    weight_decay: Annotated[float, Field(ge=0)] = Field(1e-2, description="AdamW: weight decay.")
    plateau_factor: Annotated[float, Field(gt=0, lt=1)] = Field(0.5, description="ReduceLROnPlateau: factor.")
    plateau_patience: Annotated[int, Field(ge=0)] = Field(3, description="ReduceLROnPlateau: epochs to wait.")
    epochs: Count = Field(30, description="Passes over the training patches.")
    patches_per_epoch: Count | None = Field(None, description="Training patches of one epoch; null for all.")
    batch_size: Count = Field(8, description="Patches per step.")
    precision: Literal["float32", "bfloat16", "float16"] = Field("float32", description="Autocast precision.")
    threads: Count = Field(2, description="Torch threads on a CPU; they change results, so -j does not set them.")
    readers: Annotated[int, Field(ge=0)] = Field(0, description="Processes that read patches; 0 reads in the loop.")
    device: Literal["auto", "cpu", "cuda"] = Field("auto", description="Where it trains.")
    select_by: Literal["dice_miou", "dice"] = Field("dice_miou", description="Validation score of the best epoch.")


class ModelConfig(Strict):
    """Stage model: named models."""

    models: dict[SafeName, ModelSettings] = Field({"unet": ModelSettings()}, description="Name → settings.")
    ensembles: dict[SafeName, tuple[str, ...]] = Field(
        {}, description="Name → models whose mean probability counts, such as those of all folds. Used like a model."
    )

    @model_validator(mode="after")
    def _known_members(self) -> Self:
        for name, members in self.ensembles.items():
            if name in self.models:
                raise ValueError(f"ensembles.{name} has the name of a model")
            if unknown := [each for each in members if each not in self.models]:
                known = ", ".join(sorted(self.models))
                raise ValueError(f"ensembles.{name}: {', '.join(unknown)} is not in model.models ({known})")
            if len(set(members)) < max(2, len(members)):
                raise ValueError(f"ensembles.{name} needs at least two members, each once; found {', '.join(members)}")
        return self

    @property
    def predictors(self) -> tuple[str, ...]:
        """Names of all models and ensembles, in text order."""
        return tuple(sorted([*self.models, *self.ensembles]))

    def members(self, name: str) -> tuple[str, ...]:
        """Names of the members of an ensemble; the name itself where it is a model."""
        return self.ensembles.get(name, (name,))

    def folds(self, name: str) -> tuple[int, ...]:
        """The fold of a model, or of each member of an ensemble."""
        return tuple(self.models[each].fold for each in self.members(name))


class DaskConfig(Strict):
    """Who runs the blocks of an image."""

    scheduler: Annotated[str, Field(pattern=r"^(threads|(tcp|tls|ucx|ws|wss)://\S+)$")] = Field(
        "threads",
        description="threads: in the job itself; tcp://host:port: the workers of that dask.distributed scheduler, which"
        " see the results under the same paths.",
    )


class ProbabilityConfig(Strict):
    """Stage probability: sliding-window inference."""

    window: Count | None = Field(None, description="Side of the window; null for the patch of the model's sampling.")
    small_images: Literal["reflect", "refuse"] = Field(
        "reflect", description="An image smaller than the window: continued by reflection as in training, or an error."
    )
    overlap: Annotated[float, Field(gt=0, lt=1)] = Field(0.25, description="Overlap for max, mean and gaussian.")
    fusions: tuple[Fusion, ...] = Field(("none", "max", "mean", "gaussian"), min_length=1, description="Maps to write.")
    splits: tuple[Split, ...] = Field(
        ("validation", "test", "predict"),
        min_length=1,
        description="Splits whose images get maps, masks and outlines. Only validation and test are ever measured, and"
        " thresholds come from validation, whether it is named here or not.",
    )
    fuse: Literal["probabilities", "logits"] = Field(
        "probabilities", description="What overlapping windows are averaged in; max is the same in both."
    )
    views: Literal["one", "flips", "flips_and_turns"] = Field(
        "one", description="Test-time augmentation: the mean over 1, 4 or 8 ways to lay each window."
    )
    stored: Literal["float16", "uint8"] = Field(
        "float16", description="How probabilities are stored; uint8 in steps of 1/255, half the size."
    )
    batch_size: Count = Field(4, description="Windows per forward pass; halved where the memory of a GPU is too small.")
    precision: Literal["float32", "bfloat16", "float16"] = Field("float32", description="Autocast precision.")
    threads: Count = Field(2, description="Torch threads on a CPU.")
    workers: Count = Field(1, description="Threads of one job, and blocks in its memory at a time.")
    dask: DaskConfig = Field(DaskConfig(), description="Who runs the blocks.")
    device: Literal["auto", "cpu", "cuda"] = Field("auto", description="Where the network runs; cuda: on all GPUs.")
    skip_outside_roi: bool = Field(True, description="Do not evaluate windows without any roi pixel.")
    storage: Storage = Field(Storage(), description="Chunks, shards, compression.")

    def of_the_values(self) -> dict[str, Any]:
        """What the maps of an image depend on, as plain values: not which images get maps, nor who computes them."""
        return self.model_dump(mode="json", exclude={"splits", "workers", "dask"})


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


class ReportConfig(Strict):
    """Stage report: the page to look at."""

    images: Count = Field(6, description="Images shown as overlays, test images first, and as maps of their patches.")
    picture_side: Count = Field(900, description="Longest side of a picture in the page, pixels.")
    bootstrap: Annotated[int, Field(ge=0)] = Field(1000, description="Bootstrap samples over groups; 0 for none.")


class StageConfig(Strict):
    """Everything that one data set runs with."""

    seed: Annotated[int, Field(ge=0)] = Field(0, description="Seed of the run.")
    raw: RawConfig = RawConfig()
    normalized: NormalizedConfig = NormalizedConfig()
    index: IndexConfig = IndexConfig()
    model: ModelConfig = ModelConfig()
    probability: ProbabilityConfig = ProbabilityConfig()
    segmentation: SegmentationConfig = SegmentationConfig()
    report: ReportConfig = ReportConfig()

    @model_validator(mode="after")
    def _first_sampling(self) -> Self:
        drawing = [name for name, each in self.index.samplings.items() if each.strategy != "grid"]
        first = next(iter([*drawing, *self.index.samplings]), "")
        models = {
            name: each if each.sampling else each.model_copy(update={"sampling": first})
            for name, each in self.model.models.items()
        }
        object.__setattr__(
            self, "model", self.model.model_copy(update={"models": models})
        )  # once, before anybody sees it
        return self

    @model_validator(mode="after")
    def _known_samplings(self) -> Self:
        for name, model in self.model.models.items():
            if model.sampling not in self.index.samplings:
                known = ", ".join(sorted(self.index.samplings))
                raise ValueError(f"model.models.{name}.sampling {model.sampling!r} is not in index.samplings ({known})")
            if model.fold >= max(self.raw.folds, 0) and model.fold != -1:
                raise ValueError(f"model.models.{name}.fold {model.fold} needs raw.folds > {model.fold}")
        return self

    @model_validator(mode="after")
    def _one_window(self) -> Self:
        for name in self.model.ensembles:
            sides = {self.index.samplings[self.model.models[each].sampling].patch for each in self.model.members(name)}
            if self.probability.window is None and len(sides) > 1:
                found = ", ".join(map(str, sorted(sides)))
                raise ValueError(f"model.ensembles.{name} has members of patches {found}; give probability.window")
        return self

    def window(self, name: str) -> int:
        """Side of the sliding window of a model or an ensemble."""
        first = self.model.models[self.model.members(name)[0]]
        return self.probability.window or self.index.samplings[first.sampling].patch
