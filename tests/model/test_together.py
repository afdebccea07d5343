"""Two processes train to the weights of one, and count the same pixels."""

import logging
import runpy
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from pipeline.config import LossTerm, ModelSettings
from pipeline.errors import ModelError
from pipeline.model.module import Training
from pipeline.model.network import ScaledNetwork
from pipeline.model.order import EpochBatches, InOrder, Part
from pipeline.model.recipe import training_length
from pipeline.model.refusals import check_batches

PROJECT = Path(__file__).parents[2]
EQUAL = {
    "precision": "float32",
    "loss": (LossTerm(name="cross_entropy"),),
    "batch_statistics": "frozen",
    "learning_rate": 1e-3,
    "average_decay": 0.9,
}


@pytest.mark.parametrize("rows", [4, 7, 9, 10])
@pytest.mark.parametrize("devices", [2, 3])
def test_the_parts_of_the_processes_are_the_batches_of_all_with_a_row_for_each(rows, devices):
    def made(part: Part):
        training = EpochBatches(rows=rows, size=4, per_epoch=None, seed=1, name="m", first=2, part=part)
        return list(training), list(InOrder(rows, size=4, part=part)), len(training)

    parts = [made(Part(rank, devices)) for rank in range(devices)]
    for at in (0, 1):
        for batch in zip(*(part[at] for part in parts), strict=True):
            assert min(map(len, batch)) >= 1
            assert max(map(len, batch)) - min(map(len, batch)) <= 1
        found = sorted(key for part in parts for batch in part[at] for key in batch)
        alone = EpochBatches(rows=rows, size=4, per_epoch=None, seed=1, name="m", first=2)
        assert found == sorted(key for batch in (alone, InOrder(rows, size=4))[at] for key in batch)
    settings = ModelSettings(batch_size=4, devices=devices, epochs=1)
    assert {part[2] for part in parts} == {len(parts[0][0])} == {training_length(settings, rows=rows).steps}


def test_too_few_patches_for_each_process_are_refused():
    settings = ModelSettings(batch_size=4, devices=3)
    check_batches(settings, name="m", patches=8, validation=3)
    check_batches(settings, name="m", patches=8, validation=0)
    for changed, patches, validation in ((settings, 2, 9), (settings, 8, 2), (ModelSettings(devices=9), 99, 99)):
        with pytest.raises(ModelError, match="devices"):
            check_batches(changed, name="m", patches=patches, validation=validation)


@pytest.mark.parametrize("statistics", ["frozen", "learned"])
def test_frozen_statistics_stay_as_they_came(statistics):
    body = nn.Sequential(nn.Conv2d(3, 2, 1), nn.BatchNorm2d(2))
    settings = ModelSettings(batch_statistics=statistics, average_decay=0)
    length = training_length(settings, rows=8)
    options = {"codes": ("A",), "lesions": ("A",), "task": "binary", "address": (0, "m"), "selects": True}
    training = Training(ScaledNetwork(body, outputs=2), settings=settings, length=length, weights={}, **options)
    training.eval()
    training.train()
    before = body[1].running_mean.clone()
    training.network(torch.full((2, 3, 32, 32), 90, dtype=torch.uint8))
    assert torch.equal(body[1].running_mean, before) == (statistics == "frozen")


def test_a_process_that_imports_the_script_of_the_stage_runs_no_job():
    """Readers and training processes are started anew and import the file that the job began with."""
    found = runpy.run_path(str(PROJECT / "stages" / "3_model.py"), run_name="__mp_main__")
    assert "model_fit" in found


@pytest.mark.slow
def test_two_processes_give_the_weights_and_the_counts_of_one(bench: Callable, quick: ModelSettings, caplog) -> None:
    tiny = bench(splits=("train", "train", "train", "validation", "validation"))
    settings = quick.model_copy(update=EQUAL)
    one = tiny.train("one", settings=settings)
    with caplog.at_level(logging.INFO):
        two = tiny.train("two", settings=settings.model_copy(update={"devices": 2}))
    assert sum("epoch 2/2" in record.getMessage() for record in caplog.records) == 1
    first, second = (torch.load(folder / "weights.pt", weights_only=True) for folder in (one, two))
    assert first.keys() == second.keys()
    for name in first:
        torch.testing.assert_close(first[name], second[name], atol=1e-4, rtol=0, msg=name)
    one_by_one, together = (pd.read_parquet(folder / "history.parquet") for folder in (one, two))
    for column in ("train_loss", "validation_loss"):
        np.testing.assert_allclose(one_by_one[column], together[column], rtol=1e-4)
    assert sorted(path.name for path in one.iterdir()) == sorted(path.name for path in two.iterdir())


@pytest.mark.slow
def test_two_processes_count_the_validation_pixels_of_one_exactly(bench: Callable, quick: ModelSettings) -> None:
    """With a learning rate of almost nothing the weights are the same, and so is every count."""
    tiny = bench(splits=("train", "train", "train", "validation", "validation"))
    settings = quick.model_copy(update={**EQUAL, "learning_rate": 1e-30, "weight_decay": 0.0, "epochs": 1})
    one = tiny.train("one", settings=settings)
    two = tiny.train("two", settings=settings.model_copy(update={"devices": 2}))
    one_by_one, together = (pd.read_parquet(folder / "history.parquet") for folder in (one, two))
    counted = [name for name in one_by_one if name.startswith(("dice_", "iou_", "aupr_", "mean_"))]
    pd.testing.assert_frame_equal(one_by_one[counted], together[counted], check_exact=True)


@pytest.mark.slow
def test_what_fails_in_a_process_is_said(bench: Callable, quick: ModelSettings) -> None:
    tiny = bench()
    settings = quick.model_copy(update={"devices": 2, "loss": (LossTerm(name="bce"),)})
    with pytest.raises(ModelError, match="A loss does not fit the task"):
        tiny.train("two", settings=settings)
