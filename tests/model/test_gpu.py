"""On a GPU maps are those of the processor, training goes on where it stopped, and batches are halved for short memory."""

from collections.abc import Callable

import numpy as np
import pytest
import torch

from pipeline.config import ModelSettings
from pipeline.model.checkpoint import load_model
from pipeline.model.module import Training
from pipeline.probability.predictor import NetworkPredictor

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="torch sees no GPU here"),
]


class Killed(Exception):
    """Ends a training between two epochs."""


def windows(count: int, side: int = 64) -> np.ndarray:
    return np.random.Generator(np.random.PCG64(side)).integers(0, 256, (count, 3, side, side), dtype=np.uint8)


@pytest.mark.parametrize(("precision", "most"), [("float32", 1e-3), ("bfloat16", 0.1), ("float16", 0.02)])
def test_maps_of_gpu_and_processor_agree(trained: tuple, precision: str, most: float) -> None:
    found = {}
    for device, kind in (("cpu", "float32"), ("cuda", precision)):
        network, card = load_model(trained[1], device=device)
        predictor = NetworkPredictor(network, card.task, torch.device(device), kind)
        found[device] = np.asarray(torch.as_tensor(predictor(windows(5))).cpu())
    np.testing.assert_allclose(found["cuda"], found["cpu"], atol=most)


def test_a_training_that_stopped_goes_on(
    bench: Callable, quick: ModelSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    tiny = bench()
    settings = quick.model_copy(update={"device": "cuda", "precision": "float32", "epochs": 3})
    whole = torch.load(tiny.train("whole", settings=settings) / "weights.pt", weights_only=True)
    begin = Training.on_train_epoch_start

    def stopped(self: Training) -> None:
        if self.current_epoch == 1:
            raise Killed
        begin(self)

    monkeypatch.setattr(Training, "on_train_epoch_start", stopped)
    with pytest.raises(Killed):
        tiny.train("parts", settings=settings)
    monkeypatch.undo()
    parts = torch.load(tiny.train("parts", settings=settings) / "weights.pt", weights_only=True)
    for name, expected in whole.items():
        torch.testing.assert_close(parts[name], expected, atol=1e-3, rtol=1e-3, msg=name)


def test_batches_are_halved_where_memory_is_short(trained: tuple) -> None:
    network, card = load_model(trained[1], device="cuda")
    predictor = NetworkPredictor(network, card.task, torch.device("cuda"), "float32")
    expected = torch.as_tensor(predictor(windows(2, 256))).cpu()
    torch.cuda.empty_cache()
    total = torch.cuda.get_device_properties(0).total_memory
    torch.cuda.set_per_process_memory_fraction(min(1.0, 1.5 * 2**30 / total))
    try:
        many = np.concatenate([windows(2, 256)] * 128)
        found = torch.as_tensor(predictor(many)).cpu()
        assert predictor._most() < len(many)
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)
    torch.testing.assert_close(found[:2], expected, atol=1e-3, rtol=0)
