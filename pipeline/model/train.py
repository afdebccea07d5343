"""Training of one model: patch index and normalised stores in; weights, model card and history out.

After each epoch the whole state is saved as ``last.….ckpt`` in the unfinished folder. A killed run continues after its
last finished epoch and ends with the same weights as an uninterrupted one (on a CPU; up to rounding on a GPU).
"""

import logging
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from pipeline.config import ModelSettings
from pipeline.errors import ModelError
from pipeline.model.assignment import Assignment, Inputs
from pipeline.model.augment import build_augmenter
from pipeline.model.buildable import check_takes
from pipeline.model.card import is_trained
from pipeline.model.module import Training
from pipeline.model.network import build_network
from pipeline.model.order import ALONE, EpochBatches, InOrder, Part
from pipeline.model.patches import PatchDataset, check_rows, loader
from pipeline.model.precision import depthwise_in_float32, resolved_precision
from pipeline.model.refusals import check_batches, check_side
from pipeline.model.rows import choose_rows, soft_sides
from pipeline.model.session import choose_device, session
from pipeline.model.together import train_together
from pipeline.model.trained_files import write_model
from pipeline.model.trainer import build_trainer, delete_states, discarded, last_state
from pipeline.seeds import derived_seed
from pipeline.stores import read_table, table_metadata
from pipeline.stores.atomic import folder_in_progress
from pipeline.stores.job import Job
from pipeline.stores.model_files import CURVES, HISTORY_CSV

__all__ = ["Inputs", "train"]

log = logging.getLogger(__name__)


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
        are updated after each epoch.

    Raises
    ------
    ModelError
        Sizes, rows, classes, losses, weights or devices do not fit together, or training diverges.
    """
    check_side(patch, where="index.samplings.*.patch", downsample=settings.downsample)
    check_takes(settings, patch, classes=len(job.record.codes), task=job.record.task)
    precision = resolved_precision(settings.precision, device=settings.device)
    settings = settings.model_copy(update={"precision": precision})
    rows = choose_rows(read_table(inputs.index), fold=settings.fold)
    task = Assignment(name, settings, patch, rows, inputs, job)
    for part in (rows.training, rows.validation):
        if len(part):
            check_rows(part, normalized=inputs.normalized, record=job.record, side=patch)
    check_batches(settings, name=name, patches=task.length.patches, validation=len(rows.validation))
    if lost := discarded(output, origin=job.provenance):
        log.warning("model %s: %s", name, lost)
    with folder_in_progress(output, digest=job.provenance.digest) as folder:
        log.info("model %s: %s and %s of each epoch lie in %s", name, HISTORY_CSV, CURVES, folder)
        if not is_trained(folder):  # The card is written last: where it exists, only the rename was missing.
            if settings.devices == 1:
                _train_part((task, folder), ALONE)
            else:
                train_together(_train_part, (task, folder), devices=settings.devices, name=name)
        delete_states(folder)


def _train_part(work: tuple[Assignment, Path], part: Part) -> None:
    """Training in one of the processes; the first one writes the model."""
    task, folder = work
    trained = _trained(task, folder, part)
    if part.rank == 0:
        write_model(folder, task, trained)


def _trained(task: Assignment, folder: Path, part: Part) -> Training:
    for message in task.warnings:
        log.warning("model %s: %s", task.name, message)
    device = choose_device(task.settings)
    with session(task.settings, seed=derived_seed(task.seed, "model", task.name, "weights")):
        training = _training(task)
        resume = last_state(folder)
        if resume is not None:
            training.on_load_checkpoint(torch.load(resume, map_location="cpu", weights_only=True, mmap=True))
        if not training.is_finished:  # It may have been killed after early stopping.
            trainer = build_trainer(task.settings, epochs=task.length.epochs, folder=folder, device=device, part=part)
            with _no_success_by_signal(task.name):
                trainer.fit(
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


@contextmanager
def _no_success_by_signal(name: str) -> Iterator[None]:
    """Failing exit status after a signal: after SIGTERM Lightning reports success, and the workflow would miss the model."""
    try:
        yield
    except SystemExit as stopped:  # After SIGINT its status says so.
        log.warning("model %s: stopped by a signal; finished epochs are kept, and a run continues them", name)
        raise SystemExit(stopped.code or 128 + signal.SIGTERM) from stopped


def _training(task: Assignment) -> Training:
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


def _training_loader(task: Assignment, *, first: int, pin: bool, part: Part) -> Any:  # noqa: ANN401 lightning takes anything
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


def _validation_loader(task: Assignment, *, pin: bool, part: Part) -> Any:  # noqa: ANN401 lightning takes anything
    settings, rows = task.settings, task.rows.validation
    if rows.empty:
        return None
    dataset = PatchDataset(rows, normalized=task.inputs.normalized, record=task.job.record, side=task.side)
    batches = InOrder(len(rows), size=settings.batch_size, part=part)
    return loader(dataset, batches=batches, readers=settings.readers, start=settings.reader_start, pin=pin)
