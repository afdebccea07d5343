"""Training of one model: patch index and normalised stores in; weights, model card and history out.

After each epoch the whole state lies in ``last.….ckpt`` inside the unfinished folder. A run that was killed continues
after its last finished epoch. It ends with the same weights as one that was not (on a CPU; to rounding on a GPU).
"""

import logging
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import torch

from pipeline.config import BUILT_IN_WEIGHTS, ModelSettings
from pipeline.errors import ModelError
from pipeline.geometry import grid_pixel_um
from pipeline.index.summary import patches_asked
from pipeline.model.augment import build_augmenter
from pipeline.model.card import CARD, WEIGHTS, Card, CardClass, InputScaling, is_trained, stain_target
from pipeline.model.module import Best, Training
from pipeline.model.network import CHANNELS, build_network, check_side, output_count
from pipeline.model.order import ALONE, EpochBatches, InOrder, Part
from pipeline.model.patches import PatchDataset, check_rows, loader
from pipeline.model.precision import depthwise_in_float32, resolved_precision
from pipeline.model.progress import CURVES, HISTORY_CSV
from pipeline.model.recipe import Length, check_batches, training_length
from pipeline.model.rows import Rows, choose_rows, soft_sides, truth_pixels
from pipeline.model.scaling import scaling_of_buffers
from pipeline.model.session import choose_device, session
from pipeline.model.together import train_together
from pipeline.model.trainer import build_trainer, delete_states, last_state
from pipeline.model.weighting import class_weights
from pipeline.raw.data_warnings import random_encoder
from pipeline.seeds import derived_seed
from pipeline.stores import input_digest, open_group, read_table, table_metadata, write_table
from pipeline.stores.atomic import folder_in_progress
from pipeline.stores.documents import json_text
from pipeline.stores.flush import write_whole
from pipeline.stores.job import Job
from pipeline.stores.provenance import file_digest, versions

__all__ = ["Inputs", "train"]

log = logging.getLogger(__name__)

HISTORY = "history.parquet"
LIBRARIES = ("torch", "lightning", "segmentation-models-pytorch", "albumentations", "opencv-python-headless", "numpy")
SCORES = {
    "dice_miou": "mean of mean Dice and mean IoU over the classes, without background, pooled over validation patches",
    "dice": "mean Dice over the classes, without background, pooled over validation patches",
    "lesion_aupr": "mean average precision over the lesion classes, pooled over validation patches",
}


@dataclass(frozen=True, slots=True)
class Inputs:
    """Inputs of a training: what is learned from."""

    index: Path
    """Patch index."""
    normalized: Mapping[str, Path]
    """Image id → normalised store, at least those of the index."""
    target: Path | None = None
    """``normalized/target.json``, which the card repeats; None where no stains are normalised."""


@dataclass(frozen=True, slots=True)
class _Task:
    """Everything that one training is about."""

    name: str
    settings: ModelSettings
    side: int
    rows: Rows
    inputs: Inputs
    job: Job

    @property
    def seed(self) -> int:
        """Seed of the run plus that of the model."""
        return self.job.seed + self.settings.seed

    @property
    def length(self) -> Length:
        """Epochs and steps."""
        return training_length(self.settings, rows=len(self.rows.training))

    @property
    def class_weights(self) -> dict[str, float]:
        """Weights of the outputs in the loss; empty for equal ones."""
        return class_weights(self.settings, rows=self.rows.training, record=self.job.record)

    @property
    def selects(self) -> bool:
        """Selection of an epoch: whether validation can tell one from another."""
        record = self.job.record
        learned = record.lesion_codes if self.settings.select_by == "lesion_aupr" else record.codes
        return truth_pixels(self.rows.validation, codes=learned) > 0


def train(inputs: Inputs, *, name: str, settings: ModelSettings, patch: int, job: Job, output: Path) -> None:
    """Training of a network on the rows of a patch index; writes the folder ``model/{name}/``.

    Parameters
    ----------
    inputs
        Patch index, stores, stain target.
    name
        Name of the model; part of the address of its random numbers.
    settings
        Network and training.
    patch
        Side of a patch in pixels, a multiple of 32.
    job
        Classes, priority and task; record of origin with the seed, to which the model's own is added.
    output
        The folder: ``weights.pt``, ``card.json``, ``history.parquet``, and ``history.csv`` and ``progress.png``, which
        are there after each epoch.

    Raises
    ------
    ModelError
        For sizes, rows, classes, losses, weights or devices that do not fit together, and where training diverges.
    """
    check_side(patch, where="index.samplings.*.patch", downsample=settings.downsample)
    precision = resolved_precision(settings.precision, device=settings.device)
    settings = settings.model_copy(update={"precision": precision})
    rows = choose_rows(read_table(inputs.index), fold=settings.fold)
    task = _Task(name, settings, patch, rows, inputs, job)
    for part in (rows.training, rows.validation):
        if len(part):
            check_rows(part, normalized=inputs.normalized, record=job.record, side=patch)
    check_batches(settings, name=name, patches=task.length.patches, validation=len(rows.validation))
    with folder_in_progress(output, digest=job.provenance.digest) as folder:
        log.info("model %s: %s and %s of each epoch lie in %s", name, HISTORY_CSV, CURVES, folder)
        if not is_trained(folder):  # the card is written last: with it, only the renaming was missing
            if settings.devices == 1:
                _train_part((task, folder), ALONE)
            else:
                train_together(_train_part, (task, folder), devices=settings.devices, name=name)
        delete_states(folder)


