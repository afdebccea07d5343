"""What does a trained network say about windows? Probabilities of the classes of the data set, as NumPy arrays."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from pipeline.config import ProbabilityConfig
from pipeline.errors import ConfigurationError, explain
from pipeline.manifest import DatasetRecord

if TYPE_CHECKING:
    import torch

__all__ = ["NetworkPredictor", "load_predictor", "torch_threads"]


@contextmanager
def torch_threads(count: int) -> Iterator[None]:
    """Give torch a number of threads for a while; threads started in that time inherit it.

    The number changes results, so it comes from the configuration and never from the machine.
    """
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@dataclass(frozen=True, slots=True, eq=False)
class NetworkPredictor:
    """A network in evaluation mode; several threads may call it at once, because it changes nothing in itself."""

    network: "torch.nn.Module"
    """Takes uint8 windows and gives logits."""
    task: Literal["multiclass", "multilabel", "binary"]
    """Task of the data set, which says how logits become probabilities."""
    device: "torch.device"
    """Where it runs."""
    precision: str
    """float32, or the type of autocast."""

    def __call__(self, windows: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Map windows ``(n, 3, window, window)`` to probabilities ``(n, class, window, window)``."""
        import torch

        from pipeline.model.network import probabilities

        with torch.inference_mode(), self._autocast():
            logits = self.network(torch.from_numpy(windows).to(self.device))
        with torch.inference_mode():
            values = probabilities(logits.float(), self.task)
            return np.ascontiguousarray(values.float().cpu().numpy())

    def _autocast(self) -> AbstractContextManager[object]:
        import torch

        if self.precision == "float32":
            return nullcontext()
        return torch.autocast(self.device.type, dtype=getattr(torch, self.precision))


def _device(wish: str) -> "torch.device":
    import torch

    if wish == "cuda" and not torch.cuda.is_available():
        raise ConfigurationError(
            explain("There is no GPU.", where="probability.device", found="torch sees no CUDA device",
                    expected="a CUDA device and a torch that was built for it", remedy="Set device to cpu or auto.")
        )  # fmt: skip
    return torch.device("cuda" if wish != "cpu" and torch.cuda.is_available() else "cpu")


def load_predictor(model: Path, *, record: DatasetRecord, config: ProbabilityConfig) -> NetworkPredictor:
    """The network of a folder ``model/{model}/``, or the mean of an ensemble there, ready to be slid over images.

    Raises
    ------
    ModelError
        For weights that were trained for other classes or another task.
    ConfigurationError
        For a GPU that is not there.
    """
    from pipeline.model.ensemble import load_networks

    device = _device(config.device)
    network = load_networks(model, device=device, codes=record.codes, channels=3, task=record.task)
    return NetworkPredictor(network, record.task, device, config.precision)
