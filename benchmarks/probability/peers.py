"""Peers of fusion on the same windows: MONAI's sliding windows, and the bare loop; arrays in memory."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.probability import inputs
from benchmarks.probability.definition import fixed_network
from benchmarks.probability.process import calls
from pipeline.geometry import starts_1d
from pipeline.probability.fusion.weights import gaussian_weights

__all__ = ["difference", "fusion"]

Network = Callable[[torch.Tensor], torch.Tensor]
Method = Callable[[torch.Tensor, Network], torch.Tensor]
"""Takes an image ``(1, 3, y, x)`` and a network; gives the map ``(class, y, x)``."""


def _monai(*, batch: int, **options: Any) -> Method:  # noqa: ANN401 options of another package
    from monai.inferers import sliding_window_inference
    from monai.inferers.utils import compute_importance_map

    roi = (inputs.WINDOW, inputs.WINDOW)
    weights = compute_importance_map(roi, mode="gaussian", sigma_scale=0.125, device="cpu")[None, None]

    def work(image: torch.Tensor, network: Network) -> torch.Tensor:
        return sliding_window_inference(
            image,
            roi,
            batch,
            network,
            overlap=inputs.OVERLAP,
            mode="gaussian",
            device="cpu",
            sw_device="cpu",
            roi_weight_map=weights,
            **options,
        )[0]

    return work


def _places(image: torch.Tensor) -> list[tuple[int, int]]:
    ys, xs = (starts_1d(side, inputs.WINDOW, inputs.STRIDE) for side in image.shape[-2:])
    return [(y, x) for y in ys for x in xs]


def _loop_torch(image: torch.Tensor, network: Network) -> torch.Tensor:
    weights, side = torch.from_numpy(gaussian_weights(inputs.WINDOW).copy()), inputs.WINDOW
    total, sums = torch.zeros(image.shape[-2:]), None
    for y, x in _places(image):
        rows, columns = slice(y, y + side), slice(x, x + side)
        answer = network(image[:, :, rows, columns])[0]
        sums = torch.zeros((len(answer), *image.shape[-2:])) if sums is None else sums
        sums[:, rows, columns].addcmul_(answer, weights)
        total[rows, columns] += weights
    assert sums is not None
    return sums.div_(total)


def _loop_numpy(image: torch.Tensor, network: Network) -> torch.Tensor:
    weights, side, source = gaussian_weights(inputs.WINDOW), inputs.WINDOW, image
    total, sums = np.zeros(image.shape[-2:], np.float32), np.zeros((0, 0, 0), np.float32)
    for y, x in _places(image):
        rows, columns = slice(y, y + side), slice(x, x + side)
        answer = network(source[:, :, rows, columns])[0].numpy()
        sums = sums if sums.size else np.zeros((len(answer), *image.shape[-2:]), np.float32)
        sums[:, rows, columns] += answer * weights
        total[rows, columns] += weights
    sums /= total
    return torch.from_numpy(sums)


METHODS: dict[str, Callable[[], Method]] = {
    "monai 4": lambda: _monai(batch=4),
    "monai 16": lambda: _monai(batch=16),
    "monai 4 buffered": lambda: _monai(batch=4, buffer_steps=4, buffer_dim=0),
    "loop torch": lambda: _loop_torch,
    "loop numpy": lambda: _loop_numpy,
}


def _image(side: int) -> torch.Tensor:
    # MONAI sums in the type of its input, so the image has to be float32; so is that of the loops.
    return torch.from_numpy(inputs.pixels(side, side).astype(np.float32))[None]


def fusion(*, method: str, side: int, classes: int, runs: int) -> dict[str, Any]:
    """Seconds from an image in memory to a map in memory, after a small image.

    MONAI multiplies the answer of a network by the weights in place, which would spoil a prepared one: the prepared
    answer is 0 here, so that it stays what it is, and no time is spent on making another.
    """
    torch.set_num_threads(2)
    work, answer = METHODS[method](), torch.zeros((16, classes, inputs.WINDOW, inputs.WINDOW))

    def network(windows: torch.Tensor) -> torch.Tensor:
        return answer[: len(windows)]

    image = _image(side)
    with torch.inference_mode():
        work(image[:, :, :1024, :1024], network)
        return calls(lambda: work(image, network), runs=runs)


def _fixed(windows: torch.Tensor) -> torch.Tensor:
    return torch.from_numpy(fixed_network(windows.numpy()))


def difference(*, method: str, side: int, truth: str) -> dict[str, float]:
    """Largest difference from a map in a file."""
    found: NDArray[np.float32] = METHODS[method]()(_image(side), _fixed).numpy()
    return {"exact": float(np.abs(found - np.load(truth)).max())}
