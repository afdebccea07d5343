"""Files of a trained model: its weights, the history of its epochs, and the model card."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import torch

from pipeline.config import BUILT_IN_WEIGHTS
from pipeline.geometry import grid_pixel_um
from pipeline.model.assignment import Assignment
from pipeline.model.card import Card, CardClass, InputScaling, stain_target
from pipeline.model.module import Best, Training
from pipeline.model.network import CHANNELS, output_count
from pipeline.model.scaling import scaling_of_buffers
from pipeline.stores import input_digest, open_group, write_table
from pipeline.stores.documents import json_text
from pipeline.stores.flush import write_whole
from pipeline.stores.model_files import CARD, CURVES, HISTORY, HISTORY_CSV, WEIGHTS
from pipeline.stores.provenance import file_digest, versions

__all__ = ["write_model"]

LIBRARIES = ("torch", "lightning", "segmentation-models-pytorch", "albumentations", "opencv-python-headless", "numpy")
NO_SCORE = (
    "no epoch had a score, for no class of it occurs in the validation patches: these weights are of the last epoch"
)
SCORES = {
    "dice_miou": "mean of mean Dice and mean IoU over the classes, without background, pooled over validation patches",
    "dice": "mean Dice over the classes, without background, pooled over validation patches",
    "lesion_aupr": "mean average precision over the lesion classes, pooled over validation patches",
}


def write_model(folder: Path, task: Assignment, trained: Training) -> None:
    """Weights, history and, last, the card of a trained model.

    Parameters
    ----------
    folder
        Unfinished folder of the model, with the curves of the epochs.
    task
        The assignment of its training.
    trained
        Its best weights and its history.
    """
    best = trained.best
    assert best is not None, "an epoch has ended"
    torch.save(best.weights, folder / WEIGHTS)
    history = pd.DataFrame(trained.history).astype({"epoch": "int32"})
    write_table(history, folder / HISTORY, provenance=task.job.provenance.as_attributes())
    files = {name: file_digest(folder / name) for name in (WEIGHTS, HISTORY, HISTORY_CSV, CURVES)}
    card = _card(task, best, metrics=trained.history[best.epoch - 1]).model_copy(update={"files": files})
    write_whole(folder / CARD, [json_text(card.model_dump(mode="json"), indent=2).encode()])


def _attributes(store: Path) -> dict[str, Any]:
    return dict(open_group(store).attrs)


def _card(task: Assignment, best: Best, *, metrics: Mapping[str, float]) -> Card:
    record, settings = task.job.record, task.settings
    from_file = settings.encoder_weights not in BUILT_IN_WEIGHTS
    scored = task.selects and best.score > -math.inf
    mean, std = scaling_of_buffers(best.weights["mean"], best.weights["std"])
    trained_on = _attributes(task.inputs.normalized[str(task.rows.training["image_id"].iloc[0])])
    return Card(
        model=task.name,
        dataset=str(task.rows.training["dataset"].iloc[0]),
        task=record.task,
        classes=tuple(CardClass(code=code) for code in record.codes),
        outputs=output_count(len(record.codes), task=record.task),
        channels=CHANNELS,
        patch=task.side,
        scaling=InputScaling(divide_by=255, mean=mean, std=std),
        pixel_size_um=grid_pixel_um(
            trained_on.get("lesionmap", {}).get("mapping", {"factor_y": 1}),
            given=trained_on["provenance"].get("pixel_size_um"),
        ),
        normalisation=trained_on["provenance"].get("config", {}).get("normalized", {}),
        record=record,
        stain_target=stain_target(task.inputs.target),
        settings=settings.model_copy(update={"encoder_weights": "file"}) if from_file else settings,
        encoder_digest=file_digest(Path(settings.encoder_weights)) if from_file else None,
        index_digest=input_digest(task.inputs.index),
        class_weights=task.class_weights,
        rows={"training": len(task.rows.training), "validation": len(task.rows.validation)},
        best_epoch=best.epoch,
        selected_by=SCORES[settings.select_by] if scored else "last epoch",
        metrics={key: None if math.isnan(value) else value for key, value in metrics.items() if key != "epoch"},
        warnings=(*task.warnings, *([] if scored or not task.selects else [NO_SCORE])),
        seed=task.seed,
        versions=versions(LIBRARIES),
        provenance=task.job.provenance.as_attributes(),
    )