def _train_part(work: tuple[_Task, Path], part: Part) -> None:
    """Training in one of the processes; the first one writes what was trained."""
    task, folder = work
    trained = _trained(task, folder, part)
    if part.rank == 0:
        _write(folder, task, trained)


def _trained(task: _Task, folder: Path, part: Part) -> Training:
    for message in _warnings(task):
        log.warning("model %s: %s", task.name, message)
    device = choose_device(task.settings)
    with session(task.settings, seed=derived_seed(task.seed, "model", task.name, "weights")):
        training = _training(task)
        resume = last_state(folder)
        if resume is not None:
            training.on_load_checkpoint(torch.load(resume, map_location="cpu", weights_only=True, mmap=True))
        if not training.is_finished:  # it may have been killed after it had stopped early
            build_trainer(task.settings, epochs=task.length.epochs, folder=folder, device=device, part=part).fit(
                training,
                _training_loader(task, first=len(training.history), pin=device.type == "cuda", part=part),
                _validation_loader(task, pin=device.type == "cuda", part=part),
                ckpt_path=resume,
                weights_only=True,
            )
    if not training.is_finished:
        raise ModelError(
            "Training stopped early.",
            where=f"model {task.name}",
            found=f"{len(training.history)} epochs",
            expected=f"{task.length.epochs} epochs",
            remedy="Run again: it continues where it stopped.",
        )
    return training


def _training(task: _Task) -> Training:
    record, settings = task.job.record, task.settings
    digest = task.job.provenance.inputs.get("encoder")
    network = build_network(settings, classes=len(record.codes), task=record.task, encoder_digest=digest)
    if settings.precision == "bfloat16" and choose_device(settings).type == "cpu":
        depthwise_in_float32(network)
    return Training(
        network,
        settings=settings,
        codes=record.codes,
        lesions=record.lesion_codes,
        task=record.task,
        address=(task.seed, task.name),
        selects=task.selects,
        length=task.length,
        weights=task.class_weights,
    )


def _training_loader(task: _Task, *, first: int, pin: bool, part: Part) -> Any:  # noqa: ANN401 lightning takes anything
    settings, rows = task.settings, task.rows.training
    address = (task.seed, task.name)
    dataset = PatchDataset(
        rows,
        normalized=task.inputs.normalized,
        record=task.job.record,
        side=task.side,
        augmenter=build_augmenter(settings.augmentation),
        address=address,
        moving=settings.moving_crops,
    )
    batches = EpochBatches(
        rows=len(rows),
        size=settings.batch_size,
        per_epoch=task.length.patches,
        seed=task.seed,
        name=task.name,
        first=first,
        sides=soft_sides(rows, notes=table_metadata(task.inputs.index)),
        part=part,
    )
    return loader(dataset, batches=batches, readers=settings.readers, start=settings.reader_start, pin=pin)


def _validation_loader(task: _Task, *, pin: bool, part: Part) -> Any:  # noqa: ANN401 lightning takes anything
    settings, rows = task.settings, task.rows.validation
    if rows.empty:
        return None
    dataset = PatchDataset(rows, normalized=task.inputs.normalized, record=task.job.record, side=task.side)
    batches = InOrder(len(rows), size=settings.batch_size, part=part)
    return loader(dataset, batches=batches, readers=settings.readers, start=settings.reader_start, pin=pin)


def _warnings(task: _Task) -> tuple[str, ...]:
    drawn, asked = patches_asked(table_metadata(task.inputs.index))
    few = (f"{drawn} of {asked} training patches asked for were drawn",) if 2 * drawn < asked else ()
    random = task.settings.untrained_encoder
    return (*few, *_selection_warnings(task), *((random_encoder(random),) if random else ()))


def _selection_warnings(task: _Task) -> tuple[str, ...]:
    if task.rows.validation.empty:
        return ("there are no validation patches: the last epoch was taken, and nothing says how good it is",)
    if not task.selects:
        what = "lesion" if truth_pixels(task.rows.validation, codes=task.job.record.codes) else "truth"
        return (f"the validation patches hold no {what}: the last epoch was taken, and its scores mean nothing",)
    return ()


def _write(folder: Path, task: _Task, trained: Training) -> None:
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


def _card(task: _Task, best: Best, *, metrics: Mapping[str, float]) -> Card:
    record, settings = task.job.record, task.settings
    from_file = settings.encoder_weights not in BUILT_IN_WEIGHTS
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
        selected_by=SCORES[settings.select_by] if task.selects else "last epoch",
        metrics={key: None if math.isnan(value) else value for key, value in metrics.items() if key != "epoch"},
        warnings=_warnings(task),
        seed=task.seed,
        versions=versions(LIBRARIES),
        provenance=task.job.provenance.as_attributes(),
    )
