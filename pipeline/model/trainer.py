"""Trainer of a model: Lightning's, with a checkpoint of the whole state after each epoch."""

import os
import sys
from pathlib import Path
from typing import Any

import torch

from pipeline.config import ModelSettings
from pipeline.model.operators import prepare_torchvision

prepare_torchvision()  # lightning imports it
from lightning.pytorch import Callback, Trainer  # noqa: E402
from lightning.pytorch.callbacks import Checkpoint, RichProgressBar  # noqa: E402
from lightning.pytorch.plugins.environments import LightningEnvironment  # noqa: E402

__all__ = ["LAST", "build_trainer"]

LAST = "last.ckpt"
"""Name of the checkpoint of the last finished epoch."""
PRECISION = {"float32": "32-true", "bfloat16": "bf16-mixed", "float16": "16-mixed"}


class _SaveEpoch(Checkpoint):
    """Lightning's checkpoint after every epoch, at once: a kill leaves the one before or this one, whole."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def on_train_epoch_end(self, trainer: Trainer, _: Any) -> None:  # noqa: ANN401 untyped library
        """Runs after the module has closed the epoch, as lightning calls checkpoints last."""
        unfinished = self.path.with_name(self.path.name + ".new")
        trainer.save_checkpoint(unfinished, weights_only=False)
        os.replace(unfinished, self.path)


def build_trainer(settings: ModelSettings, *, epochs: int, folder: Path, device: torch.device) -> Trainer:
    """Trainer of one model on one device, without logger.

    Parameters
    ----------
    settings
        Batches of a step, clipping, and precision, which is not ``auto`` any more.
    epochs
        Epochs at most.
    folder
        Where ``last.ckpt`` is kept.
    device
        Where the network trains.
    """
    interactive = sys.stderr.isatty()
    callbacks: list[Callback] = [_SaveEpoch(folder / LAST), *([RichProgressBar()] if interactive else [])]
    return Trainer(
        accelerator="gpu" if device.type == "cuda" else "cpu",
        devices=1,
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
        plugins=[LightningEnvironment()],  # a job of a cluster's scheduler is still one process
    )
