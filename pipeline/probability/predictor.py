"""Trained network as a predictor of windows: probabilities of the classes of the data set, or their logits."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from pipeline.config import ProbabilityConfig
from pipeline.config.manifest import DatasetRecord, Task
from pipeline.errors import ConfigurationError, ModelError
from pipeline.probability.fusion.accumulate import Tiles
from pipeline.probability.fusion.logits import Activation, activation_of
from pipeline.probability.views import VIEWS, View, mean_of_views

if TYPE_CHECKING:
    import torch
    from torch import Tensor

__all__ = ["NetworkPredictor", "load_predictors", "torch_threads", "usable_devices", "with_precision_of_this_machine"]

logger = logging.getLogger(__name__)


@contextmanager
def torch_threads(count: int) -> Iterator[None]:
    """Context that sets torch's number of threads; threads started within it inherit the number.

    The number changes results, so it comes from the configuration, never from the machine.
    """
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


class _Most:
    """Largest batch that fits in a device's memory; unknown until a batch did not fit."""

    def __init__(self) -> None:
        self._most, self._lock = 2**31, Lock()

    def __call__(self) -> int:
        return self._most

    def lower(self, windows: int) -> None:
        with self._lock:
            self._most = min(self._most, windows)


@dataclass(frozen=True, slots=True, eq=False)
class NetworkPredictor:
    """A network in evaluation mode; several threads may call it at once, because calls do not affect each other."""

    network: "torch.nn.Module"
    """Takes uint8 windows and gives logits."""
    task: Task
    """Task of the data set, which says how logits become probabilities."""
    device: "torch.device"
    """Where it runs."""
    precision: str
    """float32, or the type of autocast."""
    views: tuple[View, ...] = VIEWS["one"]
    """Views (flips and turns) in which it sees a window; the result is their mean."""
    activation: Activation = "none"
    """Activation that will turn its outputs into probabilities. With it the outputs are logits: before a softmax,
    logarithms of probabilities with background first; before a sigmoid, logits of independent classes."""
    _most: _Most = field(default_factory=_Most)

    @property
    def on_host(self) -> bool:
        """Place of the outputs: whether they are NumPy arrays."""
        return self.device.type == "cpu"

    def __call__(self, windows: NDArray[np.uint8]) -> Tiles:
        """Map windows ``(n, 3, window, window)`` to float32 maps ``(n, map, window, window)``.

        Returns
        -------
        NDArray or Tensor
            An array on a CPU; on a GPU a tensor that stays there.

        Raises
        ------
        ModelError
            A single window does not fit in the memory of the GPU.
        """
        import torch

        pixels = torch.from_numpy(windows)
        with torch.inference_mode():
            if self.on_host:
                return np.ascontiguousarray(self._maps(pixels).numpy())
            return self._maps(pixels.pin_memory().to(self.device, non_blocking=True))

    def _maps(self, pixels: "Tensor") -> "Tensor":
        """Maps of a batch; where it does not fit in memory, this and all later batches are halved."""
        import torch

        parts, todo = [], [pixels]
        while todo:
            part, problem = todo.pop(), None
            if len(part) <= self._most():
                try:
                    parts.append(mean_of_views(self._forward, part, views=self.views))
                    continue
                except torch.OutOfMemoryError as error:
                    problem = str(error).split("\n")[0]
            if problem:  # Outside the except clause, where no traceback keeps the network's intermediate results alive.
                self._too_many(len(part), problem)
            half = min(len(part) // 2 + len(part) % 2, self._most())
            todo += [part[half:], part[:half]]
        maps = torch.cat(parts) if len(parts) > 1 else parts[0]
        # A mean of log-probabilities is not normalised, so the part common to all classes is subtracted again.
        return maps.log_softmax(dim=1) if self.activation == "softmax" else maps

    def _too_many(self, windows: int, problem: str) -> None:
        import torch

        if windows == 1:
            raise ModelError(
                "The memory of the GPU is too small for one window.",
                where="probability.window",
                found=problem,
                expected="room for the network and one window",
                remedy="Choose a smaller window, precision bfloat16 or float16, one view, or device cpu.",
            )
        self._most.lower(windows // 2)
        if self.device.type == "cuda":
            torch.cuda.empty_cache()
        logger.warning(
            "%d windows at once are too many for the memory of %s: %d from here on", windows, self.device, windows // 2
        )

    def _forward(self, pixels: "Tensor") -> "Tensor":
        from pipeline.model.network import probabilities
        from pipeline.model.precision import computing_in

        try:
            with computing_in(self.precision, device=self.device):
                logits: Tensor = self.network(pixels).float()
        except AssertionError as error:  # The library's transformers say so that they are made for one side.
            raise ModelError(
                "The encoder does not take windows of this side.",
                where="probability.window",
                found=f"{pixels.shape[-1]} pixels: {str(error).splitlines()[0] if str(error) else 'refused'}",
                expected="the side of the patches that the model learned from, or another that suits its encoder",
                remedy="Leave probability.window out, or set it to that side.",
            ) from error
        if self.activation == "none":
            return probabilities(logits, self.task)
        return logits.log_softmax(dim=1) if self.activation == "softmax" else logits


def usable_devices(wish: str) -> "tuple[torch.device, ...]":
    """Devices behind the configured name on this machine: all GPUs, or the CPU.

    Raises
    ------
    ConfigurationError
        For a GPU that is not there.
    """
    import torch

    found = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if wish == "cuda" and not found:
        raise ConfigurationError(
            "There is no GPU.",
            where="probability.device",
            found="torch sees no CUDA device",
            expected="a CUDA device and a torch that was built for it",
            remedy="Set device to cpu or auto.",
        )
    if wish == "cpu" or not found:
        return (torch.device("cpu"),)
    return tuple(torch.device("cuda", number) for number in range(found))


def with_precision_of_this_machine(config: ProbabilityConfig) -> ProbabilityConfig:
    """Parameters with precision ``auto`` resolved. Maps record them, and workers elsewhere compute with them."""
    from pipeline.model.precision import resolved_precision

    precision = resolved_precision(config.precision, device=config.device)
    return config.model_copy(update={"precision": precision})


def load_predictors(model: Path, *, record: DatasetRecord, config: ProbabilityConfig) -> tuple[NetworkPredictor, ...]:
    """Network from a folder ``model/{model}/``, or the mean of the ensemble there, on each device to be used.

    Raises
    ------
    ModelError
        The weights were trained for other classes or another task.
    ConfigurationError
        For a GPU that is not there.
    """
    from pipeline.model.ensemble import load_networks

    views, activation = VIEWS[config.views], activation_of(record.task, fuse=config.fuse)
    return tuple(
        NetworkPredictor(
            load_networks(model, device=device, codes=record.codes, channels=3, task=record.task),
            record.task,
            device,
            config.precision,
            views,
            activation,
        )
        for device in usable_devices(config.device)
    )
