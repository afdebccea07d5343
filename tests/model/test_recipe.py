"""Training recipe: lengths, learning rates and moving averages against their definitions, and through kills."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.optim.lr_scheduler import CosineAnnealingLR

from pipeline.config import ModelSettings
from pipeline.config.augmentation import BrightnessContrast, Flips, Noise, Scale, Turns
from pipeline.model.card import read_card
from pipeline.model.crops import epoch_boxes
from pipeline.model.module import Training
from pipeline.model.order import EpochBatches
from pipeline.model.recipe import cosine_factor, moving_average, training_length
from pipeline.stores import write_table


@given(st.integers(1, 60), st.integers(1, 70), st.integers(1, 9), st.integers(1, 4), st.integers(1, 300))
def test_steps_are_exact_and_epochs_equal_but_for_the_last(
    rows: int, per_epoch: int, size: int, accumulate: int, steps: int
) -> None:
    settings = ModelSettings(patches_per_epoch=per_epoch, batch_size=size, accumulate=accumulate, steps=steps)
    length = training_length(settings, rows=rows)
    each, rest = divmod(length.patches, size * accumulate)
    assert length.steps == steps
    assert rest == 0
    assert each * (length.epochs - 1) < steps <= each * length.epochs


@given(st.integers(1, 60), st.integers(1, 70) | st.none(), st.integers(1, 9), st.integers(1, 4), st.integers(1, 9))
def test_epochs_count_the_batches_that_are_drawn(
    rows: int, per_epoch: int | None, size: int, accumulate: int, epochs: int
) -> None:
    settings = ModelSettings(patches_per_epoch=per_epoch, batch_size=size, accumulate=accumulate, epochs=epochs)
    length = training_length(settings, rows=rows)
    drawn = len(EpochBatches(rows=rows, size=size, per_epoch=per_epoch, seed=0, name="", first=0))
    assert (length.epochs, length.patches) == (epochs, per_epoch or rows)
    assert length.steps == epochs * -(-drawn // accumulate)


def test_cosine_without_warmup_is_that_of_torch() -> None:
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    reference, steps = CosineAnnealingLR(optimizer, T_max=20), 20
    for step in range(steps):
        assert cosine_factor(step, steps=steps, warmup_share=0) == pytest.approx(optimizer.param_groups[0]["lr"])
        optimizer.step()
        reference.step()


def test_the_rate_rises_to_its_value_and_falls_to_nothing() -> None:
    factors = [cosine_factor(step, steps=100, warmup_share=0.1) for step in range(100)]
    assert np.allclose(factors[:10], np.arange(1, 11) / 10)
    assert factors[10] == 1.0
    assert (np.diff(factors[10:]) < 0).all()
    assert factors[-1] < 0.001
    assert cosine_factor(0, steps=1, warmup_share=0.05) == 1.0


def test_a_moving_average_follows_its_formula_and_starts_low() -> None:
    network, decay = torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.BatchNorm1d(2)), 0.6
    average = moving_average(network, decay=decay)
    torch.manual_seed(0)
    expected = {key: value.clone().double() for key, value in network.state_dict().items()}
    for step in range(12):
        with torch.no_grad():
            for value in network.state_dict().values():
                value.copy_(value + 1 if value.dtype == torch.int64 else torch.randn_like(value))
        average.update_parameters(network)
        keep = 0.0 if step == 0 else min(decay, (1 + step) / (10 + step))
        for key, value in network.state_dict().items():
            expected[key] = value.double() if value.dtype == torch.int64 else keep * expected[key] + (1 - keep) * value
    for key, value in average.module.state_dict().items():
        torch.testing.assert_close(value.double(), expected[key], atol=1e-6, rtol=0)


RECIPE = {
    "schedule": "cosine",
    "warmup_share": 0.3,
    "average_decay": 0.9,
    "clip_norm": 0.5,
    "accumulate": 2,
    "batch_size": 2,
    "steps": 6,
    "patches_per_epoch": 8,
}


MOVING = {"moving_crops": 0.4, "augmentation": (Scale(), Turns(), Flips(), BrightnessContrast(), Noise())}


class Killed(Exception):
    """Stands for the end of the process."""


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return torch.load(folder / "weights.pt", weights_only=True)


def moving(tiny: Any) -> pd.DataFrame:
    """Training rows as drawn ones, whose boxes may move; written as the index."""
    frame = tiny.frame.assign(anchor_y=-1, anchor_x=-1, coverage=False)
    frame["is_positive"] = frame[["pixels_MA", "pixels_OD"]].any(axis=1)
    drawn = np.where(frame["split"] == "train", "guided", "grid")
    frame = frame.assign(strategy=pd.Categorical(drawn))
    write_table(frame, tiny.index, provenance={})
    return frame[frame["split"] == "train"]


def test_a_killed_training_with_cosine_average_and_moving_crops_ends_with_the_weights_of_an_undisturbed_one(
    bench: Callable, quick: ModelSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    tiny, settings = bench(), quick.model_copy(update=RECIPE | MOVING)
    rows, at = moving(tiny), {"share": 0.4, "normalized": tiny.stores, "address": (3, "net")}
    boxes = [epoch_boxes(rows, epoch=epoch, augmentation=settings.augmentation, **at) for epoch in (0, 1)]
    assert not boxes[0].equals(boxes[1])
    undisturbed = tiny.train("undisturbed", settings=settings)
    history = pd.read_parquet(undisturbed / "history.parquet")
    assert len(history) == 3
    original = Training.training_step

    def step(self: Training, batch: object, at: int) -> torch.Tensor:
        if self.current_epoch == 1 and at == 3:
            raise Killed
        return original(self, batch, at)

    with monkeypatch.context() as patched:
        patched.setattr(Training, "training_step", step)
        with pytest.raises(Killed):
            tiny.train("killed", settings=settings)
    killed = tiny.train("killed", settings=settings)
    assert {p.name: p.read_bytes() for p in killed.iterdir()} == {p.name: p.read_bytes() for p in undisturbed.iterdir()}
    expected = [settings.learning_rate * cosine_factor(at, steps=6, warmup_share=0.3) for at in (2, 4, 6)]
    np.testing.assert_allclose(history["learning_rate"], expected, atol=1e-12)


@pytest.mark.parametrize("schedule", ["cosine", "plateau"])
def test_training_ends_after_its_steps_within_an_epoch_and_validates_then(
    bench: Callable, quick: ModelSettings, monkeypatch: pytest.MonkeyPatch, schedule: str
) -> None:
    """Two epochs of two steps would be four: samplings of other sizes would train for other numbers of steps."""
    taken: list[int] = []
    original = Training.optimizer_step

    def step(self: Training, *arguments: Any, **options: Any) -> None:
        taken.append(self.current_epoch)
        original(self, *arguments, **options)

    monkeypatch.setattr(Training, "optimizer_step", step)
    changes = {"steps": 3, "patches_per_epoch": 8, "batch_size": 2, "accumulate": 2, "schedule": schedule}
    folder = bench().train("exact", settings=quick.model_copy(update=changes))
    history = pd.read_parquet(folder / "history.parquet")
    assert (len(history), taken) == (2, [0, 0, 1])
    assert history["validation_loss"].notna().all()
    if schedule == "cosine":
        assert history["learning_rate"].iloc[-1] == pytest.approx(0, abs=1e-12)


def test_the_gradient_of_each_step_is_the_mean_over_the_batches_of_its_group(
    bench: Callable, quick: ModelSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A group of three batches and one of two in each epoch."""
    changes = {"batch_size": 1, "accumulate": 3, "patches_per_epoch": 5, "precision": "float32"}
    group: list[list[torch.Tensor]] = []
    taken: list[int] = []
    original = Training._share

    def share(self: Training, loss: torch.Tensor, patches: int) -> torch.Tensor:
        parameters = [each for each in self.network.parameters() if each.requires_grad]
        group.append([each.clone() for each in torch.autograd.grad(loss, parameters, retain_graph=True)])
        return original(self, loss, patches)

    def compare(self: Training, _: Any) -> None:
        found = torch.cat([each.grad.flatten() for each in self.network.parameters() if each.requires_grad])
        expected = torch.stack([torch.cat([each.flatten() for each in parts]) for parts in group]).mean(dim=0)
        assert float((found - expected).norm() / expected.norm()) < 0.01
        taken.append(len(group))
        group.clear()

    monkeypatch.setattr(Training, "_share", share)
    monkeypatch.setattr(Training, "on_before_optimizer_step", compare)
    bench().train("groups", settings=quick.model_copy(update=changes))
    assert taken == [3, 2] * quick.epochs


def test_the_average_is_kept_and_not_the_last_weights(bench: Callable, quick: ModelSettings) -> None:
    tiny = bench()
    plain, averaged = (
        weights(tiny.train(f"decay {decay}", settings=quick.model_copy(update={"average_decay": decay})))
        for decay in (0.0, 0.99)
    )
    assert plain.keys() == averaged.keys()
    assert any(not torch.equal(plain[key], averaged[key]) for key in plain)
    torch.testing.assert_close(plain["mean"], averaged["mean"])


def test_training_stops_where_no_epoch_gets_better(
    bench: Callable, quick: ModelSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    original, scores = Training._row, [0.2, 0.5, 0.4, 0.3, 0.9]
    monkeypatch.setattr(
        Training, "_row", lambda self, counts: {**original(self, counts), "score": scores[self.current_epoch]}
    )
    folder = bench().train("stops", settings=quick.model_copy(update={"epochs": 5, "patience": 2}))
    assert len(pd.read_parquet(folder / "history.parquet")) == 4
    assert read_card(folder).best_epoch == 2
