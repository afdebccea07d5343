"""Parameters of stage model: networks, losses, training."""

from typing import Annotated, Literal, Self, TypeAlias

from pydantic import AfterValidator, Field, model_validator

from pipeline.config.augmentation import AnyAugmentation, BrightnessContrast, Flips, Tint, Turns
from pipeline.config.loss_term import LossTerm
from pipeline.config.values import Fold, PathText, SafeName, Seed, Share, Strict, Weight, Workers

__all__ = [
    "BUILT_IN_WEIGHTS",
    "PACKAGED_ENCODERS",
    "Ensemble",
    "ModelConfig",
    "ModelSettings",
    "model_by_folds",
]

Network: TypeAlias = Literal["unet", "unetplusplus", "deeplabv3plus", "fpn", "pspnet", "manet", "segformer", "upernet"]
"""Architectures."""
BUILT_IN_WEIGHTS = ("none", "package", "imagenet")
"""Values of `encoder_weights` that are not files."""
PACKAGED_ENCODERS = ("tu-tf_efficientnet_lite0", "tu-tf_efficientnet_lite1", "tu-tf_efficientnet_lite2")
"""Encoders whose weights `package` finds in installed packages."""
ELSEWHERE = frozenset(":/\\")
"""Part of every place, and of no library name."""


def _of_a_library(encoder: str) -> str:
    # timm would load the network itself from a hub (tu-hf-hub:…) or a folder (tu-local-dir:…), even in inference.
    if ELSEWHERE & set(encoder):
        raise ValueError(
            f"{encoder} is a place, not the name of an encoder. Name its architecture, such as tu-resnet18, "
            "and its weights by the key encoder_weights: a state-dict file, or imagenet to fetch them"
        )
    return encoder


class ModelSettings(Strict):
    """One named network and how it is trained; its results lie in `model/{name}/`."""

    network: Network = Field("unet", description="Architecture of segmentation-models-pytorch.")
    encoder: Annotated[str, AfterValidator(_of_a_library)] = Field(
        "tu-tf_efficientnet_lite0",
        description="Encoder of segmentation-models-pytorch. Names of places (tu-hf-hub:…, tu-local-dir:…) are "
        "always refused, because each load would fetch the network again.",
    )
    encoder_weights: PathText = Field(
        "auto",
        description="none, package (installed), imagenet (downloaded from a hub), a state-dict file, or auto: "
        "package where the encoder has one, else none.",
    )
    downsample: Literal[1, 2, 4] = Field(
        1, description="Downsampling factor of the input, for more context; logits are upsampled again."
    )
    sampling: str = Field("", description="Name of the sampling that it is trained on; empty for the first that draws.")
    seed: Seed = Field(0, description="Added to the run's seed, for another initialisation.")
    fold: Fold = Field(-1, description="Fold that validates; -1 for the split validation.")
    loss: tuple[LossTerm, ...] = Field(
        (LossTerm(name="dice"), LossTerm(name="focal")), min_length=1, description="Terms of the loss."
    )
    class_weights: dict[str, Weight] | Literal["index"] = Field(
        {}, description="Class code or background → weight in the loss; index: from the index's pixels; {}: equal."
    )
    moving_crops: Annotated[float, Field(ge=0, le=0.5)] = Field(
        0.25, description="Largest shift of training patches, new in each epoch, as a share of their side; 0: no shift."
    )
    augmentation: AnyAugmentation = Field(
        (Turns(), Flips(), BrightnessContrast(), Tint()),
        description="Random changes of training patches: a study's set, or a list of changes.",
    )
    learning_rate: Annotated[float, Field(gt=0, le=100)] = Field(1e-3, description="AdamW: initial learning rate.")
    weight_decay: Annotated[float, Field(ge=0, le=100)] = Field(1e-2, description="AdamW: weight decay.")
    schedule: Literal["plateau", "cosine"] = Field(
        "cosine", description="Learning rate: ReduceLROnPlateau on the score, or warm-up and cosine over all steps."
    )
    warmup_share: Share = Field(0.05, description="Cosine: share of the steps in which the learning rate rises.")
    plateau_factor: Annotated[float, Field(gt=0, lt=1)] = Field(0.5, description="ReduceLROnPlateau: factor.")
    plateau_patience: Annotated[int, Field(ge=0, le=10**6)] = Field(3, description="ReduceLROnPlateau: epochs to wait.")
    epochs: Annotated[int, Field(ge=1, le=10**6)] = Field(30, description="Passes over the training patches.")
    steps: Annotated[int, Field(ge=1, le=10**8)] | None = Field(
        None, description="Exact number of optimizer steps, instead of epochs; the last epoch may be shorter."
    )
    patience: Annotated[int, Field(ge=1, le=10**6)] | None = Field(
        None, description="Early stopping after this many epochs without a better score; null: never."
    )
    patches_per_epoch: Annotated[int, Field(ge=1, le=10**8)] | None = Field(
        None, description="Training patches of one epoch; null for all."
    )
    batch_size: Annotated[int, Field(ge=1, le=65536)] = Field(8, description="Patches per step.")
    accumulate: Annotated[int, Field(ge=1, le=65536)] = Field(
        1, description="Gradient accumulation: batches whose gradients make one step of the optimizer."
    )
    clip_norm: Annotated[float, Field(gt=0, le=1e9)] | None = Field(
        None, description="Gradient clipping: largest norm of the gradient."
    )
    average_decay: Annotated[float, Field(ge=0, lt=1)] = Field(
        0.99, description="Decay of the moving average (EMA) of the weights, which is the model kept; 0: no average."
    )
    precision: Literal["auto", "float32", "bfloat16", "float16"] = Field(
        "auto", description="Mixed precision (autocast); auto: bfloat16 where the device has instructions for it."
    )
    threads: Workers = Field(2, description="Torch threads on a CPU; they change results, so -j does not affect them.")
    readers: Annotated[int, Field(ge=0, le=1024)] = Field(
        0, description="Worker processes of the data loader, which read patches; 0 reads in the loop."
    )
    reader_start: Literal["forkserver", "spawn"] = Field(
        "forkserver", description="Start method of those processes; never fork, which Zarr does not survive."
    )
    device: Literal["auto", "cpu", "cuda"] = Field("auto", description="Device for training.")
    devices: Annotated[int, Field(ge=1, le=64)] = Field(
        1, description="Processes that train together, each on its own GPU; they share the patches of a batch."
    )
    batch_statistics: Literal["learned", "frozen"] = Field(
        "learned", description="Batch normalisation by the statistics of each batch, or by the encoder's own."
    )
    select_by: Literal["dice_miou", "dice", "lesion_aupr"] = Field(
        "lesion_aupr", description="Validation score that selects the best epoch."
    )

    @model_validator(mode="after")
    def _packaged(self) -> Self:
        packaged = self.encoder in PACKAGED_ENCODERS
        if self.encoder_weights == "auto":  # what follows, and every result, knows what it came to
            object.__setattr__(self, "encoder_weights", "package" if packaged else "none")
        if self.encoder_weights == "package" and not packaged:
            raise ValueError(
                f"encoder_weights: package has none for {self.encoder}, only for {', '.join(PACKAGED_ENCODERS)}. "
                "Give encoder_weights auto or none, imagenet (fetched from a hub) or a file"
            )
        return self

    @property
    def untrained_encoder(self) -> str | None:
        """Encoder that starts from random weights because no installed package has its own; None otherwise."""
        return self.encoder if self.encoder_weights == "none" and self.encoder not in PACKAGED_ENCODERS else None


