"""Recipe of a normalisation: that of a trained model's images, or one from settings."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.config import NormalizedConfig
from pipeline.config.manifest import ClassRecord, DatasetRecord, FolderLayout
from pipeline.config.raw import LARGEST_DECODE
from pipeline.config.validation import validate
from pipeline.errors import ConfigurationError, ModelError
from pipeline.model.card import read_card
from pipeline.model.ensemble import members_of
from pipeline.normalized.stain.target import target_content
from pipeline.project import workflow_command
from pipeline.stores.model_files import CARD

__all__ = ["Recipe", "recipe_of_model", "recipe_of_settings"]


@dataclass(frozen=True, slots=True)
class Recipe:
    """Recipe of a normalisation: everything that it depends on beside the image."""

    record: DatasetRecord
    """Facts of the data set."""
    normalisation: Mapping[str, Any]
    """The block ``normalized``: keys of the chain."""
    target: Mapping[str, Any] | None
    """Content of ``target.json``; None where no stains are normalised."""

    @property
    def config(self) -> NormalizedConfig:
        """The block after validation."""
        return NormalizedConfig.model_validate(dict(self.normalisation))

    def with_pixel_size(self, size_um: float | None) -> "Recipe":
        """The recipe for a file without a pixel size; unchanged where None is given."""
        if size_um is None:
            return self
        record = self.record.model_copy(update={"pixel_size_um": size_um})
        return Recipe(record, self.normalisation, self.target)


def recipe_of_model(model: Path) -> Recipe:
    """Recipe of the images that a model was trained on, from its card.

    Parameters
    ----------
    model
        Folder ``model/{model}/`` of a model or of an ensemble, whose members agree.

    Raises
    ------
    ModelError
        There is no model, or its card does not say how its images were normalised.
    """
    card = read_card(members_of(model)[0])
    stain = card.normalisation.get("stain") or {}
    stained = card.normalisation.get("chain") == "histology" and stain.get("method") != "none"
    if card.record is None or not card.normalisation or (stained and card.stain_target is None):
        lacking = "stain target" if card.record and card.normalisation else "normalisation"
        raise ModelError(
            "The card does not say how the model's images were normalised.",
            where=model / CARD,
            found=f"no {lacking}",
            expected="a card of a model that was trained by stage model",
            remedy=f"Train it again: {workflow_command('model')}.",
        )
    return Recipe(card.record, card.normalisation, card.stain_target)


def recipe_of_settings(settings: Mapping[str, Any], *, largest_decode: int = LARGEST_DECODE) -> Recipe:
    """Recipe from parameters, for an image that belongs to no data set.

    Parameters
    ----------
    settings
        Keys of the block ``normalized`` of ``stages/config.yaml``, such as ``{"chain": "histology"}``. The stain target
        is the shipped reference, a ``stain.json`` or an image.
    largest_decode
        Bytes of the largest unit of that image that is decoded at once.

    Raises
    ------
    ConfigurationError
        Unknown keys or values that make no sense.
    """
    config = validate(NormalizedConfig, settings, source="normalized", error=ConfigurationError)
    record = DatasetRecord(
        title="one image",
        adaptor="folder",
        modality=config.chain,
        task="binary",
        classes=(ClassRecord(code="LESION", name="lesion"),),
        folder=FolderLayout(images="{image}"),
    )
    target = None
    if config.chain == "histology" and config.stain.method != "none":
        named = config.stain.target
        file = None if named in ("reference", "median") else Path(named)
        target = target_content(config, target=named, file=file, estimates=(), largest=largest_decode)
    return Recipe(record, json.loads(config.model_dump_json(exclude={"workers"})), target)
