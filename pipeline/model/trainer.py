"""Trainer of a model: Lightning's, with a checkpoint of the whole state after each epoch."""

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from pipeline.config import ModelSettings
from pipeline.counts import number_of
from pipeline.model.operators import prepare_torchvision
from pipeline.model.order import ALONE, Part
from pipeline.model.progress import TrainingBar, write_progress
from pipeline.model.together import SeveralProcesses
from pipeline.stores.atomic import is_claimed
from pipeline.stores.flush import NEW, replace_whole
from pipeline.stores.model_files import HISTORY_CSV
from pipeline.stores.provenance import Provenance, file_digest
from pipeline.words import partial_path

prepare_torchvision()  # Lightning imports it.
from lightning.pytorch import Callback, Trainer  # noqa: E402
from lightning.pytorch.callbacks import Checkpoint  # noqa: E402
from lightning.pytorch.plugins.environments import LightningEnvironment  # noqa: E402

__all__ = ["build_trainer", "delete_states", "discarded", "last_state"]

LAST = "last.{digest}.ckpt"
"""Name of the checkpoint of the last finished epoch, including the SHA-256 of the file."""
PRECISION = {"float32": "32-true", "bfloat16": "bf16-mixed", "float16": "16-mixed"}


class _SaveEpoch(Checkpoint):
    """Lightning's checkpoint after every epoch, written atomically: a kill leaves the previous or the new one, whole."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def on_train_epoch_end(self, trainer: Trainer, module: Any) -> None:  # noqa: ANN401 untyped library
        """Save after the module has closed the epoch, because lightning calls checkpoints last."""
        unfinished, before = self.folder / f"state{NEW}", _states(self.folder)
        trainer.save_checkpoint(unfinished, weights_only=False)  # Called by all processes; the first one writes.
        if not trainer.is_global_zero:
            return
        write_progress(self.folder, module.history, codes=module.codes)
        state = self.folder / LAST.format(digest=file_digest(unfinished))
        replace_whole(unfinished, state)
        for path in before:
            if path != state:
                path.unlink()


def _states(folder: Path) -> list[Path]:
    """Checkpoints, the latest first; after a kill there may be two."""
    found = folder.glob(LAST.format(digest="*"))
    return sorted(found, key=lambda path: path.stat().st_mtime_ns, reverse=True)


def last_state(folder: Path) -> Path | None:
    """Checkpoint of the last finished epoch; damaged ones are skipped."""
    return next((path for path in _states(folder) if path.name == LAST.format(digest=file_digest(path))), None)


def delete_states(folder: Path) -> None:
    """Delete the checkpoints of a finished training."""
    for path in _states(folder):
        path.unlink()


def discarded(output: Path, *, origin: Provenance) -> str | None:
    """Sentence on an unfinished training that this one cannot continue and deletes; None where there is none.

    Parameters
    ----------
    output
        Folder of the model.
    origin
        Record of origin of this training, with its resolved precision.
    """
    partial = partial_path(output)
    if is_claimed(partial, digest=origin.digest) or not _states(partial):
        return None
    history = partial / HISTORY_CSV
    epochs = max(0, len(history.read_text().splitlines()) - 1) if history.is_file() else 0
    lost = f"{partial}: {number_of(epochs, 'finished epoch')} deleted, and it starts anew, because"
    model = origin.config.get("model", {})
    for began in PRECISION:
        config = {**origin.config, "model": {**model, "precision": began}}
        if is_claimed(partial, digest=replace(origin, config=config).digest):
            return f"{lost} it began in {began} and now computes in {model['precision']}"
    return f"{lost} configuration, code or inputs changed since it began"


def build_trainer(
    settings: ModelSettings, *, epochs: int, folder: Path, device: torch.device, part: Part = ALONE
) -> Trainer:
    """Trainer of one model in this process, without logger.

    Parameters
    ----------
    settings
        Batches of a step, clipping, and precision with ``auto`` resolved.
    epochs
        Most epochs.
    folder
        Where the checkpoint is kept.
    device
        Where the network trains.
    part
        Which of several processes this one is.
    """
    interactive, several = sys.stderr.isatty() and part.rank == 0, part.devices > 1
    callbacks: list[Callback] = [_SaveEpoch(folder), *([TrainingBar()] if interactive else [])]
    return Trainer(
        accelerator="gpu" if device.type == "cuda" else "cpu",
        devices=part.devices,
        strategy="ddp_find_unused_parameters_true" if several else "auto",
        precision=PRECISION[settings.precision],
        max_epochs=epochs,
        accumulate_grad_batches=settings.accumulate,
        gradient_clip_val=settings.clip_norm,
        callbacks=callbacks,
        enable_progress_bar=interactive,
        enable_model_summary=False,
        logger=False,
        num_sanity_val_steps=0,
        use_distributed_sampler=False,
        default_root_dir=folder,
        plugins=[
            SeveralProcesses(part) if several else LightningEnvironment()
        ],  # A job of a cluster's scheduler is still one process.
    )
