"""A batch that the memory of a device does not hold is halved, and what came of it is the same."""

import logging
import threading

import numpy as np
import pytest

from pipeline.config import ModelSettings
from pipeline.errors import ModelError
from pipeline.model.network import build_network
from pipeline.probability.predictor import NetworkPredictor

torch = pytest.importorskip("torch")


class Small(torch.nn.Module):
    """A network on a device that holds ``most`` windows."""

    def __init__(self, most: int) -> None:
        super().__init__()
        self.most, self.asked, self.lock = most, [], threading.Lock()

    def forward(self, pixels):
        with self.lock:
            self.asked.append(len(pixels))
        if len(pixels) > self.most:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB.\nMore")
        return pixels.float().mean(dim=1, keepdim=True) / 64 - 2


def predictor(most: int) -> NetworkPredictor:
    return NetworkPredictor(Small(most), "binary", torch.device("cpu"), "float32")


def windows(count: int):
    return np.random.Generator(np.random.PCG64(count)).integers(0, 256, (count, 3, 16, 16), dtype=np.uint8)


@pytest.mark.parametrize("count", [1, 2, 5, 8, 13])
@pytest.mark.parametrize("most", [1, 2, 3, 100])
def test_halved_batches_give_what_whole_ones_give_in_their_order(count: int, most: int) -> None:
    expected = 1 / (1 + np.exp(2 - windows(count).mean(axis=1, keepdims=True) / 64))
    np.testing.assert_allclose(predictor(most)(windows(count)), expected, atol=1e-6)


def test_what_did_not_fit_once_is_not_tried_again(caplog: pytest.LogCaptureFixture) -> None:
    small = predictor(3)
    with caplog.at_level(logging.WARNING):
        small(windows(8))
        before = len(small.network.asked)
        small(windows(8))
    assert small.network.asked[:2] == [8, 4]
    assert max(small.network.asked[before:]) <= 3
    assert "8 windows at once are too many" in caplog.text


def test_a_device_that_holds_not_one_window_is_an_error_that_says_what_to_do() -> None:
    with pytest.raises(ModelError, match=r"one window[\s\S]*Tried to allocate 2 GiB[\s\S]*smaller window"):
        predictor(0)(windows(3))


def test_an_encoder_of_another_side_is_an_error_that_names_the_window() -> None:
    wish = ModelSettings(encoder="tu-swin_tiny_patch4_window7_224", encoder_weights="none")
    network = build_network(wish, classes=1, task="binary").eval()
    ours = NetworkPredictor(network, "binary", torch.device("cpu"), "float32")
    with (
        torch.inference_mode(),
        pytest.raises(ModelError, match=r"windows of this side[\s\S]*64 pixels[\s\S]*probability\.window"),
    ):
        ours(np.zeros((1, 3, 64, 64), np.uint8))
