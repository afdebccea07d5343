"""Training step with reading and augmentation, against a bare loop on tensors in memory.

    python -m benchmarks.training_step --rounds 5 --steps 8

Network, precision, layout, loss, optimiser, patch (512) and batch (4) are the same; the bare loop has one batch and takes
it again and again. Both go in turns in one process. The figure is the median of the ratios of the rounds.
"""

import argparse
import statistics
import tempfile
import time
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from benchmarks.fundus_chain import HEIGHT, WIDTH, picture
from benchmarks.patch_reading import CLASSES, truth, write_store
from pipeline.config import ModelSettings
from pipeline.config.manifest import DatasetRecord
from pipeline.model.augment import build_augmenter
from pipeline.model.module import Training
from pipeline.model.network import build_network
from pipeline.model.order import EpochBatches
from pipeline.model.patches import PatchDataset, loader
from pipeline.model.precision import depthwise_in_float32, resolved_precision
from pipeline.model.recipe import training_length
from pipeline.model.session import choose_device, session
from pipeline.model.trainer import build_trainer
from pipeline.seeds import stream

SIDE, BATCH = 512, 4
CODES = tuple(f"C{at}" for at in range(CLASSES))
RECORD = DatasetRecord.model_validate(
    {
        "title": "Benchmark",
        "adaptor": "phantom",
        "modality": "fundus",
        "task": "multiclass",
        "phantom": {"world": "fundus"},
        "classes": [{"code": code, "name": code} for code in CODES],
    }
)


def rows(count: int) -> pd.DataFrame:
    """Random boxes of the one image."""
    corners = stream(0, "benchmark", "steps").integers(0, (HEIGHT - SIDE, WIDTH - SIDE), size=(count, 2))
    frame = pd.DataFrame({"y": corners[:, 0], "x": corners[:, 1], "height": SIDE, "width": SIDE})
    drawn = {"strategy": "guided", "coverage": False, "is_positive": True, "roi_fraction": 1.0}
    middle = {"anchor_y": frame["y"] + SIDE // 2, "anchor_x": frame["x"] + SIDE // 2}
    annotated = dict.fromkeys([f"pixels_{code}" for code in CODES], 1)
    ids = {"image_id": "a", "patch_id": [f"a/{at}" for at in range(count)]}
    return frame.assign(**ids, **drawn, **middle, **annotated)


def settings_of(steps: int) -> ModelSettings:
    """Settings of the defaults, with random weights, so that nothing is needed but the library."""
    tree = {"encoder_weights": "none", "batch_size": BATCH, "epochs": 1, "patches_per_epoch": steps * BATCH}
    found = ModelSettings.model_validate(tree)
    return found.model_copy(update={"precision": resolved_precision(found.precision, device=found.device)})


def network_of(settings: ModelSettings) -> Any:  # noqa: ANN401 a network of the library
    """Network as training builds it."""
    network = build_network(settings, classes=CLASSES, task=RECORD.task)
    if settings.precision == "bfloat16" and choose_device(settings).type == "cpu":
        depthwise_in_float32(network)
    return network


def training_of(settings: ModelSettings, *, count: int) -> Training:
    """Training module of a new network."""
    return Training(
        network_of(settings),
        settings=settings,
        codes=CODES,
        lesions=CODES,
        task=RECORD.task,
        address=(0, "benchmark"),
        selects=False,
        length=training_length(settings, rows=count),
        weights={},
    )


def ours(settings: ModelSettings, folder: Path, *, steps: int) -> float:
    """Seconds a step of an epoch, the first left out: the median of the times between the ends of two steps."""
    table, ends = rows(steps * BATCH), []
    dataset = PatchDataset(
        table,
        normalized={"a": folder / "a.zarr"},
        record=RECORD,
        side=SIDE,
        augmenter=build_augmenter(settings.augmentation),
        address=(0, "benchmark"),
        moving=settings.moving_crops,
    )
    batches = EpochBatches(rows=len(table), size=BATCH, per_epoch=None, seed=0, name="benchmark", first=0)
    with session(settings, seed=0), tempfile.TemporaryDirectory() as states:
        training = training_of(settings, count=len(table))
        trainer = build_trainer(settings, epochs=1, folder=Path(states), device=choose_device(settings))
        training.on_train_batch_end = lambda *_: ends.append(time.perf_counter())  # type: ignore[method-assign]
        trainer.fit(training, loader(dataset, batches=batches, readers=settings.readers))
    return statistics.median(np.diff(ends))


def bare(settings: ModelSettings, *, steps: int) -> float:
    """Seconds a step of the same on tensors in memory."""
    with session(settings, seed=0):
        device = choose_device(settings)
        training = training_of(settings, count=steps * BATCH).to(device)
        network = training.network.train()
        optimiser = torch.optim.AdamW(
            network.parameters(), lr=settings.learning_rate, weight_decay=settings.weight_decay
        )
        generator = torch.Generator().manual_seed(0)
        pixels = torch.randint(0, 256, (BATCH, 3, SIDE, SIDE), dtype=torch.uint8, generator=generator).to(device)
        target = torch.randint(0, CLASSES + 1, (BATCH, SIDE, SIDE), dtype=torch.uint8, generator=generator).to(device)
        kind = None if settings.precision == "float32" else getattr(torch, settings.precision)
        narrow = torch.autocast(device.type, dtype=kind) if kind else nullcontext()
        ends = []
        for _ in range(steps):
            with narrow:
                loss = training.loss(network(pixels), target)
            loss.backward()
            optimiser.step()
            optimiser.zero_grad()
            if device.type == "cuda":
                torch.cuda.synchronize()
            ends.append(time.perf_counter())
    return statistics.median(np.diff(ends))


def main() -> None:
    """Measure in turns and print the ratio."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=8, help="steps of a round, at least 2")
    parser.add_argument("--readers", type=int, default=0, help="reading processes")
    given = parser.parse_args()
    settings = settings_of(given.steps).model_copy(update={"readers": given.readers})
    with tempfile.TemporaryDirectory() as folder:
        write_store(Path(folder) / "a.zarr", picture(), truth(), roi=True)
        pairs = [
            (ours(settings, Path(folder), steps=given.steps), bare(settings, steps=given.steps))
            for _ in range(given.rounds)
        ]
    first, second = (statistics.median(each) for each in zip(*pairs, strict=True))
    ratio = statistics.median(with_reading / without for with_reading, without in pairs)
    print(f"{settings.network}, {settings.encoder}, {settings.precision}, {settings.threads} threads, ", end="")
    print(f"{given.readers} readers: {first:.3f} s a step, bare loop {second:.3f} s, ratio {ratio:.3f}")


if __name__ == "__main__":
    main()