class Ensemble(Strict):
    """Models whose probabilities are averaged, for chosen classes with weights."""

    members: tuple[str, ...] = Field(description="Names of models.")
    weights: dict[str, tuple[Annotated[float, Field(ge=0, le=1e6)], ...]] = Field(
        {}, description="Class code → one weight per member, in their order; other classes have equal weights."
    )

    @model_validator(mode="after")
    def _a_weight_each(self) -> Self:
        for code, weights in self.weights.items():
            if len(weights) != len(self.members) or not sum(weights):
                raise ValueError(f"weights.{code} needs a weight for each of {', '.join(self.members)}, not all 0")
        return self


class ModelConfig(Strict):
    """Stage model: named models."""

    models: dict[SafeName, ModelSettings] = Field({"unet": ModelSettings()}, description="Name → settings.")
    ensembles: dict[SafeName, tuple[str, ...] | Ensemble] = Field(
        {}, description="Name → models whose probabilities are averaged, such as those of all folds. Used like a model."
    )

    folds: Annotated[int, Field(ge=0, le=100)] = Field(
        0, description="Cross-validation: each model is trained once per fold, then ensembled; 0: no folds."
    )
    mlflow: PathText | None = Field(
        None,
        min_length=1,
        description="Folder of a local MLflow database that gets a run for each model trained from now on, "
        "relative to the working folder; null: none. Needs the extra `mlflow`.",
    )
    suspected_from: Annotated[float, Field(gt=0.5, lt=1)] = Field(
        0.9,
        description="Probability p from which a model is sure. `model/{model}/hardest.parquet` lists labels as "
        "suspected where the truth lacks a class of probability p or more, or has one of 1 - p or "
        "less.",
    )
    predict: tuple[str, ...] | None = Field(
        None, min_length=1, description="Models and ensembles with maps and a place in the report; null: all."
    )

    @model_validator(mode="after")
    def _known_members(self) -> Self:
        for name in self.ensembles:
            members = self.members(name)
            if name in self.models:
                raise ValueError(f"ensembles.{name} has the name of a model")
            if unknown := [each for each in members if each not in self.models]:
                known = ", ".join(sorted(self.models))
                raise ValueError(f"ensembles.{name}: {', '.join(unknown)} is not in model.models ({known})")
            if len(set(members)) < max(1, len(members)):
                raise ValueError(f"ensembles.{name} needs members, each once; found {', '.join(members) or 'none'}")
        if unknown := [each for each in self.predict or () if each not in self.models and each not in self.ensembles]:
            known = ", ".join(sorted([*self.models, *self.ensembles]))
            raise ValueError(f"predict: {', '.join(unknown)} is neither a model nor an ensemble ({known})")
        return self

    @property
    def predictors(self) -> tuple[str, ...]:
        """Names of the models and ensembles with maps, in text order."""
        return tuple(sorted(set(self.predict or [*self.models, *self.ensembles])))

    @property
    def untrained_encoders(self) -> dict[str, str]:
        """Model → encoder that starts from random weights because no installed package has its own."""
        found = {name: each.untrained_encoder for name, each in self.models.items()}
        return {name: encoder for name, encoder in found.items() if encoder}

    def members(self, name: str) -> tuple[str, ...]:
        """Names of the members of an ensemble; for a model its own name."""
        ensemble = self.ensembles.get(name, (name,))
        return ensemble.members if isinstance(ensemble, Ensemble) else ensemble

    def ensemble_weights(self, name: str) -> dict[str, tuple[float, ...]]:
        """Class code → weight of each member, for the classes with unequal weights in an ensemble."""
        ensemble = self.ensembles[name]
        return ensemble.weights if isinstance(ensemble, Ensemble) else {}

    def folds_of(self, name: str) -> tuple[int, ...]:
        """The fold of a model, or of each member of an ensemble."""
        return tuple(self.member_folds(name).values())

    def member_folds(self, name: str) -> dict[str, int]:
        """Member of an ensemble, or the model itself → its fold."""
        return {each: self.models[each].fold for each in self.members(name)}

    def held_out_by(self, name: str) -> dict[str, int]:
        """Model or ensemble that gives the maps of a fold's held-out images → that fold.

        An ensemble that exists per fold gives its per-fold ensembles, with its weights; another its members.
        """
        of_folds = {f"{name}.fold{fold}": fold for fold in sorted(set(self.folds_of(name)))}
        return of_folds if of_folds.keys() <= self.ensembles.keys() else self.member_folds(name)

    def out_of_fold(self, name: str) -> dict[str, int]:
        """Model → fold, for models that validate an ensemble of folds and each hold out different images; else empty."""
        found = self.held_out_by(name)
        return found if len(set(found.values())) == len(found) > 1 and min(found.values()) >= 0 else {}


