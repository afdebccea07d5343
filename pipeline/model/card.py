"""Model card: ``card.json``, beside the weights of a trained model. Reading it does not need torch.

The card is enough to rebuild the network and to process a new image in the same way: network, task, classes, side of a
patch and scaling of the input. It also repeats facts, configuration and stain target of the training images.
"""

import json
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from pipeline.config import ModelSettings
from pipeline.config.manifest import DatasetRecord, Task
from pipeline.errors import ModelError, PipelineError, StoreError
from pipeline.project import workflow_command
from pipeline.stores.documents import read_json
from pipeline.stores.model_files import CARD, WEIGHTS
from pipeline.stores.provenance import file_digest

__all__ = [
    "Card",
    "InputScaling",
    "check_encoder",
    "is_trained",
    "read_card",
    "stain_target",
]


class _Frozen(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class CardClass(BaseModel):
    """Class that the model knows, stored by its code only, so that renaming a class causes no new training."""

    model_config = ConfigDict(extra="ignore", frozen=True)  # Earlier cards repeat the code as a name.

    code: str
    """Identifier."""


class InputScaling(_Frozen):
    """Scaling of the input, ``(pixels / divide_by - mean) / std`` per channel; done inside the network."""

    divide_by: float
    mean: tuple[float, ...]
    std: tuple[float, ...]


class Card(_Frozen):
    """Model card: description of a trained model and its training data; no time, host or absolute path."""

    schema_version: Literal[1] = 1
    """Version of this record."""
    model: str
    """Its name."""
    dataset: str
    """Data set that it was trained on."""
    task: Task
    """Meaning of the outputs."""
    classes: tuple[CardClass, ...]
    """In the order of the class axis; background is implied."""
    outputs: int
    """Channels of the logits: one more than classes for multiclass, background first."""
    channels: int
    """Channels of the input."""
    patch: int
    """Side of the patches in pixels of the normalised image."""
    scaling: InputScaling
    """Scaling of the input."""
    pixel_size_um: float | None
    """Side of a pixel of its training images, where known."""
    normalisation: dict[str, Any]
    """Configuration of the normalisation of its images, the block ``normalized``."""
    record: DatasetRecord | None = None
    """Facts of the data set that a result can depend on; None in cards of models without a known data set."""
    stain_target: dict[str, Any] | None = None
    """Stain target of its images, as in ``normalized/target.json``; None where there is none."""
    settings: ModelSettings
    """Network and training; encoder weights from a file appear as ``file`` with their digest in ``encoder_digest``."""
    encoder_digest: str | None
    """SHA-256 of the file of encoder weights."""
    index_digest: str
    """SHA-256 of the patch index."""
    class_weights: dict[str, float] = Field(default_factory=dict)
    """Output of the network → its weight in the loss; empty for equal weights."""
    rows: dict[str, int]
    """Numbers of training and validation patches."""
    best_epoch: int
    """Epoch of the weights, from 1."""
    selected_by: str
    """The score that selected it, or ``last epoch``."""
    metrics: dict[str, float | None]
    """History of that epoch; averages over the manifest classes, without background; null where undefined.

    Computed over validation patches with a threshold of one half or the most likely class. ``everywhere_dice_*`` is the
    Dice of marking every pixel of the same patches with the class: a trivial baseline."""
    warnings: tuple[str, ...]
    """Warnings to read before trusting the model, as known after training. Warnings from measuring, such as a model no
    better than a trivial baseline, are in ``measures.{fusion}.json`` beside the card and belong to it."""
    seed: int
    """Seed of the run plus that of the model."""
    versions: dict[str, str]
    """Versions of the libraries that affect the numbers."""
    provenance: dict[str, Any] = Field(repr=False)
    """Record of origin."""
    files: dict[str, str] = Field(default_factory=dict, repr=False)
    """Name of a file beside the card → its SHA-256."""

    @property
    def codes(self) -> tuple[str, ...]:
        """Class codes in order."""
        return tuple(each.code for each in self.classes)

    @property
    def network_settings(self) -> ModelSettings:
        """Settings that build the same network without downloads: its weights come from the state."""
        return self.settings.model_copy(update={"encoder_weights": "none"})


def read_card(folder: Path) -> Card:
    """Model card, read from ``card.json`` and checked.

    Raises
    ------
    ModelError
        The card is missing or has another form.
    """
    path = folder / CARD
    try:
        return Card.model_validate_json(json.dumps(read_json(path)))
    except FileNotFoundError as error:
        raise ModelError(
            "There is no trained model.",
            where=folder,
            found=f"no {CARD}",
            expected=f"{CARD} and {WEIGHTS}",
            remedy=f"Train it: {workflow_command('model')}.",
        ) from error
    except StoreError:
        raise
    except OSError as error:
        raise ModelError(
            "The card of the model cannot be read.",
            where=path,
            found=error.strerror or error,
            expected=f"a folder with {CARD} and {WEIGHTS}",
            remedy="Give the folder of a model, such as results/idrid/model/unet.",
        ) from error
    except ValidationError as error:
        first = error.errors()[0]
        raise ModelError(
            "The card of the model cannot be understood.",
            where=path,
            found=f"{'.'.join(map(str, first['loc']))}: {first['msg']}",
            expected="a card of this version",
            remedy="Train the model again with this version, or read it with the version that wrote it.",
        ) from error


def check_encoder(weights: Path, *, encoder: str) -> bool:
    """Check of encoder weights from a file against the card beside it; whether there is one that names their encoder.

    Encoders of the same names and shapes may compute other features: ``tu-tf_efficientnet_lite0`` pads as TensorFlow does,
    ``tu-efficientnet_lite0`` evenly.

    Parameters
    ----------
    weights
        The file. Only a model's own ``weights.pt`` has a card; nothing says for which encoder another file was made.
    encoder
        Encoder that is to take them.

    Raises
    ------
    ModelError
        The card names another encoder.
    """
    try:
        named = read_card(weights.parent).settings.encoder if weights.name == WEIGHTS else None
    except PipelineError:  # A card of another program, or of another version.
        return False
    if named not in (None, encoder):
        raise ModelError(
            "The file holds weights of another encoder.",
            where=weights,
            found=f"{named}, by the {CARD} beside it",
            expected=encoder,
            remedy="Check encoder and encoder_weights; they belong together: another encoder may take the same tensors "
            "and compute other features.",
        )
    return named is not None


def is_trained(folder: Path) -> bool:
    """Test for a finished training: whether its card, which is written last, exists and its files match the card."""
    try:
        files = read_card(folder).files
        return bool(files) and all(file_digest(folder / name) == digest for name, digest in files.items())
    except (PipelineError, OSError):
        return False


def stain_target(path: Path | None) -> dict[str, Any] | None:
    """Stain target for the card: ``normalized/target.json`` without its record of origin."""
    if path is None:
        return None
    content: dict[str, Any] = read_json(path)
    return {key: value for key, value in content.items() if key != "provenance"}
