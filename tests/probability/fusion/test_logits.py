"""Fused logits become what the definition gives: weighted mean, then softmax or sigmoid; ``max`` is that of probabilities."""

import numpy as np
import pytest
from numpy.typing import NDArray

from pipeline.probability.fusion.accumulate import DeviceSums, HostSums, Place, SumsLayout
from pipeline.probability.fusion.fuse import empty_sums, fused
from pipeline.probability.fusion.weights import gaussian_weights
from pipeline.probability.plan import WindowPlan

PLAN = WindowPlan(40, 50, 16, 12, 64)
CORE = PLAN.core(PLAN.blocks[0])


def answers(maps: int) -> NDArray[np.float32]:
    """One map a window."""
    count = PLAN.grid[0] * PLAN.grid[1]
    return np.random.Generator(np.random.PCG64(1)).normal(0, 3, (count, maps, 16, 16)).astype(np.float32)


def normalised(values: NDArray[np.float32]) -> NDArray[np.float32]:
    return values - np.log(np.exp(values.astype(np.float64)).sum(axis=1, keepdims=True)).astype(np.float32)


def eager(fusion: str, values: NDArray[np.float32], evaluated: NDArray[np.bool_]):
    """Sums and weights, or the largest value, window by window in float64."""
    shape = (values.shape[1], PLAN.height, PLAN.width)
    sums, total, most = np.zeros(shape), np.zeros(shape[1:]), np.full(shape, -np.inf)
    weights = gaussian_weights(16).astype(np.float64) if fusion == "gaussian" else np.ones((16, 16))
    for value, window in zip(values, PLAN.windows(PLAN.blocks[0]), strict=True):
        if evaluated[window.row, window.column]:
            at = (slice(None), slice(window.y, window.y + 16), slice(window.x, window.x + 16))
            sums[at] += weights * value
            total[at[1:]] += weights
            most[at] = np.maximum(most[at], value)
    return sums, total, most


def summed(kind, fusion: str, values, evaluated, *, activation: str):
    summing = kind(SumsLayout((fusion,), (values.shape[1], PLAN.height, PLAN.width), activation))
    windows = PLAN.windows(PLAN.blocks[0])
    for at in range(0, len(windows), 4):
        chosen = [n for n in range(at, min(at + 4, len(windows))) if evaluated[windows[n].row, windows[n].column]]
        if chosen:
            places = [Place(windows[n].y, windows[n].x, PLAN.owned(windows[n])) for n in chosen]
            tiles = values[chosen]
            if kind is not HostSums:
                import torch

                tiles = torch.from_numpy(tiles)
            assert summing.wrong(tiles) is None
            summing.add(tiles, places)
    return summing.sums()[fusion]


def device_sums(*args, **kwargs):
    pytest.importorskip("torch")
    return DeviceSums(*args, **kwargs, device="cpu")


@pytest.mark.parametrize("kind", [HostSums, device_sums])
@pytest.mark.parametrize("fusion", ["mean", "gaussian", "max"])
@pytest.mark.parametrize("activation", ["softmax", "sigmoid"])
def test_logits_are_fused_before_they_become_probabilities(kind, fusion: str, activation: str) -> None:
    values = answers(3)
    values = normalised(values) if activation == "softmax" else values
    evaluated = PLAN.all_evaluated()
    evaluated[0, 0] = False
    sums, total, most = eager(fusion, values, evaluated)
    seen = total > 0
    mean = np.divide(sums, total, out=np.zeros_like(sums), where=seen)
    if activation == "sigmoid":
        expected = 1 / (1 + np.exp(-(most if fusion == "max" else mean)))
    elif fusion == "max":
        expected = np.exp(most)[1:]
    else:
        expected = (np.exp(mean) / np.exp(mean).sum(axis=0))[1:]
    expected = np.where(seen, expected, 0)
    found = fused(
        fusion,
        summed(kind, fusion, values, evaluated, activation=activation),
        plan=PLAN,
        evaluated=evaluated,
        box=CORE,
        activation=activation,
    )
    np.testing.assert_allclose(found.values(), expected, atol=2e-6)
    assert not seen.all()


@pytest.mark.parametrize("fusion", ["none", "mean", "gaussian", "max"])
def test_sums_on_a_device_are_those_on_the_host(fusion: str) -> None:
    values = 1 / (1 + np.exp(-answers(2)))
    evaluated = PLAN.all_evaluated()
    host, device = (summed(kind, fusion, values, evaluated, activation="none") for kind in (HostSums, device_sums))
    np.testing.assert_allclose(device, host, atol=1e-6)
    assert device.dtype == np.float32


@pytest.mark.parametrize("kind", [HostSums, device_sums])
@pytest.mark.parametrize("activation", ["none", "softmax"])
def test_a_value_that_cannot_be_is_found_in_its_window(kind, activation: str) -> None:
    summing = kind(SumsLayout(("mean",), (2, 32, 32), activation))
    tiles = np.full((3, 2, 16, 16), 0.5, np.float32)
    as_given = (lambda a: a) if kind is HostSums else pytest.importorskip("torch").from_numpy
    assert summing.wrong(as_given(tiles)) is None
    for bad in (np.nan, np.inf, *([-0.1, 1.1] if activation == "none" else [])):
        wrong = tiles.copy()
        wrong[1, 1, 3, 4] = bad
        assert summing.wrong(as_given(wrong)) == 1


def test_the_largest_logit_starts_below_all() -> None:
    assert (empty_sums("max", (1, 2, 2), activation="sigmoid") == -np.inf).all()
    assert (empty_sums("max", (1, 2, 2)) == 0).all()