def model_by_folds(config: ModelConfig) -> ModelConfig:
    """Models of cross-validation: each model without a fold becomes ``{model}.fold0`` … and their ensemble ``{model}``.

    An ensemble of such models becomes one ensemble per fold, ``{ensemble}.fold0`` …, of the members that hold out the
    same images, and ``{ensemble}`` of all members, each with its weight.

    Raises
    ------
    ValueError
        An ensemble mixes such models with others, or a name is taken.
    """
    single = {name for name, each in config.models.items() if each.fold == -1}
    models = {name: each for name, each in config.models.items() if name not in single}
    ensembles: dict[str, tuple[str, ...] | Ensemble] = {}
    folds, divided = range(config.folds), set(single)
    for name in sorted(single):
        members = {f"{name}.fold{fold}": fold for fold in folds}
        models |= {each: config.models[name].model_copy(update={"fold": fold}) for each, fold in members.items()}
        ensembles[name] = tuple(members)
    for name, ensemble in config.ensembles.items():
        apart = sorted(single & set(config.members(name)))
        if apart and len(apart) < len(config.members(name)):
            raise ValueError(
                f"ensembles.{name} cannot hold {', '.join(apart)} beside models of one fold: "
                "with folds each is trained once a fold"
            )
        if apart:
            divided.add(name)
        ensembles |= _ensemble_by_folds(config, name=name) if apart else {name: ensemble}
    made = {f"{name}.fold{fold}" for name in divided for fold in folds}
    if taken := sorted(made & (config.models.keys() | config.ensembles.keys())):
        raise ValueError(
            f"{taken[0]} is the name that a fold of {taken[0].rpartition('.')[0]} gets: choose another name"
        )
    return config.model_copy(update={"models": models, "ensembles": ensembles})


def _ensemble_by_folds(config: ModelConfig, *, name: str) -> dict[str, Ensemble]:
    """Ensembles of the models of each fold, and of all of them."""
    members, weights = config.members(name), config.ensemble_weights(name)
    found = {
        f"{name}.fold{fold}": Ensemble(members=tuple(f"{each}.fold{fold}" for each in members), weights=weights)
        for fold in range(config.folds)
    }
    everyone = tuple(member for each in found.values() for member in each.members)
    repeated = {code: each * config.folds for code, each in weights.items()}
    return {**found, name: Ensemble(members=everyone, weights=repeated)}
